"""What is asked of the chain about an Aave v3 market, and how the answers become facts.

Laws
- Everything is read by calls that every release has, or whose absence is an answer; releases are told by code.
- What cannot be read sets aside its own subject (a fact is missing and ``adapter.quarantined`` says which), never more.
- A price is what the oracle answers at the block. Where a feed is known to be the source, its events foretell it;
  one call a block checks all of them, and a source that answers otherwise is resolved again.
"""

from collections.abc import Iterable, Sequence
from typing import Final

from keeper.core import calls
from keeper.core.book import Book
from keeper.core.calls import address, integer
from keeper.core.events import Log, Read, word, word_address
from keeper.core.ports import Answers, CodeOf, Inquiry, InquiryOf, SlotOf
from keeper.core.units import ZERO_ADDRESS, Address
from keeper.protocols.aave_v3 import probe, topics
from keeper.protocols.aave_v3.calls import IMPLEMENTATION_SLOT, call, prices_call
from keeper.protocols.aave_v3.decode import decode
from keeper.protocols.aave_v3.events import POOL, PartUpgraded, ReserveInitialized, TokenKind, TokenUpgraded
from keeper.protocols.aave_v3.facts import CONFIG_MASK, STABLE, UNKNOWN, EMode, Listing, MarketParts, Source
from keeper.protocols.aave_v3.health import Rates
from keeper.protocols.aave_v3.profiles import PROFILES

STRUCTURAL: Final = frozenset(
    {
        topics.RESERVE_INITIALIZED,
        topics.ATOKEN_UPGRADED,
        topics.VARIABLE_DEBT_TOKEN_UPGRADED,
        topics.STABLE_DEBT_TOKEN_UPGRADED,
        topics.POOL_UPDATED,
    }
)
VIRTUAL_ACCOUNTING = 252  # configuration bit
CATEGORIES = range(1, 256)


# --- the whole market ------------------------------------------------------------------------------------------


def survey(book: Book, provider: Address) -> Inquiry:
    """Every fact, and every amount that history left in doubt."""
    yield from parts(book, provider)
    yield from listings(book)
    yield from implementations(book)
    yield from reserves(book, listed(book))
    yield from emodes(book, CATEGORIES)
    yield from sources(book, listed(book))
    yield from prices(book)
    yield from sentinel(book)
    yield from doubts(book)
    for subject in list(book.facts("stale")):
        book.learn("stale", subject, None)


def parts(book: Book, provider: Address) -> Inquiry:
    """The market's contracts, from its addresses provider."""
    pool, configurator, oracle, sentry = (
        call(provider, f"{name}()")
        for name in ("getPool", "getPoolConfigurator", "getPriceOracle", "getPriceOracleSentinel")
    )
    first = yield [pool, configurator, oracle, sentry]
    at = address(first, oracle)
    premium = call(address(first, pool), "FLASHLOAN_PREMIUM_TOTAL()")
    fallback, currency, unit = (
        call(at, f"{name}()") for name in ("getFallbackOracle", "BASE_CURRENCY", "BASE_CURRENCY_UNIT")
    )
    second = yield [premium, fallback, currency, unit]
    book.learn(
        "market",
        "",
        MarketParts(
            pool=address(first, pool),
            configurator=address(first, configurator),
            oracle=at,
            sentinel=address(first, sentry),
            fallback=address(second, fallback),
            base_currency=address(second, currency),
            base_unit=integer(second, unit) or 0,
            flash_premium=integer(second, premium) or 0,
        ),
    )


def listings(book: Book) -> Inquiry:
    """The reserves: ids, tokens, decimals."""
    read = call(book.fact("market").pool, "getReservesList()")
    answers = yield [read]
    assets = calls.addresses(answers, read) or []
    yield from listing(book, assets)
    for asset in set(book.facts("listing")) - set(assets):
        for kind in ("listing", "config", "grace", "rates", "liquidity", "deficit", "source", "price"):
            book.learn(kind, asset, None)


def listing(book: Book, assets: Iterable[Address]) -> Inquiry:
    """Tokens and id of some reserves. One that is not there (any more) has no tokens and is left out."""
    reads = {asset: call(book.fact("market").pool, "getReserveData(address)", asset) for asset in assets}
    answers = yield list(reads.values())
    for asset, read in reads.items():
        data = answers[read]
        if calls.size(data) > 10 and word(data, 8):  # noqa: PLR2004 - words of the struct
            book.learn(
                "listing",
                asset,
                Listing(
                    id=word(data, 7),
                    collateral_token=word_address(data, 8),
                    debt_token=word_address(data, 10),
                    stable_token=word_address(data, 9),
                    decimals=word(data, 0) >> 48 & 0xFF,
                ),
            )


