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
import contextlib
import os
import threading
import time
from collections.abc import Collection, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Final

from keeper.core.book import Book
from keeper.core.ports import Adapter
from keeper.core.units import Timestamp
from keeper.indexer.market import Market
from keeper.nearby import Lists, Nearby, make_lists
from keeper.screen.columns import Table
from keeper.screen.screen import Screen

SLICE: Final = 500  # accounts confirmed before the loop gets a turn
MODEST: Final = 10  # how nice the thread is that makes lists


def _modest() -> None:
    """Lists can wait: whoever has something to do goes first. Where threads have no priority of their own, so be it."""
    with contextlib.suppress(OSError):
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), MODEST)


LISTS: Final = ThreadPoolExecutor(1, thread_name_prefix="watch lists", initializer=_modest)


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
        self._making: Future[Lists] | None = None  # asked for at each block: the loop is not woken for it
        self.now: Table | None = None  # weights of the block that was looked at last
        self.at = Timestamp(0)  # its time
        self.found: frozenset[int] = frozenset()  # who was below 1 in it
        self.steps: Mapping[str, float] = {}  # seconds that looking took
        self.moved: Collection[int] | None = None  # rows that changed before it; any may have
        self._nearby = Nearby(adapter, book)

    # who -----------------------------------------------------------------------------------------------------------

    async def below(self, at: Timestamp) -> list[int]:
        """Every account below 1 in a block with that timestamp, exactly."""
        started = time.perf_counter()
        await self.follow()
        followed = time.perf_counter()
        self.now, self.at = self.screen.weigh(self.book, at), at
        suspects = self.screen.flagged(self.now).tolist()
        screened = time.perf_counter()
        found: list[int] = []
        for start in range(0, len(suspects), SLICE):
            if start:
                await asyncio.sleep(0)
            found += self.adapter.liquidatable(self.book, suspects[start : start + SLICE], at)
        self.found = frozenset(found)
        confirmed = time.perf_counter()
        self.steps = {
            "follow": followed - started, "screen": screened - followed, "confirm": confirmed - screened,
        }  # fmt: skip
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
        came, total = self._adopt()
        if self._making is None and self.now is not None and self.screen.due(self.now):
            copy = self.screen.prepare(self.now)
            self._making = LISTS.submit(make_lists, copy, self._nearby.near, self._nearby.room())
        self._nearby.tell(came, total, self.moved or (), self.screen.unclear, at)

    async def made(self) -> None:
        """Wait for lists that are being made."""
        if self._making is not None:
            await asyncio.wait([asyncio.wrap_future(self._making)])

    def _adopt(self) -> tuple[Sequence[int], int]:
        """Swap in lists that are made; who is new on them, and how many."""
        if self._making is None or not self._making.done():
            return (), 0
        making, self._making = self._making, None
        lists = making.result()
        if not self.screen.adopt(lists.watch):
            return (), 0
        return self._nearby.swap(lists, self.screen.unclear), lists.total
