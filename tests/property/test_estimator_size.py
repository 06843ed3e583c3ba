"""Sizing against sampling and against brute force, on Aave's own arithmetic and on pools of both kinds."""

from collections.abc import Callable
from random import Random
from typing import Final, NamedTuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from keeper.core.plans import FundingKind
from keeper.core.ports import Loan, Valued
from keeper.core.units import RAY, Bps
from keeper.core.venues import Liquidity
from keeper.estimator import size
from keeper.estimator.deals import SaleDeal
from keeper.estimator.desk import Desk
from keeper.estimator.terms import Terms
from keeper.estimator.worth import Prices
from keeper.protocols.aave_v3.pair import LiquidationPair
from keeper.protocols.aave_v3.profiles import PROFILES
from keeper.protocols.aave_v3.seizure import LiquidationTerms
from keeper.venues.route.search import Routing
from tests.unit.estimator_world import (
    AAVE,
    ACCOUNT,
    DAI_TOKEN,
    MARKET,
    USD,
    USDC_TOKEN,
    WBTC_TOKEN,
    WETH_TOKEN,
    pool,
)

TOKENS: Final = ((WETH_TOKEN, 2_000, 18), (USDC_TOKEN, 1, 6), (WBTC_TOKEN, 60_000, 8), (DAI_TOKEN, 1, 18))


class Case(NamedTuple):
    prices: Prices
    pair: LiquidationPair
    deal: SaleDeal


