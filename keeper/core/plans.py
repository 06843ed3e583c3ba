"""What the keeper intends to do: a transaction, and what it should earn.

Laws
- A plan is executed exactly so, in one transaction:
  1. for each leg in order: obtain ``funding.amount`` of the debt asset; call the market with ``repay``; run ``swaps``
     in order; give back ``funding.owed``. What is left over is in the debt asset; after a flash swap, in the asset
     its swaps end in, or without swaps in the collateral asset. A leg of several that fails is undone alone.
     Legs that join the loan of the leg before them are run inside one loan of what they need together. Its fee is
     brought by the first of them that is done: so a plan charges it to the first, and the others owe what they got.
     How a leg calls its market is its ``Style``; what must be said there beside the repay amount are its ``calls``;
  2. run ``conversions`` in order: what the legs left over becomes the profit token;
  3. profit = growth of the executor's balance of the profit token. It must reach ``min_profit``; ``bid_bps`` of it
     then go to the block's fee recipient (only if the profit token is the wrapped native token, else ``bid_bps`` = 0).
- A swap marked ``rest`` sells whatever of its first token the plan has obtained and not yet used; its ``amount_in`` is
  what that should be. The last swap of a leg and every conversion is such a one, so nothing is left behind.
- A swap marked ``exact_out``, the last of its leg, buys in its last hop just what the leg still owes; ``amount_in`` is
  what that should cost. What it does not sell is left over too: the profit of a leg whose collateral is the profit
  token needs no second swap.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import IntEnum, IntFlag
from typing import Final

from keeper.core.actions import Call, Settlement, Style, Witness
from keeper.core.units import ZERO_ADDRESS, Address, Amount, BlockNumber, Bps, Wei, Who


class Role(IntFlag):
    """What the executor's owner allows an address to be. The numbers are part of the executor contract."""

    CALLER = 1  # may execute and sweep
    MARKET = 2  # may be liquidated on as Aave is, and borrowed from
    ROUTER = 4  # may be called with opaque calldata
    POOL = 8  # may be swapped in, or redeemed from, although no factory of the executor made it
    CALLED = 16  # may be called as a leg says, and take what is repaid: only who holds nothing of ours between plans


class FundingKind(IntEnum):
    """Where the repaid tokens come from. The numbers are part of the executor contract's calldata."""

    OWN = 0
    UNISWAP_V3_FLASH_SWAP = 1  # exact-output swap: the pool pays first, the callback liquidates and pays the pool
    AAVE_FLASH_LOAN = 2
    BALANCER_FLASH_LOAN = 3
    MORPHO_FLASH_LOAN = 4
    PROTOCOL_CALLBACK = 5  # the market sends collateral first and calls back


LENT: Final = frozenset(
    {FundingKind.AAVE_FLASH_LOAN, FundingKind.BALANCER_FLASH_LOAN, FundingKind.MORPHO_FLASH_LOAN}
)  # a lender gives any amount up to what it has: several legs may share it


class VenueKind(IntEnum):
    """How a hop is executed. The numbers are part of the executor contract's calldata."""

    UNISWAP_V2 = 0
    UNISWAP_V3 = 1
    ROUTER = 2  # an allow-listed router with opaque calldata from an external quoter
    ERC4626 = 3  # the hop's "pool" is a vault: its shares are redeemed for the asset
    CTOKEN = 4  # the hop's "pool" is a cToken: it is redeemed for its underlying


REDEEMED: Final = frozenset({VenueKind.ERC4626, VenueKind.CTOKEN})  # one way, at a price that no amount moves


@dataclass(frozen=True, slots=True)
class Hop:
    """One swap through one pool."""

    venue: VenueKind
    pool: Address
    token_in: Address
    token_out: Address
    fee: int  # hundredths of a bip (3000 = 0.3 %)
    data: str = "0x"  # calldata for a router; empty for pools


@dataclass(frozen=True, slots=True)
class SwapLeg:
    """A share of the proceeds through a path of pools: exact input, unless ``exact_out``."""

    amount_in: Amount
    expected_out: Amount
    min_out: Amount
    hops: tuple[Hop, ...]
    rest: bool = False
    exact_out: bool = False


@dataclass(frozen=True, slots=True)
class Funding:
    """A funding source and what it wants back."""

    kind: FundingKind
    source: Address  # pool, vault or lending pool; zero for OWN and for the protocol's own callback
    amount: Amount  # obtained, in the debt asset
    owed: Amount  # given back: in the debt asset amount + fee; for a flash swap in the collateral asset its price
    fee: Amount  # in the debt asset (a flash swap's fee is inside its price: 0 here)
    pool_fee: int = 0  # of a flash swap's pool, in hundredths of a bip
    joins: bool = False  # borrowed in one loan with the leg before, which is charged the fee


@dataclass(frozen=True, slots=True)
class Leg:
    """One liquidation inside a transaction: fund, call, sell, repay."""

    protocol: str
    market: Address  # the contract that is called
    account: Address
    collateral_asset: Address
    debt_asset: Address
    repay: Amount
    settlement: Settlement
    receive_wrapped: bool
    funding: Funding
    swaps: tuple[SwapLeg, ...]
    witness: Witness | None = None  # without one, a rival who was first is noticed only by the market itself
    gas_limit: int = 0  # the most a leg among several may burn; zero: all there is
    style: Style = Style.AAVE
    spender: Address = ZERO_ADDRESS  # who takes the repay amount, where the executor does not know it
    calls: tuple[Call, ...] = ()
    home: Address = ZERO_ADDRESS  # the market as it is configured; the contract that is called where nobody said

    @property
    def who(self) -> Who:
        """Whom it is about."""
        return (self.market if self.home == ZERO_ADDRESS else self.home), self.account


def loans_of(legs: Iterable[Leg]) -> list[list[Leg]]:
    """The legs of each loan; a leg that borrows for itself is alone."""
    loans: list[list[Leg]] = []
    for leg in legs:
        if leg.funding.joins and loans:
            loans[-1].append(leg)
        else:
            loans.append([leg])
    return loans


@dataclass(frozen=True, slots=True)
class Estimate:
    """The cost identity of a plan, every term in wei of the native token, tokens at the market's oracle price.

    gross_bonus = protocol_fee + venue_fee + impact + funding_fee + gas + l1_fee + bid + net, exactly.
    """

    gross_bonus: Wei  # what is seized, less what is repaid
    protocol_fee: Wei
    venue_fee: Wei  # fees of the pools sold through
    impact: Wei  # the rest of what selling costs against the oracle price; negative when venues pay more than it
    funding_fee: Wei
    gas: Wei  # execution gas at the base fee of the target block: burnt, no part of the bid
    l1_fee: Wei  # data and operator fees of a rollup
    bid: Wei  # priority fee and the share of profit together: what the block's fee recipient gets
    net: Wei

    @property
    def profit(self) -> Wei:
        """What the executor measures: before gas and bid, which its caller pays or it pays last."""
        return Wei(self.net + self.bid + self.gas + self.l1_fee)


@dataclass(frozen=True, slots=True)
class Plan:
    """A transaction worth sending."""

    opportunity_id: str
    block: BlockNumber  # the block it was planned for
    deadline: BlockNumber  # last block in which it may land
    legs: tuple[Leg, ...]
    conversions: tuple[SwapLeg, ...]  # leftovers into the profit token; empty when they are in it already
    profit_token: Address
    min_profit: Amount  # in the profit token, before the bid, asserted on chain
    bid_bps: Bps  # of measured profit, to the block's fee recipient
    gas_limit: int
    max_fee: Wei
    tip: Wei
    estimate: Estimate