def implementations(book: Book) -> Inquiry:
    """What is behind the proxies of the pool and of the tokens, and which release its code is of."""
    yield from _behind(book, [book.fact("market").pool])
    yield from _behind_tokens(book, book.facts("listing"))
    for contract in set(book.facts("code")) - set(book.facts("impl").values()):
        book.learn("code", contract, None)


def _behind(book: Book, proxies: Sequence[Address]) -> Inquiry:
    asks = {proxy: SlotOf(proxy, IMPLEMENTATION_SLOT) for proxy in proxies}
    answers = yield list(asks.values())
    for proxy, ask in asks.items():
        found = Address("0x" + answers[ask][2:].rjust(40, "0")[-40:])
        book.learn("impl", proxy, proxy if found == ZERO_ADDRESS else found)
    yield from recognise(book, [book.fact("impl", proxy) for proxy in proxies])


def _behind_tokens(book: Book, assets: Iterable[str]) -> Inquiry:
    known = [entry for asset in assets if (entry := book.fact("listing", asset)) is not None]
    yield from _behind(book, [token for entry in known for token in entry.tokens[:STABLE]])


def recognise(book: Book, contracts: Iterable[Address]) -> Inquiry:
    """Tell the release of some implementations, of the pool or of tokens, from their code."""
    unknown = [contract for contract in dict.fromkeys(contracts) if book.fact("code", contract) is None]
    if not unknown:
        return
    answers = yield [CodeOf(contract) for contract in unknown]
    codes = {contract: answers[CodeOf(contract)] for contract in unknown}
    behind = {
        contract: [CodeOf(library) for library in probe.library_addresses(code)] for contract, code in codes.items()
    }
    linked = yield [ask for asks in behind.values() for ask in asks]
    for contract, code in codes.items():
        libraries = [linked[ask] for ask in behind[contract]]
        book.learn("code", contract, probe.version_of(code, libraries) or UNKNOWN)


# --- one reserve, one category ---------------------------------------------------------------------------------


def reserves(book: Book, assets: Sequence[Address]) -> Inquiry:
    """Configuration, rates, grace period, deficit and liquidity of some reserves."""
    pool = book.fact("market").pool
    data = {asset: call(pool, "getReserveData(address)", asset) for asset in assets}
    grace = {asset: call(pool, "getLiquidationGracePeriod(address)", asset) for asset in assets}
    deficit = {asset: call(pool, "getReserveDeficit(address)", asset) for asset in assets}
    answers = yield [*data.values(), *grace.values(), *deficit.values()]
    for asset in assets:
        _learn_reserve(book, asset, answers[data[asset]])
        book.learn("grace", asset, integer(answers, grace[asset]) or None)
        book.learn("deficit", asset, integer(answers, deficit[asset]) or None)
    yield from liquidity(book, assets)


def _learn_reserve(book: Book, asset: Address, data: str | None) -> None:
    if data is None or calls.size(data) < 7:  # noqa: PLR2004 - words of the struct
        book.learn("config", asset, None)
        book.learn("rates", asset, None)
        return
    book.learn("config", asset, word(data, 0) & CONFIG_MASK)
    book.learn(
        "rates",
        asset,
        Rates(
            liquidity_index=word(data, 1),
            liquidity_rate=word(data, 2),
            borrow_index=word(data, 3),
            borrow_rate=word(data, 4),
            updated=word(data, 6),
        ),
    )


def liquidity(book: Book, assets: Iterable[Address]) -> Inquiry:
    """How much underlying can leave the pool."""
    reads = {asset: _liquidity_read(book, asset) for asset in assets}
    answers = yield list(reads.values())
    for asset, read in reads.items():
        book.learn("liquidity", asset, integer(answers, read))


def _liquidity_read(book: Book, asset: Address) -> Read:
    """Since 3.1 the pool counts for itself, except reserves that it does not account for."""
    pool = book.fact("market").pool
    profile = PROFILES.get(book.fact("code", book.fact("impl", pool)))
    virtual = (
        profile is not None and profile.grace_period and (book.fact("config", asset) or 0) >> VIRTUAL_ACCOUNTING & 1
    )
    if virtual or (profile is not None and profile.custom_errors):
        return call(pool, "getVirtualUnderlyingBalance(address)", asset)
    return call(asset, "balanceOf(address)", book.fact("listing", asset).collateral_token)