def case(rng: Random, usd: float) -> Case:
    """An account with half again as much collateral as it may have, and pools from far too thin to deep."""
    (sold, _, sold_decimals), (owed, _, owed_decimals) = rng.sample(TOKENS, 2)
    prices = Prices(
        {token: Valued(price * USD + rng.randint(0, 10**6), 10**decimals) for token, price, decimals in TOKENS},
        WETH_TOKEN,
    )
    one, other = prices.assets[sold], prices.assets[owed]
    terms = LiquidationTerms(
        collateral_scaled=int(usd * 1.25 * USD) * one.unit // one.price,
        collateral_index=RAY + rng.randint(0, RAY // 10),
        collateral_price=one.price,
        collateral_unit=10**sold_decimals,
        bonus=rng.choice((10_500, 10_750, 11_000)),
        protocol_fee=rng.choice((0, 1_000, 2_000)),
        debt_scaled=int(usd * USD) * other.unit // other.price,
        debt_index=RAY + rng.randint(0, RAY // 10),
        debt_price=other.price,
        debt_unit=10**owed_decimals,
        total_collateral=int(usd * 1.25 * USD),
        total_debt=int(usd * USD),
        health_factor=rng.choice((97, 90)) * 10**16,
        liquidity=10**40,
    )
    profile = rng.choice(sorted(PROFILES.values(), key=lambda one: one.version))
    pair = LiquidationPair(MARKET, ACCOUNT, sold, owed, DAI_TOKEN, profile, terms, receive_wrapped=False)
    depth = usd * 10 ** rng.uniform(-0.5, 3)
    pools = [
        pool(
            50 + n,
            sold,
            int(depth * rng.uniform(0.3, 3) * USD) * one.unit // one.price,
            owed,
            int(depth * rng.uniform(0.3, 3) * USD) * other.unit // other.price,
            rng.choice((500, 3_000, 10_000)),
        )
        for n in range(rng.randint(1, 3))
    ]
    lender = Loan(FundingKind.AAVE_FLASH_LOAN, AAVE, owed, 10**40, Bps(rng.choice((0, 5, 9))), rng.random() < 0.5)
    found = Terms.of(pair, prices, owed)
    curves = Desk.of(Liquidity.of(pools), Routing()).curves(sold, owed, pair.settle(found.most).received)
    return Case(prices, pair, SaleDeal(found, lender, curves[-1]))


@pytest.mark.parametrize("number", range(60))
def test_never_worse_than_the_best_of_a_thousand_samples(number: int, seed: int) -> None:
    rng = Random(seed * 1000 + number)
    deal = case(rng, 10 ** rng.uniform(5.2, 7)).deal
    sized = size.best(deal, deal.intervals(), deal.guesses(deal.terms.most))
    assert sized is not None
    assert deal.value(sized.repay) == sized.value
    amounts = (rng.randint(*rng.choice(deal.terms.intervals)) for _ in range(1000))
    values = [value for value in map(deal.value, amounts) if value is not None]
    assert sized.value >= max(values)


@pytest.mark.parametrize("number", range(20))
def test_found_without_a_guess_too(number: int, seed: int) -> None:
    rng = Random(seed * 1000 + number)
    deal = case(rng, 10 ** rng.uniform(5.2, 7)).deal
    guided = size.best(deal, deal.intervals(), deal.guesses(deal.terms.most))
    blind = size.best(deal, deal.intervals())
    assert guided is not None
    assert blind is not None
    assert abs(guided.value - blind.value) * 10**6 <= abs(guided.value)


@pytest.mark.parametrize("number", range(20))
def test_a_glance_comes_close(number: int, seed: int) -> None:
    rng = Random(seed * 1000 + number)
    deal = case(rng, 10 ** rng.uniform(5.2, 7)).deal
    exact = size.best(deal, deal.intervals(), deal.guesses(deal.terms.most))
    assert exact is not None
    for sure in (False, True):
        rough = size.rough(deal, deal.intervals(), deal.guesses(deal.terms.most), sure=sure)
        assert rough is not None
        assert exact.value >= rough.value
        if exact.value * 10**6 > deal.terms.most:  # how bad a bad deal is does not matter
            assert (exact.value - rough.value) * 1000 <= exact.value


class Plain(NamedTuple):
    """An objective out of two functions."""

    worth: Callable[[int], int | None]
    got: Callable[[int], int]
    lattice: int = 1
    grain: int = 1

    def value(self, repay: int) -> int | None:
        return self.worth(repay)

    def received(self, repay: int) -> int:
        return self.got(repay)


@given(
    width=st.integers(1, 3_000),
    top=st.integers(-500, 3_500),
    curve=st.integers(1, 10**6),
    start=st.integers(1, 10**9),
)
@settings(max_examples=300, deadline=None)
def test_parabolas_against_brute_force(width: int, top: int, curve: int, start: int) -> None:
    objective = Plain(lambda x: -curve * (x - start - top) ** 2 // 1000, lambda x: x)
    interval = (start, start + width)
    found = size.best(objective, [interval])
    assert found is not None
    best = max(objective.value(x) or 0 for x in range(start, start + width + 1))
    assert found.value >= best - size._NOISE // 8  # whatever rounding hides, not more


@given(
    stair=st.integers(100, 10**15),
    stairs=st.integers(1, 400),
    offset=st.integers(0, 10**6),
    bonus=st.integers(10_100, 12_000),
    reserve=st.integers(10, 10**5),
)
@settings(max_examples=200, deadline=None)
def test_coarse_collateral_against_every_stair(stair: int, stairs: int, offset: int, bonus: int, reserve: int) -> None:
    """Collateral of so few decimals that every unit is worth thousands of units of debt."""

    def received(repay: int) -> int:
        return repay * bonus // (stair * 10_000)

    def value(repay: int) -> int | None:
        got = received(repay)
        return got * reserve * stair // (reserve + got) - repay if got else None

    low, high = 1 + offset % stair, stairs * stair + offset % stair
    found = size.best(Plain(value, received), [(low, high)])
    edges = {low, high}
    for unit in range(received(low), received(high) + 1):
        edges.add(min(max(-(-unit * stair * 10_000 // bonus), low), high))
    values = [worth for worth in map(value, edges) if worth is not None]
    assert (found.value if found else None) == max(values, default=None)


def test_unsellable_amounts_are_never_chosen() -> None:
    objective = Plain(lambda x: x if 100 <= x <= 5_000 else None, lambda x: x)
    assert size.best(objective, [(1, 10**6)]) == (5_000, 5_000)
    assert size.best(Plain(lambda _: None, lambda x: x), [(1, 10**6)]) is None
    assert size.best(objective, []) is None


def test_best_of_several_intervals() -> None:
    objective = Plain(lambda x: -((x - 5_000) ** 2), lambda x: x)
    assert size.best(objective, [(1, 100), (7_000, 9_000), (4_900, 4_950)]) == (4_950, -2_500)
