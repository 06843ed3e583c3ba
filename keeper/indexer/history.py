"""History in bulk: from a market's first block up to one that will not be reorganised away.

Laws
- Only accounts are taken from history; facts are read whole at the head afterwards (the survey), so an ordinary full
  node without old state is enough.
- Each stretch is one transaction: killed anywhere, the backfill goes on where it was.
"""

import contextlib
import gc
import time
from collections.abc import Iterator
from typing import Final

from keeper.core.events import Block, Log
from keeper.core.ports import Chain
from keeper.indexer.inquire import inquire
from keeper.indexer.market import Market
from keeper.indexer.progress import Report, Stretch
from keeper.store.store import Store

LOGS_A_STRETCH: Final = 20_000  # aimed at: a transaction of well under a second
FIRST_STRETCH: Final = 1_000
MAX_STRETCH: Final = 100_000


async def backfill(chain: Chain, store: Store, market: Market, upto: int, head: Block, report: Report) -> None:
    """Bring a market's accounts to block ``upto``."""
    await _open(chain, store, market, head)
    stretch, begin, started = FIRST_STRETCH, market.block + 1, time.monotonic()
    while market.block < upto:
        first = market.block + 1
        last = min(first + stretch - 1, upto)
        logs = await gather_logs(chain, market, first, last, head)
        with collector_paused():
            market.adapter.apply(market.book, logs, None)
        store.commit_bulk(market.id, last, market.book, market.book.take_changes())
        market.block = last
        stretch = _next_stretch(stretch, len(logs))
        elapsed = time.monotonic() - started
        report(Stretch(market.adapter.market, begin, last, upto, len(logs), len(market.book), elapsed))


@contextlib.contextmanager
def collector_paused() -> Iterator[None]:
    """Many small records that all stay make the cyclic collector run for nothing: half of ingestion's time."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


async def _open(chain: Chain, store: Store, market: Market, head: Block) -> None:
    if not market.opened:
        await inquire(chain, market.adapter.open(market.book), head, market.from_block)
        store.commit_bulk(market.id, market.block, market.book, market.book.take_changes())
        market.opened = True


async def gather_logs(chain: Chain, market: Market, first: int, last: int, at: Block) -> list[Log]:
    """All logs of the market in a range, also of contracts that the range itself brings to light."""
    known = market.adapter.sources(market.book)
    logs = await chain.logs(known, first, last)
    while True:
        await inquire(chain, market.adapter.prepare(market.book, logs), at, market.from_block)
        found = market.adapter.sources(market.book) - known
        if not found:
            return logs
        known |= found
        logs = sorted([*logs, *await chain.logs(found, first, last)], key=lambda entry: (entry.block, entry.index))


def _next_stretch(stretch: int, logs: int) -> int:
    """Grow while stretches are thin, shrink when they are thick."""
    if logs * 2 < LOGS_A_STRETCH:
        return min(stretch * 2, MAX_STRETCH)
    return max(stretch // 2, 1) if logs > LOGS_A_STRETCH * 2 else stretch
