"""The commands that look at books: accounts, audit.

Law: people get a table, scripts get one JSON object a line; the numbers are the same and exact.
"""

import random
from argparse import Namespace
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from rich.console import Console
from rich.table import Table

from keeper.books import Desk, desk
from keeper.core.ports import Health, Quarantine
from keeper.core.units import MAX_U256, WAD, Address
from keeper.errors import Exit
from keeper.indexer.audit import audit as compare
from keeper.indexer.audit import live_rows
from keeper.indexer.market import Market
from keeper.output import emit
from keeper.progress_bar import reporter
from keeper.settings import Settings

BASE_DECIMALS = 8  # how people see a value; scripts get the integer


@dataclass(frozen=True, slots=True)
class Line:
    """One account of one market."""

    protocol: str
    market: Address
    account: Address
    health: Health | Quarantine

    @property
    def order(self) -> tuple[int, int]:
        """Least healthy first; those without a number last."""
        health = self.health
        return (1, 0) if isinstance(health, Quarantine) else (0, health.health_factor)


async def accounts(settings: Settings, args: Namespace) -> int:
    """Every borrower and its health, at the head or at a block."""
    with reporter() as report:
        async with desk(settings, args.block, report) as at:
            lines = sorted(_lines(at), key=lambda line: line.order)[: args.limit]
            if args.json:
                for line in lines:
                    emit(_record(line, at))
            else:
                Console().print(_table(lines, at))
    return Exit.DONE


def _lines(at: Desk) -> Iterator[Line]:
    for market in at.indexer.markets:
        for row in live_rows(market.book):
            health = market.adapter.health(market.book, row, at.block.timestamp)
            yield Line(market.adapter.name, market.adapter.market, market.book.account(row), health)


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


def _table(lines: list[Line], at: Desk) -> Table:
    table = Table(title=f"{len(lines)} accounts at block {at.block.number}", title_justify="left")
    for name in ("health", "account", "collateral", "debt", "market"):
        table.add_column(name, justify="left" if name in ("account", "market") else "right", no_wrap=True)
    for line in lines:
        table.add_row(*_cells(line))
    return table


def _cells(line: Line) -> tuple[str, ...]:
    market = f"{line.protocol} {line.market[:10]}"
    if isinstance(line.health, Quarantine):
        return "unknown", line.account, "", "", f"{market}: {line.health.subject} {line.health.reason}"
    factor = line.health.health_factor
    health = "no debt" if factor == MAX_U256 else _fixed(factor, 18, 6)
    shown = f"[red]{health}[/red]" if factor < WAD else health
    return (
        shown,
        line.account,
        _fixed(line.health.collateral, BASE_DECIMALS, 2),
        _fixed(line.health.debt, BASE_DECIMALS, 2),
        market,
    )


def _fixed(value: int, decimals: int, shown: int) -> str:
    """An integer with so many decimals, cut (never rounded up) to those shown."""
    whole, part = divmod(value, 10**decimals)
    return f"{whole:,}.{part // 10 ** (decimals - shown):0{shown}d}"


async def audit(settings: Settings, args: Namespace) -> int:
    """The book against ``getUserAccountData`` and its like; exit code 1 on any difference."""
    found = checked = 0
    with reporter() as report:
        async with desk(settings, args.block, report) as at:
            for market in at.indexer.markets:
                rows = _chosen(market, args.sample)
                drifts = await compare(at.chain, market, rows, at.block)
                checked, found = checked + len(rows), found + len(drifts)
                for drift in drifts:
                    _show(
                        {
                            "market": drift.market,
                            "account": drift.account,
                            "ours": str(drift.ours),
                            "chain": str(drift.chain),
                        },
                        args,
                    )
    _show({"audited": checked, "differences": found, "block": at.block.number}, args)
    return Exit.NO if found else Exit.DONE


def _chosen(market: Market, sample: int | None) -> list[int]:
    rows = live_rows(market.book)
    if sample is None or sample >= len(rows):
        return rows
    return sorted(random.SystemRandom().sample(rows, sample))


def _show(record: Mapping[str, object], args: Namespace) -> None:
    if args.json:
        emit(record)
    else:
        Console().print("  ".join(f"{key} {value}" for key, value in record.items()), soft_wrap=True)
