"""What selling an asset costs by size, for the operator: the curve, the bonus that breaks even, and the capacity.

Law: the same quotes and the same roundings as in decisions; the terms of a point add up to what is lost.
"""

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from keeper.core.units import BPS, Address, Bps, Wei, div_up, mul_div_up
from keeper.core.venues import PIPS
from keeper.estimator.terms import fills_pips
from keeper.estimator.worth import Prices
from keeper.venues.route.curve import Curve


class SaleCost(NamedTuple):
    """One sale against the oracle price, in wei: ``value = venue_fee + impact + proceeds``."""

    amount: int
    value: Wei
    venue_fee: Wei
    impact: Wei
    proceeds: Wei

    @property
    def bps(self) -> Bps:
        """What is lost, as a share of the value, rounded up."""
        return Bps(div_up((self.value - self.proceeds) * BPS, self.value) if self.value else 0)


def sale_cost(curve: Curve, prices: Prices, sold: Address, bought: Address, amount: int) -> SaleCost | None:
    """What selling an amount costs; ``None`` when it cannot be sold whole."""
    fills = curve.sell(amount)
    if fills is None:
        return None
    value = prices.wei_down(sold, amount)
    proceeds = prices.wei_down(bought, sum(fill.amount_out for fill in fills))
    fee = mul_div_up(value, fills_pips(fills), PIPS)
    return SaleCost(amount, value, Wei(fee), Wei(value - fee - proceeds), proceeds)


def cost_curve(
    curve: Curve, prices: Prices, sold: Address, bought: Address, amounts: Iterable[int]
) -> Iterator[SaleCost]:
    """The same for several amounts, as far as they can be sold."""
    for amount in amounts:
        cost = sale_cost(curve, prices, sold, bought, amount)
        if cost is not None:
            yield cost


def break_even_bonus(cost: SaleCost, fixed: int, kept: Bps = Bps(BPS)) -> Bps | None:
    """The bonus at which a liquidation that receives ``amount`` earns just nothing, rounded up.

    ``fixed``: gas and fees in wei. ``kept``: the share of the bonus that the protocol leaves to the liquidator.
    With V received for R repaid, V = R (1 + b k): what is lost must be V - R. ``None`` when no bonus is enough.
    """
    lost = cost.value - cost.proceeds + fixed
    repaid = cost.value - lost
    return Bps(div_up(lost * BPS * BPS, repaid * kept)) if repaid > 0 else None


def capacity(curve: Curve, prices: Prices, sold: Address, bought: Address, bonus: Bps, limit: int) -> int:
    """The largest amount up to ``limit`` whose sale loses no more than a bonus b brings: b / (1 + b) of it."""
    low, high = 0, limit + 1
    while high - low > 1:
        middle = (low + high) // 2
        cost = sale_cost(curve, prices, sold, bought, middle)
        if cost is not None and (cost.value - cost.proceeds) * (BPS + bonus) <= cost.value * bonus:
            low = middle
        else:
            high = middle
    return low
