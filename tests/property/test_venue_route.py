"""The best split is the best: sampled splits and amounts never beat it."""

from collections.abc import Iterable
from dataclasses import replace
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keeper.core.units import Address
from keeper.core.venues import Q96, Depth, Liquidity, Pool, PoolKey, sorted_pair
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


paths = st.one_of(
    st.builds(lambda pool: Path((A, B), (pool,)), pools),
    st.builds(lambda pool: Path((B, A), (pool,)), pools),
    st.builds(lambda one, two: Path((A, HUB, B), (between(one, A, HUB), between(two, B, HUB, 1))), pools, pools),
)


def between(pool: Pool, one: Address, other: Address, off: int = 0) -> Pool:
    """The same pool for other tokens."""
    key = PoolKey(Address(f"0x{int(pool.address, 16) + (off << 80):040x}"), *sorted_pair(one, other), pool.fee)
    return replace(pool, key=key)  # type: ignore[type-var]


@given(paths, magnitudes)
def test_a_curve_of_one_path_is_that_path(path: Path, amount: int) -> None:
    curve, sold, bought = Curve([path]), path.quote_exact_in(amount), path.quote_exact_out(amount)
    assert curve.proceeds(amount) == (sold.amount_out if sold else None)
    cost = curve.cost(amount)
    if cost is None and bought:  # a purchase that, sold back whole, overfills a later hop: known to no curve of sales
        assert path.quote_exact_in(bought.amount_in) is None
    else:
        assert cost == (bought.amount_in if bought else None)
    assert curve._levels == sorted(curve._levels)


@given(paths, st.integers(1, 100))
def test_depth_never_promises_less_than_a_path_gives(path: Path, percent: int) -> None:
    depth = path.depth()
    amount = depth.capacity * percent // 100
    fill = path.quote_exact_in(amount)
    if fill:
        assert fill.amount_out <= foretold(depth, amount) + len(path.pools)


@given(st.integers(30, 90), st.integers(30, 90), st.integers(-5_000, 5_000), st.integers(1, 50), st.integers(1, 100))
def test_depth_foretells_what_a_path_gives(first: int, second: int, tick: int, width: int, percent: int) -> None:
    """To a few units, one for each rounding on the way, right up to where the first of its pools ends."""
    one = v3(1, 500, tick, [(width, width, 2**first)], (A, HUB))
    two = v3(2, 500, tick, [(50, 1, 2**second)], sorted_pair(HUB, B))
    path = Path((A, HUB, B), (one, two))
    depth = path.depth()
    amount = depth.capacity * percent // 100
    fill = path.quote_exact_in(amount)
    assert abs((fill.amount_out if fill else 0) - foretold(depth, amount)) <= 12


def foretold(depth: Depth, amount: int) -> int:
    return depth.reserve_out * amount * Q96 // ((depth.reserve_in + amount * Q96) * Q96)


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


@pytest.mark.parametrize("case", range(10))
def test_legs_run_one_after_the_other_bring_what_was_promised(seed: int, case: int) -> None:
    """Over hubs, where ways would like to share a pool: each leg is sold on the pools as the one before left them."""
    rng = Random(seed + 300 + case)
    far = Address("0x" + "d" * 40)
    there: list[Pool] = []
    for one, other in ((A, B), (A, HUB), (HUB, B), (HUB, far), (far, B)):
        count = rng.randint(0 if one == A else 1, 2)
        there += [between(pool, one, other, len(there) + 1) for pool in market(rng, count)]
    liquidity, routing = Liquidity.of(there), Routing((HUB, far), max_hops=3, max_splits=4)
    for amount in (10**18, 10**19, 10**20):
        route = best_sale(liquidity, A, B, amount, routing)
        if route is None:
            continue
        now, total = liquidity, 0
        for leg in route.legs():
            flow = leg.amount_in
            for hop in leg.hops:
                quote = now.pools[hop.pool].quote_exact_in(hop.token_in, flow)
                assert quote is not None
                now, flow = now.after([quote.after]), quote.amount_out
            assert flow == leg.expected_out
            total += flow
        assert total == route.amount_out
        assert now == liquidity.after(route.after)


def test_a_curve_goes_past_a_range_that_gives_nothing() -> None:
    """Dust where the price stands, real liquidity behind it."""
    pool = v3(1, 3_000, 30, [(0, 1, 10), (5, 0, 2**80)])
    curve = Curve([Path((A, B), (pool,))])
    for amount in (1, 4, 10**6, 10**21):
        quote = pool.quote_exact_in(A, amount)
        assert curve.proceeds(amount) == (quote.amount_out if quote else None)
    assert curve.proceeds(10**21)


def test_a_curve_finds_the_last_unit_of_a_path_that_ends_between_two() -> None:
    """One unit of A fills half of what the second pool can take, two are too much."""
    path = Path((A, HUB, B), (v2(1, 1_021, 65_533, 0, (A, HUB)), v3(2, 100, 1, [(0, 1, 2**30 + 1)], (B, HUB))))
    curve = Curve([path])
    most = max(amount for amount in range(1, 2_000) if path.quote_exact_in(amount))
    assert path.quote_exact_in(most + 1) is None
    assert curve.proceeds(most) == path.quote_exact_in(most).amount_out  # type: ignore[union-attr]
    assert curve.proceeds(most + 1) is None


def test_a_curve_follows_a_path_through_a_drained_pool() -> None:
    """The second pool has next to nothing left to give; the first can still take a lot, range by range."""
    one, two = v3(1, 10_000, -1, [(1_280, 1, 2**30 + 1)], (A, HUB)), v2(2, 1_021, 1_021, 0, (B, HUB))
    path, everything = Path((A, HUB, B), (one, two)), one.swap(2**255, down=True, exact_in=True)
    assert everything is not None
    curve = Curve([path])
    for amount in (10**3, 10**12, everything.amount_in // 2, everything.amount_in):
        fill = path.quote_exact_in(amount)
        assert fill is not None
        assert curve.proceeds(amount) == fill.amount_out
    assert curve.proceeds(everything.amount_in + 1) is None
