"""The route that brings most, or costs least.

Law: a route is exact for the pools it was found on and carries them as it leaves them. No route is ``None``, never a
price of zero.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from keeper.core.plans import SwapLeg, VenueKind
from keeper.core.units import BPS, Address, Amount, Bps, mul_div_down
from keeper.core.venues import Liquidity, Pool, Quote
from keeper.venues.route.curve import Curve
from keeper.venues.route.path import Fill, Path
from keeper.venues.route.search import Routing, Trade, candidates


@dataclass(frozen=True, slots=True)
class Route:
    """A sale or a purchase, priced to the last unit."""

    amount_in: Amount
    amount_out: Amount
    fills: tuple[Fill, ...]

    @classmethod
    def of(cls, fills: tuple[Fill, ...]) -> "Route":
        """The sum of its fills."""
        return cls(Amount(sum(fill.amount_in for fill in fills)), Amount(sum(fill.amount_out for fill in fills)), fills)

    def gain(self, hop_cost: int, *, selling: bool) -> int:
        """What it brings (or saves), less the gas of its swaps."""
        return (self.amount_out if selling else -self.amount_in) - hop_cost * len(self.after)

    @property
    def after(self) -> tuple[Pool, ...]:
        """The pools it goes through, as it leaves them."""
        return tuple(pool for fill in self.fills for pool in fill.after.pools)

    def legs(self, tolerance: Bps = Bps(0), *, rest: bool = False) -> tuple[SwapLeg, ...]:
        """As a plan names it. Each leg must bring its quote less the tolerance; ``rest`` marks the last one."""
        last = len(self.fills) - 1
        return tuple(
            SwapLeg(
                fill.amount_in,
                fill.amount_out,
                Amount(mul_div_down(fill.amount_out, BPS - tolerance, BPS)),
                fill.after.hops(),
                rest and at == last,
            )
            for at, fill in enumerate(self.fills)
        )


def best_sale(
    liquidity: Liquidity, sold: Address, bought: Address, amount: int, routing: Routing, hop_cost: int = 0
) -> Route | None:
    """The route that brings most for ``amount`` of ``sold``. ``hop_cost``: the gas of one swap, in ``bought``."""
    if sold == bought:
        return Route(Amount(amount), Amount(amount), ())
    trade = Trade(sold, bought, amount, selling=True, parts=routing.max_splits)
    return _best(candidates(liquidity, trade, routing), trade, hop_cost)


def best_purchase(
    liquidity: Liquidity, sold: Address, bought: Address, amount: int, routing: Routing, hop_cost: int = 0
) -> Route | None:
    """The route that costs least for ``amount`` of ``bought``. ``hop_cost``: the gas of one swap, in ``sold``."""
    if sold == bought:
        return Route(Amount(amount), Amount(amount), ())
    trade = Trade(sold, bought, amount, selling=False, parts=routing.max_splits)
    return _best(candidates(liquidity, trade, routing), trade, hop_cost)


def sale_curve(liquidity: Liquidity, sold: Address, bought: Address, amount: int, routing: Routing) -> Curve | None:
    """Proceeds as a function of the amount, for amounts up to about ``amount``: paths are chosen once, for all."""
    trade = Trade(sold, bought, amount, selling=True, parts=routing.max_splits)
    paths = candidates(liquidity, trade, routing)
    while len(paths) > routing.max_splits:
        paths = _without_least(paths, _sold_most(Curve(paths), amount))
    return Curve(paths) if paths else None


def flash_swaps(
    liquidity: Liquidity, sold: Address, bought: Address, amount: int, locked: frozenset[Address] = frozenset()
) -> list[tuple[Pool, Quote]]:
    """The v3 pools that could lend ``amount`` of ``bought`` against ``sold``, cheapest first."""
    pools = (pool for pool in liquidity.between(sold, bought) if pool.kind is VenueKind.UNISWAP_V3)
    quoted = [(pool, pool.quote_exact_out(bought, amount)) for pool in pools if pool.address not in locked]
    return sorted(((pool, quote) for pool, quote in quoted if quote), key=lambda found: found[1].amount_in)


def _best(paths: list[Path], trade: Trade, hop_cost: int) -> Route | None:
    """The best of every path alone and of ever fewer paths together; of equals the simpler one."""
    routes = [*_alone(paths, trade), *_together(paths, trade)]
    return max(routes, key=lambda route: route.gain(hop_cost, selling=trade.selling), default=None)


def _alone(paths: list[Path], trade: Trade) -> Iterator[Route]:
    for path in paths:
        fill = path.quote_exact_in(trade.amount) if trade.selling else path.quote_exact_out(trade.amount)
        if fill:
            yield Route.of((fill,))


def _together(paths: list[Path], trade: Trade) -> Iterator[Route]:
    """Splits over ever fewer paths: the last ones may not earn their gas, or lose more to rounding than they bring."""
    while len(paths) > 1:
        curve = Curve(paths)
        fills = curve.sell(trade.amount) if trade.selling else curve.buy(trade.amount)
        if fills is None:
            paths = paths[:-1]  # dust does not divide
            continue
        if len(fills) <= trade.parts:
            yield Route.of(fills)
        paths = _without_least(paths, fills)


def _without_least(paths: list[Path], fills: Sequence[Fill]) -> list[Path]:
    """The paths that were used, less the one that gave least; at least one path less."""
    kept = sorted(fills, key=lambda fill: fill.amount_out)[1 if len(fills) == len(paths) else 0 :]
    used = {fill.after.pools[0].address for fill in kept}
    return [path for path in paths if path.pools[0].address in used]


def _sold_most(curve: Curve, amount: int) -> tuple[Fill, ...]:
    """The split of the amount, or of as large a part of it (by halves) as can be sold at all."""
    while amount:
        fills = curve.sell(amount)
        if fills:
            return fills
        amount >>= 1
    return ()
