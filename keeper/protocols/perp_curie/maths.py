"""Integer arithmetic of the exchange: signed division, prices out of square roots.

Law: as Solidity computes it. A division without a direction in its name rounds toward zero (``PerpMath.mulDiv`` on
magnitudes, ``/`` on int256); a settlement amount is floored, whatever its sign. Ratios are in millionths.
"""

from typing import Final

from keeper.core.units import WAD, div_up

Q96: Final = 1 << 96
RATIO: Final = 10**6
DUST: Final = 10  # wei: what is less counts as nothing
SHORTEST_AVERAGE: Final = 10  # seconds: an average over less is the present price


def mul_div(a: int, b: int, c: int) -> int:
    """``a*b/c`` toward zero, ``c`` positive."""
    product = a * b
    return product // c if product >= 0 else -(-product // c)


def divide(a: int, b: int) -> int:
    """``a/b`` toward zero, ``b`` positive."""
    return a // b if a >= 0 else -(-a // b)


def price_x96(sqrt_price: int) -> int:
    """A pool's price as Q96, rounded down."""
    return sqrt_price * sqrt_price // Q96


def wad_price(sqrt_price: int) -> int:
    """A pool's price in wei, rounded down twice as the contract does."""
    return price_x96(sqrt_price) * WAD // Q96


def median(a: int, b: int, c: int) -> int:
    """The one in the middle."""
    return max(min(a, b), min(max(a, b), c))


def scaled_down(amount: int, ratio: int) -> int:
    """What is left of an amount after a fee, rounded down."""
    return amount * (RATIO - ratio) // RATIO


def scaled_up(amount: int, ratio: int) -> int:
    """The amount of which so much is left after a fee, rounded up."""
    return div_up(amount * RATIO, RATIO - ratio)
