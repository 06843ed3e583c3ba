"""``python -m keeper.devnet.prepare [--slow]``: everything the local world needs, before it is needed.

Law: afterwards the quick tier (with ``--slow``: also the slow one) needs no network.
"""

import argparse
import sys
import time
from collections.abc import Sequence

from keeper.devnet.build import DEFAULT_VERSION, prepare_world
from keeper.devnet.kits import KITS
from keeper.errors import KeeperError


def main(argv: Sequence[str] | None = None) -> int:
    """Fetches packages and builds the worlds."""
    parser = argparse.ArgumentParser(prog="python -m keeper.devnet.prepare", description="Prepare the local world.")
    parser.add_argument("--slow", action="store_true", help="also the versions that are compiled from source")
    wanted = list(KITS) if parser.parse_args(argv).slow else [DEFAULT_VERSION]
    for version in wanted:
        start = time.monotonic()
        try:
            folder = prepare_world(version)
        except KeeperError as error:
            sys.stderr.write(f"{error}\n")
            return error.exit_code
        sys.stdout.write(f"Aave {version}: {folder} ({time.monotonic() - start:.1f} s)\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
