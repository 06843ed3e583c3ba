"""What forbids a liquidation, asked of the real pool at the very second at which the answer changes."""

import pytest

from keeper.core.refusals import Reason
from keeper.core.units import MAX_U256, WAD, Address, Timestamp
from keeper.devnet.layout import ADMIN
from keeper.devnet.rpc import Reverted
from keeper.devnet.world import World
from keeper.protocols.aave_v3.pair import Gate, blocked
from keeper.protocols.aave_v3.profiles import PROFILES

BORROWER, LIQUIDATOR = (Address(f"0x{name}{'0' * 36}") for name in ("b0b1", "11d1"))
OPEN = Gate(active=True, paused=False)
PAUSED = Gate(active=True, paused=True)


def sick(world: World, health: float) -> None:
    """A borrower of USDC against WETH with that health."""
    world.fund(BORROWER, LIQUIDATOR)
    world.supply(BORROWER, "WETH", 10**19)
    world.borrow(BORROWER, "USDC", 10_000 * 10**6)
    world.set_price("WETH", int(10_000 * health / 10 / 0.825 * 10**8))
    world.rpc.send_all(world.hand_out("USDC", LIQUIDATOR, 10**12, world.layout.aave.pool))


def liquidates(world: World, at: int, liquidator: Address = LIQUIDATOR) -> bool:
    """Whether the call goes through in a block of that time; afterwards it did not happen."""
    mark = world.rpc.rpc("evm_snapshot")
    world.rpc.rpc("evm_setNextBlockTimestamp", at)
    tx = world.liquidate_tx(liquidator, "WETH", "USDC", BORROWER, MAX_U256)
    try:
        world.rpc.send(tx.sender, tx.to, tx.data)
    except Reverted:
        done = False
    else:
        done = True
    for method, *args in (("anvil_dropAllTransactions",), ("evm_revert", mark), ("anvil_dropAllTransactions",)):
        world.rpc.rpc(method, *args)
    return done


def why(world: World, at: int, **changes: object) -> Reason | None:
    """What the maths say of the same block."""
    health = world.account_data(BORROWER).health_factor
    known = {"collateral": OPEN, "debt": OPEN, "health_factor": health, "sentinel_allows": True, "own_account": False}
    profile = PROFILES[world.layout.version]
    return blocked(profile, at=Timestamp(at), **(known | changes))  # type: ignore[arg-type]


@pytest.mark.parametrize("side", ["collateral", "debt"])
def test_a_pause_forbids_and_a_freeze_does_not(any_world: World, side: str) -> None:
    world, symbol = any_world, "WETH" if side == "collateral" else "USDC"
    sick(world, 0.97)
    at = world.timestamp() + 100
    assert liquidates(world, at)
    assert why(world, at) is None
    world.configure("setReserveFreeze", symbol, True)
    assert liquidates(world, at)
    world.pause(symbol, paused=True)
    assert not liquidates(world, at)
    assert why(world, at, **{side: PAUSED}) is Reason.PAUSED


@pytest.mark.parametrize("side", ["collateral", "debt"])
def test_the_grace_period_ends_after_its_last_second(world_36: World, side: str) -> None:
    world, symbol = world_36, "WETH" if side == "collateral" else "USDC"
    sick(world, 0.97)
    world.pause(symbol, paused=True)
    world.pause(symbol, paused=False, grace=3600)
    until = world.pool.call("getLiquidationGracePeriod", world.asset(symbol))
    gate = Gate(active=True, paused=False, grace_until=Timestamp(until))
    assert (liquidates(world, until), why(world, until, **{side: gate})) == (False, Reason.GRACE)
    assert (liquidates(world, until + 1), why(world, until + 1, **{side: gate})) == (True, None)


@pytest.mark.parametrize(("health", "allowed"), [(0.97, False), (0.9499, True)])
def test_the_sentinel_is_not_asked_below_0_95(any_world: World, health: float, *, allowed: bool) -> None:
    world = any_world
    sick(world, health)
    sequencer = world.add_sentinel(grace=3600)
    for down in (True, False):
        sequencer.send("setAnswer", down, world.timestamp(), sender=ADMIN)
        at = world.timestamp() + 100
        assert liquidates(world, at) is allowed
        assert why(world, at, sentinel_allows=False) is (None if allowed else Reason.SEQUENCER)
    at = world.timestamp() + 3601
    assert liquidates(world, at)
    assert why(world, at) is None


def test_whether_a_borrower_may_liquidate_himself(any_world: World) -> None:
    world = any_world
    sick(world, 0.97)
    world.rpc.send_all(world.hand_out("USDC", BORROWER, 10**12, world.layout.aave.pool))
    at = world.timestamp() + 100
    allowed = PROFILES[world.layout.version].self_liquidation
    assert liquidates(world, at, BORROWER) is allowed
    assert why(world, at, own_account=True) is (None if allowed else Reason.SELF)


def test_a_healthy_account_is_no_pair_at_all(any_world: World) -> None:
    sick(any_world, 1.001)
    assert any_world.account_data(BORROWER).health_factor >= WAD
    assert not liquidates(any_world, any_world.timestamp() + 1)
