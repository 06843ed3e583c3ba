"""Perpetual futures: liquidation, bankruptcy and fillable prices, mark price, tiers, leverage, deleveraging.

Law: every venue has its own rule, and their answers differ. ``side`` is 1 for a long and -1 for a short; money is in
the quote currency, but for inverse contracts, whose margin is in the base currency.
"""

from collections.abc import Sequence
from statistics import median
from typing import NamedTuple


class Tier(NamedTuple):
    """Up to a notional, this share of it is maintenance margin."""

    limit: float
    mmr: float


def binance(side: int, size: float, entry: float, wallet: float, mmr: float, cum: float = 0.0) -> float:
    """Isolated: where the wallet and the loss leave the tier's maintenance margin of the position's value."""
    return (wallet + cum - side * size * entry) / (size * mmr - side * size)


def binance_tiers(side: int, size: float, entry: float, wallet: float, tiers: Sequence[Tier]) -> tuple[float, Tier]:
    """The same where the rate depends on the value at that price: the tier whose price lies within it."""
    cum, below, found = 0.0, Tier(0.0, tiers[0].mmr), (0.0, tiers[0])
    for tier in tiers:
        cum += below.limit * (tier.mmr - below.mmr)
        found = binance(side, size, entry, wallet, tier.mmr, cum), tier
        if abs(found[0]) * size <= tier.limit:
            return found
        below = tier
    return found


def bybit_linear(side: int, size: float, entry: float, margin: float, mmr: float) -> float:
    """Isolated, linear: maintenance margin is a share of the value at entry."""
    return entry - side * (margin - size * entry * mmr) / size


def bybit_inverse(side: int, contracts: float, entry: float, margin: float, mmr: float) -> float:
    """Isolated, inverse: the margin is in the base currency, contracts are of one unit of the quote currency."""
    value = contracts / entry
    return contracts / (value + side * (margin - value * mmr))


def hyperliquid(side: int, size: float, price: float, margin: float, rate: float) -> float:
    """``margin`` beyond what is needed: isolated margin, or all equity of a cross account, less all maintenance."""
    return price - side * margin / size / (1 - rate * side)


def maintenance(notional: float, tiers: Sequence[Tier]) -> float:
    """Maintenance margin of a notional, each part of it at its tier's rate."""
    total, below = 0.0, 0.0
    for tier in tiers:
        total += max(min(notional, tier.limit) - below, 0.0) * tier.mmr
        below = tier.limit
    return total


def bankruptcy(side: int, size: float, notional: float, collateral: float, mmr: float, total_mmr: float) -> float:
    """dYdX: the price at which closing this part leaves its share of the account with nothing."""
    return (side * notional - collateral * mmr / total_mmr) / (side * size)


def fillable(
    side: int, size: float, notional: float, collateral: float, mmr: float, spread: float, adjustment: float = 1.0
) -> float:
    """dYdX: the price at which a liquidation may be filled, worse the less the account has left.

    ``spread``: to maintenance margin; ``adjustment``: how fast it opens as the account falls.
    """
    rating = min(max(adjustment * (1 - collateral / mmr), 0.0), 1.0)
    return (side * notional - rating * spread * mmr) / (side * size)


def mark(index: float, funding: float, hours: float, basis: float, last: float) -> float:
    """Bybit: the middle of index with funding to come, index with its mean basis, and the last trade."""
    return median((index * (1 + funding * hours / 8), index + basis, last))


def leverage(collateral: float, debt: float) -> float:
    """What is held for a unit of one's own."""
    return collateral / (collateral - debt)


def deleveraging(price: float, entry: float, notional: float, equity: float) -> float:
    """Who is first when profits are taken away: the larger the number, the sooner."""
    return price / entry * notional / equity
