"""ROUTE: what selling or buying through any of the known pools comes to, and how to split it."""

from keeper.venues.route.best import Route, best_purchase, best_sale, flash_swaps, sale_curve
from keeper.venues.route.curve import Curve
from keeper.venues.route.path import Fill, Path
from keeper.venues.route.search import Routing

__all__ = ["Curve", "Fill", "Path", "Route", "Routing", "best_purchase", "best_sale", "flash_swaps", "sale_curve"]
