"""The market at one block time: what anybody could make of rates and prices in that block.

A rate grows only when somebody drips, a price comes into the vat only when somebody pokes, and everybody may do both in
the same transaction that barks. So an urn is judged at the worst that can be brought about: the highest rate and the
lowest price of these. ``Way`` says what has to be called for it.

Law: every number is the one that the contracts would hold after those calls in a block with that timestamp.
"""

from enum import IntFlag
from typing import NamedTuple

from keeper.core.book import Book
from keeper.core.ports import Health, Quarantine
from keeper.core.units import MAX_U256, RAY, WAD, BaseValue, Timestamp, Wad, owner, pocket
from keeper.protocols.maker_clip import maths
from keeper.protocols.maker_clip.auction import Auction
from keeper.protocols.maker_clip.bark import Kennel
from keeper.protocols.maker_clip.facts import ART, INK, LOT, Oracle, Terms

KINDS = ("market", "limits", "ilk", "terms", "token", "oracle", "clip", "rules")


class Steps(IntFlag):
    """What is called before a bark, in this order."""

    NONE = 0
    HOP = 1  # the OSM's next price becomes the current one
    POKE = 2  # the vat learns the current price
    DRIP = 4  # the vat learns the current rate


class Way(NamedTuple):
    """A state of a collateral that can be had."""

    steps: Steps
    rate: int  # ray
    spot: int  # ray
    value: int  # wad of dollars: what an auction would start from; 0: none


class View:
    """A market's facts at a block time. Made anew when a fact or the time moves."""

    def __init__(self, book: Book, at: Timestamp) -> None:
        self.book, self.at = book, at
        self.versions = versions(book)
        self.limits = book.fact("limits")
        self._ways: dict[str, tuple[Way, ...]] = {}
        self._ilks: list[str] | None = None

    @property
    def ilks(self) -> list[str]:
        """Collaterals by number."""
        if self._ilks is None:
            self._ilks = sorted(self.book.facts("ilk"), key=self.book.facts("ilk").__getitem__)
        return self._ilks

    def ways(self, ilk: str) -> tuple[Way, ...]:
        """What rate and price can be, those first that ask for the fewest calls; nothing without a price."""
        if ilk not in self._ways:
            terms: Terms | None = self.book.fact("terms", ilk)
            oracle: Oracle | None = None if terms is None else self.book.fact("oracle", terms.pip)
            self._ways[ilk] = tuple(self._list(terms, oracle)) if terms and oracle else ()
        return self._ways[ilk]

    def _list(self, terms: Terms, oracle: Oracle) -> list[Way]:
        prices = [(Steps.NONE, terms.spot, oracle.value), (Steps.POKE, self.spot(terms, oracle.value), oracle.value)]
        if oracle.late and not oracle.stopped and self.at >= oracle.due:
            prices.append((Steps.HOP | Steps.POKE, self.spot(terms, oracle.coming), oracle.coming))
        rates = ((Steps.NONE, terms.rate), (Steps.DRIP, self.dripped(terms)))
        ways = [Way(a | b, rate, spot, value) for a, spot, value in prices for b, rate in rates if spot]
        return sorted(ways, key=lambda way: (way.steps.bit_count(), way.steps))

    def dripped(self, terms: Terms) -> int:
        """The rate after a drip."""
        fee = terms.duty + self.limits.base
        return maths.dripped(terms.rate, fee, self.at - terms.dripped) if self.at >= terms.dripped else terms.rate

    def spot(self, terms: Terms, value: int) -> int:
        """What the vat would learn from a price."""
        return maths.spot_price(value, self.limits.par, terms.ratio)

    def worst(self, ilk: str) -> tuple[int, int] | None:
        """The lowest price and the highest rate that can be had; ``None`` without a price."""
        ways = self.ways(ilk)
        return (min(way.spot for way in ways), max(way.rate for way in ways)) if ways else None

    def kennel(self, terms: Terms, way: Way) -> Kennel:
        """What the dog reads."""
        it = self.limits
        return Kennel(
            it.live, way.rate, way.spot, terms.dust, terms.chop, terms.hole, terms.dirt, it.hole, it.dirt
        )  # fmt: skip

    def auction(self, row: int) -> Auction | Quarantine | None:
        """The running auction of a row; ``None`` where there is none."""
        account = self.book.account(row)
        sale = self.book.fact("sale", account)
        if sale is None:
            return None
        clip = owner(account)
        rules = self.book.fact("rules", clip)
        if rules is None:
            return Quarantine(clip, "the auction house, or its price curve, is not one of those understood")
        column = self.book.fact("ilk", self.book.fact("clip", clip)) << 2 | LOT
        return Auction(rules, sale, self.book.amount(row, column), self.at)

    def held(self, row: int) -> tuple[str, int, int]:
        """Collateral's name, ink and art of an urn."""
        ilk = pocket(self.book.account(row))
        column = self.book.fact("ilk", ilk)
        if column is None:
            return ilk, 0, 0
        return ilk, self.book.amount(row, column << 2 | INK), self.book.amount(row, column << 2 | ART)

    def health(self, row: int) -> Health | Quarantine:
        """An urn at the worst that can be brought about; an auction that runs is at 0."""
        auction = self.auction(row)
        if isinstance(auction, Quarantine):
            return auction
        if auction is not None:
            worth, tab = auction.lot * auction.price // RAY, auction.sale.tab // RAY
            return Health(Wad(0), BaseValue(worth), BaseValue(tab))
        ilk, ink, art = self.held(row)
        if not art:
            return Health(Wad(MAX_U256), BaseValue(0), BaseValue(0))
        worst = self.worst(ilk)
        if worst is None:
            return Quarantine(ilk, "the oracle gives no price")
        return urn_health(ink, art, *worst)


def urn_health(ink: int, art: int, spot: int, rate: int) -> Health:
    """What may be lent on the collateral over what is owed, both rounded down to a wad of dai on their own."""
    lent, owed = ink * spot, art * rate
    return Health(Wad(lent * WAD // owed), BaseValue(lent // RAY), BaseValue(owed // RAY))


def versions(book: Book) -> tuple[int, ...]:
    """What a view depends on besides time."""
    return tuple(book.version(kind) for kind in KINDS)
