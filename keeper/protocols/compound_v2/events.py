"""What the logs of a Compound v2 market say, reduced to what moves health, liquidations or the list of sources.

Law: values only. A name is the contract's own, unless forks say the same thing under two names.
"""

from typing import NamedTuple

from keeper.core.units import Address


class Transfer(NamedTuple):
    """vTokens move; minted and redeemed ones come from and go to the vToken itself."""

    v_token: Address
    sender: Address
    recipient: Address
    amount: int


class Owed(NamedTuple):
    """A borrow or a repayment: what the account owes from now on, at the market's index."""

    v_token: Address
    account: Address
    amount: int


class Accrued(NamedTuple):
    """Interest was added: the market's borrow index from now on."""

    v_token: Address
    borrow_index: int


class Membership(NamedTuple):
    """An account lets a market count for it, or no more."""

    v_token: Address
    account: Address
    inside: bool


class PoolSelected(NamedTuple):
    """An account's risk parameters are those of a pool."""

    account: Address
    pool: int


class ForcedForUser(NamedTuple):
    """What an account owes in a market can be liquidated whatever its health."""

    account: Address
    v_token: Address
    enabled: bool


class Restricted(NamedTuple):
    """Only liquidators on a list may liquidate an account."""

    account: Address
    restricted: bool


class StablecoinMoved(NamedTuple):
    """What an account owes in VAI changed; the event does not say to what."""

    account: Address


class MarketListed(NamedTuple):
    """A new vToken."""

    v_token: Address


class Liquidation(NamedTuple):
    """A liquidation, as the borrowed vToken or the Liquidator tells it. ``seized`` is what the liquidator got."""

    liquidator: Address
    account: Address
    v_token: Address  # borrowed
    repaid: int
    collateral: Address  # the seized vToken
    seized: int


class Failure(NamedTuple):
    """A refusal told by a number; see ``errors``."""

    error: int
    info: int
    detail: int


class FeedAnswered(NamedTuple):
    """A price feed's new answer."""

    feed: Address
    answer: int


class Quiet(NamedTuple):
    """A log that moves nothing here."""


class Other(NamedTuple):
    """A log that may have moved anything: what its emitter is asked for is to be read again."""

    emitter: Address


Event = (
    Transfer
    | Owed
    | Accrued
    | Membership
    | PoolSelected
    | ForcedForUser
    | Restricted
    | StablecoinMoved
    | MarketListed
    | Liquidation
    | Failure
    | FeedAnswered
    | Quiet
    | Other
)
