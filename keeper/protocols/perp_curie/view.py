"""The exchange at one block time: mark prices and accumulators out of facts.

Law: all markets are evaluated at the same time, the timestamp of the block that is aimed for. A market whose contract
would revert then has no terms, and an account in it gets a reason instead of a number.
"""

from collections.abc import Container, Mapping
from typing import NamedTuple

import msgspec

from keeper.core.book import Book
from keeper.core.ports import Quarantine
from keeper.core.units import Address, Timestamp
from keeper.protocols.perp_curie import averages
from keeper.protocols.perp_curie.facts import (
    CLOSED,
    OPEN,
    Collateral,
    Feed,
    Growth,
    Index,
    Outside,
    Parts,
    Risk,
    Seen,
    Status,
    Track,
)
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

    def __init__(
        self,
        book: Book,
        at: Timestamp,
        prices: Mapping[Address, int] | None = None,
        settled: Container[str] = (),
    ) -> None:
        """``prices`` are supposed; ``settled``: markets in which funding was settled earlier in the block."""
        self.at = at
        self.settled = settled
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
        moment = Moment(book, base, risk, self.at, base in self.settled)
        terms = moment.terms(supposed) if self.parts and self.parts.understood else None
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


def outside_of(book: Book, base: str) -> OutsideOf:
    """The accumulators outside of a tick of a market."""
    known = book.facts("outside")

    def found(tick: int) -> Outside:
        outside: Outside = known.get(f"{base}:{tick}", UNCROSSED)
        return outside

    return found


class Moment:
    """One market at one time; ``settled``: whether its price feed was made to note its latest answer in this block.

    A settlement of funding does that first. It can move averages, and so everybody's value, within a block.
    """

    def __init__(self, book: Book, base: Address, risk: Risk, at: int, settled: bool) -> None:  # noqa: FBT001
        self.book, self.base, self.risk, self.at = book, base, risk, at
        self.status: Status | None = book.fact("status", base)
        self.place: Place | None = book.fact("pool", base)
        self.track: Track | None = book.fact("track", base)
        self.growth: Growth | None = book.fact("growth", base)
        self.feed: Feed = book.fact("feed", base)
        self.index: Index | None = book.fact("index", base)
        if settled and self.index is not None:
            self.index = averages.noted(self.index, at, risk.premium_interval, self.feed.interval)

    def terms(self, supposed: int | None) -> Terms | None:
        """What accounts are valued with; ``None`` where funding cannot be told."""
        growth, place, status = self.accumulators(), self.place, self.status
        if growth is None or place is None or status is None:
            return None
        price = self.mark_price() if supposed is None else supposed
        if status.state != OPEN:
            price = status.closed_at if status.state == CLOSED else status.index
        number = self.book.fact("listing", self.base).number
        return Terms(self.base, number, price, growth, place, outside_of(self.book, self.base), status.state == OPEN)

    def average(self, until: int, interval: int) -> int | None:
        """Of the pool, as a square root."""
        if self.track is None or self.place is None:
            return None
        return averages.sqrt_average(self.track, self.place, until, interval)

    def index_price(self, interval: int, at: int | None = None, *, for_funding: bool = False) -> int | None:
        """In wei; the paused price of a market that is not open."""
        if self.status is None or self.status.state != OPEN:
            return None if self.status is None else self.status.index
        seen: Seen | None = self.book.fact("seen", self.base)
        if seen is not None:
            return (seen.funding if for_funding else seen.premium) if interval else seen.spot
        if self.index is None:
            return None
        price = averages.index_average(self.index, self.at if at is None else at, interval, self.feed.interval)
        return None if price is None else price * int(10 ** (18 - self.feed.decimals))

    def mark_price(self) -> int | None:
        """The median of two averages of the market, and of the index plus what the market lately was above it."""
        intervals = (SHORT, self.risk.market_interval, self.risk.premium_interval)
        squares = [self.average(self.at, interval) for interval in intervals]
        indexes = [self.index_price(interval) for interval in (0, self.risk.premium_interval)]
        if any(value is None for value in (*squares, *indexes)):
            return None
        short, long, lately = (wad_price(square or 0) for square in squares)
        now, average = (price or 0 for price in indexes)
        adjusted = now + lately - average
        return None if adjusted < 0 else median(short, long, adjusted)

    def accumulators(self) -> Growth | None:
        """At this time; they stop when the market is paused."""
        growth, place, status = self.growth, self.place, self.status
        if growth is None or place is None or status is None:
            return None
        until = self.at if status.state == OPEN else status.since
        interval = funding_interval(self.risk, growth, until)
        square, index = self.average(until, interval), self.index_price(interval, until, for_funding=True)
        if square is None or index is None:
            return None
        return grown(growth, square, index, place.sqrt_price, until, self.risk.max_funding)


def funding_interval(risk: Risk, growth: Growth, at: int) -> int:
    """Seconds that funding is averaged over: no more than there has been trade, and none before."""
    return min(risk.funding_interval, at - growth.first_trade) if growth.first_trade else 0


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
