"""Venus on the local chain is the real one: it lends, it refuses by numbers, it liquidates."""

import pytest

from keeper.core.units import WAD, ZERO_ADDRESS, Address
from keeper.devnet.rpc import Reverted
from keeper.devnet.venus import Venus
from keeper.devnet.world import World

BORROWER, LIQUIDATOR = Address("0x" + "a1" * 20), Address("0x" + "b2" * 20)
FAILURE = "0x45b96fe442630264581b197e84bbada861235052c5a1aadfff9ea4e40a969aa0"  # Failure(uint256,uint256,uint256)


@pytest.mark.parametrize("direct", [False, True])
def test_an_account_below_the_threshold_is_liquidated(world: World, *, direct: bool) -> None:
    venus = Venus.deploy(world, direct=direct)
    assert (venus.comptroller.call("liquidatorContract") == ZERO_ADDRESS) == direct
    world.fund(LIQUIDATOR)
    venus.borrow(BORROWER, "WETH", 10 * WAD, "USDC", 14_000 * 10**6)
    call = venus.liquidate_txs(LIQUIDATOR, BORROWER, "USDC", 7_000 * 10**6, "WETH")
    if direct:  # a number is returned, a log says so, and nothing reverts
        receipt = world.rpc.send_all(call)[-1]
        assert FAILURE in [log["topics"][0] for log in receipt["logs"]]
    else:
        with pytest.raises(Reverted, match=r"LiquidationFailed\(3\)"):
            world.rpc.send_all(call)
    assert int(venus.v_token("WETH").call("balanceOf", LIQUIDATOR)) == 0
    world.set_price("WETH", 1_700 * 10**8)
    assert venus.liquidity(BORROWER)[2] == pytest.approx(230 * WAD, rel=1e-6)
    world.rpc.send_all(venus.liquidate_txs(LIQUIDATOR, BORROWER, "USDC", 7_000 * 10**6, "WETH"))
    seized = int(venus.v_token("WETH").call("balanceOf", LIQUIDATOR))
    whole = 7_000 * WAD * 110 // 100 // 1_700 * 50 // 10**10
    assert seized == pytest.approx(whole if direct else whole * 105 // 110, rel=1e-4)
