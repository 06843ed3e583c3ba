"""Prices at which accounts turn: the root of a line, and who crosses when an asset's price becomes another.

Laws
- ``turning_points`` is the screen's own: float, a hair on the early side, all accounts at once.
- ``liquidation_price`` and ``who_flips`` are exact: the screen proposes, the adapter's integers decide.
"""

from collections.abc import Callable
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from keeper.core.book import Book
from keeper.core.units import Address, Timestamp
from keeper.screen.columns import Table
from keeper.screen.groups import Group
from keeper.screen.kernels import Bytes, Floats, Rows, split
from keeper.screen.screen import Screen

_HIGHEST: Final = 2**128  # prices are not looked for beyond
_NEAR: Final = 2**12  # the exact price is first looked for within so small a part around the approximate one


class TurningPoints(NamedTuple):
    """Accounts whose margin an asset's price can bring to nothing, and the price that does."""

    rows: Rows
    prices: Floats
    falling: NDArray[np.bool_]  # liquidatable below that price; else above


def turning_points(screen: Screen, asset: Address, now: Table) -> TurningPoints:
    """Where accounts turn if only this price moves. Accounts that are not linear are not among them."""
    screen.check(now)
    moving = np.zeros(len(now.weights), np.uint8)
    moving[now.assets.members.get(asset, [])] = 1
    parts = [halves(group, now, moving) for group in screen.groups]
    rows, fixed, moved = (np.concatenate([part[i] for part in parts] or [np.zeros(0)]) for i in range(3))
    with np.errstate(invalid="ignore", divide="ignore", over="ignore"):
        prices = -fixed / moved * now.prices.get(asset, 0)
    real = np.isfinite(prices) & (prices > 0)
    return TurningPoints(rows[real].astype(np.uint32), prices[real], moved[real] > 0)


def halves(group: Group, now: Table, moving: Bytes) -> tuple[NDArray[Any], ...]:
    """A group's rows, and their margins without and with the columns that are marked as moving."""
    fixed, moved = np.empty(group.count), np.empty(group.count)
    split(group.codes, group.amounts, group.count, now.weights, moving, fixed, moved)
    return group.rows[: group.count], fixed, moved


def liquidation_price(screen: Screen, book: Book, row: int, asset: Address, at: Timestamp, now: Table) -> int | None:
    """The first price of an asset, coming from the healthy side, at which the account is liquidatable in that block.

    ``None``: no price of this asset makes the difference, or the account is not linear.
    """
    root = turn(screen, book, row, asset, now)
    if root is None:
        return None
    price, falling = root

    def low_side(price: int) -> bool:
        """Whether a price is on the lower side of the turn."""
        return bool(screen.margin.liquidatable(book, [row], at, {asset: price})) == falling

    low, high = _bracket(low_side, price)
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if low_side(middle) else (low, middle)
    found = low if falling else high
    return found if found > 0 and high <= _HIGHEST else None


def _bracket(low_side: Callable[[int], bool], near: int) -> tuple[int, int]:
    """Prices around a turn: from 0, which is no price, to beyond the highest."""
    low, high = near, near + 1
    step = near // _NEAR + 1
    while low > 0 and not low_side(low):
        low, high, step = max(low - step, 0), low, step * 2
    while high <= _HIGHEST and low_side(high):
        low, high, step = high, high + step, step * 2
    return low, high


def turn(screen: Screen, book: Book, row: int, asset: Address, now: Table) -> tuple[int, bool] | None:
    """The approximate price at which the line crosses nothing, and whether that is on the way down."""
    fixed = moved = 0.0
    for column, amount in screen.margin.exposures(book, row) or ():
        code = screen.columns.known(column)
        value = amount * float(now.weights[code])
        if code and now.assets.by_code[code - 1] == asset:
            moved += value
        else:
            fixed += value
    price = now.prices.get(asset, 0)
    root = -fixed / moved * price if moved else 0.0
    return (int(root), moved > 0) if 0 < root < _HIGHEST else None


def who_flips(screen: Screen, book: Book, at: Timestamp, asset: Address, price: int) -> list[int]:
    """Who is liquidatable when an asset's price becomes another and is not at its price now; largest debt first."""
    now = screen.weigh(book, at)
    judge = screen.margin.liquidatable
    already = set(judge(book, screen.flagged(now).tolist(), at))
    then = judge(book, screen.flagged(now.repriced({asset: price})).tolist(), at, {asset: price})
    return [row for row in then if row not in already]
