"""Liquidations of the real exchange: what is taken, what is earned, and when nothing is."""

from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from keeper.chain.pool import Pool
from keeper.core.actions import Action, Style
from keeper.core.refusals import Reason
from keeper.core.units import WAD, Address, Timestamp
from keeper.devnet.layout import ADMIN
from keeper.devnet.perp import FUND
from keeper.devnet.rpc import Reverted
from keeper.devnet.world import World
from keeper.indexer.inquire import inquire
from keeper.protocols.perp_curie.adapter import PerpCurie
from keeper.protocols.perp_curie.takeover import Takeover
from tests.contracts.perp_market import ALICE, BOB, CAROL, KEEPER, Market, build, drop, taken


@pytest.fixture
async def market(world: World, tmp_path: Path) -> AsyncIterator[Market]:
    async with Pool([world.anvil.url]) as chain:
        yield build(world, chain, tmp_path / "state.sqlite")


def offers(market: Market, trader: Address, at: Timestamp) -> Sequence[Action | Reason]:
    return market.adapter.actions(market.book, market.row(trader), at)


def takeover(market: Market, trader: Address, at: Timestamp) -> Takeover:
    (action,) = offers(market, trader, at)
    assert isinstance(action, Takeover)
    return action


def long_of(market: Market, trader: Address, margin: int, dollars: int, symbol: str = "WETH") -> None:
    perp = market.perp
    orders = [*perp.deposit(trader, margin * 10**6), perp.open(trader, symbol, dollars * WAD, long=True, exact_in=True)]
    market.world.rpc.send_all(orders)


@pytest.mark.parametrize("long", [True, False])
async def test_an_inherited_position_is_flat_within_the_block_and_earns_what_was_predicted(
    market: Market, *, long: bool
) -> None:
    perp, world = market.perp, market.world
    world.rpc.send_all(perp.deposit(ALICE, 5_000 * 10**6))
    world.rpc.send_all([perp.open(ALICE, "WETH", 40_000 * WAD, long=long, exact_in=long)])
    drop(market, "WETH", 0.9 if long else 1.1)
    action = takeover(market, ALICE, await market.next())
    assert action.style is Style.TAKEOVER
    repay = action.intervals()[-1][1]
    predicted = action.settle(repay)
    assert taken(market, action, repay) == predicted.received - repay > 0
    assert perp.size(KEEPER, "WETH") == 0
    assert perp.part("Vault").call("getBalance", KEEPER) == 0


async def test_a_part_of_the_margin_inherits_a_part(market: Market) -> None:
    long_of(market, ALICE, 5_000, 40_000)
    drop(market, "WETH", 0.9)
    action = takeover(market, ALICE, await market.next())
    most = action.intervals()[-1][1]
    repay = most // 3
    before, size = market.perp.size(ALICE, "WETH"), action.taken(repay)
    assert action.target.margin(size) <= repay < action.target.margin(size + 10**12)
    assert taken(market, action, repay) == action.settle(repay).received - repay
    assert market.perp.size(ALICE, "WETH") == before - size


async def test_one_unit_of_margin_less_is_not_enough(market: Market) -> None:
    """The margin that an action asks for is the least with which the exchange lets so much be inherited."""
    long_of(market, ALICE, 5_000, 40_000)
    drop(market, "WETH", 0.9)
    action = takeover(market, ALICE, await market.next())
    repay = action.intervals()[-1][1]
    market.world.rpc.send_all(market.perp.deposit(KEEPER, repay - 1))
    with pytest.raises(Reverted, match="CH_NEFCI"):
        market.world.rpc.send_all([market.perp.liquidate(KEEPER, ALICE, "WETH", action.size)])


async def test_forty_of_fifty_thousand_are_taken_at_five_eighths(market: Market) -> None:
    long_of(market, ALICE, 5_600, 42_500)
    long_of(market, ALICE, 1, 9_900, "LINK")
    drop(market, "WETH", 0.945, BOB)
    at = await market.next()
    actions = [action for action in offers(market, ALICE, at) if isinstance(action, Takeover)]
    action = next(action for action in actions if action.base == market.perp.base("WETH"))
    target = action.target
    assert target.required // 2 <= target.value < target.required
    assert abs(action.size / target.size - 0.625) < 0.01
    balance, base = market.perp.part("AccountBalance"), market.perp.base("WETH")
    worked = replace(target, size=20 * WAD, price=2_000 * WAD, absolute=50_000 * WAD)
    assert worked.allowed == 20 * WAD * 5 // 8
    repay = action.intervals()[-1][1]
    before = market.perp.size(ALICE, "WETH")
    assert taken(market, action, repay) == action.settle(repay).received - repay
    assert before - market.perp.size(ALICE, "WETH") == action.size == target.allowed
    assert balance.call("getTakerPositionSize", KEEPER, base) == 0


