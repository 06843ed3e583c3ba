"""Aave accounts as lines: the bound the screen relies on.

A column is (e-mode, reserve, side). With s the scaled balance, I >= RAY its index, p its price, u its unit, LT its
threshold in basis points and v = I*p/(RAY*u), the value of one scaled unit:

1. A balance is s*I/RAY rounded somehow, a value is balance*p/u rounded somehow; each step errs by at most one unit.
   p/u <= v, as I >= RAY. So a collateral is worth C >= (s-1)*v - 1, and a debt D <= (s+1)*v + 1, in base units.
2. From 3.5 on: below 1  =>  sum LT*C < 10^4 * sum D (rounding the quotient half up only helps the account).
   Up to 3.4 the average threshold is floored: T >= sum LT*C / sum C - 1, and C*T/10^4 is rounded half up before it is
   compared with D: below 1  =>  it is at most D - 1  =>  sum C * T < 10^4 * sum D  =>  sum (LT-1)*C < 10^4 * sum D.
3. Together, with L = LT or LT - 1:  below 1  =>  sum L*(s-1)*v - sum 10^4*(s+1)*v  <  sum L + 10^4 * (debts),
   at most 10^4 a column. Hence x = s-1 and -(s+1), factors L*I/(RAY*u) and 10^4*I/(RAY*u), slack 10^4.

L = -1 (floored, LT = 0 in an e-mode although the reserve counts) would need an upper bound of C: no bound is given.
A collateral with s = 1 is left out: C >= 0. Stable debt compounds at the account's own rate: no line.
"""

from collections.abc import Sequence
from math import inf, nan
from typing import Final, NamedTuple

import numpy as np

from keeper.core.book import Book
from keeper.core.holdings import holdings
from keeper.core.margin import Column, Exposures, Lines, Weights
from keeper.core.units import BPS, RAY, ZERO_ADDRESS, Address
from keeper.protocols.aave_v3.facts import COLLATERAL, DEBT
from keeper.protocols.aave_v3.profiles import Profile
from keeper.protocols.aave_v3.view import Terms, View

_MODE: Final = 16  # a column is mode << 16 | reserve id << 2 | side


def exposures(book: Book, row: int) -> Exposures | None:
    """The account's line."""
    flags, mode = book.flags(row), book.mode(row) << _MODE
    line: list[tuple[Column, int]] = []
    owes = False
    for column, amount in book.positions(row):
        side = column & 3
        if side == DEBT:
            line.append((mode | column, -amount - 1))
            owes = True
        elif side != COLLATERAL:
            return None
        elif amount > 1 and flags >> (column >> 2) & 1:
            line.append((mode | column, amount - 1))
    return line if owes else ()


def lines(book: Book) -> Lines:
    """All lines."""
    held = holdings(book, np.arange(len(book)))
    side = held.column & 3
    owed, owned = side == DEBT, side == COLLATERAL
    owes = np.zeros(len(book), bool)
    owes[held.of[owed]] = True
    unclear = np.unique(held.of[~owed & ~owned])
    owes[unclear] = False
    counts = owes[held.of] & (owed | owned & held.flagged & ((held.low > 1) | (held.high > 0)))
    amounts = (held.high * 2.0**64 + held.low)[counts]
    return Lines(
        rows=held.of[counts],
        columns=(held.mode << _MODE | held.column)[counts],
        amounts=np.where(owed[counts], -amounts - 1, amounts - 1),
        unclear=unclear.tolist(),
    )


class _Reserve(NamedTuple):
    """What of a reserve does not depend on the e-mode."""

    asset: Address
    category: int
    owned: float  # I / (RAY * u)
    owed: float  # 10^4 times that, of the borrow index


def weights(view: View, columns: Sequence[Column]) -> Weights:
    """The weights of columns at the view's time."""
    scale = _Scale(view)
    found = [scale.weight(column >> _MODE, column >> 2 & 0x3FFF, column & 3) for column in columns]
    values = [scale.value(column >> 2 & 0x3FFF, column & 3) for column in columns]
    return Weights([factor for factor, _ in found], [asset for _, asset in found], scale.prices, scale.slack, values)


class _Scale:
    """Weights while they are listed."""

    def __init__(self, view: View) -> None:
        self.view = view
        self.prices = {Address(terms.asset): terms.price for terms in view.terms.values() if terms.price}
        self.sources: dict[int, Address] = {}  # e-modes with a price of their own
        self.priceless: set[int] = set()  # e-modes that should have one
        for mode, emode in view.emodes.items():
            self._price(mode, Address(emode.price_source))
        self.reserves = {number: _reserve(terms) for number, terms in view.terms.items()}
        thresholds = [terms.config.threshold for terms in view.terms.values()]
        self.slack = float(max([BPS, *thresholds, *(emode.threshold for emode in view.emodes.values())]))

    def _price(self, mode: int, source: Address) -> None:
        price = self.view.emode_prices[mode]
        if price:
            self.sources[mode] = source
            self.prices[source] = price
        elif price is None and source != ZERO_ADDRESS:
            self.priceless.add(mode)

    def weight(self, mode: int, number: int, side: int) -> tuple[float, Address]:
        """Factor and asset of one column."""
        view, profile = self.view, self.view.profile
        if profile is None or view.lacks(mode, number) or mode in self.priceless:
            return 0.0 if side == DEBT else inf, ZERO_ADDRESS  # such an account cannot be confirmed
        if number not in self.reserves:
            return 0.0, ZERO_ADDRESS  # not listed any more: it counts nothing
        reserve = self.reserves[number]
        source = None if profile.bitmap_emodes or reserve.category != mode else self.sources.get(mode)
        factor = reserve.owed if side == DEBT else reserve.owned * self._threshold(profile, mode, number)
        return factor, reserve.asset if source is None else source

    def value(self, number: int, side: int) -> float:
        """What a scaled unit is worth in base currency at a price of one."""
        reserve = self.reserves.get(number)
        if reserve is None:
            return 0.0
        return reserve.owed / BPS if side == DEBT else reserve.owned

    def _threshold(self, profile: Profile, mode: int, number: int) -> float:
        """L: what a unit of collateral value adds to the margin."""
        if not (profile.counts_zero_threshold or self.view.terms[number].config.threshold):
            return 0.0
        threshold = self.view.threshold(mode, number) - profile.threshold_floored
        return float(threshold) if threshold >= 0 else nan


def _reserve(terms: Terms) -> _Reserve:
    """The proof asks for indexes of at least a ray; the pool has never broken that."""
    sound = min(terms.liquidity_index, terms.borrow_index) >= RAY
    return _Reserve(
        Address(terms.asset),
        terms.config.category,
        terms.liquidity_index / (RAY * terms.unit) if sound else nan,
        BPS * terms.borrow_index / (RAY * terms.unit) if sound else nan,
    )
