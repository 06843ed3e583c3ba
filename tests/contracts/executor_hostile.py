"""What attackers bring along, and what they must not get."""

from pathlib import Path
from typing import Final

import pytest

from keeper.contracts.decode import decode_revert
from keeper.core.units import WAD, Address
from keeper.devnet.contract import Contract, Deployer
from keeper.devnet.rpc import Receipt, Reverted
from keeper.devnet.vyper import vyper_artifact
from keeper.devnet.world import World
from tests.contracts.executor_world import STRANGER, Rig, logs_of

HOSTILE: Final = Path(__file__).parent / "hostile"
FLOAT: Final = 5 * WAD
USDC_FLOAT: Final = 9_000 * 10**6


def worth_taking(world: World) -> Rig:
    """An executor with a float in two tokens."""
    rig = Rig.deploy(world)
    rig.give("WETH", FLOAT)
    rig.give("USDC", USDC_FLOAT)
    return rig


def hostile(rig: Rig, name: str, *arguments: object) -> Contract:
    deployer = Deployer(rig.world.rpc, STRANGER)
    contract = deployer.create(vyper_artifact(HOSTILE / f"{name}.vy"), *arguments)
    deployer.flush()
    return contract


def unharmed(rig: Rig) -> bool:
    """The float is where it was, nobody may take any of it, and no stranger got a thing."""
    strangers = [rig.world.balance(symbol, STRANGER) for symbol in ("WETH", "USDC")]
    return rig.weth() >= FLOAT and rig.left_over() == {"USDC": USDC_FLOAT} and strangers == [0, 0]


def callbacks(rig: Rig) -> list[str]:
    """Every entry that spends, as a stranger would call it."""
    usdc, contract = rig.world.asset("USDC"), rig.contract
    return [
        contract.fn("uniswapV3SwapCallback", FLOAT, -1, b""),
        contract.fn("uniswapV3SwapCallback", -1, 1, b""),
        contract.fn("executeOperation", usdc, 10**6, 10**6, rig.address, b""),
        contract.fn("receiveFlashLoan", [usdc], [10**6], [10**6], b""),
        contract.fn("onMorphoFlashLoan", 10**6, b""),
        contract.fn("own"),
        contract.fn("onMorphoLiquidate", 10**6, b""),
        contract.fn("onPreLiquidate", 10**6, b""),
        contract.fn("clipperCall", rig.address, 10**33, 10**18, b""),
        contract.fn("call_out", 0, 10**6),
        contract.fn("route_through", STRANGER, usdc, 10**6, 0, 0),
        contract.fn("borrow", STRANGER),
        contract.fn("share", 10**6),
    ]


def reasons(rig: Rig, data: str, sender: Address) -> str:
    with pytest.raises(Reverted) as refused:
        rig.world.rpc.call(rig.address, data, sender=sender)
    return decode_revert(refused.value.data).name


def prepare(rig: Rig, intruder: Contract, plan: str, asset: Address) -> int:
    """Everything that could be called in the middle of a step."""
    pool = rig.world.layout.aave.pool
    loan = rig.world.pool.fn("flashLoanSimple", rig.address, asset, 10**6, b"", 0)
    inside = [*callbacks(rig), plan, rig.contract.fn("sweep", asset, 0), rig.contract.fn("take_ownership")]
    for target, data in [*((rig.address, data) for data in inside), (pool, loan)]:
        intruder.send("prepare", target, bytes.fromhex(data[2:]), sender=STRANGER)
    return len(inside) + 1


def tries(receipt: Receipt, intruder: Contract) -> list[tuple[int, bool]]:
    """Which prepared call was made, and whether it went through."""
    logs = [log for log in logs_of(receipt) if log.address == intruder.address]
    return [(int(log.data[2:66], 16), bool(int(log.data[66:], 16))) for log in logs]
