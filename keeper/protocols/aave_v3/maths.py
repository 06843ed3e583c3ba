"""Aave's fixed-point arithmetic: wad, ray, percentages, interest and scaled balances.

Law: integers only, and the direction of every rounding is in the name. Where a name carries no direction, Aave itself
rounds half up (never banker's). All operands are non-negative; a ray index is never below one ray.
Balances are stored *scaled*: an amount divided by the index of its block, so that interest needs no writes.
"""

from typing import Final

from keeper.core.units import BPS, RAY, WAD

SECONDS_PER_YEAR: Final = 31_536_000  # 365 days; leap years are ignored on chain
_HALF_RAY: Final = RAY // 2
_HALF_BPS: Final = BPS // 2


def ray_mul_half_up(a: int, b: int) -> int:
    """Product of an amount and a ray, to nearest."""
    return (a * b + _HALF_RAY) // RAY


def ray_mul_floor(a: int, b: int) -> int:
    """Product of an amount and a ray, down."""
    return a * b // RAY


def ray_mul_ceil(a: int, b: int) -> int:
    """Product of an amount and a ray, up."""
    return -(-a * b // RAY)


def ray_div_half_up(a: int, b: int) -> int:
    """An amount over a ray, to nearest."""
    return (a * RAY + b // 2) // b


def ray_div_floor(a: int, b: int) -> int:
    """An amount over a ray, down."""
    return a * RAY // b


def ray_div_ceil(a: int, b: int) -> int:
    """An amount over a ray, up."""
    return -(-a * RAY // b)


def wad_div_half_up(a: int, b: int) -> int:
    """``a/b`` in wad, to nearest."""
    return (a * WAD + b // 2) // b


def percent_mul_half_up(value: int, bps: int) -> int:
    """A share in basis points, to nearest."""
    return (value * bps + _HALF_BPS) // BPS


def percent_mul_floor(value: int, bps: int) -> int:
    """A share in basis points, down."""
    return value * bps // BPS


def percent_mul_ceil(value: int, bps: int) -> int:
    """A share in basis points, up."""
    return -(-value * bps // BPS)


def percent_div_half_up(value: int, bps: int) -> int:
    """The whole of which ``value`` is ``bps`` basis points, to nearest."""
    return (value * BPS + bps // 2) // bps


def percent_div_floor(value: int, bps: int) -> int:
    """The whole of which ``value`` is ``bps`` basis points, down."""
    return value * BPS // bps


def percent_div_ceil(value: int, bps: int) -> int:
    """The whole of which ``value`` is ``bps`` basis points, up."""
    return -(-value * BPS // bps)


# --- interest --------------------------------------------------------------------------------------------------


def linear_factor(rate: int, seconds: int) -> int:
    """Growth of the liquidity index: simple interest, in every version."""
    return RAY + rate * seconds // SECONDS_PER_YEAR


def compound_factor_taylor(rate: int, seconds: int) -> int:
    """Growth of a borrow index up to 3.3: three binomial terms of (1 + rate per second) ** seconds."""
    if seconds == 0:
        return RAY
    less_one = seconds - 1
    less_two = seconds - 2 if seconds > 2 else 0  # noqa: PLR2004 - the contract's own clamp
    power_two = ray_mul_half_up(rate, rate) // (SECONDS_PER_YEAR * SECONDS_PER_YEAR)
    power_three = ray_mul_half_up(power_two, rate) // SECONDS_PER_YEAR
    second = seconds * less_one * power_two // 2
    third = seconds * less_one * less_two * power_three // 6
    return RAY + rate * seconds // SECONDS_PER_YEAR + second + third


def compound_factor_x(rate: int, seconds: int) -> int:
    """Growth of the borrow index since 3.4: three terms of e ** x, where x = rate * seconds / year."""
    x = rate * seconds // SECONDS_PER_YEAR
    return RAY + x + ray_mul_half_up(x, x // 2 + ray_mul_half_up(x, x // 6))


def stable_debt(principal: int, rate: int, seconds: int) -> int:
    """A stable-rate debt (up to 3.1) as its token shows it, ``seconds`` after the user's last stable action."""
    return ray_mul_half_up(principal, compound_factor_taylor(rate, seconds))


def value_floor(amount: int, price: int, unit: int) -> int:
    """A value in base currency, down. ``unit`` is 10 ** decimals."""
    return amount * price // unit


def value_ceil(amount: int, price: int, unit: int) -> int:
    """A value in base currency, up: since 3.5 any debt is worth at least one base unit."""
    return -(-amount * price // unit)
