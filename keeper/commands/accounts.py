"""``keeper accounts``: every borrower and its health.

Law: a health that is not known is said to be unknown, with the reason; it is never a number.
"""

import heapq
from argparse import Namespace
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from keeper.books import Desk, desk
from keeper.commands import turning
from keeper.commands.tables import fixed, show
from keeper.core.ports import Health, Quarantine
from keeper.core.units import MAX_U256, WAD, Address
from keeper.errors import ConfigError, Exit
from keeper.indexer.audit import live_rows
from keeper.output import emit
from keeper.progress_bar import reporter
from keeper.settings import Settings

COLUMNS = (("health", "right"), ("account", "left"), ("collateral", "right"), ("debt", "right"), ("market", "left"))


@dataclass(frozen=True, slots=True)
class Line:
    """One account of one market. ``decimals``: of the market's base unit."""

    protocol: str
    market: Address
    account: Address
    health: Health | Quarantine
    decimals: int

    @property
    def order(self) -> tuple[int, int, Address]:
        """Least healthy first; those without a number last."""
        if isinstance(self.health, Quarantine):
            return 1, 0, self.account
        return 0, self.health.health_factor, self.account


async def accounts(settings: Settings, args: Namespace) -> int:
    """The book at the head or at a block."""
    if args.price is not None or args.sort == "price":
        return await _by_price(settings, args)
    with reporter() as report:
        async with desk(settings, args.block, report) as at:
            every = list(_lines(at))
            chosen = heapq.nsmallest(len(every) if args.limit is None else args.limit, every, key=lambda x: x.order)
    if args.json:
        for line in chosen:
            emit(_record(line, at))
    else:
        show(f"{len(chosen)} of {len(every)} accounts at block {at.block.number}", COLUMNS, map(_cells, chosen))
    return Exit.DONE


async def _by_price(settings: Settings, args: Namespace) -> int:
    """Accounts by the price of an asset that turns them."""
    if args.asset is None:
        raise ConfigError("--sort price and --price need --asset: the symbol or the address of what moves")
    with reporter() as report:
        async with desk(settings, args.block, report) as at:
            found = await turning.turns(at, args.asset, args.price, args.limit)
            if args.json:
                for turn in found:
                    emit(turning.record(turn, at))
            else:
                what = f"flip at {args.price}" if args.price is not None else f"by the price of {args.asset}"
                title = f"{len(found)} accounts {what} at block {at.block.number}"
                show(title, turning.COLUMNS, map(turning.cells, found))
    return Exit.DONE


def _lines(at: Desk) -> Iterator[Line]:
    for market in at.indexer.markets:
        decimals = len(str(market.adapter.describe(market.book)["base_unit"])) - 1
        for row in live_rows(market.book):
            health = market.adapter.health(market.book, row, at.block.timestamp)
            yield Line(market.adapter.name, market.adapter.market, market.book.account(row), health, decimals)


def _record(line: Line, at: Desk) -> Mapping[str, object]:
    health = line.health
    who = {"protocol": line.protocol, "market": line.market, "account": line.account}
    when = {"block": at.block.number, "timestamp": at.block.timestamp}
    if isinstance(health, Quarantine):
        unknown = dict.fromkeys(("health_factor", "collateral_base", "debt_base"))
        return who | unknown | {"liquidatable": False} | when | {"reason": f"{health.subject}: {health.reason}"}
    values = {
        "health_factor": health.health_factor,
        "collateral_base": health.collateral,
        "debt_base": health.debt,
        "liquidatable": health.health_factor < WAD,
    }
    return who | values | when


def _cells(line: Line) -> tuple[str, ...]:
    market = f"{line.protocol} {line.market}"
    if isinstance(line.health, Quarantine):
        return "unknown", line.account, "", "", f"{market}  {line.health.subject}: {line.health.reason}"
    factor = line.health.health_factor
    health = "no debt" if factor == MAX_U256 else fixed(factor, 18, 6)
    shown = f"[red]{health}[/red]" if factor < WAD else health
    amounts = (fixed(value, line.decimals, 2) for value in (line.health.collateral, line.health.debt))
    return (shown, line.account, *amounts, market)
