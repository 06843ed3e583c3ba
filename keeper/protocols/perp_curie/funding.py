"""Funding and fees of positions and orders: accumulators, inside, below and outside of ticks.

Law: every sum and rounding is that of ``Exchange``, ``OrderBook``, ``Funding`` and ``Tick``. Funding accumulators are
signed and never wrap; fee accumulators wrap at 2**256.
"""

from collections.abc import Callable, Iterable
from typing import Final, NamedTuple

from keeper.core.units import MAX_U256, WAD
from keeper.protocols.perp_curie.facts import Growth, Order, Outside
from keeper.protocols.perp_curie.maths import Q96, divide, mul_div, price_x96
from keeper.venues.uniswap_v3.maths import amount0_down, amount1_down
from keeper.venues.uniswap_v3.ticks import sqrt_ratio
from keeper.venues.uniswap_v3.walk import Place

DAY: Final = 86_400
_Q128: Final = 1 << 128
_RATIO: Final = 10**6
UNCROSSED: Final = Outside(0, 0, 0)
OutsideOf = Callable[[int], Outside]


def grown(growth: Growth, sqrt_market: int, index: int, spot: int, at: int, max_funding: int) -> Growth:
    """The accumulators at a time: the premium of the market over the index, capped, times the seconds that passed."""
    if growth.settled in (0, at):
        return growth
    market, index_x96 = price_x96(sqrt_market), index * Q96 // WAD
    cap = index_x96 * max_funding // _RATIO
    premium = max(min(market - index_x96, cap), -cap) * (at - growth.settled)
    return Growth(
        premium=growth.premium + premium,
        premium_by_sqrt=growth.premium_by_sqrt + mul_div(premium, Q96, spot),
        settled=growth.settled,
        fee=growth.fee,
        first_trade=growth.first_trade,
        tick=growth.tick,
        tick_at=growth.tick_at,
    )


class Inside(NamedTuple):
    """The accumulators inside and below of a range."""

    fee: int
    premium_inside: int
    premium_below: int
    premium_by_sqrt: int


def inside(growth: Growth, order: Order, tick: int, outside: OutsideOf) -> Inside:
    """Of an order's range, with the price at a tick."""
    lower, upper = outside(order.lower), outside(order.upper)
    above_lower, below_upper = tick >= order.lower, tick < order.upper

    def below(total: int, out: int) -> int:
        return out if above_lower else total - out

    def above(total: int, out: int) -> int:
        return out if below_upper else total - out

    premium_below = below(growth.premium, lower.premium)
    return Inside(
        fee=growth.fee - below(growth.fee, lower.fee) - above(growth.fee, upper.fee) & MAX_U256,
        premium_inside=growth.premium - premium_below - above(growth.premium, upper.premium),
        premium_below=premium_below,
        premium_by_sqrt=growth.premium_by_sqrt
        - below(growth.premium_by_sqrt, lower.premium_by_sqrt)
        - above(growth.premium_by_sqrt, upper.premium_by_sqrt),
    )


def order_funding(order: Order, now: Inside) -> int:
    """What an order's base owes since it last settled, times the seconds of a day."""
    low, high = sqrt_ratio(order.lower), sqrt_ratio(order.upper)
    beneath = amount0_down(low, high, order.liquidity) * (now.premium_below - order.premium_below)
    within = order.liquidity * (
        now.premium_by_sqrt
        - order.premium_by_sqrt
        - mul_div(now.premium_inside - order.premium_inside, Q96, high)
    )  # fmt: skip
    return divide(beneath + within, Q96)


def order_fee(order: Order, now: Inside) -> int:
    """Fees an order has earned and not collected."""
    return (now.fee - order.fee & MAX_U256) * order.liquidity // _Q128


def payment(base: int, since: int, growth: Growth, orders: int) -> int:
    """Funding due from an account in one market; negative: due to it. ``base`` is without what orders owe."""
    return divide(orders + mul_div(base, growth.premium - since, Q96), DAY)


def amounts(order: Order, place: Place) -> tuple[int, int]:
    """Base and quote that an order's liquidity is now, as the pool would pay them out."""
    low, high, price = sqrt_ratio(order.lower), sqrt_ratio(order.upper), place.sqrt_price
    base = amount0_down(max(price, low), high, order.liquidity) if price < high else 0
    quote = amount1_down(low, min(price, high), order.liquidity) if price > low else 0
    return base, quote


def debts(orders: Iterable[Order]) -> tuple[int, int]:
    """Base and quote that were minted for orders."""
    known = tuple(orders)
    return sum(order.base_debt for order in known), sum(order.quote_debt for order in known)
