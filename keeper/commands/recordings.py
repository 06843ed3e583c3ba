"""Walking a range of blocks, recorded or being recorded: books, pools and decisions, one block after another.

Law: recording is walking with a chain that notes what it is asked; replaying is the same walk on the notes. What the
one did not ask the other cannot ask either.
"""

import contextlib
import shutil
import sqlite3
import tempfile
from collections.abc import AsyncGenerator, AsyncIterator, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from keeper.books import Desk, damage, endpoints, markets, require_chain, require_markets, state_at, state_file
from keeper.chain.retry import Patience
from keeper.commands.scenes import Scene, chosen, feed_of
from keeper.core.units import Address, BlockNumber
from keeper.daemon import policy
from keeper.errors import BlockUnknown, ConfigError
from keeper.estimator.pack import Packed
from keeper.indexer.indexer import Indexer
from keeper.indexer.pinned import PinnedChain
from keeper.indexer.pools import PoolFeed
from keeper.indexer.progress import Report
from keeper.pipeline import Pipeline
from keeper.reports.missed import Seen
from keeper.settings import Settings
from keeper.store.recording import STATE, Recorded, Recording, Tape, load
from keeper.store.store import Store


@dataclass(frozen=True, slots=True)
class Step:
    """One block of a walk."""

    desk: Desk
    feed: PoolFeed | None
    packed: Packed | None  # what is decided for the block after it


class Standing(PinnedChain):
    """A chain whose head is wherever it is told to stand."""

    async def stand(self, number: int) -> None:
        """Move the head."""
        block = await self._chain.block(number)
        if block is None:
            raise BlockUnknown(f"there is no block {number}", transient=True)
        self._block = block


class Replayed(Recorded):
    """A recording that is stood at."""

    async def stand(self, number: int) -> None:
        """Move the head."""
        self.at = number


async def walk(
    settings: Settings, chain: Standing | Replayed, store: Store, blocks: Sequence[int], *, decide: bool
) -> AsyncIterator[Step]:
    """Books, pools and plans at each block."""
    indexer: Indexer | None = None
    feed: PoolFeed | None = None
    pipeline: Pipeline | None = None
    for number in blocks:
        await chain.stand(number)
        if indexer is None:
            indexer = Indexer(chain, store, markets(settings))
        block = await indexer.advance()
        if block.number != number or indexer.reorgs:
            raise BlockUnknown(f"block {number} was replaced while it was read: begin again", transient=True)
        at = Desk(chain, indexer, block)
        if settings.venues:
            feed = feed or feed_of(settings, at)
            await feed.advance(indexer.tail)
        packed = None
        if decide and feed is not None and block.gas_limit:
            pipeline = pipeline or _decider(settings, indexer, feed)
            packed = await pipeline.on_block(block)
        yield Step(at, feed, packed)


def _decider(settings: Settings, indexer: Indexer, feed: PoolFeed) -> Pipeline:
    """Decisions as the daemon takes them, sent to nobody."""
    return Pipeline(
        markets=lambda: indexer.markets,
        liquidity=lambda: feed.book.liquidity,
        policy=policy(settings),
        sender=None,
        block_time=settings.chain.block_time,
    )


# recordings ----------------------------------------------------------------------------------------------------------


@contextlib.asynccontextmanager
async def recorded_scene(settings: Settings, folder: Path, at: int | None, market: str | None) -> AsyncIterator[Scene]:
    """What reports look at, at a block of a recording: nothing but its files is asked."""
    async with opened(settings, folder) as (chain, store):
        tape, last = chain.tape, None
        async for step in walk(settings, chain, store, range(tape.first, within(tape, at) + 1), decide=False):
            last = step
        if last is None:
            raise ConfigError(f"{folder} holds no block")
        liquidity = last.feed.book.liquidity if last.feed else None
        yield Scene(settings, last.desk, chosen(last.desk.indexer.markets, market), tape.names, liquidity, tape.first)


@contextlib.asynccontextmanager
async def opened(settings: Settings, folder: Path) -> AsyncIterator[tuple[Replayed, Store]]:
    """A recording and a copy of its books, thrown away later."""
    tape = load(folder, settings.chain.id)
    with tempfile.TemporaryDirectory(prefix="keeper-") as name:
        path = Path(name) / STATE
        try:
            shutil.copyfile(folder / STATE, path)
        except OSError as error:
            raise ConfigError(f"{folder} is not a recording: {error}") from error
        with (
            damage(folder / STATE),
            contextlib.closing(Store(path, settings.chain.id, settings.store.undo_blocks)) as store,
        ):
            yield Replayed(tape, tape.first), store


