"""The book: exact amounts of every account in one market, and the facts that give them meaning.

Laws
- ``x[account, column]`` are the integers the protocol itself stores; only events change them.
- A *fact* is anything else the chain says about the market (indexes, parameters, prices), keyed by kind and key.
- Every change made while a block is open is recorded; ``undo`` of that record is the exact inverse of the block.
- Equality of two books is equality of content: neither row numbers of empty accounts nor the order of slots counts.

Storage is flat arrays (about 250 bytes an account with 3.5 positions): one address, a 128-bit flag word, a mode, and
a short linked list of (column, 128-bit amount) slots. Amounts are unsigned; a signed quantity takes two columns.
"""

import hashlib
import json
from array import array
from collections.abc import Iterable, Iterator, Mapping
from copy import copy
from itertools import count
from typing import Any, Final, NamedTuple

import msgspec

from keeper.core.units import MAX_U128, Address

_LOW: Final = 2**64 - 1
Fact = Any  # a fact is what its protocol says it is: a frozen struct, an integer, a string
_NONE: Final = 0  # slot 0 is never used, so that 0 can end a list
_SUPPOSED: Final = count(-1, -1)  # versions that no book comes to
_MOVED: Final = 2**16  # rows; when more have moved, nobody says which


class Changed(NamedTuple):
    """An account's amount in one column before the block touched it."""

    row: int
    column: int
    amount: int
    annex: tuple[int, ...]


class Marked(NamedTuple):
    """An account's flags and mode before the block touched them."""

    row: int
    flags: int
    mode: int


class Opened(NamedTuple):
    """An account that the block saw first."""

    row: int


class Learnt(NamedTuple):
    """A fact before the block replaced it; ``None`` when it was not known."""

    kind: str
    key: str
    value: Fact


Change = Changed | Marked | Opened | Learnt
_changed = tuple.__new__  # half the cost of the named tuple's own constructor, on the hottest line of ingestion


class Table(NamedTuple):
    """Accounts as flat bytes in the book's own layout, without the unused slot 0."""

    accounts: list[Address]
    flags_low: bytes
    flags_high: bytes
    mode: bytes
    head: bytes
    next: bytes
    column: bytes
    low: bytes
    high: bytes
    annex: dict[tuple[int, int], tuple[int, ...]]


class Storage(NamedTuple):
    """A book's own arrays. Read only, and let go of before the book changes: it cannot grow while it is looked at."""

    flags_low: "array[int]"
    flags_high: "array[int]"
    mode: "array[int]"
    head: "array[int]"
    next: "array[int]"
    column: "array[int]"
    low: "array[int]"
    high: "array[int]"


