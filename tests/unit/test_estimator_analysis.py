"""Analysis for the operator: two-step liquidation and the cost of selling."""

from keeper.core.units import Bps
from keeper.core.venues import Liquidity
from keeper.estimator.costs import break_even_bonus, capacity, cost_curve, sale_cost
from keeper.estimator.twostep import TwoStep, two_step
from keeper.venues.route.best import sale_curve
from keeper.venues.route.curve import Curve
from keeper.venues.route.search import Routing
from tests.unit.estimator_world import ETH, PRICES, USD, USDC, USDC_TOKEN, WETH_TOKEN, pool

LT, LB = Bps(8250), Bps(10_500)


def curve_of(reserve: int) -> Curve:
    sold = pool(1, WETH_TOKEN, reserve * ETH, USDC_TOKEN, reserve * 2000 * USDC)
    found = sale_curve(Liquidity.of([sold]), WETH_TOKEN, USDC_TOKEN, ETH, Routing())
    assert found is not None
    return found


def test_two_steps_repay_13_percent_more_than_one() -> None:
    steps = two_step(16_800 * USD, 20_000 * USD, LT, LB)
    assert [round(x / USD, 2) for x in (steps.first, steps.second, steps.total, steps.single)] == [
        2242.99,
        7278.5,
        9521.5,
        8400,
    ]
    assert steps.gain == 1335


def test_first_step_leaves_health_just_below_one() -> None:
    debt, collateral = 16_800 * USD, 20_000 * USD
    first = two_step(debt, collateral, LT, LB).first

    def healthy(repaid: int) -> bool:
        return (collateral * 10_000 - repaid * LB) * LT >= (debt - repaid) * 10_000 * 10_000

    assert not healthy(first)
    assert healthy(first + 1)


def test_two_steps_of_healthy_and_of_hopeless_accounts() -> None:
    assert two_step(16_500 * USD, 20_000 * USD, LT, LB) == TwoStep(0, 0, 0)
    hopeless = two_step(16_800 * USD, 16_000 * USD, Bps(9700), Bps(10_500))  # every call lowers health
    assert hopeless.first == hopeless.single == 8_400 * USD
    assert hopeless.second == 4_200 * USD


def test_sale_cost_reconciles_with_fixture_f() -> None:
    cost = sale_cost(curve_of(5000), PRICES, WETH_TOKEN, USDC_TOKEN, 4_389 * ETH // 1000)
    assert cost is not None
    assert cost.value == cost.venue_fee + cost.impact + cost.proceeds
    assert round(cost.venue_fee * 2000 / ETH, 2) == 26.33
    assert round(cost.impact * 2000 / ETH, 2) == 7.65
    assert cost.bps == 39  # 33.99 of 8,778


def test_cost_curve_rises_and_stops_where_nothing_can_be_sold() -> None:
    curve = curve_of(5000)
    amounts = [ETH, 10 * ETH, 100 * ETH, 1000 * ETH, 2**200]
    costs = [cost.bps for cost in cost_curve(curve, PRICES, WETH_TOKEN, USDC_TOKEN, amounts)]
    assert costs == sorted(costs)
    assert len(costs) == 4


def test_break_even_bonus_covers_sale_and_gas() -> None:
    cost = sale_cost(curve_of(5000), PRICES, WETH_TOKEN, USDC_TOKEN, 4_389 * ETH // 1000)
    assert cost is not None
    gas = 12 * ETH // 1000  # 24 dollars
    bonus = break_even_bonus(cost, gas)
    assert bonus == 67  # (33.99 + 24) / (8,778 - 57.99)
    assert break_even_bonus(cost, gas, Bps(9000)) == 74
    assert break_even_bonus(cost, 10 * cost.value) is None


def test_capacity_falls_when_depth_halves() -> None:
    whole, half = (
        capacity(curve_of(depth), PRICES, WETH_TOKEN, USDC_TOKEN, Bps(500), 10**24) for depth in (5000, 2500)
    )
    assert half < whole
    assert (
        abs(2 * half - whole) <= 10**12
    )  # a constant product scales, but for a micro-dollar of rounding in the proceeds
    # Selling x into a reserve X loses 1 - phi X / (X + phi x): five percent of 1.05 at about 4.7 % of the reserve.
    assert 0.046 < whole / (5000 * ETH) < 0.048


def test_capacity_is_the_last_amount_that_pays() -> None:
    curve, bonus = curve_of(100), Bps(500)
    most = capacity(curve, PRICES, WETH_TOKEN, USDC_TOKEN, bonus, 10**21)
    at, over = (sale_cost(curve, PRICES, WETH_TOKEN, USDC_TOKEN, x) for x in (most, most + 10**13))
    assert at is not None
    assert over is not None
    assert (at.value - at.proceeds) * 10_500 <= at.value * 500
    assert (over.value - over.proceeds) * 10_500 > over.value * 500
    assert capacity(curve, PRICES, WETH_TOKEN, USDC_TOKEN, Bps(0), 10**21) == 0
