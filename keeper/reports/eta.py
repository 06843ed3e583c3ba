"""When will it be liquidated: by interest alone, by prices alone, and which price is nearest.

Laws
- Interest: health falls as debts grow faster than collateral, at today's rates. Measured, not assumed: the margin's own
  weights a day later.
- Prices: everything that is not pegged moves together, as one driftless price of the given volatility. The account is
  gone when its line is crossed at any time, not only at the end.
- Below 1 already is now: zero days, certainty.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import inf
from typing import Final

import numpy as np

from keeper.core.units import Address, Timestamp
from keeper.reports.odds import YEAR, touched
from keeper.reports.snapshot import Snapshot
from keeper.screen.columns import table
from keeper.screen.kernels import Floats, Rows

HORIZONS: Final = (3_600, 86_400, 7 * 86_400)  # seconds
_DAY: Final = 86_400


@dataclass(frozen=True, slots=True, eq=False)
class Etas:
    """By account of the screen."""

    rows: Rows
    health: Floats
    debt: Floats  # base units
    days: Floats  # by interest alone; infinite when it grows healthier
    common: Floats  # the factor on all loose prices at which it turns; NaN: none
    odds: Floats  # by horizon and account
    nearest: tuple[Address | None, ...]  # whose price alone turns it soonest
    distance: Floats  # the factor on that price


def etas(snap: Snapshot, sigma: float, horizons: Sequence[int] = HORIZONS, most: int | None = None) -> Etas:
    """The likeliest first; ``most`` of them."""
    snap.require_accounts()
    lines = snap.lines(snap.loose)
    held = snap.held()
    owned, owed = held.sums(held.weighed > 0, weighed=True), -held.sums(held.weighed < 0, weighed=True)
    health = owned / owed
    low = health < 1
    common = np.where(lines.roots > 0, lines.roots, np.nan)
    odds = np.array([np.where(low, 1.0, _touched(common, sigma, seconds)) for seconds in horizons])
    order = np.lexsort((health, -odds[-1]))[:most]
    nearest, distance = _nearest(snap, lines.rows[order])
    days = np.where(low, 0.0, _days(snap, owned, owed, health))
    debt = -held.sums(held.worth < 0)
    return Etas(
        lines.rows[order], health[order], debt[order], days[order], common[order], odds[:, order], nearest, distance
    )


def _touched(common: Floats, sigma: float, seconds: int) -> Floats:
    return np.where(np.isnan(common), 0.0, touched(common, sigma, seconds / YEAR))


def _days(snap: Snapshot, owned: Floats, owed: Floats, health: Floats) -> Floats:
    """Days until interest alone brings health to 1: its logarithm over what debts gain on collateral in a day."""
    later = snap.adapter.weights(snap.book, Timestamp(snap.at + _DAY), snap.screen.columns.keys)
    ahead = snap.held(at=table(later, snap.screen.columns.capacity))
    grown = ahead.sums(ahead.weighed > 0, weighed=True), -ahead.sums(ahead.weighed < 0, weighed=True)
    with np.errstate(divide="ignore", invalid="ignore"):
        pace = np.log(grown[1] / owed) - np.log(grown[0] / owned)
        return np.where(pace > 0, np.log(health) / pace, inf)


def _nearest(snap: Snapshot, rows: Rows) -> tuple[tuple[Address | None, ...], Floats]:
    """Of each account, the asset whose price has least far to go, and the factor on it."""
    place = np.full(max(len(snap.book), 1), -1)
    place[rows] = np.arange(len(rows))
    best = np.full(len(rows), np.nan)
    which = np.zeros(len(rows), np.int64)
    assets = sorted(snap.loose)
    for number, asset in enumerate(assets, start=1):
        lines = snap.lines([asset])
        chosen = (place[lines.rows] >= 0) & (lines.roots > 0)
        at, roots = place[lines.rows[chosen]], lines.roots[chosen]
        closer = np.isnan(best[at]) | (np.abs(np.log(roots)) < np.abs(np.log(best[at])))
        best[at[closer]], which[at[closer]] = roots[closer], number
    return tuple(assets[number - 1] if number else None for number in which.tolist()), best
