"""What an exchange's logs say, reduced to what moves positions, margins or prices.

Law: values only; a name is the contracts' own.
"""

import msgspec

from keeper.core.units import Address


class Event(msgspec.Struct, frozen=True):
    """Root of all events."""


class PositionChanged(Event, frozen=True, gc=False):
    """A taker's position moved: by a trade, a liquidation, or what was left of removed liquidity."""

    trader: Address
    base: Address
    size: int
    open_notional: int  # afterwards; zero too when the rest was dust and forgotten


class PositionClosed(Event, frozen=True, gc=False):
    """A position ended with its market."""

    trader: Address
    base: Address


class PositionLiquidated(Event, frozen=True, gc=False):
    """So much of a position was inherited by a liquidator, at the mark price."""

    trader: Address
    base: Address
    notional: int
    size: int
    penalty: int
    liquidator: Address


class LiquidityChanged(Event, frozen=True, gc=False):
    """A maker added (positive) or took back (negative) liquidity; amounts are what the pool got or gave."""

    maker: Address
    base: Address
    lower: int
    upper: int
    amount_base: int
    amount_quote: int
    liquidity: int


class FundingPaymentSettled(Event, frozen=True, gc=False):
    """A trader's funding was realised: the accumulator counts from here."""

    trader: Address
    base: Address


class PnlRealized(Event, frozen=True, gc=False):
    """So much is owed to a trader, until a withdrawal puts it into the vault's balance."""

    trader: Address
    amount: int


class FundingUpdated(Event, frozen=True, gc=False):
    """A market's accumulators were brought to this block."""

    base: Address


class Deposited(Event, frozen=True, gc=False):
    """Margin came in."""

    token: Address
    trader: Address
    amount: int


class Withdrawn(Event, frozen=True, gc=False):
    """Margin went out; of the settlement token, after what was realised had been put into the balance."""

    token: Address
    trader: Address
    amount: int


class CollateralLiquidated(Event, frozen=True, gc=False):
    """A token of a trader's margin was sold to pay the settlement token he owes."""

    trader: Address
    token: Address
    amount: int
    repaid: int
    fund_fee: int


class BadDebtSettled(Event, frozen=True, gc=False):
    """The insurance fund took over a debt."""

    trader: Address
    amount: int


class PoolAdded(Event, frozen=True, gc=False):
    """A new market."""

    base: Address
    pool: Address
    fee: int


class CollateralAdded(Event, frozen=True, gc=False):
    """A token counts as margin from now on."""

    token: Address


class Paused(Event, frozen=True, gc=False):
    """The emitter does nothing, until it is resumed."""

    contract: Address
    paused: bool


class Touched(Event, frozen=True, gc=False):
    """What the emitter says of this must be read again."""

    kind: str
    subject: Address


class PoolEvent(Event, frozen=True, gc=False):
    """A base/quote pool moved: the venue's own page knows how."""

    pool: Address
