"""Why nothing is done about an account.

Law: a refusal is a value. Every liquidatable account ends as a ``Plan`` or as a ``Skip`` that names the reason and the
term that failed; nothing is dropped in silence.
"""

from dataclasses import dataclass
from enum import Enum

from keeper.core.units import Address, Who


class Reason(Enum):
    """Stable codes of refusals. The value is what logs, reports and alerts show."""

    UNPROFITABLE = "unprofitable"
    BELOW_MIN_PROFIT = "min_profit"
    NO_ROUTE = "no_route"
    NO_FUNDING = "no_funding"
    DUST = "dust"
    PAUSED = "reserve.paused"
    INACTIVE = "reserve.inactive"
    GRACE = "reserve.grace_period"
    SEQUENCER = "oracle.sequencer"
    ORACLE_STALE = "oracle.stale"
    ORACLE_INVALID = "oracle.invalid"
    ORACLE_DIVERGENCE = "oracle.divergence"
    MANIPULABLE = "oracle.manipulable"
    DENIED_TOKEN = "token.denied"  # noqa: S105 - a reason code
    TRANSFER_TAX = "token.transfer_tax"
    PAUSABLE_TOKEN = "token.paused"  # noqa: S105 - a reason code
    VOLATILITY = "haircut"
    LOSS_CAP = "risk.loss_cap"
    ASSET_CAP = "risk.asset_cap"
    BREAKER = "risk.breaker"
    BLOCK_FULL = "block_gas"
    GAS_LIMIT = "gas_limit"
    GAS_PRICE = "gas_price"
    SELF = "self_liquidation"
    QUARANTINED = "market.quarantined"
    NO_LIQUIDITY = "market.no_liquidity"
    FULL = "market.full"  # its auctions already ask for as much as it lets them
    WAITING = "auction.waiting"  # it pays, and is expected to pay better later
    RESET = "auction.reset"  # too old or too cheap: somebody has to reset it first
    NOT_TAKABLE = "market.not_takable"  # the account is below 1, and the market lets nothing of it go
    FUND_SHORT = "market.insurance_fund"  # it cannot cover what the account lacks, and the call would revert
    DEPOSITS_CAPPED = "market.deposits_capped"  # it takes no more margin
    NATIVE = "market.native"  # paid in or out in the chain's own coin, which is no token
    RESTRICTED = "account.restricted"  # only liquidators on a list may
    OTHER_DEBT_FIRST = "account.other_debt_first"  # the market insists on another of its debts
    HALTED = "risk.halted"  # the kill switch, the breaker or a cap on losses stops all sending
    READ_ONLY = "read_only"  # worth sending, and there is nobody to sign
    NOT_SENT = "not_sent"  # planned, and refused on its way out: by a simulation, for want of a free account


@dataclass(frozen=True, slots=True)
class Skip:
    """A refusal: who, why, and the term that failed."""

    account: Address
    reason: Reason
    term: str  # the number that decided, readable: "net -43.44 USD < floor 0"
    market: Address  # as it is configured

    @property
    def who(self) -> Who:
        """Whom it is about."""
        return self.market, self.account
