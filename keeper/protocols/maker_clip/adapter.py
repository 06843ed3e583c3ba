"""Maker and Sky behind the adapter port: the glue between events, facts, maths and the rest of the keeper.

An account is an urn of a collateral (``urn:ETH-A``) or a running auction (``clipper:17``). An urn's collateral is what
may be lent on it and its debt what is owed, in wads of dai, at the worst that anybody can bring about in that block
(view.py). An auction is at 0 from its start to its end; its collateral is what all of it costs now, its debt what is
still to be raised. Its ``actions`` tell the exact price at the time asked about.

Law: this page decides nothing; it hands the book to the pages that do.
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
from keeper.core.units import RAY, WAD, ZERO_ADDRESS, Address, Timestamp
from keeper.protocols.maker_clip import actions, confirm, exposure, facts, survey
from keeper.protocols.maker_clip.apply import Applier
from keeper.protocols.maker_clip.auction import Auction
from keeper.protocols.maker_clip.audit import audit
from keeper.protocols.maker_clip.entry import callees, examine
from keeper.protocols.maker_clip.outcomes import outcomes
from keeper.protocols.maker_clip.prices import assets
from keeper.protocols.maker_clip.triggers import auction_triggers, urn_triggers
from keeper.protocols.maker_clip.view import View, versions

NAME: Final = actions.NAME
_VERSION: Final = "liquidations 2.0"


class MakerClip:
    """One market, from the address of its chainlog."""

    def __init__(self, chainlog: Address) -> None:
        self._chainlog = chainlog
        self._applier = Applier()
        self._view: View | None = None
        self._sources: tuple[tuple[int, ...], frozenset[Address]] = ((), frozenset())

    @property
    def name(self) -> str:
        return NAME

    @property
    def market(self) -> Address:
        return self._chainlog

    @property
    def fact_types(self) -> Mapping[str, type]:
        return facts.TYPES

    def examine(self) -> InquiryOf[str]:
        return examine(self._chainlog)

    def callees(self) -> InquiryOf[Mapping[Address, Role]]:
        return callees(self._chainlog)

    # listening -----------------------------------------------------------------------------------------------------

    def sources(self, book: Book) -> frozenset[Address]:
        """Vat, jug, spotter, dog, registry, auction houses, their calculators, and oracles."""
        version = tuple(book.version(kind) for kind in ("market", "clip", "rules", "terms"))
        if version != self._sources[0]:
            parts = book.fact("market")
            known = () if parts is None else (parts.vat, parts.jug, parts.spotter, parts.dog, parts.registry)
            calcs = [rules.calc for rules in book.facts("rules").values()]
            pips = [terms.pip for terms in book.facts("terms").values()]
            found = {self._chainlog, *known, *map(Address, book.facts("clip")), *calcs, *pips}
            self._sources = version, frozenset(found) - {ZERO_ADDRESS}
        return self._sources[1]

    def open(self, book: Book) -> Inquiry:
        return survey.open_market(book, self._chainlog)

    def prepare(self, book: Book, logs: Sequence[Log]) -> Inquiry:
        """An auction house must be known before the logs that follow its appointment can be applied."""
        survey.learn_clips(book, logs)
        yield from ()

    def apply(self, book: Book, logs: Sequence[Log], block: Block | None) -> None:
        self._applier.apply(book, logs, block)
        if block is not None and any(log.address == self._chainlog for log in logs):
            book.learn("stale", "market", value=True)

    def survey(self, book: Book) -> Inquiry:
        return survey.survey(book, self._chainlog)

    def refresh(self, book: Book) -> Inquiry:
        return survey.refresh(book, self._chainlog)

    # meaning -------------------------------------------------------------------------------------------------------

    def view(self, book: Book, at: Timestamp) -> View:
        """The market at a block time; the last one is kept while nothing moved."""
        view = self._view
        if view is None or view.book is not book or view.at != at or view.versions != versions(book):
            view = self._view = View(book, at)
        return view

    def health(self, book: Book, row: int, at: Timestamp) -> Health | Quarantine:
        return self.view(book, at).health(row)

    def exposures(self, book: Book, row: int) -> Exposures | None:
        return exposure.exposures(book, row)

    def lines(self, book: Book) -> Lines:
        return exposure.lines(book)

    def weights(self, book: Book, at: Timestamp, columns: Sequence[Column]) -> Weights:
        return exposure.weights(self.view(book, at), columns)

    def liquidatable(
        self, book: Book, rows: Sequence[int], at: Timestamp, prices: Mapping[Address, int] | None = None
    ) -> Sequence[int]:
        return confirm.liquidatable(self.view(book, at), rows, prices or {})

    def actions(self, book: Book, row: int, at: Timestamp) -> Sequence[Action | Reason]:
        return actions.actions(self.view(book, at), row)

    def triggers(self, book: Book, row: int, at: Timestamp) -> Sequence[Trigger]:
        auction = self.view(book, at).auction(row)
        if isinstance(auction, Auction):
            return list(auction_triggers(self.view(book, at), row, auction))
        return [] if auction is not None else urn_triggers(self, book, row, at)

    def assets(self, book: Book) -> Mapping[Address, Valued]:
        return assets(book)

    def receipts(self, book: Book, at: Timestamp) -> Sequence[Receipt]:
        """None: collateral comes out of the vat as itself."""
        del book, at
        return ()

    def backing(self, book: Book) -> Sequence[Backing]:
        """The vow: its surplus, and the debt that neither an auction nor a sale of its own is there to cover."""
        vow, parts = book.fact("vow"), book.fact("market")
        if vow is None or parts is None:
            return []
        bare = max(vow.debt - vow.queued - vow.auctioned, 0)
        return [Backing(parts.dai, fund=max(vow.surplus - bare, 0) // RAY, deficit=max(bare - vow.surplus, 0) // RAY)]

    def outcomes(self, book: Book, logs: Sequence[Log]) -> Sequence[Liquidated]:
        return outcomes(book, logs)

    def feeds(self, book: Book) -> Mapping[Address, Address]:
        known = book.facts("token").items()
        return {Address(token.gem): terms.pip for ilk, token in known if (terms := book.fact("terms", ilk)) is not None}

    def lenders(self, book: Book) -> Sequence[Loan]:
        """None: an auction asks for dai only once it has been sold."""
        del book
        return ()

    def quarantined(self, book: Book) -> Sequence[Quarantine]:
        houses = [
            Quarantine(clip, "the auction house, or its price curve, is not one of those understood")
            for clip in book.facts("clip")
            if book.fact("rules", clip) is None
        ]
        listed = [ilk for ilk, terms in book.facts("terms").items() if terms.clip != ZERO_ADDRESS]
        joins = [Quarantine(ilk, "the registry knows no join of it") for ilk in listed if not book.fact("token", ilk)]
        view = self.view(book, Timestamp(0) if self._view is None else self._view.at)
        priceless = [Quarantine(ilk, "the oracle gives no price") for ilk in listed if not view.ways(ilk)]
        return [*houses, *joins, *priceless]

    def describe(self, book: Book) -> Mapping[str, object]:
        """What an operator should know of the market: its release, collaterals, and running auctions."""
        return {
            "version": _VERSION,
            "base_unit": WAD,
            "collaterals": sum(terms.clip != ZERO_ADDRESS for terms in book.facts("terms").values()),
            "auctions": len(book.facts("sale")),
        }

    # the chain's own word ------------------------------------------------------------------------------------------

    def audit(self, book: Book, rows: Sequence[int]) -> InquiryOf[Mapping[int, Health | Quarantine]]:
        return audit(book, rows)

    def reread(self, book: Book, rows: Sequence[int]) -> Inquiry:
        """Take urns and auctions from the chain."""
        return survey.amounts(book, [book.account(row) for row in rows])
