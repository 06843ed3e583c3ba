"""Why accounts that could be liquidated were not: a stored reason for each, in the state file.

Laws
- One row an account: the last reason, since when it holds, and how it ended. At most ``LIMIT`` rows; the oldest go.
- A row is written when its reason changes or ends, and every ``REFRESH`` blocks while it lasts; in between, the
  newer term is only in memory. Whoever reads the file from outside sees which block it speaks of.
- A reason that cannot be written now is kept and written with the next block. It never stops the blocks.
"""

import sqlite3
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from keeper.core.events import Block
from keeper.core.plans import Skip
from keeper.core.units import Address, BlockNumber, Timestamp
from keeper.errors import StateCorrupt, StateUnwritable
from keeper.log import get_logger
from keeper.store.store import Store

LIMIT: Final = 20_000
REFRESH: Final = 64  # blocks
PLANNED: Final = "planned"
RECOVERED: Final = "recovered"

_TABLE: Final = """
CREATE TABLE IF NOT EXISTS reason (account TEXT PRIMARY KEY, reason TEXT NOT NULL, term TEXT NOT NULL,
    since INTEGER NOT NULL, block INTEGER NOT NULL, timestamp INTEGER NOT NULL, ended TEXT NOT NULL) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS reason_block ON reason (block);
"""
_COLUMNS: Final = "account, reason, term, since, block, timestamp, ended"

_log = get_logger()


@dataclass(frozen=True, slots=True)
class Why:
    """Why an account is not liquidated."""

    account: Address
    reason: str  # stable code
    term: str  # the number that decided, readable
    since: BlockNumber  # first of the blocks in a row with this reason
    block: BlockNumber  # last of them
    timestamp: Timestamp  # of that last block
    ended: str = ""  # empty while it holds, else "planned" or "recovered"


class Reasons:
    """Keeps them. Belongs to the process that moves the state file."""

    def __init__(self, store: Store, *, limit: int = LIMIT, refresh: int = REFRESH) -> None:
        self._store = store
        self._limit, self._refresh = limit, refresh
        self._unwritten: dict[Address, Why] = {}
        store.db.executescript(_TABLE)
        held = store.db.execute(f"SELECT {_COLUMNS} FROM reason WHERE ended = ''")  # noqa: S608 - a constant
        self._open = {why.account: why for why in map(_why, held)}
        self._written: dict[Address, int] = {
            why.account: why.block for why in self._open.values()
        }  # as the file has it

    def update(self, block: Block, skips: Iterable[Skip], planned: Collection[Address] = ()) -> None:
        """All refusals of a block. Whoever was refused before and is neither refused nor planned now has recovered."""
        before, self._open = self._open, {}
        for skip in skips:
            known = before.pop(skip.account, None)
            self._open[skip.account] = why = _next(known, skip, block)
            due = block.number - self._written.get(skip.account, -self._refresh) >= self._refresh
            if due or known is None or known.reason != why.reason:
                self._unwritten[skip.account] = why
        for account, why in before.items():
            how = PLANNED if account in planned else RECOVERED
            self._unwritten[account] = replace(why, block=block.number, timestamp=block.timestamp, ended=how)
        self.flush()

    def of(self, account: Address) -> Why | None:
        """What is known of an account, newest first from memory, then from the file."""
        known = self._open.get(account) or self._unwritten.get(account)
        return known or _read(self._store.db, account)

    def held(self) -> Iterator[Why]:
        """Every reason that holds now, the oldest first."""
        yield from sorted(self._open.values(), key=lambda why: (why.since, why.account))

    @property
    def waiting(self) -> int:
        """Rows that are not written yet."""
        return len(self._unwritten)

    def counts(self) -> Mapping[str, int]:
        """Accounts refused now, by reason."""
        return Counter(why.reason for why in self._open.values())

    def close(self) -> None:
        """Write what holds as it stands, terms included."""
        self._unwritten = self._open | self._unwritten
        self.flush()

    def flush(self) -> None:
        """Write what is not written, and forget what is too old. Not now is not never."""
        if not self._unwritten:
            return
        rows = [(w.account, w.reason, w.term, w.since, w.block, w.timestamp, w.ended) for w in self._unwritten.values()]
        try:
            with self._store.transaction() as db:
                db.executemany("INSERT OR REPLACE INTO reason VALUES (?, ?, ?, ?, ?, ?, ?)", rows)
                self._forget(db)
        except StateUnwritable as error:
            _log.warning("store.write_failed", table="reason", error=str(error), rows=len(rows))
            self._shorten()
            return
        self._written |= {account: why.block for account, why in self._unwritten.items()}
        self._written = {account: number for account, number in self._written.items() if account in self._open}
        self._unwritten.clear()

    def _forget(self, db: sqlite3.Connection) -> None:
        (count,) = db.execute("SELECT count(*) FROM reason").fetchone()
        if count > self._limit:
            oldest = "SELECT account FROM reason ORDER BY ended = '', block, account LIMIT ?"
            db.execute(f"DELETE FROM reason WHERE account IN ({oldest})", (count - self._limit,))  # noqa: S608

    def _shorten(self) -> None:
        for account in list(self._unwritten)[: max(len(self._unwritten) - self._limit, 0)]:
            del self._unwritten[account]


def why(path: Path, account: Address) -> Why | None:
    """The same from another process, whether keeper runs or not. ``None``: it was never seen liquidatable."""
    if not path.exists():
        raise StateCorrupt(f"state file {path} does not exist: start keeper with it first, or correct store.path")
    try:
        with closing(sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True)) as db:
            known = db.execute("SELECT 1 FROM sqlite_master WHERE name = 'reason'").fetchone()
            return _read(db, account) if known else None
    except sqlite3.DatabaseError as error:
        raise StateCorrupt(f"state file {path} cannot be read ({error})") from error


def _read(db: sqlite3.Connection, account: Address) -> Why | None:
    found = db.execute(f"SELECT {_COLUMNS} FROM reason WHERE account = ?", (account,)).fetchone()  # noqa: S608
    return None if found is None else _why(found)


def _why(row: tuple[str, str, str, int, int, int, str]) -> Why:
    account, reason, term, since, block, timestamp, ended = row
    return Why(Address(account), reason, term, BlockNumber(since), BlockNumber(block), Timestamp(timestamp), ended)


def _next(known: Why | None, skip: Skip, block: Block) -> Why:
    lasts = known is not None and known.reason == skip.reason.value
    since = known.since if known is not None and lasts else block.number
    return Why(skip.account, skip.reason.value, skip.term, since, block.number, block.timestamp)
