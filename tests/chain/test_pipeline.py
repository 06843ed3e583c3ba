"""From a crash on chain to plans: the whole decision on real protocols, without an executor."""

from collections.abc import Sequence
from pathlib import Path

from keeper.chain import Pool
from keeper.core.events import Block
from keeper.core.plans import Plan
from keeper.core.units import WAD, Timestamp
from keeper.core.venues import Venue
from keeper.devnet.world import World
from keeper.estimator.world import Policy
from keeper.indexer.indexer import Indexer
from keeper.indexer.pools import PoolFeed
from keeper.pipeline import Pipeline
from keeper.protocols.aave_v3.adapter import AaveV3
from keeper.store.store import Store
from keeper.venues.book import VenueBook
from keeper.venues.route.search import Routing
from keeper.venues.uniswap_v2.venue import UniswapV2
from keeper.venues.uniswap_v3.venue import UniswapV3


class Recorder:
    """A sender that keeps what it is given."""

    def __init__(self) -> None:
        self.plans: list[Plan] = []

    async def submit(self, plans: Sequence[Plan], head: Block) -> None:
        assert all(plan.block == head.number + 1 for plan in plans)
        self.plans += plans


async def test_every_liquidatable_account_is_planned_or_refused_with_a_reason(
    any_world: World, tmp_path: Path, seed: int
) -> None:
    world = any_world
    world.borrowers(60, seed)
    layout = world.layout
    weth, usdc = layout.tokens["WETH"].address, layout.tokens["USDC"].address
    venues: list[Venue] = [UniswapV3(layout.uniswap.v3_factory), UniswapV2(layout.uniswap.v2_factory)]
    book = VenueBook(venues, [token.address for token in layout.tokens.values()])
    recorder = Recorder()
    async with Pool([world.anvil.url]) as chain:
        indexer = Indexer(chain, Store(tmp_path / "s", 31337), [(AaveV3(layout.aave.provider), 0)])
        feed = PoolFeed(chain, book)
        pipeline = Pipeline(
            markets=lambda: indexer.markets,
            liquidity=lambda: book.liquidity,
            policy=Policy(profit_token=weth, routing=Routing(hubs=(weth, usdc))),
            sender=recorder,
            block_time=12,
        )
        head = await indexer.advance()
        await feed.advance(indexer.store.tail())
        quiet = await pipeline.on_block(head)
        assert not quiet.plans
        for symbol in ("WETH", "WBTC", "LINK", "WSTETH"):
            world.set_price(symbol, world.price(symbol) * 70 // 100)
        world.align_pools()
        head = await indexer.advance()
        await feed.advance(indexer.store.tail())
        packed = await pipeline.on_block(head)
        market = indexer.markets[0]
        weak = {
            market.book.account(row)
            for row in range(len(market.book))
            if market.adapter.health(market.book, row, Timestamp(head.timestamp + 12)).health_factor < WAD  # type: ignore[union-attr]
        }
        planned = {leg.account for plan in packed.plans for leg in plan.legs}
        refused = {skip.account for skip in packed.skips}
        assert len(weak) >= 10
        assert planned | refused == weak
        assert not planned & refused
        assert len(planned) >= len(weak) // 2
        assert recorder.plans == list(packed.plans)
        assert all(plan.estimate.net > 0 for plan in packed.plans)
        assert set(pipeline.watch.skips) == {(market.adapter.market, account) for account in refused}
