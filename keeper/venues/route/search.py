"""From two tokens and an amount to the paths worth splitting it over.

Law: the search is bounded: direct pools and paths over the configured hubs, the best few pools of each hop. The paths
found share no pool, so what one does the others do not feel, and they may run in any order.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from itertools import pairwise, permutations
from operator import itemgetter
from typing import Final, TypeAlias

from keeper.core.units import Address
from keeper.core.venues import Liquidity, Pool, Quote
from keeper.venues.route.path import Fill, Path

MAX_PATHS: Final = 8  # considered together

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

    def share(self, parts: int) -> "Trade":
        """The same for one part of the amount, rounded up."""
        return Trade(self.sold, self.bought, -(-self.amount // parts), self.selling)


def candidates(liquidity: Liquidity, trade: Trade, routing: Routing) -> list[Path]:
    """Paths that share no pool, best first."""
    if trade.amount <= 0:
        return []
    share = trade.share(routing.max_splits)
    ranked = []
    for tokens in _ways(trade.sold, trade.bought, routing):
        for path in _along(liquidity, tokens, share, routing):
            rank = _rank(path.quote_exact_in if trade.selling else path.quote_exact_out, share)
            if rank:
                ranked.append((rank, path))
    chosen: list[Path] = []
    taken: set[Address] = set()
    for _, path in sorted(ranked, key=itemgetter(0)):
        pools = {pool.address for pool in path.pools}
        if taken.isdisjoint(pools) and len(chosen) < MAX_PATHS:
            taken |= pools
            chosen.append(path)
    return chosen


def _ways(sold: Address, bought: Address, routing: Routing) -> Iterator[tuple[Address, ...]]:
    """Token by token: direct, over one hub, over two, and so on."""
    hubs = [hub for hub in routing.hubs if hub not in (sold, bought)]
    for between in range(routing.max_hops):
        for middle in permutations(hubs, between):
            yield (sold, *middle, bought)


def _along(liquidity: Liquidity, tokens: tuple[Address, ...], share: Trade, routing: Routing) -> Iterator[Path]:
    """The best pools of every hop, paired best with best."""
    hops = list(pairwise(tokens))
    flow, by_hop = share.amount, []
    for sold, bought in hops if share.selling else reversed(hops):
        ranked = _ranked_pools(liquidity, Trade(sold, bought, flow, share.selling), routing)
        if not ranked:
            return
        by_hop.append([pool for _, pool in ranked[: routing.max_splits]])
        flow = abs(ranked[0][0][1])
    ordered = by_hop if share.selling else reversed(by_hop)
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
    """Lower is better. One too thin for the amount comes after all that are not, if it can do an eighth of it."""
    for thin, amount in enumerate((trade.amount, trade.amount >> 3)):
        found = quote(amount)
        if found:
            return thin, -found.amount_out if trade.selling else found.amount_in
    return None
