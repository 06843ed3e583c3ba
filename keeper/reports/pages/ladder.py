"""The ladder as a table, and as a heat map of assets and prices."""

from collections.abc import Mapping
from functools import partial
from typing import Any

import numpy as np

from keeper.core.units import Address
from keeper.reports.ladder import Ladder
from keeper.reports.pages.page import Page, Sheet, about, money, percent, right, thinned, where
from keeper.reports.snapshot import Snapshot

TERMS = (
    "A step moves the prices of the named assets down together; what may be liquidated at these prices counts.",
    "Collateral is valued at the price at which its account turned; amounts are in the market's base currency.",
)
SHOWN = 13  # steps in the table
MAPPED = 10  # assets in the heat map
DECADES = 4  # of its greys


def page(snap: Snapshot, found: Ladder, single: Mapping[Address, Ladder]) -> Page:
    """``single``: the ladder of each asset alone."""
    last = len(found.factors) - 1
    near = min(int(np.searchsorted(-found.factors, -0.8)), last)
    owned, owed = found.at(near)
    moved = ", ".join(sorted(snap.name(asset) for asset in found.moving))
    headline = (
        f"{percent(1 - float(found.factors[near]), 1)} down: {money(snap, owned, 0)} of collateral against "
        f"{money(snap, owed, 0)} of debt in {found.accounts[near]:,} accounts"
    )
    held = snap.held()
    every = -float(held.worth[held.worth < 0].sum()) or 1.0
    rows = [_row(snap, found, step, every) for step in thinned(last + 1, SHOWN)]
    sheet = Sheet(f"together: {moved}", right("fall", "accounts", "collateral", "debt", "of all debt"), rows)
    return Page(
        "ladder", f"Liquidation ladder, {where(snap)}", headline, TERMS,
        [sheet, *_alone(snap, single)], _records(snap, found, single), partial(_draw, snap, found, single),
    )  # fmt: skip


def _row(snap: Snapshot, found: Ladder, step: int, every: float) -> tuple[str, ...]:
    owned, owed = found.at(step)
    return (
        percent(1 - float(found.factors[step]), 1), f"{found.accounts[step]:,}", money(snap, owned, 0),
        money(snap, owed, 0), percent(owed / every, 1),
    )  # fmt: skip


def _alone(snap: Snapshot, single: Mapping[Address, Ladder]) -> list[Sheet]:
    """Collateral in one asset that its own fall makes liquidatable."""
    if not single:
        return []
    shown = thinned(len(next(iter(single.values())).factors), 7)
    names = ["asset", *(percent(1 - float(next(iter(single.values())).factors[step]), 0) for step in shown)]
    rows = [
        (snap.name(asset), *(money(snap, float(one.collateral[snap.numbers[asset], step]), 0) for step in shown))
        for asset, one in single.items()
    ]
    return [Sheet("each asset alone: its own collateral", [("asset", "left"), *right(*names[1:])], rows)]


def _records(snap: Snapshot, found: Ladder, single: Mapping[Address, Ladder]) -> list[dict[str, object]]:
    lines = [(None, found), *single.items()]
    numbers = {number: asset for asset, number in snap.numbers.items()}
    return [
        about(snap)
        | {
            "asset": asset,
            "moving": sorted(one.moving),
            "fall_bps": round((1 - float(factor)) * 10_000),
            "accounts": int(one.accounts[step]),
            "collateral_base": round(float(one.collateral[:, step].sum())),
            "debt_base": round(float(one.debt[:, step].sum())),
            "collateral_base_by_asset": _by_asset(one.collateral[:, step], numbers),
            "debt_base_by_asset": _by_asset(one.debt[:, step], numbers),
        }
        for asset, one in lines
        for step, factor in enumerate(one.factors)
    ]


def _by_asset(amounts: "np.ndarray[Any, Any]", numbers: Mapping[int, Address]) -> dict[str, int]:
    return {numbers.get(at, "other"): round(float(amount)) for at, amount in enumerate(amounts) if round(float(amount))}


def _draw(snap: Snapshot, found: Ladder, single: Mapping[Address, Ladder], figure: Any) -> None:  # noqa: ANN401
    axes = figure.subplots(1, 2, width_ratios=[1, 1.15]) if single else [figure.subplots()]
    falls = 100 * (1 - found.factors)
    unit = _unit(float(found.collateral[:, -1].sum()) / snap.base_unit)
    for amounts, line, name in ((found.collateral, "-", "collateral"), (found.debt, "--", "debt")):
        axes[0].step(
            falls, amounts.sum(axis=0) / snap.base_unit / unit[0], line, color="black", where="post", label=name
        )
    axes[0].set(
        xlabel="common fall of prices, %", ylabel=f"liquidatable, {unit[1]} of base currency", title="All together"
    )
    axes[0].legend(loc="upper left")
    if single:
        _heat(snap, single, axes[1])
    figure.suptitle(f"Liquidation ladder, {where(snap)}")


def _heat(snap: Snapshot, single: Mapping[Address, Ladder], axis: Any) -> None:  # noqa: ANN401
    chosen = sorted(single.items(), key=lambda pair: -float(pair[1].collateral[snap.numbers[pair[0]], -1]))[:MAPPED]
    amounts = np.array([one.collateral[snap.numbers[asset]] for asset, one in chosen]) / snap.base_unit
    falls = 100 * (1 - chosen[0][1].factors)
    top = max(int(np.ceil(np.log10(max(float(amounts.max()), 10.0)))), DECADES)
    shown = np.log10(np.maximum(amounts, 10.0 ** (top - DECADES)))
    picture = axis.imshow(
        shown,
        aspect="auto",
        cmap="Greys",
        extent=(falls[0], falls[-1], len(chosen) - 0.5, -0.5),
        vmin=top - DECADES,
        vmax=top,
    )
    axis.set_yticks(range(len(chosen)), [snap.name(asset) for asset, _ in chosen])
    axis.grid(visible=False)
    axis.set(xlabel="fall of this price alone, %", title="Each alone: its collateral that is liquidatable")
    bar = axis.figure.colorbar(picture, ax=axis, label="base currency")
    ticks = list(range(top - DECADES, top + 1))
    bar.set_ticks(ticks, labels=[f"1e{tick}" for tick in ticks])


def _unit(largest: float) -> tuple[float, str]:
    for size, name in ((1e9, "billions"), (1e6, "millions"), (1e3, "thousands")):
        if largest >= size:
            return size, name
    return 1.0, "units"
