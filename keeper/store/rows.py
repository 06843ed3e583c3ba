"""Accounts, facts and undo records as rows, and back.

Law: what is read back is equal to what was written, to the last unit, whatever the size of the integers.
"""

import json
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

AccountRow = tuple[int, str, bytes, bytes]


def account_row(book: Book, row: int) -> AccountRow:
    """One account as (row, account, mark, positions)."""
    flags = book.flags(row)
    mark = _MARK.pack(flags & _LOW, flags >> 64, book.mode(row))
    positions = [_POSITION.pack(column, amount & _LOW, amount >> 64) for column, amount in book.positions(row)]
    return row, book.account(row), mark, b"".join(positions)


def table(rows: list[AccountRow], annex: dict[tuple[int, int], tuple[int, ...]]) -> Table:
    """Stored rows, in the order of their numbers, as the book's own arrays."""
    accounts = [Address(row[1]) for row in rows]
    marks = np.frombuffer(b"".join([row[2] for row in rows]), dtype="<u8,<u8,<u2")
    blobs = [row[3] for row in rows]
    counts = np.fromiter(map(len, blobs), dtype=np.int64, count=len(rows)) // _POSITION.size
    held = np.frombuffer(b"".join(blobs), dtype="<u2,<u8,<u8")
    ends = np.cumsum(counts)
    heads = np.where(counts > 0, ends - counts + 1, 0).astype(np.uint32)  # slot 0 is never used
    following = np.arange(2, len(held) + 2, dtype=np.uint32)
    following[ends[counts > 0] - 1] = 0
    return Table(
        accounts=accounts,
        flags_low=marks["f0"].tobytes(),
        flags_high=marks["f1"].tobytes(),
        mode=marks["f2"].tobytes(),
        head=heads.tobytes(),
        next=following.tobytes(),
        column=held["f0"].tobytes(),
        low=held["f1"].tobytes(),
        high=held["f2"].tobytes(),
        annex=annex,
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


def changed_annexes(changes: Iterable[Change], book: Book) -> set[tuple[int, int]]:
    """(row, column) pairs that have or had further integers beside their amount."""
    return {
        (change.row, change.column)
        for change in changes
        if isinstance(change, Changed) and (change.annex or (change.row < len(book) and book.annex(*change[:2])))
    }


def changed_facts(changes: Iterable[Change]) -> set[tuple[str, str]]:
    """(kind, key) pairs of the facts that a record names."""
    return {(change.kind, change.key) for change in changes if isinstance(change, Learnt)}
