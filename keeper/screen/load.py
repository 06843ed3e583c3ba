"""A whole book into groups, at once.

Law: the same content as touching every row; codes go by popularity and alike accounts stand side by side, so that
whole blocks share their weights.
"""

from array import array
from typing import Any

import numpy as np
from numpy.typing import NDArray

from keeper.core.book import Book
from keeper.core.margin import Margin
from keeper.screen.columns import Columns
from keeper.screen.groups import WIDEST, Dense, Group, Groups, towards_ruin
from keeper.screen.kernels import Amounts, Codes, Ints


def load(margin: Margin, book: Book, columns: Columns) -> tuple[Groups, set[int]]:
    """All accounts of a book in groups; and the rows that cannot be in one."""
    keys, amounts, widths, unclear = _lines(margin, book)
    codes = _codes(columns, keys, amounts)
    owners = np.repeat(np.arange(len(widths)), widths)
    lost = np.unique(owners[codes == 0])  # there were no more codes
    unclear |= set(lost.tolist())
    kept = ~np.isin(owners, lost)
    widths[lost] = 0
    order = np.lexsort((codes[kept], owners[kept]))
    return _groups(widths, codes[kept][order].astype(np.uint16), towards_ruin(amounts[kept][order])), unclear


def _lines(margin: Margin, book: Book) -> tuple[Ints, NDArray[np.float64], Ints, set[int]]:
    """All lines end to end, and how long each row's is."""
    keys, amounts, widths = array("q"), array("d"), array("q")
    unclear: set[int] = set()
    for row in range(len(book)):
        line = margin.exposures(book, row)
        if line is None or len(line) > WIDEST:
            unclear.add(row)
            line = ()
        widths.append(len(line))
        for key, amount in line:
            keys.append(key)
            amounts.append(amount)
    return _view(keys), _view(amounts), _view(widths), unclear


def _view(numbers: "array[Any]") -> NDArray[Any]:
    return np.frombuffer(numbers, numbers.typecode) if numbers else np.zeros(0, numbers.typecode)


def _codes(columns: Columns, keys: Ints, amounts: NDArray[np.float64]) -> Ints:
    """The code of every key; 0 where there was none left."""
    unique, inverse, counts = np.unique(keys, return_inverse=True, return_counts=True)
    owned, owed = (np.bincount(inverse[side], minlength=len(unique)) for side in (amounts > 0, amounts < 0))
    found = np.zeros(len(unique), np.int64)
    for at in np.argsort(-counts, kind="stable").tolist():
        sides = [amount for amount, held in ((1, owned[at]), (-1, owed[at])) if held]
        codes = [columns.code(int(unique[at]), amount) for amount in sides]
        found[at] = codes[0] or 0
    return found[inverse]


def _groups(widths: Ints, codes: Codes, amounts: Amounts) -> Groups:
    starts = np.cumsum(widths) - widths
    places = np.zeros(len(widths), np.uint64)
    found: dict[int, Group] = {}
    for width in np.unique(widths[widths > 0]).tolist():
        rows = np.flatnonzero(widths == width)
        where = starts[rows] + np.arange(width)[:, None]
        group = found[width] = Group(width, len(rows) + len(rows) // 8)
        group.fill(rows.astype(np.uint32), codes[where], amounts[where])
        places[group.rows[: group.count]] = np.arange(group.count, dtype=np.uint64) << 8 | width
    groups = Groups(Dense(places.tobytes()))
    groups.of = found
    return groups
