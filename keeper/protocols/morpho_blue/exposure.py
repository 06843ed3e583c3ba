"""Morpho positions as lines: the bound the screen relies on.

A column is (pocket, side). With c the collateral, s the shares of debt, p the pocket's price, L its limit (a wad, at
most one), a = (A + 1) / (S + 10^6) what a share is worth in the loan asset's smallest units:

1. The contract's limit is floor(floor(c*p / 10^36) * L / 10^18) >= c*p*L / 10^54 - 2, since the inner floor costs less
   than one unit times L <= 1, the outer one less than one.
2. The debt is ceil(s*a) < s*a + 1.
3. Unhealthy means limit < debt. Hence  c*p*L / 10^54 - s*a < 3.

Supposed prices. A collateral token that is worth f times what it is, and a loan token worth g times, make the price
p' = ceil(p*f/g) >= p*f/g, so with 1 to 3:  c*(p*f/g)*L / 10^54 - s*a < 3, and times g:  c*p*f*L / 10^54 - s*a*g < 3*g.
So the collateral's weight scales with its token's price and the debt's with its own, and with a slack of 16 a column
(two have an amount wherever there is collateral; without any the margin is negative) the law holds for g up to 10.

Hence x = c and -s, factors p*L / (10^54 * P) and a / Q where P and Q are the tokens' own prices, slack 16.
"""

from collections.abc import Sequence
from math import inf
from typing import Final

import numpy as np

from keeper.core.book import Book
from keeper.core.holdings import holdings
from keeper.core.margin import Column, Exposures, Lines, Weights
from keeper.core.ports import Quarantine, Valued
from keeper.core.units import WAD, ZERO_ADDRESS, Address
from keeper.protocols.morpho_blue import maths
from keeper.protocols.morpho_blue.facts import COLLATERAL, DEBT
from keeper.protocols.morpho_blue.view import Terms, View

SLACK: Final = 16.0


def exposures(book: Book, row: int) -> Exposures | None:
    """The position's line."""
    held = [(column, -amount if column & 1 == DEBT else amount) for column, amount in book.positions(row)]
    return held if any(amount < 0 for _, amount in held) else ()


def lines(book: Book) -> Lines:
    """All lines."""
    held = holdings(book, np.arange(len(book)))
    owed = held.column & 1 == DEBT
    owes = np.zeros(len(book), bool)
    owes[held.of[owed]] = True
    counts = owes[held.of]
    amounts = held.high * 2.0**64 + held.low
    return Lines(
        rows=held.of[counts],
        columns=held.column[counts].astype(np.int64),
        amounts=np.where(owed, -amounts, amounts)[counts],
        unclear=[],
    )


def weights(view: View, columns: Sequence[Column], assets: dict[Address, Valued]) -> Weights:
    """The weights of columns at the view's time."""
    found = [_weight(view.terms(column >> 1), column & 1, assets) for column in columns]
    prices = {asset: assets[asset].price for _, asset in found if asset in assets}
    values = [_value(view.terms(column >> 1), column & 1, assets) for column in columns]
    return Weights([factor for factor, _ in found], [asset for _, asset in found], prices, SLACK, values)


def _value(terms: Terms | Quarantine, side: int, assets: dict[Address, Valued]) -> float:
    """What a unit of a column is worth at a price of one, for reports."""
    if isinstance(terms, Quarantine):
        return 0.0
    listing = terms.pocket.listing
    valued = assets.get(listing.collateral if side == COLLATERAL else listing.loan)
    share = (terms.total_assets + maths.VIRTUAL_ASSETS) / (terms.total_shares + maths.VIRTUAL_SHARES)
    return 0.0 if valued is None else (1.0 if side == COLLATERAL else share) / valued.unit


def _weight(terms: Terms | Quarantine, side: int, assets: dict[Address, Valued]) -> tuple[float, Address]:
    """Factor and asset of one column. A position that cannot be confirmed need not be flagged."""
    if isinstance(terms, Quarantine):
        return inf if side == COLLATERAL else 0.0, ZERO_ADDRESS
    listing = terms.pocket.listing
    if side == COLLATERAL:
        asset, above, below = listing.collateral, terms.price * terms.lltv, maths.PRICE_SCALE * WAD
    else:
        asset = listing.loan
        above, below = terms.total_assets + maths.VIRTUAL_ASSETS, terms.total_shares + maths.VIRTUAL_SHARES
    valued = assets.get(asset)
    return above / (below * (1 if valued is None else valued.price)), asset
