"""The loops of the screen, compiled, outside the interpreter's lock.

Laws. An account's margin is M = sum of x[c]*w[c]; adapters promise: liquidatable => M < S, S being slack * columns.

1. *No account is missed.* An amount x is stored as the float32 nearest to x - |x|*2^-23; nearest is off by 2^-24 at
   most, so that what is stored is below x - |x|*2^-25. For exact sums, then, M' <= M - 2^-25*G with
   G = sum of |x[c]|*w[c]. Weights are off by 2^-50, a product by 2^-53, a sum of 255 terms in any order by 2^-45:
   less than 2^-43*G together.
   So the computed m <= M - 2^-25*G + 2^-43*G <= M, and M < S gives m < S. An account is flagged when not m > S:
   NaN compares false and is flagged, and so is a debt too large for a float32.
2. *Watch lists miss nobody whom a full sweep flags.* Let A and D be the owned and the owed part of M' when a list was
   made, h = (A - 4S)/D. Since then no owned column's weight fell below a share l of what it was, 1/2 <= l <= 1, and no
   owed one's rose above u >= 1. If h > (1 + 2^-20)*u/l, then now A' >= l*A >= l*(4S + h*D) >= 2S + (1 + 2^-20)*u*D and
   D' <= u*D, up to a relative 2^-43, so that A' - D' > S by more than the sweep's own error: it would not be flagged.
   Accounts stand in bins of h. ``_bin`` is monotone, so that all with h <= r are in the bins up to that of r.
   NaN is in the first bin; a weight that was NaN then concerns the first bin only.
"""

# ruff: noqa: C901, PLR0913, PLR0917 - a kernel is one loop nest over flat arrays: what it reads is in its signature

from typing import Final

import numpy as np
from numpy.typing import NDArray

from keeper.core.compiled import inlined, kernel

Codes = NDArray[np.uint16]
Amounts = NDArray[np.float32]
Rows = NDArray[np.uint32]
Bytes = NDArray[np.uint8]
Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Tally = NDArray[np.int64]
Flags = NDArray[np.bool_]

BLOCK: Final = 128  # accounts that are evaluated together
MIXED: Final = 0xFFFF  # not a code: a block whose accounts differ in this place
BINS: Final = 64
OUTSIDE: Final = 255  # not a bin: too healthy to be watched
HORIZON: Final = 1.05  # health up to which accounts are watched
_SCALE: Final = BINS / (HORIZON - 1)
_MARGIN: Final = 1 + 2.0**-20
_LEAST: Final = 0.5

OWNED, OWED = 1, 2  # on which sides a column was ever held


