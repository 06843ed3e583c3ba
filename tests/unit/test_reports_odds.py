"""Times, chances and stress: the reference's numbers, Monte Carlo with its own error, and the laws of the tails."""

from dataclasses import replace
from math import exp, inf, isinf, log, sqrt

import numpy as np
import pytest

from keeper.reports.eta import HORIZONS, etas
from keeper.reports.odds import YEAR, chance, normal, normals, spread, touched
from keeper.reports.stress import Losses, Paths, Plan, Tail, World, joined, paths, play, scenarios
from tests.unit.estimator_world import USD
from tests.unit.report_world import STETH, USDC, WETH, Market, depth, reference

WEEK = 7 * 86_400
SURE = 4.0  # standard errors: one in sixteen thousand is further off by chance
RATED = (replace(WETH, supply_rate=0.02), replace(USDC, borrow_rate=0.08), STETH)


def rated() -> Market:
    return Market(assets=RATED)


def test_interest_alone_takes_120_days() -> None:
    market = rated()
    market.account(1, {RATED[0]: 10}, {RATED[1]: 16_500 / 1.02})
    found = etas(market.snapshot(), 0.8)
    # 2 % is simple interest over two days here, compounded in the formula: a difference of a hundredth of a percent
    assert found.days[0] == pytest.approx(120.47, rel=2e-4)
    assert found.health[0] == pytest.approx(1.02, rel=1e-6)


def test_who_grows_healthier_is_never_liquidated_by_interest() -> None:
    market = Market(assets=(replace(WETH, supply_rate=0.08), replace(USDC, borrow_rate=0.02)))
    market.account(1, {market.assets[0]: 10}, {market.assets[1]: 16_000})
    assert isinf(etas(market.snapshot(), 0.8).days[0])


def test_a_long_of_the_reference_is_touched_with_36_percent_in_a_week() -> None:
    market = Market()
    market.turning_at(1, 1_800, 10)
    found = etas(market.snapshot(), 0.8)
    assert round(float(found.odds[-1][0]), 4) == 0.3598
    assert found.nearest == (WETH.address,)
    assert found.distance[0] == pytest.approx(0.9, rel=1e-6)


@pytest.mark.parametrize("turn", [1_800, 1_950, 2_400])
def test_odds_are_those_of_a_million_steps(turn: int, seed: int) -> None:
    """Paths in 64 steps with the chance of touching between two of them, against a snapshot's own account."""
    market, years, sigma = Market(), WEEK / YEAR, 0.8
    if turn < 2_000:
        market.turning_at(1, turn, 10)
    else:
        market.account(1, {USDC: 10_000}, {WETH: 7_800 / turn})
    odds = float(etas(market.snapshot(), sigma).odds[-1][0])
    draw, barrier, steps, many = np.random.default_rng(seed), log(turn / 2_000), 64, 40_000
    side = 1 if turn < 2_000 else -1
    at, alive = np.zeros(many), np.ones(many)
    step = years / steps
    for _ in range(steps):
        to = at - sigma**2 * step / 2 + sigma * sqrt(step) * draw.standard_normal(many)
        inside = (side * (to - barrier) > 0) & (alive > 0)
        between = 1 - np.exp(-2 * (at - barrier) * (to - barrier) / (sigma**2 * step))
        alive, at = np.where(inside, alive * between, 0), to
    seen, error = 1 - alive.mean(), alive.std() / sqrt(many)
    print(f"seed {seed}: {odds:.4f} against {seen:.4f} +- {error:.4f}")  # noqa: T201
    assert abs(odds - seen) < SURE * error


def test_below_one_is_now_and_pegged_is_never() -> None:
    market = Market()
    gone = market.turning_at(1, 2_100, 10)
    calm = market.account(2, {USDC: 100}, {USDC: 50})
    found = etas(market.snapshot(), 0.8)
    odds = dict(zip(found.rows.tolist(), found.odds.T.tolist(), strict=True))
    assert odds == {gone: [1, 1, 1], calm: [0, 0, 0]}
    assert found.days.tolist() == [0, inf]


def test_odds_grow_with_time_volatility_and_nearness() -> None:
    factors = np.array([0.5, 0.8, 0.9, 0.99, 1.01, 1.1, 2.0])
    for sigma in (0.3, 0.8, 1.5):
        by_time = np.array([touched(factors, sigma, seconds / YEAR) for seconds in HORIZONS])
        assert (np.diff(by_time, axis=0) >= 0).all()
        assert (np.diff(by_time[:, :4], axis=1) >= 0).all()
        assert (np.diff(by_time[:, 4:], axis=1) <= 0).all()
        for factor, odds in zip(factors, by_time[-1], strict=True):
            assert odds == pytest.approx(chance(1, float(factor), sigma, WEEK / YEAR), abs=2e-7)
    assert normals(np.array([-2.0, 0, 2])) == pytest.approx([normal(x) for x in (-2, 0, 2)], abs=1e-7)


def test_holding_8778_for_ten_minutes_risks_30_63() -> None:
    assert round(8_778 * spread(0.8, 600), 2) == 30.63


# stress --------------------------------------------------------------------------------------------------------------


