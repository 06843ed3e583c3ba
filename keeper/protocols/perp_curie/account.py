"""What an account is worth and what it must be worth, as the exchange computes both.

Law: account value and margin requirement equal ``ClearingHouse.getAccountValue`` and
``AccountBalance.getMarginRequirementForLiquidation`` to the last unit. An account can be liquidated when the first is
below the second, so its health is their quotient: 1e18 is the edge. There is no collateral and no debt in one base
unit here: account value stands for the first and the requirement for the second.
"""

from collections.abc import Iterable
from typing import NamedTuple

from keeper.core.book import Book
from keeper.core.ports import Health, Quarantine
from keeper.core.units import MAX_U256, WAD, BaseValue, Wad
from keeper.protocols.perp_curie import funding
from keeper.protocols.perp_curie.facts import (
    BALANCE,
    COLLATERALS,
    NOTIONAL,
    OWED,
    SIZE,
    Growth,
    Order,
    Orders,
    bits,
    pair_key,
    signed,
)
from keeper.protocols.perp_curie.funding import OutsideOf
from keeper.protocols.perp_curie.maths import DUST, RATIO, mul_div
from keeper.protocols.perp_curie.view import Terms, View, one_token, outside_of
from keeper.venues.uniswap_v3.walk import Place


class Position(NamedTuple):
    """An account in one market."""

    terms: Terms
    size: int  # base as a taker
    notional: int
    since: int
    orders: tuple[Order, ...]

    @property
    def base(self) -> int:
        """Base without what is in the pool: what funding is paid on."""
        return self.size - funding.debts(self.orders)[0]

    @property
    def total_size(self) -> int:
        """With what its orders hold now; dust counts as nothing."""
        size = self.base + sum(funding.amounts(order, self.terms.place)[0] for order in self.orders)
        return 0 if abs(size) < DUST else size

    @property
    def value(self) -> int:
        return mul_div(self.total_size, self.terms.price or 0, WAD)

    @property
    def net_quote(self) -> int:
        in_pool = sum(funding.amounts(order, self.terms.place)[1] for order in self.orders)
        return self.notional - funding.debts(self.orders)[1] + in_pool

    @property
    def funding(self) -> int:
        terms = self.terms
        return due(self.base, self.since, self.orders, terms.growth, terms.place, terms.outside)

    @property
    def fees(self) -> int:
        """Earned and not collected."""
        terms = self.terms
        return sum(
            funding.order_fee(order, funding.inside(terms.growth, order, terms.place.tick, terms.outside))
            for order in self.orders
        )


class Account(NamedTuple):
    """An account at one time, in wei of a dollar."""

    cash: int  # settlement tokens, realised profit, fees due, less funding due
    tokens: int  # what other tokens count as margin
    positions: tuple[Position, ...]

    @property
    def collateral(self) -> int:
        return self.cash + self.tokens

    @property
    def profit(self) -> int:
        """Not realised."""
        return sum(position.value + position.net_quote for position in self.positions)

    @property
    def value(self) -> int:
        return self.collateral + self.profit

    @property
    def absolute(self) -> int:
        """Of all positions."""
        return sum(abs(position.value) for position in self.positions)


def due(
    base: int, since: int, orders: Iterable[Order], growth: Growth, place: Place, outside: OutsideOf
) -> int:  # fmt: skip
    """Funding due in one market."""
    of_orders = sum(
        funding.order_funding(order, funding.inside(growth, order, place.tick, outside)) for order in orders
    )
    return funding.payment(base, since, growth, of_orders)


def funding_due(book: Book, account: str, base: str) -> int:
    """What was due when the market's accumulators were last brought to date."""
    known: Orders | None = book.fact("orders", pair_key(account, base))
    orders = known.open if known else ()
    row = book.row(account)  # type: ignore[arg-type]
    size = 0 if row is None else signed(book, row, book.fact("listing", base).number, SIZE)
    since = book.fact("since", pair_key(account, base)) or 0
    growth, place = book.fact("growth", base), book.fact("pool", base)
    return due(size - funding.debts(orders)[0], since, orders, growth, place, outside_of(book, base))


def read(view: View, book: Book, row: int) -> Account | Quarantine:
    """An account at the view's time."""
    cash = tokens = 0
    held: dict[int, dict[int, int]] = {}
    for column, amount in book.positions(row):
        quantities = held.setdefault(column >> 2, {})
        quantity = column & 2
        quantities[quantity] = quantities.get(quantity, 0) + (-amount if column & 1 else amount)
    for number in bits(book.flags(row)):
        held.setdefault(number, {})
    positions: list[Position] = []
    for number, quantities in held.items():
        if number == 0:
            cash += quantities.get(BALANCE, 0) * view.unit + quantities.get(OWED, 0)
        elif number >= COLLATERALS:
            token, entry = view.collaterals[number]
            value = one_token(entry, quantities.get(0, 0))
            if value is None:
                return Quarantine(token, "the price of a token of the margin cannot be told")
            tokens += value
        elif number in view.terms:
            found = position(view.terms[number], book, row, quantities)
            if found.terms.price is None and found.total_size:
                return Quarantine(found.terms.base, "the mark price cannot be told")
            positions.append(found)
        else:
            return view.missing.get(number, Quarantine("exchange", "its facts were not read yet"))
    cash += sum(one.fees - one.funding for one in positions)
    return Account(cash, tokens, tuple(positions))


def position(terms: Terms, book: Book, row: int, quantities: dict[int, int]) -> Position:
    """What an account has in a market."""
    key = pair_key(book.account(row), terms.base)
    orders: Orders | None = book.fact("orders", key)
    return Position(
        terms,
        quantities.get(SIZE, 0),
        quantities.get(NOTIONAL, 0),
        book.fact("since", key) or 0,
        orders.open if orders else (),
    )


def value_of(view: View, account: Account) -> int:
    """The account value as the clearing house sees it: floored to the settlement token's own unit."""
    return account.value // view.unit * view.unit


def requirement(view: View, account: Account) -> int:
    """The least that an account must be worth."""
    return account.absolute * (view.risk.maintenance if view.risk else 0) // RATIO


def health(view: View, book: Book, row: int) -> Health | Quarantine:
    """The quotient of the two."""
    account = read(view, book, row)
    if isinstance(account, Quarantine):
        return account
    return health_of(value_of(view, account), requirement(view, account))


def below(view: View, book: Book, rows: Iterable[int]) -> list[int]:
    """Which accounts are below 1, the largest requirements first."""
    found: list[tuple[int, int]] = []
    for row in rows:
        account = read(view, book, row)
        if not isinstance(account, Quarantine):
            required = requirement(view, account)
            if value_of(view, account) < required:
                found.append((-required, row))
    return [row for _, row in sorted(found)]


def health_of(value: int, required: int) -> Health:
    """Below 1e18 just when the value is below the requirement."""
    factor = max(value, 0) * WAD // required if required else MAX_U256
    return Health(Wad(min(factor, MAX_U256)), BaseValue(value), BaseValue(required))
