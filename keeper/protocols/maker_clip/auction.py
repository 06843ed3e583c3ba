"""One auction: its price, when it must be reset, and what a purchase takes.

Law: the integers of the clipper in its order. What it refuses is a reason, never a number.
"""

from dataclasses import dataclass
from typing import NamedTuple

import msgspec

from keeper.core.refusals import Reason
from keeper.core.units import RAY, WAD, Address, Timestamp, div_up
from keeper.protocols.maker_clip.curve import Curve


class Sale(msgspec.Struct, frozen=True):
    """An auction as the clipper stores it, without the lot, which is its account's amount in the book."""

    tab: int  # rad of dai to raise
    usr: Address  # whose collateral it was, who gets what is left
    tic: int  # when it started or was reset
    top: int  # ray: the price it started from


class Rules(msgspec.Struct, frozen=True):
    """What a clipper lets be done."""

    calc: Address
    curve: Curve
    buf: int  # ray: the first price over the feed's
    tail: int  # seconds until a reset
    cusp: int  # ray: share of the first price at which it is reset
    chip: int  # wad: share of the tab that is the reward
    tip: int  # rad: flat reward
    chost: int  # rad: the least that may be left to raise
    stopped: int  # 1: no new auction, 2: and no reset, 3: and no purchase


class Taken(NamedTuple):
    """A purchase."""

    bought: int  # wad of collateral
    owe: int  # rad of dai


@dataclass(frozen=True, slots=True)
class Auction:
    """A running auction at one time."""

    rules: Rules
    sale: Sale
    lot: int  # wad of collateral for sale
    at: Timestamp

    @property
    def elapsed(self) -> int:
        """Seconds since it started or was reset."""
        return self.at - self.sale.tic

    @property
    def price(self) -> int:
        """Ray of dai for one unit of collateral."""
        return self.rules.curve.price(self.sale.top, self.elapsed)

    @property
    def needs_reset(self) -> bool:
        """Too old or too cheap: nothing can be bought until somebody resets it."""
        return _over(self.rules, self.sale.top, self.elapsed, self.price)

    def take(self, amount: int) -> Taken | Reason:
        """What asking for ``amount`` of the collateral buys."""
        if self.rules.stopped > 2:  # noqa: PLR2004 - the level that forbids purchases
            return Reason.PAUSED
        price, tab = self.price, self.sale.tab
        if _over(self.rules, self.sale.top, self.elapsed, price):
            return Reason.RESET
        bought = min(self.lot, amount)
        owe = bought * price
        if owe > tab:
            return Taken(tab // price, tab)
        if owe < tab and bought < self.lot and tab - owe < self.rules.chost:
            if tab <= self.rules.chost:
                return Reason.DUST
            owe = tab - self.rules.chost
            return Taken(owe // price, owe)
        return Taken(bought, owe)

    def reward(self, feed: int) -> int:
        """Rad of dai for who resets it, at a feed price (ray): nothing for an auction that is dust."""
        worth = self.lot * feed
        return reward(self.rules, self.sale.tab) if min(self.sale.tab, worth) >= self.rules.chost else 0

    def first_at(self, most: int) -> Timestamp | None:
        """When the price first is at most ``most``; ``None``: not before a reset is due."""
        seconds = self.rules.curve.first(self.sale.top, most, self.rules.tail)
        if seconds is None:
            return None
        if _over(self.rules, self.sale.top, seconds, self.rules.curve.price(self.sale.top, seconds)):
            return None
        return Timestamp(self.sale.tic + seconds)

    def reset_at(self) -> Timestamp:
        """The first time at which it needs a reset."""
        least = div_up(self.rules.cusp * self.sale.top, RAY) - 1  # the highest price below the cusp
        seconds = self.rules.curve.first(self.sale.top, least, self.rules.tail)
        return Timestamp(self.sale.tic + (self.rules.tail + 1 if seconds is None else seconds))


def reward(rules: Rules, tab: int) -> int:
    """Rad of dai for who starts an auction."""
    return rules.tip + tab * rules.chip // WAD


def _over(rules: Rules, top: int, seconds: int, price: int) -> bool:
    return seconds > rules.tail or price * RAY // top < rules.cusp
