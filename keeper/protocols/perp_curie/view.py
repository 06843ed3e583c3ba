"""The exchange at one block time: mark prices and accumulators out of facts.

Law: all markets are evaluated at the same time, the timestamp of the block that is aimed for. A market whose contract
would revert then has no terms, and an account in it gets a reason instead of a number.
"""

from collections.abc import Mapping
from typing import NamedTuple

import msgspec

from keeper.core.book import Book
from keeper.core.ports import Quarantine
from keeper.core.units import Address, Timestamp
from keeper.protocols.perp_curie import averages, facts
from keeper.protocols.perp_curie.facts import CLOSED, OPEN, Collateral, Feed, Growth, Index, Outside, Parts, Risk
from keeper.protocols.perp_curie.funding import UNCROSSED, OutsideOf, grown
from keeper.protocols.perp_curie.maths import RATIO, median, wad_price
from keeper.venues.uniswap_v3.walk import Place

KINDS = (
    "parts", "risk", "listing", "fees", "status", "feed", "index", "seen", "track", "pool", "ticks", "growth",
    "outside", "collateral", "fund", "held", "paused",
)  # fmt: skip
SHORT = 15  # seconds: the mark price's short average


class Terms(NamedTuple):
    """One market at one time."""

    base: Address
    number: int
    price: int | None  # that positions are valued at: the mark price while it is open; ``None``: it cannot be told
    growth: Growth
    place: Place
    outside: OutsideOf
    open: bool


class View:
    """An exchange's facts at a block time. Made anew when a fact or the time moves."""

    def __init__(self, book: Book, at: Timestamp, prices: Mapping[Address, int] | None = None) -> None:
        self.at = at
        self.versions = versions(book)
        self.parts: Parts | None = book.fact("parts")
        self.risk: Risk | None = book.fact("risk")
        self.terms: dict[int, Terms] = {}
        self.missing: dict[int, Quarantine] = {}
        self.collaterals: dict[int, tuple[Address, Collateral]] = {
            entry.number: (Address(token), _supposed(entry, (prices or {}).get(Address(token))))
            for token, entry in book.facts("collateral").items()
        }
        if self.risk is not None and self.parts is not None:
            for base in book.facts("listing"):
                self._add(book, Address(base), self.risk, (prices or {}).get(Address(base)))

    @property
    def unit(self) -> int:
        """Wei of a dollar in one unit of the settlement token."""
        return self.parts.unit if self.parts else 1

    def _add(self, book: Book, base: Address, risk: Risk, supposed: int | None) -> None:
        number = book.fact("listing", base).number
        terms = _terms(book, base, risk, self.at, supposed) if self.parts and self.parts.understood else None
        if terms is None:
            self.missing[number] = Quarantine(base, "the averages that its funding needs cannot be told")
        else:
            self.terms[number] = terms


def _supposed(entry: Collateral, price: int | None) -> Collateral:
    """A token at another price, if one is supposed."""
    return entry if price is None else msgspec.structs.replace(entry, price=price)


def versions(book: Book) -> tuple[int, ...]:
    """What a view was made from."""
    return tuple(book.version(kind) for kind in KINDS)


def _terms(book: Book, base: Address, risk: Risk, at: int, supposed: int | None) -> Terms | None:
    status: facts.Status | None = book.fact("status", base)
    place: Place | None = book.fact("pool", base)
    if status is None or place is None or book.fact("track", base) is None or book.fact("growth", base) is None:
        return None
    growth = _growth(book, base, risk, at)
    if status.state == OPEN:
        price = mark_price(book, base, risk, at) if supposed is None else supposed
    else:
        price = status.closed_at if status.state == CLOSED else status.index
    if growth is None:
        return None
    return Terms(
        base, book.fact("listing", base).number, price, growth, place, outside_of(book, base), status.state == OPEN
    )


def outside_of(book: Book, base: str) -> OutsideOf:
    """The accumulators outside of a tick of a market."""
    known = book.facts("outside")

    def found(tick: int) -> Outside:
        outside: Outside = known.get(f"{base}:{tick}", UNCROSSED)
        return outside

    return found


def index_price(book: Book, base: str, at: int, interval: int) -> int | None:
    """In wei; the paused price of a market that is not open."""
    status: facts.Status = book.fact("status", base)
    feed: Feed = book.fact("feed", base)
    risk: Risk = book.fact("risk")
    if status.state != OPEN:
        return status.index
    seen: facts.Seen | None = book.fact("seen", base)
    if seen is not None:
        by_interval: dict[int, int | None] = {0: seen.spot, risk.funding_interval: seen.funding}
        return by_interval.get(interval, seen.premium)
    index: Index = book.fact("index", base)
    price = averages.index_average(index, at, interval, feed.interval)
    return None if price is None else price * int(10 ** (18 - feed.decimals))


def mark_price(book: Book, base: str, risk: Risk, at: int) -> int | None:
    """The median of two averages of the market, and of the index plus what the market lately was above it."""
    track, place = book.fact("track", base), book.fact("pool", base)
    squares = [
        averages.sqrt_average(track, place, at, interval)
        for interval in (SHORT, risk.market_interval, risk.premium_interval)
    ]
    indexes = [index_price(book, base, at, interval) for interval in (0, risk.premium_interval)]
    if any(value is None for value in (*squares, *indexes)):
        return None
    short, long, lately = (wad_price(square or 0) for square in squares)
    now, average = (price or 0 for price in indexes)
    adjusted = now + lately - average
    return None if adjusted < 0 else median(short, long, adjusted)


def _growth(book: Book, base: str, risk: Risk, at: int) -> Growth | None:
    """The accumulators at a time; they stop when the market is paused."""
    growth: Growth = book.fact("growth", base)
    place: Place = book.fact("pool", base)
    status: facts.Status = book.fact("status", base)
    until = at if status.state == OPEN else status.since
    interval = min(risk.funding_interval, until - growth.first_trade) if growth.first_trade else 0
    square = averages.sqrt_average(book.fact("track", base), place, until, interval)
    index = index_price(book, base, until, interval)
    if square is None or index is None:
        return None
    return grown(growth, square, index, place.sqrt_price, until, risk.max_funding)


def one_token(entry: Collateral, amount: int) -> int | None:
    """What an amount of a token counts as margin, in wei of a dollar."""
    if entry.price is None:
        return None
    unit, priced, wad = (int(10**decimals) for decimals in (entry.decimals, entry.price_decimals, 18))
    value = (
        amount * entry.price // priced // (unit // wad)
        if unit > wad
        else amount * (wad // unit) * entry.price // priced
    )
    return value * entry.ratio // RATIO
