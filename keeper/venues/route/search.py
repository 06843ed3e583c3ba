"""From two tokens and an amount to the paths worth splitting it over.

Law: the search is bounded: direct pools and paths over the configured hubs, the best few pools of each hop. The paths
found share no pool whose price an amount moves, so what one does the others do not feel, and they may run in any order.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from itertools import pairwise, permutations
from operator import itemgetter
from typing import Final, TypeAlias

from keeper.core.plans import REDEEMED
from keeper.core.units import Address
from keeper.core.venues import Liquidity, Pool, Quote
from keeper.venues.route.path import Fill, Path

MAX_PATHS: Final = 8  # considered together
THINNER: Final = range(0, 21, 4)  # down to a millionth of a part, a pool is asked what it can do

Rank: TypeAlias = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Routing:
    """How far a search goes."""

    hubs: tuple[Address, ...] = ()
    max_hops: int = 2
    max_splits: int = 3
    locked: frozenset[Address] = frozenset()  # pools that funding holds locked while the route runs


@dataclass(frozen=True, slots=True)
class Trade:
    """What is wanted."""

    sold: Address
    bought: Address
    amount: int
    selling: bool  # the amount is of the token sold
    parts: int  # over how many paths it may be split

    def hop(self, sold: Address, bought: Address, amount: int) -> "Trade":
        """The same for one hop of a path."""
        return Trade(sold, bought, amount, self.selling, self.parts)


def candidates(liquidity: Liquidity, trade: Trade, routing: Routing) -> list[Path]:
    """Paths that share no pool, best first."""
    if trade.amount <= 0:
        return []
    ranked = []
    for tokens in _ways(liquidity, trade.sold, trade.bought, routing):
        for path in _along(liquidity, tokens, trade, routing):
            rank = _rank(path.quote_exact_in if trade.selling else path.quote_exact_out, trade)
            if rank:
                ranked.append((rank, path))
    chosen: list[Path] = []
    taken: set[Address] = set()
    for _, path in sorted(ranked, key=itemgetter(0)):
        pools = {pool.address for pool in path.pools if pool.kind not in REDEEMED}
        if taken.isdisjoint(pools) and len(chosen) < MAX_PATHS:
            taken |= pools
            chosen.append(path)
    return chosen


def _ways(liquidity: Liquidity, sold: Address, bought: Address, routing: Routing) -> Iterator[tuple[Address, ...]]:
    """Token by token: direct, over one hub, over two, and so on. A receipt is redeemed first."""
    asset = liquidity.redeemed(sold)
    start = (sold,) if asset is None else (sold, asset)
    if asset == bought:
        yield start
    hubs = [hub for hub in routing.hubs if hub not in (*start, bought)]
    for between in range(routing.max_hops if asset != bought else 0):
        for middle in permutations(hubs, between):
            yield (*start, *middle, bought)


def _along(liquidity: Liquidity, tokens: tuple[Address, ...], trade: Trade, routing: Routing) -> Iterator[Path]:
    """The best pools of every hop, paired best with best."""
    hops = list(pairwise(tokens))
    flow, by_hop = trade.amount, []
    for sold, bought in hops if trade.selling else reversed(hops):
        ranked = _ranked_pools(liquidity, trade.hop(sold, bought, flow), routing)
        if not ranked:
            return
        best = [pool for _, pool in ranked[: trade.parts]]
        by_hop.append(best * trade.parts if best[0].kind in REDEEMED else best)
        (_, other), _ = ranked[0]
        flow = abs(other) * trade.parts
    ordered = by_hop if trade.selling else reversed(by_hop)
    for pools in zip(*ordered, strict=False):
        yield Path(tokens, tuple(pools))


def _ranked_pools(liquidity: Liquidity, trade: Trade, routing: Routing) -> list[tuple[Rank, Pool]]:
    ranked = []
    for pool in liquidity.between(trade.sold, trade.bought):
        if pool.address in routing.locked:
            continue
        quote = (
            partial(pool.quote_exact_in, trade.sold) if trade.selling else partial(pool.quote_exact_out, trade.bought)
        )
        rank = _rank(quote, trade)
        if rank:
            ranked.append((rank, pool))
    return sorted(ranked, key=itemgetter(0))


def _rank(quote: Callable[[int], Quote | Fill | None], trade: Trade) -> Rank | None:
    """Lower is better: by what one part of the amount comes to.

    After those come pools too thin for a whole part, the thinner the later, then those to which a part is dust.
    """
    part = -(-trade.amount // trade.parts)
    for fallback, amount in enumerate((*(part >> bits for bits in THINNER), trade.amount)):
        found = quote(amount)
        if found:
            return fallback, -found.amount_out if trade.selling else found.amount_in
    return None
