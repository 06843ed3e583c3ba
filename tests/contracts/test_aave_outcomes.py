"""What happened on the real pool, as the adapter tells it: amounts are those that changed hands."""

from keeper.devnet.world import World
from keeper.protocols.aave_v3.outcomes import outcomes
from tests.contracts.executor_world import CALLER, STRANGER, Rig, logs_of


def test_liquidations_are_told_whoever_made_them(any_world: World) -> None:
    rig = Rig.deploy(any_world)
    first, second = rig.borrower(), rig.borrower()
    rig.fall()
    pool, world = rig.world.layout.aave.pool, rig.world
    owed, held = world.debt(first, "USDC"), world.balance("WETH", STRANGER)
    world.liquidate(STRANGER, "WETH", "USDC", first)
    leg = rig.leg(second)
    ours = rig.send(rig.plan(leg))
    theirs = world.rpc.rpc("eth_getBlockByNumber", hex(int(ours["blockNumber"], 16) - 1), False)["transactions"]
    receipts = [*(world.rpc.rpc("eth_getTransactionReceipt", tx) for tx in theirs), ours]
    told = outcomes(pool, [log for receipt in receipts for log in logs_of(receipt)])
    assert [one.account for one in told] == [first, second]
    assert [one.liquidator for one in told] == [STRANGER, rig.address]
    assert {(one.collateral_asset, one.debt_asset) for one in told} == {(world.asset("WETH"), world.asset("USDC"))}
    assert told[0].seized == world.balance("WETH", STRANGER) - held
    assert abs(owed - told[0].repaid - world.debt(first, "USDC")) < 100  # units of interest of a second or two
    assert told[1].repaid == leg.repay
    assert told[1].tx == ours["transactionHash"]
    assert CALLER not in {one.liquidator for one in told}
    assert outcomes(rig.address, [log for receipt in receipts for log in logs_of(receipt)]) == []
