"""Pools of any shape, for hypothesis and for seeded sampling."""

from collections import defaultdict
from collections.abc import Iterable
from random import Random

from hypothesis import strategies as st

from keeper.core.units import Address
from keeper.core.venues import PoolKey
from keeper.venues.uniswap_v2.pool import UniswapV2Pool
from keeper.venues.uniswap_v3.pool import UniswapV3Pool
from keeper.venues.uniswap_v3.ticks import MAX_TICK, MIN_TICK, sqrt_ratio, tick_of
from keeper.venues.uniswap_v3.walk import WORD, Place, Ticks

A, B, HUB = (Address("0x" + digit * 40) for digit in "abc")
SPACING = {100: 1, 500: 10, 3_000: 60, 10_000: 200}


def v2(
    number: int, reserve0: int, reserve1: int, fee: int = 3_000, tokens: tuple[Address, Address] = (A, B)
) -> UniswapV2Pool:
    return UniswapV2Pool(PoolKey(Address(f"0x{number:040x}"), *tokens, fee), reserve0, reserve1)


def v3(
    number: int,
    fee: int,
    tick: int,
    positions: Iterable[tuple[int, int, int]],
    tokens: tuple[Address, Address] = (A, B),
) -> UniswapV3Pool:
    """``positions`` are (steps below the price, steps above it, liquidity); both may be negative: out of range."""
    spacing = SPACING[fee]
    stride, edge = WORD * spacing, MAX_TICK // spacing * spacing
    gross: dict[int, int] = defaultdict(int)
    net: dict[int, int] = defaultdict(int)
    inside = 0
    for below, above, liquidity in positions:
        base = tick // spacing * spacing
        lower, upper = max(base - below * spacing, -edge), min(base + above * spacing, edge)
        if lower >= upper:
            continue
        for at, sign in ((lower, 1), (upper, -1)):
            gross[at] += liquidity
            net[at] += sign * liquidity
        inside += liquidity if lower <= tick < upper else 0
    index = tuple(sorted(gross))
    ticks = Ticks(
        spacing,
        MIN_TICK // stride * stride,
        MAX_TICK // stride * stride + stride - spacing,
        0,
        index,
        tuple(gross[at] for at in index),
        tuple(net[at] for at in index),
    )
    price = sqrt_ratio(tick) + (sqrt_ratio(tick + 1) - sqrt_ratio(tick)) // 3
    return UniswapV3Pool(PoolKey(Address(f"0x{number:040x}"), *tokens, fee), Place(price, tick, inside), ticks)


magnitudes = st.integers(0, 100).flatmap(lambda bits: st.integers(2**bits, 2 ** (bits + 1)))
positions = st.tuples(
    st.integers(-50, 3_000), st.integers(-50, 3_000), st.integers(30, 90).map(lambda bits: 2**bits + 1)
)
v2_pools = st.builds(
    v2,
    st.integers(1, 2**64),
    st.integers(10, 111).map(lambda bits: 2**bits - 3),
    st.integers(10, 111).map(lambda bits: 2**bits - 3),
    st.sampled_from((0, 500, 2_500, 3_000)),
)
v3_pools = st.builds(
    v3,
    st.integers(1, 2**64),
    st.sampled_from(sorted(SPACING)),
    st.integers(-200_000, 200_000),
    st.lists(positions, min_size=1, max_size=6),
)
pools = st.one_of(v2_pools, v3_pools)


def market(rng: Random, count: int, price: float = 1.0) -> list[UniswapV2Pool | UniswapV3Pool]:
    """Pools of A and B within a percent of one price, of unequal depth and kind."""
    made: list[UniswapV2Pool | UniswapV3Pool] = []
    for number in range(1, count + 1):
        off = rng.uniform(0.99, 1.01)
        if rng.random() < 0.5:
            depth = int(2 ** rng.uniform(60, 70))
            made.append(v2(number, depth, int(depth * price * off)))
            continue
        fee = rng.choice(sorted(SPACING))
        tick = tick_of(int((price * off) ** 0.5 * 2**96))
        spans = [(rng.randint(1, 40), rng.randint(1, 40), int(2 ** rng.uniform(60, 72))) for _ in range(6)]
        made.append(v3(number, fee, tick, [*spans, (3_000, 3_000, 2**62)]))
    return made
