"""``keeper record``: a range of blocks as a folder of Parquet files, for replays and for whoever reads them.

Law: a range that was replaced while it was read is not saved.
"""

from argparse import Namespace

from keeper.commands.recordings import liquidation_rows, liquidations, pool_rows, price_rows, recorded
from keeper.commands.scenes import symbols
from keeper.commands.tables import say
from keeper.errors import ConfigError, Exit
from keeper.output import emit
from keeper.progress_bar import reporter
from keeper.settings import Settings
from keeper.store.recording import TABLES, parquet


async def record(settings: Settings, args: Namespace) -> int:
    """Walk the range, note everything, write it down."""
    parquet()
    if args.first > args.last:
        raise ConfigError(f"--from {args.first} is after --to {args.last}")
    if args.out.exists() and any(args.out.iterdir()):
        raise ConfigError(f"{args.out} is there already and not empty: choose another folder")
    with reporter() as progress:
        async for tape, step, state in recorded(settings, args.first, args.last, progress):
            if not tape.names:
                assets = {asset for one in step.desk.indexer.markets for asset in one.adapter.assets(one.book)}
                tape.names = await symbols(step.desk.chain, step.desk.block, sorted(assets))
            tape.seen["prices"] += price_rows(step.desk, tape.names)
            tape.seen["liquidations"] += liquidation_rows(await liquidations(step.desk))
            if step.feed is not None:
                tape.seen["pools"] += pool_rows(step.desk.block.number, step.feed)
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
