"""Which of many positions are below 1, at the market's prices or at supposed ones.

Law: equal to ``View.health`` at today's prices. A supposed price of a token moves the price of every pocket it is in by
as much as its own, rounded up (see ``exposure``).
"""

from collections.abc import Callable, Mapping, Sequence

from keeper.core.book import Book
from keeper.core.ports import Quarantine, Valued
from keeper.core.units import WAD, Address, mul_div_up
from keeper.protocols.morpho_blue.view import Terms, View, health, position

Assets = Mapping[Address, Valued]


def below(
    view: View, book: Book, rows: Sequence[int], prices: Mapping[Address, int], worth: Callable[[View], Assets]
) -> list[int]:
    """Those that are, the largest debt first, debts of different tokens by what they are worth."""
    assets: Assets = worth(view) if prices or len(rows) > 1 else {}
    found: list[tuple[int, int]] = []
    for row in rows:
        number, collateral, shares = position(book, row)
        terms = view.terms(number) if shares else None
        if terms is None or isinstance(terms, Quarantine):
            continue
        judged = health(supposing(terms, prices, assets), collateral, shares)
        if not isinstance(judged, Quarantine) and judged.health_factor < WAD:
            loan = assets.get(terms.pocket.listing.loan)
            found.append((0 if loan is None else judged.debt * loan.price // loan.unit, row))
    return [row for _, row in sorted(found, key=lambda entry: -entry[0])]


def supposing(terms: Terms, prices: Mapping[Address, int], assets: Assets) -> Terms:
    """The same pocket with other prices of its tokens."""
    price, listing = terms.price, terms.pocket.listing
    held, owed = assets.get(listing.collateral), assets.get(listing.loan)
    above, below = 1, 1
    if held is not None and listing.collateral in prices:
        above, below = above * prices[listing.collateral], below * held.price
    if owed is not None and listing.loan in prices:
        above, below = above * owed.price, below * prices[listing.loan]
    return terms if above == below else terms._replace(price=mul_div_up(price, above, below))
