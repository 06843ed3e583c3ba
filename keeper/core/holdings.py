"""What many accounts hold, read from a book at once.

Law: the same as ``positions``, ``flags`` and ``mode`` of every row, in another order; copies: the book may change then.
"""

from array import array
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from keeper.core.book import Book

Ints = NDArray[np.int64]
Words = NDArray[np.uint64]


class Holdings(NamedTuple):
    """One entry a position; ``of`` is the place of its account among the rows asked for."""

    of: Ints
    column: Ints
    low: Words  # of the amount: low + high * 2**64
    high: Words
    flagged: NDArray[np.bool_]  # bit column >> 2 of the account's flags
    mode: Ints


def holdings(book: Book, rows: Sequence[int] | Ints) -> Holdings:
    """Everything these accounts hold."""
    stored = book.storage()
    following, column = _view(stored.next), _view(stored.column)
    asked = np.asarray(rows, np.int64)
    of, slot = np.arange(len(asked)), _view(stored.head)[asked]
    found: list[tuple[Any, Any]] = []
    while len(of := of[slot != 0]):
        slot = slot[slot != 0]
        found.append((of, slot))
        slot = following[slot]
    owner = np.concatenate([part for part, _ in found] or [of])
    slots = np.concatenate([part for _, part in found] or [of])
    columns = column[slots].astype(np.int64)
    row = asked[owner]
    bit = (columns >> 2).astype(np.uint64)
    word = np.where(bit < 64, _view(stored.flags_low)[row], _view(stored.flags_high)[row])  # noqa: PLR2004 - bits
    return Holdings(
        of=owner,
        column=columns,
        low=_view(stored.low)[slots],
        high=_view(stored.high)[slots],
        flagged=(word >> (bit & np.uint64(63)) & np.uint64(1)).astype(bool),
        mode=_view(stored.mode)[row].astype(np.int64),
    )


def _view(numbers: "array[int]") -> NDArray[Any]:
    """An array's own memory."""
    return np.frombuffer(numbers, numbers.typecode) if len(numbers) else np.zeros(0, numbers.typecode)
