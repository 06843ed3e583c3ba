"""Columns and their weights at one time.

Laws
- A column has one code for as long as the screen lives; code 0 is no column.
- A table of weights is never changed: another price is another table. What a table does not know weighs NaN.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from keeper.core.margin import Column, Weights
from keeper.core.units import Address
from keeper.screen.kernels import MIXED, OWED, OWNED, Bytes, Floats

LEAST_CAPACITY: Final = 1024
_FEW: Final = 4  # prices; more are written faster into all weights at once
_NOBODY: Final = np.zeros(0, np.intp)


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
class Assets:
    """Which column has which asset's price."""

    by_code: tuple[Address, ...]  # of code 1, 2, …
    numbers: Mapping[Address, int]  # 1, 2, …
    members: Mapping[Address, NDArray[np.intp]]  # codes
    of: NDArray[np.intp]  # number by code; 0 for none

    @classmethod
    def read(cls, by_code: tuple[Address, ...], capacity: int) -> "Assets":
        """What follows from the assets of all columns."""
        numbers = {asset: number for number, asset in enumerate(dict.fromkeys(by_code), start=1)}
        of = np.zeros(capacity, np.intp)
        of[1 : len(by_code) + 1] = [numbers[asset] for asset in by_code]
        members = {asset: np.flatnonzero(of == number) for asset, number in numbers.items()}
        return cls(by_code, numbers, members, of)


@dataclass(frozen=True, slots=True, eq=False)
class Table:
    """Weights by code, and what they are made of."""

    weights: Floats
    factors: Floats
    assets: Assets
    prices: Mapping[Address, int]
    levels: Floats  # the price by number of the asset, 1 where there is none
    slack: float

    def repriced(self, prices: Mapping[Address, int]) -> "Table":
        """The same moment with other prices."""
        levels, numbers = self.levels.copy(), self.assets.numbers
        for asset, price in prices.items():
            if price <= 0:
                raise ValueError(f"a price of {price} for {asset}: the oracle would not answer so")
            levels[numbers.get(asset, 0)] = price
        levels[0] = 1.0
        if len(prices) > _FEW:
            weights = self.factors * levels[self.assets.of]
        else:
            weights = self.weights.copy()
            for asset in prices:
                codes = self.assets.members.get(asset, _NOBODY)
                weights[codes] = self.factors[codes] * levels[numbers.get(asset, 0)]
        return Table(weights, self.factors, self.assets, {**self.prices, **prices}, levels, self.slack)


def table(found: Weights, capacity: int, last: Table | None = None) -> Table:
    """What an adapter said of all columns, as a table. The last one lends what has not changed."""
    factors = np.full(capacity, np.nan)
    factors[0] = 0.0
    factors[1 : len(found.factors) + 1] = found.factors
    by_code = tuple(found.assets)
    kept = last is not None and len(last.assets.of) == capacity and last.assets.by_code == by_code
    assets = last.assets if last is not None and kept else Assets.read(by_code, capacity)
    levels = np.array([1.0, *(found.prices.get(asset, 1) for asset in assets.numbers)], np.float64)
    return Table(factors * levels[assets.of], factors, assets, dict(found.prices), levels, found.slack)
