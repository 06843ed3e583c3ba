"""What oracles, feeds and vaults answer, and which of them tell it by themselves.

Laws
- An oracle is a model only if its price is just what its feeds and vaults make; a feed is followed only if an
  aggregator that speaks up gives the same answer. All else is viewed, in the one batch of each block.
- Only markets with debt are asked about: prices of others are not known, and forgotten.
"""

from collections.abc import Iterable, Sequence

from keeper.core.book import Book
from keeper.core.calls import address, integer, size
from keeper.core.events import Read, signed_word, word
from keeper.core.ports import Answers, Inquiry
from keeper.core.units import ZERO_ADDRESS, Address
from keeper.protocols.morpho_blue.calls import MODEL, call, rate_view
from keeper.protocols.morpho_blue.facts import UNMODELLED, VIEWED, Listing, Oracle, vault_key
from keeper.protocols.morpho_blue.view import price_of


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
    known = {oracle: book.fact("oracle", oracle) or UNMODELLED for oracle in oracles(book, used)}
    feeds = {feed for model in known.values() for feed in model.feeds}
    vaults = {pair for model in known.values() for pair in model.vaults}
    touched = {subject.removeprefix("oracle:") for subject in book.facts("stale") if subject.startswith("oracle:")}
    prices = {oracle: call(Address(oracle), "price()") for oracle, model in known.items() if not model.scale}
    checks = {
        oracle: call(Address(oracle), "price()") for oracle, model in known.items() if model.scale and oracle in touched
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


def models(book: Book, wanted: Sequence[str]) -> Inquiry:
    """Of what some oracles' prices are made, if it is of what MorphoChainlinkOracleV2 makes them."""
    parts = {oracle: [call(Address(oracle), name) for name in MODEL] for oracle in wanted}
    prices = {oracle: call(Address(oracle), "price()") for oracle in wanted}
    answers = yield [*prices.values(), *(read for reads in parts.values() for read in reads)]
    found = {oracle: model for oracle, reads in parts.items() if (model := _model(answers, reads)) is not None}
    said = {feed: call(feed, "latestRoundData()") for model in found.values() for feed in model.feeds}
    worth = {
        pair: call(pair[0], "convertToAssets(uint256)", pair[1]) for model in found.values() for pair in model.vaults
    }
    values = yield [*said.values(), *worth.values()]
    scratch = Book()
    for feed, read in said.items():
        scratch.learn("answer", feed, _round_answer(values[read]))
    for pair, read in worth.items():
        scratch.learn("vault", vault_key(*pair), integer(values, read))
    for oracle in wanted:
        model = found.get(oracle, UNMODELLED)
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
