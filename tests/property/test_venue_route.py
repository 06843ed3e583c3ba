"""The best split is the best: sampled splits and amounts never beat it."""

from collections.abc import Iterable
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keeper.core.venues import Q96, Liquidity, Pool
from keeper.venues.route import Curve, Path, Routing, best_purchase, best_sale, sale_curve
from tests.property.venue_pools import HUB, A, B, magnitudes, market, pools, v2, v3

SAMPLES = 1_000


def sampled_split(rng: Random, amount: int, parts: int) -> list[int]:
    """Random parts of an amount; often with some of them empty."""
    weights = [rng.randrange(10**6) ** rng.choice((1, 3, 8)) * (rng.random() < 0.8) for _ in range(parts)]
    weights[rng.randrange(parts)] += 1
    shares = [amount * weight // sum(weights) for weight in weights]
    shares[rng.randrange(parts)] += amount - sum(shares)
    return shares


def rounding(there: Iterable[Pool]) -> int:
    """What whole units can take from a split: of every leg one unit of what goes in and one of what comes out."""
    prices = [pool.price(A) or (0, 1) for pool in there]
    return sum(out // per_in + 2 for out, per_in in prices)


@pytest.mark.parametrize("case", range(12))
def test_no_sampled_split_of_a_sale_is_better(seed: int, case: int) -> None:
    rng = Random(seed + case)
    there = market(rng, rng.randint(2, 5), price=10 ** rng.uniform(-6, 6))
    for amount in (int(2 ** rng.uniform(40, 58)), int(2 ** rng.uniform(58, 66))):
        route = best_sale(Liquidity.of(there), A, B, amount, Routing(max_splits=5))
        assert route is not None
        assert sum(leg.amount_in for leg in route.legs()) == amount
        best = 0
        for _ in range(SAMPLES):
            shares = sampled_split(rng, amount, len(there))
            quotes = [
                pool.quote_exact_in(A, share) if share else None for pool, share in zip(there, shares, strict=True)
            ]
            best = max(best, sum(quote.amount_out for quote in quotes if quote))
        assert route.amount_out + rounding(there) >= best


@pytest.mark.parametrize("case", range(6))
def test_no_sampled_split_of_a_purchase_is_cheaper(seed: int, case: int) -> None:
    rng = Random(seed + 100 + case)
    there = market(rng, rng.randint(2, 5))
    amount = int(2 ** rng.uniform(50, 64))
    route = best_purchase(Liquidity.of(there), A, B, amount, Routing(max_splits=5))
    assert route is not None
    assert sum(leg.expected_out for leg in route.legs()) == amount
    for _ in range(SAMPLES):
        shares = sampled_split(rng, amount, len(there))
        quotes = [pool.quote_exact_out(B, share) if share else None for pool, share in zip(there, shares, strict=True)]
        if all(quote or not share for quote, share in zip(quotes, shares, strict=True)):
            assert route.amount_in <= sum(quote.amount_in for quote in quotes if quote) + 2 * len(there)  # price 1


@pytest.mark.parametrize("case", range(8))
def test_no_sampled_amount_earns_more_than_the_best(seed: int, case: int) -> None:
    """Whoever pays a fixed price per unit of A earns most at the amount where the curve falls to it."""
    rng = Random(seed + 200 + case)
    there = market(rng, rng.randint(1, 4))
    curve = sale_curve(Liquidity.of(there), A, B, 2**66, Routing(max_splits=4))
    assert curve is not None
    num, den = rng.randint(70, 99), 100
    best = curve.amount_at(num, den)
    most = (curve.proceeds(best) or 0) * den - best * num
    for _ in range(SAMPLES):
        amount = max(1, int(best * rng.choice((rng.uniform(0, 3), rng.uniform(0.99, 1.01)))))
        brought = curve.proceeds(amount)
        assert brought is None or brought * den - amount * num <= most + rounding(there) * den


@given(st.lists(pools, min_size=1, max_size=5, unique_by=lambda pool: pool.address), magnitudes)
def test_a_sale_is_never_worse_than_any_single_pool(there: list[Pool], amount: int) -> None:
    liquidity = Liquidity.of(there)
    route = best_sale(liquidity, A, B, amount, Routing(max_splits=5))
    singles = [pool.quote_exact_in(A, amount) for pool in liquidity.pools.values()]
    best = max((quote.amount_out for quote in singles if quote), default=0)
    assert (route.amount_out if route else 0) >= best
    if route:
        assert sum(leg.amount_in for leg in route.legs()) == amount
        assert len({hop.pool for leg in route.legs() for hop in leg.hops}) == len(route.after)


@given(st.integers(20, 90), st.integers(20, 90), st.integers(-5_000, 5_000), st.integers(0, 60))
def test_a_path_is_one_constant_product(first: int, second: int, tick: int, bits: int) -> None:
    """Virtual reserves of a path foretell its quotes to a few units, one for each rounding on the way."""
    one = v3(1, 500, tick, [(3_000, 3_000, 2**first)], (A, HUB))
    two = v2(2, 2**second, 2**second, tokens=(B, HUB))
    path = Path((A, HUB, B), (one, two))
    depth = path.depth()
    amount = min(2**bits, depth.capacity)
    fill = path.quote_exact_in(amount)
    foretold = depth.reserve_out * amount * Q96 // ((depth.reserve_in + amount * Q96) * Q96)
    slope = depth.reserve_out // depth.reserve_in + 1  # units of B for one of A, or of the hub token
    assert abs((fill.amount_out if fill else 0) - foretold) <= 4 * (slope + 2)


def test_a_curve_sells_up_to_the_last_unit_there_is() -> None:
    """And not one more: what lies beyond the last tick is no liquidity."""
    pool = v3(1, 3_000, 0, [(10, 10, 10**21)])
    curve = Curve([Path((A, B), (pool,))])
    everything = pool.swap(2**255, down=True, exact_in=True)
    assert everything is not None
    last = everything.amount_in
    assert curve.proceeds(last) == everything.amount_out
    assert curve.proceeds(last + 1) is None
    assert curve.amount_at(1, 10**30) == last
    assert curve.cost(everything.amount_out) == last
