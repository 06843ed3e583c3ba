"""Watch lists: accounts close enough to 1 that a tick may flip them, by asset, nearest first.

Laws
- A list is made once, from a copy of the groups, and never changed; the screen swaps it for a newer one.
- Making one takes the interpreter's lock only between kernels: it belongs into a thread.
- It misses nothing a full sweep would flag among the accounts that did not change since the copy (law 2 of the
  kernels), or it says that it cannot tell.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from keeper.core.units import Address
from keeper.screen.columns import Table
from keeper.screen.groups import Group
from keeper.screen.kernels import BINS, Amounts, Bytes, Codes, Ints, Rows, copy, fill, look, rank, reach

ALL = 0  # the list of all assets


@dataclass(frozen=True, slots=True)
class Shape:
    """Where one list's groups are in the pool, and up to where the accounts of each bin go."""

    bases: Ints
    strides: Ints
    row_bases: Ints
    ends: Ints  # by group and bin


class Watch:
    """The lists made at one time."""

    def __init__(self, origin: object, table: Table, columns: int, groups: Sequence[Group]) -> None:
        self.origin = origin
        self.table = table
        self.columns = columns  # codes there were; the table may not have known the last ones
        self.widths: Ints = np.array([group.width for group in groups], np.int64)
        self.codes: Codes = np.zeros(0, np.uint16)
        self.amounts: Amounts = np.zeros(0, np.float32)
        self.rows: Rows = np.zeros(0, np.uint32)
        self.shapes: list[Shape] = []
        self._agreed: tuple[object, bool] = (None, False)

    @property
    def nbytes(self) -> int:
        return self.codes.nbytes + self.amounts.nbytes + self.rows.nbytes + sum(s.ends.nbytes for s in self.shapes)

    def members(self) -> Rows:
        """Everybody on the lists, nearest to 1 first, as far as bins tell."""
        return self.head(ALL, len(self.rows))

    def head(self, number: int, most: int) -> Rows:
        """The first of a list."""
        shape = self.shapes[number]
        parts, bins = [self.rows[:0]], [np.zeros(0, np.int64)]
        for base, ends in zip(shape.row_bases, shape.ends, strict=True):
            part = self.rows[base : base + min(most, ends[-1])]
            parts.append(part)
            bins.append(np.searchsorted(ends, np.arange(len(part)), side="right"))
        order = np.argsort(np.concatenate(bins), kind="stable")[:most]
        return np.concatenate(parts)[order]

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
        shape = self.shapes[number]
        return look(
            self.codes, self.amounts, self.rows, self.widths, shape.bases, shape.strides, shape.row_bases, shape.ends,
            last, now.weights, now.slack, stale, out,
        )  # fmt: skip


class Copy:
    """What a watch list is made of: the groups as they are, whoever changes them meanwhile."""

    def __init__(self, groups: Sequence[Group], table: Table, columns: int) -> None:
        self.token = object()
        self._groups = [group for group in groups if group.count]
        self._arrays = [(group.codes, group.amounts, group.rows, group.count) for group in self._groups]
        self._table = table
        self._columns = columns

    def watch(self) -> Watch:
        """The lists. Takes milliseconds for a million accounts: not for the event loop."""
        watch = Watch(self.token, self._table, self._columns, self._groups)
        lists = self._table.assets.of.astype(np.uint16)  # a list's number is its asset's
        count = len(self._table.assets.numbers) + 1
        ranked = [self._rank(arrays, lists, count) for arrays in self._arrays]
        ends = np.array([tally.cumsum(axis=1) for *_, tally in ranked], np.int64)  # by group, list and bin
        ends = ends.reshape(len(ranked), count, BINS)
        sizes = ends[:, :, -1].T  # by list and group
        row_bases = _before(sizes)
        bases = _before(sizes * watch.widths)
        watch.codes = np.empty(int((sizes * watch.widths).sum()), np.uint16)
        watch.amounts = np.empty(len(watch.codes), np.float32)
        watch.rows = np.empty(int(sizes.sum()), np.uint32)
        for at, (codes, amounts, rows, bins, tally) in enumerate(ranked):
            cursors = np.ascontiguousarray(ends[at] - tally)
            base, size, row_base = (np.ascontiguousarray(part[:, at]) for part in (bases, sizes, row_bases))
            fill(
                codes, amounts, rows, bins, lists, cursors, base, size, row_base,
                watch.codes, watch.amounts, watch.rows,
            )  # fmt: skip
        watch.shapes = [
            Shape(bases[i], sizes[i].copy(), row_bases[i], np.ascontiguousarray(ends[:, i])) for i in range(len(sizes))
        ]
        return watch

    def _rank(
        self, arrays: tuple[Codes, Amounts, Rows, int], lists: Codes, count: int
    ) -> tuple[Codes, Amounts, Rows, Bytes, Ints]:
        """A copy of a group, the bin of each of its accounts, and their number by list and bin."""
        codes, amounts, rows = (np.empty((*part.shape[:-1], arrays[3]), part.dtype) for part in arrays[:3])
        copy(*arrays[:3], len(self._table.weights), codes, amounts, rows)
        bins = np.empty(arrays[3], np.uint8)
        tally = np.zeros((count, BINS), np.int64)
        rank(codes, amounts, self._table.weights, self._table.slack * len(codes), lists, bins, tally)
        return codes, amounts, rows, bins, tally


def _before(sizes: Ints) -> Ints:
    """Where each part begins when all stand one after another."""
    ends: Ints = np.cumsum(sizes.ravel())
    return (ends - sizes.ravel()).reshape(sizes.shape)
