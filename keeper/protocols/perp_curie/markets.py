"""What one market of the exchange is asked: status, fees, feed, pool, observations and accumulators."""

from collections.abc import Iterable, Sequence
from typing import Final

from keeper.core.book import Book
from keeper.core.calls import address, integer, size
from keeper.core.events import Read, signed_word, word
from keeper.core.ports import Answers, Inquiry
from keeper.core.units import ZERO_ADDRESS, Address
from keeper.protocols.perp_curie import facts, pools, storage
from keeper.protocols.perp_curie.asking import ring, together
from keeper.protocols.perp_curie.calls import call
from keeper.protocols.perp_curie.facts import CLOSED, OPEN, PAUSED, Feed, Fees, Index, Parts, Risk, Seen, Status, Track
from keeper.protocols.perp_curie.view import funding_interval
from keeper.venues.uniswap_v3.pool import UniswapV3Pool

_FEED_DECIMALS: Final = 18
_FEED_OBSERVATIONS: Final = 1_800  # places in a price feed's ring
_INFO: Final = 5  # words of a market's info


def feed(book: Book, base: str) -> Inquiry:
    """Where the index comes from. A dispatcher with a second source may switch: its prices are viewed."""
    dispatcher = call(Address(base), "getPriceFeed()")
    answers = yield [dispatcher]
    at = address(answers, dispatcher)
    first, second = (call(at, f"{name}()") for name in ("getChainlinkPriceFeedV3", "getUniswapV3PriceFeed"))
    answers = yield [first, second]
    source = address(answers, first)
    plain = source != ZERO_ADDRESS and size(answers[second]) > 0 and address(answers, second) == ZERO_ADDRESS
    if not plain:
        book.learn("feed", base, Feed(at, ZERO_ADDRESS, ZERO_ADDRESS, 0, 0))
        book.learn("index", base, None)
        return
    decimals, aggregator = call(source, "decimals()"), call(source, "getAggregator()")
    cache = storage.cache_slots(source)[1]
    answers = yield [decimals, aggregator, cache]
    _, interval = storage.cached_at(int(answers[cache], 16))
    book.learn("seen", base, None)
    book.learn("feed", base, Feed(at, source, address(answers, aggregator), integer(answers, decimals) or 0, interval))


def status(book: Book, base: str) -> Inquiry:
    """Whether the market is open, at what price it is settled when not, and what a trade costs."""
    parts: Parts = book.fact("parts")
    token = Address(base)
    names = ("isOpen", "isPaused", "getPausedTimestamp", "getPausedIndexPrice", "getClosedPrice")
    reads = [call(token, f"{name}()") for name in names]
    info = call(parts.registry, "getMarketInfo(address)", token)
    cap = call(parts.exchange, "getMaxTickCrossedWithinBlock(address)", token)
    answers = yield [*reads, info, cap]
    is_open, is_paused, since, index_price, closed_at = (integer(answers, read) or 0 for read in reads)
    book.learn(
        "status", base, Status(OPEN if is_open else PAUSED if is_paused else CLOSED, since, index_price, closed_at)
    )
    if size(answers[info]) >= _INFO:
        exchange, share, spread = (word(answers[info], at) for at in (1, 3, 4))
        book.learn("fees", base, Fees(exchange, share, spread, integer(answers, cap) or 0))


def whole(book: Book, base: str) -> Inquiry:
    """Feed, pool, observations and accumulators."""
    yield from feed(book, base)
    yield from together([_pool(book, base), _track(book, base), accumulators(book, base), index(book, base)])


def _pool(book: Book, base: str) -> Inquiry:
    found = yield from pools.load(book, base)
    if isinstance(found, UniswapV3Pool):
        pools.remember(book, base, found)


def _track(book: Book, base: str) -> Inquiry:
    """The pool's own observations, as far back as averages need them."""
    pool = book.fact("listing", base).pool
    slot0 = call(pool, "slot0()")
    answers = yield [slot0]
    newest, length = word(answers[slot0], 2), word(answers[slot0], 3)
    first = _observation(pool, newest)
    answers = yield [first]
    floor = facts.floor(book, base, word(answers[first], 0))
    found = yield from ring(lambda at: _observation(pool, at), newest, length, lambda data: word(data, 0) <= floor)
    found.reverse()
    at, cumulative = (tuple(read(data, i) for data in found) for read, i in ((word, 0), (signed_word, 1)))
    book.learn("track", base, Track(at, cumulative, at[0]))
    yield from oldest(book, base)


