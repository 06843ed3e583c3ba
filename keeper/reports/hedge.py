"""Inventory at risk, and what to do about it.

Laws
- Held: what the executor has in tokens, and what it owns less what it owes in a market, where it took a position over.
- One standard deviation of the price over the holding time is the risk. It is worth hedging when the risk is above the
  limit and the hedge costs less than the risk.
- An intent is said, never acted on.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from keeper.core.units import Address
from keeper.reports.odds import spread
from keeper.reports.snapshot import Snapshot


@dataclass(frozen=True, slots=True)
class Holding:
    """One asset that is held."""

    asset: Address
    amount: float  # in the token's smallest unit; negative: owed
    value: float  # base units
    risk: float
    cost: float  # of hedging it now

    def hedged(self, limit: float) -> bool:
        """Whether to hedge it."""
        return self.risk > limit and self.cost < self.risk


def holdings(
    snap: Snapshot, tokens: Mapping[Address, int], executor: Address | None, sigma: float, seconds: float, fee: float
) -> list[Holding]:
    """Everything that is held, the riskiest first. ``fee``: of a hedge, as a share of its value."""
    amounts = {asset: float(amount) for asset, amount in tokens.items() if amount and asset in snap.assets}
    for asset, value in _inherited(snap, executor).items():
        unit = snap.assets[asset].unit if asset in snap.assets else 1
        amounts[asset] = amounts.get(asset, 0.0) + value * unit / snap.price(asset)
    found = []
    for asset, amount in amounts.items():
        value = amount * snap.price(asset) / snap.assets[asset].unit
        risk = 0.0 if asset in snap.pegged else abs(value) * spread(sigma, seconds)
        found.append(Holding(asset, amount, value, risk, abs(value) * fee))
    return sorted(found, key=lambda one: (-one.risk, one.asset))


def _inherited(snap: Snapshot, executor: Address | None) -> dict[Address, float]:
    """What the executor has in the market itself, by asset, in base units."""
    row = None if executor is None else snap.book.row(executor)
    if row is None:
        return {}
    held, assets = snap.held(np.array([row])), {number: asset for asset, number in snap.numbers.items()}
    found: dict[Address, float] = {}
    for number, worth in zip(held.asset.tolist(), held.worth.tolist(), strict=True):
        if number in assets:
            found[assets[number]] = found.get(assets[number], 0.0) + worth
    return found
