"""Who may be liquidatable: a screen for each market, kept at its book.

Story, a market a block: ``follow`` what moved, weigh, ask the watch lists, confirm whom they name; after the decisions
``tend``: swap in lists that were made meanwhile, begin worn ones anew in a thread, and tell who came near.

Laws
- Nobody below 1 is missed, whatever happened to the book since the last block: which rows moved is the book's own
  word, about everything that was applied, undone, surveyed or repaired; without it the whole book is read again.
- A step that fails leaves nothing half followed: the next one reads the whole book.
- On the loop no more is done at a time than one slice takes. At most one set of lists of a market is being made.
"""

import asyncio
from collections.abc import Collection, Iterator, Sequence
from itertools import islice
from typing import Final

import numpy as np
from numpy.typing import NDArray

from keeper.core.book import Book
from keeper.core.ports import Adapter, Quarantine
from keeper.core.units import WAD, Timestamp
from keeper.indexer.market import Market
from keeper.log import get_logger
from keeper.screen.columns import Table
from keeper.screen.kernels import Rows
from keeper.screen.screen import Screen
from keeper.screen.watch import Copy, Watch

AT_RISK: Final = 105 * WAD // 100  # who is below is watched
SLICE: Final = 500  # accounts confirmed before the loop gets a turn
LOOKS: Final = 100  # accounts asked for their health a block, of those that moved and of those without a line
TOLD: Final = 20  # lines about accounts at risk in one block

log = get_logger()


class Lookout:
    """All markets' posts. A market whose book was rebuilt gets another post."""

    def __init__(self) -> None:
        self._posts: dict[int, Post] = {}

    def post(self, market: Market) -> "Post":
        """Who looks at this market."""
        post = self._posts.get(market.id)
        if post is None or post.book is not market.book:
            post = self._posts[market.id] = Post(market.adapter, market.book)
        return post


class Post:
    """The screen of one market, and who is known to be near 1."""

    def __init__(self, adapter: Adapter, book: Book) -> None:
        self.adapter, self.book = adapter, book
        self.screen = Screen(adapter)
        self._followed = False
        self._making: asyncio.Future[tuple[Watch, Rows]] | None = None
        self.now: Table | None = None  # weights of the block that was looked at last
        self.at = Timestamp(0)  # its time
        self.found: frozenset[int] = frozenset()  # who was below 1 in it
        self.moved: Collection[int] | None = None  # rows that changed before it; any may have
        self._near: NDArray[np.bool_] = np.zeros(0, np.bool_)  # by row: it was told to be at risk, or is on the lists
        self._turn = 0  # whose turn it is among those without a line

    # who -----------------------------------------------------------------------------------------------------------

    async def below(self, at: Timestamp) -> list[int]:
        """Every account below 1 in a block with that timestamp, exactly."""
        await self.follow()
        self.now, self.at = self.screen.weigh(self.book, at), at
        suspects = self.screen.flagged(self.now).tolist()
        found: list[int] = []
        for start in range(0, len(suspects), SLICE):
            if start:
                await asyncio.sleep(0)
            found += self.adapter.liquidatable(self.book, suspects[start : start + SLICE], at)
        self.found = frozenset(found)
        return found

    async def follow(self) -> None:
        """Be the screen of the book as it is now."""
        rows, followed = self.book.moved(), self._followed
        self._followed, self.moved = False, None
        if rows is None or not followed:
            await self._load()
        else:
            self.screen.touch(self.book, rows)
            self.moved = rows
        self._followed = True

    async def _load(self) -> None:
        """The book is read at once; putting its lines in order takes longer, and is a thread's work."""
        screen, making = Screen(self.adapter), self._making
        self._making = None
        if making is not None:
            making.cancel()
        await asyncio.to_thread(screen.fill, self.adapter.lines(self.book), len(self.book))
        self.screen = screen
        self.screen.touch(self.book, self.book.moved() or ())

    # after the decisions -------------------------------------------------------------------------------------------

    def tend(self, at: Timestamp) -> None:
        """Keep the lists fresh, and tell who came near 1. The book is still as it was at ``below``."""
        came = self._adopt()
        if self._making is None and self.now is not None and self.screen.due(self.now):
            self._making = asyncio.get_running_loop().run_in_executor(None, _make, self.screen.prepare(self.now))
        self._tell(came, at)

    async def made(self) -> None:
        """Wait for lists that are being made."""
        if self._making is not None:
            await asyncio.wait([self._making])

    def _adopt(self) -> Sequence[int]:
        """Swap in lists that are made; who is on them and was not known to be near."""
        if self._making is None or not self._making.done():
            return ()
        making, self._making = self._making, None
        watch, members = making.result()
        if not self.screen.adopt(watch):
            return ()
        members = members[members < len(self.book)]
        before = self._near
        self._near = np.zeros(len(self.book), np.bool_)
        self._near[members] = True
        for row in self.screen.unclear:
            self._near[row : row + 1] = before[row : row + 1]
        came: list[int] = members[~np.pad(before, (0, max(0, len(self.book) - len(before))))[members]].tolist()
        return came

    def _tell(self, came: Sequence[int], at: Timestamp) -> None:
        """A line about each account that came near, up to a number; the last one says how many are not told."""
        for told, (row, factor) in enumerate(islice(self._approaching(came, at), TOLD), start=1):
            others = {"others": len(came) - told} if told == TOLD and len(came) > told else {}
            log.info(
                "account.at_risk", protocol=self.adapter.name, market=self.adapter.market,
                account=self.book.account(row), health_factor=factor, **others,
            )  # fmt: skip

    def _approaching(self, came: Sequence[int], at: Timestamp) -> Iterator[tuple[int, int]]:
        """Accounts that are near 1 now and were not, with their health: of new lists, and of those that have to ask."""
        for row in islice(came, LOOKS):
            if (factor := self._factor(row, at)) is not None and WAD <= factor < AT_RISK:
                yield row, factor
        for row in [*islice(self.moved or (), LOOKS), *self._without_line()]:
            factor = self._factor(row, at)
            if factor is None:
                continue
            before, self._near[row] = self._near[row], WAD <= factor < AT_RISK
            if self._near[row] and not before:
                yield row, factor

    def _factor(self, row: int, at: Timestamp) -> int | None:
        """The health of an account that is there and has one."""
        if row >= len(self.book):
            return None
        if row >= len(self._near):
            self._near = np.pad(self._near, (0, len(self.book) + len(self.book) // 8 - len(self._near)))
        health = self.adapter.health(self.book, row, at)
        return None if isinstance(health, Quarantine) else health.health_factor

    def _without_line(self) -> Sequence[int]:
        """Those whose turn it is."""
        rows = self.screen.unclear
        start, self._turn = self._turn, self._turn + LOOKS if self._turn + LOOKS < len(rows) else 0
        return rows[start : start + LOOKS]


def _make(copy: Copy) -> tuple[Watch, Rows]:
    """In a thread: the lists, and everybody on them."""
    watch = copy.watch()
    return watch, watch.members()
