"""Finds an anvil that behaves as the local world needs.

Law: an anvil on PATH is used when it is recent enough; else the pinned one from npm; else the error says what to do.
"""

import platform
import re
import shutil
import subprocess
from functools import cache
from pathlib import Path
from typing import Final

from keeper.devnet.packages import ANVIL_LINUX_AMD64, Package, package_dir
from keeper.errors import DevnetError

OLDEST: Final = (1, 7)
_PINNED: Final[dict[tuple[str, str], Package]] = {("Linux", "x86_64"): ANVIL_LINUX_AMD64}


def version_of(binary: str) -> tuple[int, int] | None:
    """Major and minor version of an anvil binary; ``None`` when it does not say."""
    try:
        done = subprocess.run([binary, "--version"], capture_output=True, text=True, timeout=10, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return None
    found = re.search(r"(\d+)\.(\d+)\.\d+", done.stdout)
    return (int(found[1]), int(found[2])) if found else None


@cache
def anvil_binary() -> Path:
    """Path of the anvil to run."""
    on_path = shutil.which("anvil")
    version = version_of(on_path) if on_path else None
    if on_path and version and version >= OLDEST:
        return Path(on_path)
    package = _PINNED.get((platform.system(), platform.machine()))
    if package is None:
        found = f"anvil on PATH is {version[0]}.{version[1]}" if version else "there is no anvil on PATH"
        msg = (
            f"the local chain needs anvil {OLDEST[0]}.{OLDEST[1]} or later: {found}, and none is pinned for "
            f"{platform.system()} {platform.machine()}; install Foundry so that `anvil --version` works"
        )
        raise DevnetError(msg)
    return package_dir(package) / "bin" / "anvil"
