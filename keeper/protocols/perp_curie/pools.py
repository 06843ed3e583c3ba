"""The base/quote pools as values of the Uniswap v3 venue, kept as facts.

Law: all of a pool's ticks are kept, so that what was read at once and what followed events are the same.
"""

from keeper.core.book import Book
from keeper.core.events import Log
from keeper.core.units import Address
from keeper.core.venues import Loading, PoolKey
from keeper.protocols.perp_curie.facts import Listing, Parts, PoolTicks
from keeper.venues.uniswap_v3.pool import UniswapV3Pool
from keeper.venues.uniswap_v3.ticks import MAX_TICK, MIN_TICK
from keeper.venues.uniswap_v3.venue import UniswapV3
from keeper.venues.uniswap_v3.walk import WORD, Ticks

_EVERYWHERE = 4 * MAX_TICK  # a reach beyond both ends, wherever the price stands


def _venue(book: Book) -> UniswapV3:
    return UniswapV3(book.fact("parts").factory, reach=_EVERYWHERE)


def pool_value(book: Book, base: str) -> UniswapV3Pool:
    """A market's pool at the book's block."""
    kept: PoolTicks = book.fact("ticks", base)
    stride = WORD * kept.spacing
    low, high = MIN_TICK // stride * stride, MAX_TICK // stride * stride + stride - kept.spacing
    ticks = Ticks(kept.spacing, low, high, 0, kept.index, kept.gross, kept.net)
    return UniswapV3Pool(_key(book, base), book.fact("pool", base), ticks)


def _key(book: Book, base: str) -> PoolKey:
    listing: Listing = book.fact("listing", base)
    parts: Parts = book.fact("parts")
    return PoolKey(listing.pool, Address(base), parts.quote, listing.pool_fee)


def load(book: Book, base: str) -> Loading:
    """The pool as the chain has it."""
    return _venue(book).load(_key(book, base))


def move(book: Book, base: str, log: Log) -> None:
    """Let a pool follow one of its own events; one that contradicts what is known is stale."""
    after = _venue(book).apply(pool_value(book, base), log)
    if isinstance(after, UniswapV3Pool):
        remember(book, base, after)
    else:
        book.learn("stale", f"pool:{base}", value=True)


def remember(book: Book, base: str, pool: UniswapV3Pool) -> None:
    """Keep a pool as facts."""
    ticks = pool.ticks
    book.learn("pool", base, pool.place)
    book.learn("ticks", base, PoolTicks(ticks.spacing, ticks.index, ticks.gross, ticks.net))
