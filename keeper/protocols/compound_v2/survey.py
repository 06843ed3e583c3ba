"""What is asked of the chain about a Compound v2 market, and how the answers become facts.

Laws
- What cannot be read sets aside its own subject (a fact is missing and ``adapter.quarantined`` says which), never more.
- A price is what the comptroller's oracle answers at the block: one batch a block reads all of them. Where a feed is
  known to be the source (``feeds``), its events foretell it; all other prices are viewed only.
- Every fact is what the chain says at the block: a book that was surveyed now and one that was refreshed since long ago
  are the same. What may move without an event is therefore asked at every block.
"""

from collections.abc import Iterable, Sequence
from typing import Final

from keeper.core.book import Book
from keeper.core.calls import integer
from keeper.core.events import Log
from keeper.core.ports import Inquiry, InquiryOf, SlotOf
from keeper.core.units import ZERO_ADDRESS, Address
from keeper.protocols.compound_v2.amounts import doubts
from keeper.protocols.compound_v2.calls import call
from keeper.protocols.compound_v2.decode import decode
from keeper.protocols.compound_v2.events import MarketListed
from keeper.protocols.compound_v2.facts import WAYS, Accrual, Parts, Stablecoin
from keeper.protocols.compound_v2.feeds import feeds, glance, stands, steps, walked
from keeper.protocols.compound_v2.governance import configs, listed, listings, parts, pools
from keeper.protocols.compound_v2.topics import MARKET_LISTED

_VAI_WORDS: Final = (15, 16)  # of the controller's storage: the interest index, and the block it was last raised in
_TOTALS: Final = (
    "totalBorrows", "totalReserves", "totalSupply", "getCash", "borrowIndex", "reserveFactorMantissa",
)  # fmt: skip


def survey(book: Book, comptroller: Address) -> Inquiry:
    """Every fact, and every amount that history left in doubt."""
    yield from listings(book, comptroller)
    yield from parts(book, comptroller)
    yield from configs(book, comptroller, listed(book))
    yield from pools(book, comptroller)
    yield from accruals(book, listed(book))
    yield from prices(book, whole=True)
    yield from stablecoin(book)
    yield from doubts(book, comptroller)
    for subject in list(book.facts("stale")):
        book.learn("stale", subject, None)


def refresh(book: Book, comptroller: Address) -> Inquiry:
    """After a live block: what its events touched, all prices, and money that came without an event."""
    stale = set(book.facts("stale"))
    if "market" in stale:
        yield from survey(book, comptroller)
        return
    touched, configured = (_keys(stale, kind) for kind in ("accrual", "config"))
    yield from prices(book, whole=WAYS in stale)
    moved = yield from _donated(book)
    yield from accruals(book, sorted(touched | moved))
    yield from configs(book, comptroller, sorted(configured))
    yield from stablecoin(book)
    yield from doubts(book, comptroller)
    for subject in stale:
        book.learn("stale", subject, None)


def _keys(subjects: Iterable[str], kind: str) -> set[Address]:
    parted = (subject.partition(":") for subject in subjects)
    return {Address(key) for name, _, key in parted if name == kind}


# --- what moves ------------------------------------------------------------------------------------------------


def accruals(book: Book, v_tokens: Sequence[Address]) -> Inquiry:
    """Totals, index and rate of some markets."""
    names = ("borrowRatePerTimestamp", "accrualBlockTimestamp") if _seconds(book) else (
        "borrowRatePerBlock", "accrualBlockNumber"
    )  # fmt: skip
    reads = {v_token: [call(v_token, f"{name}()") for name in (*_TOTALS, *names)] for v_token in v_tokens}
    answers = yield [read for group in reads.values() for read in group]
    for v_token, group in reads.items():
        found = [integer(answers, read) for read in group]
        book.learn("accrual", v_token, _accrual(found))
        if found[4] is not None:
            book.learn("index", v_token, found[4])


def _accrual(found: Sequence[int | None]) -> Accrual | None:
    borrows, reserves, supply, cash, index, factor, rate, at = found
    if None in found:
        return None
    return Accrual(
        index=index or 0, borrows=borrows or 0, reserves=reserves or 0, supply=supply or 0, cash=cash or 0,
        rate=rate or 0, reserve_factor=factor or 0, at=at or 0,
    )  # fmt: skip


def _seconds(book: Book) -> bool:
    shared: Parts = book.fact("market")
    return shared.seconds


def _donated(book: Book) -> InquiryOf[set[Address]]:
    """Markets whose cash is not what it was: a plain transfer of the underlying has no event of theirs."""
    reads = {v_token: call(v_token, "getCash()") for v_token in listed(book)}
    answers = yield list(reads.values())
    return {
        v_token
        for v_token, read in reads.items()
        if (market := book.fact("accrual", v_token)) is None or market.cash != integer(answers, read)
    }


def prices(book: Book, *, whole: bool) -> Inquiry:
    """All prices, each by its own call, so that a dead feed costs only its own market; and where they come from.

    ``whole``: all ways to feeds are walked, whether or not there is a sign that one has turned.
    """
    oracle = book.fact("market").oracle
    reads = {v_token: call(oracle, "getUnderlyingPrice(address)", v_token) for v_token in listed(book)}
    asked = [read for v_token in reads for read in (steps if whole else glance)(book, v_token)]
    answers = yield [*reads.values(), *asked]
    turned: list[Address] = []
    for v_token, read in reads.items():
        known, price = book.fact("price", v_token), integer(answers, read) or None
        book.learn("price", v_token, price)
        held = walked(book, v_token, answers) if whole else stands(book, v_token, answers, foretold=price == known)
        turned += [] if held else [v_token]
    yield from feeds(book, turned)


def stablecoin(book: Book) -> Inquiry:
    """VAI's index: it moves without an event. When it last moved is in no view, only in the word behind it."""
    controller = book.fact("market").vai_controller
    if controller == ZERO_ADDRESS:
        book.learn("vai", "", None)
        return
    index, rate = (call(controller, f"{name}()") for name in ("vaiMintIndex", "getVAIRepayRatePerBlock"))
    words = [SlotOf(controller, slot) for slot in _VAI_WORDS]
    answers = yield [index, rate, *words]
    stored, at = (int(answers[word], 16) for word in words)
    known = integer(answers, index)
    told = known == stored  # else the words mean something else: interest is seen only once it was added
    value = None if known is None else Stablecoin(known, (integer(answers, rate) or 0) * told, at * told)
    book.learn("vai", "", value)


# --- what logs ask for -----------------------------------------------------------------------------------------


def prepare(book: Book, comptroller: Address, logs: Sequence[Log]) -> Inquiry:
    """A new market must be known before the logs that follow can be applied."""
    news = {
        event.v_token
        for log in logs
        if log.topics and log.topics[0] == MARKET_LISTED and isinstance(event := decode(log), MarketListed)
    }
    if news - set(book.facts("listing")):
        yield from listings(book, comptroller)
