"""Events into the book.

Laws
- Positions come from events alone, in history and live. Totals and rates of a live block come from its events too; in
  history they are left to the survey, since a log does not tell its time.
- A log counts only if it is the contract's whose word it is: anybody may create a market, and with it bring contracts
  to our ears that say what they like.
- What a rate model says is compared with what was computed; a model that says otherwise is viewed from then on.
- A position that would be negative is put in doubt and read, never guessed.
"""

from collections.abc import Iterable, Mapping
from typing import Final

import msgspec

from keeper.core import chainlink
from keeper.core.book import Book
from keeper.core.events import Block, Log
from keeper.core.units import ZERO_ADDRESS, Address
from keeper.protocols.morpho_blue import accrual, irm
from keeper.protocols.morpho_blue import events as e
from keeper.protocols.morpho_blue.decode import decode
from keeper.protocols.morpho_blue.facts import ADAPTIVE, COLLATERAL, DEBT, POCKETS, VIEWED, Listing, Offer, State

_NOBODY: Final[tuple[str, ...]] = ()


class Applier:
    """Folds the logs of one Morpho into its book."""

    def __init__(self, morpho: Address) -> None:
        self._morpho = morpho
        self._versions: tuple[int, ...] = ()
        self._columns: Mapping[str, int] = {}  # of the collateral, by market
        self._offers: dict[tuple[str, str], list[tuple[str, int]]] = {}  # offers consented to, by market and owner
        self._feeds: dict[str, list[str]] = {}  # by aggregator
        self._oracles: dict[str, list[str]] = {}  # by feed

    def apply(self, book: Book, logs: Iterable[Log], block: Block | None) -> None:
        """Fold logs in, in order."""
        self._derive(book)
        for log in logs:
            event = decode(log)
            if event is None:
                self._feed(book, log)
            elif log.address == self._morpho:
                self._morpho_said(book, event, block)
            else:
                self._other_said(book, log.address, event, block)

    # who said what -------------------------------------------------------------------------------------------------

    def _morpho_said(self, book: Book, event: e.Event, block: Block | None) -> None:
        match event:
            case e.Pledged(market, owner, assets):
                self._moved(book, market, owner, assets, 0)
            case e.Borrowed(market, owner, assets, shares):
                self._moved(book, market, owner, 0, shares)
                _totals(book, market, block, borrow_assets=assets, borrow_shares=shares)
            case e.Lent(market, assets, shares):
                _totals(book, market, block, supply_assets=assets, supply_shares=shares)
            case e.AccrueInterest():
                _accrue(book, event, block)
            case e.Liquidate():
                self._liquidated(book, event, block)
            case e.CreateMarket():
                self._created(book, event, block)
            case e.SetFee(market, fee):
                state = book.fact("state", market)
                if state is not None and block is not None:
                    book.learn("state", market, msgspec.structs.replace(state, fee=fee))
            case e.SetAuthorization(owner, authorized, given):
                self.authorise(book, owner, authorized, given=given)

    def _other_said(self, book: Book, speaker: Address, event: e.Event, block: Block | None) -> None:
        match event:
            case e.BorrowRateUpdate(market):
                listing = book.fact("listing", market)
                if listing is not None and listing.irm == speaker and block is not None:
                    _rate(book, speaker, event, block)
            case e.CreatePreLiquidation() if book.fact("factory", speaker):
                self.offer(book, event)

    def _feed(self, book: Book, log: Log) -> None:
        feeds = self._feeds.get(log.address, _NOBODY)
        found = chainlink.answered(log) if feeds else None
        for feed in feeds:
            if found is not None:
                book.learn("answer", feed, found[1])
                for oracle in self._oracles.get(feed, _NOBODY):
                    book.learn("stale", f"oracle:{oracle}", value=True)
            elif log.topics and log.topics[0] in chainlink.TOUCHED:
                book.learn("stale", f"feed:{feed}", value=True)

    # positions -----------------------------------------------------------------------------------------------------

    def _moved(self, book: Book, market: str, owner: Address, collateral: int, shares: int) -> None:
        column = self._columns.get(market)
        if column is None:
            book.learn("stray", market, "the market was created before from_block")
            return
        row = book.open(Address(f"{owner}:{market}"))
        for side, change in ((COLLATERAL, collateral), (DEBT, shares)):
            if change:
                after = book.amount(row, column | side) + change
                if after < 0:
                    book.learn("doubt", book.account(row), value=True)
                else:
                    book.set_amount(row, column | side, after)
        self._mirror(book, market, owner, row)

    def _mirror(self, book: Book, market: str, owner: Address, row: int) -> None:
        """Whoever consented to an offer is in it with the position he has."""
        for contract, column in self._offers.get((market, owner), ()):
            copied = book.open(Address(f"{owner}:{contract}"))
            copy(book, row, self._columns[market], copied, column)

    def _liquidated(self, book: Book, event: e.Liquidate, block: Block | None) -> None:
        shares = event.repaid_shares + event.bad_shares
        self._moved(book, event.market, event.owner, -event.seized, -shares)
        state = book.fact("state", event.market)
        if state is not None and block is not None:
            repaid = min(event.repaid, state.borrow_assets)  # it may be one more than there is
            _totals(
                book, event.market, block, borrow_assets=-repaid - event.bad_debt, borrow_shares=-shares,
                supply_assets=-event.bad_debt,
            )  # fmt: skip
        listing = book.fact("listing", event.market)
        if event.bad_debt and listing is not None:
            loan = listing.loan
            book.learn("written_off", loan, (book.fact("written_off", loan) or 0) + event.bad_debt)

    # markets -------------------------------------------------------------------------------------------------------

    def _created(self, book: Book, event: e.CreateMarket, block: Block | None) -> None:
        number = len(book.facts("listing"))
        if number + len(book.facts("offer")) >= POCKETS:
            book.learn("stray", event.market, "there are more markets than the book can number")
            return
        listing = Listing(number, event.loan, event.collateral, event.oracle, event.irm, event.lltv)
        book.learn("listing", event.market, listing)
        if block is not None:
            updated = 0 if event.irm == ZERO_ADDRESS else block.timestamp
            book.learn("state", event.market, State(0, 0, 0, 0, updated, 0))
            book.learn("stale", f"market:{event.market}", value=True)
        self._derive(book)

    def offer(self, book: Book, event: e.CreatePreLiquidation) -> None:
        """A pre-liquidation contract; those of before the first survey are told twice."""
        number = POCKETS - 1 - len(book.facts("offer"))
        if book.fact("offer", event.contract) is not None or number < len(book.facts("listing")):
            return
        offer = Offer(number, event.market, event.lltv, event.close_factor, event.incentive, event.oracle)
        book.learn("offer", event.contract, offer)

    def authorise(self, book: Book, owner: Address, authorized: Address, *, given: bool) -> None:
        """Consent to an offer, or its end. Whom else people trust does not matter here."""
        offer = book.fact("offer", authorized)
        if offer is None:
            return
        book.learn("consent", f"{owner}:{authorized}", value=given or None)
        self._derive(book)
        row, column = book.row(Address(f"{owner}:{offer.market}")), self._columns.get(offer.market)
        if row is not None and column is not None and given:
            copy(book, row, column, book.open(Address(f"{owner}:{authorized}")), offer.number << 1)
        elif not given and (copied := book.row(Address(f"{owner}:{authorized}"))) is not None:
            for side in (COLLATERAL, DEBT):
                put(book, copied, offer.number << 1 | side, 0)

    # derived tables ------------------------------------------------------------------------------------------------

    def _derive(self, book: Book) -> None:
        """Tables that follow from facts, made again only when those facts moved."""
        versions = tuple(book.version(kind) for kind in ("listing", "offer", "consent", "feed", "oracle"))
        if versions == self._versions:
            return
        self._versions = versions
        self._columns = {market: entry.number << 1 for market, entry in book.facts("listing").items()}
        self._offers, self._feeds, self._oracles = {}, {}, {}
        for key in sorted(book.facts("consent")):
            owner, contract = key.split(":")
            offer = book.fact("offer", contract)
            if offer is not None:
                self._offers.setdefault((offer.market, owner), []).append((contract, offer.number << 1))
        for feed, aggregator in book.facts("feed").items():
            self._feeds.setdefault(aggregator, []).append(feed)
        for oracle, model in book.facts("oracle").items():
            for feed in model.feeds:
                self._oracles.setdefault(feed, []).append(oracle)


