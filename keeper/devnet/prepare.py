"""``python -m keeper.devnet.prepare [--slow]``: everything the local world needs, before it is needed.

Law: afterwards the quick tier (with ``--slow``: also the slow one) needs no network, and the demonstration no cache
that it could write to.
"""

import argparse
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from keeper.devnet.build import DEFAULT_VERSION, prepare_world, world_folder
from keeper.devnet.cache import cache_dir, sweep
from keeper.devnet.kits import KITS
from keeper.devnet.lenders import PROJECTS
from keeper.devnet.packages import QUICK, SLOW, fetch
from keeper.devnet.solc import prepare_project
from keeper.devnet.vyper import vyper_artifact
from keeper.errors import KeeperError

CONTRACTS: Final = Path(__file__).parent / "contracts"


def main(argv: Sequence[str] | None = None) -> int:
    """Fetches packages and builds the worlds."""
    parser = argparse.ArgumentParser(prog="python -m keeper.devnet.prepare", description="Prepare the local world.")
    parser.add_argument("--slow", action="store_true", help="also the versions that are compiled from source")
    arguments = parser.parse_args(argv)
    wanted = list(KITS) if arguments.slow else [DEFAULT_VERSION]
    start = time.monotonic()
    try:
        fetch([*QUICK, *(SLOW if arguments.slow else ())])
        for project in PROJECTS:
            prepare_project(project)
        for source in sorted(CONTRACTS.glob("*.vy")):
            vyper_artifact(source)
        for version in wanted:
            prepare_world(version)
    except KeeperError as error:
        sys.stderr.write(f"{error}\n")
        return error.exit_code
    current = [world_folder(version) for version in KITS]
    sweep(current[0].parent, keep=current)
    took = time.monotonic() - start
    sys.stdout.write(f"local world ready in {cache_dir()}: Aave {', '.join(wanted)} ({took:.1f} s)\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
