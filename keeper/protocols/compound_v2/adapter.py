"""Compound v2 behind the adapter port: the glue between events, facts, maths and the rest of the keeper.

Law: this page decides nothing; it hands the book to the pages that do.

Health: collateral is weighted by liquidation thresholds (collateral factors, where there are none), debt is not; both
are in 1e-18 dollars, and the health is their quotient. At the time of the book's block it is the comptroller's own
view; at a later time it is what a liquidation would see (``view``).
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from keeper.core.actions import Action
from keeper.core.book import Book
from keeper.core.events import Block, Log
from keeper.core.margin import Column, Exposures, Lines, Weights
from keeper.core.outlook import Backing, Liquidated, Receipt, Trigger
from keeper.core.plans import Role, VenueKind
from keeper.core.ports import Health, Inquiry, InquiryOf, Loan, Quarantine, Valued
from keeper.core.refusals import Reason
from keeper.core.triggers import triggers
from keeper.core.units import WAD, ZERO_ADDRESS, Address, Timestamp
from keeper.protocols.compound_v2 import audit, exposure, facts, governance, survey
from keeper.protocols.compound_v2.apply import Applier
from keeper.protocols.compound_v2.entry import callees, examine
from keeper.protocols.compound_v2.liquidations import actions
from keeper.protocols.compound_v2.outcomes import outcomes
from keeper.protocols.compound_v2.view import Terms, View, versions, whole_price

NAME: Final = "compound_v2"
_V_UNIT: Final = 10**8  # a whole vToken


class CompoundV2:
    """One pool, from the address of its comptroller."""

    def __init__(self, comptroller: Address) -> None:
        self._comptroller = comptroller
        self._applier = Applier(comptroller)
        self._view: View | None = None
        self._sources: tuple[tuple[int, ...], frozenset[Address]] = ((), frozenset())

    @property
    def name(self) -> str:
        return NAME

    @property
    def market(self) -> Address:
        return self._comptroller

    @property
    def fact_types(self) -> Mapping[str, type]:
        return facts.TYPES

    def examine(self) -> InquiryOf[str]:
        return examine(self._comptroller)

    def callees(self) -> InquiryOf[Mapping[Address, Role]]:
        return callees(self._comptroller)

    # listening -----------------------------------------------------------------------------------------------------

    def sources(self, book: Book) -> frozenset[Address]:
        """Comptroller, vTokens, VAI's controller, the Liquidator, oracles and feeds."""
        version = tuple(book.version(kind) for kind in ("market", "listing", "feed", "way"))
        if version != self._sources[0]:
            self._sources = version, frozenset(_sources(book, self._comptroller)) - {ZERO_ADDRESS}
        return self._sources[1]

    def open(self, book: Book) -> Inquiry:
        """The vTokens, and the contracts whose history matters."""
        yield from governance.listings(book, self._comptroller)
        yield from governance.parts(book, self._comptroller)

    def prepare(self, book: Book, logs: Sequence[Log]) -> Inquiry:
        return survey.prepare(book, self._comptroller, logs)

    def apply(self, book: Book, logs: Sequence[Log], block: Block | None) -> None:
        self._applier.apply(book, logs, block)

    def survey(self, book: Book) -> Inquiry:
        return survey.survey(book, self._comptroller)

    def refresh(self, book: Book) -> Inquiry:
        return survey.refresh(book, self._comptroller)

    # meaning -------------------------------------------------------------------------------------------------------

    def view(self, book: Book, at: Timestamp) -> View:
        """The market at a block time; the last one is kept while nothing moved."""
        view = self._view
        if view is None or view.at != at or view.versions != versions(book):
            view = self._view = View(book, at)
        return view

    def _latest(self, book: Book) -> View:
        return self.view(book, Timestamp(0) if self._view is None else self._view.at)

    def health(self, book: Book, row: int, at: Timestamp) -> Health | Quarantine:
        return self.view(book, at).health(book, row)

    def exposures(self, book: Book, row: int) -> Exposures | None:
        return exposure.exposures(book, row)

    def lines(self, book: Book) -> Lines:
        return exposure.lines(book)

    def weights(self, book: Book, at: Timestamp, columns: Sequence[Column]) -> Weights:
        return exposure.weights(self.view(book, at), columns)

    def liquidatable(
        self, book: Book, rows: Sequence[int], at: Timestamp, prices: Mapping[Address, int] | None = None
    ) -> Sequence[int]:
        view = self.view(book, at)
        judged = {row: view.health(book, row, prices) for row in rows}
        below = {
            row: health.debt
            for row, health in judged.items()
            if isinstance(health, Health) and health.health_factor < WAD
        }
        return sorted(below, key=lambda row: -below[row])

    def actions(self, book: Book, row: int, at: Timestamp) -> Sequence[Action | Reason]:
        return actions(self.view(book, at), book, row)

    def triggers(self, book: Book, row: int, at: Timestamp) -> Sequence[Trigger]:
        return list(triggers(self, book, row, at, "interest"))

    def assets(self, book: Book) -> Mapping[Address, Valued]:
        """Underlying assets, and vTokens at what they can be redeemed for."""
        view = self._latest(book)
        found = {terms.asset: Valued(whole_price(terms), terms.unit) for terms in view.terms.values()}
        if view.parts is not None and view.parts.vai != ZERO_ADDRESS:
            found[view.parts.vai] = Valued(WAD, WAD)  # the comptroller counts it as a dollar
        tokens = {
            terms.v_token: Valued(_v_price(terms), _V_UNIT) for terms in view.terms.values() if _redeemable(terms)
        }
        return found | tokens

    def receipts(self, book: Book, at: Timestamp) -> Sequence[Receipt]:
        """The vTokens, at the exchange rate once interest is added, less what the redemption costs."""
        view = self.view(book, at)
        kept = WAD - (view.parts.redeem_fee if view.parts is not None else 0)
        return [
            Receipt(
                VenueKind.CTOKEN, terms.v_token, terms.listing.underlying, terms.rate_accrued * kept // WAD, WAD,
                max(terms.accrued.cash - terms.accrued.reserves, 0),
            )
            for terms in view.terms.values()
            if _redeemable(terms)
        ]  # fmt: skip

    def backing(self, book: Book) -> Sequence[Backing]:
        """Each market's reserves."""
        return [Backing(terms.asset, fund=terms.stored.reserves) for terms in self._latest(book).terms.values()]

    def outcomes(self, book: Book, logs: Sequence[Log]) -> Sequence[Liquidated]:
        return outcomes(book, logs)

    def feeds(self, book: Book) -> Mapping[Address, Address]:
        return {
            terms.asset: feed.proxy
            for terms in self._latest(book).terms.values()
            if (feed := book.fact("feed", terms.v_token)) is not None
        }

    def lenders(self, book: Book) -> Sequence[Loan]:
        """None: Venus lends for a transaction only to contracts on a list."""
        del book
        return ()

    def quarantined(self, book: Book) -> Sequence[Quarantine]:
        return list(self._latest(book).missing.values())

    def describe(self, book: Book) -> Mapping[str, object]:
        """What this fork is like, and prices that have to be viewed."""
        parts: facts.Parts = book.fact("market")
        viewed = [v_token for v_token in book.facts("listing") if book.fact("feed", v_token) is None]
        own = any(risk.incentive != parts.incentive for risk in book.facts("risk").values())
        return {
            "version": "venus" if parts.skips_empty else "compound",
            "base_unit": WAD,
            "markets": len(book.facts("listing")),
            "viewed_sources": sorted(viewed),
            "interest_by": "second" if parts.seconds else "block",
            "own_incentives": own,
            "liquidator": parts.liquidator,
        }

    # the chain's own word ------------------------------------------------------------------------------------------

    def audit(self, book: Book, rows: Sequence[int]) -> InquiryOf[Mapping[int, Health | Quarantine]]:
        return audit.audit(book, self._comptroller, rows)

    def reread(self, book: Book, rows: Sequence[int]) -> Inquiry:
        return audit.reread(book, self._comptroller, rows)


def _sources(book: Book, comptroller: Address) -> Iterable[Address]:
    yield comptroller
    parts: facts.Parts | None = book.fact("market")
    if parts is not None:
        yield from (parts.vai_controller, parts.liquidator, parts.oracle)
    yield from (Address(v_token) for v_token in book.facts("listing"))
    yield from (way.oracle for way in book.facts("way").values())
    yield from (feed.aggregator for feed in book.facts("feed").values())


def _redeemable(terms: Terms) -> bool:
    """Into a token."""
    return terms.listing.underlying != ZERO_ADDRESS


def _v_price(terms: Terms) -> int:
    return terms.price * terms.rate_accrued * _V_UNIT // (WAD * WAD)
