"""Stress: many seeded price paths over the whole book, with depth, gas, a late oracle and a broken peg.

Laws
- The same seed gives the same figures, however the paths are shared out among cores.
- A path is played step by step: whoever is below 1 at the oracle's prices, which may be late, is liquidated once, if
  the bonus pays the gas; sales of a step go into one constant product an asset, and what they move stays moved.
- What has no depth brings nothing. Without volatility nothing happens to those who are at 1 or above.
- A screen, not a confirmation: floats that call an account liquidatable a hair too early, never too late.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from math import sqrt
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from keeper.core.compiled import kernel
from keeper.core.units import Address
from keeper.core.venues import Q96, Liquidity
from keeper.reports.depth import holds
from keeper.reports.odds import YEAR
from keeper.reports.snapshot import Snapshot
from keeper.screen.kernels import Amounts, Codes, Floats, Ints

TAIL: Final = 0.95


@dataclass(frozen=True, slots=True)
class Plan:
    """What is supposed."""

    paths: int = 1_000
    steps: int = 8
    seconds: int = 86_400  # of a path
    sigma: float = 0.8  # yearly
    correlation: float = 0.8
    seed: int = 1
    bonus: float = 0.05  # of what is repaid, on top of what is seized
    gas: float = 0.0  # of one liquidation, base units
    late: int = 0  # steps the oracle lags behind
    depth: float = 1.0  # share of today's
    depeg: Mapping[Address, float] | None = None  # from the first step on


class Paths(NamedTuple):
    """Factors on prices, by path, step and asset; with the oracle's lag in steps."""

    factors: Floats
    late: int


@dataclass(frozen=True, slots=True, eq=False)
class World:
    """The book as flat arrays, one account after another."""

    starts: Ints
    codes: Codes
    amounts: Amounts
    factors: Floats  # by code: weight at a price of one
    values: Floats  # by code: worth at a price of one
    assets: Ints  # by code: number of its asset
    levels: Floats  # by number: today's price
    depths: Floats  # by number: what the pools hold of it, in base units

    @classmethod
    def of(cls, snap: Snapshot) -> "World":
        """The snapshot's accounts, and the pools beside it."""
        snap.require_accounts()
        parts = [
            (group.codes[:, : group.count].T.ravel(), group.amounts[:, : group.count].T.ravel(),
             np.full(group.count, group.width)) for group in snap.screen.groups
        ]  # fmt: skip
        codes, amounts, widths = (np.concatenate([part[i] for part in parts]) for i in range(3))
        table = snap.now
        return cls(
            np.concatenate([[0], np.cumsum(widths)]).astype(np.int64), codes.astype(np.uint16),
            amounts.astype(np.float32), np.nan_to_num(table.factors, nan=0.0, posinf=0.0), snap.values,
            table.assets.of.astype(np.int64), table.levels, depths(snap, snap.pools()),
        )  # fmt: skip


def depths(snap: Snapshot, liquidity: Liquidity) -> Floats:
    """What can be sold against, by the asset's number: virtual reserves near today's prices, in base units."""
    found = np.zeros(len(snap.numbers) + 1)
    for asset, number in snap.numbers.items():
        worth = snap.price(asset) / snap.assets[asset].unit if asset in snap.assets else 0.0
        reserves = [pool.depth(asset).reserve_in for pool in liquidity.pools.values() if holds(pool, asset)]
        found[number] = sum(reserves) / Q96 * worth
    return found


def paths(snap: Snapshot, plan: Plan) -> Paths:
    """Driftless prices: one factor in common, one of their own; pegged assets stay, unless the peg breaks."""
    draw = np.random.default_rng(plan.seed)
    count = len(snap.numbers) + 1
    step = plan.seconds / plan.steps / YEAR
    common = draw.standard_normal((plan.paths, plan.steps, 1))
    own = draw.standard_normal((plan.paths, plan.steps, count))
    moves = sqrt(plan.correlation) * common + sqrt(1 - plan.correlation) * own
    logs = np.cumsum(plan.sigma * sqrt(step) * moves - plan.sigma**2 * step / 2, axis=1)
    factors = np.exp(logs)
    loose = {snap.numbers[asset] for asset in snap.loose}
    factors[:, :, [number for number in range(count) if number not in loose]] = 1.0
    for asset, factor in (plan.depeg or {}).items():
        factors[:, :, snap.numbers[asset]] *= factor
    return Paths(factors, plan.late)


class Losses(NamedTuple):
    """By path: what was liquidated and what debt nothing pays for, in base units; and how many liquidations."""

    liquidated: Floats
    insolvent: Floats
    many: Floats


def play(world: World, plan: Plan, chosen: Paths) -> Losses:
    """Some paths, one after another, outside the interpreter's lock."""
    out = np.zeros((3, len(chosen.factors)))
    _play(
        world.starts, world.codes, world.amounts, world.factors, world.values, world.assets, world.levels,
        world.depths * plan.depth, np.ascontiguousarray(chosen.factors), chosen.late, plan.bonus, plan.gas, out,
    )  # fmt: skip
    return Losses(*out)


def joined(parts: Sequence[Losses]) -> Losses:
    """All paths again."""
    return Losses(*(np.concatenate(column) for column in zip(*parts, strict=True)))


