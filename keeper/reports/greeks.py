"""How prices eat up what an account has left: slopes, bends, and the distance to insolvency.

Laws
- A line has a delta and no gamma: it reaches nothing where delta says.
- An account that is no line is asked: the price at which the market would let it be liquidated, by bisection; how much
  sooner that is than from its first small step is its gamma acceleration.
- A what-if book of options is repriced by Black-76, on quotes where they are good enough and on the model elsewhere.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from keeper.core.units import Address
from keeper.reports.calculators.options import Insolvency, Option, black76, gap, insolvency, svi
from keeper.reports.snapshot import Snapshot

STEPS: Final = 40  # of a bisection
FURTHEST: Final = 0.99  # fall or rise that is looked for


@dataclass(frozen=True, slots=True)
class Greeks:
    """One account against one asset's price."""

    row: int
    asset: Address
    buffer: float  # margin left, base units as the market weighs them
    delta: float  # of the margin, for the whole price
    distance: float | None  # signed share of the price to the turn; None: no price of it
    linear: bool


def greeks(snap: Snapshot, assets: Sequence[Address], limit: int) -> list[Greeks]:
    """The nearest turns of all accounts, lines and others."""
    snap.require_accounts()
    found: list[Greeks] = []
    scale = _scale(snap)
    for asset in assets:
        lines = snap.lines([asset])
        roots, margins = lines.roots, lines.fixed + lines.moved
        gone = margins < 0  # already there, whichever way the price would have to go to save it
        away = np.where(gone, 0.0, np.where(roots > 0, roots - 1, np.nan))
        near = np.argsort(np.nan_to_num(np.abs(away), nan=np.inf), kind="stable")[:limit]
        found += [
            Greeks(
                int(lines.rows[at]),
                asset,
                float(margins[at]) / scale,
                float(lines.moved[at]) / scale,
                float(away[at]),
                linear=True,
            )
            for at in near.tolist()
            if not np.isnan(away[at])
        ]
        found += [_asked(snap, row, asset) for row in snap.screen.unclear]
    nearest = sorted(found, key=lambda one: abs(one.distance) if one.distance is not None else np.inf)[:limit]
    return [_confirmed(snap, one) for one in nearest]


def _confirmed(snap: Snapshot, one: Greeks) -> Greeks:
    """A line may turn early, never late: where exactly is what the market itself says."""
    if not one.linear or not one.distance:
        return one
    exact = turning(snap, one.row, one.asset, 1 if one.distance > 0 else -1)
    return one if exact is None else replace(one, distance=exact)


def _scale(snap: Snapshot) -> float:
    """How much a unit of margin is more than a base unit: owed amounts are not risk-weighted."""
    held = snap.held()
    owed = held.worth < 0
    return float(held.weighed[owed].sum() / held.worth[owed].sum()) if owed.any() else 1.0


def _asked(snap: Snapshot, row: int, asset: Address) -> Greeks:
    turns = [turn for side in (-1, 1) if (turn := turning(snap, row, asset, side)) is not None]
    return Greeks(row, asset, float("nan"), float("nan"), min(turns, key=abs) if turns else None, linear=False)


def turning(snap: Snapshot, row: int, asset: Address, side: int) -> float | None:
    """The share that a price falls (-1) or rises (1) to the account's turn; ``None``: it does not turn on that way."""

    def low(change: float) -> bool:
        return bool(snap.adapter.liquidatable(snap.book, [row], snap.at, snap.supposed([asset], 1 + side * change)))

    if low(0.0):
        return 0.0
    near, far = 0.0, FURTHEST if side < 0 else 10.0
    if not low(far):
        return None
    for _ in range(STEPS):
        middle = (near + far) / 2
        near, far = (near, middle) if low(middle) else (middle, far)
    return side * far


# what-if books -------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Leg:
    """One option, or the underlying itself."""

    kind: str  # call, put or spot
    size: float
    strike: float = 0.0
    days: float = 0.0
    vol: float | None = None
    bid: float | None = None
    ask: float | None = None


@dataclass(frozen=True, slots=True)
class Book:
    """Options of one account on one underlying."""

    spot: float
    equity: float  # beside the legs
    maintenance: float  # margin that must be left
    legs: tuple[Leg, ...]
    vol: float = 0.8  # where a leg has none and there is no smile
    smile: tuple[float, ...] = ()
    widest: float = 0.1  # spread of a quote, as a share of its ask


@dataclass(frozen=True, slots=True)
class Marked:
    """One leg with its mark."""

    leg: Leg
    option: Option
    mark: float
    gap: float | None  # model less market


@dataclass(frozen=True, slots=True)
class WhatIf:
    """The whole book."""

    book: Book
    legs: tuple[Marked, ...]
    buffer: float
    delta: float
    gamma: float
    vega: float
    insolvency: Insolvency | None

    def value(self, spot: float) -> float:
        """Equity less maintenance at another price, by the model."""
        return (
            self.book.equity
            - self.book.maintenance
            + sum(one.leg.size * priced(self.book, one.leg, spot).price for one in self.legs)
        )


def what_if(book: Book) -> WhatIf:
    """Marks, Greeks and the way to insolvency."""
    legs = tuple(_marked(book, leg) for leg in book.legs)
    worth = sum(one.leg.size * one.mark for one in legs)
    delta, gamma, vega = (sum(one.leg.size * one.option[i] for one in legs) for i in (1, 2, 3))
    buffer = book.equity + worth - book.maintenance
    end = insolvency(buffer, delta, gamma, book.spot, book.vol) if buffer > 0 else Insolvency(0.0, 0.0, 1.0, 0.0)
    return WhatIf(book, legs, buffer, delta, gamma, vega, end)


def priced(book: Book, leg: Leg, spot: float) -> Option:
    """A leg at a price of the underlying."""
    if leg.kind == "spot":
        return Option(spot, 1.0, 0.0, 0.0, 0.0)
    years = leg.days / 365
    vol = leg.vol if leg.vol is not None else svi(leg.strike, spot, years, book.smile) if book.smile else book.vol
    return black76(spot, leg.strike, years, vol, 1 if leg.kind == "call" else -1)


def _marked(book: Book, leg: Leg) -> Marked:
    option = priced(book, leg, book.spot)
    if leg.kind == "spot":
        return Marked(leg, option, option.price, None)
    mark, apart = gap(option.price, leg.bid, leg.ask, book.widest)
    return Marked(leg, option, mark, apart)
