"""A whole book into groups, at once.

Law: the same content as touching every row; codes go by popularity and alike accounts stand side by side, so that
whole blocks share their weights.
"""

import numpy as np
from numpy.typing import NDArray

from keeper.core.margin import Lines
from keeper.screen.columns import Columns
from keeper.screen.groups import WIDEST, Dense, Group, Groups, towards_ruin
from keeper.screen.kernels import Amounts, Codes, Ints


def load(lines: Lines, rows: int, columns: Columns) -> tuple[Groups, set[int]]:
    """All accounts of a book with so many rows in groups; and the rows that cannot be in one."""
    codes = _codes(columns, lines.columns, lines.amounts)
    widths = np.bincount(lines.rows, minlength=rows)
    lost = np.unique(np.concatenate([lines.rows[codes == 0], np.flatnonzero(widths > WIDEST)]))  # no code, no room
    widths[lost] = 0
    order = np.lexsort((codes, lines.rows))
    order = order[widths[lines.rows[order]] > 0]
    groups = _groups(widths, codes[order].astype(np.uint16), towards_ruin(lines.amounts[order]))
    return groups, {*lines.unclear, *lost.tolist()}


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
