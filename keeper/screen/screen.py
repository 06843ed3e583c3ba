"""The screen of one market: which accounts may be liquidatable, whatever the prices.

Story: ``load`` once; after every block ``touch`` the rows that changed and ``weigh`` for the block aimed for; on every
price ``table.repriced`` and ``flagged`` or ``flagged_for``; then confirm. When lists are ``due``: ``prepare`` on the
loop, ``watch`` of what that gave in a thread, ``adopt`` on the loop.

Laws
- Who is liquidatable is in every answer. Who is in an answer need not be liquidatable: confirm decides.
- Of the book only the rows that are named are read; what they hold depends on no fact (``core.margin``).
- Watch lists save time and never lose anyone: without them, or when they cannot tell, everything is swept.
"""

from collections.abc import Callable, Iterable, Sequence

import numpy as np

from keeper.core.book import Book
from keeper.core.margin import Lines, Margin
from keeper.core.units import Address, Timestamp
from keeper.screen.columns import Columns, Table, table
from keeper.screen.groups import WIDEST, Dense, Groups, Sparse, towards_ruin
from keeper.screen.kernels import BINS, OUTSIDE, Amounts, Bytes, Rows
from keeper.screen.load import load
from keeper.screen.watch import ALL, NOWHERE, Copy, Space, Watch

LATELY = 4096  # accounts that may change before lists are not worth asking
_OUT = 4096
_WORN = 0.5  # of the horizon or of LATELY: then new lists are due


