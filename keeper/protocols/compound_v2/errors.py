"""Error numbers in words. Old code does not revert: it returns a number and emits ``Failure(error, info, detail)``.

Law: a number other than 0 is a failure, whatever it is called. ``error`` is the market's; where it says that the
comptroller refused, ``detail`` is the comptroller's. Forks have added names behind these and have moved none.
"""

from typing import Final

from keeper.protocols.compound_v2.events import Failure

COMPTROLLER_REJECTION: Final = 3  # of a market's errors
MARKET: Final = (
    "NO_ERROR",
    "UNAUTHORIZED",
    "BAD_INPUT",
    "COMPTROLLER_REJECTION",
    "COMPTROLLER_CALCULATION_ERROR",
    "INTEREST_RATE_MODEL_ERROR",
    "INVALID_ACCOUNT_PAIR",
    "INVALID_CLOSE_AMOUNT_REQUESTED",
    "INVALID_COLLATERAL_FACTOR",
    "MATH_ERROR",
    "MARKET_NOT_FRESH",
    "MARKET_NOT_LISTED",
    "TOKEN_INSUFFICIENT_ALLOWANCE",
    "TOKEN_INSUFFICIENT_BALANCE",
    "TOKEN_INSUFFICIENT_CASH",
    "TOKEN_TRANSFER_IN_FAILED",
    "TOKEN_TRANSFER_OUT_FAILED",
    "TOKEN_PRICE_ERROR",
)
COMPTROLLER: Final = (
    "NO_ERROR",
    "UNAUTHORIZED",
    "COMPTROLLER_MISMATCH",
    "INSUFFICIENT_SHORTFALL",
    "INSUFFICIENT_LIQUIDITY",
    "INVALID_CLOSE_FACTOR",
    "INVALID_COLLATERAL_FACTOR",
    "INVALID_LIQUIDATION_INCENTIVE",
    "MARKET_NOT_ENTERED",
    "MARKET_NOT_LISTED",
    "MARKET_ALREADY_LISTED",
    "MATH_ERROR",
    "NONZERO_BORROW_BALANCE",
    "PRICE_ERROR",
    "REJECTION",
    "SNAPSHOT_ERROR",
    "TOO_MANY_ASSETS",
    "TOO_MUCH_REPAY",
    "INSUFFICIENT_BALANCE_FOR_VAI",
    "MARKET_NOT_COLLATERAL",
    "INVALID_LIQUIDATION_THRESHOLD",
)


def name(failure: Failure) -> str:
    """Who refused, and with what."""
    if failure.error == COMPTROLLER_REJECTION:
        return f"comptroller: {_named(COMPTROLLER, failure.detail)}"
    return _named(MARKET, failure.error)


def _named(names: tuple[str, ...], number: int) -> str:
    return names[number] if number < len(names) else f"error {number}"
