"""``keeper dry-run``: what the daemon would do, tried on a fork, with what was predicted beside what came of it.

Laws
- Nothing is written to the configured chain, and the operator's state file is not moved.
- The answer is no when anything that was predicted to pay reverted or failed its simulation.
"""

import json
from argparse import Namespace
from functools import partial

from keeper.books import state_file
from keeper.daemon import Keeper
from keeper.devnet.rpc import Rpc
from keeper.dryrun.fork import forked
from keeper.dryrun.play import Result, play
from keeper.dryrun.rehearse import rehearse
from keeper.dryrun.shock import Answers, Shock, answers
from keeper.dryrun.show import tell
from keeper.dryrun.stage import kept_in, staged
from keeper.errors import ConfigError, Exit
from keeper.output import decimal
from keeper.settings import Settings


async def dry_run(settings: Settings, args: Namespace) -> int:
    """Fork, stage, play, tell."""
    if args.rehearse and args.shock:
        raise ConfigError("--rehearse brings each account down by itself: leave --shock out")
    result = await _played(settings, args)
    if args.report is not None:
        args.report.write_text(json.dumps(decimal(result.record()), indent=2) + "\n", encoding="utf-8")
    tell(result, json=args.json)
    return Exit.NO if result.failures else Exit.DONE


async def _played(settings: Settings, args: Namespace) -> Result:
    with (
        forked(settings, args.fork, args.block) as fork,
        state_file(settings.store.path, copy=True) as path,
    ):
        stage = await staged(kept_in(settings, path), fork, shocked=bool(args.shock) or args.rehearse)
        if args.rehearse:
            return await rehearse(stage, args.blocks)
        return await play(stage, partial(_answers, stage.fork.rpc, args.shock), args.blocks)


def _answers(rpc: Rpc, shocks: list[Shock], keeper: Keeper) -> Answers:
    return answers(keeper, rpc, shocks) if shocks else {}
