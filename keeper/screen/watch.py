"""Watch lists: accounts close enough to 1 that a tick may flip them, by asset, nearest first.

Laws
- A list is made once, from a copy of the groups, and never changed; the screen swaps it for a newer one.
- Making one takes the interpreter's lock only between kernels, and memory that an earlier one had: giving memory back
  to the system stops every thread. It belongs into a thread.
- It misses nothing a full sweep would flag among the accounts that did not change since the copy (law 2 of the
  kernels), or it says that it cannot tell.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from keeper.core.units import Address
from keeper.screen.columns import Table
from keeper.screen.groups import Group
from keeper.screen.kernels import (
    BINS,
    Amounts,
    Bytes,
    Codes,
    Flags,
    Ints,
    Rows,
    arrive,
    fill,
    lay_out,
    look,
    near,
    reach,
)

ALL = 0  # the list of all assets


@dataclass(frozen=True, slots=True)
class Room:
    """Where accounts stand one after the other."""

    codes: Codes
    amounts: Amounts
    rows: Rows

    @classmethod
    def empty(cls, cells: int = 0, accounts: int = 0) -> "Room":
        """Room for so many accounts that have so many columns together."""
        return cls(np.empty(cells, np.uint16), np.empty(cells, np.float32), np.empty(accounts, np.uint32))

    @property
    def nbytes(self) -> int:
        return self.codes.nbytes + self.amounts.nbytes + self.rows.nbytes

    def fits(self, cells: int, accounts: int) -> bool:
        """Whether they have room here."""
        return cells <= len(self.codes) and accounts <= len(self.rows)

    def made(self, cells: int, accounts: int) -> "Room":
        """This one if they have room here; else a larger one."""
        return self if self.fits(cells, accounts) else Room.empty(cells + cells // 8, accounts + accounts // 8)


NOWHERE: Final = Room.empty()


@dataclass(slots=True)
class Space:
    """What lists are written to, and what they are made in."""

    lists: Room = NOWHERE
    making: Room = NOWHERE

    @property
    def nbytes(self) -> int:
        return self.lists.nbytes + self.making.nbytes


class Watch:
    """The lists made at one time."""

    def __init__(self, origin: object, table: Table, columns: int, groups: Sequence[Group]) -> None:
        self.origin = origin
        self.table = table
        self.columns = columns  # codes there were; the table may not have known the last ones
        self.widths: Ints = np.array([group.width for group in groups], np.int64)
        self.space = Space()
        # By list and group: where its codes and amounts are, how many accounts it has, where its rows are,
        # and up to where the accounts of each bin go.
        self.bases = self.strides = self.row_bases = self.ends = np.zeros((1, 0), np.int64)
        self._agreed: tuple[object, bool] = (None, False)

    @property
    def nbytes(self) -> int:
        return self.space.nbytes + self.ends.nbytes

    def size(self, number: int) -> int:
        """How many accounts are on a list."""
        return int(self.strides[number].sum())

    def head(self, number: int, most: int) -> Rows:
        """The first of a list, nearest to 1 first, as far as bins tell."""
        parts, bins = [self.space.lists.rows[:0]], [np.zeros(0, np.int64)]
        for base, ends in zip(self.row_bases[number], self.ends[number], strict=True):
            part = self.space.lists.rows[base : base + min(most, ends[-1])]
            parts.append(part)
            bins.append(np.searchsorted(ends, np.arange(len(part)), side="right"))
        order = np.argsort(np.concatenate(bins), kind="stable")[:most]
        return np.concatenate(parts)[order]

    def arrivals(self, before: Flags, now: Flags, most: int) -> tuple[Sequence[int], int]:
        """Mark by row who is on the lists; the nearest of those who were not marked before, and how many these are."""
        came = np.empty(most, np.int64)
        total = arrive(self.space.lists.rows, self.row_bases[ALL], self.ends[ALL], before, now, came)
        return came[:total].tolist(), total

    def reach(self, now: Table, sides: Bytes) -> int:
        """The last bin from which prices can have brought anyone to 1; ``OUTSIDE``: only a full sweep can tell."""
        return reach(now.weights, self.table.weights, sides, self.columns)

    def number(self, asset: Address, now: Table) -> int:
        """The list of an asset's holders; that of all when not every column had the asset that it has now."""
        if now.assets is not self._agreed[0]:
            self._agreed = now.assets, now.assets.by_code[: self.columns - 1] == self.table.assets.by_code
        return self.table.assets.numbers.get(asset, ALL) if self._agreed[1] else ALL

    def flagged(self, number: int, last: int, now: Table, stale: Bytes, out: Rows) -> int:
        """Flagged rows of a list up to a bin into ``out``, without stale ones; how many there would be."""
        lists = self.space.lists
        return look(
            lists.codes, lists.amounts, lists.rows, self.widths, self.bases[number], self.strides[number],
            self.row_bases[number], self.ends[number], last, now.weights, now.slack, stale, out,
        )  # fmt: skip


class Copy:
    """What a watch list is made of: the groups as they are, whoever changes them meanwhile."""

    def __init__(self, groups: Iterable[Group], table: Table, columns: int, space: Space) -> None:
        self.token = object()
        self._space = space
        self._groups = [group for group in groups if group.count]
        self._arrays = [(group.codes, group.amounts, group.uniform, group.rows, group.count) for group in self._groups]
        self._table = table
        self._columns = columns

    def watch(self) -> Watch:
        """The lists. Takes milliseconds for a million accounts: not for the event loop."""
        watch = Watch(self.token, self._table, self._columns, self._groups)
        lists = self._table.assets.of  # a list's number is its asset's
        room, bins, sizes = self._near()
        shape = (len(self._table.assets.numbers) + 1, len(sizes))
        watch.ends = np.zeros((*shape, BINS), np.int64)
        watch.strides, watch.bases, watch.row_bases = np.empty((3, *shape), np.int64)
        needed = lay_out(
            room.codes, bins, sizes, watch.widths, lists, watch.ends, watch.strides, watch.bases, watch.row_bases
        )
        pool = self._space.lists.made(*needed)
        fill(
            room.codes, room.amounts, room.rows, bins, sizes, watch.widths, lists, watch.ends,
            watch.bases, watch.strides, watch.row_bases, pool.codes, pool.amounts, pool.rows,
        )  # fmt: skip
        watch.space = Space(pool, room)
        return watch

    def _near(self) -> tuple[Room, Bytes, Ints]:
        """The watched accounts, the bin of each, and how many each group has."""
        room, weights, slack = self._space.making, self._table.weights, self._table.slack
        while True:
            bins, sizes = np.empty(len(room.rows), np.uint8), np.zeros(len(self._arrays), np.int64)
            cells = total = 0
            for group, (codes, amounts, uniform, rows, accounts) in enumerate(self._arrays):
                width = len(codes)
                before, total = total, near(
                    codes, amounts, uniform, rows, accounts, len(weights), weights, slack * width, cells, total,
                    room.codes, room.amounts, room.rows, bins,
                )  # fmt: skip
                sizes[group] = total - before
                cells += width * (total - before)
            if room.fits(cells, total):
                return room, bins, sizes
            room = room.made(cells, total)
