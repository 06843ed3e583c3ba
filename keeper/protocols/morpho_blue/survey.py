"""What is asked of the chain about Morpho Blue, and how the answers become facts.

Laws
- What cannot be read sets aside its own subject (a fact is missing and ``adapter.quarantined`` says which), never more.
- A rate model is computed here only if, at the block of the survey, it says of every market just what was computed; an
  oracle only if its price is just what its feeds and vaults make. All else is viewed, in the one batch of each block.
- Prices and viewed rates are known of markets that have debt, and forgotten of others.
"""

from collections.abc import Collection, Iterable, Sequence
from typing import Final

import msgspec

from keeper.core.book import Book
from keeper.core.calls import address, integer, size
from keeper.core.events import Log, Read, signed_word, word
from keeper.core.ports import Answers, Ask, HeaderOf, Inquiry, InquiryOf, LogsOf
from keeper.core.units import ZERO_ADDRESS, Address, owner, pocket
from keeper.protocols.morpho_blue import irm
from keeper.protocols.morpho_blue.apply import Applier, put
from keeper.protocols.morpho_blue.calls import MODEL, call, of_market, rate_view
from keeper.protocols.morpho_blue.decode import decode
from keeper.protocols.morpho_blue.events import CreatePreLiquidation, SetAuthorization
from keeper.protocols.morpho_blue.facts import (
    ADAPTIVE,
    COLLATERAL,
    DEBT,
    UNMODELLED,
    VIEWED,
    Listing,
    Oracle,
    State,
    vault_key,
)
from keeper.protocols.morpho_blue.topics import CREATE_PRE_LIQUIDATION, SET_AUTHORIZATION
from keeper.protocols.morpho_blue.view import price_of

_STATE_WORDS: Final = 6


# --- the whole -------------------------------------------------------------------------------------------------


def survey(book: Book, morpho: Address) -> Inquiry:
    """Every fact, and every position that history left in doubt."""
    for kind in ("irm", "oracle", "feed"):
        for key in list(book.facts(kind)):
            book.learn(kind, key, None)
    yield from markets(book, morpho, list(book.facts("listing")))
    yield from _models(book, oracles(book))
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
        yield from _models(book, unknown)
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
    return State(*(word(answer, i) for i in range(_STATE_WORDS))) if answer and size(answer) >= _STATE_WORDS else None


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


# --- what is viewed each block ---------------------------------------------------------------------------------


def in_use(book: Book) -> dict[str, Listing]:
    """Markets with debt: the others have nobody to liquidate."""
    return {
        market: listing
        for market, listing in book.facts("listing").items()
        if (state := book.fact("state", market)) is not None and state.borrow_shares
    }


def views(book: Book) -> Inquiry:
    """Everything that can change without a word, in one batch; then the feeds that turned out to be another's."""
    used = in_use(book)
    models = {oracle: book.fact("oracle", oracle) or UNMODELLED for oracle in oracles(book, used)}
    feeds = {feed for model in models.values() for feed in model.feeds}
    vaults = {pair for model in models.values() for pair in model.vaults}
    touched = {subject.removeprefix("oracle:") for subject in book.facts("stale") if subject.startswith("oracle:")}
    prices = {oracle: call(Address(oracle), "price()") for oracle, model in models.items() if not model.scale}
    checks = {
        oracle: call(Address(oracle), "price()")
        for oracle, model in models.items()
        if model.scale and oracle in touched
    }
    rates = {
        market: rate_view(entry, book.fact("state", market))
        for market, entry in used.items()
        if book.fact("irm", entry.irm) == VIEWED
    }
    behind = {feed: call(feed, "aggregator()") for feed in feeds}
    said = {feed: call(feed, "latestRoundData()") for feed in feeds if _unfollowed(book, feed)}
    worth = {vault_key(*pair): call(pair[0], "convertToAssets(uint256)", pair[1]) for pair in vaults}
    answers = yield list(_all(prices, checks, rates, behind, said, worth))
    _replace(book, "price", answers, prices)
    _replace(book, "rate", answers, rates)
    _replace(book, "vault", answers, worth)
    for feed, read in said.items():
        book.learn("answer", feed, _round_answer(answers[read]))
    yield from _follow(book, {feed: address(answers, read) for feed, read in behind.items()})
    for kind in ("feed", "answer"):
        for feed in set(book.facts(kind)) - feeds:
            book.learn(kind, feed, None)
    _demote(book, answers, checks)