def within(tape: Tape, at: int | None) -> int:
    """The block that is asked for, which the recording must have."""
    number = tape.last if at is None else at
    if not tape.first <= number <= tape.last:
        raise ConfigError(f"--block {number}: the recording has blocks {tape.first} to {tape.last}")
    return number


async def recorded(
    settings: Settings, first: int, last: int, report: Report
) -> AsyncGenerator[tuple[Tape, Step, Path], None]:
    """Walk a range of the chain and note all of it. The path is that of the books at the first block.

    Whoever walks closes it, or endpoints stay open when he stumbles.
    """
    tape = Tape(settings.chain.id, first, last)
    async with endpoints(settings, Patience(total=settings.chain.timeout)) as pool:
        await require_chain(pool, settings.chain.id)
        start = await PinnedChain.at(pool, first)
        await PinnedChain.at(pool, last)
        with state_at(first), state_file(settings.store.path, copy=True) as path, damage(settings.store.path):
            await require_markets(start, settings, markets(settings))
            with contextlib.closing(Store(path, settings.chain.id, settings.store.undo_blocks)) as store:
                before = Indexer(start, store, markets(settings), report=report)
                before.rewind(first)
                await before.advance()
            copy = path.with_name("first.sqlite")
            _backup(path, copy)
            with contextlib.closing(Store(path, settings.chain.id, settings.store.undo_blocks)) as store:
                chain = await Standing.at(Recording(pool, tape), first)
                async for step in walk(settings, chain, store, range(first, last + 1), decide=True):
                    yield tape, step, copy


def _backup(path: Path, copy: Path) -> None:
    with contextlib.closing(sqlite3.connect(path)) as source, contextlib.closing(sqlite3.connect(copy)) as target:
        source.backup(target)
        target.execute("PRAGMA journal_mode=DELETE")


# what a block holds --------------------------------------------------------------------------------------------------


async def liquidations(at: Desk) -> list[Seen]:
    """Every liquidation of the block that the desk stands at."""
    found: list[Seen] = []
    for market in at.indexer.markets:
        logs = await at.chain.logs_at(at.block.hash, market.adapter.sources(market.book))
        found += [
            Seen(what, at.block.hash, market.adapter.name, market.adapter.market)
            for what in market.adapter.outcomes(market.book, logs)
        ]
    return found


def price_rows(at: Desk, names: Mapping[Address, str]) -> Iterator[dict[str, object]]:
    """What each market's oracle says."""
    for market in at.indexer.markets:
        for asset, valued in market.adapter.assets(market.book).items():
            yield {
                "block": at.block.number, "protocol": market.adapter.name, "market": market.adapter.market,
                "asset": asset, "symbol": names.get(asset, ""), "price": str(valued.price), "unit": str(valued.unit),
            }  # fmt: skip


def pool_rows(block: BlockNumber, feed: PoolFeed) -> Iterator[dict[str, object]]:
    """Depth and price of every pool, both ways."""
    for pool in feed.book.liquidity.pools.values():
        for sold, bought in ((pool.token0, pool.token1), (pool.token1, pool.token0)):
            depth, price = pool.depth(sold), pool.price(sold)
            yield {
                "block": block, "pool": pool.address, "kind": pool.kind.name.lower(), "sold": sold, "bought": bought,
                "fee": pool.fee, "reserve_in": str(depth.reserve_in >> 96), "reserve_out": str(depth.reserve_out >> 96),
                "capacity": str(depth.capacity), "price": None if price is None else price[0] / price[1],
            }  # fmt: skip


def liquidation_rows(found: Sequence[Seen]) -> Iterator[dict[str, object]]:
    """Liquidations as rows."""
    for seen in found:
        what = seen.what
        yield {
            "block": what.block, "block_hash": seen.hash, "tx": what.tx, "protocol": seen.protocol,
            "market": seen.market, "account": what.account, "collateral_asset": what.collateral_asset,
            "debt_asset": what.debt_asset, "repaid": str(what.repaid), "seized": str(what.seized),
            "liquidator": what.liquidator,
        }  # fmt: skip
