"""The facts a Morpho Blue book keeps, by kind.

Law: a fact says what the chain says, never what we were doing: two books that watched the same chain hold the same. So
what is only read while a market has debt is forgotten when it has none.

| kind     | key            | value                                                                                    |
|----------|----------------|------------------------------------------------------------------------------------------|
| listing  | market id      | ``Listing``: a market's number and parameters                                            |
| state    | market id      | ``State``: its totals, when they were accrued, its fee                                   |
| target   | market id      | the stored rate at the target of an adaptive curve; missing: its rate model has none     |
| irm      | rate model     | "adaptive": computed here, "viewed": asked each block                                    |
| rate     | market id      | the rate a viewed model answers; missing: it reverts                                     |
| oracle   | oracle         | ``Oracle``: of which feeds and vaults its price is made; without a scale it is viewed    |
| price    | oracle         | what a viewed oracle answers; missing: it reverts                                        |
| feed     | feed           | the aggregator whose events tell its answers; zero: it is asked each block               |
| answer   | feed           | its last answer; missing: it reverts                                                     |
| vault    | vault:shares   | what the vault gives for these shares; missing: it reverts                               |
| decimals | token          | of a loan or collateral token; missing: it does not say                                  |
| factory  | factory        | makes pre-liquidations for this Morpho                                                   |
| offer    | pre-liquidator | ``Offer``: a pre-liquidation contract, its market and terms                              |
| consent  | owner:offer    | the owner lets the contract act for him                                                  |
| written_off | loan token  | bad debt that lenders have paid for, since ``from_block``                                |
| doubt    | account        | history could not tell this position exactly: it is read                                 |
| stray    | market id      | spoken of, and never created since ``from_block``, or beyond what the book can number    |
| stale    | subject        | must be read again; gone once it was                                                     |
"""

from collections.abc import Mapping
from typing import Final

import msgspec

from keeper.core.units import ZERO_ADDRESS, Address

COLLATERAL, DEBT = 0, 1  # sides of a pocket: column = number << 1 | side; a debt is in shares
POCKETS: Final = 1 << 15  # numbers there are: markets count from below, offers from above
ADAPTIVE: Final = "adaptive"
VIEWED: Final = "viewed"


class Listing(msgspec.Struct, frozen=True):
    """A market: what its id is the hash of."""

    number: int
    loan: Address
    collateral: Address
    oracle: Address
    irm: Address
    lltv: int

    @property
    def words(self) -> str:
        """The parameters as calldata."""
        addresses = (self.loan, self.collateral, self.oracle, self.irm)
        return "".join(f"{address[2:]:0>64}" for address in addresses) + f"{self.lltv:064x}"


class State(msgspec.Struct, frozen=True):
    """A market's storage."""

    supply_assets: int
    supply_shares: int
    borrow_assets: int
    borrow_shares: int
    updated: int  # block time; 0 without a rate model: nobody tells, and nothing depends on it
    fee: int  # share of the interest, a wad

    @property
    def words(self) -> str:
        """As calldata."""
        return "".join(f"{value:064x}" for value in msgspec.structs.astuple(self))


class Oracle(msgspec.Struct, frozen=True):
    """A price made of a vault's rate and two feeds over the same: MorphoChainlinkOracleV2. Zero: that part is one."""

    base_vault: Address
    base_sample: int
    base_feeds: tuple[Address, Address]
    quote_vault: Address
    quote_sample: int
    quote_feeds: tuple[Address, Address]
    scale: int  # 0: some other kind of oracle, its price is viewed

    @property
    def feeds(self) -> tuple[Address, ...]:
        """Those that there are."""
        return tuple(feed for feed in (*self.base_feeds, *self.quote_feeds) if feed != ZERO_ADDRESS)

    @property
    def vaults(self) -> tuple[tuple[Address, int], ...]:
        """Those that there are, with the shares that are asked about."""
        pairs = ((self.base_vault, self.base_sample), (self.quote_vault, self.quote_sample))
        return tuple(pair for pair in pairs if pair[0] != ZERO_ADDRESS)


UNMODELLED: Final = Oracle(ZERO_ADDRESS, 0, (ZERO_ADDRESS, ZERO_ADDRESS), ZERO_ADDRESS, 0, (ZERO_ADDRESS,) * 2, 0)


class Offer(msgspec.Struct, frozen=True):
    """A pre-liquidation contract: from ``lltv`` on, a share of the debt for an incentive, both growing."""

    number: int
    market: str
    lltv: int
    close_factor: tuple[int, int]  # at its limit and at the market's, wads
    incentive: tuple[int, int]
    oracle: Address


TYPES: Final[Mapping[str, type]] = {
    "listing": Listing,
    "state": State,
    "target": int,
    "irm": str,
    "rate": int,
    "oracle": Oracle,
    "price": int,
    "feed": str,
    "answer": int,
    "vault": int,
    "decimals": int,
    "factory": bool,
    "offer": Offer,
    "consent": bool,
    "written_off": int,
    "doubt": bool,
    "stray": str,
    "stale": bool,
}


def vault_key(vault: Address, shares: int) -> str:
    """Where a vault's rate is kept."""
    return f"{vault}:{shares}"
