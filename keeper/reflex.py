"""The hot path: from a price that is not on chain yet to plans for whom it brings below 1.

Story: after the decisions of a block ``prepare`` supposes, for the first of each watch list, the price that would
flip it, and keeps the plan for it. A price comes: ``react`` screens, confirms, and takes plans from the shelf; for whom
there is none the plan is made on the spot, on a book in which the oracle says that price already.

Laws
- The books are never touched: a price is supposed, as of the block it would land in.
- Who is named is below 1 at that price, exactly, and is not already without it: that is the next block's business.
- A plan is kept until something moves that it was made of: the account's row, the weight or the price of one of its
  columns, a pool it trades in, the base fee, the calendar. What its transaction says besides is nobody's here.
- Preparing takes what time it is given, and ends when the books move; it rests as long as it works. On the loop it
  only reads: what takes long is decided in a thread, from values. The shelf is bounded.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from copy import copy
from dataclasses import dataclass
from typing import Final

from keeper.core.plans import Plan
from keeper.core.ports import Adapter
from keeper.core.refusals import Skip
from keeper.core.units import Address, Wei
from keeper.core.venues import Pool
from keeper.estimator.decide import decide
from keeper.estimator.pack import Packed, pack
from keeper.estimator.world import Candidate, World
from keeper.estimator.worth import complete
from keeper.indexer.market import Market
from keeper.lookout import Post
from keeper.screen.prices import turn

HEAD: Final = 4  # accounts of each list that are prepared for
AMONG: Final = 32  # of so many that are near; bins do not tell them apart
SHELF: Final = 512  # plans kept at most
NEAR: Final = 0.1  # what is further from the present price is not prepared for
BEYOND: Final = 0.005  # how far beyond the flipping price is supposed
REACH: Final = 0.03  # how far beyond it the plan serves
STILL: Final = 1e-6  # what weights may move in a block without being another: interest

_NOTHING: Final = Packed((), ())
Turn = tuple[int, bool]  # a flipping price, and whether it is on the way down
Key = tuple[int, int, Address]  # market, row, the asset whose price moves


@dataclass(frozen=True, slots=True)
class Prepared:
    """A plan and its calldata, the prices that it is for, and what it was made of."""

    plan: Plan
    data: bytes
    low: int
    high: int
    weights: tuple[tuple[int, float], ...]  # by code of each column
    pools: Mapping[Address, Pool]
    base_fee: Wei


@dataclass(frozen=True, slots=True)
class Reaction:
    """What a price does: who flips, plans that were ready, and what was decided on the spot about the others."""

    rows: Sequence[int]
    ready: Sequence[Prepared]
    made: Packed
    steps: Mapping[str, float]  # seconds

    @property
    def packed(self) -> Packed:
        """All plans and refusals."""
        return Packed((*(one.plan for one in self.ready), *self.made.plans), self.made.skips)


class Reflex:
    """Prepared plans of all markets."""

    def __init__(self, encode: Callable[[Plan], bytes]) -> None:
        self._encode = encode
        self._shelf: dict[Key, Prepared] = {}
        self._minds: dict[int, Adapter] = {}  # adapters that suppose: the real ones keep what they worked out

    def __len__(self) -> int:
        return len(self._shelf)

    @property
    def plans(self) -> list[Plan]:
        """Everything that is ready."""
        return [kept.plan for kept in self._shelf.values()]

    # a price comes -------------------------------------------------------------------------------------------------

    def react(self, market: Market, post: Post, prices: Mapping[Address, int], world: World) -> Reaction:
        """Whom these prices bring below 1, and what to do about it."""
        started = time.perf_counter()
        rows = self.flipped(post, prices)
        confirmed = time.perf_counter()
        ready: list[Prepared] = []
        missing: list[int] = []
        for row in rows:
            kept = self._ready(market, row, prices, world)
            if kept is None:
                missing.append(row)
            else:
                ready.append(kept)
        made = self._made(market, post, missing, prices, world) if missing else _NOTHING
        return Reaction(rows, ready, made, {"react": confirmed - started, "decide": time.perf_counter() - confirmed})

    @staticmethod
    def flipped(post: Post, prices: Mapping[Address, int]) -> list[int]:
        """Who is below 1 at these prices and is not without them, exactly."""
        now = post.now
        if now is None:
            return []
        known = {asset: price for asset, price in prices.items() if asset in now.assets.numbers and price > 0}
        if not known:
            return []
        then = now.repriced(known)
        one = next(iter(known)) if len(known) == 1 else None
        suspects = post.screen.flagged(then) if one is None else post.screen.flagged_for(one, then)
        fresh = [row for row in suspects.tolist() if row not in post.found]
        return list(post.adapter.liquidatable(post.book, fresh, post.at, prices))

    def _ready(self, market: Market, row: int, prices: Mapping[Address, int], world: World) -> Prepared | None:
        """The plan on the shelf, if it is for such a price and this block."""
        if len(prices) != 1:
            return None
        ((asset, price),) = prices.items()
        kept = self._shelf.get((market.id, row, asset))
        if kept is None or not kept.low <= price <= kept.high or kept.plan.deadline < world.block:
            return None
        return kept

    def _made(
        self, market: Market, post: Post, rows: Sequence[int], prices: Mapping[Address, int], world: World
    ) -> Packed:
        """Plans for who has none."""
        return pack(world, [self._candidate(market, post, row, prices, world) for row in rows])

    def _candidate(
        self, market: Market, post: Post, row: int, prices: Mapping[Address, int], world: World
    ) -> Candidate:
        """An account as it would be at these prices."""
        supposed, mind = post.book.supposing("price", prices), self._mind(market)
        valued = complete(mind.assets(supposed), world.policy.profit_token, (), world.liquidity)
        return Candidate(post.book.account(row), mind.actions(supposed, row, post.at), valued, market.adapter.market)

    def _mind(self, market: Market) -> Adapter:
        mind = self._minds.get(market.id)
        if mind is None:
            mind = self._minds[market.id] = copy(market.adapter)
        return mind

    # beforehand ----------------------------------------------------------------------------------------------------

    async def prepare(self, markets: Sequence[tuple[Market, Post]], world: World, seconds: float) -> None:
        """Throw away what is not true any more, and make what is missing, as far as time allows."""
        end = time.perf_counter() + seconds
        posts = {market.id: post for market, post in markets}
        self._shelf = {
            key: kept
            for key, kept in self._shelf.items()
            if key[0] in posts and self._holds(kept, key, posts[key[0]], world)
        }
        async for market, post, row, asset, near in _heads(markets):
            if time.perf_counter() > end or len(self._shelf) >= SHELF or not post.book.still:
                return
            if (market.id, row, asset) not in self._shelf:
                began = time.perf_counter()
                made = await self._make(market, post, row, asset, near, world)
                if made is not None:
                    self._shelf[market.id, row, asset] = made
                await asyncio.sleep(time.perf_counter() - began)  # as long as it took: the loop has other work

    @staticmethod
    def _holds(kept: Prepared, key: Key, post: Post, world: World) -> bool:
        """Whether nothing moved that it was made of."""
        _, row, asset = key
        if post.moved is None or row in post.moved or row in post.found:
            return False
        if kept.base_fee != world.base_fee or kept.plan.deadline < world.block:
            return False
        if any(world.liquidity.pools.get(at) is not pool for at, pool in kept.pools.items()):
            return False
        return all(abs(_weight(post, code, asset) - before) <= STILL * abs(before) for code, before in kept.weights)

    async def _make(
        self, market: Market, post: Post, row: int, asset: Address, near: Turn, world: World
    ) -> Prepared | None:
        """The plan for the price just beyond the one that flips an account: read on the loop, decided in a thread."""
        flip, falling = near
        price, last = (int(flip * (1 - by if falling else 1 + by)) for by in (BEYOND, REACH))
        weights = _weights(post, row, asset)
        plan = await asyncio.to_thread(decide, world, self._candidate(market, post, row, {asset: price}, world))
        if isinstance(plan, Skip):
            return None
        data = self._encode(plan)
        return Prepared(plan, data, min(flip, last), max(flip, last), weights, _pools(plan, world), world.base_fee)


async def _heads(markets: Sequence[tuple[Market, Post]]) -> AsyncIterator[tuple[Market, Post, int, Address, Turn]]:
    """The first of every list, then the second, and so on; without those who are below 1 already."""
    lists: list[list[tuple[Market, Post, int, Address, Turn]]] = []
    for market, post in markets:
        for asset in list(post.now.assets.numbers) if post.now is not None and post.book.still else ():
            if not post.book.still:
                return
            lists.append([(market, post, row, asset, near) for row, near in _first(post, asset)])
            await asyncio.sleep(0)
    for place in range(HEAD):
        for one in lists:
            if place < len(one):
                yield one[place]


def _first(post: Post, asset: Address) -> Sequence[tuple[int, Turn]]:
    """Holders of an asset whom the smallest moves of its price would flip, nearest first."""
    now = post.now
    if now is None or not now.prices.get(asset, 0):
        return []
    price = now.prices[asset]
    found: list[tuple[float, int, Turn]] = []
    for row in post.screen.nearest(asset, now, AMONG):
        near = turn(post.screen, post.book, row, asset, now) if row not in post.found else None
        if near is not None and (by := abs(near[0] / price - 1)) < NEAR:
            found.append((by, row, near))
    return [(row, near) for _, row, near in sorted(found)[:HEAD]]


def _weights(post: Post, row: int, asset: Address) -> tuple[tuple[int, float], ...]:
    """What the account's columns weigh; those of the moving asset without its price."""
    line = post.adapter.exposures(post.book, row) or ()
    return tuple(
        (code, _weight(post, code, asset)) for code in (post.screen.columns.known(column) for column, _ in line)
    )


def _weight(post: Post, code: int, asset: Address) -> float:
    now = post.now
    if now is None or not 0 < code <= len(now.assets.by_code):
        return 0.0
    return float(now.factors[code] if now.assets.by_code[code - 1] == asset else now.weights[code])


def _pools(plan: Plan, world: World) -> Mapping[Address, Pool]:
    """The pools that a plan trades in, as they are."""
    swaps = [swap for leg in plan.legs for swap in leg.swaps] + list(plan.conversions)
    hops = {hop.pool for swap in swaps for hop in swap.hops} | {leg.funding.source for leg in plan.legs}
    return {at: world.liquidity.pools[at] for at in hops if at in world.liquidity.pools}


async def warm(pass_over: Callable[[], object], every: float) -> None:
    """Go the path on nothing every so often, until cancelled: code and data that rest leave the caches."""
    while True:
        await asyncio.sleep(every)
        pass_over()
