"""The facts that a Maker market's book keeps, by kind.

Law: a fact says what the chain says, never what we were doing: two books that watched the same chain hold the same.

| kind    | key         | value                                                                                      |
|---------|-------------|--------------------------------------------------------------------------------------------|
| market  | ""          | ``MarketParts``: the market's contracts                                                    |
| limits  | ""          | ``Limits``: what holds for all collaterals at once                                         |
| vow     | ""          | ``Vow``: surplus and bad debt                                                              |
| ilk     | name        | a collateral's number, in the order in which the vat learnt of them                        |
| terms   | name        | ``Terms``: rate, price, fee and limits of a collateral                                     |
| token   | name        | ``Token``: what the collateral is outside the vat; missing: the registry knows no join     |
| oracle  | address     | ``Oracle``: a price now and, behind an OSM, the next one                                   |
| clip    | address     | the collateral whose auctions are or were this contract's                                  |
| rules   | clip        | ``Rules`` of its auctions; missing: it or its price curve is not understood               |
| sale    | account     | ``Sale``: a running auction; the lot is the account's amount                               |
| doubt   | account     | history could not tell this urn or auction exactly: the survey reads it                    |
| stale   | subject     | an event said that this must be read again; gone once it was                               |

An urn's account is ``urn:collateral``, an auction's ``clipper:number``. A column is a collateral's number and a side.
"""

from collections.abc import Mapping
from typing import Final

import msgspec

from keeper.core.units import Address
from keeper.protocols.maker_clip.auction import Rules, Sale

INK, ART, LOT = 0, 1, 2  # sides: column = number << 2 | side


class MarketParts(msgspec.Struct, frozen=True):
    """The contracts, as the chainlog names them."""

    vat: Address
    jug: Address
    spotter: Address
    dog: Address
    vow: Address
    registry: Address
    dai_join: Address
    dai: Address


class Limits(msgspec.Struct, frozen=True):
    """Parameters of the whole market."""

    live: bool  # the dog barks
    hole: int  # rad that all auctions may want at once
    dirt: int  # rad that they want now
    par: int  # ray: dollars for a dai
    base: int  # ray: added to every collateral's fee


class Vow(msgspec.Struct, frozen=True):
    """Rad of dai."""

    surplus: int
    debt: int  # all that is owed by the system itself
    queued: int  # of that, what waits for the auctions it belongs to
    auctioned: int  # of that, what is being raised already


class Terms(msgspec.Struct, frozen=True):
    """A collateral."""

    rate: int  # ray
    spot: int  # ray
    dust: int  # rad
    duty: int  # ray: what a second multiplies debt by, less the base
    dripped: int  # when it last did
    pip: Address
    ratio: int  # ray: collateral that debt must be covered with
    clip: Address  # zero: there are no auctions of it
    chop: int  # wad
    hole: int  # rad
    dirt: int  # rad


class Token(msgspec.Struct, frozen=True):
    """What comes out of the vat."""

    join: Address
    gem: Address
    decimals: int


class Oracle(msgspec.Struct, frozen=True):
    """A price in wad of dollars; 0: none. Only a late one has a next price."""

    value: int
    late: bool = False
    coming: int = 0
    due: int = 0  # when the next price may be made the current one; 0: nobody may
    stopped: bool = False


def urn_account(urn: Address, ilk: str) -> Address:
    """The account of an urn."""
    return Address(f"{urn}:{ilk}")


def sale_account(clip: Address, number: int) -> Address:
    """The account of an auction."""
    return Address(f"{clip}:{number}")


TYPES: Final[Mapping[str, type]] = {
    "market": MarketParts,
    "limits": Limits,
    "vow": Vow,
    "ilk": int,
    "terms": Terms,
    "token": Token,
    "oracle": Oracle,
    "clip": str,
    "rules": Rules,
    "sale": Sale,
    "doubt": bool,
    "stale": bool,
}
