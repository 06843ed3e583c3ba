"""``keeper accounts --sort price --asset SYM``: accounts by the price that turns them; who flips at a price.

Law: every price told is exact: the first, from the healthy side, at which the contract would let the account be
liquidated in a block of that time, everything else as it is. Accounts that no price of the asset turns are left out.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from itertools import islice
from typing import Final

import numpy as np

from keeper.books import Desk
from keeper.commands.amounts import symbols
from keeper.commands.tables import fixed
from keeper.core.ports import Health
from keeper.core.units import BPS, WAD, Address
from keeper.errors import ConfigError
from keeper.indexer.market import Market
from keeper.screen.prices import TurningPoints, liquidation_price, turning_points, who_flips
from keeper.screen.screen import Screen

COLUMNS: Final = (
    ("turns at", "right"), ("away", "right"), ("health", "right"), ("account", "left"), ("asset", "left"),
    ("market", "left"),
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Turn:
    """One account and the price that turns it. ``away``: how far the price has to move, in bps; negative: it has."""

    market: Market
    row: int
    health: Health
    asset: Address
    name: str
    price: int  # as it is
    at: int
    falling: bool  # liquidatable at that price and below; else at it and above

    @property
    def away(self) -> int:
        """Rounded towards the turn."""
        return ((self.price - self.at) if self.falling else (self.at - self.price)) * BPS // self.price

    @property
    def order(self) -> tuple[int, str]:
        """Nearest first."""
        return self.away, self.market.book.account(self.row)


async def turns(at: Desk, called: str, price: str | None, limit: int | None) -> list[Turn]:
    """Accounts by distance to their turn; of a price, those that flip there."""
    assets = sorted({asset for market in at.indexer.markets for asset in market.adapter.assets(market.book)})
    names = await symbols(at.chain, at.block, assets)
    hits = [asset for asset in assets if called.lower() == asset or called == names.get(asset)]
    if not hits:
        raise ConfigError(f"--asset {called}: no market has it; there are {', '.join(sorted(names.values()))}")
    found = [
        turn
        for market in at.indexer.markets
        for asset in hits
        if asset in market.adapter.assets(market.book)
        for turn in _of(at, market, asset, names.get(asset, asset), price, limit)
    ]
    return sorted(found, key=lambda turn: turn.order)[:limit]


def _of(at: Desk, market: Market, asset: Address, name: str, price: str | None, limit: int | None) -> Iterator[Turn]:
    """Of one market."""
    book, moment = market.book, at.block.timestamp
    screen = Screen(market.adapter)
    screen.load(book)
    now = screen.weigh(book, moment)
    present = now.prices.get(asset)
    if present is None:
        return
    points = turning_points(screen, asset, now)
    rows, falling = _nearest(points, present), dict(zip(points.rows.tolist(), points.falling.tolist(), strict=True))
    if price is not None:
        flips = set(who_flips(screen, book, moment, asset, _units(market, price)))
        rows = [row for row in rows if row in flips]
    exact = ((row, liquidation_price(screen, book, row, asset, moment, now)) for row in rows)
    for row, turn in islice(((row, turn) for row, turn in exact if turn is not None), limit):
        health = market.adapter.health(book, row, moment)
        if isinstance(health, Health):
            yield Turn(market, row, health, asset, name, present, turn, falling[row])


def _nearest(points: TurningPoints, present: int) -> list[int]:
    """Rows by about how far the price has to move."""
    away = np.where(points.falling, present - points.prices, points.prices - present)
    found: list[int] = points.rows[np.argsort(away, kind="stable")].tolist()
    return found


def _units(market: Market, price: str) -> int:
    """A price as people write it, in the market's base unit."""
    whole = Decimal(price) * int(str(market.adapter.describe(market.book)["base_unit"]))
    if whole != int(whole) or whole <= 0:
        raise ConfigError(f"--price {price}: more decimals than the market's prices have, or not above zero")
    return int(whole)


def record(turn: Turn, at: Desk) -> Mapping[str, object]:
    """One object of ``--json``."""
    return {
        "protocol": turn.market.adapter.name,
        "market": turn.market.adapter.market,
        "account": turn.market.book.account(turn.row),
        "asset": turn.asset,
        "symbol": turn.name,
        "price": turn.price,
        "liquidation_price": turn.at,
        "falling": turn.falling,
        "away_bps": turn.away,
        "health_factor": turn.health.health_factor,
        "collateral_base": turn.health.collateral,
        "debt_base": turn.health.debt,
        "liquidatable": turn.health.health_factor < WAD,
        "block": at.block.number,
        "timestamp": at.block.timestamp,
    }


def cells(turn: Turn) -> tuple[str, ...]:
    """One line of the table."""
    market = turn.market
    decimals = len(str(market.adapter.describe(market.book)["base_unit"])) - 1
    factor = fixed(turn.health.health_factor, 18, 6)
    shown = f"[red]{factor}[/red]" if turn.health.health_factor < WAD else factor
    away = f"{'-' if turn.away < 0 else ''}{fixed(abs(turn.away), 2, 2)} %"
    where = f"{'≤' if turn.falling else '≥'} {fixed(turn.at, decimals, min(decimals, 6))}"
    return (
        where,
        away,
        shown,
        market.book.account(turn.row),
        turn.name,
        f"{market.adapter.name} {market.adapter.market}",
    )
