"""What Morpho Blue's logs say, reduced to what moves positions, markets or liquidations.

Law: values only. Who emitted a log is not part of it: the page that applies it checks that.
"""

import msgspec

from keeper.core.units import Address


class Event(msgspec.Struct, frozen=True, gc=False):
    """Root of all events."""


class CreateMarket(Event, frozen=True, gc=False):
    """A market. Anybody may create one."""

    market: str
    loan: Address
    collateral: Address
    oracle: Address
    irm: Address
    lltv: int


class Lent(Event, frozen=True, gc=False):
    """``Supply`` and, negative, ``Withdraw``."""

    market: str
    assets: int
    shares: int


class Borrowed(Event, frozen=True, gc=False):
    """``Borrow`` and, negative, ``Repay``."""

    market: str
    owner: Address
    assets: int
    shares: int


class Pledged(Event, frozen=True, gc=False):
    """``SupplyCollateral`` and, negative, ``WithdrawCollateral``."""

    market: str
    owner: Address
    assets: int


class Liquidate(Event, frozen=True, gc=False):
    """A liquidation, and what it wrote off."""

    market: str
    liquidator: Address
    owner: Address
    repaid: int
    repaid_shares: int
    seized: int
    bad_debt: int
    bad_shares: int


class AccrueInterest(Event, frozen=True, gc=False):
    """Interest since the last one, and the shares that the fee is."""

    market: str
    rate: int
    interest: int
    fee_shares: int


class SetFee(Event, frozen=True, gc=False):
    """A market's fee on interest, a wad."""

    market: str
    fee: int


class SetAuthorization(Event, frozen=True, gc=False):
    """Whether somebody may act for the owner."""

    owner: Address
    authorized: Address
    given: bool


class BorrowRateUpdate(Event, frozen=True, gc=False):
    """An adaptive curve's mean rate since the last update, and its rate at the target from now on."""

    market: str
    rate: int
    target: int


class CreatePreLiquidation(Event, frozen=True, gc=False):
    """A pre-liquidation contract."""

    contract: Address
    market: str
    lltv: int
    close_factor: tuple[int, int]
    incentive: tuple[int, int]
    oracle: Address


class PreLiquidate(Event, frozen=True, gc=False):
    """A pre-liquidation. Morpho tells the same as a repayment and a withdrawal."""

    market: str
    liquidator: Address
    owner: Address
    repaid: int
    repaid_shares: int
    seized: int
