"""Which of many accounts are below 1: the integers of ``View.health`` without its objects.

Law: equal to ``health`` for every account and release. What each column needs is looked up once a view; an account with
stable debt, which has a clock of its own, is asked of the view itself.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from copy import copy
from typing import Final, NamedTuple

from keeper.core.book import Book
from keeper.core.holdings import holdings
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
_MANY: Final = 32
_HALF_BPS: Final = BPS // 2


class _Column(NamedTuple):
    """(amount * ray + balance_up) // RAY is the balance; (balance * price + value_up) // unit its value."""

    owed: bool
    ray: int  # the index
    balance_up: int
    asset: Address  # whose price it is
    price: int
    value_up: int
    unit: int
    threshold: int


_NOTHING: Final = _Column(
    owed=False, ray=0, balance_up=0, asset=ZERO_ADDRESS, price=0, value_up=0, unit=1, threshold=0
)  # fmt: skip


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


Position = tuple[int, int, int]  # place of the account, e-mode << 16 | column, amount


def _few(book: Book, rows: Sequence[int]) -> Iterator[Position]:
    """What counts of what accounts hold."""
    for at, row in enumerate(rows):
        flags, high = book.flags(row), book.mode(row) << _MODE
        for column, amount in book.positions(row):
            if column & 3 or flags >> (column >> 2) & 1:
                yield at, high | column, amount


def _many(book: Book, rows: Sequence[int]) -> Iterable[Position]:
    """The same, of so many that numpy pays."""
    held = holdings(book, rows)
    counts = (held.column & 3 != COLLATERAL) | held.flagged
    keys = (held.mode << _MODE | held.column)[counts].tolist()
    halves = zip(held.low[counts].tolist(), held.high[counts].tolist(), strict=True)
    return zip(held.of[counts].tolist(), keys, (low | high << 64 for low, high in halves), strict=True)


class Confirm:
    """The judge of one view."""

    def __init__(self, view: View) -> None:
        self.view = view
        self._floored = view.profile is not None and view.profile.threshold_floored
        self._columns: dict[int, _Column | None] = {}
        self._missing = sum(1 << number for number in view.missing)
        self._priceless = {
            mode
            for mode, emode in view.emodes.items()
            if emode.price_source != ZERO_ADDRESS and view.emode_prices[mode] is None
        }

    def below(self, book: Book, rows: Sequence[int], prices: Mapping[Address, int]) -> list[int]:
        """Those of the accounts that are below 1 with these prices instead of the view's, the largest debt first."""
        if self.view.profile is None:
            return []
        found = self._debts_below(book, [row for row in rows if self._known(book, row)], prices)
        return [row for _, row in sorted((-debt, row) for row, debt in found)]

    def _known(self, book: Book, row: int) -> bool:
        """Whether nothing that the account as a whole depends on is set aside."""
        return not (self._missing and book.flags(row) & self._missing) and book.mode(row) not in self._priceless

    def _debts_below(self, book: Book, rows: Sequence[int], prices: Mapping[Address, int]) -> Iterator[tuple[int, int]]:
        """Rows and debts of the accounts below 1."""
        count, columns, asked = len(rows), self._columns, set[int]()
        collateral, weighted, debts = [0] * count, [0] * count, [0] * count
        for at, key, amount in _few(book, rows) if count < _MANY else _many(book, rows):
            column = columns[key] if key in columns else self._learn(key)
            if column is None:
                asked.add(at)
                continue
            owed, ray, balance_up, asset, price, value_up, unit, threshold = column
            if asset in prices:
                price = prices[asset]
            value = ((amount * ray + balance_up) // RAY * price + value_up) // unit
            if owed:
                debts[at] += value
            else:
                collateral[at] += value
                weighted[at] += value * threshold
        for at, row in enumerate(rows):
            if at in asked:
                debt = self._asked(book, row, prices)
            else:
                debt = debts[at] if self._low(collateral[at], weighted[at], debts[at]) else 0
            if debt:
                yield row, debt

    def _low(self, collateral: int, weighted: int, debt: int) -> bool:
        if self._floored:
            average = weighted // collateral if collateral else 0
            return (collateral * average + _HALF_BPS) // BPS * WAD + debt // 2 < debt * WAD
        return weighted * WAD + debt // 2 < debt * WAD * BPS

    def _asked(self, book: Book, row: int, prices: Mapping[Address, int]) -> int:
        health = supposing(self.view, prices).health(book, row)
        return 0 if isinstance(health, Quarantine) or health.health_factor >= WAD else health.debt

    def _learn(self, key: int) -> _Column | None:
        found = self._columns[key] = self._column(key >> _MODE, key >> 2 & 0x3FFF, key & 3)
        return found

    def _column(self, mode: int, number: int, side: int) -> _Column | None:
        """``None``: not to be judged here."""
        view, profile = self.view, self.view.profile
        if side not in (COLLATERAL, DEBT) or number in view.missing or profile is None:
            return None
        if number not in view.terms:
            return _NOTHING
        terms = view.terms[number]
        price, asset = view.price(mode, number), Address(terms.asset)
        if not profile.bitmap_emodes and mode and terms.config.category == mode and view.emode_prices.get(mode):
            asset = Address(view.emodes[mode].price_source)
        if side == DEBT:
            up = terms.unit - 1 if profile.debt_value is maths.value_ceil else 0
            return _Column(True, terms.borrow_index, _ADDED[profile.debt_balance], asset, price, up, terms.unit, 0)
        if not (profile.counts_zero_threshold or terms.config.threshold):
            return _NOTHING
        up = _ADDED[profile.collateral_balance]
        return _Column(False, terms.liquidity_index, up, asset, price, 0, terms.unit, view.threshold(mode, number))
