"""Books on a desk: chain access, state file and indexer, built from the configuration for one command.

Laws
- One process at a time moves a state file. While another holds it, a command works on a copy of its own.
- A command about a past block never moves the state file either: it takes a copy and rewinds that.
- What is wrong is told before anything is read in bulk: wrong chain, no market at an address, a block without state.
"""

import contextlib
import fcntl
import shutil
import sqlite3
import tempfile
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from keeper.chain import reads
from keeper.chain.endpoint import Limits
from keeper.chain.health import STALL_BLOCKS, Fault, Rules
from keeper.chain.pool import PATIENCE, Pool
from keeper.chain.retry import Patience
from keeper.core.events import Block
from keeper.core.ports import Adapter, Chain
from keeper.core.units import Address
from keeper.errors import BlockUnknown, ConfigError, EndpointsUnavailable, StateCorrupt, WrongChain
from keeper.indexer.indexer import Indexer
from keeper.indexer.inquire import inquire
from keeper.indexer.pinned import PinnedChain
from keeper.indexer.progress import Report
from keeper.registry import PROTOCOLS
from keeper.settings import Settings
from keeper.store import schema
from keeper.store.store import Store

STALL: Final = 30.0  # seconds that a head may stay the same where blocks come fast


@dataclass(frozen=True, slots=True)
class Desk:
    """Everything a command needs to look at books that are up to date at ``block``."""

    chain: Chain
    indexer: Indexer
    block: Block


@contextlib.asynccontextmanager
async def desk(settings: Settings, at: int | None, report: Report) -> AsyncIterator[Desk]:
    """Books brought to the head, or to a given block."""
    adapters = markets(settings)
    async with endpoints(settings, Patience(total=settings.chain.timeout)) as pool:  # somebody waits for the answer
        await require_chain(pool, settings.chain.id)
        chain: Chain = pool if at is None else await PinnedChain.at(pool, at)
        with state_at(at):
            await require_markets(chain, settings, adapters)
            with state_file(settings.store.path, copy=at is not None) as path, damage(settings.store.path):
                store = Store(path, settings.chain.id, settings.store.undo_blocks)
                with contextlib.closing(store):
                    indexer = Indexer(chain, store, adapters, report=report)
                    if at is not None:
                        indexer.rewind(at)
                    yield Desk(chain, indexer, await indexer.advance())


# the chain -------------------------------------------------------------------------------------------------------


def endpoints(settings: Settings, patience: Patience = PATIENCE, *, following: bool = False) -> Pool:
    """Chain access as configured. Only who follows the chain minds that it stands still."""
    limits = Limits(
        timeout=settings.chain.timeout,
        long_timeout=settings.chain.long_timeout,
        in_flight=settings.chain.in_flight,
        batch=settings.chain.batch,
    )
    chain = settings.chain
    stall = max(STALL, STALL_BLOCKS * chain.block_time) if chain.stall is None else chain.stall
    rules = Rules(chain_id=chain.id, stall=stall if following else 0.0)
    return Pool(list(chain.rpc), rules=rules, limits=limits, patience=patience)


async def require_chain(pool: Pool, chain_id: int) -> None:
    """Somebody must be of the configured chain, unless nobody answers at all: that is said by the first question."""
    if not pool.ready and set(pool.faults.values()) == {Fault.WRONG_CHAIN.value}:
        first = pool.endpoints[0]
        found, _, _ = await reads.introduction(first)
        msg = f"{first.name} is on chain {found}, chain.id says {chain_id}: correct chain.id or chain.rpc"
        raise WrongChain(msg)


@contextlib.contextmanager
def state_at(at: int | None) -> Iterator[None]:
    """A block whose state no endpoint has any more is named as what it is."""
    try:
        yield
    except BlockUnknown as error:
        if at is None:
            raise
        msg = (
            f"--block {at}: no endpoint has the state of this block ({error}): ask for a later one, or an archive node"
        )
        raise EndpointsUnavailable(msg) from error


