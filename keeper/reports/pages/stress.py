"""Stress as a table of scenarios, and as the distribution of what is liquidated and what nothing pays for."""

from collections.abc import Mapping
from functools import partial
from typing import Any

import numpy as np

from keeper.reports.pages.page import Page, Sheet, about, left, money, right, some, where
from keeper.reports.pages.paint import LINES, plain
from keeper.reports.snapshot import Snapshot
from keeper.reports.stress import Losses, Plan, Tail
from keeper.screen.kernels import Floats

TERMS = (
    "At risk: in 95 of 100 paths no more is lost (debt that nothing pays for), or liquidated, than this.",
    "Coverage: how often the fund pays the value at risk. Drain: blocks that the liquidations of a bad path need.",
)


def page(snap: Snapshot, plan: Plan, found: Mapping[str, Losses], fund: int | None, gas: tuple[int, int, int]) -> Page:
    """``gas``: of one liquidation, of a block, and seconds a block."""
    tails = [Tail.of(name, losses) for name, losses in found.items()]
    first = tails[0]
    headline = (
        f"value at risk {money(snap, first.value_at_risk, 0)}, liquidations at risk "
        f"{money(snap, first.liquidations_at_risk, 0)} over {some(plan.seconds / 86_400, 'day')} at "
        f"{100 * plan.sigma:.0f} % volatility ({plan.paths:,} paths, seed {plan.seed})"
    )
    columns = [
        *left("scenario"), *right("value at risk", "liquidations at risk", "mean loss", "worst loss", "worst path",
        "liquidations", "coverage", "drain blocks"),
    ]  # fmt: skip
    rows = [_row(snap, tail, fund, gas) for tail in tails]
    bare = sorted(snap.name(asset) for asset in snap.numbers if _without_depth(snap, asset))
    note = [Sheet("no pool sells these: they bring nothing", left("assets"), [(", ".join(bare),)])] if bare else []
    records = [_record(snap, plan, tail, fund, gas) for tail in tails]
    return Page(
        "stress", f"Stress, {where(snap)}", headline, TERMS, [Sheet("scenarios", columns, rows), *note], records,
        partial(_draw, snap, found),
    )  # fmt: skip


def _without_depth(snap: Snapshot, asset: str) -> bool:
    pools = snap.pools().pools.values()
    return not any(asset in (pool.token0, pool.token1) for pool in pools)


def _row(snap: Snapshot, tail: Tail, fund: int | None, gas: tuple[int, int, int]) -> tuple[str, ...]:
    cover = None if fund is None else tail.coverage(fund)
    sums = (tail.value_at_risk, tail.liquidations_at_risk, tail.mean, tail.worst)
    return (
        tail.name, *(money(snap, value, 0) for value in sums), f"{tail.worst_path}", f"{tail.count:,.0f}",
        "" if cover is None else f"{cover:.2f}", f"{tail.drain_blocks(gas[0], gas[1])}",
    )  # fmt: skip


def _record(snap: Snapshot, plan: Plan, tail: Tail, fund: int | None, gas: tuple[int, int, int]) -> dict[str, object]:
    cover, drain = None if fund is None else tail.coverage(fund), tail.drain_blocks(gas[0], gas[1])
    return about(snap) | {
        "scenario": tail.name, "paths": plan.paths, "steps": plan.steps, "seconds": plan.seconds, "seed": plan.seed,
        "sigma": plan.sigma, "value_at_risk_base": round(tail.value_at_risk),
        "liquidations_at_risk_base": round(tail.liquidations_at_risk), "mean_loss_base": round(tail.mean),
        "worst_loss_base": round(tail.worst), "worst_path": tail.worst_path, "liquidations": round(tail.count),
        "fund_base": fund, "coverage": None if cover is None else round(cover, 4), "drain_blocks": drain,
        "drain_seconds": drain * gas[2],
    }  # fmt: skip


def _draw(snap: Snapshot, found: Mapping[str, Losses], figure: Any) -> None:  # noqa: ANN401
    axes = figure.subplots(1, 2, sharey=True)
    for axis, place, name in zip(axes, (0, 1), ("liquidated", "debt that nothing pays for"), strict=True):
        for line, (scenario, losses) in zip(LINES, found.items(), strict=False):
            _curve(axis, np.sort(losses[place]) / snap.base_unit, line, scenario)
        axis.axhline(5, color="black", linewidth=0.8)
        axis.set(xlabel=f"{name}, base currency", yscale="log", ylim=(0.1, 110))
        axis.set_xlim(left=0)
        plain(axis.xaxis)
    axes[0].set_yticks([0.1, 1, 5, 10, 100], ["0.1", "1", "5", "10", "100"])
    axes[0].set_ylabel("paths with more, %")
    axes[1].annotate("5 % of paths: at risk", (0.98, 5.3), xycoords=("axes fraction", "data"), ha="right", fontsize=9)
    axes[1].legend(loc="upper right")
    figure.suptitle(f"Stress, {where(snap)}")


def _curve(axis: Any, amounts: Floats, line: Any, name: str) -> None:  # noqa: ANN401
    axis.step(amounts, 100 * (1 - np.arange(len(amounts)) / len(amounts)), linestyle=line, color="black", label=name)
