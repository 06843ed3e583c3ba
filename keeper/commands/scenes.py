"""What reports look at: the configured markets at one block, with names of their tokens and the pools beside them.

Law: books and pools are of the same block. Pools are read only for reports that sell something.
"""

import contextlib
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass

from keeper.books import Desk, desk
from keeper.commands.amounts import symbols
from keeper.core.units import Address
from keeper.core.venues import Liquidity
from keeper.errors import ConfigError
from keeper.indexer.market import Market
from keeper.indexer.pools import PoolFeed
from keeper.indexer.progress import Report
from keeper.reports.snapshot import Snapshot
from keeper.settings import Settings
from keeper.venues.book import VenueBook
from keeper.venues.registry import VENUES


@dataclass(frozen=True, slots=True)
class Scene:
    """Everything a report may look at."""

    settings: Settings
    desk: Desk
    markets: Sequence[Market]  # those asked for
    names: dict[Address, str]
    liquidity: Liquidity | None
    start: int | None = None  # where what can be looked at begins; a chain has no such block

    @property
    def native(self) -> Address | None:
        """The wrapped native token, where it is configured."""
        found = self.settings.chain.wrapped_native
        return None if found is None else Address(found)

    def snapshots(self) -> list[Snapshot]:
        """Each market as reports see it."""
        return [self.snapshot(market) for market in self.markets]

    def snapshot(self, market: Market) -> Snapshot:
        """One of them."""
        block = self.desk.block
        snap = Snapshot.of(market.adapter, market.book, block.number, block.timestamp, self.settings.chain.id)
        return snap.beside(self.liquidity, self.names, self.native)


@contextlib.asynccontextmanager
async def scene(
    settings: Settings, at: int | None, market: str | None, report: Report, *, pools: bool
) -> AsyncIterator[Scene]:
    """The markets at the head or at a block."""
    async with desk(settings, at, report) as found:
        markets = chosen(found.indexer.markets, market)
        assets = sorted({asset for one in markets for asset in one.adapter.assets(one.book)})
        names = await symbols(found.chain, found.block, assets)
        liquidity = None
        if pools and settings.venues:
            feed = feed_of(settings, found)
            await feed.advance(found.indexer.tail)
            liquidity = feed.book.liquidity
        yield Scene(settings, found, markets, names, liquidity)


def chosen(markets: Sequence[Market], address: str | None) -> list[Market]:
    """The market that is asked for, or all."""
    hits = [one for one in markets if address is None or one.adapter.market == address.lower()]
    if not hits:
        there = ", ".join(one.adapter.market for one in markets)
        raise ConfigError(f"--market {address}: not configured; there are {there}")
    return hits


def feed_of(settings: Settings, found: Desk) -> PoolFeed:
    """Pools of all assets of all markets."""
    tokens = [asset for market in found.indexer.markets for asset in market.adapter.assets(market.book)]
    problems = [
        f"{settings.place('venues', i, 'kind')} = {one.kind!r}: not known; one of: {', '.join(VENUES)}"
        for i, one in enumerate(settings.venues)
        if one.kind not in VENUES
    ]
    if problems:
        raise ConfigError(*problems)
    venues = [VENUES[one.kind](Address(one.address)) for one in settings.venues]
    return PoolFeed(found.chain, VenueBook(venues, tokens))
