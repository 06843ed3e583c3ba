"""A Maker-like market through the whole keeper and the executor contract.

An urn is barked at in the first block that allows it, its auction is bought from in the first block that pays, and one
that grew too old is reset and bought later.
"""

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from keeper.chain.pool import Pool
from keeper.core.actions import Style
from keeper.core.events import Block
from keeper.core.outlook import Liquidated, TriggerKind
from keeper.core.plans import Plan
from keeper.core.refusals import Reason
from keeper.core.units import BPS, RAD, RAY, WAD, Address, Timestamp
from keeper.core.venues import Venue
from keeper.devnet.maker import HOP, Maker
from keeper.devnet.world import World
from keeper.estimator.lessons import Lessons
from keeper.estimator.pack import Packed
from keeper.estimator.rivals import Offered
from keeper.estimator.world import Policy
from keeper.indexer.indexer import Indexer
from keeper.indexer.inquire import inquire
from keeper.indexer.market import Market
from keeper.indexer.pools import PoolFeed
from keeper.pipeline import Known, Pipeline
from keeper.protocols.maker_clip.adapter import MakerClip
from keeper.protocols.maker_clip.facts import sale_account, urn_account
from keeper.store.store import Store
from keeper.venues.book import VenueBook
from keeper.venues.route.search import Routing
from keeper.venues.uniswap_v2.venue import UniswapV2
from keeper.venues.uniswap_v3.venue import UniswapV3
from tests.contracts.executor_world import STRANGER, Rig, logs_of

URN = Address("0x" + "ab" * 20)
BLOCK = 12
DEBT = 16_800


@dataclass
class Desk:
    """The keeper on a market; what it plans is mined in the next block."""

    world: World
    maker: Maker
    rig: Rig
    chain: Pool
    indexer: Indexer
    feed: PoolFeed
    policy: Policy
    plans: list[Plan] = field(default_factory=list)
    gains: list[int] = field(default_factory=list)
    told: list[Liquidated] = field(default_factory=list)
    lessons: Lessons = field(default_factory=Lessons)

    def __post_init__(self) -> None:
        self.pipeline = self.made(self)
        self.indexer.hearers.append(self.heard)

    def heard(self, market: Market, told: Sequence[Liquidated]) -> None:
        """As the daemon hears of rivals."""
        for what, margin in self.pipeline.rivalry.endings(market.adapter.market, told, self.rig.address):
            self.lessons = self.lessons.outdone(what, margin)

    def known_of(self, *margins: int) -> None:
        """Auctions of the past ended at these margins, not with us."""
        for margin in margins:
            what = Offered(self.market.adapter.market, self.world.asset("WETH"))
            self.lessons = self.lessons.outdone(what, margin)

    def made(self, sender: "Desk | None") -> Pipeline:
        """A pipeline on this desk; without a sender nothing is mined."""
        return Pipeline(
            markets=lambda: self.indexer.markets, liquidity=lambda: self.feed.book.liquidity, policy=self.policy,
            sender=sender, block_time=BLOCK, known=lambda: Known(lessons=self.lessons),
        )  # fmt: skip

    async def submit(self, plans: Sequence[Plan], head: Block) -> None:
        """The next block has the plan, and nothing else."""
        del head
        for plan in plans:
            before = self.rig.weth()
            logs = logs_of(self.rig.send(plan))
            self.told += self.market.adapter.outcomes(self.market.book, logs)
            self.plans.append(plan)
            self.gains.append(self.rig.weth() - before)

    async def block(self, seconds: int = BLOCK) -> Packed:
        """An empty block that much later, and what the keeper makes of it."""
        self.world.advance(seconds)
        head = await self.indexer.advance()
        await self.feed.advance(self.indexer.store.tail())
        return await self.pipeline.on_block(head)

    @property
    def market(self) -> Market:
        return self.indexer.markets[0]

    def row(self, account: Address) -> int:
        found = self.market.book.row(account)
        assert found is not None
        return found


