"""Columns and their weights at one time.

Laws
- A column has one code for as long as the screen lives; code 0 is no column.
- A table of weights is never changed: another price is another table. What a table does not know weighs NaN.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from keeper.core.margin import Column, Weights
from keeper.core.units import Address
from keeper.screen.kernels import MIXED, OWED, OWNED, Bytes, Floats

LEAST_CAPACITY: Final = 1024


class Columns:
    """The codes of an adapter's columns, in order of appearance."""

    def __init__(self) -> None:
        self.keys: list[Column] = []
        self.sides: Bytes = np.zeros(LEAST_CAPACITY, np.uint8)
        self._codes: dict[Column, int] = {}

    @property
    def capacity(self) -> int:
        """How long a table of weights has to be."""
        return len(self.sides)

    def code(self, column: Column, amount: int) -> int | None:
        """The code of a column held on the amount's side; ``None`` when there are no more codes."""
        code = self._codes.get(column)
        if code is None:
            code = len(self.keys) + 1
            if code >= MIXED:
                return None
            self._codes[column] = code
            self.keys.append(column)
            if code == self.capacity:
                self.sides = np.concatenate([self.sides, np.zeros(self.capacity, np.uint8)])
        self.sides[code] |= OWNED if amount > 0 else OWED
        return code

    def known(self, column: Column) -> int:
        """The code of a column, 0 when it has none."""
        return self._codes.get(column, 0)


@dataclass(frozen=True, slots=True, eq=False)
class Table:
    """Weights by code."""

    weights: Floats
    factors: Floats
    assets: tuple[Address, ...]  # by code less one
    members: Mapping[Address, NDArray[np.intp]]  # codes by asset
    prices: Mapping[Address, int]
    slack: float

    def repriced(self, prices: Mapping[Address, int]) -> "Table":
        """The same moment with other prices."""
        weights = self.weights.copy()
        for asset, price in prices.items():
            if price <= 0:
                raise ValueError(f"a price of {price} for {asset}: the oracle would not answer so")
            codes = self.members.get(asset)
            if codes is not None:
                weights[codes] = self.factors[codes] * price
        return replace(self, weights=weights, prices={**self.prices, **prices})


def table(found: Weights, capacity: int, last: Table | None = None) -> Table:
    """What an adapter said of all columns, as a table. The last one lends what has not changed."""
    factors = np.full(capacity, np.nan)
    factors[0] = 0.0
    factors[1 : len(found.factors) + 1] = found.factors
    assets = tuple(found.assets)
    if last is not None and assets == last.assets:
        assets, members = last.assets, last.members
    else:
        members = _members(assets)
    weights = factors.copy()
    for asset, codes in members.items():
        if asset in found.prices:
            weights[codes] *= found.prices[asset]
    return Table(weights, factors, assets, members, dict(found.prices), found.slack)


def _members(assets: Sequence[Address]) -> dict[Address, NDArray[np.intp]]:
    codes: dict[Address, list[int]] = {}
    for code, asset in enumerate(assets, start=1):
        codes.setdefault(asset, []).append(code)
    return {asset: np.array(found, np.intp) for asset, found in codes.items()}
