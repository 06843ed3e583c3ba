"""Where downloaded packages, compiled contracts and world dumps live.

Law: whatever is here can be deleted at any moment and is made again; nothing here is ever committed.
Every entry appears by one rename, so that two processes may build the same thing at once and neither sees half of it.
"""

import os
import shutil
import tempfile
import time
from collections.abc import Callable, Collection
from pathlib import Path
from typing import Final

from keeper.errors import DevnetError

_DAY: Final = 86_400.0


def cache_dir() -> Path:
    """``$KEEPER_CACHE``; else ``.cache/keeper`` of a source checkout; else the user's cache directory."""
    if override := os.environ.get("KEEPER_CACHE"):
        return Path(override)
    root = Path(__file__).resolve().parents[2]
    if (root / "pyproject.toml").is_file():
        return root / ".cache" / "keeper"
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "keeper"


def build_once(entry: Path, build: Callable[[Path], None]) -> Path:
    """The directory ``entry``, made by ``build(scratch directory)`` when it is not there yet.

    The loser of a race throws its own work away: both built the same thing.
    """
    if entry.is_dir():
        return entry
    try:
        entry.parent.mkdir(parents=True, exist_ok=True)
        scratch = Path(tempfile.mkdtemp(prefix=f".{entry.name}.", dir=entry.parent))
    except OSError as error:
        msg = f"cannot write to the cache directory {entry.parent}: {error.strerror}; set KEEPER_CACHE to another one"
        raise DevnetError(msg) from error
    try:
        build(scratch)
        _publish(scratch, entry)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    return entry


def sweep(folder: Path, keep: Collection[Path]) -> None:
    """Removes what is neither kept nor of the last day: dumps of earlier sources, scratch of killed processes."""
    oldest = time.time() - _DAY
    for entry in folder.iterdir() if folder.is_dir() else ():
        if entry not in keep and entry.stat().st_mtime < oldest:
            shutil.rmtree(entry, ignore_errors=True)


def _publish(scratch: Path, entry: Path) -> None:
    scratch.chmod(0o755)
    try:
        scratch.rename(entry)
    except OSError:
        if not entry.is_dir():
            raise
