"""Aave v3 behind the adapter port: the glue between events, facts, maths and the rest of the keeper.

Law: this page decides nothing; it hands the book to the pages that do.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from keeper.core import calls
from keeper.core.actions import Action
from keeper.core.book import Book
from keeper.core.events import Block, Log, Read
from keeper.core.margin import Column, Exposures, Foreseen, Lines, Weights
from keeper.core.outlook import Backing, Liquidated, Receipt, Trigger
from keeper.core.plans import FundingKind, Role
from keeper.core.ports import Ask, Health, Inquiry, InquiryOf, Loan, LogsOf, Quarantine, Valued
from keeper.core.refusals import Reason
from keeper.core.triggers import triggers
from keeper.core.units import ZERO_ADDRESS, Address, BaseValue, Bps, Timestamp, Wad
from keeper.protocols.aave_v3 import exposure, facts, survey
from keeper.protocols.aave_v3.apply import BEFORE, Applier
from keeper.protocols.aave_v3.calls import call
from keeper.protocols.aave_v3.confirm import Confirm, supposing
from keeper.protocols.aave_v3.decode import decode
from keeper.protocols.aave_v3.entry import examine, pool_of
from keeper.protocols.aave_v3.events import TokenUpgraded
from keeper.protocols.aave_v3.fold import fold
from keeper.protocols.aave_v3.liquidations import actions
from keeper.protocols.aave_v3.outcomes import outcomes
from keeper.protocols.aave_v3.topics import (
    ATOKEN_UPGRADED,
    STABLE_DEBT_TOKEN_UPGRADED,
    VARIABLE_DEBT_TOKEN_UPGRADED,
)
from keeper.protocols.aave_v3.view import View, versions

NAME: Final = "aave_v3"


class AaveV3:
    """One Aave v3 market, from the address of its addresses provider."""

    def __init__(self, provider: Address) -> None:
        self._provider = provider
        self._applier = Applier()
        self._view: View | None = None
        self._confirm: Confirm | None = None
        self._sources: tuple[tuple[int, ...], frozenset[Address]] = ((), frozenset())

    @property
    def name(self) -> str:
        return NAME

    @property
    def market(self) -> Address:
        return self._provider

    @property
    def fact_types(self) -> Mapping[str, type]:
        return facts.TYPES

    def examine(self) -> InquiryOf[str]:
        return examine(self._provider)

    def callees(self) -> InquiryOf[Mapping[Address, Role]]:
        """The pool alone."""
        pool = yield from pool_of(self._provider)
        return {pool: Role.MARKET}

    # listening -----------------------------------------------------------------------------------------------------

    def sources(self, book: Book) -> frozenset[Address]:
        """Provider, pool, configurator, oracle, tokens and feeds."""
        version = tuple(book.version(kind) for kind in ("market", "listing", "source"))
        if version != self._sources[0]:
            self._sources = version, frozenset(_sources(book, self._provider)) - {ZERO_ADDRESS}
        return self._sources[1]

    def open(self, book: Book) -> Inquiry:
        """The contracts, and since when each token has been what it is now."""
        yield from survey.parts(book, self._provider)
        yield from survey.listings(book)
        yield from survey.implementations(book)
        ask = LogsOf(
            frozenset({book.fact("market").configurator}),
            frozenset({ATOKEN_UPGRADED, VARIABLE_DEBT_TOKEN_UPGRADED, STABLE_DEBT_TOKEN_UPGRADED}),
        )
        answers = yield [ask]
        upgrades = [event for log in answers[ask] if isinstance(event := decode(log), TokenUpgraded)]
        yield from survey.recognise(book, [event.implementation for event in upgrades])
        for event in reversed(upgrades):
            book.learn("impl", event.token, BEFORE + event.implementation)

    def prepare(self, book: Book, logs: Sequence[Log]) -> Inquiry:
        return survey.prepare(book, logs)

    def apply(self, book: Book, logs: Sequence[Log], block: Block | None) -> None:
        self._applier.apply(book, logs, block)

    def survey(self, book: Book) -> Inquiry:
        return survey.survey(book, self._provider)

    def refresh(self, book: Book) -> Inquiry:
        return survey.refresh(book, self._provider)

    # meaning -------------------------------------------------------------------------------------------------------

    def view(self, book: Book, at: Timestamp) -> View:
        """The market at a block time; the last one is kept while nothing moved."""
        view = self._view
        if view is None or view.at != at or view.versions != versions(book):
            view = self._view = View(book, at)
        return view

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
        if self._confirm is None or self._confirm.view is not view:
            self._confirm = Confirm(view)
        return self._confirm.below(book, rows, prices or {})

    def foreseen(self, book: Book, feed: Address, answer: int) -> Sequence[Foreseen]:
        """Assets whose price is that aggregator's answer as it is."""
        if answer <= 0:
            return []
        return [
            Foreseen(Address(asset), answer, Address(source.source))
            for asset, source in book.facts("source").items()
            if source.feed == feed
        ]

    def actions(self, book: Book, row: int, at: Timestamp) -> Sequence[Action | Reason]:
        return actions(self.view(book, at), book, row)

    def triggers(self, book: Book, row: int, at: Timestamp) -> Sequence[Trigger]:
        return list(triggers(self, book, row, at, "interest"))

    def receipts(self, book: Book, at: Timestamp) -> Sequence[Receipt]:
        """None: aTokens are withdrawn inside a leg."""
        del book, at
        return ()

    def backing(self, book: Book) -> Sequence[Backing]:
        """Deficits, since 3.3; what an umbrella or a treasury would pay is not the market's own."""
        return [Backing(Address(asset), deficit=amount) for asset, amount in book.facts("deficit").items()]

    def outcomes(self, book: Book, logs: Sequence[Log]) -> Sequence[Liquidated]:
        return outcomes(book.fact("market").pool, logs)

    def supposed(self, book: Book, row: int, at: Timestamp, prices: Mapping[Address, int]) -> Sequence[Action | Reason]:
        return actions(supposing(self.view(book, at), prices), book, row)

    def fold(self, book: Book, row: int, action: Action, repay: int) -> None:
        fold(book, row, action, repay)

    def assets(self, book: Book) -> Mapping[Address, Valued]:
        view = self.view(book, Timestamp(0) if self._view is None else self._view.at)
        return {Address(terms.asset): Valued(terms.price, terms.unit) for terms in view.terms.values() if terms.price}

    def feeds(self, book: Book) -> Mapping[Address, Address]:
        sources = book.facts("source").items()
        return {Address(asset): source.source for asset, source in sources if source.source != ZERO_ADDRESS}

    def lenders(self, book: Book) -> Sequence[Loan]:
        """The pool's own flash loans."""
        view = self.view(book, Timestamp(0) if self._view is None else self._view.at)
        parts = book.fact("market")
        if view.profile is None:
            return []
        return [
            Loan(
                FundingKind.AAVE_FLASH_LOAN, parts.pool, Address(terms.asset),
                book.fact("liquidity", terms.asset) or 0, Bps(parts.flash_premium), view.profile.flash_premium_up,
            )
            for terms in view.terms.values()
            if terms.config.flash_loans and terms.config.active and not terms.config.paused
        ]  # fmt: skip

    def quarantined(self, book: Book) -> Sequence[Quarantine]:
        view = self.view(book, Timestamp(0) if self._view is None else self._view.at)
        tokens = [
            Quarantine(token, "the token's implementation is not a known release")
            for entry in book.facts("listing").values()
            for token in (entry.collateral_token, entry.debt_token)
            if book.fact("code", book.fact("impl", token) or "") == facts.UNKNOWN
        ]
        pool = [] if view.profile else [Quarantine("pool", "the pool's implementation is not a known release")]
        return [*pool, *view.missing.values(), *tokens]

    def describe(self, book: Book) -> Mapping[str, object]:
        """What an operator should know of the market: release, reserves, and prices that have to be viewed."""
        profile = self.view(book, Timestamp(0)).profile
        viewed = sorted(asset for asset, source in book.facts("source").items() if source.feed == ZERO_ADDRESS)
        return {
            "version": facts.UNKNOWN if profile is None else profile.version,
            "base_unit": book.fact("market").base_unit,
            "reserves": len(book.facts("listing")),
            "viewed_sources": viewed,
        }

    # the chain's own word ------------------------------------------------------------------------------------------

    def audit(self, book: Book, rows: Sequence[int]) -> InquiryOf[Mapping[int, Health | Quarantine]]:
        """``getUserAccountData`` of some accounts."""
        pool = book.fact("market").pool
        reads = {row: call(pool, "getUserAccountData(address)", book.account(row)) for row in rows}
        answers = yield list(reads.values())
        return {row: _account_data(answers[read]) for row, read in reads.items()}

    def reread(self, book: Book, rows: Sequence[int]) -> Inquiry:
        """Take amounts, flags and e-mode of some accounts from the chain."""
        pool = book.fact("market").pool
        tokens = [
            token
            for entry in book.facts("listing").values()
            for token in (entry.collateral_token, entry.debt_token, entry.stable_token)
            if token != ZERO_ADDRESS
        ]
        amounts: dict[tuple[Address, int], list[Read]] = {
            (token, row): survey.amount_reads(book, token, book.account(row)) for token in tokens for row in rows
        }
        marks = {
            row: [
                call(pool, f"{name}(address)", book.account(row)) for name in ("getUserConfiguration", "getUserEMode")
            ]
            for row in rows
        }
        asks: list[Ask] = [read for group in (*amounts.values(), *marks.values()) for read in group]
        answers = yield asks
        for (token, row), reads in amounts.items():
            survey.learn_amount(book, token, book.account(row), reads, answers)
        for row, (configuration, emode) in marks.items():
            word = calls.integer(answers, configuration) or 0
            flags = sum((word >> 2 * number + 1 & 1) << number for number in range(128))
            book.mark(row, flags, calls.integer(answers, emode) or 0)


def _sources(book: Book, provider: Address) -> Iterable[Address]:
    yield provider
    parts = book.fact("market")
    if parts is not None:
        yield from (parts.pool, parts.configurator, parts.oracle)
    for entry in book.facts("listing").values():
        yield from (entry.collateral_token, entry.debt_token, entry.stable_token)
    for source in book.facts("source").values():
        yield source.feed


def _account_data(answer: str | None) -> Health | Quarantine:
    if answer is None or calls.size(answer) < 6:  # noqa: PLR2004 - words returned
        return Quarantine("account", "the chain's own view reverts")
    words = [int(answer[2 + 64 * i : 66 + 64 * i], 16) for i in (0, 1, 5)]
    return Health(Wad(words[2]), BaseValue(words[0]), BaseValue(words[1]))