class Book:
    """Accounts and facts of one market, with a record of what the open block changed."""

    __slots__ = (
        "_accounts",
        "_annex",
        "_column",
        "_facts",
        "_flags_high",
        "_flags_low",
        "_free",
        "_head",
        "_high",
        "_low",
        "_mode",
        "_moved",
        "_next",
        "_rows",
        "_versions",
        "changes",
    )  # fmt: skip

    def __init__(self) -> None:
        self._rows: dict[Address, int] = {}
        self._accounts: list[Address] = []
        self._flags_low = array("Q")
        self._flags_high = array("Q")
        self._mode = array("H")
        self._head = array("I")
        self._next = array("I", [_NONE])
        self._column = array("H", [0])
        self._low = array("Q", [0])
        self._high = array("Q", [0])
        self._free: list[int] = []
        self._annex: dict[tuple[int, int], tuple[int, ...]] = {}
        self._facts: dict[str, dict[str, Fact]] = {}
        self._versions: dict[str, int] = {}
        self._moved: set[int] | None = None
        self.changes: list[Change] = []

    # accounts ------------------------------------------------------------------------------------------------------

    def __len__(self) -> int:
        return len(self._accounts)

    def row(self, account: Address) -> int | None:
        """The account's row, if it was ever seen."""
        return self._rows.get(account)

    def open(self, account: Address) -> int:
        """The account's row, making one when it is new."""
        row = self._rows.get(account)
        if row is None:
            row = self._append(account)
            self.changes.append(Opened(row))
        return row

    def account(self, row: int) -> Address:
        """Who owns a row."""
        return self._accounts[row]

    def amount(self, row: int, column: int) -> int:
        """The exact amount an account holds in a column; 0 when it holds none."""
        slot = self._find(row, column)
        return self._low[slot] | self._high[slot] << 64 if slot else 0

    def annex(self, row: int, column: int) -> tuple[int, ...]:
        """Further integers some protocols store beside an amount (a rate and a time of a stable debt)."""
        return self._annex.get((row, column), ()) if self._annex else ()

    def set_amount(self, row: int, column: int, amount: int, annex: tuple[int, ...] = ()) -> None:
        """Replace an amount, recording what it was."""
        slot = self._find(row, column)
        old = self._low[slot] | self._high[slot] << 64 if slot else 0
        annexed = self._annex
        self.changes.append(_changed(Changed, (row, column, old, annexed.get((row, column), ()) if annexed else ())))
        self._write(row, column, slot, amount)
        if annex or annexed:
            self._write_annex(row, column, annex)

    def look(self, row: int, column: int) -> tuple[int, int]:
        """Where an amount is kept and what it is: for ``replace``, which then need not look again."""
        slot = self._head[row]
        columns, following = self._column, self._next
        while slot and columns[slot] != column:
            slot = following[slot]
        return slot, self._low[slot] | self._high[slot] << 64 if slot else 0

    def replace(self, row: int, column: int, found: tuple[int, int], amount: int) -> None:
        """``set_amount`` without further integers, right after ``look``."""
        slot, old = found
        annexed = self._annex
        self.changes.append(_changed(Changed, (row, column, old, annexed.get((row, column), ()) if annexed else ())))
        if slot and 0 < amount <= MAX_U128:
            self._low[slot] = amount & _LOW
            self._high[slot] = amount >> 64
        else:
            self._write(row, column, slot, amount)
        if annexed:
            self._write_annex(row, column, ())

    def flags(self, row: int) -> int:
        """The account's bit set (for Aave: which reserves are enabled as collateral)."""
        return self._flags_low[row] | self._flags_high[row] << 64

    def mode(self, row: int) -> int:
        """The account's mode (for Aave: its e-mode category)."""
        return self._mode[row]

    def mark(self, row: int, flags: int, mode: int) -> None:
        """Replace flags and mode, recording what they were."""
        self.changes.append(Marked(row, self.flags(row), self._mode[row]))
        self._write_mark(row, flags, mode)

    def positions(self, row: int) -> Iterator[tuple[int, int]]:
        """(column, amount) of everything the account holds."""
        slot = self._head[row]
        while slot:
            yield self._column[slot], self._low[slot] | self._high[slot] << 64
            slot = self._next[slot]

    # facts ---------------------------------------------------------------------------------------------------------

    def fact(self, kind: str, key: str = "") -> Fact:
        """The current value of a fact, or ``None``."""
        facts = self._facts.get(kind)
        return None if facts is None else facts.get(key)

    def facts(self, kind: str) -> dict[str, Fact]:
        """All facts of a kind. Read only."""
        return self._facts.get(kind, {})

    def learn(self, kind: str, key: str, value: Fact) -> None:
        """Replace a fact (``None`` forgets it), recording what it was. Equal values are not a change."""
        old = self.fact(kind, key)
        if old != value:
            self.changes.append(Learnt(kind, key, old))
            self._write_fact(kind, key, value)

    def version(self, kind: str) -> int:
        """Grows with every change of a kind of fact, undone ones too: derived tables compare it."""
        return self._versions.get(kind, 0)

    def supposing(self, kind: str, values: Mapping[Address, Fact]) -> "Book":
        """The same accounts with other values of known facts of a kind. Read only, and only until this book changes."""
        other, known = copy(self), self.facts(kind)
        replaced: dict[str, Fact] = {key: value for key, value in values.items() if key in known}
        other._facts = {**self._facts, kind: {**known, **replaced}}  # noqa: SLF001 - of its own class
        other._versions = {**self._versions, kind: next(_SUPPOSED)}  # noqa: SLF001
        other.changes = []
        return other

    # blocks --------------------------------------------------------------------------------------------------------

    def take_changes(self) -> list[Change]:
        """Close the block: hand over the record and start an empty one."""
        changes, self.changes = self.changes, []
        self._move(changes)
        return changes

    def moved(self) -> set[int] | None:
        """Rows that changed, forth or back, since this was asked last; ``None``: nobody knows, any may have."""
        self._move(self.changes)
        moved, self._moved = self._moved, set()
        return moved

    @property
    def still(self) -> bool:
        """Nothing changed since ``moved`` was asked last."""
        return not self.changes and self._moved is not None and not self._moved

    def _move(self, changes: list[Change]) -> None:
        if self._moved is not None:
            self._moved |= touched(changes)
            if len(self._moved) > _MOVED:
                self._moved = None

    def undo(self, changes: list[Change]) -> None:
        """Restore what the recorded block had found, newest change first."""
        self._move(changes)
        for change in reversed(changes):
            match change:
                case Changed(row, column, amount, annex):
                    self._write(row, column, self._find(row, column), amount)
                    self._write_annex(row, column, annex)
                case Marked(row, flags, mode):
                    self._write_mark(row, flags, mode)
                case Learnt(kind, key, value):
                    self._write_fact(kind, key, value)
                case Opened(row):
                    self._drop(row)

    def digest(self) -> str:
        """A hash of the content, equal for equal books however they came to be."""
        sha = hashlib.sha256()
        for account in sorted(self._rows):
            row = self._rows[account]
            held = sorted((column, amount, self.annex(row, column)) for column, amount in self.positions(row))
            if held or self.flags(row) or self._mode[row]:
                sha.update(f"{account}{self.flags(row)}:{self._mode[row]}{held}\n".encode())
        for kind in sorted(self._facts):
            for key, value in sorted(self._facts[kind].items()):
                sha.update(f"{kind}:{key}={dump(value)}\n".encode())
        return sha.hexdigest()

    # bulk ----------------------------------------------------------------------------------------------------------

    def fill(self, table: "Table") -> None:
        """Become a stored table of accounts, at once. The book must be empty."""
        if self._accounts:
            msg = "only an empty book can be filled"
            raise ValueError(msg)
        self._accounts = table.accounts
        self._rows = dict(zip(table.accounts, range(len(table.accounts)), strict=True))
        for name in ("flags_low", "flags_high", "mode", "head", "next", "column", "low", "high"):
            getattr(self, f"_{name}").frombytes(getattr(table, name))
        self._annex = table.annex

    def storage(self) -> Storage:
        """The arrays themselves, for who reads thousands of rows at a time."""
        return Storage(
            self._flags_low, self._flags_high, self._mode, self._head, self._next, self._column, self._low, self._high
        )

    # storage -------------------------------------------------------------------------------------------------------

    def _append(self, account: Address) -> int:
        row = len(self._accounts)
        self._rows[account] = row
        self._accounts.append(account)
        self._flags_low.append(0)
        self._flags_high.append(0)
        self._mode.append(0)
        self._head.append(_NONE)
        return row

    def _drop(self, row: int) -> None:
        """Only the newest row is ever dropped, and only after all that was in it."""
        if row != len(self._accounts) - 1 or self._head[row]:
            msg = f"row {row} cannot be dropped: the record does not belong to this book"
            raise ValueError(msg)
        del self._rows[self._accounts.pop()]
        for column in (self._flags_low, self._flags_high, self._mode, self._head):
            column.pop()

    def _find(self, row: int, column: int) -> int:
        slot, columns, following = self._head[row], self._column, self._next
        while slot and columns[slot] != column:
            slot = following[slot]
        return slot

    def _write(self, row: int, column: int, slot: int, amount: int) -> None:
        if not 0 <= amount <= MAX_U128:
            msg = f"amount {amount} of {self._accounts[row]} in column {column} is outside 0..2^128-1"
            raise ValueError(msg)
        if not amount:
            if slot:
                self._unlink(row, slot)
            return
        if not slot:
            slot = self._link(row, column)
        self._low[slot] = amount & _LOW
        self._high[slot] = amount >> 64

    def _link(self, row: int, column: int) -> int:
        if self._free:
            slot = self._free.pop()
            self._column[slot] = column
            self._next[slot] = self._head[row]
        else:
            slot = len(self._next)
            self._column.append(column)
            self._next.append(self._head[row])
            self._low.append(0)
            self._high.append(0)
        self._head[row] = slot
        return slot

    def _unlink(self, row: int, slot: int) -> None:
        following = self._next
        at = self._head[row]
        if at == slot:
            self._head[row] = following[slot]
        else:
            while following[at] != slot:
                at = following[at]
            following[at] = following[slot]
        self._free.append(slot)

    def _write_annex(self, row: int, column: int, annex: tuple[int, ...]) -> None:
        if annex:
            self._annex[row, column] = tuple(annex)
        elif self._annex:
            self._annex.pop((row, column), None)

    def _write_mark(self, row: int, flags: int, mode: int) -> None:
        self._flags_low[row] = flags & _LOW
        self._flags_high[row] = flags >> 64
        self._mode[row] = mode

    def _write_fact(self, kind: str, key: str, value: Fact) -> None:
        facts = self._facts.setdefault(kind, {})
        if value is None:
            facts.pop(key, None)
            if not facts:
                del self._facts[kind]
        else:
            facts[key] = value
        self._versions[kind] = self._versions.get(kind, 0) + 1


def touched(changes: Iterable[Change]) -> set[int]:
    """Rows that a record of changes names."""
    return {change.row for change in changes if not isinstance(change, Learnt)}


def dump(value: Fact) -> str:
    """A fact as canonical JSON. Integers of any size stay integers."""
    return json.dumps(msgspec.to_builtins(value), separators=(",", ":"), sort_keys=True)
