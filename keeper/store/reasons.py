"""Why accounts that could be liquidated were not: a stored reason for each, in the state file.

Laws
- One row for each account of each market: the last reason, since when it holds, and how it ended. At most ``LIMIT``
  rows; the oldest go.
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
from keeper.core.refusals import Skip
from keeper.core.units import Address, BlockNumber, Timestamp, Who
from keeper.errors import StateCorrupt, StateUnwritable
from keeper.log import get_logger
from keeper.store.store import Store

LIMIT: Final = 20_000
REFRESH: Final = 64  # blocks
PLANNED: Final = "planned"
RECOVERED: Final = "recovered"

# The table of before did not say of which market it spoke: it goes, and the next block writes what holds.
_TABLE: Final = """
DROP TABLE IF EXISTS reason;
CREATE TABLE IF NOT EXISTS refusal (market TEXT NOT NULL, account TEXT NOT NULL, reason TEXT NOT NULL,
    term TEXT NOT NULL, since INTEGER NOT NULL, block INTEGER NOT NULL, timestamp INTEGER NOT NULL, ended TEXT NOT NULL,
    PRIMARY KEY (account, market)) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS refusal_block ON refusal (block);
"""
_COLUMNS: Final = "market, account, reason, term, since, block, timestamp, ended"

_log = get_logger()


@dataclass(frozen=True, slots=True)
class Why:
    """Why an account of a market is not liquidated."""

    market: Address
    account: Address
    reason: str  # stable code
    term: str  # the number that decided, readable
    since: BlockNumber  # first of the blocks in a row with this reason
    block: BlockNumber  # last of them
    timestamp: Timestamp  # of that last block
    ended: str = ""  # empty while it holds, else "planned" or "recovered"

    @property
    def who(self) -> Who:
        """Whom it is about."""
        return self.market, self.account


class Reasons:
    """Keeps them. Belongs to the process that moves the state file."""

    def __init__(self, store: Store, *, limit: int = LIMIT, refresh: int = REFRESH) -> None:
        self._store = store
        self._limit, self._refresh = limit, refresh
        self._unwritten: dict[Who, Why] = {}
        store.db.executescript(_TABLE)
        held = store.db.execute(f"SELECT {_COLUMNS} FROM refusal WHERE ended = ''")  # noqa: S608 - a constant
        self._open = {why.who: why for why in map(_why, held)}
        self._written: dict[Who, int] = {why.who: why.block for why in self._open.values()}  # as the file has it

    def update(self, block: Block, skips: Iterable[Skip], planned: Collection[Who] = ()) -> None:
        """All refusals of a block. Whoever was refused before and is neither refused nor planned now has recovered."""
        before, self._open = self._open, {}
        for skip in skips:
            known = before.pop(skip.who, None)
            self._open[skip.who] = why = _next(known, skip, block)
            due = block.number - self._written.get(skip.who, -self._refresh) >= self._refresh
            if due or known is None or known.reason != why.reason:
                self._unwritten[skip.who] = why
        for who, why in before.items():
            how = PLANNED if who in planned else RECOVERED
            self._unwritten[who] = replace(why, block=block.number, timestamp=block.timestamp, ended=how)
        self.flush()

    def of(self, account: Address) -> list[Why]:
        """What is known of an account, market by market: newest first from memory, then from the file."""
        found = {why.who: why for why in _read(self._store.db, account)}
        for known in (self._unwritten, self._open):
            found |= {who: why for who, why in known.items() if why.account == account}
        return [found[who] for who in sorted(found)]

    def held(self) -> Iterator[Why]:
        """Every reason that holds now, the oldest first."""
        yield from sorted(self._open.values(), key=lambda why: (why.since, why.account, why.market))

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
        rows = [
            (w.market, w.account, w.reason, w.term, w.since, w.block, w.timestamp, w.ended)
            for w in self._unwritten.values()
        ]
        try:
            with self._store.transaction() as db:
                db.executemany("INSERT OR REPLACE INTO refusal VALUES (?, ?, ?, ?, ?, ?, ?, ?)", rows)
                self._forget(db)
        except StateUnwritable as error:
            _log.warning("store.write_failed", table="refusal", error=str(error), rows=len(rows))
            self._shorten()
            return
        self._written |= {who: why.block for who, why in self._unwritten.items()}
        self._written = {who: number for who, number in self._written.items() if who in self._open}
        self._unwritten.clear()

    def _forget(self, db: sqlite3.Connection) -> None:
        (count,) = db.execute("SELECT count(*) FROM refusal").fetchone()
        if count > self._limit:
            oldest = "SELECT account, market FROM refusal ORDER BY ended = '', block, account, market LIMIT ?"
            db.execute(f"DELETE FROM refusal WHERE (account, market) IN ({oldest})", (count - self._limit,))  # noqa: S608

    def _shorten(self) -> None:
        for who in list(self._unwritten)[: max(len(self._unwritten) - self._limit, 0)]:
            del self._unwritten[who]


def why(path: Path, account: Address) -> list[Why]:
    """The same from another process, whether keeper runs or not. Nothing: it was never seen liquidatable."""
    if not path.exists():
        raise StateCorrupt(f"state file {path} does not exist: start keeper with it first, or correct store.path")
    try:
        with closing(sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True)) as db:
            known = db.execute("SELECT 1 FROM sqlite_master WHERE name = 'refusal'").fetchone()
            return _read(db, account) if known else []
    except sqlite3.DatabaseError as error:
        raise StateCorrupt(f"state file {path} cannot be read ({error})") from error


def _read(db: sqlite3.Connection, account: Address) -> list[Why]:
    query = f"SELECT {_COLUMNS} FROM refusal WHERE account = ? ORDER BY market"  # noqa: S608 - a constant
    return [_why(row) for row in db.execute(query, (account,))]


def _why(row: tuple[str, str, str, str, int, int, int, str]) -> Why:
    market, account, reason, term, since, block, timestamp, ended = row
    who = Address(market), Address(account)
    return Why(*who, reason, term, BlockNumber(since), BlockNumber(block), Timestamp(timestamp), ended)


def _next(known: Why | None, skip: Skip, block: Block) -> Why:
    lasts = known is not None and known.reason == skip.reason.value
    since = known.since if known is not None and lasts else block.number
    return Why(skip.market, skip.account, skip.reason.value, skip.term, since, block.number, block.timestamp)
