"""Who came near 1: told once, when he is first seen there.

Law: near is an account that is on the watch lists, or whose own health was seen below ``AT_RISK``. What is counted in
great numbers is counted in a thread; on the loop no more is looked at in one block than ``LOOKS`` says.
"""

from collections.abc import Collection, Iterator, Sequence
from itertools import islice
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from keeper.core.book import Book
from keeper.core.ports import Adapter, Quarantine
from keeper.core.units import WAD, Timestamp
from keeper.log import get_logger
from keeper.screen.watch import Copy, Watch

AT_RISK: Final = 105 * WAD // 100
LOOKS: Final = 100  # accounts asked for their health a block, of each kind
TOLD: Final = 20  # lines about accounts at risk in one block
Flags = NDArray[np.bool_]

log = get_logger()


class Lists(NamedTuple):
    """Watch lists, by row who is on them, and who is new there: the nearest of them, and how many."""

    watch: Watch
    near: Flags
    came: Sequence[int]
    total: int


def make_lists(copy: Copy, before: Flags, near: Flags) -> Lists:
    """In a thread: the lists, and by row who is on them; ``before``: who was near, ``near``: where to write it."""
    watch = copy.watch()
    return Lists(watch, near, *watch.arrivals(before, near, LOOKS))


class Nearby:
    """Who is known to be near, in one market."""

    def __init__(self, adapter: Adapter, book: Book) -> None:
        self._adapter, self._book = adapter, book
        self.near: Flags = np.zeros(0, np.bool_)  # by row
        self._spare = self.near  # for the next lists
        self._turn = 0  # whose turn it is among those without a line

    def room(self) -> Flags:
        """Where to write who is near, of all who are in the book now. It is given away until it is swapped in."""
        room, self._spare, rows = self._spare, np.zeros(0, np.bool_), len(self._book)
        return room if len(room) >= rows else np.zeros(rows + rows // 8, np.bool_)

    def swap(self, lists: Lists, unclear: Sequence[int]) -> Sequence[int]:
        """Other lists: who is new on them. Those without a line are on none, and stay what they are."""
        came = [row for row in lists.came if not self.near[row : row + 1].any()]
        rows = np.array(unclear, np.int64)
        rows = rows[rows < min(len(self.near), len(lists.near))]
        lists.near[rows] = self.near[rows]
        self._spare, self.near = self.near, lists.near
        return came

    def tell(
        self, came: Sequence[int], total: int, moved: Collection[int], unclear: Sequence[int], at: Timestamp
    ) -> None:
        """A line about each account that came near; the last one says how many are not told.

        ``came``: of ``total`` new ones on the lists. ``moved``: rows of this block. ``unclear``: rows without a line.
        """
        approaching = islice(self._approaching(came, moved, self._whose_turn(unclear), at), TOLD)
        for told, (row, factor) in enumerate(approaching, start=1):
            others = {"others": total - told} if told == TOLD and total > told else {}
            log.info(
                "account.at_risk", protocol=self._adapter.name, market=self._adapter.market,
                account=self._book.account(row), health_factor=factor, **others,
            )  # fmt: skip

    def _approaching(
        self, came: Sequence[int], moved: Collection[int], asked: Sequence[int], at: Timestamp
    ) -> Iterator[tuple[int, int]]:
        """Accounts that are near now and were not, with their health."""
        for row in came:
            if (factor := self._factor(row, at)) is not None and WAD <= factor < AT_RISK:
                yield row, factor
        for row in [*islice(moved, LOOKS), *asked]:
            factor = self._factor(row, at)
            if factor is None:
                continue
            before, self.near[row] = self.near[row], WAD <= factor < AT_RISK
            if self.near[row] and not before:
                yield row, factor

    def _factor(self, row: int, at: Timestamp) -> int | None:
        """The health of an account that is there and has one."""
        if row >= len(self._book):
            return None
        if row >= len(self.near):
            self.near = np.pad(self.near, (0, len(self._book) + len(self._book) // 8 - len(self.near)))
        health = self._adapter.health(self._book, row, at)
        return None if isinstance(health, Quarantine) else health.health_factor

    def _whose_turn(self, unclear: Sequence[int]) -> Sequence[int]:
        start, self._turn = self._turn, self._turn + LOOKS if self._turn + LOOKS < len(unclear) else 0
        return unclear[start : start + LOOKS]
