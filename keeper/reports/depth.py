"""What pools make of prices: where they stand, how they follow a shock, what selling into them leaves behind.

Laws
- Pools are the exact values that plans are priced on; a price here is their mid, without the fee.
- An asset that no pool leads to an anchor has no price of its own: it is never given one.
"""

from collections.abc import Collection, Iterator, Mapping
from fractions import Fraction

from keeper.core.units import Address
from keeper.core.venues import PIPS, Liquidity, Pool
from keeper.venues.route.curve import Curve
from keeper.venues.route.path import Path

HUBS = 2  # pools between an asset and an anchor, at most


def mid(pool: Pool, sold: Address) -> Fraction | None:
    """The other token per unit of this one, in their smallest units; ``None`` without liquidity."""
    found = pool.price(sold)
    return None if found is None else Fraction(found[0] * PIPS, found[1] * (PIPS - pool.fee))


def holds(pool: Pool, token: Address) -> bool:
    """Whether it is one of the pool's tokens."""
    return token in (pool.token0, pool.token1)


def other(pool: Pool, token: Address) -> Address:
    """The pool's other token."""
    return pool.token1 if token == pool.token0 else pool.token0


def deepest(pools: Collection[Pool], sold: Address) -> Pool | None:
    """The pool that a price is taken from: the one whose price moves least for what is sold."""
    deep = [(pool.depth(sold).reserve_in, pool.address, pool) for pool in pools if mid(pool, sold) is not None]
    return max(deep)[2] if deep else None


def reference(liquidity: Liquidity, asset: Address, anchors: Collection[Address]) -> Path | None:
    """The shortest way from an asset to an anchor, over the deepest pools; ``None``: there is none."""
    ways: list[Path] = [Path((asset,), ())]
    for _ in range(HUBS):
        ways = [longer for way in ways for longer in _longer(liquidity, way)]
        done = [way for way in ways if way.tokens[-1] in anchors]
        if done:
            return max(done, key=lambda way: way.pools[0].depth(asset).reserve_in)
    return None


def _longer(liquidity: Liquidity, way: Path) -> Iterator[Path]:
    last = way.tokens[-1]
    ends = {other(pool, last) for pool in liquidity.pools.values() if holds(pool, last)}
    for end in sorted(ends - set(way.tokens)):
        pool = deepest(liquidity.between(last, end), last)
        if pool is not None:
            yield Path((*way.tokens, end), (*way.pools, pool))


def worth(liquidity: Liquidity, way: Path) -> Fraction | None:
    """What one smallest unit of the first token is in the last one, at the mids of a way's pools as they are now."""
    rate = Fraction(1)
    for token, pool in zip(way.tokens, way.pools, strict=False):
        step = mid(liquidity.pools[pool.address], token)
        if step is None:
            return None
        rate *= step
    return rate


def aligned(liquidity: Liquidity, factors: Mapping[Address, float]) -> Liquidity:
    """The pools after arbitrage has brought each to the same change that prices make."""
    return liquidity.after(_moved(pool, factors) for pool in liquidity.pools.values())


def _moved(pool: Pool, factors: Mapping[Address, float]) -> Pool:
    one = Fraction(factors.get(pool.token0, 1.0)) / Fraction(factors.get(pool.token1, 1.0))
    if one == 1:
        return pool
    sold, factor = (pool.token0, one) if one < 1 else (pool.token1, 1 / one)
    now = mid(pool, sold)
    if now is None:
        return pool
    target = now * factor * Fraction(PIPS - pool.fee, PIPS)
    amount = Curve([Path((sold, other(pool, sold)), (pool,))]).amount_at(target.numerator, target.denominator)
    quote = pool.quote_exact_in(sold, amount)
    return pool if quote is None else quote.after
