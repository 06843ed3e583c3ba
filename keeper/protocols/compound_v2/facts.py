"""The facts a Compound v2 market's book keeps, by kind.

Law: a fact says what the chain says, never what we were doing: two books that watched the same chain hold the same.

| kind       | key           | value                                                                                   |
|------------|---------------|-----------------------------------------------------------------------------------------|
| market     | ""            | ``Parts``: the market's contracts and what holds for all of it                          |
| listing    | vToken        | ``Listing``: a number, the underlying and its decimals                                  |
| config     | vToken        | ``Config``: listed, paused, forced, and the share of seized tokens kept                 |
| risk       | pool:vToken   | ``Risk``: threshold and incentive; pool 0 is the core pool                              |
| pool       | pool          | ``Pool``: whether it is active and falls back to the core pool                          |
| accrual    | vToken        | ``Accrual``: totals, index and rate as stored; missing: they cannot be read             |
| index      | vToken        | the borrow index that the last event named: what new debts are counted by               |
| price      | vToken        | what the oracle answers; missing: it reverts or says zero                               |
| feed       | vToken        | ``Feed``: the aggregator whose answers are the price; missing: it must be viewed        |
| way        | vToken        | ``Way``: whom the oracle asks for the price, who asks whom; it ends at ``feed``         |
| vai        | ""            | ``Stablecoin``: VAI's index and rate; missing: there is no VAI                          |
| clock      | ""            | ``Clock``: number and time of the block of the book                                     |
| restricted | account       | only liquidators on a list may liquidate it                                             |
| forced     | account:vToken | this debt can be liquidated whatever the account's health                              |
| doubt      | vToken:account | history could not tell this amount exactly: the survey reads it; of VAI: vai:account   |
| stale      | subject       | an event said that this must be read again; gone once it was                            |

Columns: number << 2 | side. Flags: bit n, the account has entered market n; bit 127, some debt of it is forced.
Mode: the account's pool. A debt's annex is the index at which its principal was counted; VAI's (number 0, side VAI)
are its past interest and its index.
"""

from collections.abc import Mapping
from typing import Final

import msgspec

from keeper.core.units import Address

COLLATERAL, DEBT, VAI = 0, 1, 2  # sides; VAI has no market of its own: its number is 0
FORCED: Final = 1 << 127  # a flag of the account
WAYS: Final = "ways"  # a subject that is stale: whom the oracles ask


class Parts(msgspec.Struct, frozen=True):
    """Contracts of the market and what holds for all of it."""

    oracle: Address
    liquidator: Address  # who may call the vTokens; zero: everybody
    vai_controller: Address  # zero: there is no VAI
    vai: Address
    close_factor: int
    incentive: int  # where it is the same for every market; 0: each has its own
    redeem_fee: int  # share of redeemed underlying that goes to a treasury
    paused: bool  # everything, or all seizures
    treasury_percent: int  # share of the bonus that the Liquidator keeps
    min_vai: int  # from so much VAI debt on it must be liquidated first
    vai_first: bool
    vai_paused: bool  # liquidations of VAI
    skips_empty: bool  # an entered market without a position needs no price
    seconds: bool  # interest is by second, not by block
    pace: int  # milliseconds of a block, as the interest rate models believe


class Listing(msgspec.Struct, frozen=True):
    """What does not change of a market."""

    number: int
    underlying: Address  # zero: the chain's own coin
    decimals: int


class Config(msgspec.Struct, frozen=True):
    """What owners change of a market."""

    listed: bool
    seize_paused: bool
    liquidate_paused: bool
    repay_paused: bool
    forced: bool  # debts can be liquidated whatever the health, and whole
    seize_share: int  # of seized vTokens, kept by the market


class Risk(msgspec.Struct, frozen=True):
    """How a market counts in a pool."""

    threshold: int
    incentive: int


class Pool(msgspec.Struct, frozen=True):
    """A pool beside the core pool."""

    active: bool
    fallback: bool


class Accrual(msgspec.Struct, frozen=True):
    """What a market has stored, and the rate at which the next interest will be added."""

    index: int
    borrows: int
    reserves: int
    supply: int
    cash: int
    rate: int
    reserve_factor: int
    at: int  # block, or second


class Feed(msgspec.Struct, frozen=True):
    """A feed: who emits its answers, what they are multiplied by, and whom readers ask."""

    aggregator: Address
    scale: int
    proxy: Address


class Way(msgspec.Struct, frozen=True):
    """From the comptroller's oracle to a feed; zero from where it cannot be told."""

    oracle: Address  # the main one of several
    proxy: Address
    aggregator: Address


class Stablecoin(msgspec.Struct, frozen=True):
    """VAI: what is owed grows by an index of its own."""

    index: int
    rate: int
    at: int


class Clock(msgspec.Struct, frozen=True):
    """The block of the book."""

    number: int
    time: int


TYPES: Final[Mapping[str, type]] = {
    "market": Parts,
    "listing": Listing,
    "config": Config,
    "risk": Risk,
    "pool": Pool,
    "accrual": Accrual,
    "index": int,
    "price": int,
    "feed": Feed,
    "way": Way,
    "vai": Stablecoin,
    "clock": Clock,
    "restricted": bool,
    "forced": bool,
    "doubt": bool,
    "stale": bool,
}
