"""The local world is real: its contracts do what the protocols do."""

from collections.abc import Callable
from pathlib import Path

import pytest

from keeper.core.units import MAX_U256, WAD, Address
from keeper.devnet.build import load_world, save_world
from keeper.devnet.layout import USD, EMode, RiskSpec, TokenSpec
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


def test_a_saved_world_comes_back_the_same(any_world: World, tmp_path: Path, seed: int) -> None:
    world = any_world
    crowd = world.borrowers(20, seed)
    world.set_price("WETH", 1_500 * USD)
    head, everything = world.block_number(), {"fromBlock": "0x0", "toBlock": "latest"}
    before = [world.account_data(borrower.account) for borrower in crowd]
    logs, block = world.rpc.rpc("eth_getLogs", everything), world.rpc.rpc("eth_getBlockByNumber", hex(head), True)
    save_world(world, tmp_path)
    world.stop()
    with load_world(tmp_path) as again:
        assert again.layout == world.layout
        assert again.rpc.rpc("eth_getBlockByNumber", hex(head), True) == block
        assert again.rpc.rpc("eth_getLogs", everything) == logs
        assert [again.account_data(borrower.account) for borrower in crowd] == before
        again.rpc.rpc("evm_mine")
        assert again.timestamp() - int(block["timestamp"], 16) == 12
    assert any(log["address"] == world.layout.aave.pool for log in logs)


def test_a_crowd_is_drawn_from_its_seed(make_world: Callable[..., World], seed: int) -> None:
    first, second = make_world(), make_world()
    crowd = first.borrowers(60, seed)
    assert crowd == second.borrowers(60, seed)
    data = [first.account_data(borrower.account) for borrower in crowd]
    assert data == [second.account_data(borrower.account) for borrower in crowd]
    assert all(one.health_factor > WAD for one in data)
    assert any(one.health_factor < 12 * WAD // 10 for one in data)
    assert any(borrower.emode for borrower in crowd)
    assert crowd != first.borrowers(60, seed + 1)


def test_owners_and_traders_have_their_say(any_world: World) -> None:
    world = any_world
    world.fund(BORROWER)
    world.add_token(TokenSpec("NEW", 18, 7 * USD))
    world.add_reserve("NEW", RiskSpec(5000, 6000, 11000, 2000))
    world.supply(BORROWER, "NEW", 1_000 * WAD)
    world.borrow(BORROWER, "DAI", 1_000 * WAD)
    assert world.account_data(BORROWER).health_factor == 42 * WAD // 10
    world.set_risk("NEW", 4000, 5500, 11000)
    assert world.account_data(BORROWER).threshold == 5500
    world.replace_aggregator("NEW", 6 * USD)
    world.set_price("NEW", 5 * USD)
    assert world.account_data(BORROWER).collateral_base == 5_000 * USD
    world.set_emode_category(EMode(7, "two of a kind", ("NEW", "DAI"), 9000, 9300, 10200))
    world.set_emode(BORROWER, 7) if world.version != "3.0.2" else world.repay(BORROWER, "DAI")
    world.pause("NEW", paused=True)
    with pytest.raises(Reverted):
        world.withdraw(BORROWER, "NEW", 1)
    pool = world.open_v3_pool("NEW", "USDC", 3000)
    world.set_price("NEW", 4 * USD)
    world.align_pools()
    out, *_ = world.quoter.call("quoteExactInputSingle", (world.asset("NEW"), world.asset("USDC"), WAD, 3000, 0))
    assert pool.call("liquidity") > 0
    assert out == pytest.approx(4 * 997_000, rel=1e-4)
