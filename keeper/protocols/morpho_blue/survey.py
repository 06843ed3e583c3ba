"""What is asked of the chain about Morpho Blue's markets, and how the answers become facts.

Laws
- What cannot be read sets aside its own subject (a fact is missing and ``adapter.quarantined`` says which), never more.
- A rate model is computed here only if, at the block of the survey, it says of every market just what was computed.
- A survey trusts nothing that was known before it.
"""

from collections.abc import Collection, Sequence
from typing import Final

import msgspec

from keeper.core.book import Book
from keeper.core.calls import address, integer, size
from keeper.core.events import word
from keeper.core.ports import HeaderOf, Inquiry
from keeper.core.units import ZERO_ADDRESS, Address
from keeper.protocols.morpho_blue import irm
from keeper.protocols.morpho_blue.calls import call, of_market, rate_view
from keeper.protocols.morpho_blue.facts import ADAPTIVE, VIEWED, Listing, State
from keeper.protocols.morpho_blue.positions import doubts
from keeper.protocols.morpho_blue.prices import models, oracles, views

STATE_WORDS: Final = 6


def survey(book: Book, morpho: Address) -> Inquiry:
    """Every fact, and every position that history left in doubt."""
    for kind in ("irm", "oracle", "feed"):
        for key in list(book.facts(kind)):
            book.learn(kind, key, None)
    yield from markets(book, morpho, list(book.facts("listing")))
    yield from models(book, oracles(book))
    yield from views(book)
    yield from doubts(book, morpho)
    for subject in list(book.facts("stale")):
        book.learn("stale", subject, None)


def refresh(book: Book, morpho: Address) -> Inquiry:
    """After a live block: new markets, and everything that no event foretells."""
    created = [subject.removeprefix("market:") for subject in book.facts("stale") if subject.startswith("market:")]
    if created:
        yield from markets(book, morpho, created)
    unknown = [oracle for oracle in oracles(book) if book.fact("oracle", oracle) is None]
    if unknown:
        yield from models(book, unknown)
    yield from views(book)
    yield from doubts(book, morpho)
    for subject in list(book.facts("stale")):
        book.learn("stale", subject, None)


def markets(book: Book, morpho: Address, ids: Sequence[str]) -> Inquiry:
    """Totals and rates of some markets, and whether their rate models can be computed."""
    listings: dict[str, Listing] = {market: book.fact("listing", market) for market in ids}
    states = {market: of_market(morpho, "market(bytes32)", market) for market in ids}
    modelled = {market: entry for market, entry in listings.items() if entry.irm != ZERO_ADDRESS}
    targets = {market: of_market(entry.irm, "rateAtTarget(bytes32)", market) for market, entry in modelled.items()}
    homes = {entry.irm: call(entry.irm, "MORPHO()") for entry in modelled.values()}
    tokens = {token for entry in listings.values() for token in (entry.loan, entry.collateral)}
    decimals = {token: call(token, "decimals()") for token in tokens}
    answers = yield [*states.values(), *targets.values(), *homes.values(), *decimals.values()]
    for market, read in states.items():
        state = state_of(answers[read])
        if state is not None and listings[market].irm == ZERO_ADDRESS:
            state = msgspec.structs.replace(state, updated=0)
        book.learn("state", market, state)
        book.learn("target", market, integer(answers, targets[market]) if market in targets else None)
    for token, read in decimals.items():
        book.learn("decimals", token, integer(answers, read))
    at_home = {model for model, read in homes.items() if address(answers, read) == morpho}
    yield from _recognise(book, modelled, at_home)


def state_of(answer: str | None) -> State | None:
    """A market's storage."""
    return State(*(word(answer, i) for i in range(STATE_WORDS))) if answer and size(answer) >= STATE_WORDS else None


def _recognise(book: Book, listings: dict[str, Listing], at_home: Collection[Address]) -> Inquiry:
    """An adaptive curve says of all these markets what is computed here, at the time of the block that is asked."""
    candidates = {
        market: rate_view(entry, book.fact("state", market))
        for market, entry in listings.items()
        if entry.irm in at_home and book.fact("state", market) is not None
    }
    answers = yield [HeaderOf(), *candidates.values()]
    now = answers[HeaderOf()].timestamp
    others = {entry.irm for entry in listings.values()} - set(at_home)
    for market, read in candidates.items():
        state, target = book.fact("state", market), book.fact("target", market)
        rate = None if target is None else irm.borrow_rate(state, target, now - state.updated)[0]
        if rate is None or rate != integer(answers, read):
            others.add(listings[market].irm)
    for entry in listings.values():
        known = book.fact("irm", entry.irm)
        book.learn("irm", entry.irm, VIEWED if entry.irm in others or known == VIEWED else ADAPTIVE)
