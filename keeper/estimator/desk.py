"""Where things are sold, looked up once.

Law: a desk answers for one state of the pools. ``after`` is the desk for another state; it keeps what the moved pools
do not touch, so in a block of many liquidations a pair is searched again only when somebody sold into it.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Final

from keeper.core.plans import VenueKind
from keeper.core.units import Address
from keeper.core.venues import Liquidity, Pool, Quote
from keeper.venues.route.best import sale_curve
from keeper.venues.route.curve import Curve
from keeper.venues.route.path import Path
from keeper.venues.route.search import Routing

_NONE: Final[frozenset[Address]] = frozenset()


@dataclass(frozen=True, slots=True)
class _Pair:
    """What was asked for. Amounts of one order of magnitude share an answer."""

    sold: Address
    bought: Address
    magnitude: int
    locked: frozenset[Address]


class Desk:
    """Curves and paths on one state of the pools."""

    def __init__(self, liquidity: Liquidity, routing: Routing, found: dict[_Pair, tuple[Curve, ...]]) -> None:
        self.liquidity = liquidity
        self._routing = routing
        self._found = found

    @classmethod
    def of(cls, liquidity: Liquidity, routing: Routing) -> "Desk":
        """A desk that knows nothing yet."""
        return cls(liquidity, routing, {})

    def curves(
        self, sold: Address, bought: Address, amount: int, locked: frozenset[Address] = _NONE
    ) -> tuple[Curve, ...]:
        """The best single path, the best split over two, and so on; nothing when there is no way."""
        pair = _Pair(sold, bought, amount.bit_length() >> 1, locked)
        if pair not in self._found:
            routing = replace(self._routing, locked=locked | self._routing.locked) if locked else self._routing
            widest = sale_curve(self.liquidity, sold, bought, amount, routing)
            paths = widest.paths if widest else ()
            self._found[pair] = tuple(Curve(paths[: n + 1]) for n in range(len(paths)))
        return self._found[pair]

    def path(self, sold: Address, bought: Address, amount: int) -> Path | None:
        """The best single path."""
        curves = self.curves(sold, bought, amount)
        return curves[0].paths[0] if curves else None

    def seller(self, pay: Address, debt: Address, amount: int, *kinds: VenueKind) -> Pool | None:
        """The pool of these kinds that gives exactly ``amount`` of the debt for the least."""
        quoted: list[tuple[int, Pool]] = []
        for pool in self.liquidity.between(pay, debt):
            if pool.address in self._routing.locked or pool.kind not in kinds:
                continue
            quote: Quote | None = pool.quote_exact_out(debt, amount)
            if quote is not None:
                quoted.append((quote.amount_in, pool))
        return min(quoted, key=lambda found: found[0])[1] if quoted else None

    def after(self, moved: Iterable[Pool]) -> "Desk":
        """The desk when some pools have moved."""
        pools = {pool.address: pool for pool in moved}
        kept = {pair: curves for pair, curves in self._found.items() if not _touches(curves, pools.keys())}
        return Desk(self.liquidity.after(pools.values()), self._routing, kept)


def _touches(curves: Iterable[Curve], pools: Iterable[Address]) -> bool:
    moved = set(pools)
    return any(pool.address in moved for curve in curves for path in curve.paths for pool in path.pools)
