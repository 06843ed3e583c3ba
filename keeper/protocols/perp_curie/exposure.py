"""Perpetual accounts as lines: the bound the screen relies on.

For an account without orders, in wei of a dollar: s the size, q the open notional, g the funding accumulator when it
last settled, G the accumulator now, D = 86400 * 2**96, p the mark price, m the maintenance ratio.

1. A position is worth V = s*p/10^18 rounded toward zero, and |V| <= |s|*p/10^18. So a long gives V - m*|V| >
   (1-m)*s*p/10^18 - 1, and a short gives V - m*|V| >= -(1+m)*|s|*p/10^18. The requirement is the sum of m*|V|, floored.
2. Funding due is s*(G-g)/2**96 rounded toward zero, then divided by 86400 and rounded toward zero:
   it is below s*(G-g)/D + 2.
3. The account value is the sum of cash, V, q and tokens less funding, floored to the settlement token's unit u: it
   loses less than u. So below the requirement  =>  cash + sum q + sum s*g/D + tokens + sum (V - m*|V|) - sum s*G/D
   <  u + 3 * (positions).
4. A token of the margin counts its value rounded down three times at most: it is worth at least x*t - 3 wei for x
   units of it, t = price * ratio / scales.

Hence columns: the cash (c + sum q + sum s*g/D, rounded down: one wei more) with weight 1; the size in a market at
(1-m)*p/10^18 for a long and (1+m)*p/10^18 for a short; the size against G/D in two columns, of which one has weight 0,
because G has a sign and a weight has none; tokens at t. Slack u + 8 a column: a position always names three.

Funding is paid per settlement, so G and g are large where s*(G-g) is small; what cancels costs precision of floats, not
the bound. An account with orders is not linear: what they hold follows the pool's price, not the mark price. It is
confirmed every block.
"""

from collections.abc import Iterator, Sequence
from enum import IntEnum
from math import inf
from typing import Final

import numpy as np

from keeper.core.book import Book
from keeper.core.margin import Column, Exposures, Lines, Weights
from keeper.core.units import WAD, ZERO_ADDRESS, Address
from keeper.protocols.perp_curie.facts import COLLATERALS, NOTIONAL, Collateral, pair_key
from keeper.protocols.perp_curie.funding import DAY
from keeper.protocols.perp_curie.maths import Q96, RATIO
from keeper.protocols.perp_curie.view import Terms, View

_PER_SIZE: Final = DAY * Q96
_ROUNDED: Final = 8.0  # wei a column

CASH: Final = 0  # the one column that is no market's; others are number << 2 | side


class Side(IntEnum):
    """Columns of a market."""

    LONG = 0
    SHORT = 1
    PAID = 2  # against a positive accumulator
    EARNED = 3  # against a negative one


def exposures(book: Book, row: int) -> Exposures | None:
    """The account's line."""
    if book.flags(row):
        return None
    line: list[tuple[Column, int]] = []
    account, cash, scaled = book.account(row), 0, 0
    unit = book.fact("parts").unit
    names = {entry.number: base for base, entry in book.facts("listing").items()}
    owes = False
    for column, amount in book.positions(row):
        number, quantity, value = column >> 2, column & 2, -amount if column & 1 else amount
        if number >= COLLATERALS:
            line.append((number << 2, value))
        elif number == 0:
            cash += value if quantity else value * unit
        elif quantity == NOTIONAL:
            cash += value
        else:
            owes = True
            scaled += value * (book.fact("since", pair_key(account, names[number])) or 0)
            line += _size(number, value)
    if not owes:
        return ()
    cash += scaled // _PER_SIZE
    return [(CASH, cash), *line] if cash else line


def _size(number: int, size: int) -> Iterator[tuple[Column, int]]:
    yield number << 2 | (Side.LONG if size > 0 else Side.SHORT), size
    yield number << 2 | Side.PAID, -size
    yield number << 2 | Side.EARNED, size


def lines(book: Book) -> Lines:
    """All lines."""
    found = [(row, exposures(book, row)) for row in range(len(book))]
    flat = [(row, *term) for row, line in found for term in (line or ())]
    return Lines(
        rows=np.array([row for row, _, _ in flat], np.int64),
        columns=np.array([column for _, column, _ in flat], np.int64),
        amounts=np.array([float(amount) for _, _, amount in flat]),
        unclear=[row for row, line in found if line is None],
    )


def weights(view: View, columns: Sequence[Column]) -> Weights:
    """The weights of columns at the view's time."""
    found = [_weight(view, column) for column in columns]
    prices = {terms.base: terms.price for terms in view.terms.values() if terms.price}
    prices |= {token: entry.price for token, entry in view.collaterals.values() if entry.price}
    slack = view.unit + _ROUNDED
    return Weights([factor for factor, _ in found], [asset for _, asset in found], prices, slack)


def _weight(view: View, column: Column) -> tuple[float, Address]:
    """Factor and asset of one column; nobody in a market without terms can be confirmed."""
    number, side = column >> 2, column & 3
    if column == CASH:
        return 1.0, ZERO_ADDRESS
    if number >= COLLATERALS:
        token, entry = view.collaterals[number]
        return (_token(entry), token) if entry.price else (inf, ZERO_ADDRESS)
    terms = view.terms.get(number)
    if terms is None or terms.price is None or view.risk is None:
        return inf if side == Side.LONG else 0.0, ZERO_ADDRESS
    return _market(terms, view.risk.maintenance, Side(side))


def _market(terms: Terms, maintenance: int, side: Side) -> tuple[float, Address]:
    match side:
        case Side.LONG:
            return (RATIO - maintenance) / (RATIO * WAD), terms.base
        case Side.SHORT:
            return (RATIO + maintenance) / (RATIO * WAD), terms.base
        case Side.PAID:
            return max(terms.growth.premium, 0) / _PER_SIZE, ZERO_ADDRESS
        case Side.EARNED:
            return max(-terms.growth.premium, 0) / _PER_SIZE, ZERO_ADDRESS


def _token(entry: Collateral) -> float:
    """Wei of a dollar that a unit of a token counts, at a price of one."""
    return entry.ratio * 10.0 ** (18 - entry.decimals - entry.price_decimals) / RATIO
