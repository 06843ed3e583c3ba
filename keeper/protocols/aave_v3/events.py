"""What an Aave v3 market's logs say, reduced to what moves health, liquidations or the list of sources.

Law: values only. A name is the contract's own unless two releases say the same thing under two names.
"""

from enum import Enum

import msgspec

from keeper.core.units import Address

POOL = "POOL"  # the ids of the addresses provider that matter
POOL_CONFIGURATOR = "POOL_CONFIGURATOR"
PRICE_ORACLE = "PRICE_ORACLE"
PRICE_ORACLE_SENTINEL = "PRICE_ORACLE_SENTINEL"


class TokenKind(Enum):
    """The tokens of a reserve."""

    COLLATERAL = "aToken"
    DEBT = "variableDebtToken"
    STABLE = "stableDebtToken"


class Event(msgspec.Struct, frozen=True):
    """Root of all events."""


# --- tokens ----------------------------------------------------------------------------------------------------


class Mint(Event, frozen=True, gc=False):
    """A supply or a borrow; a small withdrawal or repayment; or interest shown by a transfer. See ``tokens``."""

    token: Address
    account: Address
    value: int
    balance_increase: int
    index: int


class Burn(Event, frozen=True, gc=False):
    """A withdrawal or a repayment larger than the interest since the last action."""

    token: Address
    account: Address
    value: int
    balance_increase: int
    index: int


class BalanceTransfer(Event, frozen=True, gc=False):
    """An aToken transfer, also inside a liquidation."""

    token: Address
    sender: Address
    recipient: Address
    value: int  # scaled, but not in the very first tokens: see ``tokens``
    index: int


class StableMint(Event, frozen=True, gc=False):
    """A stable debt grew, or shrank by less than its interest."""

    token: Address
    account: Address
    value: int
    current_balance: int
    balance_increase: int
    rate: int


class StableBurn(Event, frozen=True, gc=False):
    """A stable debt shrank by more than its interest."""

    token: Address
    account: Address
    value: int
    current_balance: int
    balance_increase: int


# --- pool ------------------------------------------------------------------------------------------------------


class ReserveDataUpdated(Event, frozen=True, gc=False):
    """Rates and indexes of a reserve, stored at the block's time."""

    asset: Address
    liquidity_rate: int
    borrow_rate: int
    liquidity_index: int
    borrow_index: int


class CollateralEnabled(Event, frozen=True, gc=False):
    """The account's balance of this asset counts."""

    asset: Address
    account: Address


class CollateralDisabled(Event, frozen=True, gc=False):
    """The account's balance of this asset counts no more."""

    asset: Address
    account: Address


class UserEModeSet(Event, frozen=True, gc=False):
    """The account's e-mode category; 0 is none."""

    account: Address
    category: int


class LiquidationCall(Event, frozen=True, gc=False):
    """A liquidation, in the amounts that were paid and received (the protocol's fee not included)."""

    collateral_asset: Address
    debt_asset: Address
    account: Address
    paid: int
    received: int
    liquidator: Address
    receive_wrapped: bool


class DeficitCreated(Event, frozen=True, gc=False):
    """Debt written off because no collateral was left."""

    account: Address
    asset: Address
    amount: int


class DeficitCovered(Event, frozen=True, gc=False):
    """Debt written off earlier that somebody has paid for."""

    asset: Address
    amount: int


# --- configurator ----------------------------------------------------------------------------------------------


class ReserveInitialized(Event, frozen=True, gc=False):
    """A reserve was listed. Its decimals and configuration are to be read."""

    asset: Address
    collateral_token: Address
    stable_debt_token: Address
    debt_token: Address


class ReserveDropped(Event, frozen=True, gc=False):
    """A reserve was removed; its id may be given again."""

    asset: Address


class CollateralConfigurationChanged(Event, frozen=True, gc=False):
    """A reserve's own liquidation parameters, in basis points."""

    asset: Address
    threshold: int
    bonus: int


class EModeCategoryAdded(Event, frozen=True, gc=False):
    """An e-mode category was added or changed; its members are not part of it."""

    category: int
    threshold: int
    bonus: int
    price_source: Address  # up to 3.1; zero afterwards


class EModeAssetCategoryChanged(Event, frozen=True, gc=False):
    """The one category of an asset, up to 3.1."""

    asset: Address
    category: int


class AssetCollateralInEModeChanged(Event, frozen=True, gc=False):
    """Whether an asset is collateral in a category, since 3.2."""

    asset: Address
    category: int
    collateral: bool


class ReserveActive(Event, frozen=True, gc=False):
    """A reserve was activated or deactivated."""

    asset: Address
    active: bool


class ReserveFrozen(Event, frozen=True, gc=False):
    """A reserve was frozen or thawed. Liquidations go on."""

    asset: Address
    frozen: bool


class ReservePaused(Event, frozen=True, gc=False):
    """A reserve was paused or resumed."""

    asset: Address
    paused: bool


class ReserveFlashLoaning(Event, frozen=True, gc=False):
    """Whether flash loans of an asset are allowed."""

    asset: Address
    enabled: bool


class LiquidationGracePeriodChanged(Event, frozen=True, gc=False):
    """No liquidation with this asset up to and including this block time; 0 when the period was cut off."""

    asset: Address
    until: int


class LiquidationProtocolFeeChanged(Event, frozen=True, gc=False):
    """The protocol's share of the bonus, in basis points."""

    asset: Address
    fee: int


class FlashloanPremiumTotalUpdated(Event, frozen=True, gc=False):
    """The price of a flash loan, in basis points."""

    premium: int


class TokenUpgraded(Event, frozen=True, gc=False):
    """A reserve's token has a new implementation: its profile must be probed again."""

    kind: TokenKind
    asset: Address
    token: Address
    implementation: Address


# --- addresses provider, proxies, oracle, feeds ----------------------------------------------------------------


class PartUpgraded(Event, frozen=True, gc=False):
    """The pool or the configurator has a new implementation behind the same proxy."""

    part: str
    implementation: Address


class PartReplaced(Event, frozen=True, gc=False):
    """A part of the market is now at another address; zero when it was removed."""

    part: str
    address: Address


class PartCreated(Event, frozen=True, gc=False):
    """A part of the market is a proxy, new or with a new implementation."""

    part: str
    proxy: Address
    implementation: Address


class Upgraded(Event, frozen=True, gc=False):
    """An ERC-1967 style proxy has a new implementation."""

    proxy: Address
    implementation: Address


class AssetSourceUpdated(Event, frozen=True, gc=False):
    """Where the oracle reads an asset's price; zero means the fallback oracle."""

    asset: Address
    source: Address


class FallbackOracleUpdated(Event, frozen=True, gc=False):
    """Who is asked when a source is missing or its answer is not positive."""

    oracle: Address


class FeedAnswered(Event, frozen=True, gc=False):
    """A new answer of a price aggregator."""

    feed: Address
    round: int  # of the aggregator, without the proxy's phase
    answer: int


class FeedTouched(Event, frozen=True, gc=False):
    """A dual aggregator may answer differently now: its price must be read."""

    feed: Address


class AggregatorConfirmed(Event, frozen=True, gc=False):
    """An aggregator proxy points to a new aggregator. Older proxies change without a word."""

    proxy: Address
    aggregator: Address
