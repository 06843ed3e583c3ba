"""Maker's fixed-point arithmetic: powers of a ray, rates and the prices of a Dutch auction.

Law: integers only. A product or quotient is rounded down; inside a power every step is rounded half up. A wad counts
tokens, a ray prices and rates, a rad (wad times ray) dai inside the vat. No rate or price of a market comes near the
256 bits at which a contract would revert: that case is not on this page.
"""

from typing import Final

from keeper.core.units import RAY

BLN: Final = 10**9  # a wad times this is a ray
_HALF: Final = RAY // 2


def rpow_half_up(base: int, exponent: int) -> int:
    """A ray to a whole power, by squaring."""
    result = base if exponent % 2 else RAY
    exponent //= 2
    while exponent:
        base = (base * base + _HALF) // RAY
        if exponent % 2:
            result = (result * base + _HALF) // RAY
        exponent //= 2
    return result


def dripped(rate: int, fee: int, seconds: int) -> int:
    """The rate after a drip: ``fee`` is what a second multiplies it by (duty and base together)."""
    return rpow_half_up(fee, seconds) * rate // RAY


def feed_price(value: int, par: int) -> int:
    """What an oracle's answer (a wad of dollars) is in dai, as a ray."""
    return value * BLN * RAY // par


def spot_price(value: int, par: int, ratio: int) -> int:
    """What may be lent on one unit of collateral, as a ray."""
    return feed_price(value, par) * RAY // ratio


def linear_price(top: int, tau: int, seconds: int) -> int:
    """``LinearDecrease``: nothing is left after ``tau`` seconds."""
    return 0 if seconds >= tau else top * ((tau - seconds) * RAY // tau) // RAY


def stairstep_price(top: int, cut: int, step: int, seconds: int) -> int:
    """``StairstepExponentialDecrease``: every ``step`` seconds the price is multiplied by ``cut``."""
    return top * rpow_half_up(cut, seconds // step) // RAY


def exponential_price(top: int, cut: int, seconds: int) -> int:
    """``ExponentialDecrease``: every second the price is multiplied by ``cut``."""
    return top * rpow_half_up(cut, seconds) // RAY
