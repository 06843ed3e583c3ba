"""Ticks and prices: price(tick) = 1.0001^tick, kept as a Q64.96 square root.

Law: ``sqrt_ratio`` is the contract's TickMath to the last bit, for every tick; ``tick_of`` is its inverse: the
greatest tick whose ratio is not above the price. A float may propose a tick, only integers accept it.
"""

from functools import lru_cache
from math import floor, isqrt, log2
from typing import Final

from keeper.core.units import MAX_U256

MIN_TICK: Final = -887272
MAX_TICK: Final = -MIN_TICK
_BITS: Final = 20  # of MAX_TICK
_GUARD: Final = 1024  # precision in which the constants below are derived
_TICKS_PER_OCTAVE: Final = 2 / log2(1.0001)  # of the square root


def _powers() -> tuple[int, ...]:
    """1.0001^(-2^i/2) as Q128, rounded to nearest: the twenty constants of TickMath, from their definition."""
    power, powers = isqrt((10_000 << 2 * _GUARD) // 10_001), []
    for _ in range(_BITS):
        powers.append((power + (1 << _GUARD - 129)) >> _GUARD - 128)
        power = power * power >> _GUARD
    return tuple(powers)


_POWERS: Final = _powers()


@lru_cache(maxsize=1 << 16)
def sqrt_ratio(tick: int) -> int:
    """√(1.0001^tick) as Q64.96, rounded up as the contract rounds it."""
    ratio, rest = 1 << 128, abs(tick)
    for power in _POWERS:
        if rest & 1:
            ratio = ratio * power >> 128
        rest >>= 1
    if tick > 0:
        ratio = MAX_U256 // ratio
    return -(-ratio >> 32)


MIN_SQRT_RATIO: Final = sqrt_ratio(MIN_TICK)
MAX_SQRT_RATIO: Final = sqrt_ratio(MAX_TICK)


def tick_of(sqrt_price: int) -> int:
    """The greatest tick whose ratio is at most the price, for MIN_SQRT_RATIO ≤ price < MAX_SQRT_RATIO."""
    tick = floor((log2(sqrt_price) - 96) * _TICKS_PER_OCTAVE)  # off by one at most: its error is below 1e-9 of a tick
    if sqrt_ratio(tick) > sqrt_price:
        return tick - 1
    return tick + 1 if tick < MAX_TICK and sqrt_ratio(tick + 1) <= sqrt_price else tick


def price_at(tick: int) -> tuple[int, int]:
    """token1 per token0 at a tick, as numerator and denominator."""
    return sqrt_ratio(tick) ** 2, 1 << 192