def emodes(book: Book, categories: Iterable[int]) -> Inquiry:
    """E-mode categories of both kinds."""
    pool = book.fact("market").pool
    profile = PROFILES.get(book.fact("code", book.fact("impl", pool)))
    old = (
        {}
        if profile and profile.bitmap_emodes
        else {i: call(pool, "getEModeCategoryData(uint8)", i) for i in categories}
    )
    new = {
        i: call(pool, "getEModeCategoryCollateralConfig(uint8)", i)
        for i in categories
        if profile is None or profile.bitmap_emodes
    }
    bitmaps = {i: call(pool, "getEModeCategoryCollateralBitmap(uint8)", i) for i in new}
    answers = yield [*old.values(), *new.values(), *bitmaps.values()]
    for category, read in old.items():
        if calls.size(answers[read]) > 4:  # noqa: PLR2004 - words of the struct
            source = word_address(answers[read], 4)
            _learn_emode(book, category, integer(answers, read, 2), integer(answers, read, 3), source, 0)
    for category, read in new.items():
        if calls.size(answers[read]) > 2:  # noqa: PLR2004 - words of the struct
            members = integer(answers, bitmaps[category]) or 0
            _learn_emode(book, category, integer(answers, read, 1), integer(answers, read, 2), ZERO_ADDRESS, members)


def _learn_emode(
    book: Book, category: int, threshold: int | None, bonus: int | None, source: Address, members: int
) -> None:
    empty = not threshold and not members and source == ZERO_ADDRESS
    value = None if empty else EMode(threshold or 0, bonus or 0, source, members)
    book.learn("emode", str(category), value)


# --- prices ----------------------------------------------------------------------------------------------------


def sources(book: Book, assets: Sequence[Address]) -> Inquiry:
    """Where prices come from: a plain proxy over an aggregator is followed by events, all else is viewed."""
    oracle = book.fact("market").oracle
    reads = {asset: call(oracle, "getSourceOfAsset(address)", asset) for asset in assets}
    answers = yield list(reads.values())
    found = {asset: address(answers, read) for asset, read in reads.items()}
    feeds = yield from _feeds([source for source in found.values() if source != ZERO_ADDRESS])
    for asset, source in found.items():
        book.learn("source", asset, Source(source, feeds.get(source, ZERO_ADDRESS)))


def _feeds(proxies: Sequence[Address]) -> InquiryOf[dict[Address, Address]]:
    """The aggregator behind each plain proxy: it has a phase, and both give the same answer."""
    first = yield [call(proxy, f"{name}()") for proxy in proxies for name in ("aggregator", "phaseId", "latestAnswer")]
    behind = {
        proxy: address(first, call(proxy, "aggregator()"))
        for proxy in proxies
        if integer(first, call(proxy, "phaseId()")) is not None
    }
    second = yield [call(feed, "latestAnswer()") for feed in behind.values()]
    return {
        proxy: feed
        for proxy, feed in behind.items()
        if feed != ZERO_ADDRESS
        and second[call(feed, "latestAnswer()")] is not None
        and second[call(feed, "latestAnswer()")] == first[call(proxy, "latestAnswer()")]
    }


def listed(book: Book) -> list[Address]:
    """All reserves."""
    return [Address(asset) for asset in book.facts("listing")]


def priced(book: Book) -> list[Address]:
    """What needs a price: every reserve, and the price sources of e-mode categories."""
    extra = [emode.price_source for emode in book.facts("emode").values() if emode.price_source != ZERO_ADDRESS]
    return [*listed(book), *extra]


def prices(book: Book) -> Inquiry:
    """All prices in one call; one by one where that reverts, so that a dead feed costs only its own asset."""
    oracle, assets = book.fact("market").oracle, priced(book)
    whole = prices_call(oracle, assets)
    answers = yield [whole]
    found = calls.integers(answers, whole)
    if found is None:
        yield from _prices_singly(book, oracle, assets)
    else:
        for asset, price in zip(assets, found, strict=True):
            _learn_price(book, asset, price)


def _prices_singly(book: Book, oracle: Address, assets: Sequence[Address]) -> Inquiry:
    reads = {asset: call(oracle, "getAssetPrice(address)", asset) for asset in assets}
    answers = yield list(reads.values())
    for asset, read in reads.items():
        _learn_price(book, asset, integer(answers, read))