def _all(*groups: dict[str, Read]) -> Iterable[Read]:
    for group in groups:
        yield from group.values()


def _replace(book: Book, kind: str, answers: Answers, reads: dict[str, Read]) -> None:
    """All facts of a kind, from these answers and no others."""
    for key in set(book.facts(kind)) - set(reads):
        book.learn(kind, key, None)
    for key, read in reads.items():
        book.learn(kind, key, integer(answers, read))


def _round_answer(data: str | None) -> int | None:
    return signed_word(data, 1) if data is not None and size(data) > 1 else None


def _unfollowed(book: Book, feed: str) -> bool:
    return book.fact("feed", feed) in (None, ZERO_ADDRESS) or book.fact("stale", f"feed:{feed}") is not None


def _follow(book: Book, behind: dict[str, Address]) -> Inquiry:
    """Which aggregator's events tell a feed's answers: the one that gives the feed's own answer."""
    moved = {feed: found for feed, found in behind.items() if found != book.fact("feed", feed)}
    if not moved:
        return
    own = {feed: call(Address(feed), "latestRoundData()") for feed in moved}
    theirs = {feed: call(found, "latestRoundData()") for feed, found in moved.items() if found != ZERO_ADDRESS}
    answers = yield list(_all(own, theirs))
    for feed, found in moved.items():
        answer = _round_answer(answers[own[feed]])
        followed = feed in theirs and answer is not None and _round_answer(answers[theirs[feed]]) == answer
        book.learn("feed", feed, found if followed else ZERO_ADDRESS)
        book.learn("answer", feed, answer)


def _demote(book: Book, answers: Answers, checks: dict[str, Read]) -> None:
    """An oracle whose feed spoke and whose price is not what that makes was not what it seemed."""
    for oracle, read in checks.items():
        price = integer(answers, read)
        if price_of(book, oracle) != price:
            book.learn("oracle", oracle, UNMODELLED)
            book.learn("price", oracle, price)


# --- oracles ---------------------------------------------------------------------------------------------------


def oracles(book: Book, ids: Iterable[str] | None = None) -> list[str]:
    """The oracles of markets, and of offers in them."""
    listings = book.facts("listing")
    wanted = set(listings if ids is None else ids)
    found = [listings[market].oracle for market in listings if market in wanted]
    found += [offer.oracle for offer in book.facts("offer").values() if offer.market in wanted]
    return list(dict.fromkeys(found))


def _models(book: Book, wanted: Sequence[str]) -> Inquiry:
    """Of what some oracles' prices are made, if it is of what MorphoChainlinkOracleV2 makes them."""
    parts = {oracle: [call(Address(oracle), name) for name in MODEL] for oracle in wanted}
    prices = {oracle: call(Address(oracle), "price()") for oracle in wanted}
    answers = yield [*prices.values(), *(read for reads in parts.values() for read in reads)]
    models = {oracle: model for oracle, reads in parts.items() if (model := _model(answers, reads)) is not None}
    said = {feed: call(feed, "latestRoundData()") for model in models.values() for feed in model.feeds}
    worth = {
        pair: call(pair[0], "convertToAssets(uint256)", pair[1]) for model in models.values() for pair in model.vaults
    }
    values = yield [*said.values(), *worth.values()]
    scratch = Book()
    for feed, read in said.items():
        scratch.learn("answer", feed, _round_answer(values[read]))
    for pair, read in worth.items():
        scratch.learn("vault", vault_key(*pair), integer(values, read))
    for oracle in wanted:
        model = models.get(oracle, UNMODELLED)
        scratch.learn("oracle", oracle, model)
        same = price_of(scratch, oracle) == integer(answers, prices[oracle])
        book.learn("oracle", oracle, model if same else UNMODELLED)


