"""Books on a desk: chain access, state file and indexer, built from the configuration for one command.

Laws
- One process at a time moves a state file. While another holds it, a command works on a copy of its own.
- A command about a past block never moves the state file either: it takes a copy and rewinds that.
"""

import contextlib
import fcntl
import shutil
import sqlite3
import tempfile
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path

from keeper.chain.endpoint import Limits
from keeper.chain.pool import Pool
from keeper.core.events import Block
from keeper.core.ports import Adapter, Chain
from keeper.core.units import Address
from keeper.errors import ConfigError, WrongChain
from keeper.indexer.indexer import Indexer
from keeper.indexer.pinned import PinnedChain
from keeper.indexer.progress import Report
from keeper.registry import PROTOCOLS
from keeper.settings import Settings
from keeper.store.store import Store


@dataclass(frozen=True, slots=True)
class Desk:
    """Everything a command needs to look at books that are up to date at ``block``."""

    chain: Chain
    indexer: Indexer
    block: Block


@contextlib.asynccontextmanager
async def desk(settings: Settings, at: int | None, report: Report) -> AsyncIterator[Desk]:
    """Books brought to the head, or to a given block."""
    async with endpoints(settings) as pool:
        await require_chain(pool, settings.chain.id)
        chain: Chain = pool if at is None else await PinnedChain.at(pool, at)
        with state_file(settings.store.path, copy=at is not None) as path:
            store = Store(path, settings.chain.id, settings.store.undo_blocks)
            with contextlib.closing(store):
                indexer = Indexer(chain, store, markets(settings), report=report)
                if at is not None:
                    indexer.rewind(at)
                yield Desk(chain, indexer, await indexer.advance())


def endpoints(settings: Settings) -> Pool:
    """Chain access as configured."""
    limits = Limits(
        timeout=settings.chain.timeout,
        long_timeout=settings.chain.long_timeout,
        in_flight=settings.chain.in_flight,
        batch=settings.chain.batch,
    )
    return Pool([str(url) for url in settings.chain.rpc], limits=limits)


async def require_chain(pool: Pool, chain_id: int) -> None:
    """The endpoints must be of the configured chain."""
    found = await pool.chain_id()
    if found != chain_id:
        msg = f"the endpoints are of chain {found}, chain.id says {chain_id}: correct chain.id or chain.rpc"
        raise WrongChain(msg)


def markets(settings: Settings) -> list[tuple[Adapter, int]]:
    """An adapter for every configured market, with the block its logs begin at."""
    unknown = [market.protocol for market in settings.markets if market.protocol not in PROTOCOLS]
    if unknown:
        known = ", ".join(PROTOCOLS)
        raise ConfigError(*(f"markets: protocol {name!r} is not known; one of: {known}" for name in unknown))
    if not settings.markets:
        raise ConfigError("markets: none configured; add a [[markets]] section with protocol, address and from_block")
    return [(PROTOCOLS[market.protocol](Address(market.address)), market.from_block) for market in settings.markets]


@contextlib.contextmanager
def state_file(path: Path, *, copy: bool) -> Iterator[Path]:
    """The state file itself when nobody else moves it and no copy is asked for; else a copy, thrown away later."""
    if copy:
        with _copied(path) as other:
            yield other
        return
    with contextlib.ExitStack() as stack:
        if stack.enter_context(lock(path)):
            yield path
        else:
            yield stack.enter_context(_copied(path))


@contextlib.contextmanager
def lock(path: Path) -> Iterator[bool]:
    """Hold the right to move a state file, if it is free. Ends with the process, however that ends."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.with_name(path.name + ".lock").open("a") as holder:
        try:
            fcntl.flock(holder, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
        else:
            yield True


@contextlib.contextmanager
def _copied(path: Path) -> Iterator[Path]:
    folder = Path(tempfile.mkdtemp(prefix="keeper-"))
    try:
        target = folder / path.name
        if path.exists():
            source = sqlite3.connect(f"file:{path}?mode=ro", uri=True)
            with contextlib.closing(source), contextlib.closing(sqlite3.connect(target)) as other:
                source.backup(other)
        yield target
    finally:
        shutil.rmtree(folder, ignore_errors=True)
