"""``keeper record``: a range of blocks as a folder of Parquet files, for replays and for whoever reads them.

Law: a range that was replaced while it was read is not saved.
"""

import contextlib
from argparse import Namespace

from keeper.commands.amounts import symbols
from keeper.commands.operating import among_friends, inventory
from keeper.commands.recordings import Step, liquidation_rows, liquidations, pool_rows, price_rows, recorded
from keeper.commands.tables import say
from keeper.core.units import Address
from keeper.errors import ConfigError, Exit
from keeper.output import emit
from keeper.progress_bar import reporter
from keeper.settings import Settings
from keeper.store.recording import TABLES, Tape, parquet


async def record(settings: Settings, args: Namespace) -> int:
    """Walk the range, note everything, write it down."""
    parquet()
    if args.first > args.last:
        raise ConfigError(f"--from {args.first} is after --to {args.last}")
    if args.out.exists() and any(args.out.iterdir()):
        raise ConfigError(f"{args.out} is there already and not empty: choose another folder")
    with reporter() as progress:
        async with contextlib.aclosing(recorded(settings, args.first, args.last, progress)) as walked:
            async for tape, step, state in walked:
                await _note(settings, args, tape, step)
                if step.desk.block.number == args.last:
                    tape.save(args.out, state)
    rows = {name: len(tape.seen[name]) for name in ("prices", "pools", "liquidations")}
    events = sum(map(len, tape.events.values()))
    if args.json:
        emit({"first": args.first, "last": args.last, "folder": str(args.out), "events": events} | rows)
        return Exit.DONE
    say(f"blocks {args.first} to {args.last} in {args.out}: {events} events, {rows['liquidations']} liquidations")
    say(f"tables: {', '.join(f'{name}.parquet' for name in TABLES)}")
    return Exit.DONE


async def _note(settings: Settings, args: Namespace, tape: Tape, step: Step) -> None:
    """What was seen at a block; and what only reports ask is asked, so that the recording knows it."""
    at, books = step.desk, step.desk.indexer.markets
    assets = {asset for one in books for asset in one.adapter.assets(one.book)}
    if not tape.names:
        tape.names = await symbols(at.chain, at.block, sorted(assets))
    tape.seen["prices"] += price_rows(at, tape.names)
    tape.seen["liquidations"] += liquidation_rows(await liquidations(at))
    if step.feed is not None:
        tape.seen["pools"] += pool_rows(at.block.number, step.feed)
    if settings.executor.address is not None:
        await inventory(at, Address(settings.executor.address), assets)
    if at.block.number == args.last > args.first:
        for market in books:
            await among_friends(at.chain, market, args.first + 1, args.last)
