"""Who of many is below 1: the integers of ``health.account_data`` in compiled code.

Laws
- Exact, or no answer (``ASK``): what does not fit is refused, never cut.
- ``divided`` is (a*m + up) // d from a reciprocal r = (m << s) // d. For a < 2**s, a*m/d - a*r/2**s is in [0, 1), so
  that (a*r) >> s is less than 2 below a*m/d, and less than 3 below (a*m + up)/d with up < d. What is left over,
  a*m + up - q*d < 3*d, is known from its low 128 bits, as d < 2**126. Hence at most two corrections.
- A value is below 2**96: 255 of them times a threshold stay below 2**120. The quotient of health rounds half of the
  debt up. From 3.5 on, below 1  <=>  W*WAD + D//2 < D*WAD*10^4  <=>  (D*10^4 - W)*WAD > D//2; up to 3.4 the same with
  D - M for M = (C*T + 5000) // 10^4 and T = W // C.
"""

# ruff: noqa: PLR0913, PLR0917 - a kernel reads flat arrays: what it reads is in its signature

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from keeper.core.compiled import inlined, kernel
from keeper.core.units import BPS, RAY, WAD

Word = Any  # np.uint64, and only that: numba turns a sum of signed and unsigned into a float
Pair = tuple[Word, Word]  # 128 bits: low, high
Words = NDArray[np.uint64]
Ints = NDArray[np.int64]
Slots = NDArray[np.uint32]
Codes = NDArray[np.uint16]
Numbers = NDArray[np.int32]
States = NDArray[np.uint8]

