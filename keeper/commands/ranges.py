"""The reports about a range of blocks: what was missed, and a replay.

Law: what was written down is read from the state file as it is; nobody who moves it is disturbed.
"""

from argparse import Namespace
from collections.abc import Collection
from contextlib import closing
from itertools import groupby

from keeper.commands.recordings import liquidations, opened, walk
from keeper.commands.scenes import Scene
from keeper.core.outlook import Liquidated
from keeper.core.units import Address
from keeper.errors import ConfigError
from keeper.indexer.market import Market
from keeper.reports.missed import Known, Refusal, Seen, judged, once
from keeper.reports.pages import range as range_page
from keeper.reports.pages.page import Page
from keeper.reports.replay import Play
from keeper.reports.snapshot import Snapshot
from keeper.settings import Settings
from keeper.store.journal import Journal
from keeper.store.reasons import REFRESH, Why
from keeper.store.reasons import why as stored

SPAN = 7_200  # blocks looked back when nothing else is asked for


async def missed(scene: Scene, args: Namespace) -> list[Page]:
    """Every liquidation on the chain in a range, with its verdict."""
    head = scene.desk.block.number
    last = head if args.to is None else args.to
    since = scene.start if getattr(args, "from") is None else getattr(args, "from")
    first = max(last - SPAN, 0) if since is None else since
    if not first <= last <= head:
        raise ConfigError(f"--from {first} --to {last}: a range up to block {head} goes from the earlier to the later")
    found = [one for market in scene.markets for one in await _seen(scene, market, first, last)]
    ours = _known(scene.settings, first, {one.what.account for one in found})
    units = {snap.adapter.market: snap.base_unit for snap in scene.snapshots()}
    return [range_page.missed((first, last), judged(once(found), ours), scene.names, units)]


async def _seen(scene: Scene, market: Market, first: int, last: int) -> list[Seen]:
    """What a market's logs tell of liquidations, block by block."""
    adapter, book, chain = market.adapter, market.book, scene.desk.chain
    logs = await chain.logs(adapter.sources(book), first, last)
    snap = scene.snapshot(market)
    return [
        Seen(what, block, adapter.name, adapter.market, _bonus(snap, what))
        for block, part in groupby(logs, key=lambda log: log.block_hash)
        for what in adapter.outcomes(book, list(part))
    ]


def _bonus(snap: Snapshot, what: Liquidated) -> int | None:
    """At the snapshot's prices; ``None`` where one is not known."""
    got, paid = snap.assets.get(what.collateral_asset), snap.assets.get(what.debt_asset)
    if got is None or paid is None:
        return None
    return what.seized * got.price // got.unit - what.repaid * paid.price // paid.unit


def _known(settings: Settings, first: int, accounts: Collection[Address]) -> Known:
    """What ledger, journal and reasons say."""
    path = settings.store.path
    executor = settings.executor.address
    if not path.exists():
        return Known(None if executor is None else Address(executor))
    with closing(Journal(path, settings.chain.id)) as journal:
        lines, entries = journal.lines(), journal.since(first)
    refusals = {why.who: _refusal(why) for account in accounts for why in stored(path, account)}
    return Known(None if executor is None else Address(executor), lines, entries, refusals)


def _refusal(found: Why) -> Refusal:
    until = found.block if found.ended else found.block + REFRESH
    return Refusal(found.reason, found.term, found.since, until)


async def replay(settings: Settings, args: Namespace) -> list[Page]:
    """The recording through the pipeline."""
    if args.recording is None:
        raise ConfigError("replay plays a recording: give its folder with --recording, and make one with keeper record")
    if not settings.venues:
        raise ConfigError("replay decides as the daemon does, which needs pools: configure [[venues]]")
    if settings.chain.wrapped_native is None:
        raise ConfigError("replay decides as the daemon does, which needs chain.wrapped_native")
    play = Play()
    async with opened(settings, args.recording) as (chain, store):
        tape = chain.tape
        async for step in walk(settings, chain, store, range(tape.first, tape.last + 1), decide=True):
            if step.desk.block.number > tape.first:
                play.happened(await liquidations(step.desk))
            if step.packed is not None:
                play.decide(step.desk.block.number + 1, step.packed)
    return [range_page.replay((tape.first, tape.last), play.contests(), play.alone(), tape.names)]
