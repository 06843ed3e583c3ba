"""A small market of any release with everything that makes health awkward, and accounts placed on its very edge.

Law: half of the accounts are liquidatable by one unit of one debt, the others would be with one more. A pure function
of its seed.
"""

import random
from collections.abc import Iterator
from typing import Final

from keeper.core.book import Book
from keeper.core.units import BPS, MAX_U128, RAY, WAD, ZERO_ADDRESS, Address, Timestamp
from keeper.protocols.aave_v3 import facts
from keeper.protocols.aave_v3.health import Rates
from keeper.protocols.aave_v3.profiles import PROFILES
from keeper.protocols.aave_v3.view import View

NOW: Final = Timestamp(1_750_000_000)
DECIMALS: Final = (18, 6, 8, 18, 24, 0, 2, 18, 12, 18, 6, 8)  # by reserve
MEMBERS: Final = {1: (0, 3, 5, 7), 2: (1, 4, 8), 3: (2, 6, 9, 10)}  # of e-modes
_NO_THRESHOLD: Final = 7  # this reserve has none of its own, though its e-mode has
_PRICED: Final = 2  # this e-mode has a price of its own, up to 3.1
_POOL: Final = Address("0x" + "90" * 20)
_SOURCE: Final = Address("0x" + "50" * 20)
_NONE: Final = ZERO_ADDRESS


