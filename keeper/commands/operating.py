"""The reports that ask more than books and pools: capacity, hedge, greeks, exploits.

Law: what a market's blocks changed is read from the undo rows, in memory; the state file stays as it is.
"""

import json
import tomllib
from argparse import Namespace
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec

from keeper.books import Desk
from keeper.commands.scenes import Scene
from keeper.commands.shocks import shocked
from keeper.commands.stressing import gas_cost
from keeper.core.book import touched
from keeper.core.events import Read
from keeper.core.outlook import Liquidated
from keeper.core.ports import Chain
from keeper.core.units import Address, Timestamp, owner
from keeper.errors import ConfigError
from keeper.estimator.gas import TX_GAS_CAP
from keeper.indexer.market import Market, fact_types
from keeper.reports.capacity import Limits, drain, jobs, latency, spikes
from keeper.reports.exploits import Sighting, Touched, attacks, related, sightings
from keeper.reports.greeks import Book, greeks, what_if
from keeper.reports.hedge import holdings
from keeper.reports.pages import capacity as capacity_page
from keeper.reports.pages import exploits as exploits_page
from keeper.reports.pages import greeks as greeks_page
from keeper.reports.pages import hedge as hedge_page
from keeper.reports.pages.page import Page
from keeper.reports.snapshot import Snapshot

BALANCE_OF = "0x70a08231"
TRANSFER = "0xddf252ad1be2c89b69c2b068fc378daa952ba7f163c4a11628f55a4df523b3ef"


# capacity ------------------------------------------------------------------------------------------------------------


def capacity(snap: Snapshot, args: Namespace) -> Page:
    """Who falls at a shock, cleared under the given limits."""
    snap.require_accounts()
    if not args.gas or not args.signers:
        raise ConfigError("capacity: --gas and --signers start at 1")
    prices = {asset: max(1, round(snap.price(asset) * factor)) for asset, factor in shocked(snap, args.shock).items()}
    known = {asset: price for asset, price in prices.items() if asset in snap.now.prices}
    rows = snap.adapter.liquidatable(snap.book, snap.screen.flagged(snap.now.repriced(known)).tolist(), snap.at, prices)
    cost = gas_cost(snap, args.gas, args.gas_price)
    budget = None if args.budget is None else float(args.budget * snap.base_unit)
    limits = Limits(args.gas, args.block_gas, TX_GAS_CAP, args.signers, budget, cost, args.rivals)
    found = jobs(snap, rows, prices, args.bonus)
    took = latency(_log(args.log)) if args.log else {}
    return capacity_page.page(snap, drain(found, limits), limits, spikes(found, cost), took, args.block_time)


def _log(path: Path) -> list[dict[str, object]]:
    """The JSON lines of a log; what is none is passed over."""
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except OSError as error:
        raise ConfigError(f"--log {path}: {error.strerror}") from error
    found = []
    for line in lines:
        try:
            record = json.loads(line)
        except ValueError:
            continue
        if isinstance(record, dict):
            found.append(record)
    return found


# hedge ---------------------------------------------------------------------------------------------------------------


async def hedge(scene: Scene, args: Namespace) -> list[Page]:
    """What the executor holds."""
    configured = scene.settings.executor.address
    if configured is None:
        raise ConfigError("executor.address: not configured, so nothing is held; set it to see its inventory")
    executor = Address(configured)
    pages = []
    for snap in scene.snapshots():
        amounts = await inventory(scene.desk, executor, snap.assets)
        seconds, limit = args.minutes * 60.0, float(args.risk_limit * snap.base_unit)
        found = holdings(snap, amounts, executor, args.sigma, seconds, args.hedge_cost)
        pages.append(hedge_page.page(snap, found, limit, seconds))
    return pages


async def inventory(at: Desk, executor: Address, assets: Collection[Address]) -> dict[Address, int]:
    """How much the executor has of each token that says so."""
    reads = [Read(asset, BALANCE_OF + f"{int(executor, 16):064x}") for asset in sorted(assets)]
    answers = zip(reads, await at.chain.call_many(reads, at.block), strict=True)
    return {Address(read.to): int(said, 16) for read, said in answers if said and len(said) > len("0x")}


# greeks --------------------------------------------------------------------------------------------------------------