def tail(plan: Plan, eth: float = 1_000) -> Tail:
    snap = reference().snapshot(depth(eth))
    return Tail.of("", play(World.of(snap), plan, paths(snap, plan)))


def test_without_volatility_nothing_happens() -> None:
    found = tail(Plan(sigma=0.0, paths=50))
    assert (found.value_at_risk, found.liquidations_at_risk, found.worst, found.count) == (0, 0, 0, 0)


def test_tails_grow_with_volatility_and_shrink_with_depth() -> None:
    tails = [tail(Plan(sigma=sigma, paths=300, seconds=WEEK)) for sigma in (0.2, 0.4, 0.8, 1.2, 1.8)]
    assert [one.value_at_risk for one in tails] == sorted(one.value_at_risk for one in tails)
    assert [one.liquidations_at_risk for one in tails] == sorted(one.liquidations_at_risk for one in tails)
    assert tails[0].liquidations_at_risk < tails[-1].liquidations_at_risk
    shallow = tail(Plan(sigma=1.2, paths=300, seconds=WEEK), eth=500)
    assert shallow.value_at_risk > tails[3].value_at_risk


def test_the_same_seed_gives_the_same_however_paths_are_shared_out() -> None:
    snap = reference().snapshot(depth(1_000))
    plan, world = Plan(paths=60, seconds=WEEK, seed=5), World.of(snap)
    every = paths(snap, plan)
    whole = play(world, plan, every)
    parts = joined([play(world, plan, Paths(every.factors[at : at + 7], 0)) for at in range(0, 60, 7)])
    assert all((one == other).all() for one, other in zip(whole, parts, strict=True))
    other = play(world, replace(plan, seed=6), paths(snap, replace(plan, seed=6)))
    assert (other.liquidated != whole.liquidated).any()


def test_one_path_by_hand() -> None:
    """A fall to 1,700 in one step: two accounts, sold into one pool."""
    snap = reference().snapshot(depth(1_000))
    factors = np.ones((1, 1, len(snap.numbers) + 1))
    factors[0, 0, snap.numbers[WETH.address]] = 0.85
    plan = Plan(bonus=0.05)
    found = play(World.of(snap), plan, Paths(factors, 0))
    debts = [1_950 * 50 * 0.825, 1_800 * 40 * 0.825]
    owned = [50 * 1_700, 40 * 1_700]
    sold = [min(1, debt * 1.05 / own) * own for debt, own in zip(debts, owned, strict=True)]
    brings = 1_700_000 / (1_700_000 + sum(sold))
    lost = sum(max(debt - own * brings, 0) for debt, own in zip(debts, owned, strict=True))
    assert found.liquidated[0] / USD == pytest.approx(sum(sold), rel=1e-6)
    assert found.insolvent[0] / USD == pytest.approx(lost, rel=1e-4)
    assert lost > 100
    assert found.many[0] == 2
    late = play(World.of(snap), plan, Paths(factors, 1))
    assert (late.many[0], late.liquidated[0]) == (0, 0)
    dear = play(World.of(snap), replace(plan, gas=0.05 * 60_000 * USD), Paths(factors, 0))
    assert dear.many[0] == 1


def test_what_has_no_pool_brings_nothing() -> None:
    market = Market()
    market.account(1, {STETH: 10}, {USDC: 16_000})
    snap = market.snapshot(depth(1_000))
    factors = np.ones((1, 1, len(snap.numbers) + 1))
    factors[0, 0, snap.numbers[STETH.address]] = 0.95
    found = play(World.of(snap), Plan(), Paths(factors, 0))
    assert found.insolvent[0] / USD == pytest.approx(16_000, rel=1e-6)


def test_paths_are_martingales_and_the_pegged_stay(seed: int) -> None:
    market = Market()
    market.account(1, {WETH: 10, STETH: 10}, {USDC: 20_000})
    snap = market.snapshot(depth(1_000))
    many = 20_000
    drawn = paths(snap, Plan(paths=many, steps=4, seconds=WEEK, seed=seed, depeg={USDC.address: 0.9})).factors
    for asset in (WETH, STETH):
        last = drawn[:, -1, snap.numbers[asset.address]]
        assert abs(last.mean() - 1) < SURE * last.std() / sqrt(many)
        assert last.std() == pytest.approx(sqrt(exp(0.8**2 * WEEK / YEAR) - 1), rel=0.03)
    assert (drawn[:, :, snap.numbers[USDC.address]] == 0.9).all()
    logs = np.log(drawn[:, -1, [snap.numbers[asset.address] for asset in (WETH, STETH)]])
    assert np.corrcoef(logs.T)[0, 1] == pytest.approx(0.8, abs=0.02)


def test_coverage_and_drain() -> None:
    losses = Losses(np.full(20, 1e6), np.arange(20.0) * 100, np.full(20, 500.0))
    found = Tail.of("", losses)
    assert (found.value_at_risk, found.worst_path) == (1_900, 19)
    assert found.coverage(950) == 0.5
    assert found.drain_blocks(600_000, 30_000_000) == 10
    assert replace(found, value_at_risk=0.0).coverage(950) is None
    assert [name for name, _ in scenarios(Plan(depeg={USDC.address: 0.9}))][-1] == "peg broken"
