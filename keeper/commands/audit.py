"""``keeper audit``: the book against the chain's own view.

Law: both sides are of one block; a difference of one unit is a difference, and the exit code says so.
"""

import random
from argparse import Namespace

from keeper.books import desk
from keeper.commands.tables import say
from keeper.core.ports import Health, Quarantine
from keeper.errors import Exit
from keeper.indexer.audit import Drift, live_rows
from keeper.indexer.audit import audit as compare
from keeper.indexer.market import Market
from keeper.output import emit
from keeper.progress_bar import reporter
from keeper.settings import Settings

FIELDS = {"health_factor": "health_factor", "collateral": "collateral_base", "debt": "debt_base"}


async def audit(settings: Settings, args: Namespace) -> int:
    """Compare accounts with what the protocol's own contract answers."""
    found = checked = 0
    with reporter() as report:
        async with desk(settings, args.block, report) as at:
            for market in at.indexer.markets:
                rows = _chosen(market, args.sample)
                drifts = await compare(at.chain, market, rows, at.block)
                checked, found = checked + len(rows), found + len(drifts)
                for drift in drifts:
                    _tell(drift, args)
    if args.json:
        emit({"audited": checked, "differences": found, "block": at.block.number})
    else:
        say(f"{checked} accounts audited at block {at.block.number}: {found or 'no'} differences")
    return Exit.NO if found else Exit.DONE


def _chosen(market: Market, sample: int | None) -> list[int]:
    rows = live_rows(market.book)
    if sample is None or sample >= len(rows):
        return rows
    return sorted(random.SystemRandom().sample(rows, sample))


def _tell(drift: Drift, args: Namespace) -> None:
    book, chain = _values(drift.ours), _values(drift.chain)
    if args.json:
        emit({"market": drift.market, "account": drift.account, "book": book, "chain": chain})
        return
    say(f"{drift.account} of {drift.market}")
    for field in book | chain:
        if book.get(field) != chain.get(field):
            say(f"  {field}: book {book.get(field, 'unknown')}, chain {chain.get(field, 'unknown')}")


def _values(side: Health | Quarantine) -> dict[str, object]:
    if isinstance(side, Quarantine):
        return {"reason": f"{side.subject}: {side.reason}"}
    return {name: getattr(side, field) for field, name in FIELDS.items()}