async def test_an_account_worth_less_than_half_of_what_it_must_be_is_taken_whole(market: Market) -> None:
    long_of(market, ALICE, 5_600, 42_500)
    long_of(market, ALICE, 1, 9_900, "LINK")
    drop(market, "WETH", 0.9, BOB)
    at = await market.next()
    action = next(one for one in offers(market, ALICE, at) if isinstance(one, Takeover))
    assert 0 < action.target.value < action.target.required // 2
    assert action.size == action.target.size


async def test_full_penalty_of_a_thousand_leaves_five_hundred(market: Market) -> None:
    long_of(market, ALICE, 5_000, 40_000)
    drop(market, "WETH", 0.9)
    target = takeover(market, ALICE, await market.next()).target
    solvent = replace(target, size=20 * WAD, price=2_000 * WAD, value=1).share(20 * WAD)
    assert (solvent.penalty, solvent.to_liquidator, solvent.to_fund) == (1_000 * WAD, 500 * WAD, 500 * WAD)
    bankrupt = replace(target, size=20 * WAD, price=2_000 * WAD, value=-1).share(20 * WAD)
    assert (bankrupt.to_liquidator, bankrupt.to_fund) == (1_000 * WAD, 0)


async def test_what_the_insurance_fund_cannot_cover_is_blocked(market: Market) -> None:
    perp, world = market.perp, market.world
    long_of(market, ALICE, 5_000, 40_000)
    drop(market, "WETH", 0.82)
    fund = perp.layout.parts["InsuranceFund"]
    world.fund(fund)
    world.token("USDC").send("transfer", BOB, FUND - 10**6, sender=fund)
    assert offers(market, ALICE, await market.next()) == [Reason.FUND_SHORT]
    (backing,) = market.adapter.backing(market.book)
    assert backing.fund is not None
    assert backing.deficit is not None
    assert backing.deficit > backing.fund
    world.rpc.send_all(perp.deposit(KEEPER, 10_000 * 10**6))
    with pytest.raises(Reverted, match="CH_IIC"):
        world.rpc.send_all([perp.liquidate(KEEPER, ALICE, "WETH")])
    world.token("USDC").send("transfer", fund, FUND - 10**6, sender=BOB)
    action = takeover(market, ALICE, await market.next())
    repay = action.intervals()[-1][1]
    settled = action.settle(repay)
    assert settled.protocol_fee == 0
    assert settled.bad_debt > 0
    assert taken(market, action, repay) == settled.received - repay > 0


