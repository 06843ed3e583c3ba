"""What a test can add to the world: flash lenders and tokens that misbehave."""

import pytest

from keeper.core.units import MAX_U256, WAD, Address
from keeper.devnet.layout import USD, RiskSpec, TokenSpec
from keeper.devnet.rpc import Reverted
from keeper.devnet.upgrade import upgrade_to_v36
from keeper.devnet.world import World

SOMEBODY = Address("0x" + "5b" * 20)
OTHER = Address("0x" + "07" * 20)


def test_balancer_lends_only_what_comes_back(world: World) -> None:
    vault = world.add_balancer("WETH", amount=100 * WAD)
    assert world.balance("WETH", vault.address) == 100 * WAD
    world.fund(SOMEBODY)
    with pytest.raises(Reverted):  # the receiver has no code to pay back with
        vault.send("flashLoan", SOMEBODY, [world.asset("WETH")], [WAD], b"", sender=SOMEBODY)
    with pytest.raises(Reverted, match="BAL#528"):  # INSUFFICIENT_FLASH_LOAN_BALANCE
        vault.send("flashLoan", SOMEBODY, [world.asset("WETH")], [101 * WAD], b"", sender=SOMEBODY)


def test_morpho_market_is_liquidated_at_the_oracles_price(world: World) -> None:
    morpho = world.add_morpho()
    market = world.add_morpho_market(morpho, "WETH", "USDC", 86 * WAD // 100, 1_000_000 * 10**6)
    world.fund(SOMEBODY, OTHER)
    for account, symbol in ((SOMEBODY, "WETH"), (OTHER, "USDC")):
        world.mint_token(symbol, account, 100_000 * world.layout.tokens[symbol].unit)
        world.token(symbol).send("approve", morpho.address, MAX_U256, sender=account)
    morpho.send("supplyCollateral", market.params, 10 * WAD, SOMEBODY, b"", sender=SOMEBODY)
    morpho.send("borrow", market.params, 16_000 * 10**6, 0, SOMEBODY, SOMEBODY, sender=SOMEBODY)
    seize = (market.params, SOMEBODY, 5 * WAD, 0, b"")
    with pytest.raises(Reverted, match="position is healthy"):
        morpho.send("liquidate", *seize, sender=OTHER)
    world.set_morpho_price(market, 1_700 * 10**24)
    morpho.send("liquidate", *seize, sender=OTHER)
    assert world.balance("WETH", OTHER) == 5 * WAD


def test_hostile_token_misbehaves_as_told(world: World) -> None:
    token = world.add_hostile_token(TokenSpec("BAD", 18, 3 * USD))
    world.fund(SOMEBODY)
    world.mint_token("BAD", SOMEBODY, 1_000 * WAD)
    token.send("transfer", OTHER, 100 * WAD, sender=SOMEBODY)
    assert world.balance("BAD", OTHER) == 100 * WAD
    token.send("set_fee", 50, sender=SOMEBODY)
    token.send("transfer", OTHER, 100 * WAD, sender=SOMEBODY)
    assert world.balance("BAD", OTHER) == 199_5 * WAD // 10
    token.send("set_answers_false", True, sender=SOMEBODY)
    assert token.call("transfer", OTHER, MAX_U256, sender=SOMEBODY) is False
    token.send("set_hook", world.asset("USDC"), sender=SOMEBODY)  # it has no such function
    with pytest.raises(Reverted):
        token.send("transfer", OTHER, 1, sender=SOMEBODY)
    token.send("set_blocked", SOMEBODY, True, sender=SOMEBODY)
    with pytest.raises(Reverted, match="blocked"):
        token.send("transfer", OTHER, 1, sender=SOMEBODY)


def test_silent_token_can_be_listed_and_traded(world: World) -> None:
    token = world.add_silent_token(TokenSpec("USDX", 6, USD))
    world.add_reserve("USDX", RiskSpec(7500, 7800, 10450, 1000, volatile=False))
    world.open_v3_pool("USDX", "WETH", 500)
    world.fund(SOMEBODY)
    world.supply(SOMEBODY, "USDX", 400 * 10**6)
    world.supply(SOMEBODY, "USDX", 600 * 10**6)
    world.borrow(SOMEBODY, "WETH", WAD // 10)
    assert world.account_data(SOMEBODY).health_factor == 39 * WAD // 10
    world.swap_v3(SOMEBODY, "USDX/WETH/500", "USDX", 200 * 10**6)
    assert world.balance("WETH", SOMEBODY) > 19 * WAD // 100
    receipt = token.send("transfer", OTHER, 0, sender=SOMEBODY)
    assert (
        world.rpc.rpc("debug_traceTransaction", receipt["transactionHash"], {"tracer": "callTracer"}).get(
            "output", "0x"
        )
        == "0x"
    )
    with pytest.raises(Reverted, match="set to zero first"):
        token.send("approve", world.layout.aave.pool, 1, sender=SOMEBODY)


@pytest.mark.slow
def test_a_market_is_upgraded_in_place(world: World, seed: int) -> None:
    crowd = world.borrowers(30, seed)
    before = {borrower.account: world.account_data(borrower.account) for borrower in crowd}
    head = world.block_number()
    upgraded = upgrade_to_v36(world)
    switched = upgraded.rpc.rpc(
        "eth_getLogs",
        {
            "fromBlock": hex(head),
            "address": upgraded.layout.aave.provider,
            "topics": [[topic(upgraded, "PoolUpdated")]],
        },
    )
    assert [log["blockNumber"] for log in switched] == [hex(upgraded.block_number())]
    assert upgraded.pool.call("POOL_REVISION") == 10
    assert upgraded.layout.aave.pool == world.layout.aave.pool
    for account, data in before.items():
        after = upgraded.account_data(account)
        assert after.collateral_base == pytest.approx(data.collateral_base, rel=1e-6)
        assert after.debt_base == pytest.approx(data.debt_base, rel=1e-6)
        lost_to_whole_basis_points = 1 + 1 / data.threshold  # up to 3.4 the average threshold is cut
        assert 1 - 1e-6 <= after.health_factor / data.health_factor <= lost_to_whole_basis_points
    world_goes_on(upgraded)


def world_goes_on(world: World) -> None:
    world.fund(SOMEBODY, OTHER)
    world.supply(SOMEBODY, "WETH", 10 * WAD)
    world.borrow(SOMEBODY, "USDC", 15_000 * 10**6)
    world.advance(86_400)
    world.repay(SOMEBODY, "USDC", 10**6)
    world.withdraw(SOMEBODY, "WETH", WAD // 100)
    world.set_price("WETH", 1_700 * USD)
    world.liquidate(OTHER, "WETH", "USDC", SOMEBODY)
    assert world.account_data(SOMEBODY).health_factor > WAD


def topic(world: World, event: str) -> str:
    return world.provider.abi.topics[event]