@kernel("i8(u2[:,::1], f4[:,::1], u2[:,::1], u4[::1], i8, f8[::1], f8, u4[::1], i8)")
def sweep(
    codes: Codes, amounts: Amounts, uniform: Codes, rows: Rows, count: int, weights: Floats, slack: float, out: Rows,
    found: int,
) -> int:  # fmt: skip
    """Append the flagged rows of a group to ``out``; how many there would be, were it long enough."""
    margin = np.empty(BLOCK)
    for block in range((count + BLOCK - 1) // BLOCK):  # not a range with a step: that costs half the speed
        start = block * BLOCK
        size = min(BLOCK, count - start)
        for i in range(size):
            margin[i] = 0.0
        for j in range(codes.shape[0]):
            code = uniform[j, block]
            if code != MIXED:
                weight = weights[code]
                for i in range(size):
                    margin[i] += weight * amounts[j, start + i]
            else:
                for i in range(size):
                    margin[i] += weights[codes[j, start + i]] * amounts[j, start + i]
        low = 0
        for i in range(size):
            low += not (margin[i] > slack)
        if low:
            for i in range(size):
                if not (margin[i] > slack):
                    if found < out.size:
                        out[found] = rows[start + i]
                    found += 1
    return found


@inlined
def _bin(health: float) -> int:
    """Monotone; NaN first."""
    place = (health - 1.0) * _SCALE
    if not (place >= 0.0):
        return 0
    return int(place) if place < BINS else OUTSIDE


@kernel("i8(u2[:,::1], f4[:,::1], u2[:,::1], u4[::1], i8, i8, f8[::1], f8, i8, i8, u2[::1], f4[::1], u4[::1], u1[::1])")
def near(
    codes: Codes, amounts: Amounts, uniform: Codes, rows: Rows, count: int, columns: int, weights: Floats, slack: float,
    cells: int, found: int, to_codes: Codes, to_amounts: Amounts, to_rows: Rows, bins: Bytes,
) -> int:  # fmt: skip
    """Append a group's watched accounts, and the bin of each; how many there would then be, were there room for all.

    Before them are so many ``cells`` (codes, and amounts) and accounts. The group may change meanwhile: an account is
    what is written here, or it changed since the copy began and its owner knows. Codes that were not known when the
    weights were made become 0.
    """
    width = codes.shape[0]
    owned, owed = np.empty(BLOCK), np.empty(BLOCK)
    for block in range((count + BLOCK - 1) // BLOCK):
        start = block * BLOCK
        size = min(BLOCK, count - start)
        for i in range(size):
            owned[i] = -4.0 * slack
            owed[i] = 0.0
        for j in range(width):
            one = uniform[j, block]
            if one != MIXED:
                weight = weights[one if one < columns else 0]
                for i in range(size):
                    value = weight * amounts[j, start + i]
                    owned[i] += value if amounts[j, start + i] > 0 else 0.0
                    owed[i] -= 0.0 if amounts[j, start + i] > 0 else value
            else:
                for i in range(size):
                    code = codes[j, start + i]
                    value = weights[code if code < columns else 0] * amounts[j, start + i]
                    owned[i] += value if amounts[j, start + i] > 0 else 0.0
                    owed[i] -= 0.0 if amounts[j, start + i] > 0 else value
        for i in range(size):
            owned[i] /= owed[i]
        for i in range(size):
            place = _bin(owned[i])
            if place == OUTSIDE:
                continue
            if found < bins.size and cells + width <= to_codes.size:
                for j in range(width):
                    code = codes[j, start + i]
                    to_codes[cells + j] = code if code < columns else 0
                    to_amounts[cells + j] = amounts[j, start + i]
                to_rows[found] = rows[start + i]
                bins[found] = place
            found += 1
            cells += width
    return found


@inlined
def _first(codes: Codes, lists: Ints, cell: int, j: int) -> bool:
    """Whether this is the account's first column of its list; its columns begin at ``cell``."""
    mine = lists[codes[cell + j]]
    if mine == 0:
        return False
    for before in range(cell, cell + j):  # noqa: SIM110 - numba has no ``any``
        if lists[codes[before]] == mine:
            return False
    return True


@kernel("UniTuple(i8, 2)(u2[::1], u1[::1], i8[::1], i8[::1], i8[::1], i8[:,:,::1], i8[:,::1], i8[:,::1], i8[:,::1])")
def lay_out(
    codes: Codes, bins: Bytes, sizes: Ints, widths: Ints, lists: Ints, ends: Tally, strides: Tally, bases: Tally,
    row_bases: Tally,
) -> tuple[int, int]:  # fmt: skip
    """Where everything of every list will stand, group by group; how many cells and rows there are in all."""
    at, cell = 0, 0
    for group in range(sizes.size):
        for _ in range(sizes[group]):
            place = bins[at]
            ends[0, group, place] += 1
            for j in range(widths[group]):
                if _first(codes, lists, cell, j):
                    ends[lists[codes[cell + j]], group, place] += 1
            at += 1
            cell += widths[group]
    cells, rows = 0, 0
    for mine in range(ends.shape[0]):
        for group in range(sizes.size):
            for place in range(1, BINS):
                ends[mine, group, place] += ends[mine, group, place - 1]
            strides[mine, group] = ends[mine, group, BINS - 1]
            bases[mine, group] = cells
            row_bases[mine, group] = rows
            cells += strides[mine, group] * widths[group]
            rows += strides[mine, group]
    return cells, rows


@kernel(
    "void(u2[::1], f4[::1], u4[::1], u1[::1], i8[::1], i8[::1], i8[::1], i8[:,:,::1], i8[:,::1], i8[:,::1], i8[:,::1],"
    " u2[::1], f4[::1], u4[::1])"
)
def fill(
    codes: Codes, amounts: Amounts, rows: Rows, bins: Bytes, sizes: Ints, widths: Ints, lists: Ints, ends: Tally,
    bases: Tally, strides: Tally, row_bases: Tally, pool_codes: Codes, pool_amounts: Amounts, pool_rows: Rows,
) -> None:  # fmt: skip
    """Write the watched accounts into their lists, group by group, in order of bins.

    They are sorted first: what is written then goes to a few places at a time, one after the other.
    """
    first, first_cell = 0, 0
    for group in range(sizes.size):
        width = widths[group]
        order = np.empty(sizes[group], np.int64)
        cursors = np.zeros(BINS, np.int64)
        for place in range(1, BINS):
            cursors[place] = ends[0, group, place - 1]
        for i in range(sizes[group]):
            place = bins[first + i]
            order[cursors[place]] = i
            cursors[place] += 1
        written = np.zeros(ends.shape[0], np.int64)
        for i in order:
            cell = first_cell + i * width
            for j in range(-1, width):
                if j >= 0 and not _first(codes, lists, cell, j):
                    continue
                mine = 0 if j < 0 else lists[codes[cell + j]]
                to = written[mine]
                written[mine] += 1
                pool_rows[row_bases[mine, group] + to] = rows[first + i]
                base, stride = bases[mine, group] + to, strides[mine, group]
                for k in range(width):
                    pool_codes[base + k * stride] = codes[cell + k]
                    pool_amounts[base + k * stride] = amounts[cell + k]
        first += sizes[group]
        first_cell += sizes[group] * width


@kernel("i8(u4[::1], i8[::1], i8[:,::1], b1[::1], b1[::1], i8[::1])")
def arrive(rows: Rows, row_bases: Ints, ends: Tally, before: Flags, now: Flags, out: Ints) -> int:
    """Mark who is on a list, and name those who were not marked before, nearest first; how many there would be."""
    found = 0
    for i in range(now.size):
        now[i] = False
    for place in range(BINS):
        for group in range(row_bases.size):
            start = ends[group, place - 1] if place else 0
            for i in range(row_bases[group] + start, row_bases[group] + ends[group, place]):
                row = rows[i]
                if row >= now.size:
                    continue
                now[row] = True
                if row >= before.size or not before[row]:
                    if found < out.size:
                        out[found] = row
                    found += 1
    return found


@kernel("i8(f8[::1], f8[::1], u1[::1], i8)")
def reach(now: Floats, then: Floats, sides: Bytes, columns: int) -> int:
    """The last bin of a list made ``then`` that matters ``now``; ``OUTSIDE``: the list may lack someone."""
    least, most = 1.0, 1.0
    for code in range(columns):
        if now[code] == then[code] or np.isnan(then[code]):
            continue
        ratio = now[code] / then[code]
        if np.isnan(ratio):
            return OUTSIDE
        if sides[code] & OWNED and ratio < least:
            least = ratio
        if sides[code] & OWED and ratio > most:
            most = ratio
    return _bin(most / least * _MARGIN) if least >= _LEAST else OUTSIDE


@kernel(
    "i8(u2[::1], f4[::1], u4[::1], i8[::1], i8[::1], i8[::1], i8[::1], i8[:,::1], i8, f8[::1], f8, u1[::1], u4[::1])"
)
def look(
    codes: Codes, amounts: Amounts, rows: Rows, widths: Ints, bases: Ints, strides: Ints, row_bases: Ints, ends: Ints,
    last: int, weights: Floats, slack: float, stale: Bytes, out: Rows,
) -> int:  # fmt: skip
    """The flagged rows of a watch list up to a bin, without those that changed since."""
    found = 0
    margin = np.empty(BLOCK)
    for group in range(widths.size):
        least = slack * widths[group]
        count = ends[group, last]
        for block in range((count + BLOCK - 1) // BLOCK):
            start = block * BLOCK
            size = min(BLOCK, count - start)
            for i in range(size):
                margin[i] = 0.0
            for j in range(widths[group]):
                at = bases[group] + j * strides[group] + start
                for i in range(size):
                    margin[i] += weights[codes[at + i]] * amounts[at + i]
            low = 0
            for i in range(size):
                low += not (margin[i] > least)
            if low:
                for i in range(size):
                    row = rows[row_bases[group] + start + i]
                    if not (margin[i] > least) and not stale[row]:
                        if found < out.size:
                            out[found] = row
                        found += 1
    return found


@kernel("void(u2[:,::1], f4[:,::1], i8, f8[::1], u1[::1], f8[::1], f8[::1])")
def split(
    codes: Codes, amounts: Amounts, count: int, weights: Floats, moving: Bytes, fixed: Floats, moved: Floats
) -> None:
    """Margins of a group in two parts: of the columns marked as moving, and of the others."""
    for i in range(count):
        fixed[i] = moved[i] = 0.0
    for j in range(codes.shape[0]):
        for i in range(count):
            code = codes[j, i]
            value = weights[code] * amounts[j, i]
            if moving[code]:
                moved[i] += value
            else:
                fixed[i] += value
