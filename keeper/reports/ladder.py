"""Liquidation ladder: what falls at which price, for one asset or for a common shock.

Laws
- A line proposes the step at which an account turns, the adapter's integers decide: at every step the accounts are
  exactly those that the market would let be liquidated at these prices.
- Amounts are in base currency. Collateral in what moves counts at the price at which its account turned, the first
  chance there is to sell it.
"""

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from keeper.core.ports import Quarantine
from keeper.core.units import Address
from keeper.reports.snapshot import Lines, Mask, Snapshot
from keeper.screen.kernels import Floats, Ints


@dataclass(frozen=True, slots=True, eq=False)
class Ladder:
    """By step: who is liquidatable, and what they own and owe. Assets by the snapshot's number, 0 for the others."""

    moving: frozenset[Address]
    factors: Floats  # on the moving prices, the first is 1
    accounts: Ints
    collateral: Floats  # by asset and step
    debt: Floats
    turns: "Turns"

    def at(self, step: int) -> tuple[float, float]:
        """Collateral and debt that are liquidatable at a step."""
        return float(self.collateral[:, step].sum()), float(self.debt[:, step].sum())

    def rows(self, step: int) -> set[int]:
        """Who is liquidatable at a step."""
        rows, steps, signs = self.turns
        known: dict[int, int] = {}
        for row, sign in zip(rows[steps <= step].tolist(), signs[steps <= step].tolist(), strict=True):
            known[row] = known.get(row, 0) + sign
        return {row for row, state in known.items() if state}


class Turns(NamedTuple):
    """Accounts that become liquidatable (+1), or are no more (-1), with the step."""

    rows: Ints
    steps: Ints
    signs: Ints


def falls(steps: int, depth: float) -> Floats:
    """Factors from 1 down to 1 - depth."""
    return np.linspace(1.0, 1.0 - depth, steps + 1)


def ladder(snap: Snapshot, moving: Collection[Address], factors: Floats) -> Ladder:
    """Everybody who is liquidatable at each of these falling factors on the moving prices."""
    snap.require_accounts()
    assets = frozenset(moving)
    lines = snap.lines(assets)
    turns = _turns(snap, assets, factors, lines)
    counts = np.bincount(turns.steps, weights=turns.signs, minlength=len(factors))
    collateral, debt = _amounts(snap, assets, factors, lines, turns)
    return Ladder(assets, factors, np.rint(np.cumsum(counts)).astype(np.int64), collateral, debt, turns)


def _turns(snap: Snapshot, assets: frozenset[Address], factors: Floats, lines: Lines) -> Turns:
    """Whoever falls with the prices turns once; of the few others everybody is asked at every step."""
    judge, falling = snap.adapter.liquidatable, lines.moved > 0
    by_step = _due(lines, falling, factors)
    flagged = np.isin(lines.rows, snap.screen.sweep(snap.now))
    others = [*snap.screen.unclear, *lines.rows[flagged & ~falling].tolist()]
    found: list[tuple[int, int, int]] = []
    waiting: list[int] = []
    held: set[int] = set()
    for step, factor in enumerate(factors.tolist()):
        prices = snap.supposed(assets, factor) if factor != 1 else {}  # on the first step nothing is supposed
        waiting += by_step[step].tolist()
        below = set(judge(snap.book, [*waiting, *others], snap.at, prices)) if waiting or others else set[int]()
        found += [(row, step, 1) for row in waiting if row in below]
        waiting = [row for row in waiting if row not in below]
        now = below.intersection(others)
        found += [(row, step, 1) for row in now - held] + [(row, step, -1) for row in held - now]
        held = now
    return Turns(*np.array(sorted(found), np.int64).reshape(-1, 3).T)


def _due(lines: Lines, falling: Mask, factors: Floats) -> list[Ints]:
    """By step, the rows that may turn there: the line is never late."""
    roots = np.nan_to_num(lines.roots[falling], nan=-1.0)
    due = np.searchsorted(-factors, -roots, side="left")
    order = np.argsort(due, kind="stable")
    ends = np.searchsorted(due[order], np.arange(len(factors)), side="right")
    rows = lines.rows[falling][order].astype(np.int64)
    return np.split(rows, ends)[: len(factors)]


def _amounts(
    snap: Snapshot, assets: frozenset[Address], factors: Floats, lines: Lines, turns: Turns
) -> tuple[Floats, Floats]:
    """Collateral and debt by asset and step, summed up over the steps."""
    shape = (len(snap.numbers) + 1, len(factors))
    changes = np.zeros((2, *shape))
    root = np.full(max(len(snap.book), 1), np.nan)
    root[lines.rows] = lines.roots
    moves = np.isin(np.arange(shape[0]), [snap.numbers[asset] for asset in assets if asset in snap.numbers])
    for sign in (1, -1):
        chosen = turns.signs == sign
        step = np.zeros(len(root), np.int64)
        step[turns.rows[chosen]] = turns.steps[chosen]
        held = snap.held(turns.rows[chosen])
        rows = held.rows[held.of]
        turned = np.fmax(np.fmin(root[rows], 1.0), factors[step[rows]])
        worth = held.worth * np.where(moves[held.asset] & (held.worth > 0), turned, 1.0)
        where = held.asset * shape[1] + step[rows]
        for side, part in enumerate((np.maximum(worth, 0), np.maximum(-worth, 0))):
            changes[side] += sign * np.bincount(where, part, minlength=changes[side].size).reshape(shape)
    for row, at, sign in _unlined(snap, turns):
        health = snap.adapter.health(snap.book, row, snap.at)
        if not isinstance(health, Quarantine):
            changes[:, 0, at] += sign * float(health.collateral), sign * float(health.debt)
    return changes[0].cumsum(axis=1), changes[1].cumsum(axis=1)


def _unlined(snap: Snapshot, turns: Turns) -> Iterator[tuple[int, int, int]]:
    """Turns of accounts that are no line: only their totals are known."""
    unclear = snap.screen.unclear
    if unclear:
        chosen = np.isin(turns.rows, unclear)
        yield from zip(*(part[chosen].tolist() for part in turns), strict=True)