async def test_open_orders_are_cancelled_first(market: Market) -> None:
    perp, world = market.perp, market.world
    long_of(market, ALICE, 7_000, 30_000)
    tick = int(perp.pool("WETH").call("slot0")[1]) // 60 * 60
    orders = [
        perp.add_liquidity(ALICE, "WETH", (5 * WAD, 10_000 * WAD), (tick - 600, tick + 600)),
        perp.add_liquidity(ALICE, "LINK", (0, 10_000 * WAD), (tick // 60 * 60 - 90_000, tick // 60 * 60 - 60_000)),
    ]
    world.rpc.send_all(orders)
    drop(market, "WETH", 0.82)
    action = takeover(market, ALICE, await market.next())
    assert set(action.orders) == {perp.base("WETH"), perp.base("LINK")}
    world.rpc.send_all(perp.deposit(CAROL, 100_000 * 10**6))
    with pytest.raises(Reverted, match="CH_CLWTISO"):
        world.rpc.send_all([perp.liquidate(CAROL, ALICE, "WETH")])
    action = takeover(market, ALICE, await market.next())
    repay = action.intervals()[-1][1]
    assert taken(market, action, repay) == action.settle(repay).received - repay
    assert perp.size(KEEPER, "WETH") == 0
    assert perp.size(ALICE, "WETH") == 0


async def test_an_index_that_falls_alone_liquidates_nobody(market: Market) -> None:
    """The mark price is a median: two of its three are the market's own averages."""
    long_of(market, ALICE, 5_000, 40_000)
    market.world.set_price("WETH", int(market.world.feed_price("WETH") * 0.6))
    at = await market.next()
    assert offers(market, ALICE, at) == []
    with pytest.raises(Reverted, match="CH_EAV"):
        market.world.rpc.send_all([market.perp.liquidate(CAROL, ALICE, "WETH")])


async def test_what_a_block_cannot_close_is_not_inherited(market: Market) -> None:
    """A position that the cap on ticks stops half-way: just so much of it is taken as can be given away again."""
    perp, world = market.perp, market.world
    long_of(market, ALICE, 80_000, 500_000)
    drop(market, "WETH", 0.82)
    cap = perp.govern("Exchange", "setMaxTickCrossedWithinBlock", perp.base("WETH"), 40)
    world.rpc.send_all([cap])
    action = takeover(market, ALICE, await market.next())
    assert 0 < action.size < action.target.allowed
    snapshot = world.rpc.rpc("evm_snapshot")
    more = replace(action, size=action.size + action.size // 100)
    assert more.target.profit(more.size) is None
    world.rpc.send_all(perp.deposit(KEEPER, 10**12))
    world.rpc.send_all([perp.liquidate(KEEPER, ALICE, "WETH", more.size), perp.close(KEEPER, "WETH")])
    assert perp.size(KEEPER, "WETH") > 0, "more than this would have been left in the keeper's hands"
    world.rpc.rpc("evm_revert", snapshot)
    action = takeover(market, ALICE, await market.next())
    repay = action.intervals()[-1][1]
    assert taken(market, action, repay) == action.settle(repay).received - repay
    assert perp.size(KEEPER, "WETH") == 0
    assert offers(market, ALICE, await market.next()) == [Reason.NO_LIQUIDITY]  # until the cap counts from a new tick


async def test_gates(market: Market) -> None:
    perp, world = market.perp, market.world
    long_of(market, ALICE, 5_000, 40_000)
    drop(market, "WETH", 0.9)
    world.rpc.send_all([perp.govern("ClearingHouse", "pause")])
    assert offers(market, ALICE, await market.next()) == [Reason.PAUSED]
    world.rpc.send_all([perp.govern("ClearingHouse", "unpause")])
    held = world.balance("USDC", perp.layout.parts["Vault"])
    world.rpc.send_all([perp.govern("ClearingHouseConfig", "setSettlementTokenBalanceCap", held)])
    assert offers(market, ALICE, await market.next()) == [Reason.DEPOSITS_CAPPED]
    world.rpc.send_all([perp.govern("ClearingHouseConfig", "setSettlementTokenBalanceCap", held + 10**9)])
    action = takeover(market, ALICE, await market.next())
    assert action.intervals()[-1][1] == 10**9
    assert taken(market, action, 10**9) == action.settle(10**9).received - 10**9
    perp.base_token("WETH").send("pause", sender=ADMIN)
    assert offers(market, ALICE, await market.next()) == [Reason.INACTIVE]


async def test_only_a_clearing_house_is_an_exchange(market: Market) -> None:
    async def said(address: Address) -> str:
        chain = market.indexer.chain
        return await inquire(chain, PerpCurie(address).examine(), await chain.head(), 0)

    assert await said(market.perp.layout.clearing_house) == ""
    assert "not a ClearingHouse" in await said(market.perp.layout.parts["Vault"])
    assert "no contract" in await said(ALICE)


async def test_the_exchange_tells_what_was_liquidated(market: Market) -> None:
    perp, world = market.perp, market.world
    long_of(market, ALICE, 5_000, 40_000)
    drop(market, "WETH", 0.9)
    action = takeover(market, ALICE, await market.next())
    repay = action.intervals()[-1][1]
    first = world.block_number() + 1
    taken(market, action, repay)
    logs = await market.indexer.chain.logs(market.adapter.sources(market.book), first, world.block_number())
    (done,) = market.adapter.outcomes(market.book, logs)
    assert (done.account, done.liquidator, done.collateral_asset) == (ALICE, KEEPER, perp.base("WETH"))
    assert done.seized == action.size
    assert done.repaid == action.target.share(action.size).notional // 10**12