class Edge:
    """A market, and the accounts on its edge at ``NOW``."""

    def __init__(self, version: str, seed: str) -> None:
        self.book = Book()
        self.profile = PROFILES[version]
        self._rng = random.Random(seed)  # noqa: S311 - drawn from a seed
        parts = facts.MarketParts(_POOL, _NONE, _NONE, _NONE, _NONE, _NONE, 10**8, 5)
        for kind, key, value in (("market", "", parts), ("impl", _POOL, "0x01"), ("code", "0x01", version)):
            self.book.learn(kind, key, value)
        for number, decimals in enumerate(DECIMALS):
            self._list(number, decimals)
        for mode, held in MEMBERS.items():
            self._found(mode, held)
        self.view = View(self.book, NOW)

    def _list(self, number: int, decimals: int) -> None:
        """A reserve of any threshold, index, rate and price."""
        rng, asset = self._rng, f"0x{0xA5 << 32 | number:040x}"
        category = 0 if self.profile.bitmap_emodes else next((m for m, held in MEMBERS.items() if number in held), 0)
        threshold = 0 if number == _NO_THRESHOLD else rng.choice([1, 4000, rng.randint(1, 9800), 8250])
        tokens = [Address(f"0x{number << 4 | side:040x}") for side in (1, 2)]
        low, high = sorted(RAY + rng.choice([0, 1, rng.randint(0, RAY), rng.randint(0, 4 * RAY)]) for _ in range(2))
        updated = NOW - rng.choice([0, 1, 12, 86_400])
        self.book.learn("listing", asset, facts.Listing(number, tokens[0], tokens[1], _NONE, decimals))
        self.book.learn("config", asset, threshold << 16 | 10_500 << 32 | decimals << 48 | 1 << 56 | category << 168)
        self.book.learn("rates", asset, Rates(low, high, rng.randint(0, RAY // 3), rng.randint(0, RAY), updated))
        self.book.learn("price", asset, int(10 ** rng.uniform(4, 13)))

    def _found(self, mode: int, held: tuple[int, ...]) -> None:
        """An e-mode."""
        priced = mode == _PRICED and not self.profile.bitmap_emodes
        bitmap = sum(1 << number for number in held) if self.profile.bitmap_emodes else 0
        emode = facts.EMode(self._rng.randint(9000, 9900), 10_100, _SOURCE if priced else _NONE, bitmap)
        self.book.learn("emode", str(mode), emode)
        if priced:
            self.book.learn("price", _SOURCE, int(10 ** self._rng.uniform(4, 13)))

    def accounts(self, count: int) -> Iterator[int]:
        """Rows of so many accounts on the edge."""
        number = 0
        while count:
            number += 1
            row = self.book.open(Address(f"0x{number:040x}"))
            if self._place(row):
                count -= 1
                yield row
            else:
                for column, _ in list(self.book.positions(row)):
                    self.book.set_amount(row, column, 0)
                self.book.mark(row, 0, 0)

    def _place(self, row: int) -> bool:
        """Collaterals and debts for an empty account, if what was drawn can be on the edge."""
        rng = self._rng
        mode = rng.choice([0, 0, 0, 1, 2, 3])
        owned = rng.sample(range(len(DECIMALS)), rng.choice([1, 1, 2, 2, 3, 5]))
        owed = rng.sample(range(len(DECIMALS)), rng.choice([1, 1, 2, 3]))
        self.book.mark(row, sum(1 << number for number in owned), mode)
        size = 10 ** rng.uniform(2, 18)  # of a collateral, in base units
        total = weighted = 0
        for number in owned:
            price, unit = self.view.price(mode, number), self.view.terms[number].unit
            scaled = min(MAX_U128, max(1, int(size * rng.uniform(0.1, 1) * unit / price)))
            self.book.set_amount(row, number << 2 | facts.COLLATERAL, scaled)
            value = self._owned(mode, number, scaled)
            total, weighted = total + value, weighted + value * self.view.threshold(mode, number)
        room = self._most_debt(total, weighted)
        for number in owed[1:]:
            part = min(MAX_U128, self._least_over(mode, number, int(room * rng.uniform(0, 0.5))) - 1)
            self.book.set_amount(row, number << 2 | facts.DEBT, part)
            room -= self._owed(mode, number, part)
        last = self._least_over(mode, owed[0], room) - rng.randint(0, 1)
        if not 0 < last <= MAX_U128:
            return False
        self.book.set_amount(row, owed[0] << 2 | facts.DEBT, last)
        return True

    def _owned(self, mode: int, number: int, scaled: int) -> int:
        """Base value of a collateral, as far as it counts."""
        terms = self.view.terms[number]
        balance = self.profile.collateral_balance(scaled, terms.liquidity_index)
        counts = self.profile.counts_zero_threshold or bool(terms.config.threshold)
        return balance * self.view.price(mode, number) // terms.unit * counts

    def _owed(self, mode: int, number: int, scaled: int) -> int:
        """Base value of a debt."""
        terms, profile = self.view.terms[number], self.profile
        balance = profile.debt_balance(scaled, terms.borrow_index)
        return profile.debt_value(balance, self.view.price(mode, number), terms.unit)

    def _most_debt(self, total: int, weighted: int) -> int:
        """The largest debt with which such collateral is at 1 or above: half a unit of the quotient rounds up."""
        if self.profile.threshold_floored:
            capacity = (total * (weighted // total if total else 0) + BPS // 2) // BPS
            near = 2 * WAD * capacity // (2 * WAD - 1)
            return max(debt for debt in range(near - 2, near + 3) if capacity * WAD + debt // 2 >= debt * WAD)
        near = 2 * WAD * weighted // (2 * WAD * BPS - 1)
        return max(debt for debt in range(near - 2, near + 3) if weighted * WAD + debt // 2 >= debt * WAD * BPS)

    def _least_over(self, mode: int, number: int, value: int) -> int:
        """The smallest scaled debt that is worth more."""
        terms = self.view.terms[number]
        low = value * terms.unit * RAY // (self.view.price(mode, number) * terms.borrow_index)
        high, step = low + 1, 1
        while low > 0 and self._owed(mode, number, low) > value:
            low, step = max(low - step, 0), step * 2
        step = 1
        while self._owed(mode, number, high) <= value:
            high, step = high + step, step * 2
        while high - low > 1:
            middle = (low + high) // 2
            low, high = (middle, high) if self._owed(mode, number, middle) <= value else (low, middle)
        return high
