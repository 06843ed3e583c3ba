"""Perpetual v2 behind the adapter port: the glue between events, facts, maths and the rest of the keeper.

Law: this page decides nothing; it hands the book to the pages that do. Health here is account value (as
``collateral``) over margin requirement (as ``debt``), both in wei of a dollar.
"""

from collections.abc import Mapping, Sequence
from typing import Final

from keeper.core.actions import Action
from keeper.core.book import Book
from keeper.core.events import Block, Log
from keeper.core.margin import Column, Exposures, Lines, Weights
from keeper.core.outlook import Backing, Liquidated, Receipt, Trigger
from keeper.core.plans import Role
from keeper.core.ports import Health, Inquiry, InquiryOf, Loan, Quarantine, Valued
from keeper.core.refusals import Reason
from keeper.core.triggers import triggers
from keeper.core.units import ZERO_ADDRESS, Address, Timestamp
from keeper.protocols.perp_curie import account, exposure, facts, survey, traders
from keeper.protocols.perp_curie.apply import apply
from keeper.protocols.perp_curie.decode import decode
from keeper.protocols.perp_curie.entry import audit, callees, examine
from keeper.protocols.perp_curie.liquidations import actions
from keeper.protocols.perp_curie.outcomes import outcomes
from keeper.protocols.perp_curie.standing import assets, backing, describe, known_until
from keeper.protocols.perp_curie.view import View, versions

NAME: Final = "perp_curie"


class PerpCurie:
    """One exchange, from the address of its clearing house."""

    def __init__(self, house: Address) -> None:
        self._house = house
        self._view: View | None = None

    @property
    def name(self) -> str:
        return NAME

    @property
    def market(self) -> Address:
        return self._house

    @property
    def fact_types(self) -> Mapping[str, type]:
        return facts.TYPES

    def examine(self) -> InquiryOf[str]:
        return examine(self._house)

    def callees(self) -> InquiryOf[Mapping[Address, Role]]:
        return callees(self._house)

    # listening -----------------------------------------------------------------------------------------------------

    def sources(self, book: Book) -> frozenset[Address]:
        """The contracts of the exchange, its base tokens, their dispatchers, price feeds and pools."""
        parts: facts.Parts | None = book.fact("parts")
        if parts is None:
            return frozenset({self._house})
        contracts = (parts.config, parts.vault, parts.exchange, parts.account_balance, parts.registry)
        found = {self._house, *contracts, parts.collateral_manager}
        for base, listing in book.facts("listing").items():
            found |= {Address(base), listing.pool}
        for feed in book.facts("feed").values():
            found |= {feed.source, feed.dispatcher}
        return frozenset(found - {ZERO_ADDRESS})

    def open(self, book: Book) -> Inquiry:
        return survey.open_market(book, self._house)

    def prepare(self, book: Book, logs: Sequence[Log]) -> Inquiry:
        """New markets and tokens must have their numbers before the logs that follow can be applied."""
        return survey.listed(book, [decode(log) for log in logs])

    def apply(self, book: Book, logs: Sequence[Log], block: Block | None) -> None:
        apply(book, logs, block)

    def survey(self, book: Book) -> Inquiry:
        return survey.survey(book, self._house)

    def refresh(self, book: Book) -> Inquiry:
        return survey.refresh(book, self._house)

    # meaning -------------------------------------------------------------------------------------------------------

    def view(self, book: Book, at: Timestamp) -> View:
        """The exchange at a block time; the last one is kept while nothing moved."""
        view = self._view
        if view is None or view.at != at or view.versions != versions(book):
            view = self._view = View(book, at)
        return view

    def health(self, book: Book, row: int, at: Timestamp) -> Health | Quarantine:
        return account.health(self.view(book, at), book, row)

    def exposures(self, book: Book, row: int) -> Exposures | None:
        return exposure.exposures(book, row)

    def lines(self, book: Book) -> Lines:
        return exposure.lines(book)

    def weights(self, book: Book, at: Timestamp, columns: Sequence[Column]) -> Weights:
        return exposure.weights(self.view(book, at), columns)

    def liquidatable(
        self, book: Book, rows: Sequence[int], at: Timestamp, prices: Mapping[Address, int] | None = None
    ) -> Sequence[int]:
        """A supposed price is a mark price, or that of a token of the margin."""
        view = View(book, at, prices) if prices else self.view(book, at)
        return account.below(view, book, rows)

    def actions(self, book: Book, row: int, at: Timestamp) -> Sequence[Action | Reason]:
        return actions(self.view(book, at), self._house, book, row)

    def triggers(self, book: Book, row: int, at: Timestamp) -> Sequence[Trigger]:
        return list(triggers(self, book, row, at, "funding"))

    def receipts(self, book: Book, at: Timestamp) -> Sequence[Receipt]:
        """None: everything ends in the settlement token."""
        del book, at
        return ()

    def backing(self, book: Book) -> Sequence[Backing]:
        """The insurance fund. There is no deleveraging here: what it cannot cover is not liquidated."""
        return backing(self._now(book), book)

    def outcomes(self, book: Book, logs: Sequence[Log]) -> Sequence[Liquidated]:
        return outcomes(self._house, book.fact("parts"), logs)

    def assets(self, book: Book) -> Mapping[Address, Valued]:
        """The settlement token counts as a dollar; base tokens have their mark price, tokens of the margin theirs."""
        return assets(self._now(book))

    def feeds(self, book: Book) -> Mapping[Address, Address]:
        """The aggregators behind the indexes whose averages are computed."""
        known = book.facts("feed").items()
        return {Address(base): feed.aggregator for base, feed in known if feed.source != ZERO_ADDRESS}

    def lenders(self, book: Book) -> Sequence[Loan]:
        """Nobody lends here."""
        del book
        return ()

    def quarantined(self, book: Book) -> Sequence[Quarantine]:
        return list(self._now(book).missing.values())

    def describe(self, book: Book) -> Mapping[str, object]:
        """What an operator should know: markets, and which prices have to be viewed once a block."""
        return describe(self._now(book), book)

    def _now(self, book: Book) -> View:
        """The exchange at the time that was looked at last, or at the last one that its facts know."""
        return self.view(book, known_until(book) if self._view is None else self._view.at)

    # the chain's own word ------------------------------------------------------------------------------------------

    def audit(self, book: Book, rows: Sequence[int]) -> InquiryOf[Mapping[int, Health | Quarantine]]:
        return audit(book, self._house, rows)

    def reread(self, book: Book, rows: Sequence[int]) -> Inquiry:
        return traders.reread(book, rows)