@pytest.fixture
async def desk(world: World, tmp_path: Path) -> AsyncIterator[Desk]:
    maker, rig = Maker(world), Rig.deploy(world)
    maker.fall("ETH-A", 2_700 * WAD)
    maker.open("ETH-A", URN, 10 * WAD, DEBT * WAD)
    layout = world.layout
    weth, usdc = layout.tokens["WETH"].address, layout.tokens["USDC"].address
    venues: list[Venue] = [UniswapV3(layout.uniswap.v3_factory), UniswapV2(layout.uniswap.v2_factory)]
    book = VenueBook(venues, [token.address for token in layout.tokens.values()])
    adapter = MakerClip(maker.chainlog.address)
    async with Pool([world.anvil.url]) as chain:
        roles = await inquire(chain, adapter.callees(), await chain.head(), 0)
        for role in set(roles.values()):
            rig.allow(*[target for target, given in roles.items() if given is role], role=role)
        indexer = Indexer(chain, Store(tmp_path / "state.sqlite", 31337), [(adapter, 0)])
        policy = Policy(profit_token=weth, routing=Routing(hubs=(weth, usdc)), patience=8)
        yield Desk(world, maker, rig, chain, indexer, PoolFeed(chain, book), policy)


def fall_next(desk: Desk) -> int:
    """2,000 dollars are known to come; when they may be poked in."""
    desk.world.rpc.send_all([desk.maker.price_tx("ETH-A", 2_000 * WAD)])
    desk.maker.hop("ETH-A")
    return int(desk.maker.ilks["ETH-A"].osm.call("zzz")) + HOP


async def barked(desk: Desk) -> Timestamp:
    """The urn at auction by the keeper's own doing; when it began."""
    due = fall_next(desk)
    await desk.block(due - desk.world.timestamp() - 2 * BLOCK)
    assert not desk.plans
    row = desk.row(urn_account(URN, "ETH-A"))
    told = desk.market.adapter.triggers(desk.market.book, row, Timestamp(desk.world.timestamp()))
    assert [(trigger.kind, trigger.at) for trigger in told] == [(TriggerKind.TIME, due)]
    await desk.block()
    (plan,) = desk.plans
    assert [leg.style for leg in plan.legs] == [Style.BOUNTY]
    assert desk.world.timestamp() == due, "in the first block in which the price may be poked in"
    return Timestamp(desk.maker.sale("ETH-A", 1)["tic"])


def as_promised(desk: Desk) -> None:
    """What every plan earned, before the bid that is paid out of it, is what it promised: to the wei.

    And the market's own logs tell of the same liquidations.
    """
    for plan, gain, told in zip(desk.plans, desk.gains, desk.told, strict=True):
        (leg,) = plan.legs
        assert (told.account, told.liquidator) == (leg.account, desk.rig.address)
        assert (told.collateral_asset, told.debt_asset) == (leg.collateral_asset, leg.debt_asset)
        assert (told.repaid, told.seized) == (leg.settlement.paid, leg.settlement.received)
        profit = plan.estimate.profit
        assert plan.estimate.net > 0
        assert profit >= plan.min_profit > 0
        assert gain == profit - profit * plan.bid_bps // BPS


async def test_an_auction_is_bought_from_in_the_first_block_that_pays(desk: Desk) -> None:
    began = await barked(desk)
    assert desk.maker.sale("ETH-A", 1)["top"] == 2_600 * RAY
    account = sale_account(desk.maker.ilks["ETH-A"].clip.address, 1)
    await desk.block()
    assert awaited(desk, account) == began + 2_436, "the first block after 27 steps, known from the start"
    while (now := desk.world.timestamp()) + BLOCK < began + 2_430 - BLOCK:
        packed = await desk.block(min(600, began + 2_430 - 2 * BLOCK - now))
        assert not packed.plans
        assert [skip.account for skip in packed.skips] == [account]
    while len(desk.plans) == 1:
        before = desk.world.timestamp()
        await desk.block()
    assert before < began + 2_430 <= desk.world.timestamp() < began + 2_430 + BLOCK
    plan = desk.plans[-1]
    assert [(leg.style, leg.account) for leg in plan.legs] == [(Style.CLIP, account)]
    assert plan.legs[0].settlement.paid == DEBT * 113 * WAD // 100
    assert desk.maker.sale("ETH-A", 1)["tab"] == 0, "all of it"
    as_promised(desk)
    assert desk.rig.left_over() == {}


