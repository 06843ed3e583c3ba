"""When an urn or an auction is next worth a look.

Law: a trigger is the first price, or the first second, at which something can be done; one unit before it is not.
Interest is followed up to ``HORIZON`` at today's fee. The price that an OSM will have next is known: the second at
which it may be poked in is a trigger in time, up to an hour ahead.
"""

from collections.abc import Callable, Iterator
from typing import Final

from keeper.core.book import Book
from keeper.core.outlook import Trigger, TriggerKind
from keeper.core.ports import Quarantine
from keeper.core.units import Timestamp, owner
from keeper.protocols.maker_clip.auction import Auction
from keeper.protocols.maker_clip.bark import unsafe
from keeper.protocols.maker_clip.maths import feed_price
from keeper.protocols.maker_clip.prices import listed_price
from keeper.protocols.maker_clip.view import View

HORIZON: Final = 365 * 86_400  # seconds


def triggers(view: View, row: int) -> Iterator[Trigger]:
    """Of an urn that is safe, and of every auction."""
    auction = view.auction(row)
    if isinstance(auction, Auction):
        yield from _auction(view, row, auction)
    elif not isinstance(auction, Quarantine):
        yield from _urn(view, row)


def _auction(view: View, row: int, auction: Auction) -> Iterator[Trigger]:
    """When the price reaches what the oracle says, and when a reset is due."""
    ilk = view.book.fact("clip", owner(view.book.account(row)))
    market = feed_price(listed_price(view.book, ilk), view.limits.par)
    fair, reset = auction.first_at(market), auction.reset_at()
    if fair is not None and fair > view.at:
        yield Trigger(TriggerKind.AUCTION, fair, "market price")
    if reset > view.at:
        yield Trigger(TriggerKind.AUCTION, reset, "reset")


def _urn(view: View, row: int) -> Iterator[Trigger]:
    """The price that makes it unsafe, and when interest or the next price does."""
    ilk, ink, art = view.held(row)
    worst, token = view.worst(ilk), view.book.fact("token", ilk)
    if not art or worst is None or unsafe(ink, art, *worst):
        return
    terms, price = view.book.fact("terms", ilk), listed_price(view.book, ilk)
    if token is not None and price:
        fall = first(lambda down: unsafe(ink, art, view.spot(terms, price - down), worst[1]), price - 1)
        if fall:  # not when the price that is known to come makes it unsafe already: that is a matter of time
            yield Trigger(TriggerKind.PRICE, price - fall, token.gem, rising=False)
    after = first(lambda seconds: _unsafe_at(view.book, row, Timestamp(view.at + seconds)), HORIZON)
    if after is not None:
        due = view.book.fact("oracle", terms.pip).due
        yield Trigger(TriggerKind.TIME, view.at + after, "next price" if view.at + after == due else "interest")


def _unsafe_at(book: Book, row: int, at: Timestamp) -> bool:
    view = View(book, at)
    ilk, ink, art = view.held(row)
    worst = view.worst(ilk)
    return worst is not None and unsafe(ink, art, *worst)


def first(so: Callable[[int], bool], most: int) -> int | None:
    """The smallest distance up to ``most`` from which on it is so; ``None``: none."""
    if not so(most):
        return None
    low, high = 0, most
    while low < high:
        middle = (low + high) // 2
        low, high = (low, middle) if so(middle) else (middle + 1, high)
    return low
