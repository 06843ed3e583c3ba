"""From an account in the book to every liquidation the contracts would accept.

Law: a pair is offered with exactly what the call would read in the block aimed for, or refused with the reason that the
contracts would give, in the order in which they look. Nothing is left out: a refusal is in the list too.
"""

from collections.abc import Iterator, Sequence

from keeper.core.actions import Action
from keeper.core.book import Book
from keeper.core.ports import Quarantine
from keeper.core.refusals import Reason
from keeper.core.units import WAD, ZERO_ADDRESS, Address
from keeper.protocols.compound_v2 import maths
from keeper.protocols.compound_v2.facts import VAI, Parts
from keeper.protocols.compound_v2.pair import LiquidationPair, Seizure
from keeper.protocols.compound_v2.view import VAI_DEBT, Position, Terms, View


def actions(view: View, book: Book, row: int) -> Sequence[Action | Reason]:
    """Every pair of an account that some pair makes liquidatable; nothing for a healthy one."""
    health = view.health(book, row)
    if isinstance(health, Quarantine) or view.parts is None:
        return [Reason.QUARANTINED]
    if health.health_factor >= WAD:
        return []
    return list(_Account(view, view.parts, book, row).pairs())


class _Account:
    """One account while its pairs are listed."""

    def __init__(self, view: View, parts: Parts, book: Book, row: int) -> None:
        self.view, self.parts, self.book, self.row = view, parts, book, row
        self.account = book.account(row)
        self.held = {position.number: position for position in view.positions(book, row)}
        self.vai = view.vai_debt(book, row, accrued=True)

    def pairs(self) -> Iterator[Action | Reason]:
        """One answer a pair."""
        for sums in self.view.pairs(self.book, self.row, list(self.held.values())):
            borrowed, seized = sums.pair or (0, 0)
            forced = borrowed != VAI_DEBT and self.view.forced(self.book, self.row, borrowed)
            if forced or sums.factor < WAD:
                yield self._refusal(borrowed, seized, forced=forced) or self._action(borrowed, seized, forced=forced)

    def _refusal(self, borrowed: int, seized: int, *, forced: bool) -> Reason | None:
        """Why the contracts refuse the pair whatever the amount."""
        parts, collateral = self.parts, self.view.terms[seized]
        if parts.liquidator != ZERO_ADDRESS:
            if self.book.fact("restricted", self.account):
                return Reason.RESTRICTED
            if borrowed != VAI_DEBT and not forced and self._vai_first():
                return Reason.OTHER_DEBT_FIRST
        if parts.paused or collateral.config.seize_paused or self._paused(borrowed):
            return Reason.PAUSED
        if ZERO_ADDRESS in (collateral.listing.underlying, self._debt_asset(borrowed)):
            return Reason.NATIVE
        return None

    def _vai_first(self) -> bool:
        """Venus's Liquidator insists that a large debt in VAI goes first."""
        parts = self.parts
        return parts.vai_first and not parts.vai_paused and self.vai >= parts.min_vai

    def _paused(self, borrowed: int) -> bool:
        if borrowed == VAI_DEBT:
            return self.parts.vai_paused
        config = self.view.terms[borrowed].config
        return config.liquidate_paused or config.repay_paused

    def _debt_asset(self, borrowed: int) -> Address:
        return self.parts.vai if borrowed == VAI_DEBT else self.view.terms[borrowed].listing.underlying

    def _action(self, borrowed: int, seized: int, *, forced: bool) -> LiquidationPair:
        collateral = self.view.terms[seized]
        through = self.parts.liquidator != ZERO_ADDRESS
        contract = self.parts.vai_controller if borrowed == VAI_DEBT else self.view.terms[borrowed].v_token
        return LiquidationPair(
            market=self.parts.liquidator if through else contract,
            account=self.account,
            borrowed=contract,
            collateral_asset=collateral.v_token,
            debt_asset=self._debt_asset(borrowed),
            owed=self._stored(borrowed),
            seizure=self._seizure(borrowed, self.held[seized], collateral, forced=forced),
            cash=max(collateral.accrued.cash - collateral.accrued.reserves, 0),
            liquidator=through,
        )

    def _stored(self, borrowed: int) -> int:
        if borrowed == VAI_DEBT:
            return self.view.vai_debt(self.book, self.row, accrued=False)
        return self.held[borrowed].owed

    def _seizure(self, borrowed: int, position: Position, collateral: Terms, *, forced: bool) -> Seizure:
        pool = self.book.mode(self.row)
        own, core = (self.view.risk(number, collateral.v_token).incentive for number in (pool, 0))
        if borrowed == VAI_DEBT:
            minted = self.book.amount(self.row, VAI)
            past, _ = self.book.annex(self.row, VAI)
            owed, price, incentive, vai = self.vai, WAD, core, (minted, past, self.vai)
        else:
            owed, price, incentive, vai = self.held[borrowed].borrowed, self.view.terms[borrowed].price, own, None
        return Seizure(
            most=owed if forced else self.parts.close_factor * owed // WAD,
            tokens=position.tokens,
            ratio=maths.seize_ratio(incentive, price, collateral.price, collateral.rate_accrued),
            incentive=own,
            treasury_percent=self.parts.treasury_percent if self.parts.liquidator != ZERO_ADDRESS else 0,
            seize_share=collateral.config.seize_share,
            vai=vai,
        )
