"""What an adapter tells beside health: when to look again, what stands behind a market, what became of liquidations.

Law: values only. Amounts are in the smallest units of the asset that is named; a number that is not known is ``None``,
never zero.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum

from keeper.core.plans import VenueKind
from keeper.core.units import Address, BlockNumber, Hash


class TriggerKind(Enum):
    """What has to move for an account to be worth another look. The value is what logs show."""

    PRICE = "price"  # ``at``: the price in the market's own unit, ``what``: the asset
    TIME = "time"  # ``at``: a timestamp: interest, a grace period, a price known ahead
    INDEX = "index"  # ``at``: an index in the market's own scale, ``what``: whose
    AUCTION = "auction"  # ``at``: a timestamp: a falling price or a reset, ``what``: which


@dataclass(frozen=True, slots=True)
class Trigger:
    """When to look at an account again, and why. At ``at`` it is so for the first time; one unit before it is not."""

    kind: TriggerKind
    at: int
    what: str
    rising: bool = True  # of a price or an index: it is reached from below


@dataclass(frozen=True, slots=True)
class Backing:
    """What stands behind a market in one asset, and what is missing already."""

    asset: Address
    fund: int | None = None  # insurance fund or reserves: what pays for bad debt before anybody else does
    deficit: int | None = None  # bad debt that nobody has paid for yet
    socialised: int | None = None  # bad debt that depositors have paid for, so far
    ranks: Sequence[Address] = ()  # accounts in the order in which they are deleveraged, where there is such a thing


@dataclass(frozen=True, slots=True)
class Liquidated:
    """One liquidation that happened, whoever did it."""

    account: Address  # with its pocket
    collateral_asset: Address
    debt_asset: Address
    repaid: int
    seized: int  # what the liquidator received
    liquidator: Address
    tx: Hash
    block: BlockNumber


@dataclass(frozen=True, slots=True)
class Receipt:
    """A token that a market turns into an asset at once: ``shares`` of it are worth ``worth``, rounded down."""

    kind: VenueKind  # how it is redeemed: ERC4626 or CTOKEN
    token: Address
    asset: Address
    worth: int
    shares: int
    available: int  # of the asset: what can be paid out now
