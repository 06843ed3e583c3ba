"""When an urn or an auction is next worth a look.

Law: a trigger is the first price, or the first second, at which something can be done; one unit before it is not. The
price that an OSM will have next is known: the second at which it may be poked in is a trigger in time, up to an hour
ahead, and no price of the collateral is told for an urn that it will make unsafe.
"""

from collections.abc import Iterator, Sequence
from typing import Final

from keeper.core.book import Book
from keeper.core.margin import Margin
from keeper.core.outlook import Trigger, TriggerKind
from keeper.core.triggers import triggers as line_triggers
from keeper.core.units import Timestamp, owner, pocket
from keeper.protocols.maker_clip.auction import Auction
from keeper.protocols.maker_clip.maths import feed_price
from keeper.protocols.maker_clip.prices import assets, listed_price
from keeper.protocols.maker_clip.view import View

_COST: Final = "interest, or the price that is known to come"


def auction_triggers(view: View, row: int, auction: Auction) -> Iterator[Trigger]:
    """When the price reaches what the oracle says, and when a reset is due."""
    ilk = view.book.fact("clip", owner(view.book.account(row)))
    market = feed_price(listed_price(view.book, ilk), view.limits.par)
    fair, reset = auction.first_at(market), auction.reset_at()
    if fair is not None and fair > view.at:
        yield Trigger(TriggerKind.AUCTION, fair, "market price")
    if reset > view.at:
        yield Trigger(TriggerKind.AUCTION, reset, "reset")


def urn_triggers(margin: Margin, book: Book, row: int, at: Timestamp) -> Sequence[Trigger]:
    """The price that makes a safe urn unsafe, and when time alone does."""
    token = book.fact("token", pocket(book.account(row)))
    known = assets(book).get(token.gem) if token else None
    doomed = known is not None and margin.liquidatable(book, [row], at, {token.gem: known.price})
    found = line_triggers(margin, book, row, at, _COST)
    return [trigger for trigger in found if trigger.kind is not TriggerKind.PRICE or not doomed]
