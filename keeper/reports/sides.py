"""What an account is: long, short or a carry; how far it is geared; whether liquidating it helps.

Laws
- Values are in base units at the snapshot's prices; what is owned counts without its risk weight.
- Liquidating improves a loan-to-value only below 1 / ((1 + bonus) * lambda), lambda = 1 + 2 s / x, with s the
  collateral that stays and x what the pool holds of it: beyond, a sale costs the rest more than it repays.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import inf
from typing import Final

import numpy as np

from keeper.core.units import BPS, Address, Bps
from keeper.estimator.twostep import TwoStep, two_step
from keeper.reports.snapshot import Held, Mask, Snapshot
from keeper.reports.stress import depths
from keeper.screen.kernels import Floats, Ints

TOP: Final = 10
MOSTLY: Final = 0.5


@dataclass(frozen=True, slots=True, eq=False)
class Exposure:
    """One account."""

    row: int
    collateral: float
    debt: float
    label: str  # long, short, carry, stable
    net: dict[Address, float]  # by asset, what a price of it moves
    health: float

    @property
    def leverage(self) -> float:
        """What is held for a unit of one's own."""
        return self.collateral / (self.collateral - self.debt) if self.collateral > self.debt else inf


@dataclass(frozen=True, slots=True, eq=False)
class Exposures:
    """All accounts, the largest debt first, and what they are together."""

    accounts: Sequence[Exposure]
    owned: dict[Address, float]
    owed: dict[Address, float]

    @property
    def concentration(self) -> float:
        """The share of all debt that the largest ten owe."""
        debts = [one.debt for one in self.accounts]
        return sum(debts[:TOP]) / sum(debts) if debts else 0.0


def exposures(snap: Snapshot) -> Exposures:
    """Everybody on the screen."""
    snap.require_accounts()
    held, assets = snap.held(), {number: asset for asset, number in snap.numbers.items()}
    loose = {snap.numbers[asset] for asset in snap.loose}
    moves = np.isin(held.asset, list(loose))
    owned, owed = held.sums(held.worth > 0), -held.sums(held.worth < 0)
    shares = [_share(held, side, moves) for side in (held.worth > 0, held.worth < 0)]
    health = held.sums(held.weighed > 0, weighed=True) / np.maximum(-held.sums(held.weighed < 0, weighed=True), 1e-30)
    nets = _nets(held, assets)
    order = np.argsort(-owed, kind="stable").tolist()
    accounts = [
        Exposure(
            int(held.rows[at]), float(owned[at]), float(owed[at]), label(float(shares[0][at]), float(shares[1][at])),
            nets.get(at, {}), float(health[at]),
        )
        for at in order
    ]  # fmt: skip
    totals = [np.bincount(held.asset, np.maximum(sign * held.worth, 0), len(assets) + 1) for sign in (1, -1)]
    sums = [{assets[at]: float(total[at]) for at in range(1, len(total)) if total[at]} for total in totals]
    return Exposures(accounts, sums[0], sums[1])


def _share(held: Held, side: Mask, moves: Mask) -> Floats:
    """Per account, how much of one side is in what moves."""
    whole = np.abs(held.sums(side))
    return np.abs(held.sums(side & moves)) / np.maximum(whole, 1e-30)


def _nets(held: Held, assets: dict[int, Address]) -> dict[int, dict[Address, float]]:
    found: dict[int, dict[Address, float]] = {}
    for of, asset, worth in zip(held.of.tolist(), held.asset.tolist(), held.worth.tolist(), strict=True):
        if asset:
            mine = found.setdefault(of, {})
            mine[assets[asset]] = mine.get(assets[asset], 0.0) + worth
    return found


def label(owned: float, owed: float) -> str:
    """By how much of each side moves with prices."""
    if owned >= MOSTLY:
        return "carry" if owed >= MOSTLY else "long"
    return "short" if owed >= MOSTLY else "stable"


# toxicity ------------------------------------------------------------------------------------------------------------


def toxic_bound(remaining: float, reserve: float, bonus: float) -> float:
    """The loan-to-value from which on liquidations make an account worse; without a pool they always do."""
    return 1 / ((1 + bonus) * (1 + 2 * remaining / reserve)) if reserve > 0 else 0.0


@dataclass(frozen=True, slots=True, eq=False)
class Toxicity:
    """One account and what liquidating it does."""

    row: int
    asset: Address  # its largest collateral
    collateral: float
    debt: float
    health: float
    bound: float
    bad_debt: float  # what nothing pays for when all of it is sold at once
    steps: TwoStep

    @property
    def ltv(self) -> float:
        return self.debt / self.collateral if self.collateral else inf

    @property
    def toxic(self) -> bool:
        """Liquidating makes it worse."""
        return self.ltv >= self.bound


def toxicities(snap: Snapshot, bonus: float, below: float) -> list[Toxicity]:
    """Accounts with a health below a limit, the most toxic first."""
    snap.require_accounts()
    held, assets = snap.held(), {number: asset for asset, number in snap.numbers.items()}
    reserves = depths(snap, snap.pools())
    owned, owed = held.sums(held.worth > 0), -held.sums(held.worth < 0)
    health = held.sums(held.weighed > 0, weighed=True) / np.maximum(-held.sums(held.weighed < 0, weighed=True), 1e-30)
    near = np.flatnonzero(health < below)
    main = _largest(held, near)
    found = []
    for at in near.tolist():
        asset, worth, parts = main[at]
        brings = sum(amount * _brings(amount, float(reserves[number])) for number, amount in parts)
        debt = float(owed[at])
        steps = _steps(float(owned[at]), debt, float(health[at]), bonus)
        found.append(
            Toxicity(
                int(held.rows[at]), assets.get(asset, Address("")), float(owned[at]), debt, float(health[at]),
                toxic_bound(worth, float(reserves[asset]), bonus), max(debt - brings, 0.0), steps,
            )
        )  # fmt: skip
    return sorted(found, key=lambda one: (not one.toxic, -one.bad_debt, one.health))


def _largest(held: Held, near: Ints) -> dict[int, tuple[int, float, list[tuple[int, float]]]]:
    """Of some accounts, the number and worth of the largest collateral, and all of them."""
    found: dict[int, tuple[int, float, list[tuple[int, float]]]] = {at: (0, 0.0, []) for at in near.tolist()}
    chosen = np.isin(held.of, near) & (held.worth > 0)
    for of, asset, worth in zip(*(part[chosen].tolist() for part in held[:3]), strict=True):
        number, most, parts = found[of]
        parts.append((asset, worth))
        found[of] = (asset, worth, parts) if worth > most else (number, most, parts)
    return found


def _brings(amount: float, reserve: float) -> float:
    """What a sale of it all brings, as a share, in one constant product."""
    return reserve / (reserve + amount) if reserve > 0 else 0.0


def _steps(collateral: float, debt: float, health: float, bonus: float) -> TwoStep:
    """What liquidating twice in one transaction would repay, at the account's own mean threshold."""
    threshold = round(health * debt / collateral * BPS) if collateral else 0
    return two_step(round(debt), round(collateral), Bps(threshold), Bps(round((1 + bonus) * BPS)))