def _model(answers: Answers, reads: Sequence[Read]) -> Oracle | None:
    if any(size(answers[read]) != 1 for read in reads):
        return None
    base_vault, _, base_1, base_2, quote_vault, _, quote_1, quote_2, _ = (address(answers, read) for read in reads)
    base_sample, quote_sample, scale = (word(answers[reads[at]], 0) for at in (1, 5, 8))
    return Oracle(
        base_vault, base_sample, (base_1, base_2), quote_vault, quote_sample, (quote_1, quote_2), scale
    )  # fmt: skip


# --- positions and offers --------------------------------------------------------------------------------------


def doubts(book: Book, morpho: Address) -> Inquiry:
    """Positions that events could not tell."""
    rows = [book.open(Address(account)) for account in book.facts("doubt")]
    yield from reread(book, morpho, rows)
    for account in list(book.facts("doubt")):
        book.learn("doubt", account, None)


def reread(book: Book, morpho: Address, rows: Sequence[int]) -> Inquiry:
    """Take some positions from the chain; of an offer: nothing, unless it is consented to."""
    reads: dict[int, tuple[Read, Read | None, int]] = {}
    for row in rows:
        account = book.account(row)
        where, who = pocket(account), owner(account)
        offer = book.fact("offer", where)
        number = book.fact("listing", where).number if offer is None else offer.number
        market = where if offer is None else offer.market
        asked = None if offer is None else call(morpho, "isAuthorized(address,address)", who, Address(where))
        reads[row] = of_market(morpho, "position(bytes32,address)", market, who), asked, number
    asks: list[Ask] = [read for group in reads.values() for read in group[:2] if read is not None]
    answers = yield asks
    for row, (read, asked, number) in reads.items():
        held = asked is None or bool(integer(answers, asked))
        put(book, row, number << 1 | COLLATERAL, (integer(answers, read, 2) or 0) * held)
        put(book, row, number << 1 | DEBT, (integer(answers, read, 1) or 0) * held)


def factories(book: Book, candidates: Collection[Address], morpho: Address, applier: Applier) -> Inquiry:
    """Whose pre-liquidations act on this Morpho, and which there are: consent may be older than their creation."""
    reads = {factory: call(factory, "MORPHO()") for factory in candidates}
    answers = yield list(reads.values())
    found = frozenset(factory for factory, read in reads.items() if address(answers, read) == morpho)
    for factory in found:
        book.learn("factory", factory, value=True)
    if found:
        ask = LogsOf(found, frozenset({CREATE_PRE_LIQUIDATION}))
        created = yield [ask]
        for log in created[ask]:
            event = decode(log)
            if isinstance(event, CreatePreLiquidation):
                applier.offer(book, event)


def prepare(book: Book, logs: Sequence[Log], morpho: Address, applier: Applier) -> InquiryOf[None]:
    """Who consented to a new offer before there was one: its address could be foreseen."""
    created = [
        event.contract
        for log in logs
        if book.fact("factory", log.address) and isinstance(event := decode(log), CreatePreLiquidation)
        and book.fact("offer", event.contract) is None
    ]  # fmt: skip
    if not created:
        return
    for log in logs:
        event = decode(log)
        if isinstance(event, CreatePreLiquidation) and event.contract in created:
            applier.offer(book, event)
    ask = LogsOf(frozenset({morpho}), frozenset({SET_AUTHORIZATION}))
    answers = yield [ask]
    for log in answers[ask]:
        event = decode(log)
        if isinstance(event, SetAuthorization) and event.authorized in created:
            applier.authorise(book, event.owner, event.authorized, given=event.given)
