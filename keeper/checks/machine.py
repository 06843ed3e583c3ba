"""This machine: the state file is whole and of this chain, there is room, a port is free, secrets are nobody else's.

Law: nothing is created and nothing is repaired.
"""

import contextlib
import errno
import os
import shutil
import socket
from pathlib import Path
from typing import Final

from keeper.books import damage, lock
from keeper.checks.finding import Finding
from keeper.core.units import Address
from keeper.errors import Exit
from keeper.executor.keys import exposed
from keeper.registry import PROTOCOLS
from keeper.settings import Settings
from keeper.store import schema
from keeper.store.store import Store

ROOM: Final = 1 << 30  # bytes free on the disk that are no cause for a word


async def state(settings: Settings) -> list[Finding]:
    """The state file and the disk it is on."""
    path = settings.store.path
    folder = next(parent for parent in path.absolute().parents if parent.exists())
    return [*_disk(settings, folder), *(_existing(settings, path) if path.exists() else _fresh(path))]


def _disk(settings: Settings, folder: Path) -> list[Finding]:
    if not folder.is_dir() or not os.access(folder, os.W_OK):
        key = settings.place("store", "path")
        return [Finding("state file", f"{folder} cannot be written", f"correct {key} or its permissions", Exit.USAGE)]
    free = shutil.disk_usage(folder).free
    if free < ROOM:
        return [Finding("state file", f"only {free >> 20} MiB are free on its disk", "make room")]
    return []


def _fresh(path: Path) -> list[Finding]:
    return [Finding("state file", f"{path} is not there yet: the first start reads the market's whole history")]


def _existing(settings: Settings, path: Path) -> list[Finding]:
    with lock(path) as free, damage(path):
        store = Store(path, settings.chain.id)
        with contextlib.closing(store):
            store.db.execute("BEGIN")  # one moment of the file, should another process move it
            schema.examine(store.db, path)
            accounts, block = _loaded(store)
            store.db.execute("ROLLBACK")
    found = [Finding("state file", f"{path} is whole: {accounts} accounts at block {block}")]
    if not free:
        found.append(Finding("state file", "another process moves it now", "stop that one before a second is started"))
    return found


def _loaded(store: Store) -> tuple[int, int | None]:
    """Read everything back, as a start and an undone block would; accounts, and the newest block."""
    types = {
        int(number): PROTOCOLS[protocol](Address(address)).fact_types
        for number, protocol, address in store.db.execute("SELECT id, protocol, address FROM market")
        if protocol in PROTOCOLS
    }
    accounts = sum(len(store.load(number, known)) for number, known in types.items())
    blocks = store.tail()
    for block in blocks:
        store.undo(block.number, types)
    return accounts, blocks[0].number if blocks else None


async def port(settings: Settings) -> list[Finding]:
    """The address at which health and metrics will be served is free."""
    where = f"{settings.ops.host}:{settings.ops.port}"
    try:
        with socket.create_server((settings.ops.host, settings.ops.port)):
            return [Finding("ops", f"{where} is free")]
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            return [Finding("ops", f"{where} is in use", "by a running keeper? else choose another ops.port")]
        key = settings.place("ops", "host")
        return [Finding("ops", f"{where} cannot be listened at: {error.strerror}", f"correct {key}", Exit.USAGE)]


async def secrets(settings: Settings) -> list[Finding]:
    """Who may read what is secret."""
    signer = settings.signer
    own = [file for file in (signer.keystore, signer.password_file, signer.identity_file) if file is not None]
    found = [Finding("secrets", problem, "chmod 600", Exit.USAGE) for file in own if (problem := exposed(file))]
    mounted = [problem for file in settings.secret_files() if (problem := exposed(file))]
    found += [Finding("secrets", problem, "chmod 600 where the platform allows it") for problem in mounted]
    count = len(own) + len(settings.secret_files())
    return found or [Finding("secrets", f"{count} files readable by their owner alone" if count else "no files")]
