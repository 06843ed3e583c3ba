"""What the market's oracles say of assets.

Law: the newest word counts: behind an OSM that is the next price, which the market itself believes an hour later.
Prices are wads of dollars for one whole token.
"""

from collections.abc import Mapping

from keeper.core.book import Book
from keeper.core.ports import Valued
from keeper.core.units import WAD, Address
from keeper.protocols.maker_clip.facts import Oracle, Terms
from keeper.protocols.maker_clip.maths import BLN


def listed_price(book: Book, ilk: str) -> int:
    """The newest price of a collateral; 0: none."""
    terms: Terms | None = book.fact("terms", ilk)
    oracle: Oracle | None = None if terms is None else book.fact("oracle", terms.pip)
    return (oracle.coming or oracle.value) if oracle else 0


def assets(book: Book) -> Mapping[Address, Valued]:
    """Collateral tokens and dai."""
    found = {
        Address(token.gem): Valued(price, 10**token.decimals)
        for ilk, token in book.facts("token").items()
        if (price := listed_price(book, ilk))
    }
    parts, limits = book.fact("market"), book.fact("limits")
    if parts is not None and limits is not None:
        found[parts.dai] = Valued(limits.par // BLN, WAD)
    return found
