"""A small Compound v2 market with everything that makes health awkward, and accounts placed on its very edge.

Law: about half of the accounts are liquidatable by one unit of one debt, the others would be with a little more. A pure
function of its seed.
"""

import random
from collections.abc import Iterator
from typing import Final

from keeper.core.book import Book
from keeper.core.ports import Health
from keeper.core.units import MAX_U128, WAD, Address, Timestamp
from keeper.protocols.compound_v2 import facts
from keeper.protocols.compound_v2.view import View

NOW: Final = Timestamp(1_750_000_000)
NEXT: Final = Timestamp(NOW + 12)
BLOCK: Final = 50_000_000
DECIMALS: Final = (18, 6, 8, 18, 9, 0, 2, 18, 12, 6)  # by market
_PART: Final = Address("0x" + "90" * 20)
_RISKY: Final = (0, 1, 3, 7)  # members of pool 1


class Edge:
    """A market, and accounts on its edge in the block at ``NEXT``."""

    def __init__(self, seed: str) -> None:
        self.book = Book()
        self.rng = random.Random(seed)
        self.book.learn("market", "", _parts())
        self.book.learn("clock", "", facts.Clock(BLOCK, NOW))
        self.book.learn("vai", "", facts.Stablecoin(self.rng.randint(WAD, 3 * WAD), 10**9, BLOCK - 77))
        self.book.learn("pool", "1", facts.Pool(active=True, fallback=self.rng.random() < 0.5))
        for number, decimals in enumerate(DECIMALS):
            self._list(number, decimals)
        self.view = View(self.book, NEXT)

    def _list(self, number: int, decimals: int) -> None:
        rng, v_token = self.rng, f"0x{0xC0 << 32 | number:040x}"
        underlying = Address(f"0x{0xA5 << 32 | number:040x}")
        config = facts.Config(
            listed=True, seize_paused=False, liquidate_paused=False, repay_paused=False, forced=False, seize_share=0
        )
        supply, borrows = rng.randint(10**14, 10**20), rng.randint(10**10, 10**24)
        accrual = facts.Accrual(
            index=WAD + rng.choice([0, 1, rng.randint(0, WAD), rng.randint(0, 9 * WAD)]),
            borrows=borrows, reserves=borrows // 50, supply=supply, cash=rng.randint(10**9, 10**24),
            rate=rng.randint(0, 5 * 10**11), reserve_factor=WAD // 5, at=BLOCK - rng.choice([0, 1, 400, 90_000]),
        )  # fmt: skip
        self.book.learn("listing", v_token, facts.Listing(number, underlying, decimals))
        self.book.learn("config", v_token, config)
        self.book.learn("accrual", v_token, accrual)
        self.book.learn("price", v_token, int(10 ** rng.uniform(13, 23)) * 10 ** (18 - decimals) + rng.randint(0, 9))
        self.book.learn("risk", f"0:{v_token}", facts.Risk(rng.choice([0, 1, rng.randint(1, WAD), 8 * WAD // 10]), WAD))
        if number in _RISKY:
            self.book.learn("risk", f"1:{v_token}", facts.Risk(93 * WAD // 100, WAD))

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
        rng = self.rng
        owned = rng.sample(range(len(DECIMALS)), rng.choice([1, 1, 2, 3, 5]))
        owed = rng.sample(range(len(DECIMALS)), rng.choice([1, 1, 2, 3]))
        self.book.mark(row, sum(1 << number for number in {*owned, *owed}), rng.choice([0, 0, 1]))
        size = 10 ** rng.uniform(10, 26)  # of a collateral, in 1e-18 dollars
        for number in owned:
            terms = self.view.terms[number]
            worth = terms.price * terms.rate // WAD  # of 1e18 vTokens
            self.book.set_amount(row, number << 2, max(1, int(size * rng.uniform(0.1, 1) * WAD / max(worth, 1))))
        if rng.random() < 0.3:
            minted = int(size * rng.uniform(0, 0.2)) + 1
            self.book.set_amount(row, facts.VAI, minted, (minted // 9, rng.randint(WAD, self.view.vai_index)))
        for number in owed[1:]:
            self._owe(row, number, int(size * rng.uniform(0, 0.2) * WAD / self.view.terms[number].price))
        return self._tip(row, owed[0])

    def _owe(self, row: int, number: int, principal: int) -> None:
        index = self.rng.randint(WAD, self.view.terms[number].stored.index) if principal else 0
        self.book.set_amount(row, number << 2 | facts.DEBT, principal, (index,) if principal else ())

    def _tip(self, row: int, number: int) -> bool:
        """The smallest debt with which it is below, or one unit less."""
        column, index = number << 2 | facts.DEBT, self.rng.randint(WAD, self.view.terms[number].stored.index)

        def below(principal: int) -> bool:
            self.book.set_amount(row, column, principal, (index,) if principal else ())
            health = self.view.health(self.book, row)
            assert isinstance(health, Health)
            return health.health_factor < WAD

        if below(0):
            return False
        high = 1
        while not below(high):
            high *= 2
            if high > MAX_U128 // 2:
                return False
        low = high // 2
        while high - low > 1:
            middle = (low + high) // 2
            low, high = (low, middle) if below(middle) else (middle, high)
        below(high - self.rng.randint(0, 1))
        return True


def _parts() -> facts.Parts:
    return facts.Parts(
        oracle=_PART, liquidator=_PART, vai_controller=_PART, vai=_PART, close_factor=WAD // 2, incentive=0,
        redeem_fee=0, paused=False, treasury_percent=WAD // 2, min_vai=0, vai_first=False, vai_paused=False,
        skips_empty=True, seconds=False, pace=3000,
    )  # fmt: skip