def oldest(book: Book, base: str) -> Inquiry:
    """How far back the pool remembers: to the place its next observation goes to, or to the first place."""
    pool = book.fact("listing", base).pool
    slot0, first = call(pool, "slot0()"), _observation(pool, 0)
    answers = yield [slot0, first]
    newest, length = word(answers[slot0], 2), word(answers[slot0], 3)
    last = _observation(pool, (newest + 1) % length)
    written = yield [last]
    track: Track = book.fact("track", base)
    data = written[last] if word(written[last], 3) else answers[first]
    book.learn("track", base, Track(track.at, track.cumulative, word(data, 0)))


def _observation(pool: Address, place: int) -> Read:
    return call(pool, "observations(uint256)", place)


def accumulators(book: Book, base: str) -> Inquiry:
    """Funding and fees, as they were last settled."""
    parts: Parts = book.fact("parts")
    slots = storage.growth_slots(parts.exchange, parts.order_book, base)
    answers = yield slots
    book.learn("growth", base, storage.growth_of([int(answers[slot], 16) for slot in slots]))


def outside(book: Book, base: str, ticks: Iterable[int]) -> Inquiry:
    """The same outside of some ticks."""
    order_book = book.fact("parts").order_book
    slots = {tick: storage.outside_slots(order_book, base, tick) for tick in ticks}
    answers = yield [slot for places in slots.values() for slot in places]
    for tick, places in slots.items():
        found = storage.outside_of([int(answers[slot], 16) for slot in places])
        book.learn("outside", f"{base}:{tick}", None if found == storage.NOTHING else found)


def known_outside(book: Book, base: str) -> list[int]:
    """Ticks that something was read of; it is gone once nobody's order ends there."""
    return [int(key.rpartition(":")[2]) for key in book.facts("outside") if key.startswith(f"{base}:")]


def index(book: Book, base: str) -> Inquiry:
    """What the price feed remembers and has cached."""
    source: Feed = book.fact("feed", base)
    if source.source == ZERO_ADDRESS:
        return
    newest, cache = call(source.source, "currentObservationIndex()"), storage.cache_slots(source.source)
    settled = storage.settled_slot(book.fact("parts").exchange, base)
    answers = yield [newest, *cache, settled]
    place, cached = integer(answers, newest) or 0, int(answers[cache[0]], 16)
    cached_at, _ = storage.cached_at(int(answers[cache[1]], 16))
    if cached_at != int(answers[settled], 16):  # nobody was told of it: not by a settlement of an open market
        cached = cached_at = 0
    risk: Risk = book.fact("risk")
    kept = 2 * max(risk.premium_interval, risk.funding_interval)
    last: list[int] = []

    def enough(data: str) -> bool:
        last.append(word(data, 2))
        return last[-1] <= last[0] - kept

    read_at = source.source
    found = yield from ring(lambda at: call(read_at, "observations(uint256)", at), place, _FEED_OBSERVATIONS, enough)
    found.reverse()
    prices, cumulative, at = (tuple(word(data, i) for data in found) for i in range(3))
    known: Index | None = book.fact("index", base)
    price, updated = (known.price, known.updated) if known else (0, 0)
    book.learn("index", base, Index(price, updated, at, cumulative, prices, cached, cached_at))


def latest(book: Book, base: str, at: int) -> Sequence[Read]:
    """The feed's present price; of a feed whose averages are not computed, all that is needed at this block time."""
    source: Feed = book.fact("feed", base)
    if source.source != ZERO_ADDRESS:
        return [call(source.source, "getLatestOrCachedPrice()")]
    risk: Risk = book.fact("risk")
    intervals = (0, risk.premium_interval, funding_interval(risk, book.fact("growth", base), at))
    return [call(Address(base), "getIndexPrice(uint256)", interval) for interval in intervals]


def learn_latest(book: Book, base: str, reads: Sequence[Read], answers: Answers) -> None:
    """What ``latest`` was answered."""
    if len(reads) > 1:
        book.learn("seen", base, Seen(*(integer(answers, read) for read in reads)))
        return
    known: Index = book.fact("index", base)
    price, updated = (integer(answers, reads[0], at) or 0 for at in (0, 1))
    book.learn(
        "index", base, Index(price, updated, known.at, known.cumulative, known.prices, known.cached, known.cached_at)
    )
