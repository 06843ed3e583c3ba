"""Where v3 pools are, how one is read, and how its events move it.

Law: ``Swap`` says where the price stands, ``Mint`` and ``Burn`` move liquidity on two ticks; nothing else moves a
quote. Ticks are read for some distance on either side of the price, whole words of the bitmap at a time.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Final

from keeper.core.events import Log, Read, signed_word, topic_address, word, word_address
from keeper.core.ports import Answers
from keeper.core.units import ZERO_ADDRESS, Address
from keeper.core.venues import Finding, Loading, Pool, PoolKey, answered, view
from keeper.venues.uniswap_v3.pool import UniswapV3Pool
from keeper.venues.uniswap_v3.ticks import MAX_TICK, MIN_TICK
from keeper.venues.uniswap_v3.walk import WORD, Place, Ticks

FEES: Final = (100, 500, 3_000, 10_000)
REACH: Final = 23_027  # ticks read to either side: the price may move tenfold before quotes end

GET_POOL: Final = "0x1698ee82"  # getPool(address,address,uint24)
SLOT0: Final = "0x3850c7bd"  # slot0()
LIQUIDITY: Final = "0x1a686502"  # liquidity()
TICK_SPACING: Final = "0xd0c93a7c"  # tickSpacing()
TICK_BITMAP: Final = "0x5339c296"  # tickBitmap(int16)
TICKS: Final = "0xf30dba93"  # ticks(int24)
POOL_CREATED: Final = "0x783cca1c0412dd0d695e784568c96da2e9c22ff989357a2e8b1d9b2b4e6b7118"
INITIALIZE: Final = "0x98636036cb66a9c19a37435efc1e90142190214e8abeb821bdba3f2990dd4c95"
MINT: Final = "0x7a53080ba414158be7ec69b987b5fb7d07dee101fe85488f0853ae16239d0bde"
BURN: Final = "0x0c396cd989a39f4459b5fa1aed6a9a8dcdbc45908acfd67e028cd568da98982c"
SWAP: Final = "0xc42079f94a6350d7e6235f29174924f928cc2ac818eb64fed8004e115fbcca67"


@dataclass(frozen=True, slots=True)
class UniswapV3:
    """One factory."""

    factory: Address
    fees: tuple[int, ...] = FEES
    reach: int = REACH

    def find(self, pairs: Sequence[tuple[Address, Address]]) -> Finding:
        """Ask the factory for each pair and fee."""
        reads = {view(self.factory, GET_POOL, *pair, fee): (*pair, fee) for pair in pairs for fee in self.fees}
        answers = yield tuple(reads)
        found = ((answered(answers, read), terms) for read, terms in reads.items())
        keys = (PoolKey(word_address(data, 0), *terms) for data, terms in found if data)
        return [key for key in keys if key.address != ZERO_ADDRESS]

    def created(self, log: Log) -> PoolKey | None:
        """``PoolCreated(token0, token1, fee, tickSpacing, pool)``."""
        if log.topics[0] != POOL_CREATED:
            return None
        _, token0, token1, fee = log.topics
        return PoolKey(word_address(log.data, 1), topic_address(token0), topic_address(token1), int(fee, 16))

    def load(self, key: PoolKey) -> Loading:
        """Read the price, then the bitmap around it, then the ticks that it names."""
        asks = [view(key.address, selector) for selector in (SLOT0, LIQUIDITY, TICK_SPACING)]
        answers = yield asks
        slot0, liquidity, spacing = (answered(answers, ask) for ask in asks)
        if not slot0 or not liquidity or not spacing:
            return None
        place = Place(word(slot0, 0), signed_word(slot0, 1), word(liquidity, 0))
        ticks = _window(place.tick, signed_word(spacing, 0), self.reach)
        words = {at: view(key.address, TICK_BITMAP, at) for at in _words(ticks)}
        index = _initialised(words, (yield tuple(words.values())), ticks.spacing)
        if index is None:
            return None
        reads = [view(key.address, TICKS, tick) for tick in index]
        answers = (yield tuple(reads)) if reads else {}
        found = [answered(answers, read, 2) for read in reads]
        gross = tuple(word(data, 0) for data in found if data)
        net = tuple(signed_word(data, 1) for data in found if data)
        if len(gross) != len(index):
            return None
        return UniswapV3Pool(key, place, replace(ticks, index=tuple(index), gross=gross, net=net))

    def apply(self, pool: Pool, log: Log) -> Pool | None:
        """The pool after one of its events."""
        if not isinstance(pool, UniswapV3Pool):
            return None
        topic = log.topics[0]
        if topic == SWAP:
            place = Place(word(log.data, 2), signed_word(log.data, 4), word(log.data, 3))
            return UniswapV3Pool(pool.key, place, pool.ticks)
        if topic in (MINT, BURN):
            amount = word(log.data, 1) if topic == MINT else -word(log.data, 0)
            return provided(pool, *_range(log), amount)
        return None if topic == INITIALIZE else pool  # it opened elsewhere than where its ticks were read


def _range(log: Log) -> tuple[int, int]:
    return signed_word(log.topics[2], 0), signed_word(log.topics[3], 0)


def provided(pool: UniswapV3Pool, lower: int, upper: int, amount: int) -> UniswapV3Pool | None:
    """Liquidity put on a range, or taken off it."""
    ticks = pool.ticks.moved(lower, amount, amount)
    ticks = ticks and ticks.moved(upper, amount, -amount)
    place = pool.place
    if lower <= place.tick < upper:
        place = place._replace(liquidity=place.liquidity + amount)
    return UniswapV3Pool(pool.key, place, ticks) if ticks and place.liquidity >= 0 else None


def _window(tick: int, spacing: int, reach: int) -> Ticks:
    """Whole words of the bitmap that hold everything within reach of a tick."""
    stride = WORD * spacing
    low = max(tick - reach, MIN_TICK) // stride * stride
    high = min(tick + reach + spacing, MAX_TICK) // stride * stride + stride - spacing
    return Ticks(spacing, low, high, reach // 2)


def _words(ticks: Ticks) -> range:
    stride = WORD * ticks.spacing
    return range(ticks.low // stride, ticks.high // stride + 1)


def _initialised(words: dict[int, Read], answers: Answers, spacing: int) -> list[int] | None:
    """The ticks whose bit is set, ascending; ``None`` when a word could not be read."""
    index: list[int] = []
    for at, read in words.items():
        data = answered(answers, read)
        if data is None:
            return None
        index.extend((at * WORD + bit) * spacing for bit in _bits(word(data, 0)))
    return index


def _bits(value: int) -> Iterable[int]:
    while value:
        low = value & -value
        yield low.bit_length() - 1
        value ^= low
