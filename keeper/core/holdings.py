"""What many accounts hold, read from a book at once.

Law: the same as ``positions``, ``flags`` and ``mode`` of every row, in another order; copies: the book may change then.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from keeper.core.book import Book

Ints = NDArray[np.int64]
Words = NDArray[np.uint64]
Slots = NDArray[np.uint32]
Codes = NDArray[np.uint16]


class Memory(NamedTuple):
    """A book's own arrays, not copies: to be let go of before the book changes, since it cannot grow meanwhile."""

    flags_low: Words
    flags_high: Words
    mode: Codes
    head: Slots
    next: Slots
    column: Codes
    low: Words
    high: Words


class Holdings(NamedTuple):
    """One entry a position; ``of`` is the place of its account among the rows asked for."""

    of: Ints
    column: Ints
    low: Words  # of the amount: low + high * 2**64
    high: Words
    flagged: NDArray[np.bool_]  # bit column >> 2 of the account's flags
    mode: Ints


def memory(book: Book) -> Memory:
    """The arrays of a book."""
    return Memory(
        *(np.frombuffer(part, part.typecode) if part else np.zeros(0, part.typecode) for part in book.storage())
    )


def holdings(book: Book, rows: Sequence[int] | Ints) -> Holdings:
    """Everything these accounts hold."""
    stored = memory(book)
    asked = np.asarray(rows, np.int64)
    of, slot = np.arange(len(asked)), stored.head[asked]
    found: list[tuple[Ints, Slots]] = []
    while len(of := of[slot != 0]):
        slot = slot[slot != 0]
        found.append((of, slot))
        slot = stored.next[slot]
    owner = np.concatenate([part for part, _ in found] or [of])
    slots = np.concatenate([part for _, part in found] or [slot[:0]])
    columns = stored.column[slots].astype(np.int64)
    row = asked[owner]
    bit = (columns >> 2).astype(np.uint64)
    word = np.where(bit < 64, stored.flags_low[row], stored.flags_high[row])  # noqa: PLR2004 - bits of a word
    return Holdings(
        of=owner,
        column=columns,
        low=stored.low[slots],
        high=stored.high[slots],
        flagged=(word >> (bit & np.uint64(63)) & np.uint64(1)).astype(bool),
        mode=stored.mode[row].astype(np.int64),
    )
