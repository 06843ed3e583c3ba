"""Which of many accounts are below 1: the integers of ``View.health`` without its objects.

Law: equal to ``health`` for every account and release. What each column needs is looked up once a view; an account with
stable debt, which has a clock of its own, is asked of the view itself.
"""

from collections.abc import Mapping, Sequence
from copy import copy
from typing import Final

import numpy as np

from keeper.core.book import Book
from keeper.core.ports import Quarantine
from keeper.core.units import BPS, RAY, WAD, ZERO_ADDRESS, Address
from keeper.protocols.aave_v3 import maths
from keeper.protocols.aave_v3.bulk import MODE, Bulk, Factors
from keeper.protocols.aave_v3.facts import COLLATERAL, DEBT
from keeper.protocols.aave_v3.profiles import Rounded
from keeper.protocols.aave_v3.view import View

_ADDED: Final[dict[Rounded, int]] = {  # each rounding of a product of rays is a floor after adding this
    maths.ray_mul_floor: 0,
    maths.ray_mul_half_up: RAY // 2,
    maths.ray_mul_ceil: RAY - 1,
}
_MANY: Final = 8  # from so many on arrays pay
_HALF_BPS: Final = BPS // 2


_NOTHING: Final = Factors(
    owed=False, ray=0, balance_up=0, asset=ZERO_ADDRESS, price=0, debt_up=0, unit=1, threshold=0
)  # fmt: skip


def _largest(judged: tuple[int, int]) -> int:
    return -judged[0]


def supposing(view: View, prices: Mapping[Address, int]) -> View:
    """The same market with other prices, of assets or of e-modes, that the oracle has a price of."""
    other = copy(view)
    other.terms = {
        number: terms._replace(price=terms.price and prices.get(Address(terms.asset), terms.price))
        for number, terms in view.terms.items()
    }
    other.emode_prices = {
        mode: price and prices.get(Address(view.emodes[mode].price_source), price)
        for mode, price in view.emode_prices.items()
    }
    return other


class Confirm:
    """The judge of one view."""

    def __init__(self, view: View) -> None:
        self.view = view
        self._floored = view.profile is not None and view.profile.threshold_floored
        self._factors: dict[int, Factors | None] = {}
        self._bulk = Bulk(self.factors, floored=self._floored)
        self._missing = sum(1 << number for number in view.missing if number not in view.terms)
        self._priceless = {
            mode
            for mode, emode in view.emodes.items()
            if emode.price_source != ZERO_ADDRESS and view.emode_prices[mode] is None
        }

    def below(self, book: Book, rows: Sequence[int], prices: Mapping[Address, int]) -> list[int]:
        """Those of the accounts that are below 1 with these prices instead of the view's, the largest debt first."""
        if self.view.profile is None:
            return []
        known = [row for row in rows if self._known(book, row)] if self._missing or self._priceless else rows
        if len(known) < _MANY:
            judged = [(debt, row) for row in known if (debt := self._debt_below(book, row, prices))]
            return [row for _, row in sorted(judged, key=_largest)]
        found, owed, left = self._bulk.below(book, known, prices)
        if left:
            asked = [(row, debt) for row in left if (debt := self._debt_below(book, row, prices))]
            found = np.append(found, np.array([row for row, _ in asked], np.int64))
            owed = np.append(owed, [float(debt) for _, debt in asked])
        order = np.argsort(-owed, kind="stable")
        ordered: list[int] = found[order].tolist()
        return ordered

    def _known(self, book: Book, row: int) -> bool:
        """Whether nothing that the account as a whole depends on is set aside."""
        return not book.flags(row) & self._missing and book.mode(row) not in self._priceless

    def _debt_below(self, book: Book, row: int, prices: Mapping[Address, int]) -> int:
        """The debt of an account below 1; 0 of one that is not, or that has no health."""
        flags, high = book.flags(row), book.mode(row) << MODE
        collateral = weighted = debt = 0
        for number, amount in book.positions(row):
            if not (number & 3 or flags >> (number >> 2) & 1):
                continue
            factors = self.factors(high | number)
            if factors is None:
                return self._asked(book, row, prices)
            owed, ray, balance_up, asset, price, debt_up, unit, threshold = factors
            priced = (amount * ray + balance_up) // RAY * prices.get(asset, price)
            if owed:
                debt += (priced + debt_up) // unit
            else:
                collateral += priced // unit
                weighted += priced // unit * threshold
        return debt if self._low(collateral, weighted, debt) else 0

    def _low(self, collateral: int, weighted: int, debt: int) -> bool:
        if self._floored:
            average = weighted // collateral if collateral else 0
            return (collateral * average + _HALF_BPS) // BPS * WAD + debt // 2 < debt * WAD
        return weighted * WAD + debt // 2 < debt * WAD * BPS

    def _asked(self, book: Book, row: int, prices: Mapping[Address, int]) -> int:
        health = supposing(self.view, prices).health(book, row)
        return 0 if isinstance(health, Quarantine) or health.health_factor >= WAD else health.debt

    def factors(self, key: int) -> Factors | None:
        """What a column of an e-mode needs; ``None``: it is not to be judged here."""
        if key not in self._factors:
            self._factors[key] = self._column(key >> MODE, key >> 2 & 0x3FFF, key & 3)
        return self._factors[key]

    def _column(self, mode: int, number: int, side: int) -> Factors | None:
        view, profile = self.view, self.view.profile
        if side not in (COLLATERAL, DEBT) or profile is None:
            return None
        if number in view.missing:  # the view itself knows whether the account's e-mode has a price for it
            return None
        if number not in view.terms:
            return _NOTHING
        terms = view.terms[number]
        price, asset = view.price(mode, number), Address(terms.asset)
        if not profile.bitmap_emodes and mode and terms.config.category == mode and view.emode_prices.get(mode):
            asset = Address(view.emodes[mode].price_source)
        up = terms.unit - 1 if profile.debt_value is maths.value_ceil else 0
        if side == DEBT:
            return Factors(True, terms.borrow_index, _ADDED[profile.debt_balance], asset, price, up, terms.unit, 0)
        if not (profile.counts_zero_threshold or terms.config.threshold):
            return _NOTHING
        rounded, threshold = _ADDED[profile.collateral_balance], view.threshold(mode, number)
        return Factors(False, terms.liquidity_index, rounded, asset, price, up, terms.unit, threshold)
