"""Confirming by the hundred: positions and factors as arrays for the compiled judge.

Law: who is in neither answer is healthy. What the judge refuses, or cannot be written as numbers of 128 bits, is handed
back to be asked one by one.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from keeper.core.book import Book
from keeper.core.holdings import memory
from keeper.core.units import MAX_U128, RAY, Address
from keeper.protocols.aave_v3.judge import (
    ASK,
    BELOW,
    COLUMNS,
    MODES,
    PRICE,
    REFUSED,
    UNIT_SHIFT,
    UNSEEN,
    Ints,
    States,
    Words,
    judge,
    reciprocal,
    words,
)

_WORD: Final = 2**64 - 1
Floats = NDArray[np.float64]
MODE: Final = 16  # a key is mode << 16 | column


class Factors(NamedTuple):
    """Balance: (amount * ray + balance_up) // RAY. Value: balance * price // unit, with debt_up added for a debt."""

    owed: bool
    ray: int  # the index
    balance_up: int
    asset: Address  # whose price it is
    price: int
    debt_up: int
    unit: int
    threshold: int


class Bulk:
    """Arrays of one view's factors, as far as they were needed."""

    def __init__(self, factors: Callable[[int], Factors | None], *, floored: bool) -> None:
        self._factors = factors
        self._floored = floored
        self._numbers = np.full(MODES * COLUMNS, UNSEEN, np.int32)
        self._kinds: list[tuple[int, int, int]] = []
        self._balances: list[tuple[int, ...]] = []
        self._values: list[tuple[int, ...]] = []
        self._valued: dict[tuple[Address, int, int], int] = {}  # asset, price, unit: number of the value
        self._arrays: tuple[Ints, Words, Words] | None = None  # of the three lists

    def below(self, book: Book, rows: Sequence[int], prices: Mapping[Address, int]) -> tuple[Ints, Floats, list[int]]:
        """The accounts below 1, about how much they owe, and the accounts to be asked."""
        asked = np.asarray(rows, np.int64)
        if asked.max() >= len(book):
            raise IndexError(f"row {asked.max()} of a book with {len(book)}")
        debts, states = np.empty((len(asked), 2), np.uint64), np.empty(len(asked), np.uint8)
        if self._judge(book, asked, prices, debts, states):
            self._learn(book, asked)
            self._judge(book, asked, prices, debts, states)
        low = states == BELOW
        return asked[low], debts[low, 0] + debts[low, 1] * 2.0**64, asked[states == ASK].tolist()

    def _judge(self, book: Book, rows: Ints, prices: Mapping[Address, int], debts: Words, states: States) -> int:
        """How many columns have no number yet."""
        return judge(
            rows, *memory(book), self._numbers, *self._tables(prices), self._floored, debts, states,
        )  # fmt: skip

    def _learn(self, book: Book, rows: Ints) -> None:
        """Give every column of some accounts a number."""
        for row in rows.tolist():
            mode = book.mode(row)
            for column, _ in book.positions(row):
                at = mode * COLUMNS + column
                if mode < MODES and column < COLUMNS and self._numbers[at] == UNSEEN:
                    self._numbers[at] = self._number(mode << MODE | column)

    def _number(self, key: int) -> int:
        """The number of a new column."""
        factors = self._factors(key)
        by_ray = None if factors is None else reciprocal(factors.ray, RAY)
        by_unit = None if factors is None else reciprocal(1, factors.unit)
        if factors is None or by_ray is None or by_unit is None or factors.price > MAX_U128:
            return REFUSED
        number = self._valued.setdefault((factors.asset, factors.price, factors.unit), len(self._valued))
        if number == len(self._values):
            rest = (*words(factors.unit), *words(by_unit[0]), by_unit[1], *words(factors.debt_up))
            self._values.append((*words(factors.price), *rest))
        self._arrays = None
        self._kinds.append((factors.owed, number, factors.threshold))
        self._balances.append((*words(factors.ray), *words(by_ray[0]), by_ray[1], *words(factors.balance_up)))
        return len(self._kinds) - 1

    def _tables(self, prices: Mapping[Address, int]) -> tuple[Ints, Words, Words]:
        """Kinds, balances and values of all columns so far, with these prices."""
        if self._arrays is None:
            kinds = np.array(self._kinds, np.int64).reshape(-1, 3)
            balances = np.array(self._balances, np.uint64).reshape(-1, 7)
            self._arrays = kinds, balances, np.array(self._values, np.uint64).reshape(-1, 9)
        kinds, balances, values = self._arrays
        if prices:
            now = [prices.get(asset, price) for asset, price, _ in self._valued]
            values = values.copy()
            values[:, PRICE] = [price & _WORD for price in now]
            values[:, PRICE + 1] = [min(price >> 64, _WORD) for price in now]
            if max(now, default=0) > MAX_U128:  # nothing fits these: who needs them is asked
                values[[price > MAX_U128 for price in now], UNIT_SHIFT] = 0
        return kinds, balances, values
