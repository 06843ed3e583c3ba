"""``python -m keeper.demo.serve``: the demonstration's world by itself, to try every command on, until Ctrl-C.

Law: it is what ``config/demo.toml`` says, wherever and whenever it is started.
"""

import argparse
import signal
import sys
from collections.abc import Sequence
from typing import Final

from keeper.devnet.anvil import AnvilOptions
from keeper.devnet.build import make_world
from keeper.errors import KeeperError

PORT: Final = 8545
EVERY: Final = 2  # seconds from block to block; their timestamps are those of a chain of twelve


def main(argv: Sequence[str] | None = None) -> int:
    """Set the stage, say where it is, wait."""
    parser = argparse.ArgumentParser(prog="python -m keeper.demo.serve", description="A local chain to try keeper on.")
    parser.add_argument("--port", type=int, default=PORT, help=f"where it listens, on loopback (default {PORT})")
    parser.add_argument("--accounts", type=int, default=25, help="borrowers (default 25)")
    parser.add_argument("--seed", type=int, default=7, help="other borrowers (default 7)")
    args = parser.parse_args(argv)
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        _serve(args)
    except KeeperError as error:
        sys.stderr.write(f"{error}\n")
        return error.exit_code
    except KeyboardInterrupt:
        pass
    return 0


def _serve(args: argparse.Namespace) -> None:
    with make_world("3.0.2", AnvilOptions(port=args.port, block_time=EVERY)) as world:
        world.borrowers(args.accounts, args.seed)
        where = f"{args.accounts} borrowers at {world.anvil.url}"
        sys.stdout.write(f"a chain with {where}, for config/demo.toml; Ctrl-C ends it\n")
        sys.stdout.flush()
        signal.pause()


if __name__ == "__main__":
    sys.exit(main())
