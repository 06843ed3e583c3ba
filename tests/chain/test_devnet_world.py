"""The local world is real: its contracts do what the protocols do."""

import pytest

from keeper.core.units import MAX_U256, WAD, Address
from keeper.devnet.layout import USD
from keeper.devnet.rpc import Reverted
from keeper.devnet.world import World

BORROWER = Address("0x" + "b0" * 20)
LIQUIDATOR = Address("0x" + "11" * 20)


def test_price_drop_makes_a_borrower_liquidatable(any_world: World) -> None:
    world = any_world
    world.fund(BORROWER, LIQUIDATOR)
    world.supply(BORROWER, "WETH", 10 * WAD)
    world.borrow(BORROWER, "USDC", 15_000 * 10**6)
    assert world.account_data(BORROWER).health_factor > WAD
    with pytest.raises(Reverted):
        world.liquidate(LIQUIDATOR, "WETH", "USDC", BORROWER)
    world.set_price("WETH", 1_800 * USD)
    assert world.account_data(BORROWER).health_factor < WAD
    world.liquidate(LIQUIDATOR, "WETH", "USDC", BORROWER)
    assert world.account_data(BORROWER).health_factor > WAD
    assert world.balance("WETH", LIQUIDATOR) > 4 * WAD


def test_quoter_answers_what_a_swap_then_gives(world: World) -> None:
    world.fund(LIQUIDATOR)
    amount, fee, any_price = 50 * WAD, 500, 0
    pair = (world.asset("WETH"), world.asset("USDC"))
    quoted, *_ = world.quoter.call("quoteExactInputSingle", (*pair, amount, fee, any_price))
    assert 0 < quoted < world.units("USDC", 100_000)
    world.mint_token("WETH", LIQUIDATOR, amount)
    world.token("WETH").send("approve", world.router.address, MAX_U256, sender=LIQUIDATOR)
    swap = (*pair, fee, LIQUIDATOR, 2**40, amount, 0, any_price)
    world.router.send("exactInputSingle", swap, sender=LIQUIDATOR)
    assert world.balance("USDC", LIQUIDATOR) == quoted


def test_answer_comes_from_the_aggregator_not_from_the_proxy(world: World) -> None:
    receipt = world.set_price("WETH", 1_234 * USD)
    topic = world.aggregator("WETH").abi.topics["AnswerUpdated"]
    answers = [log for log in receipt["logs"] if log["topics"][0] == topic]
    assert [log["address"] for log in answers] == [world.layout.feeds["WETH"].aggregator]
    assert int(answers[0]["topics"][1], 16) == 1_234 * USD
    assert world.price("WETH") == 1_234 * USD
