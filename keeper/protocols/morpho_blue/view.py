"""The markets at one block time: facts turned into the numbers that health and liquidation need.

Law: every market is accrued to the same time, the timestamp of the block that is aimed for. What a market lacks sets
aside the market and whoever owes in it, nobody else. A *pocket* is a market, or the offer of a pre-liquidation contract
in a market: it has its own limit and its own oracle, and the market's debt.

Of a market with a viewed rate model, interest since its last update is taken at the rate viewed: exact in the block of
the view, and as good as the model is steady for the seconds to the block aimed for.
"""

from collections.abc import Mapping
from functools import cached_property
from typing import NamedTuple

from keeper.core.book import Book
from keeper.core.ports import Health, Quarantine
from keeper.core.units import MAX_U256, WAD, ZERO_ADDRESS, Address, BaseValue, Timestamp, Wad
from keeper.protocols.morpho_blue import accrual, irm, maths
from keeper.protocols.morpho_blue.facts import ADAPTIVE, DEBT, Listing, Offer, Oracle, State, vault_key

KINDS = ("listing", "state", "target", "irm", "rate", "oracle", "price", "answer", "vault", "offer", "consent")


class Pocket(NamedTuple):
    """Where a number leads."""

    market: str
    listing: Listing
    offer: Offer | None
    contract: Address  # of the offer; zero: the market itself

    @property
    def oracle(self) -> Address:
        return self.listing.oracle if self.offer is None else self.offer.oracle

    @property
    def lltv(self) -> int:
        """The limit that liquidation begins at."""
        return self.listing.lltv if self.offer is None else self.offer.lltv


class Terms(NamedTuple):
    """A pocket at one time."""

    pocket: Pocket
    price: int
    lltv: int
    total_assets: int  # the market's debt
    total_shares: int


class View:
    """The facts at a block time. Made anew when a fact or the time moves; what is asked for is computed once."""

    def __init__(self, book: Book, at: Timestamp) -> None:
        self.book = book
        self.at = at
        self.versions = versions(book)
        self._states: dict[str, State | None] = {}
        self._prices: dict[str, int | None] = {}
        self._terms: dict[int, Terms | Quarantine] = {}

    @cached_property
    def pockets(self) -> Mapping[int, Pocket]:
        """By number."""
        listings: Mapping[str, Listing] = self.book.facts("listing")
        found = {entry.number: Pocket(key, entry, None, ZERO_ADDRESS) for key, entry in listings.items()}
        for contract, offer in self.book.facts("offer").items():
            if offer.market in listings:
                found[offer.number] = Pocket(offer.market, listings[offer.market], offer, Address(contract))
        return found

    # markets -------------------------------------------------------------------------------------------------------

    def state(self, market: str) -> State | None:
        """A market's totals at this time; ``None`` when they cannot be known."""
        if market not in self._states:
            self._states[market] = self._accrued(market)
        return self._states[market]

    def _accrued(self, market: str) -> State | None:
        state, listing = self.book.fact("state", market), self.book.fact("listing", market)
        if state is None or listing.irm == ZERO_ADDRESS or self.at <= state.updated:
            return state  # type: ignore[no-any-return]
        rate = self.rate(market, state, listing)
        return None if rate is None else accrual.accrued(state, rate, self.at)

    def rate(self, market: str, state: State, listing: Listing) -> int | None:
        """The mean rate a second since the last update; ``None``: the model says none."""
        if self.book.fact("irm", listing.irm) == ADAPTIVE:
            return irm.borrow_rate(state, self.book.fact("target", market) or 0, self.at - state.updated)[0]
        rate: int | None = self.book.fact("rate", market)
        return rate

    def price(self, oracle: str) -> int | None:
        """What an oracle answers; ``None``: it reverts."""
        if oracle not in self._prices:
            self._prices[oracle] = price_of(self.book, oracle)
        return self._prices[oracle]

    def terms(self, number: int) -> Terms | Quarantine:
        """What judging a position in a pocket takes."""
        if number not in self._terms:
            self._terms[number] = self._judgeable(self.pockets[number])
        return self._terms[number]

    def _judgeable(self, pocket: Pocket) -> Terms | Quarantine:
        price, state = self.price(pocket.oracle), self.state(pocket.market)
        if state is None:
            return Quarantine(pocket.market, "the market's interest cannot be computed")
        if price is None:
            return Quarantine(pocket.oracle, "the oracle gives no price")
        return Terms(pocket, price, pocket.lltv, state.borrow_assets, state.borrow_shares)

    # positions -----------------------------------------------------------------------------------------------------

    def health(self, book: Book, row: int) -> Health | Quarantine:
        """A position's limit over its debt, and both in the loan asset. Without debt nothing is asked of an oracle."""
        number, collateral, shares = position(book, row)
        if not shares:
            return Health(Wad(MAX_U256), BaseValue(0), BaseValue(0))
        terms = self.terms(number)
        if isinstance(terms, Quarantine):
            return terms
        return health(terms, collateral, shares)


def health(terms: Terms, collateral: int, shares: int) -> Health | Quarantine:
    """Of a position that owes something. Below 1e18 exactly when the contract calls it unhealthy."""
    if collateral * terms.price > MAX_U256:
        return Quarantine(terms.pocket.oracle, "the oracle's price is beyond the contract's arithmetic")
    debt = maths.assets_up(shares, terms.total_assets, terms.total_shares)
    most = maths.limit(collateral, terms.price, terms.lltv)
    return Health(Wad(most * WAD // debt), BaseValue(maths.quoted(collateral, terms.price)), BaseValue(debt))


def position(book: Book, row: int) -> tuple[int, int, int]:
    """Number of the pocket, collateral and shares of debt; the number means nothing when there is neither."""
    number = collateral = shares = 0
    for column, amount in book.positions(row):
        number = column >> 1
        if column & 1 == DEBT:
            shares = amount
        else:
            collateral = amount
    return number, collateral, shares


def price_of(book: Book, oracle: str) -> int | None:
    """What an oracle answers, computed from its feeds and vaults where it is of the kind that can be."""
    model: Oracle | None = book.fact("oracle", oracle)
    if model is None or not model.scale:
        price: int | None = book.fact("price", oracle)
        return price
    sides = [
        _product(book, *side)
        for side in (
            (model.base_vault, model.base_sample, model.base_feeds),
            (model.quote_vault, model.quote_sample, model.quote_feeds),
        )
    ]
    above, below = sides
    if above is None or not below:
        return None
    value = model.scale * above // below
    return value if value <= MAX_U256 else None


def _product(book: Book, vault: Address, sample: int, feeds: tuple[Address, Address]) -> int | None:
    """One side of the quotient; ``None`` where the contract reverts."""
    known = [] if vault == ZERO_ADDRESS else [book.fact("vault", vault_key(vault, sample))]
    known += [book.fact("answer", feed) for feed in feeds if feed != ZERO_ADDRESS]
    product = 1
    for factor in known:
        if factor is None or factor < 0 or product * factor > MAX_U256:
            return None
        product *= factor
    return product


def versions(book: Book) -> tuple[int, ...]:
    """What a view depends on besides time."""
    return tuple(book.version(kind) for kind in KINDS)