@dataclass(frozen=True, slots=True)
class Tail:
    """What an operator needs of a scenario."""

    name: str
    value_at_risk: float  # 95th percentile of what nothing pays for
    liquidations_at_risk: float  # 95th percentile of what is liquidated
    worst: float
    worst_path: int
    mean: float
    count: float  # 95th percentile of liquidations

    @classmethod
    def of(cls, name: str, losses: Losses) -> "Tail":
        """Percentiles over all paths."""
        at = [float(np.quantile(column, TAIL, method="higher")) for column in losses]
        worst = int(losses.insolvent.argmax())
        mean = float(losses.insolvent.mean())
        return cls(name, at[1], at[0], float(losses.insolvent[worst]), worst, mean, at[2])

    def coverage(self, fund: float) -> float | None:
        """How often an insurance fund pays the value at risk; ``None`` when there is none."""
        return fund / self.value_at_risk if self.value_at_risk else None

    def drain_blocks(self, gas: int, block_gas: int) -> int:
        """Blocks until all liquidations of the tail fit, nothing else being in them."""
        each = max(block_gas // gas, 1)
        return -(-int(self.count) // each)


def scenarios(plan: Plan) -> list[tuple[str, Plan]]:
    """The plan, and what makes it worse, one at a time."""
    found = [
        ("as given", replace(plan, depeg=None)),
        ("depth halved", replace(plan, depth=plan.depth / 2, depeg=None)),
        ("gas x10", replace(plan, gas=plan.gas * 10, depeg=None)),
        ("oracle a step late", replace(plan, late=plan.late + 1, depeg=None)),
    ]
    return [*found, ("peg broken", plan)] if plan.depeg else found


_SIGNATURE: Final = (
    "void(i8[::1], u2[::1], f4[::1], f8[::1], f8[::1], i8[::1], f8[::1], f8[::1], f8[:,:,::1], i8, f8, f8, f8[:,::1])"
)


@kernel(_SIGNATURE)
def _play(  # noqa: C901, PLR0912, PLR0913, PLR0915, PLR0917 - one loop nest over flat arrays
    starts: Ints, codes: Codes, amounts: Amounts, factors: Floats, values: Floats, assets: Ints, levels: Floats,
    depth: Floats, paths: NDArray[np.float64], late: int, bonus: float, gas: float, out: Floats,
) -> None:  # fmt: skip
    """Every path from its start, everybody alive."""
    count, numbers, steps = starts.size - 1, levels.size, paths.shape[1]
    done = np.zeros(count, np.uint8)
    weights, worths = np.zeros(factors.size), np.zeros(factors.size)
    left = np.ones((steps + 1, numbers))  # what sales have left of prices, after each step
    sold, brings = np.zeros(numbers), np.ones(numbers)
    fallen = np.zeros(count, np.int64)
    share = np.zeros(count)
    for path in range(paths.shape[0]):
        done[:] = 0
        left[:, :] = 1.0
        for step in range(steps):
            seen = step - late
            for code in range(factors.size):
                number = assets[code]
                oracle = paths[path, seen, number] * left[seen, number] if seen >= 0 else 1.0
                weights[code] = factors[code] * levels[number] * oracle
                worths[code] = values[code] * levels[number] * paths[path, step, number] * left[step, number]
            sold[:] = 0.0
            many = 0
            for one in range(count):
                if done[one]:
                    continue
                margin = 0.0
                for at in range(starts[one], starts[one + 1]):
                    margin += weights[codes[at]] * amounts[at]
                if margin >= 0.0:
                    continue
                owned, owed = 0.0, 0.0
                for at in range(starts[one], starts[one + 1]):
                    worth = worths[codes[at]] * amounts[at]
                    if worth > 0.0:
                        owned += worth
                    else:
                        owed -= worth
                if min(owed, owned) * bonus <= gas:
                    continue  # nobody does it for so little
                done[one] = 1
                fallen[many] = one
                share[many] = min(1.0, owed * (1.0 + bonus) / owned) if owned > 0.0 else 0.0
                out[0, path] += share[many] * owned
                for at in range(starts[one], starts[one + 1]):
                    worth = worths[codes[at]] * amounts[at]
                    if worth > 0.0:
                        sold[assets[codes[at]]] += share[many] * worth
                many += 1
            for number in range(numbers):
                room = depth[number] * paths[path, step, number] * left[step, number]
                brings[number] = room / (room + sold[number]) if sold[number] > 0.0 else 1.0
                left[step + 1, number] = left[step, number] * brings[number] * brings[number]
            for place in range(many):
                one = fallen[place]
                paid = 0.0
                owed = 0.0
                for at in range(starts[one], starts[one + 1]):
                    worth = worths[codes[at]] * amounts[at]
                    if worth > 0.0:
                        paid += worth * brings[assets[codes[at]]]
                    else:
                        owed -= worth
                out[1, path] += max(owed - paid, 0.0)
            out[2, path] += many
        for one in range(count):
            if done[one]:
                continue
            equity = 0.0
            for at in range(starts[one], starts[one + 1]):
                equity += worths[codes[at]] * amounts[at]
            if equity < 0.0:
                out[1, path] -= equity
