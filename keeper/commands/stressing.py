"""The stress report at work: paths on both cores, with a bar for whoever watches.

Law: the figures do not depend on how the paths are shared out.
"""

import os
import sys
from argparse import Namespace
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from keeper.core.units import WAD
from keeper.errors import ConfigError
from keeper.reports.pages import stress as stress_page
from keeper.reports.pages.page import Page
from keeper.reports.snapshot import Snapshot
from keeper.reports.stress import Losses, Paths, Plan, World, joined, paths, play, scenarios

CHUNK = 16  # paths between two looks at the bar
GWEI = 10**9


def stressed(snap: Snapshot, args: Namespace) -> Page:
    """All scenarios of one market."""
    plan = plan_of(snap, args)
    world = World.of(snap)
    chosen = scenarios(plan)
    with _bar(len(chosen) * plan.paths) as done:
        found = {name: played(snap, world, one, done) for name, one in chosen}
    fund = args.fund * snap.base_unit if args.fund is not None else funded(snap)
    return stress_page.page(snap, plan, found, fund, (args.gas, args.block_gas, args.block_time))


def plan_of(snap: Snapshot, args: Namespace) -> Plan:
    """What was asked for, or why it cannot be."""
    if (
        not 0 <= args.correlation <= 1
        or args.sigma < 0
        or not args.paths
        or not args.path_steps
        or not args.days
        or not args.gas
    ):
        raise ConfigError(
            "stress: --correlation is 0% to 100%, --sigma not negative; --paths, --path-steps, --days, --gas from 1"
        )
    depeg = {snap.find(name): factor for name, factor in args.depeg}
    strangers = [snap.name(asset) for asset in depeg if asset not in snap.numbers]
    if strangers:
        raise ConfigError(f"--depeg {strangers[0]}: nobody holds or owes it")
    return Plan(
        paths=args.paths, steps=args.path_steps, seconds=args.days * 86_400, sigma=args.sigma,
        correlation=args.correlation, seed=args.seed, gas=gas_cost(snap, args.gas, args.gas_price), depeg=depeg,
    )  # fmt: skip


def gas_cost(snap: Snapshot, gas: int, gwei: int) -> float:
    """What one liquidation burns, in base units."""
    if snap.native is None or snap.native not in snap.assets:
        raise ConfigError("gas has no price: set chain.wrapped_native to an asset of the market")
    return gas * gwei * GWEI * snap.price(snap.native) / WAD


def funded(snap: Snapshot) -> int | None:
    """What stands behind the market, in base units; ``None`` when it does not say."""
    funds = [(one.asset, one.fund) for one in snap.adapter.backing(snap.book) if one.fund is not None]
    priced = [fund * snap.price(asset) // snap.assets[asset].unit for asset, fund in funds if asset in snap.assets]
    return sum(priced) if priced else None


def played(snap: Snapshot, world: World, plan: Plan, done: "_Done") -> Losses:
    """One scenario, its paths shared out among the cores."""
    every = paths(snap, plan)
    parts = [Paths(every.factors[at : at + CHUNK], every.late) for at in range(0, plan.paths, CHUNK)]
    found: list[Losses] = []
    with ThreadPoolExecutor(os.cpu_count() or 1) as pool:
        for losses in pool.map(lambda part: play(world, plan, part), parts):
            found.append(losses)
            done(len(losses.many))
    return joined(found)


class _Done:
    """Tells how many paths are played."""

    def __init__(self, bar: Progress | None, total: int) -> None:
        self._bar = bar
        self._task = bar.add_task("paths", total=total) if bar else None

    def __call__(self, count: int) -> None:
        if self._bar and self._task is not None:
            self._bar.advance(self._task, count)


@contextmanager
def _bar(total: int) -> Iterator[_Done]:
    """A bar with the time left, on a terminal."""
    if not sys.stderr.isatty():
        yield _Done(None, total)
        return
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        yield _Done(bar, total)
