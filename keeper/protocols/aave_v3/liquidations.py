"""From an account in the book to every liquidation the pool would accept.

Law: a pair is offered with exactly what the call would read at that time, or refused with the reason the pool would
give. Nothing is left out: a refusal is in the list too.
"""

from collections.abc import Iterator, Sequence

from keeper.core.actions import Action
from keeper.core.book import Book
from keeper.core.ports import Quarantine
from keeper.core.refusals import Reason
from keeper.core.units import WAD, Address, Timestamp
from keeper.protocols.aave_v3.facts import COLLATERAL, DEBT, STABLE, Listing
from keeper.protocols.aave_v3.maths import stable_debt
from keeper.protocols.aave_v3.pair import Gate, LiquidationPair, blocked
from keeper.protocols.aave_v3.profiles import Profile
from keeper.protocols.aave_v3.seizure import LiquidationTerms, collateral_balance
from keeper.protocols.aave_v3.view import View


def actions(view: View, book: Book, row: int) -> Sequence[Action | Reason]:
    """Every (collateral, debt) pair of an account below 1; nothing for a healthy one."""
    health = view.health(book, row)
    if isinstance(health, Quarantine):
        return [Reason.QUARANTINED]
    if health.health_factor >= WAD or view.profile is None:
        return []
    return list(_Account(view, view.profile, book, row).pairs())


class _Account:
    """One account while its pairs are listed."""

    def __init__(self, view: View, profile: Profile, book: Book, row: int) -> None:
        self.view, self.profile, self.book, self.row = view, profile, book, row
        self.account = book.account(row)
        self.flags, self.mode = book.flags(row), book.mode(row)
        self.totals = view.account(book, row)
        self.pool = Address(book.fact("market").pool)
        self.listings: dict[int, Listing] = {entry.id: entry for entry in book.facts("listing").values()}

    def pairs(self) -> Iterator[Action | Reason]:
        """Collaterals times debts."""
        held = dict(self.book.positions(self.row))
        numbers = sorted({column >> 2 for column in held})
        debts = [
            n for n in numbers if held.get(n << 2 | DEBT) or (self.profile.stable_debt and held.get(n << 2 | STABLE))
        ]
        for collateral in (n for n in numbers if held.get(n << 2 | COLLATERAL) and self._seizable(n)):
            for debt in debts:
                yield from self._pair(held, collateral, debt)

    def _seizable(self, number: int) -> bool:
        """Enabled, and up to 3.5 with a threshold of its own."""
        threshold = self.view.terms[number].config.threshold
        return bool(self.flags >> number & 1) and (self.profile.counts_zero_threshold or bool(threshold))

    def _pair(self, held: dict[int, int], collateral: int, debt: int) -> Iterator[Action | Reason]:
        reason = blocked(
            self.profile,
            self._gate(collateral),
            self._gate(debt),
            health_factor=self.totals.health_factor,
            sentinel_allows=self.book.fact("allowed") is not False,
            own_account=False,
            at=self.view.at,
        )
        if reason is not None:
            yield reason
            return
        terms = self._terms(held, collateral, debt)
        if terms.liquidity > 0:
            yield self._action(terms, collateral, debt, wrapped=False)
        if terms.liquidity < collateral_balance(self.profile, terms):
            yield self._action(terms, collateral, debt, wrapped=True)

    def _gate(self, number: int) -> Gate:
        terms = self.view.terms[number]
        grace = self.book.fact("grace", terms.asset) or 0
        return Gate(terms.config.active, terms.config.paused, Timestamp(grace))

    def _terms(self, held: dict[int, int], collateral: int, debt: int) -> LiquidationTerms:
        seized, owed = self.view.terms[collateral], self.view.terms[debt]
        return LiquidationTerms(
            collateral_scaled=held[collateral << 2 | COLLATERAL],
            collateral_index=seized.liquidity_index,
            collateral_price=self.view.seizure_price(self.mode, collateral),
            collateral_unit=seized.unit,
            bonus=self.view.bonus(self.mode, collateral),
            protocol_fee=seized.config.protocol_fee,
            debt_scaled=held.get(debt << 2 | DEBT, 0),
            debt_index=owed.borrow_index,
            debt_price=self.view.repay_price(self.mode, debt),
            debt_unit=owed.unit,
            total_collateral=self.totals.collateral,
            total_debt=self.totals.debt,
            health_factor=self.totals.health_factor,
            liquidity=self.book.fact("liquidity", seized.asset) or 0,
            stable_debt=self._stable(debt),
        )

    def _stable(self, debt: int) -> int:
        column = debt << 2 | STABLE
        principal = self.book.amount(self.row, column)
        if not principal or not self.profile.stable_debt:
            return 0
        rate, updated = self.book.annex(self.row, column)
        return stable_debt(principal, rate, self.view.at - updated)

    def _action(self, terms: LiquidationTerms, collateral: int, debt: int, *, wrapped: bool) -> LiquidationPair:
        return LiquidationPair(
            market=self.pool,
            account=self.account,
            collateral_asset=Address(self.view.terms[collateral].asset),
            debt_asset=Address(self.view.terms[debt].asset),
            debt_token=self.listings[debt].debt_token,
            profile=self.profile,
            terms=terms,
            receive_wrapped=wrapped,
        )
