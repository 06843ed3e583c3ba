"""What the logs of a Maker market say.

Law: an amount of an urn is what it changed by; an auction's numbers are what they are from then on.
"""

from typing import NamedTuple

from keeper.core.units import Address


class Listed(NamedTuple):
    """A new kind of collateral."""

    ilk: str


class Moved(NamedTuple):
    """An urn gained or lost collateral and debt."""

    ilk: str
    urn: Address
    ink: int
    art: int


class IlkTouched(NamedTuple):
    """Rate, price or a parameter of a kind of collateral."""

    ilk: str


class Clipped(NamedTuple):
    """The auctions of a kind of collateral are another contract's from now on."""

    ilk: str
    clip: Address


class Started(NamedTuple):
    """An auction began, or began anew."""

    clip: Address
    number: int
    top: int
    tab: int
    lot: int
    usr: Address
    kpr: Address
    coin: int  # rad: the reward


class Bought(NamedTuple):
    """Somebody bought from an auction; both numbers are what is left of it."""

    clip: Address
    number: int
    price: int
    owe: int
    tab: int
    lot: int
    usr: Address


class Ended(NamedTuple):
    """An auction was called off."""

    clip: Address
    number: int


class Barked(NamedTuple):
    """An urn was taken to an auction."""

    ilk: str
    urn: Address
    ink: int
    due: int  # rad of its debt
    clip: Address
    number: int


Event = Listed | Moved | IlkTouched | Clipped | Started | Bought | Ended | Barked