def greek(snap: Snapshot, args: Namespace) -> Page:
    """The nearest turns of accounts."""
    assets = [snap.find(name) for name in args.asset] or sorted(snap.loose)
    return greeks_page.page(snap, greeks(snap, assets, args.limit))


def supposed(path: Path) -> Page:
    """A what-if book from a TOML file."""
    try:
        text = tomllib.loads(path.read_text(encoding="utf-8"))
        book = msgspec.convert(text, Book)
    except OSError as error:
        raise ConfigError(f"--book {path}: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, msgspec.ValidationError) as error:
        raise ConfigError(f"--book {path}: {error}") from error
    wrong = [leg.kind for leg in book.legs if leg.kind not in ("call", "put", "spot")]
    if wrong or not book.legs or book.spot <= 0 or book.vol <= 0 or len(book.smile) not in (0, 5):
        raise ConfigError(
            f"--book {path}: spot and vol are more than nothing, smile is five numbers (a, b, rho, m, sigma), "
            "and there is at least one leg, of kind call, put or spot"
        )
    return greeks_page.what_if(what_if(book))


# exploits ------------------------------------------------------------------------------------------------------------


async def exploits(scene: Scene, args: Namespace) -> list[Page]:
    """Patterns in the last blocks of each market, and what prices cost to move."""
    tail = scene.desk.indexer.tail
    last = tail[0].number
    first = max(last - args.blocks, tail[-1].number, scene.start or 0) + 1
    pages = []
    for market in scene.markets:
        snap = scene.snapshot(market)
        snap.require_accounts()
        priced = attacks(snap, args.bonus) if scene.liquidity is not None and scene.liquidity.pools else None
        close = await among_friends(scene.desk.chain, market, first, last)
        seen = sorted([*_changes(scene, market, first), *close], key=lambda one: (one.block, one.account))
        pages.append(exploits_page.page(snap, (first, last), seen, priced))
    return pages


def _changes(scene: Scene, market: Market, first: int) -> list[Sighting]:
    """Block by block backwards, taking each back in memory: what is there afterwards is as it was before."""
    indexer, adapter, book = scene.desk.indexer, market.adapter, market.book
    totals: dict[int, float] = {}
    lines = adapter.lines(book)
    for column, amount in zip(lines.columns.tolist(), lines.amounts.tolist(), strict=True):
        if amount > 0:
            totals[column] = totals.get(column, 0.0) + amount
    found: list[Sighting] = []
    for stored in indexer.tail:
        if stored.number < first:
            break
        changes = indexer.store.undo(stored.number, fact_types(indexer.markets)).get(market.id, [])
        rows = [row for row in sorted(touched(changes)) if row < len(book)]
        after = {row: (book.account(row), adapter.exposures(book, row) or ()) for row in rows}
        below = set(adapter.liquidatable(book, rows, Timestamp(stored.timestamp))) if rows else set()
        book.undo(changes)
        seen = [
            Touched(account, (adapter.exposures(book, row) or ()) if row < len(book) else (), line, row in below)
            for row, (account, line) in after.items()
        ]
        found += sightings(stored.number, seen, totals)
    return found


async def among_friends(chain: Chain, market: Market, first: int, last: int) -> list[Sighting]:
    """Liquidations by the account itself, or by somebody it paid."""
    adapter, book = market.adapter, market.book
    done = adapter.outcomes(book, await chain.logs(adapter.sources(book), first, last))
    return related(done, await _paid(chain, sorted(adapter.assets(book)), done, first, last)) if done else []


async def _paid(
    chain: Chain, assets: Sequence[Address], done: Sequence[Liquidated], first: int, last: int
) -> Mapping[tuple[Address, Address], int]:
    """The first block in which a liquidated account sent a token to its liquidator."""
    pairs = {(owner(one.account), one.liquidator) for one in done}
    topics: list[Any] = [
        TRANSFER,
        sorted({_topic(one) for one, _ in pairs}),
        sorted({_topic(other) for _, other in pairs}),
    ]
    found: dict[tuple[Address, Address], int] = {}
    for log in await chain.logs(assets, first, last, topics):
        if len(log.topics) > 2:  # noqa: PLR2004 - both ends are indexed
            ends = Address("0x" + log.topics[1][26:]), Address("0x" + log.topics[2][26:])
            if ends in pairs:
                found.setdefault(ends, log.block)
    return found


def _topic(address: Address) -> str:
    return "0x" + "00" * 12 + address[2:]