def awaited(desk: Desk, account: Address) -> int:
    trigger = desk.pipeline.agenda.awaited[desk.market.adapter.market, account]
    assert trigger.kind is TriggerKind.AUCTION
    return trigger.at


async def test_with_rivals_who_always_waited_the_keeper_waits_to_the_best_moment(desk: Desk) -> None:
    """Nobody ever bought below 40 %: what is left after the tab of 18,984 grows to 7,372 dollars at step 59.

    A rival as quick as we are is always added: 19 of 20 parts of that, 7,003, are more than step 57 brings (6,850) and
    less than step 58 does (7,108). So it is bought in the first block of step 58.
    """
    desk.known_of(*(4_000,) * 19)
    began = await barked(desk)
    account = sale_account(desk.maker.ilks["ETH-A"].clip.address, 1)
    packed = await desk.block(began + 2_430 - desk.world.timestamp())
    (skip,) = packed.skips
    assert (skip.account, skip.reason) == (account, Reason.WAITING)
    while (now := desk.world.timestamp()) < began + 5_220 - 2 * BLOCK:
        packed = await desk.block(min(400, began + 5_220 - 2 * BLOCK - now))
        assert [skip.reason for skip in packed.skips] == [Reason.WAITING]
        assert account not in {name for _, name in desk.pipeline.agenda.awaited}
    while len(desk.plans) == 1:
        before = desk.world.timestamp()
        await desk.block()
    assert before < began + 5_220 <= desk.world.timestamp() < began + 5_220 + BLOCK
    as_promised(desk)


@pytest.mark.parametrize("margins", [(10,) * 19, (80,) * 32, (9_000,) * 7])
async def test_with_rivals_who_are_quick_or_hardly_known_it_is_bought_at_once(
    desk: Desk, margins: tuple[int, ...]
) -> None:
    desk.known_of(*margins)
    began = await barked(desk)
    await desk.block(began + 2_430 - 2 * BLOCK - desk.world.timestamp())
    assert len(desk.plans) == 1
    while len(desk.plans) == 1:
        before = desk.world.timestamp()
        await desk.block()
    assert before < began + 2_430 <= desk.world.timestamp() < began + 2_430 + BLOCK


async def test_what_rivals_do_is_learned_from_the_market_s_own_logs(desk: Desk) -> None:
    """At 1,982.09 a rival gets 90 basis points; the step after, 1,962.27, is 192. What we buy teaches nothing."""
    began = await barked(desk)
    desk.pipeline = desk.made(None)
    desk.world.fund(STRANGER)
    desk.world.rpc.send_all(desk.maker.rich_txs(STRANGER, "ETH-A", 40_000 * WAD))
    what = Offered(desk.market.adapter.market, desk.world.asset("WETH"))
    for seconds in (2_430, 2_520):
        await desk.block(began + seconds - BLOCK - desk.world.timestamp())
        desk.world.rpc.send_all([desk.maker.take_tx("ETH-A", 1, STRANGER, 2 * WAD)])
        await desk.indexer.advance()
    assert desk.lessons.rivals.ended == {what: (90, 192)}
    desk.pipeline = desk.made(desk)
    await desk.block()
    assert len(desk.plans) == 2
    await desk.block()
    assert desk.maker.sale("ETH-A", 1)["tab"] == 0
    assert desk.lessons.rivals.ended == {what: (90, 192)}


async def test_the_block_that_pays_is_told_anew_as_the_market_moves(desk: Desk) -> None:
    began = await barked(desk)
    account = sale_account(desk.maker.ilks["ETH-A"].clip.address, 1)
    await desk.block()
    first = awaited(desk, account)
    fall_of_pools(desk)
    await desk.block()
    moved = awaited(desk, account)
    assert first + 5 * 90 < moved < began + 8_280, "a tenth is ten steps"
    await desk.block(moved - desk.world.timestamp() - 2 * BLOCK)
    assert len(desk.plans) == 1, "not before"
    await desk.block()
    assert len(desk.plans) == 2
    assert desk.world.timestamp() == moved
    as_promised(desk)


