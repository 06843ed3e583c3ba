"""The route that brings most, or costs least.

Law: a route is exact for the pools it was found on and carries them as it leaves them. No route is ``None``, never a
price of zero.
"""

from collections.abc import Sequence
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
    paths = candidates(liquidity, Trade(sold, bought, amount, selling=True), routing)
    return _best(paths, amount, routing.max_splits, hop_cost, selling=True)


def best_purchase(
    liquidity: Liquidity, sold: Address, bought: Address, amount: int, routing: Routing, hop_cost: int = 0
) -> Route | None:
    """The route that costs least for ``amount`` of ``bought``. ``hop_cost``: the gas of one swap, in ``sold``."""
    if sold == bought:
        return Route(Amount(amount), Amount(amount), ())
    paths = candidates(liquidity, Trade(sold, bought, amount, selling=False), routing)
    return _best(paths, amount, routing.max_splits, hop_cost, selling=False)


def sale_curve(liquidity: Liquidity, sold: Address, bought: Address, amount: int, routing: Routing) -> Curve | None:
    """Proceeds as a function of the amount, for amounts up to about ``amount``: paths are chosen once, for all."""
    paths = candidates(liquidity, Trade(sold, bought, amount, selling=True), routing)
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


def _best(paths: list[Path], amount: int, most: int, hop_cost: int, *, selling: bool) -> Route | None:
    """Fewer and fewer paths, as long as it pays."""
    best: tuple[int, tuple[Fill, ...]] | None = None
    while paths:
        curve = Curve(paths)
        fills = curve.sell(amount) if selling else curve.buy(amount)
        if fills is None:
            paths = paths[:-1]
            continue
        if len(fills) <= most:
            swaps = sum(len(fill.after.pools) for fill in fills)
            gain = sum(fill.amount_out if selling else -fill.amount_in for fill in fills) - swaps * hop_cost
            if best is None or gain > best[0]:
                best = (gain, fills)
            if not hop_cost:
                break
        paths = _without_least(paths, fills)
    if best is None:
        return None
    total_in, total_out = (sum(side) for side in zip(*((f.amount_in, f.amount_out) for f in best[1]), strict=True))
    return Route(Amount(total_in), Amount(total_out), best[1])


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
