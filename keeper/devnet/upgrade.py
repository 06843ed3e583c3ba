"""A market upgraded in place from 3.0.2 to 3.6, as governance would: new code behind the same addresses.

Law: all code switches in one block, in which nobody else acts: before it one set of rules holds, after it the other.
The versions between, which migrated storage step by step, are played by writing what they left behind: the virtual
balance of each reserve, and no deficit. Nobody may owe stable debt.
"""

from typing import Final

import msgspec
from eth_abi.abi import encode
from eth_utils.crypto import keccak

from keeper.core.units import MAX_U128, Address
from keeper.devnet import aave_v36
from keeper.devnet.contract import Contract, Deployer
from keeper.devnet.layout import ADMIN, AaveLayout, Layout, Reserve
from keeper.devnet.tokens import EMODES, RISK
from keeper.devnet.world import World

_RESERVES_SLOT: Final = 52  # of the pool's mapping asset → reserve, in every version
_DEFICIT_WORD: Final = 3  # low half; up to 3.1 the stable borrow rate
_VIRTUAL_WORD: Final = 8  # high half; up to 3.3 what was minted without backing
_VOLATILE: Final = RISK["WETH"]


def upgrade_to_v36(world: World) -> World:
    """The same node and addresses with Aave 3.6; the given handle is not to be used any more."""
    layout, deployer = world.layout, Deployer(world.rpc, ADMIN)
    pool, configurator, aave = _deploy_code(deployer, layout)
    for reserve in layout.reserves.values():
        _migrate_storage(world, reserve)
    deployer.call(world.provider, "setPoolImpl", pool.address)
    deployer.call(world.provider, "setPoolConfiguratorImpl", configurator.address)
    deployer.call(world.provider, "setPoolDataProvider", aave.data_provider)
    configurator = configurator.at(aave.configurator)
    for reserve in layout.reserves.values():
        _upgrade_tokens(deployer, configurator, aave, reserve)
        deployer.call(configurator, "setReserveInterestRateData", reserve.asset, _rates(reserve))
    for emode in EMODES:
        aave_v36.add_emode_members(deployer, configurator, emode, layout.tokens)
    deployer.flush()
    reserves = {symbol: msgspec.structs.replace(reserve, s_token=None) for symbol, reserve in layout.reserves.items()}
    return World(world.anvil, msgspec.structs.replace(layout, version="3.6", aave=aave, reserves=reserves))


def _deploy_code(deployer: Deployer, layout: Layout) -> tuple[Contract, Contract, AaveLayout]:
    """Implementations of 3.6 that nobody uses yet."""
    before = layout.aave
    pool, configurator, curve = aave_v36.deploy_implementations(deployer, before.provider)
    helpers = aave_v36.deploy_helpers(deployer, before.provider, before.pool)
    deployer.flush()
    aave = msgspec.structs.replace(
        before, **helpers, s_token_impl=None, curves=dict.fromkeys(before.curves, curve.address)
    )
    return pool, configurator, aave


def _migrate_storage(world: World, reserve: Reserve) -> None:
    pool = world.layout.aave.pool
    base = int.from_bytes(keccak(encode(("address", "uint256"), (reserve.asset, _RESERVES_SLOT))))
    deficit, virtual = (_read(world, pool, base + word) for word in (_DEFICIT_WORD, _VIRTUAL_WORD))
    held = world.balance(reserve.symbol, reserve.a_token)
    _write(world, pool, base + _DEFICIT_WORD, deficit & ~MAX_U128)
    _write(world, pool, base + _VIRTUAL_WORD, (virtual & MAX_U128) | held << 128)


def _read(world: World, contract: Address, slot: int) -> int:
    return int(world.rpc.rpc("eth_getStorageAt", contract, hex(slot), "latest"), 16)


def _write(world: World, contract: Address, slot: int, word: int) -> None:
    world.rpc.rpc("anvil_setStorageAt", contract, f"0x{slot:064x}", f"0x{word:064x}")


def _upgrade_tokens(deployer: Deployer, configurator: Contract, aave: AaveLayout, reserve: Reserve) -> None:
    name, no_params = reserve.symbol, b""
    a_token = (reserve.asset, f"a{name}", f"a{name}", aave.a_token_impl, no_params)
    v_token = (reserve.asset, f"v{name}", f"v{name}", aave.v_token_impl, no_params)
    deployer.call(configurator, "updateAToken", a_token)
    deployer.call(configurator, "updateVariableDebtToken", v_token)


def _rates(reserve: Reserve) -> bytes:
    return aave_v36.rate_data(RISK.get(reserve.symbol, _VOLATILE))
