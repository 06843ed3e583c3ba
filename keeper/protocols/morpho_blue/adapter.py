"""Morpho Blue behind the adapter port: one contract and all its isolated markets.

Law: this page decides nothing; it hands the book to the pages that do.

An account is an owner in a pocket: ``owner:market id``, or ``owner:contract`` of a pre-liquidation contract that he
consented to, which has the same position and a lower limit. Markets have no unit in common: prices of ``assets`` are a
list made out of many of them, and its unit is that of a health's collateral and debt (see ``worth``).
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from keeper.core.actions import Action
from keeper.core.book import Book
from keeper.core.events import Block, Log
from keeper.core.margin import Column, Exposures, Lines, Weights
from keeper.core.outlook import Backing, Liquidated, Receipt, Trigger
from keeper.core.plans import FundingKind, Role
from keeper.core.ports import Health, Inquiry, InquiryOf, Loan, Quarantine, Valued
from keeper.core.refusals import Reason
from keeper.core.triggers import triggers
from keeper.core.units import ZERO_ADDRESS, Address, Timestamp
from keeper.protocols.morpho_blue import audit, exposure, facts, offers, positions, prices, survey
from keeper.protocols.morpho_blue.apply import Applier
from keeper.protocols.morpho_blue.entry import FACTORIES, examine
from keeper.protocols.morpho_blue.judge import below
from keeper.protocols.morpho_blue.liquidations import actions
from keeper.protocols.morpho_blue.outcomes import outcomes
from keeper.protocols.morpho_blue.view import View, position, versions
from keeper.protocols.morpho_blue.worth import ROOT, in_list, worth

NAME: Final = "morpho_blue"


class MorphoBlue:
    """One Morpho, from its address. Pre-liquidations are found by the factories that make them."""

    def __init__(self, morpho: Address, factories: Sequence[Address] = FACTORIES) -> None:
        self._morpho = morpho
        self._factories = factories
        self._applier = Applier(morpho)
        self._view: View | None = None
        self._assets: tuple[View | None, dict[Address, Valued]] = (None, {})
        self._sources: tuple[tuple[int, ...], frozenset[Address]] = ((), frozenset())

    @property
    def name(self) -> str:
        return NAME

    @property
    def market(self) -> Address:
        return self._morpho

    @property
    def fact_types(self) -> Mapping[str, type]:
        return facts.TYPES

    def examine(self) -> InquiryOf[str]:
        return examine(self._morpho)

    def callees(self) -> InquiryOf[Mapping[Address, Role]]:
        """Morpho itself, which lends too; a pre-liquidation contract is to be allowed one by one."""
        yield []
        return {self._morpho: Role.CALLED | Role.MARKET}

    # listening -----------------------------------------------------------------------------------------------------

    def sources(self, book: Book) -> frozenset[Address]:
        """Morpho, its rate models, the aggregators behind followed feeds, and what makes and does pre-liquidations."""
        version = tuple(book.version(kind) for kind in ("irm", "feed", "factory", "offer"))
        if version != self._sources[0] or not self._sources[1]:
            self._sources = version, frozenset(_sources(book, self._morpho)) - {ZERO_ADDRESS}
        return self._sources[1]

    def open(self, book: Book) -> Inquiry:
        return offers.factories(book, self._factories, self._morpho, self._applier)

    def prepare(self, book: Book, logs: Sequence[Log]) -> Inquiry:
        return offers.prepare(book, logs, self._morpho, self._applier)

    def apply(self, book: Book, logs: Sequence[Log], block: Block | None) -> None:
        self._applier.apply(book, logs, block)

    def survey(self, book: Book) -> Inquiry:
        return survey.survey(book, self._morpho)

    def refresh(self, book: Book) -> Inquiry:
        return survey.refresh(book, self._morpho)

    # meaning -------------------------------------------------------------------------------------------------------

    def view(self, book: Book, at: Timestamp) -> View:
        """The markets at a block time; the last one is kept while nothing moved."""
        view = self._view
        if view is None or view.at != at or view.book is not book or view.versions != versions(book):
            view = self._view = View(book, at)
        return view

    def health(self, book: Book, row: int, at: Timestamp) -> Health | Quarantine:
        view = self.view(book, at)
        number, _, shares = position(book, row)
        loan = self._worth(view).get(view.pockets[number].listing.loan) if shares else None
        return in_list(view.health(book, row), loan)

    def exposures(self, book: Book, row: int) -> Exposures | None:
        return exposure.exposures(book, row)

    def lines(self, book: Book) -> Lines:
        return exposure.lines(book)

    def weights(self, book: Book, at: Timestamp, columns: Sequence[Column]) -> Weights:
        view = self.view(book, at)
        return exposure.weights(view, columns, self._worth(view))

    def liquidatable(
        self, book: Book, rows: Sequence[int], at: Timestamp, prices: Mapping[Address, int] | None = None
    ) -> Sequence[int]:
        view = self.view(book, at)
        return below(view, book, rows, prices or {}, self._worth)

    def actions(self, book: Book, row: int, at: Timestamp) -> Sequence[Action | Reason]:
        return actions(self.view(book, at), book, row, self._morpho)

    def triggers(self, book: Book, row: int, at: Timestamp) -> Sequence[Trigger]:
        return list(triggers(self, book, row, at, "interest"))

    def assets(self, book: Book) -> Mapping[Address, Valued]:
        return self._worth(self._latest(book))

    def receipts(self, book: Book, at: Timestamp) -> Sequence[Receipt]:
        """None: what is seized is the collateral token itself."""
        del book, at
        return ()

    def backing(self, book: Book) -> Sequence[Backing]:
        """Nothing stands behind a market: bad debt is its lenders' at once."""
        return [Backing(Address(loan), socialised=amount) for loan, amount in book.facts("written_off").items()]

    def outcomes(self, book: Book, logs: Sequence[Log]) -> Sequence[Liquidated]:
        return outcomes(book, self._morpho, logs)

    def feeds(self, book: Book) -> Mapping[Address, Address]:
        """The first feed of each side of what prices a token; of a token in many markets that of the oldest one."""
        found: dict[Address, Address] = {}
        for listing in prices.in_use(book).values():
            model = book.fact("oracle", listing.oracle) or facts.UNMODELLED
            for token, feeds in ((listing.collateral, model.base_feeds), (listing.loan, model.quote_feeds)):
                if feeds[0] != ZERO_ADDRESS:
                    found.setdefault(token, feeds[0])
        return found

    def lenders(self, book: Book) -> Sequence[Loan]:
        """Morpho lends all it holds for nothing: at least what its lenders have lent and nobody has borrowed."""
        idle: dict[Address, int] = {}
        for market, listing in book.facts("listing").items():
            state = book.fact("state", market)
            if state is not None:
                idle[listing.loan] = idle.get(listing.loan, 0) + state.supply_assets - state.borrow_assets
        return [Loan(FundingKind.MORPHO_FLASH_LOAN, self._morpho, token, most) for token, most in idle.items() if most]

    def quarantined(self, book: Book) -> Sequence[Quarantine]:
        """Markets and offers with debt that cannot be judged, and markets that are not known."""
        view, used = self._latest(book), prices.in_use(book)
        judged = [view.terms(number) for number, pocket in view.pockets.items() if pocket.market in used]
        strays = [Quarantine(market, reason) for market, reason in book.facts("stray").items()]
        return [*dict.fromkeys(found for found in judged if isinstance(found, Quarantine)), *strays]

    def describe(self, book: Book) -> Mapping[str, object]:
        """What an operator should know: how many markets, and what is viewed each block because it is no model."""
        used = prices.in_use(book)
        oracles = [
            oracle
            for oracle in prices.oracles(book, used)
            if not (book.fact("oracle", oracle) or facts.UNMODELLED).scale
        ]
        return {
            "version": "1.0",
            "base_unit": ROOT,
            "markets": len(book.facts("listing")),
            "markets_in_use": len(used),
            "viewed_oracles": sorted(oracles),
            "viewed_feeds": sorted(feed for feed, found in book.facts("feed").items() if found == ZERO_ADDRESS),
            "viewed_vaults": sorted(book.facts("vault")),
            "viewed_rate_models": sorted(model for model, kind in book.facts("irm").items() if kind == facts.VIEWED),
        }

    def _latest(self, book: Book) -> View:
        """At the time asked about last."""
        return self.view(book, Timestamp(0) if self._view is None else self._view.at)

    def _worth(self, view: View) -> dict[Address, Valued]:
        if self._assets[0] is not view:
            self._assets = view, worth(view, view.book)
        return self._assets[1]

    # the chain's own word ------------------------------------------------------------------------------------------

    def audit(self, book: Book, rows: Sequence[int]) -> InquiryOf[Mapping[int, Health | Quarantine]]:
        return audit.audit(book, self._morpho, rows, lambda at: self._worth(self.view(book, at)))

    def reread(self, book: Book, rows: Sequence[int]) -> Inquiry:
        return positions.reread(book, self._morpho, rows)


def _sources(book: Book, morpho: Address) -> Iterable[Address]:
    yield morpho
    for kind in ("irm", "factory", "offer"):
        yield from (Address(key) for key in book.facts(kind))
    yield from (Address(aggregator) for aggregator in book.facts("feed").values())
