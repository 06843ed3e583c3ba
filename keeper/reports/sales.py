"""What selling costs: the estimator's own curve for one pair, at sizes up to beyond what its bonus pays.

Law: the same quotes, roundings and identity as in decisions (``estimator.costs``).
"""

from typing import Final

from keeper.core.units import BPS, WAD, Address, Bps
from keeper.errors import ConfigError
from keeper.estimator.costs import SaleCost, break_even_bonus, capacity, cost_curve
from keeper.estimator.worth import Prices
from keeper.reports.sides import exposures
from keeper.reports.snapshot import Snapshot
from keeper.venues.route.best import sale_curve
from keeper.venues.route.search import Routing

POINTS: Final = 24
DECADES: Final = 4  # below the largest size
GWEI: Final = 10**9

Costs = tuple[tuple[Address, Address], list[tuple[SaleCost, Bps | None]], int, float]


def costs(snap: Snapshot, sell: str | None, into: str | None, bonus: float, gas: tuple[int, int]) -> Costs:
    """The pair, its curve with break-even bonuses, and the capacity at a bonus. ``gas``: units and gwei."""
    if snap.native is None or snap.native not in snap.assets:
        raise ConfigError("costs are counted in the native token: set chain.wrapped_native to an asset of the market")
    sold, bought = pair(snap, sell, into)
    prices = Prices(snap.assets, snap.native)
    hubs = tuple(dict.fromkeys((snap.native, *sorted(snap.pegged & snap.assets.keys()))))
    reach = _reach(snap, sold)
    curve = sale_curve(snap.pools(), sold, bought, reach, Routing(hubs=hubs))
    if curve is None:
        raise ConfigError(f"no pool sells {snap.name(sold)} for {snap.name(bought)} at block {snap.block}")
    most = capacity(curve, prices, sold, bought, Bps(round(bonus * BPS)), reach)
    top = min(max(most * 10, 1), reach)
    sizes = [max(1, round(top / 10 ** (DECADES * (1 - at / (POINTS - 1))))) for at in range(POINTS)]
    fixed = gas[0] * gas[1] * GWEI
    points = [
        (one, break_even_bonus(one, fixed)) for one in cost_curve(curve, prices, sold, bought, sizes) if one.value
    ]
    return (sold, bought), points, most, bonus


def pair(snap: Snapshot, sell: str | None, into: str | None) -> tuple[Address, Address]:
    """What is sold and what it is sold for; by default what most is owned and owed of."""
    found = exposures(snap)
    sold = snap.find(sell) if sell else _largest(found.owned, snap.loose, "collateral that moves", "--sell")
    bought = snap.find(into) if into else _largest(found.owed, frozenset(found.owed) - {sold}, "debt", "--into")
    if sold == bought:
        raise ConfigError(f"{snap.name(sold)} is sold for itself: name two assets")
    return sold, bought


def _largest(amounts: dict[Address, float], among: frozenset[Address], what: str, flag: str) -> Address:
    chosen = [asset for asset in amounts if asset in among]
    if not chosen:
        raise ConfigError(f"there is no {what}: name an asset with {flag}")
    return max(chosen, key=lambda asset: amounts[asset])


def _reach(snap: Snapshot, sold: Address) -> int:
    """So much that no pool would take it at a price worth having: all that the pools could hold of it, ten times."""
    worth = 10**12 * snap.base_unit
    return worth * snap.assets[sold].unit // snap.price(sold) + WAD
