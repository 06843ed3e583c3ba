"""Many accounts fall in one block: the whole decision, the whole way out, and what is on chain right after."""

from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from keeper.core.units import BPS, Address, Bps
from keeper.core.venues import Venue
from keeper.devnet.layout import USD
from keeper.devnet.world import World
from keeper.estimator.lessons import Lessons
from keeper.estimator.world import Policy
from keeper.executor.attempt import Attempt
from keeper.indexer.indexer import Indexer
from keeper.indexer.pools import PoolFeed
from keeper.pipeline import Known, Pipeline
from keeper.protocols.aave_v3.adapter import AaveV3
from keeper.store.store import Store
from keeper.venues.book import VenueBook
from keeper.venues.route.search import Routing
from keeper.venues.uniswap_v2.venue import UniswapV2
from keeper.venues.uniswap_v3.venue import UniswapV3
from tests.chain.executor_stage import ANVIL, CHAIN, Play, Stage, playing, relaying


class Learned:
    """Knows what gas plans took in simulations."""

    lessons = Lessons()

    def known(self) -> Known:
        return Known(lessons=self.lessons)

    def simulated(self, attempts: Iterable[Attempt]) -> None:
        for one in attempts:
            if one.plan and one.gas:
                self.lessons = self.lessons.used(one.plan, one.gas)


@dataclass
class Keeper:
    """Books, pools, decisions and executor, block by block as the daemon runs them."""

    play: Play
    indexer: Indexer
    feed: PoolFeed
    pipeline: Pipeline
    learned: Learned

    async def block(self) -> int:
        """Everything that follows from the head, and the next block; how many transactions of ours are in it."""
        head = await self.indexer.advance()
        await self.feed.advance(self.indexer.store.tail())
        await self.play.executor.on_head(head)
        packed = await self.pipeline.on_block(head)
        self.learned.simulated(await self.play.executor.submit(packed.plans, head))
        return len((await self.play.slot()).tx_hashes)


@asynccontextmanager
async def keeping(stage: Stage, seed: int, state: Path) -> AsyncIterator[Keeper]:
    layout = stage.world.layout
    weth, usdc = layout.tokens["WETH"].address, layout.tokens["USDC"].address
    venues: list[Venue] = [UniswapV3(layout.uniswap.v3_factory), UniswapV2(layout.uniswap.v2_factory)]
    async with relaying(stage, seed) as relay, playing(stage, relay, state, total=10.0) as play:
        store = Store(state, CHAIN)
        indexer = Indexer(play.pool, store, [(AaveV3(layout.aave.provider), 0)])
        feed = PoolFeed(play.pool, VenueBook(venues, [token.address for token in layout.tokens.values()]))
        learned = Learned()
        pipeline = Pipeline(
            markets=lambda: indexer.markets,
            liquidity=lambda: feed.book.liquidity,
            policy=Policy(profit_token=weth, routing=Routing(hubs=(weth, usdc)), block_gas=Bps(3 * BPS)),
            known=learned.known,
            sender=None,
            block_time=12,
        )
        yield Keeper(play, indexer, feed, pipeline, learned)
        store.close()


def check(stage: Stage, play: Play, before: int) -> None:
    """Nothing reverted, nothing public, nothing twice, and the ledger is the balances."""
    receipts = stage.receipts()
    assert {one["status"] for one in receipts.values()} == {"0x1"}
    assert play.relay.public.sent_by(stage.eoas) == ()
    lines = play.journal.lines()
    assert sorted(line.tx for line in lines) == sorted(receipts)
    assert len({line.opportunity for line in lines}) == len(lines)
    assert stage.wealth() - before == play.executor.total > 0


def crowd(stage: Stage, count: int, owed: int = 1_599) -> list[Address]:
    return [stage.rig.borrower(supplied=1, owed=owed) for _ in range(count)]


async def test_fifty_plans_through_fifty_accounts(make_world: Callable[..., World], tmp_path: Path, seed: int) -> None:
    """Each its own transaction, its own account, its own nonce, all at once."""
    stage = Stage.build(make_world("3.0.2", **ANVIL), signers=50)
    accounts = crowd(stage, 50)
    stage.rig.fall()
    before = stage.wealth()
    async with (
        relaying(stage, seed, kinds=("flashbots", "titan")) as relay,
        playing(stage, relay, tmp_path / "s", total=10.0) as play,
    ):
        attempts = await play.submit(*(stage.plan(account) for account in accounts))
        assert [attempt.refusal for attempt in attempts] == [None] * 50
        slots = [await play.slot() for _ in range(2)]
        assert [len(slot.tx_hashes) for slot in slots] == [50, 0]
        assert stage.fallen(accounts) == []
        check(stage, play, before)


async def test_fifty_accounts_through_the_whole_pipeline(
    make_world: Callable[..., World], tmp_path: Path, seed: int
) -> None:
    """As few transactions as it takes; decided, packed, signed and landed as the daemon would."""
    stage = Stage.build(make_world("3.0.2", **ANVIL), signers=8)
    accounts = crowd(stage, 50)
    async with keeping(stage, seed, tmp_path / "s") as keeper:
        stage.rig.fall()
        before = stage.wealth()
        sizes = [await keeper.block() for _ in range(2)]
        assert 0 < sum(sizes) < 10
        assert stage.fallen(accounts) == []
        check(stage, keeper.play, before)


@pytest.mark.slow
async def test_five_hundred_accounts_in_a_few_blocks(
    make_world: Callable[..., World], tmp_path: Path, seed: int
) -> None:
    """Full block after full block, with nobody liquidated twice and nothing reverted, until nobody is left."""
    stage = Stage.build(make_world("3.0.2", **ANVIL), signers=16)
    first = crowd(stage, 18)
    accounts = crowd(stage, 500, owed=1_575)
    async with keeping(stage, seed, tmp_path / "s") as keeper:
        before = stage.wealth()
        stage.rig.fall(1_920 * USD)
        assert await keeper.block() == 2  # a few fall before the others: now the gas of one and of many is known
        assert stage.fallen([*first, *accounts]) == []
        stage.rig.fall()
        filled: list[float] = []
        while stage.fallen(accounts) and len(filled) < 6:
            await keeper.block()
            block = stage.world.rpc.rpc("eth_getBlockByNumber", "latest", False)
            filled.append(int(block["gasUsed"], 16) / int(block["gasLimit"], 16))
        assert stage.fallen(accounts) == []
        assert all(share >= 0.9 for share in filled[:-1]), filled
        check(stage, keeper.play, before)
