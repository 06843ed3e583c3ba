"""Compound v2 accounts as lines: the bound the screen relies on.

Columns are (pool, market, side). With b vTokens, R the stored exchange rate, p the price, T the threshold, a principal
d counted at index i, and I the market's index once accrued:

1. An account is liquidatable when, for some pair of markets that are accrued and all others as stored, what is owed is
   worth more than the collateral. Accruing raises R and I. So with R as stored and I as accrued, everywhere, the
   collateral is at most, and the debt at least, what it is for any pair:
   liquidatable  =>  sum C(R) < sum D(I).
2. C = floor(floor(A * p / WAD) * b / WAD) with A = floor(T * R / WAD), so C > (A*p/WAD - 1) * b/WAD - 1
   = b * A*p/WAD^2 - b/WAD - 1.  With b <= 1e27 this is at least b * A*p/WAD^2 - (1e9 + 1).
3. D = floor(p * floor(d*I/i) / WAD) <= p/WAD * d*I/i; with x = -ceil(d * F / i) and F = WAD * 2^32 that is at most
   -x * I*p/(WAD*F).
4. VAI: minted + floor((I - i) * (minted - past) / WAD) <= x' + I/WAD * x'' with x'' = minted - past and
   x' = ceil(minted - i * x'' / WAD); its price is one dollar, always.
5. A supposed price is rounded down once more, which costs a collateral b/WAD at most.
6. Together:  liquidatable  =>  sum of the columns < (2e9 + 1) * columns: a slack of two parts of a billion of a dollar.

An account with more vTokens than 1e27 in one market, or with a debt that owners released, has no line. A debt in a
market that is released for everybody has no bound: its factor is NaN.
"""

from collections.abc import Sequence
from math import inf, nan
from typing import Final

import numpy as np

from keeper.core.book import Book
from keeper.core.margin import Column, Exposures, Lines, Weights
from keeper.core.units import WAD, ZERO_ADDRESS, Address
from keeper.protocols.compound_v2.facts import DEBT, FORCED, VAI
from keeper.protocols.compound_v2.view import View, whole_price

_POOL: Final = 16  # a column is pool << 16 | number << 2 | side
_PLAIN: Final = 3 << 40  # VAI: what does not grow
_FINE: Final = WAD << 32
_MOST: Final = 10**27
_SLACK: Final = 2e9 + 3.0


def exposures(book: Book, row: int) -> Exposures | None:
    """The account's line."""
    flags, pool = book.flags(row), book.mode(row) << _POOL
    if flags & FORCED:
        return None
    line: list[tuple[Column, int]] = []
    owes = False
    for column, amount in book.positions(row):
        side = column & 3
        if side == VAI:
            owes = True
            line.extend(_vai(amount, *book.annex(row, column)))
        elif side == DEBT:
            owes = True
            line.append((pool | column, -amount * _FINE // book.annex(row, column)[0]))
        elif flags >> (column >> 2) & 1:
            if amount > _MOST:
                return None
            line.append((pool | column, amount))
    return line if owes else ()


def _vai(minted: int, past: int, index: int) -> list[tuple[Column, int]]:
    grows = minted - past
    plain = -(-(minted * WAD - index * grows) // WAD)
    return [(column, -amount) for column, amount in ((VAI, grows), (_PLAIN, plain)) if amount]


def lines(book: Book) -> Lines:
    """All lines. Debts are counted at an index of their own, so accounts are taken one by one."""
    rows: list[int] = []
    columns: list[int] = []
    amounts: list[float] = []
    unclear: list[int] = []
    for row in range(len(book)):
        line = exposures(book, row)
        if line is None:
            unclear.append(row)
            continue
        for column, amount in line:
            rows.append(row)
            columns.append(column)
            amounts.append(float(amount))
    return Lines(np.array(rows, np.int64), np.array(columns, np.int64), np.array(amounts, np.float64), unclear)


def weights(view: View, columns: Sequence[Column]) -> Weights:
    """The weights of columns at the view's time."""
    found = [_weight(view, column) for column in columns]
    prices = {terms.asset: whole_price(terms) for terms in view.terms.values()}
    return Weights([factor for factor, _ in found], [asset for _, asset in found], prices, _SLACK)


def _weight(view: View, column: Column) -> tuple[float, Address]:
    """Factor and asset of one column."""
    if column in (_PLAIN, VAI):
        return 1.0 if column == _PLAIN else view.vai_accrued / WAD, ZERO_ADDRESS
    number, side = column >> 2 & 0x3FFF, column & 3
    terms = view.terms.get(number)
    if terms is None:  # it cannot be confirmed, or it was taken off the list and counts nothing
        return inf if side != DEBT and number in view.missing else 0.0, ZERO_ADDRESS
    whole = whole_price(terms)
    if not whole or (side == DEBT and terms.config.forced):
        return nan, ZERO_ADDRESS
    if side == DEBT:
        return terms.accrued.index * terms.price / (WAD * _FINE) / whole, terms.asset
    counted = view.risk(column >> _POOL, terms.v_token).threshold * terms.rate // WAD
    return counted * terms.price / (WAD * WAD) / whole, terms.asset
