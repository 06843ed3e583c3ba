"""What ``Dog.bark`` does to an urn.

Law: the integers of the dog in its order. What it refuses is a reason, in the order in which it asks.
"""

from dataclasses import dataclass
from typing import NamedTuple

from keeper.core.refusals import Reason
from keeper.core.units import WAD


@dataclass(frozen=True, slots=True)
class Kennel:
    """What the dog reads of itself and of one kind of collateral."""

    live: bool
    rate: int  # ray: what a unit of an urn's debt is in dai
    spot: int  # ray: what may be lent on a unit of collateral; 0: the oracle gives no price
    dust: int  # rad: the least debt an urn may have
    chop: int  # wad: what is to be raised over the debt
    hole: int  # rad that all auctions of this collateral may want at once
    dirt: int  # rad that they want now
    total_hole: int  # the same of all collaterals
    total_dirt: int


class Barked(NamedTuple):
    """An urn's loss, and the auction that begins with it."""

    ink: int  # wad of collateral: the lot
    art: int  # wad of normalised debt
    due: int  # rad of debt
    tab: int  # rad to raise


def unsafe(ink: int, art: int, spot: int, rate: int) -> bool:
    """Whether more is owed than may be lent. An urn whose collateral has no price is never unsafe."""
    return spot > 0 and ink * spot < art * rate


def bark(kennel: Kennel, ink: int, art: int) -> Barked | Reason:
    """What is taken from an unsafe urn: all, or as much as there is room for."""
    if not kennel.live:
        return Reason.INACTIVE
    room = min(kennel.total_hole - kennel.total_dirt, kennel.hole - kennel.dirt)
    if room <= 0:
        return Reason.FULL
    rate = kennel.rate
    part = min(art, room * WAD // rate // kennel.chop)
    if art > part:
        if (art - part) * rate < kennel.dust:
            part = art
        elif part * rate < kennel.dust:
            return Reason.DUST
    taken = ink * part // art
    if taken == 0:
        return Reason.DUST
    due = part * rate
    return Barked(taken, part, due, due * kennel.chop // WAD)
