"""One price list out of many markets: what every token is worth, for sums and for comparing opportunities.

Law: every market prices one token in another, and nobody prices all. The market with the largest debt, in what is known
already, speaks for its pair, again and again from the token that most debt is in; so nobody becomes the voice of a pair
without more at stake than everybody else. Tokens that no market with debt connects to that one have no price. What a
liquidation brings and costs is never computed from this list.
"""

import heapq
from collections.abc import Iterator, Mapping
from typing import Final

from keeper.core.book import Book
from keeper.core.ports import Health, Quarantine, Valued
from keeper.core.units import Address, BaseValue
from keeper.protocols.morpho_blue.facts import Listing
from keeper.protocols.morpho_blue.maths import PRICE_SCALE
from keeper.protocols.morpho_blue.view import Terms, View

ROOT: Final = 10**36  # the price of the token that the list begins with: of nothing outside the list


def worth(view: View, book: Book) -> dict[Address, Valued]:
    """Prices of whole tokens, rounded down, by token."""
    pairs = list(_pairs(view, book))
    if not pairs:
        return {}
    owed: dict[Address, int] = {}
    for listing, terms in pairs:
        unit = _unit(book, listing.loan)
        owed[listing.loan] = owed.get(listing.loan, 0) + terms.total_assets * ROOT // unit
    root = max(sorted(owed), key=lambda token: owed[token])
    known = {root: Valued(ROOT, _unit(book, root))}
    by_token: dict[Address, list[tuple[Listing, Terms]]] = {}
    for listing, terms in pairs:
        for token in {listing.loan, listing.collateral}:
            by_token.setdefault(token, []).append((listing, terms))
    waiting: list[tuple[int, int, Address, Valued]] = []
    _offer(book, root, known, by_token, waiting)
    while waiting:
        _, _, token, valued = heapq.heappop(waiting)
        if token not in known:
            known[token] = valued
            _offer(book, token, known, by_token, waiting)
    return known


def in_list(health: Health | Quarantine, loan: Valued | None) -> Health | Quarantine:
    """A health in the list's unit instead of the loan token's; nothing is known of a token without a price."""
    if isinstance(health, Quarantine) or not health.debt:
        return health
    amounts = (0 if loan is None else value * loan.price // loan.unit for value in (health.collateral, health.debt))
    return Health(health.health_factor, *map(BaseValue, amounts))


def _pairs(view: View, book: Book) -> Iterator[tuple[Listing, Terms]]:
    """Markets with a price and with debt."""
    for listing in book.facts("listing").values():
        terms = view.terms(listing.number)
        if not isinstance(terms, Quarantine) and terms.price and terms.total_assets:
            yield listing, terms


def _offer(
    book: Book,
    token: Address,
    known: Mapping[Address, Valued],
    by_token: Mapping[Address, list[tuple[Listing, Terms]]],
    waiting: list[tuple[int, int, Address, Valued]],
) -> None:
    """What this token's markets would say of the tokens on their other side, the largest debt first."""
    for listing, terms in by_token[token]:
        loan, collateral = known.get(listing.loan), known.get(listing.collateral)
        if loan is None and collateral is not None:
            unit = _unit(book, listing.loan)
            price = collateral.price * PRICE_SCALE * unit // (collateral.unit * terms.price)
            loan = Valued(price, unit)
            told = listing.loan, loan
        elif loan is not None and collateral is None:
            unit = _unit(book, listing.collateral)
            told = listing.collateral, Valued(loan.price * terms.price * unit // (PRICE_SCALE * loan.unit), unit)
        else:
            continue
        if told[1].price:
            stake = terms.total_assets * loan.price // loan.unit
            heapq.heappush(waiting, (-stake, listing.number, *told))


def _unit(book: Book, token: Address) -> int:
    """A token that does not say its decimals is counted in its smallest unit."""
    return int(10 ** (book.fact("decimals", token) or 0))
