"""Which of many accounts are below 1: the integers of ``View.health`` without its objects.

Law: equal to ``health`` for every account and release. What each column needs is looked up once a view; an account with
stable debt, which has a clock of its own, is asked of the view itself.
"""

from collections.abc import Iterable, Mapping
from copy import copy
from typing import Final, NamedTuple

from keeper.core.book import Book
from keeper.core.ports import Quarantine
from keeper.core.units import BPS, RAY, WAD, ZERO_ADDRESS, Address
from keeper.protocols.aave_v3 import maths
from keeper.protocols.aave_v3.facts import COLLATERAL, DEBT
from keeper.protocols.aave_v3.profiles import Rounded
from keeper.protocols.aave_v3.view import View

_ADDED: Final[dict[Rounded, int]] = {  # each rounding of a product of rays is a floor after adding this
    maths.ray_mul_floor: 0,
    maths.ray_mul_half_up: RAY // 2,
    maths.ray_mul_ceil: RAY - 1,
}
_MODE: Final = 16
_HALF_BPS: Final = BPS // 2


class _Column(NamedTuple):
    """(amount * ray + balance_up) // RAY is the balance; (balance * price + value_up) // unit its value."""

    owed: bool
    ray: int  # the index
    balance_up: int
    price: int
    value_up: int
    unit: int
    threshold: int


_NOTHING: Final = _Column(owed=False, ray=0, balance_up=0, price=0, value_up=0, unit=1, threshold=0)


def supposing(view: View, prices: Mapping[Address, int]) -> View:
    """The same market with other prices, of assets or of e-modes, that the oracle has a price of."""
    other = copy(view)
    other.terms = {
        number: terms._replace(price=prices.get(Address(terms.asset), terms.price))
        for number, terms in view.terms.items()
    }
    other.emode_prices = {
        mode: price and prices.get(Address(view.emodes[mode].price_source), price)
        for mode, price in view.emode_prices.items()
    }
    return other


class Confirm:
    """The judge of one view, or of the same with other prices."""

    def __init__(self, view: View, prices: Mapping[Address, int] | None = None) -> None:
        self.view = view
        self.prices = prices or {}
        self._view = supposing(view, self.prices) if self.prices else view
        self._floored = view.profile is not None and view.profile.threshold_floored
        self._columns: dict[int, _Column | None] = {}
        self._missing = sum(1 << number for number in view.missing)
        self._priceless = {
            mode
            for mode, emode in view.emodes.items()
            if emode.price_source != ZERO_ADDRESS and view.emode_prices[mode] is None
        }

    def below(self, book: Book, rows: Iterable[int]) -> list[int]:
        """Those of the accounts that are below 1, the largest debt first."""
        if self._view.profile is None:
            return []
        judged = ((self._debt_below(book, row), row) for row in rows)
        return [row for _, row in sorted(((-debt, row) for debt, row in judged if debt))]

    def _debt_below(self, book: Book, row: int) -> int:
        """The debt of an account below 1; 0 of one that is not, or that has no health."""
        flags, mode = book.flags(row), book.mode(row)
        if flags & self._missing or mode in self._priceless:
            return 0
        high, columns = mode << _MODE, self._columns
        collateral = weighted = debt = 0
        for number, amount in book.positions(row):
            key = high | number
            column = columns[key] if key in columns else self._learn(key)
            if column is None:
                return self._asked(book, row)
            owed, index, balance_up, price, value_up, unit, threshold = column
            if owed:
                debt += ((amount * index + balance_up) // RAY * price + value_up) // unit
            elif flags >> (number >> 2) & 1:
                value = (amount * index + balance_up) // RAY * price // unit
                collateral += value
                weighted += value * threshold
        if self._floored:
            average = weighted // collateral if collateral else 0
            low = (collateral * average + _HALF_BPS) // BPS * WAD + debt // 2 < debt * WAD
        else:
            low = weighted * WAD + debt // 2 < debt * WAD * BPS
        return debt if low else 0

    def _asked(self, book: Book, row: int) -> int:
        health = self._view.health(book, row)
        return 0 if isinstance(health, Quarantine) or health.health_factor >= WAD else health.debt

    def _learn(self, key: int) -> _Column | None:
        found = self._columns[key] = self._column(key >> _MODE, key >> 2 & 0x3FFF, key & 3)
        return found

    def _column(self, mode: int, number: int, side: int) -> _Column | None:
        """``None``: not to be judged here."""
        view, profile = self._view, self._view.profile
        if side not in (COLLATERAL, DEBT) or number in view.missing or profile is None:
            return None
        if number not in view.terms:
            return _NOTHING
        terms, price = view.terms[number], view.price(mode, number)
        if side == DEBT:
            up = terms.unit - 1 if profile.debt_value is maths.value_ceil else 0
            return _Column(True, terms.borrow_index, _ADDED[profile.debt_balance], price, up, terms.unit, 0)
        if not (profile.counts_zero_threshold or terms.config.threshold):
            return _NOTHING
        up = _ADDED[profile.collateral_balance]
        return _Column(False, terms.liquidity_index, up, price, 0, terms.unit, view.threshold(mode, number))
