"""Everything a decision depends on, as one value.

Law: two decisions on equal worlds are equal. The shell fills a world once per block (and once more when a block's
first plans are packed); nothing in it is read later.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from keeper.core.actions import Action
from keeper.core.plans import Plan
from keeper.core.ports import Loan
from keeper.core.refusals import Reason
from keeper.core.units import Address, BlockNumber, Bps, Timestamp, Wad, Wei, Who
from keeper.core.venues import Liquidity
from keeper.estimator.bid import BidBook, BidPolicy
from keeper.estimator.gas import ETHEREUM, TX_GAS_CAP, FeeRule, GasBook
from keeper.estimator.guards import Reading, Sequencer, TokenRules
from keeper.estimator.risk import Breaker, LossCaps, Losses
from keeper.estimator.rivals import RivalBook
from keeper.estimator.rollup import DataFee, NoDataFee
from keeper.estimator.worth import Prices
from keeper.venues.route.search import Routing


@dataclass(frozen=True, slots=True)
class Policy:
    """What the operator wants. Every limit is on by being smaller than its default."""

    profit_token: Address  # the wrapped native token wherever the executor asserts profit
    routing: Routing = field(default_factory=Routing)
    bid: BidPolicy = field(default_factory=BidPolicy)
    channel: str = ""  # where the bid will be made: shares are learned per channel
    shared: bool = True  # bid a share of measured profit; else a priority fee, where blocks are ordered by it
    min_profit_bps: Bps = Bps(0)  # of what is repaid; ``bid.min_profit`` is the absolute one
    slippage: Bps = Bps(50)  # what a swap may bring less than quoted
    window: int = 3  # blocks in which a plan may land
    max_base_fee: Wei | None = None
    tx_gas: int = TX_GAS_CAP
    max_legs: int = 16  # liquidations in one transaction: more save little gas, and leave more of a full block unused
    block_gas: Bps = Bps(10_000)  # share of a block's gas that all plans together may ask for
    haircut_z: int = 0  # standard deviations of price risk that profit must cover besides
    hold: int = 0  # seconds of it
    sigma: Wad = Wad(8 * 10**17)  # yearly volatility of an asset that has none of its own
    sigmas: Mapping[Address, Wad] = field(default_factory=dict)
    oracle_grace: int = 60  # seconds after a missed heartbeat
    sequencer_grace: int = 3600
    divergence: Bps | None = None  # of the protocol's price from the venues' median
    manipulation: Bps | None = None  # a price move that must cost more than the profit at stake
    patience: int = 0  # auctions of an asset whose end was seen before one is waited for; 0: none is


@dataclass(frozen=True, slots=True)
class Risk:
    """What has happened so far, and what may."""

    losses: Losses = field(default_factory=Losses)
    caps: LossCaps | None = None
    breaker: Breaker = field(default_factory=Breaker)
    in_flight: int = 0
    reverts_cost: bool = True  # False where a failing transaction is never included


@dataclass(frozen=True, slots=True)
class Oracles:
    """What guards compare prices with."""

    readings: Mapping[Address, Reading] = field(default_factory=dict)  # by asset
    sequencer: Sequencer | None = None
    mean_ticks: Mapping[Address, int] = field(default_factory=dict)  # by pool: time-weighted


def _unencoded(_plan: Plan) -> bytes:
    return b""


@dataclass(frozen=True, slots=True)
class World:
    """One moment: the block a plan is made for, as far as it is known."""

    block: BlockNumber
    timestamp: Timestamp
    base_fee: Wei  # of that block
    gas_limit: int  # of that block
    liquidity: Liquidity
    policy: Policy
    lenders: Sequence[Loan] = ()
    gas: GasBook = field(default_factory=GasBook)
    bids: BidBook = field(default_factory=BidBook)
    rivals: RivalBook = field(default_factory=RivalBook)
    fee_rule: FeeRule = ETHEREUM
    data_fee: DataFee = field(default_factory=NoDataFee)
    unsigned: Callable[[Plan], bytes] = _unencoded  # the unsigned transaction of a plan, where its bytes cost
    tokens: TokenRules = field(default_factory=TokenRules)
    oracles: Oracles = field(default_factory=Oracles)
    risk: Risk = field(default_factory=Risk)


@dataclass(frozen=True, slots=True)
class Candidate:
    """One liquidatable account of one market."""

    account: Address
    actions: Sequence[Action | Reason]
    prices: Prices
    market: Address  # as it is configured

    @property
    def who(self) -> Who:
        """Whom it is about."""
        return self.market, self.account