class Screen:
    """Lines of all accounts of a market that owe something."""

    def __init__(self, margin: Margin) -> None:
        self.margin = margin
        self._out: Rows = np.empty(_OUT, np.uint32)
        self._reset(0)

    def _reset(self, rows: int) -> None:
        self._rows = rows  # beyond every row ever seen
        self.columns = Columns()
        self.groups = Groups(Dense())
        self._unclear: set[int] = set()  # not linear, or beyond all bounds: always flagged
        self._table: Table | None = None
        self._making: Copy | None = None
        self._since: set[int] = set()  # rows that changed since it was taken
        self._watch: Watch | None = None
        self._spare = Space()  # for the next lists
        self._lately = Groups(Sparse())  # what the rows are now that changed since the lists were made
        self._stale: Bytes = np.zeros(rows, np.uint8)  # 1: changed since the lists were made
        self._outdated: list[int] = []  # those rows

    def __len__(self) -> int:
        return len(self.groups) + len(self._unclear)

    @property
    def unclear(self) -> Sequence[int]:
        """Rows that are not linear, or beyond all bounds: whoever asks for the flagged gets all of them."""
        return sorted(self._unclear)

    @property
    def nbytes(self) -> int:
        """Memory beside the book."""
        groups: int = sum(group.nbytes for group in [*self.groups, *self._lately])
        watch = self._watch.nbytes if self._watch else 0
        return groups + 9 * len(self._stale) + self._out.nbytes + watch + self._spare.nbytes

    # accounts ------------------------------------------------------------------------------------------------------

    def load(self, book: Book) -> None:
        """Become the screen of this book, reading all of it."""
        self.fill(self.margin.lines(book), len(book))

    def fill(self, lines: Lines, rows: int) -> None:
        """Become the screen of so many rows that have these lines: the longer part of loading, and not of a book."""
        self._reset(rows)
        self.groups, self._unclear = load(lines, rows, self.columns)

    def touch(self, book: Book, rows: Iterable[int]) -> None:
        """Read these rows again: all that a block changed, or that undoing one did."""
        for row in rows:
            self._rows = max(self._rows, row + 1)
            found = self._encode(book, row)
            moved = self.groups.drop(row) if found is None else self.groups.put(row, *found)
            if self._making is not None:
                self._since.update((row,) if moved is None else (row, moved))
            if self._watch is not None:
                self._outdate(row, found)

    def _encode(self, book: Book, row: int) -> tuple[list[int], Amounts] | None:
        """Codes and amounts of a row; ``None`` when it has no place in a group."""
        self._unclear.discard(row)
        line = self.margin.exposures(book, row) if row < len(book) else ()
        coded = None if line is None else [(self.columns.code(key, amount), amount) for key, amount in line]
        if coded is None or len(coded) > WIDEST or any(code is None for code, _ in coded):
            self._unclear.add(row)
            return None
        pairs = sorted((code, amount) for code, amount in coded if code is not None)
        if not pairs:
            return None
        return [code for code, _ in pairs], towards_ruin(np.array([float(amount) for _, amount in pairs]))

    def _outdate(self, row: int, found: tuple[list[int], Amounts] | None) -> None:
        """What the lists show of a row is not true any more."""
        if row >= len(self._stale):
            more = max(row + 1 - len(self._stale), len(self._stale) // 8)
            self._stale = np.concatenate([self._stale, np.zeros(more, np.uint8)])
        if not self._stale[row]:
            self._stale[row] = 1
            self._outdated.append(row)
        if found is None:
            self._lately.drop(row)
        else:
            self._lately.put(row, *found)
        if len(self._lately) > LATELY:
            self._watch = None

    # weights -------------------------------------------------------------------------------------------------------

    def weigh(self, book: Book, at: Timestamp) -> Table:
        """The weights of a block with that timestamp."""
        found = self.margin.weights(book, at, self.columns.keys)
        self._table = table(found, self.columns.capacity, self._table)
        return self._table

    # who -----------------------------------------------------------------------------------------------------------

    def sweep(self, now: Table) -> Rows:
        """Every row that may be liquidatable, all accounts looked at."""
        self.check(now)
        return self._collect(lambda: self.groups.sweep(now.weights, now.slack, self._out))

    def flagged(self, now: Table) -> Rows:
        """Every row that may be liquidatable, from the watch lists if they can tell."""
        return self._look(ALL, now)

    def flagged_for(self, asset: Address, now: Table) -> Rows:
        """At least every row that may be liquidatable and whose margin the asset's price moves."""
        return self._look(ALL if self._watch is None else self._watch.number(asset, now), now)

    def nearest(self, asset: Address, now: Table, most: int) -> list[int]:
        """Who of an asset's holders was nearest to 1 when the lists were made, without those that changed since."""
        watch = self._watch
        number = ALL if watch is None else watch.number(asset, now)
        if watch is None or number == ALL:
            return []
        return [row for row in watch.head(number, most).tolist() if not self._stale[row]]

    def candidates(self, book: Book, at: Timestamp) -> list[int]:
        """Who is liquidatable in a block with that timestamp, exactly; the largest debt first."""
        return list(self.margin.liquidatable(book, self.flagged(self.weigh(book, at)).tolist(), at))

    def _look(self, number: int, now: Table) -> Rows:
        watch = self._watch
        if watch is None:
            return self.sweep(now)
        self.check(now)
        last = watch.reach(now, self.columns.sides)
        if last == OUTSIDE:
            return self.sweep(now)

        def search() -> int:
            found = watch.flagged(number, last, now, self._stale, self._out)
            return self._lately.sweep(now.weights, now.slack, self._out, found)

        return self._collect(search)

    def _collect(self, search: Callable[[], int]) -> Rows:
        """Rows that a search writes to ``_out``, which is made long enough for them, and the unclear ones."""
        found = search()
        if found > len(self._out):
            self._out = np.empty(found + found // 2, np.uint32)
            search()
        rows = self._out[:found].copy()
        return np.concatenate([rows, np.array(self.unclear, np.uint32)]) if self._unclear else rows

    def check(self, now: Table) -> None:
        """Codes index weights outside the interpreter's guard."""
        if len(now.weights) < self.columns.capacity:
            raise ValueError("the table is older than the columns: weigh again")

    @property
    def watch(self) -> Watch | None:
        """The lists in use."""
        return self._watch

    # watch lists ---------------------------------------------------------------------------------------------------

    def due(self, now: Table) -> bool:
        """Whether new watch lists are worth making."""
        if self._watch is None or len(self._lately) > LATELY * _WORN:
            return True
        return self._watch.reach(now, self.columns.sides) > BINS * _WORN

    def prepare(self, now: Table) -> Copy:
        """Begin new watch lists: call ``watch`` of the result, in a thread, and ``adopt`` what it gives."""
        self.check(now)
        copy = self._making = Copy(self.groups.of.values(), now, len(self.columns.keys) + 1, self._spare)
        self._spare, self._since = Space(), set()  # theirs now: lists that are given up may still be being made there
        return copy

    def adopt(self, watch: Watch) -> bool:
        """Swap in new watch lists; not those of another preparation than the last. The old ones are used up."""
        if self._making is None or watch.origin is not self._making.token:
            return False
        self._spare = Space(self._watch.space.lists if self._watch else NOWHERE, watch.space.making)
        watch.space.making = NOWHERE
        self._making, self._watch = None, watch
        if len(self._stale) < self._rows:  # the lists may name all of them
            self._stale = np.zeros(self._rows + self._rows // 8, np.uint8)
        if self._outdated:
            self._stale[self._outdated] = 0
        self._lately, self._outdated = Groups(Sparse()), []
        for row in self._since:
            found = self.groups.read(row)
            self._outdate(row, None if found is None else (found[0].tolist(), found[1]))
        return True