def _learn_price(book: Book, asset: Address, price: int | None) -> None:
    """A followed source that answers otherwise than its feed said is to be resolved again."""
    source = book.fact("source", asset)
    if source is not None and source.feed != ZERO_ADDRESS and book.fact("price", asset) not in (price, None):
        book.learn("stale", f"source:{asset}", value=True)
    book.learn("price", asset, price)


def sentinel(book: Book) -> Inquiry:
    """Whether liquidations are allowed at all."""
    guard = book.fact("market").sentinel
    if guard == ZERO_ADDRESS:
        book.learn("allowed", "", None)
        return
    read = call(guard, "isLiquidationAllowed()")
    answers = yield [read]
    book.learn("allowed", "", bool(integer(answers, read)))


# --- amounts ---------------------------------------------------------------------------------------------------


def doubts(book: Book) -> Inquiry:
    """Amounts that events could not tell: read from their tokens. Stable debts are always read whole."""
    unsure = [tuple(key.split(":")) for key in book.facts("doubt")]
    reads: dict[tuple[str, str], list[Read]] = {
        (token, account): amount_reads(book, Address(token), Address(account)) for token, account in unsure
    }
    answers = yield [read for group in reads.values() for read in group]
    for (token, account), group in reads.items():
        learn_amount(book, Address(token), Address(account), group, answers)
        book.learn("doubt", f"{token}:{account}", None)


def amount_reads(book: Book, token: Address, account: Address) -> list[Read]:
    """What to ask of a token about one account."""
    if (column_of(book, token) or 0) & 3 == STABLE:
        names = ("principalBalanceOf", "getUserStableRate", "getUserLastUpdated")
        return [call(token, f"{name}(address)", account) for name in names]
    return [call(token, "scaledBalanceOf(address)", account)]


def learn_amount(book: Book, token: Address, account: Address, reads: Sequence[Read], answers: Answers) -> None:
    """Put what a token said into the book."""
    column = column_of(book, token)
    if column is not None:
        amount, *annex = (integer(answers, read) or 0 for read in reads)
        book.set_amount(book.open(account), column, amount, tuple(annex) if amount else ())


def column_of(book: Book, token: Address) -> int | None:
    """The column of a token's amounts, by looking through the listings."""
    for entry in book.facts("listing").values():
        if token in entry.tokens:
            side: int = entry.tokens.index(token)
            return int(entry.id) << 2 | side
    return None


# --- what logs ask for -----------------------------------------------------------------------------------------


def prepare(book: Book, logs: Sequence[Log]) -> Inquiry:
    """New reserves and new implementations must be known before the logs that follow them can be applied."""
    assets: list[Address] = []
    contracts: list[Address] = []
    for log in logs:
        match decode(log) if log.topics and log.topics[0] in STRUCTURAL else None:
            case ReserveInitialized(asset):
                assets.append(asset)
            case TokenUpgraded(kind, _, _, implementation) if kind is not TokenKind.STABLE:
                contracts.append(implementation)
            case PartUpgraded(part, implementation) if part == POOL:
                contracts.append(implementation)
    if assets:
        yield from listing(book, assets)
        yield from _behind_tokens(book, [asset for asset in assets if not _known(book, asset)])
    yield from recognise(book, contracts)


def _known(book: Book, asset: Address) -> bool:
    """Whether it was said what is behind the tokens of a reserve, perhaps as it was before a later upgrade."""
    entry = book.fact("listing", asset)
    return entry is not None and book.fact("impl", entry.collateral_token) is not None


def refresh(book: Book, provider: Address) -> Inquiry:
    """After a live block: read again what its events touched, and check every price."""
    stale = set(book.facts("stale"))
    if "market" in stale:
        yield from survey(book, provider)
        return
    subjects = [subject.split(":") for subject in stale]
    by_kind = {
        kind: [Address(key) for found, key in subjects if found == kind and key in book.facts("listing")]
        for kind in ("reserve", "liquidity", "source")
    }
    if by_kind["reserve"]:
        yield from reserves(book, by_kind["reserve"])
    categories = [int(key) for found, key in subjects if found == "emode"]
    if categories:
        yield from emodes(book, categories)
    moved = [asset for asset in by_kind["liquidity"] if asset not in by_kind["reserve"]]
    if moved:
        yield from liquidity(book, moved)
    yield from prices(book)
    again = [Address(key.split(":")[1]) for key in book.facts("stale") if key.startswith("source:")]
    if again:
        yield from sources(book, again)
    yield from sentinel(book)
    yield from doubts(book)
    for subject in list(book.facts("stale")):
        book.learn("stale", subject, None)