def fall_of_pools(desk: Desk) -> None:
    """WETH is worth a tenth less in every pool."""
    world = desk.world
    world.set_price("WETH", world.price("WETH") * 9 // 10)
    world.align_pools()
    for symbol in ("DAI", "USDC"):
        pair = world.v2_pair(f"WETH/{symbol}")
        reserves, first = pair.call("getReserves"), pair.call("token0")
        stock = reserves[0 if first == world.asset("WETH") else 1]
        world.swap_v2(STRANGER, "WETH", symbol, stock * 541 // 10_000)  # the root of ten ninths


async def test_an_auction_that_grew_too_old_is_reset_and_bought_later(desk: Desk) -> None:
    began = await barked(desk)
    await desk.indexer.advance()
    clip = desk.maker.ilks["ETH-A"].clip
    desk.world.advance(began + 8_280 - 3 * BLOCK - desk.world.timestamp())  # nobody looks for hours
    desk.maker.file(clip, "stopped", 3)  # nor may anybody buy
    packed = await desk.block(began + 8_280 - 2 * BLOCK - desk.world.timestamp())
    assert [skip.reason.value for skip in packed.skips] == ["reserve.paused"]
    desk.maker.file(clip, "stopped", 0)
    await desk.block(BLOCK)
    again = desk.maker.sale("ETH-A", 1)
    assert (again["tic"], again["top"]) == (desk.world.timestamp(), 2_600 * RAY)
    assert again["tic"] in range(began + 8_280, began + 8_280 + 2 * BLOCK)
    assert [leg.style for leg in desk.plans[-1].legs] == [Style.BOUNTY]
    await desk.block(2_430 - BLOCK)
    assert [leg.style for leg in desk.plans[-1].legs] == [Style.CLIP]
    assert desk.world.timestamp() == again["tic"] + 2_430
    as_promised(desk)


async def test_a_rival_who_was_first_is_noticed_before_anything_is_done(desk: Desk) -> None:
    began = await barked(desk)
    await desk.block(2_430 - 3 * BLOCK)
    desk.world.advance(began + 2_430 - desk.world.timestamp())
    await desk.indexer.advance()
    await desk.feed.advance(desk.indexer.store.tail())
    desk.pipeline = desk.made(None)
    packed = await desk.pipeline.on_block(await desk.chain.head())
    (plan,) = packed.plans
    desk.world.fund(STRANGER)
    desk.world.rpc.send_all([
        *desk.maker.rich_txs(STRANGER, "ETH-A", 20_000 * WAD), desk.maker.take_tx("ETH-A", 1, STRANGER, 4 * WAD)
    ])  # fmt: skip
    assert desk.rig.refusal(plan).name == "Gone"


async def test_no_more_than_the_market_lets_its_auctions_ask_for(desk: Desk) -> None:
    """A full market is a reason; with a little room a part is barked at, and the rest is not unsafe any less."""
    desk.maker.file(desk.maker.dog, "ETH-A", "hole", 0)
    due = fall_next(desk)
    packed = await desk.block(due - desk.world.timestamp())
    assert [skip.reason.value for skip in packed.skips] == ["market.full"]
    desk.maker.file(desk.maker.dog, "ETH-A", "hole", 9_000 * RAD)
    await desk.block()
    assert desk.maker.sale("ETH-A", 1)["tab"] // RAD == 8_999
    assert 0 < desk.maker.urn("ETH-A", URN)[1] < DEBT * WAD
    as_promised(desk)


async def test_several_urns_in_one_transaction(desk: Desk) -> None:
    """Each leg says whatever it needs; what the first has poked in is not in the way of the second."""
    others = [Address(f"0x{number:040x}") for number in range(0xC0DE00, 0xC0DE03)]
    for urn in others:
        desk.maker.open("ETH-A", urn, 10 * WAD, DEBT * WAD)
    due = fall_next(desk)
    await desk.block(due - desk.world.timestamp() - BLOCK)
    (plan,) = desk.plans
    assert len(plan.legs) == 4
    assert not any(desk.maker.urn("ETH-A", urn)[1] for urn in (URN, *others)), "all of them"
    assert len(desk.told) == 4
    profit = plan.estimate.profit
    assert desk.gains == [profit - profit * plan.bid_bps // BPS]