ZERO: Final = np.uint64(0)
ONE: Final = np.uint64(1)
_HALF: Final = np.uint64(32)
_MASK: Final = np.uint64(2**32 - 1)
_WORD: Final = np.uint64(64)
_TOP: Final = np.uint64(63)
_VALUE_BITS: Final = np.uint64(96)
_FLAGS: Final = 256  # columns of the reserves in the lower word of an account's flags
_AHEAD: Final = 64
_BPS: Final = np.uint64(BPS)
_HALF_BPS: Final = np.uint64(BPS // 2)
_WAD: Final = (np.uint64(WAD), ZERO)
_RAY: Final = (np.uint64(RAY & 2**64 - 1), np.uint64(RAY >> 64))
_WIDEST_DIVISOR: Final = 2**126

HEALTHY, BELOW, ASK = 0, 1, 2
REFUSED, UNSEEN = -1, -2  # instead of a column's number
MODES: Final = 256
COLUMNS: Final = 512

# of a column: owned or owed, which value, threshold; index, its reciprocal by RAY, shift, what rounds it up
OWED, VALUE, THRESHOLD = 0, 1, 2
INDEX, BY_RAY, RAY_SHIFT, BALANCE_UP = 0, 2, 4, 5
# of a value: price, unit, the reciprocal of 1 by it, shift, what rounds a debt up
PRICE, UNIT, BY_UNIT, UNIT_SHIFT, DEBT_UP = 0, 2, 4, 6, 7


# 128 bits -----------------------------------------------------------------------------------------------------------


def words(value: int) -> tuple[int, int]:
    """An integer below 2**128 as a pair."""
    return value & 2**64 - 1, value >> 64


def reciprocal(multiplier: int, divisor: int, most: int = 127) -> tuple[int, int] | None:
    """``r`` and ``s`` for ``divided``, as fine as fits; ``None``: out of its range."""
    shift = min(most, 128 + divisor.bit_length() - multiplier.bit_length() - 1)
    if shift < 1 or divisor >= _WIDEST_DIVISOR or multiplier >= 2**128:
        return None
    return (multiplier << shift) // divisor, shift


@inlined
def added(a: Pair, b: Pair) -> Pair:
    """Sum, modulo 2**128."""
    low = a[0] + b[0]
    return low, a[1] + b[1] + (ONE if low < a[0] else ZERO)


@inlined
def less_by(a: Pair, b: Pair) -> Pair:
    """Difference, modulo 2**128."""
    return a[0] - b[0], a[1] - b[1] - (ONE if a[0] < b[0] else ZERO)


@inlined
def below(a: Pair, b: Pair) -> bool:
    """Whether a < b."""
    return bool(a[1] < b[1] or (a[1] == b[1] and a[0] < b[0]))


@inlined
def _product(a: Word, b: Word) -> Pair:
    """Of two words, in full."""
    a0, a1, b0, b1 = a & _MASK, a >> _HALF, b & _MASK, b >> _HALF
    low, left, right = a0 * b0, a0 * b1, a1 * b0
    middle = (low >> _HALF) + (left & _MASK) + (right & _MASK)
    high = a1 * b1 + (left >> _HALF) + (right >> _HALF) + (middle >> _HALF)
    return middle << _HALF | low & _MASK, high


@inlined
def times(a: Pair, b: Word) -> Pair:
    """Product with a word, modulo 2**128."""
    low, high = _product(a[0], b)
    return low, high + a[1] * b


@inlined
def product(a: Pair, b: Pair) -> tuple[Word, Word, Word, Word]:
    """In full, lowest word first."""
    p0, p1 = _product(a[0], b[0])
    left, right = _product(a[0], b[1]), _product(a[1], b[0])
    middle = added(left, right)
    high = added(_product(a[1], b[1]), (middle[1], ONE if below(middle, left) else ZERO))
    p1 += middle[0]
    if p1 < middle[0]:
        high = added(high, (ONE, ZERO))
    return p0, p1, high[0], high[1]


@inlined
def shifted(p: tuple[Word, Word, Word, Word], by: Word) -> Pair:
    """The low 128 bits of a product moved right by less than 128."""
    low, middle, high = (p[1], p[2], p[3]) if by >= _WORD else (p[0], p[1], p[2])
    rest = by & _TOP
    if rest == ZERO:
        return low, middle
    return low >> rest | middle << (_WORD - rest), middle >> rest | high << (_WORD - rest)


@inlined
def fits(a: Pair, bits: Word) -> bool:
    """Whether a < 2**bits, for 0 < bits < 128."""
    return bool(a[1] >> (bits - _WORD) == ZERO if bits >= _WORD else a[1] == ZERO and a[0] >> bits == ZERO)


@inlined
def divided(a: Pair, m: Pair, r: Pair, s: Word, up: Pair, d: Pair) -> Pair:
    """(a * m + up) // d, for a < 2**s, up < d and r = (m << s) // d."""
    q = shifted(product(a, r), s)
    am, qd = product(a, m), product(q, d)
    rest = less_by(added((am[0], am[1]), up), (qd[0], qd[1]))
    for _ in range(2):
        if not below(rest, d):
            rest = less_by(rest, d)
            q = added(q, (ONE, ZERO))
    return q


# accounts ------------------------------------------------------------------------------------------------------------


@inlined
def _pair(table: Any, row: int, at: int) -> Pair:  # noqa: ANN401 - an array
    return table[row, at], table[row, at + 1]


@inlined
def _share(total: Pair, weighted: Pair) -> Word:
    """Quotient of the two, when that is below 2**16; 0 of nothing."""
    if total[0] == ZERO and total[1] == ZERO:
        return ZERO
    guess = np.uint64((weighted[1] * 2.0**64 + weighted[0]) / (total[1] * 2.0**64 + total[0]))
    while below(weighted, times(total, guess)):
        guess -= ONE
    while not below(weighted, times(total, guess + ONE)):
        guess += ONE
    return guess


@inlined
def _tenthousandth(a: Pair) -> Pair:
    """The quotient by 10^4, by halves of words."""
    high = a[1] // _BPS
    rest = (a[1] % _BPS) << _HALF | a[0] >> _HALF
    middle = rest // _BPS
    rest = (rest % _BPS) << _HALF | a[0] & _MASK
    return middle << _HALF | rest // _BPS, high


@inlined
def _low(floored: bool, total: Pair, weighted: Pair, debt: Pair) -> bool:  # noqa: FBT001
    """Whether the health factor is below 1."""
    if floored:
        share = times(total, _share(total, weighted))
        covered = _tenthousandth(added(share, (_HALF_BPS, ZERO)))
        owed = debt
    else:
        covered, owed = weighted, times(debt, _BPS)
    if not below(covered, owed):
        return False
    gap = product(less_by(owed, covered), _WAD)
    half = (debt[0] >> ONE | debt[1] << _TOP, debt[1] >> ONE)
    return gap[2] != ZERO or gap[3] != ZERO or below(half, (gap[0], gap[1]))


@inlined
def _worth(amount: Pair, columns: Words, column: int, values: Words, value: int, owed: bool) -> tuple[bool, Pair]:  # noqa: FBT001
    """Whether it fits, and the base value of a scaled amount."""
    nothing = (ZERO, ZERO)
    if not fits(amount, columns[column, RAY_SHIFT]):
        return False, nothing
    balance = divided(
        amount, _pair(columns, column, INDEX), _pair(columns, column, BY_RAY), columns[column, RAY_SHIFT],
        _pair(columns, column, BALANCE_UP), _RAY,
    )  # fmt: skip
    priced = product(balance, _pair(values, value, PRICE))
    shift = values[value, UNIT_SHIFT]
    if priced[2] != ZERO or priced[3] != ZERO or not fits((priced[0], priced[1]), shift):
        return False, nothing
    up = _pair(values, value, DEBT_UP) if owed else nothing
    worth = divided(
        (priced[0], priced[1]), (ONE, ZERO), _pair(values, value, BY_UNIT), shift, up, _pair(values, value, UNIT)
    )
    return fits(worth, _VALUE_BITS), worth


@inlined
def _fetched(
    rows: Ints, flags_low: Words, flags_high: Words, modes: Codes, head: Slots, following: Slots, column: Codes,
    low: Words, high: Words,
) -> Word:  # fmt: skip
    """Bring some accounts into the cache, side by side: one after another each would wait for memory in turn."""
    read = ZERO
    slots = np.empty(_AHEAD, np.uint32)
    for i in range(rows.size):
        slots[i] = head[rows[i]]
        read ^= flags_low[rows[i]] ^ flags_high[rows[i]] ^ np.uint64(modes[rows[i]])
    more = True
    while more:
        more = False
        for i in range(rows.size):
            slot = slots[i]
            if slot:
                read ^= low[slot] ^ high[slot] ^ np.uint64(column[slot])
                slots[i] = following[slot]
                more = True
    return read


@kernel(
    "i8(i8[::1], u8[::1], u8[::1], u2[::1], u4[::1], u4[::1], u2[::1], u8[::1], u8[::1], i4[::1],"
    " i8[:,::1], u8[:,::1], u8[:,::1], b1, u8[:,::1], u1[::1])"
)
def judge(
    rows: Ints, flags_low: Words, flags_high: Words, modes: Codes, head: Slots, following: Slots, column: Codes,
    low: Words, high: Words, numbers: Numbers,
    kinds: Ints, balances: Words, values: Words, floored: bool, debts: Words, states: States,  # noqa: FBT001
) -> int:  # fmt: skip
    """Debts and states of rows of a book; how many of their columns have no number yet."""
    unseen = 0
    for at in range(rows.size):
        if at % _AHEAD == 0:
            debts[at, 0] = _fetched(
                rows[at : at + _AHEAD], flags_low, flags_high, modes, head, following, column, low, high
            )
        row = rows[at]
        mode = modes[row]
        owned, weighted, debt = (ZERO, ZERO), (ZERO, ZERO), (ZERO, ZERO)
        state = HEALTHY if mode < MODES else ASK
        slot = head[row]
        while slot and state != ASK:
            code = column[slot]
            amount = (low[slot], high[slot])
            slot = following[slot]
            flags = flags_low[row] if code < _FLAGS else flags_high[row]
            if code & 3 == 0 and not flags >> np.uint64(code >> 2 & 63) & ONE:
                continue
            number = numbers[mode * COLUMNS + code] if code < COLUMNS else REFUSED
            if number < 0:
                unseen += number == UNSEEN
                state = ASK
                continue
            owed = kinds[number, OWED] != 0
            fitting, worth = _worth(amount, balances, number, values, kinds[number, VALUE], owed)
            if not fitting:
                state = ASK
            elif owed:
                debt = added(debt, worth)
            else:
                owned = added(owned, worth)
                weighted = added(weighted, times(worth, np.uint64(kinds[number, THRESHOLD])))
        if state == HEALTHY and _low(floored, owned, weighted, debt):
            state = BELOW
        states[at] = state
        debts[at, 0], debts[at, 1] = debt
    return unseen