def copy(book: Book, row: int, column: int, copied: int, other: int) -> None:
    """Make both amounts of one pocket those of another."""
    for side in (COLLATERAL, DEBT):
        put(book, copied, other | side, book.amount(row, column | side))


def put(book: Book, row: int, column: int, amount: int) -> None:
    """Replace an amount that is another."""
    if book.amount(row, column) != amount:
        book.set_amount(row, column, amount)


def _totals(book: Book, market: str, block: Block | None, **changes: int) -> None:
    """Totals move; what is taken away beyond them leaves nothing, as in the contract."""
    state: State | None = book.fact("state", market)
    if state is not None and block is not None:
        after = {name: max(getattr(state, name) + change, 0) for name, change in changes.items()}
        book.learn("state", market, msgspec.structs.replace(state, **after))


def _accrue(book: Book, event: e.AccrueInterest, block: Block | None) -> None:
    state: State | None = book.fact("state", event.market)
    if state is not None and block is not None:
        book.learn("state", event.market, accrual.grown(state, event.interest, event.fee_shares, block.timestamp))


def _rate(book: Book, model: Address, event: e.BorrowRateUpdate, block: Block) -> None:
    """An adaptive curve was asked by Morpho: what it said, and whether that is what it should have said."""
    state: State | None = book.fact("state", event.market)
    if state is not None and book.fact("irm", model) == ADAPTIVE:
        seconds = max(block.timestamp - state.updated, 0)
        expected = irm.borrow_rate(state, book.fact("target", event.market) or 0, seconds)
        if expected != (event.rate, event.target):
            book.learn("irm", model, VIEWED)
    book.learn("target", event.market, event.target)
