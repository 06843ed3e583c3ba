"""What a test can add to the world: flash lenders and tokens that misbehave."""

import pytest

from keeper.core.units import MAX_U256, WAD, Address
from keeper.devnet.layout import USD, RiskSpec, TokenSpec
from keeper.devnet.rpc import Reverted
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
