"""The facts an Aave v3 market's book keeps, by kind.

Law: a fact says what the chain says, never what we were doing: two books that watched the same chain hold the same.

| kind      | key            | value                                                                                  |
|-----------|----------------|----------------------------------------------------------------------------------------|
| market    | ""             | ``MarketParts``: the market's contracts and constants                                  |
| listing   | asset          | ``Listing``: a reserve's id, tokens and decimals                                       |
| config    | asset          | the fields of the configuration word that matter, in their places                      |
| grace     | asset          | last block time of the liquidation grace period                                        |
| rates     | asset          | ``Rates``: indexes, rates and their time                                               |
| liquidity | asset          | underlying that can leave the pool                                                     |
| deficit   | asset          | debt written off that nobody has paid for yet; missing: none, or up to 3.2             |
| emode     | category       | ``EMode``                                                                              |
| source    | asset          | ``Source``: where the price comes from                                                 |
| price     | asset          | what the oracle answers; missing: it reverts. Also e-mode price sources, up to 3.1     |
| allowed   | ""             | whether the sentinel allows liquidations; missing: there is none                       |
| impl      | proxy          | the implementation behind a proxy                                                      |
| code      | implementation | the version its code was recognised as; "unknown" when it was not                      |
| doubt     | token:account  | history could not tell this balance exactly: the survey reads it                       |
| stale     | subject        | an event said that this must be read again; gone once it was                           |
"""

from collections.abc import Mapping
from typing import Final

import msgspec

from keeper.core.units import Address
from keeper.protocols.aave_v3.health import Rates

COLLATERAL, DEBT, STABLE = 0, 1, 2  # sides of a reserve: column = id << 2 | side
UNKNOWN: Final = "unknown"


class MarketParts(msgspec.Struct, frozen=True):
    """The contracts of the market, and constants of its oracle."""

    pool: Address
    configurator: Address
    oracle: Address
    sentinel: Address  # zero: none
    fallback: Address
    base_currency: Address
    base_unit: int
    flash_premium: int  # basis points


class Listing(msgspec.Struct, frozen=True):
    """What does not change of a reserve while it is listed."""

    id: int
    collateral_token: Address
    debt_token: Address
    stable_token: Address  # zero where stable debt does not exist
    decimals: int

    @property
    def tokens(self) -> tuple[Address, Address, Address]:
        """By side."""
        return self.collateral_token, self.debt_token, self.stable_token


class EMode(msgspec.Struct, frozen=True):
    """An e-mode category. The bitmap is 0 up to 3.1, where the category stands in each reserve's configuration."""

    threshold: int
    bonus: int
    price_source: Address
    collateral_bitmap: int


class Source(msgspec.Struct, frozen=True):
    """A price source. ``feed``: the aggregator whose answers are the price; zero when it must be viewed."""

    source: Address
    feed: Address


class Config(msgspec.Struct, frozen=True):
    """A configuration word, taken apart."""

    threshold: int
    bonus: int
    decimals: int
    active: bool
    paused: bool
    flash_loans: bool
    protocol_fee: int
    category: int


def _field(first: int, last: int) -> int:
    return (1 << last + 1) - (1 << first)


CONFIG_MASK: Final = (  # threshold and bonus, decimals, active, paused, flash loans, protocol fee, e-mode, virtual
    _field(16, 47) | _field(48, 55) | 1 << 56 | 1 << 60 | 1 << 63 | _field(152, 167) | _field(168, 175) | 1 << 252
)  # the other fields move without an event that we follow, and liquidations do not ask for them


def config(word: int) -> Config:
    """The fields of a configuration word that matter for liquidation."""
    return Config(
        threshold=word >> 16 & 0xFFFF,
        bonus=word >> 32 & 0xFFFF,
        decimals=word >> 48 & 0xFF,
        active=bool(word >> 56 & 1),
        paused=bool(word >> 60 & 1),
        flash_loans=bool(word >> 63 & 1),
        protocol_fee=word >> 152 & 0xFFFF,
        category=word >> 168 & 0xFF,
    )


TYPES: Final[Mapping[str, type]] = {
    "market": MarketParts,
    "listing": Listing,
    "config": int,
    "grace": int,
    "rates": Rates,
    "liquidity": int,
    "deficit": int,
    "emode": EMode,
    "source": Source,
    "price": int,
    "allowed": bool,
    "impl": str,
    "code": str,
    "doubt": bool,
    "stale": bool,
}
