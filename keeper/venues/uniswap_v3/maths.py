"""One step of a swap inside one range of constant liquidity.

Law: every result is that of the contracts (SqrtPriceMath, SwapMath) to the last unit. What a pool is paid is rounded
up, what it pays is rounded down, and the name says which. Prices are Q64.96 square roots, fees hundredths of a bip;
``down`` means that token0 comes in and the price falls.
"""

from typing import Final, NamedTuple

from keeper.core.units import MAX_U256, mul_div_down, mul_div_up
from keeper.core.venues import PIPS

_Q96_BITS: Final = 96


class Step(NamedTuple):
    """Where a step ended and what it moved. ``amount_in`` includes the fee."""

    sqrt_price: int
    amount_in: int
    amount_out: int


def amount0_down(low: int, high: int, liquidity: int) -> int:
    """token0 between two prices, rounded down."""
    return (liquidity << _Q96_BITS) * (high - low) // (high * low)


def amount0_up(low: int, high: int, liquidity: int) -> int:
    """token0 between two prices, rounded up."""
    return -(-(liquidity << _Q96_BITS) * (high - low) // (high * low))


def amount1_down(low: int, high: int, liquidity: int) -> int:
    """token1 between two prices, rounded down."""
    return liquidity * (high - low) >> _Q96_BITS


def amount1_up(low: int, high: int, liquidity: int) -> int:
    """token1 between two prices, rounded up."""
    return -(-liquidity * (high - low) >> _Q96_BITS)


def price_after_in(price: int, liquidity: int, amount: int, *, down: bool) -> int:
    """The price once ``amount`` (without fee) has come in, rounded so that the price moves too little."""
    if not down:
        return price + (amount << _Q96_BITS) // liquidity
    numerator, product = liquidity << _Q96_BITS, amount * price
    if product <= MAX_U256 and numerator + product <= MAX_U256:
        return mul_div_up(numerator, price, numerator + product)
    return -(-numerator // (numerator // price + amount))  # the contract's way out of an overflow: less precise


def price_after_out(price: int, liquidity: int, amount: int, *, down: bool) -> int:
    """The price once ``amount`` has gone out, rounded so that the price moves too much."""
    if down:
        return price + (-amount << _Q96_BITS) // liquidity
    numerator = liquidity << _Q96_BITS
    return mul_div_up(numerator, price, numerator - amount * price)


def full_step(price: int, target: int, liquidity: int, fee: int) -> tuple[int, int]:
    """Amount in (with fee) and amount out when the price goes all the way to the target."""
    if target < price:
        paid, bought = amount0_up(target, price, liquidity), amount1_down(target, price, liquidity)
    else:
        paid, bought = amount1_up(price, target, liquidity), amount0_down(price, target, liquidity)
    return paid + mul_div_up(paid, fee, PIPS - fee), bought


def step_in(price: int, target: int, liquidity: int, remaining: int, fee: int) -> Step:
    """Sell up to ``remaining``, fee included, without passing the target."""
    paid, bought = full_step(price, target, liquidity, fee)
    if remaining >= paid:
        return Step(target, paid, bought)
    down = target < price
    net = mul_div_down(remaining, PIPS - fee, PIPS)
    reached = price_after_in(price, liquidity, net, down=down)
    bought = amount1_down(reached, price, liquidity) if down else amount0_down(price, reached, liquidity)
    return Step(reached, remaining, bought)  # what rounding left over is fee


def step_out(price: int, target: int, liquidity: int, remaining: int, fee: int) -> Step:
    """Buy up to ``remaining`` without passing the target."""
    paid, bought = full_step(price, target, liquidity, fee)
    if remaining >= bought:
        return Step(target, paid, bought)
    down = target < price
    reached = price_after_out(price, liquidity, remaining, down=down)
    paid = amount0_up(reached, price, liquidity) if down else amount1_up(price, reached, liquidity)
    return Step(reached, paid + mul_div_up(paid, fee, PIPS - fee), remaining)
