"""The state file: one SQLite database in WAL mode.

Laws
- A block's changes are one transaction with the block's number, hash, parent and timestamp.
- The file belongs to one chain and says so; a file that is damaged or of another chain is refused, never repaired.
- Row numbers are stable for the life of the file: undo rows refer to them.
- Journal and ledger (opportunity, variant, ledger, signer) are no part of the books: rebuilding those touches neither.
"""

import contextlib
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from keeper.errors import StateCorrupt, StateUnwritable, WrongChain

APPLICATION_ID: Final = 0x6B656570  # "keep"
VERSION: Final = 2
OF_THE_DISK: Final = ("SQLITE_BUSY", "SQLITE_CANTOPEN", "SQLITE_FULL", "SQLITE_IOERR", "SQLITE_PERM", "SQLITE_READONLY")

BOOK_TABLES: Final = ("account", "annex", "fact", "block", "cursor")

TABLES: Final = """
CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE market (id INTEGER PRIMARY KEY, protocol TEXT NOT NULL, address TEXT NOT NULL,
                     UNIQUE (protocol, address));
CREATE TABLE account (market INTEGER NOT NULL, row INTEGER NOT NULL, account TEXT NOT NULL, mark BLOB NOT NULL,
                      positions BLOB NOT NULL, PRIMARY KEY (market, row)) WITHOUT ROWID;
CREATE TABLE annex (market INTEGER NOT NULL, row INTEGER NOT NULL, col INTEGER NOT NULL, value TEXT NOT NULL,
                    PRIMARY KEY (market, row, col)) WITHOUT ROWID;
CREATE TABLE fact (market INTEGER NOT NULL, kind TEXT NOT NULL, key TEXT NOT NULL, value TEXT NOT NULL,
                   PRIMARY KEY (market, kind, key)) WITHOUT ROWID;
CREATE TABLE block (number INTEGER PRIMARY KEY, hash TEXT NOT NULL, parent TEXT NOT NULL, timestamp INTEGER NOT NULL,
                    undo TEXT NOT NULL);
CREATE TABLE cursor (market INTEGER PRIMARY KEY, block INTEGER NOT NULL, surveyed INTEGER);
CREATE TABLE opportunity (id TEXT PRIMARY KEY, eoa TEXT NOT NULL, nonce INTEGER NOT NULL, state TEXT NOT NULL,
                          outcome TEXT, reason TEXT NOT NULL, block INTEGER, hash TEXT, tx TEXT) WITHOUT ROWID;
CREATE INDEX opportunity_open ON opportunity (state) WHERE state <> 'final';
CREATE INDEX opportunity_nonce ON opportunity (eoa, nonce);
CREATE TABLE variant (opportunity TEXT NOT NULL, number INTEGER NOT NULL, tx TEXT NOT NULL, raw BLOB NOT NULL,
                      until INTEGER NOT NULL, plan TEXT, PRIMARY KEY (opportunity, number)) WITHOUT ROWID;
CREATE TABLE ledger (line INTEGER PRIMARY KEY, opportunity TEXT NOT NULL, tx TEXT NOT NULL, block INTEGER NOT NULL,
                     hash TEXT NOT NULL, executor TEXT NOT NULL, eoa TEXT NOT NULL, gas_used INTEGER NOT NULL,
                     bid TEXT NOT NULL, predicted TEXT NOT NULL, reversal INTEGER NOT NULL);
CREATE TABLE signer (eoa TEXT PRIMARY KEY, nonce INTEGER NOT NULL) WITHOUT ROWID;
"""


def connect(path: Path, chain_id: int) -> sqlite3.Connection:
    """Open the state file of a chain, making it when there is none."""
    fresh = not path.exists() or path.stat().st_size == 0
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        db = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        new = fresh or _empty(db)
        if not new:
            _verify(db, path, chain_id)  # before anything is written: it may be another program's
        db.execute("PRAGMA journal_mode=WAL")
        db.execute("PRAGMA synchronous=NORMAL")
        if new:
            _create(db, chain_id)
    except sqlite3.DatabaseError as error:
        msg = f"state file {path} cannot be read ({error}): move it away to start again from the chain"
        raise StateCorrupt(msg) from error
    except OSError as error:
        msg = f"state file {path} cannot be opened ({error.strerror}): check the path and its permissions"
        raise StateCorrupt(msg) from error
    return db


def _empty(db: sqlite3.Connection) -> bool:
    """A file that a process died on before its first transaction."""
    return not db.execute("SELECT 1 FROM sqlite_master LIMIT 1").fetchone()


def _create(db: sqlite3.Connection, chain_id: int) -> None:
    identity = f"PRAGMA application_id={APPLICATION_ID}; PRAGMA user_version={VERSION};"
    db.executescript(f"BEGIN; {identity} {TABLES}")
    db.execute("INSERT INTO meta VALUES ('chain_id', ?)", (str(chain_id),))
    db.execute("COMMIT")


def _verify(db: sqlite3.Connection, path: Path, chain_id: int) -> None:
    if db.execute("PRAGMA application_id").fetchone()[0] != APPLICATION_ID:
        msg = f"{path} is not a keeper state file: set store.path to another file"
        raise StateCorrupt(msg)
    version = db.execute("PRAGMA user_version").fetchone()[0]
    if version != VERSION:
        msg = f"state file {path} has layout {version}, this keeper writes {VERSION}: move it away and start again"
        raise StateCorrupt(msg)
    stored = int(db.execute("SELECT value FROM meta WHERE key='chain_id'").fetchone()[0])
    if stored != chain_id:
        msg = f"state file {path} belongs to chain {stored}, the configuration says {chain_id}: use another store.path"
        raise WrongChain(msg)


@contextlib.contextmanager
def all_or_nothing(db: sqlite3.Connection, path: Path) -> Iterator[sqlite3.Connection]:
    """One transaction. Where the disk, or whoever holds the file, does not let it through: ``StateUnwritable``."""
    try:
        db.execute("BEGIN IMMEDIATE")
        try:
            yield db
            db.execute("COMMIT")
        except BaseException:
            if db.in_transaction:  # a full disk has ended it already
                db.execute("ROLLBACK")
            raise
    except sqlite3.OperationalError as error:
        if not error.sqlite_errorname.startswith(OF_THE_DISK):
            raise
        msg = f"state file {path} cannot be written ({error}): look at the disk, its free space and the permissions"
        raise StateUnwritable(msg) from error


def examine(db: sqlite3.Connection, path: Path) -> None:
    """Walk the whole file: what ``keeper check`` does and a start, which reads every row anyway, does not."""
    problem = db.execute("PRAGMA quick_check(1)").fetchone()[0]
    if problem != "ok":
        msg = f"state file {path} is damaged ({problem}): move it away to start again from the chain"
        raise StateCorrupt(msg)
