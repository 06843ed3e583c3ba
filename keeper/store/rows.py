"""Accounts, facts and undo records as rows, and back.

Law: what is read back is equal to what was written, to the last unit, whatever the size of the integers.
"""

import json
import sqlite3
import struct
from collections.abc import Iterable, Mapping
from typing import Any, Final

import msgspec
import numpy as np

from keeper.core.book import Book, Change, Changed, Fact, Learnt, Marked, Opened, Table
from keeper.core.units import Address

_MARK: Final = struct.Struct("<QQH")
_POSITION: Final = struct.Struct("<HQQ")
_LOW: Final = 2**64 - 1
_BATCH: Final = 20_000  # rows read at once

AccountRow = tuple[int, str, bytes, bytes]


def account_row(book: Book, row: int) -> AccountRow:
    """One account as (row, account, mark, positions)."""
    flags = book.flags(row)
    mark = _MARK.pack(flags & _LOW, flags >> 64, book.mode(row))
    positions = [_POSITION.pack(column, amount & _LOW, amount >> 64) for column, amount in book.positions(row)]
    return row, book.account(row), mark, b"".join(positions)


def table(accounts: list[Address], held: sqlite3.Cursor, annexes: dict[tuple[int, int], tuple[int, ...]]) -> Table:
    """Stored rows, in the order of their numbers, as the book's own arrays."""
    marks_of, counts_of, positions_of = [], [], []
    while batch := held.fetchmany(_BATCH):
        marks_of.append(b"".join([mark for mark, _ in batch]))
        positions_of.append(b"".join([positions for _, positions in batch]))
        counts_of.append(np.array([len(positions) for _, positions in batch]) // _POSITION.size)
    marks = np.frombuffer(b"".join(marks_of), dtype="<u8,<u8,<u2")
    positions = np.frombuffer(b"".join(positions_of), dtype="<u2,<u8,<u8")
    counts = np.concatenate(counts_of)
    ends = np.cumsum(counts)
    if len(marks) != len(accounts) or ends[-1] != len(positions):
        raise ValueError("marks or positions do not fit the accounts")
    following = np.arange(2, len(positions) + 2, dtype=np.uint32)
    following[ends[counts > 0] - 1] = 0
    return Table(
        accounts=accounts,
        flags_low=marks["f0"].tobytes(),
        flags_high=marks["f1"].tobytes(),
        mode=marks["f2"].tobytes(),
        head=np.where(counts > 0, ends - counts + 1, 0).astype(np.uint32).tobytes(),  # slot 0 is never used
        next=following.tobytes(),
        column=positions["f0"].tobytes(),
        low=positions["f1"].tobytes(),
        high=positions["f2"].tobytes(),
        annex=annexes,
    )


def encode_changes(changes: Iterable[Change]) -> list[list[Any]]:
    """An undo record as JSON-ready lists."""
    return [_encode(change) for change in changes]


def _encode(change: Change) -> list[Any]:
    match change:
        case Learnt(kind, key, value):
            return ["l", kind, key, msgspec.to_builtins(value)]
        case Changed(row, column, amount, annex):
            return ["c", row, column, amount, list(annex)]
        case Marked(row, flags, mode):
            return ["m", row, flags, mode]
        case Opened(row):
            return ["o", row]


def decode_changes(rows: Iterable[list[Any]], types: Mapping[str, type]) -> list[Change]:
    """The inverse of ``encode_changes``."""
    return [_decode(row, types) for row in rows]


def _decode(row: list[Any], types: Mapping[str, type]) -> Change:
    match row:
        case ["l", kind, key, value]:
            return Learnt(kind, key, None if value is None else msgspec.convert(value, types[kind]))
        case ["c", number, column, amount, annex]:
            return Changed(number, column, amount, tuple(annex))
        case ["m", number, flags, mode]:
            return Marked(number, flags, mode)
        case ["o", number]:
            return Opened(number)
        case _:
            msg = f"unknown undo row {row[:1]}"
            raise ValueError(msg)


def load_fact(text: str, kind: str, types: Mapping[str, type]) -> Fact:
    """A fact from its canonical JSON."""
    return msgspec.convert(json.loads(text), types[kind])


def changed_amounts(changes: Iterable[Change]) -> set[tuple[int, int]]:
    """(row, column) of every amount that a record names."""
    return {(change.row, change.column) for change in changes if isinstance(change, Changed)}


def changed_facts(changes: Iterable[Change]) -> set[tuple[str, str]]:
    """(kind, key) pairs of the facts that a record names."""
    return {(change.kind, change.key) for change in changes if isinstance(change, Learnt)}