# the markets -----------------------------------------------------------------------------------------------------


def markets(settings: Settings) -> list[tuple[Adapter, int]]:
    """An adapter for every configured market, with the block its logs begin at."""
    if not settings.markets:
        raise ConfigError("markets: none configured; add a [[markets]] section with protocol, address and from_block")
    times = Counter((market.protocol, market.address) for market in settings.markets)
    problems = [f"markets: {address} is configured {count} times" for (_, address), count in times.items() if count > 1]
    known = ", ".join(PROTOCOLS)
    problems += [
        f"{settings.place('markets', i, 'protocol')} = {market.protocol!r}: not known; one of: {known}"
        for i, market in enumerate(settings.markets)
        if market.protocol not in PROTOCOLS
    ]
    if problems:
        raise ConfigError(*problems)
    return [(PROTOCOLS[market.protocol](Address(market.address)), market.from_block) for market in settings.markets]


async def require_markets(chain: Chain, settings: Settings, adapters: list[tuple[Adapter, int]]) -> None:
    """Every market must be where the configuration says, at the block that is asked about."""
    head = await chain.head()
    problems = [await market_problem(chain, settings, i, adapter, head) for i, (adapter, _) in enumerate(adapters)]
    if any(problems):
        raise ConfigError(*filter(None, problems))


async def market_problem(chain: Chain, settings: Settings, i: int, adapter: Adapter, head: Block) -> str:
    """What is wrong with the market that is configured in a place of the list; empty when nothing is."""
    market = settings.markets[i]
    if market.from_block > head.number:
        return f"{settings.place('markets', i, 'from_block')} = {market.from_block}: later than block {head.number}"
    why = await inquire(chain, adapter.examine(), head, market.from_block)
    return why and f"{settings.place('markets', i, 'address')} = {market.address}: {why}"


# the state file --------------------------------------------------------------------------------------------------


@contextlib.contextmanager
def damage(path: Path) -> Iterator[None]:
    """Whatever SQLite finds wrong with a state file, in words an operator can act on."""
    try:
        yield
    except sqlite3.DatabaseError as error:
        if getattr(error, "sqlite_errorname", "").startswith(schema.OF_THE_DISK):
            msg = f"state file {path} cannot be used ({error}): look at the disk, its free space and the permissions"
        else:
            msg = f"state file {path} is damaged ({error}): move it away to start again from the chain"
        raise StateCorrupt(msg) from error


@contextlib.contextmanager
def state_file(path: Path, *, copy: bool) -> Iterator[Path]:
    """The state file itself when nobody else moves it and no copy is asked for; else a copy, thrown away later."""
    with contextlib.ExitStack() as stack:
        if not copy and stack.enter_context(lock(path)):
            yield path
        else:
            yield stack.enter_context(_copied(path))


@contextlib.contextmanager
def lock(path: Path) -> Iterator[bool]:
    """Hold the right to move a state file, if it is free. Ends with the process, however that ends."""
    with contextlib.ExitStack() as stack:
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            holder = stack.enter_context(path.with_name(path.name + ".lock").open("a"))
        except OSError as error:
            raise ConfigError(f"store.path = {path}: cannot be written beside: {error.strerror}") from error
        try:
            fcntl.flock(holder, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            free = False
        else:
            free = True
        yield free


@contextlib.contextmanager
def _copied(path: Path) -> Iterator[Path]:
    folder = Path(tempfile.mkdtemp(prefix="keeper-"))
    target = folder / path.name
    try:
        if path.exists():
            with damage(path):
                source = sqlite3.connect(f"file:{path}?mode=ro", uri=True)
                with contextlib.closing(source), contextlib.closing(sqlite3.connect(target)) as other:
                    source.backup(other)
        yield target
    except (StateCorrupt, WrongChain) as error:  # about the original, as far as anybody outside is concerned
        raise type(error)(str(error).replace(str(target), str(path))) from error
    finally:
        shutil.rmtree(folder, ignore_errors=True)
