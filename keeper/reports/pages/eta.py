"""Times and chances as a table of accounts, and as debt by how far prices have to fall."""

from functools import partial
from itertools import pairwise
from math import isfinite
from typing import Any

import numpy as np

from keeper.core.ports import Quarantine
from keeper.core.units import WAD
from keeper.reports.eta import HORIZONS, Etas
from keeper.reports.pages.page import Page, Sheet, about, left, money, percent, right, where
from keeper.reports.pages.paint import plain
from keeper.reports.snapshot import Snapshot
from keeper.screen.kernels import Floats

TERMS = (
    "By interest: days until health is 1 at today's rates. Chance: that all that is not pegged, as one, gets there.",
    "Nearest: the one price that has least far to go, alone. The volatility is supposed, the drift is nothing.",
)
NAMES = {3_600: "1 h", 86_400: "24 h", 604_800: "7 d"}
LIKELY = 0.5
BANDS = np.array([0, 2, 4, 6, 8, 10, 15, 20, 25, 30, 40, 50, 75, 100.0])  # percent


def page(snap: Snapshot, found: Etas, sigma: float, limit: int) -> Page:
    """The likeliest ``limit`` accounts; sums are over all."""
    expected = found.odds @ found.debt
    likely = int((found.odds[-1] >= LIKELY).sum())
    headline = (
        f"expected to be liquidated within 24 h: {money(snap, float(expected[1]), 0)} of debt; {likely} accounts more "
        f"likely than not within 7 d"
    )
    columns = [
        *left("account"), *right("health", "debt", "days by interest", *(NAMES[one] for one in HORIZONS)),
        *left("nearest"),
    ]  # fmt: skip
    title = f"the likeliest {min(limit, len(found.rows))} of {len(found.rows)}, volatility {percent(sigma, 0)} a year"
    rows = [_row(snap, found, at) for at in range(min(limit, len(found.rows)))]
    return Page(
        "eta", f"Time to liquidation, {where(snap)}", headline, TERMS, [Sheet(title, columns, rows)],
        [_record(snap, found, at) for at in range(len(found.rows))], partial(_draw, snap, found, expected),
    )  # fmt: skip


def _row(snap: Snapshot, found: Etas, at: int) -> tuple[str, ...]:
    days = float(found.days[at])
    shown = f"{days:,.1f}" if days < 10 * 365 else "never" if not isfinite(days) else "over 10 years"
    odds = (percent(float(one[at]), 1) for one in found.odds)
    health = _health(snap, int(found.rows[at]))
    return (
        snap.book.account(int(found.rows[at])), "unknown" if health is None else f"{health / WAD:.6f}",
        money(snap, float(found.debt[at])), shown, *odds, _nearest(snap, found, at),
    )  # fmt: skip


def _health(snap: Snapshot, row: int) -> int | None:
    health = snap.adapter.health(snap.book, row, snap.at)
    return None if isinstance(health, Quarantine) else health.health_factor


def _nearest(snap: Snapshot, found: Etas, at: int) -> str:
    asset = found.nearest[at]
    return "" if asset is None else f"{snap.name(asset)} {100 * (float(found.distance[at]) - 1):+.2f} %"


def _record(snap: Snapshot, found: Etas, at: int) -> dict[str, object]:
    days, common, distance = (float(column[at]) for column in (found.days, found.common, found.distance))
    return about(snap) | {
        "account": snap.book.account(int(found.rows[at])),
        "health_factor": _health(snap, int(found.rows[at])),
        "debt_base": round(float(found.debt[at])),
        "days_by_interest": round(days, 4) if isfinite(days) else None,
        "probability": {NAMES[one]: round(float(found.odds[i][at]), 6) for i, one in enumerate(HORIZONS)},
        "common_factor": round(common, 6) if isfinite(common) else None,
        "nearest_asset": found.nearest[at],
        "nearest_factor": round(distance, 6) if isfinite(distance) else None,
    }


def _draw(snap: Snapshot, found: Etas, expected: Floats, figure: Any) -> None:  # noqa: ANN401
    one, other = figure.subplots(1, 2, width_ratios=[1, 2])
    heights = [value / snap.base_unit for value in expected]
    drawn = one.bar([NAMES[horizon] for horizon in HORIZONS], heights, 0.6, color="0.6", edgecolor="black")
    one.bar_label(drawn, [f"{height:,.0f}" for height in heights], padding=2)
    one.set(ylabel="debt expected to be liquidated, base currency", title="By prices, within")
    falls = 100 * (1 - np.nan_to_num(found.common, nan=-1.0))
    amounts = np.histogram(np.clip(falls, 0, 99.9), BANDS, weights=found.debt * (falls < 100))[0] / snap.base_unit  # noqa: PLR2004
    names = [f"{low:.0f}-{high:.0f}" for low, high in pairwise(BANDS)]
    other.bar(range(len(names)), amounts, 0.8, color="0.85", edgecolor="black", hatch="///")
    other.set_xticks(range(len(names)), names, rotation=45)
    other.set(
        xlabel="fall of all prices together to the turn, %", ylabel="debt, base currency", title="Debt by distance"
    )
    plain(one.yaxis, other.yaxis)
    figure.suptitle(f"Time to liquidation, {where(snap)}")
