"""The store: books in, books out, one transaction a block.

Laws
- ``commit`` is atomic: after a crash the file holds a block wholly or not at all.
- At least ``depth`` blocks can be undone; older undo rows are dropped in the same transaction.
- A checkpoint is a copy of the books at some block. It is used only while that block's hash is still on the chain.
"""

import contextlib
import json
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import msgspec

from keeper.core.book import Book, Change, dump, touched
from keeper.core.events import Block
from keeper.core.units import Address, BlockNumber, Hash, Timestamp
from keeper.errors import StateCorrupt, StateUnwritable
from keeper.store import rows, schema

DEPTH: Final = 128  # blocks that can be undone; design asks for at least 64


@dataclass(frozen=True, slots=True)
class Stored:
    """What the file knows of a block."""

    number: BlockNumber
    hash: Hash
    parent: Hash
    timestamp: Timestamp


@dataclass(frozen=True, slots=True)
class Cursor:
    """How far a market's book has come. ``surveyed``: the block at which all its facts were last read, if ever."""

    block: BlockNumber
    surveyed: BlockNumber | None


@dataclass(frozen=True, slots=True)
class Entry:
    """A market's part in a block: its book after the block, and what the block changed."""

    book: Book
    changes: list[Change]
    surveyed: int | None


class Store:
    """The state file of one chain."""

    def __init__(self, path: Path, chain_id: int, depth: int = DEPTH) -> None:
        self.path = path
        self.depth = depth
        self.db = schema.connect(path, chain_id)
        self._annexed = {int(found) for (found,) in self.db.execute("SELECT DISTINCT market FROM annex")}

    def close(self) -> None:
        """Fold the write-ahead log in and close."""
        with contextlib.suppress(sqlite3.OperationalError):  # a reader may hold the log: it is folded in next time
            self.db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        self.db.close()

    @contextlib.contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """All or nothing."""
        with schema.all_or_nothing(self.db, self.path) as db:
            yield db

    # markets -------------------------------------------------------------------------------------------------------

    def market(self, protocol: str, address: Address) -> int:
        """The market's number in this file, making one when it is new."""
        key = (protocol, address)
        self.db.execute("INSERT OR IGNORE INTO market (protocol, address) VALUES (?, ?)", key)
        found = self.db.execute("SELECT id FROM market WHERE protocol = ? AND address = ?", key).fetchone()
        return int(found[0])

    def cursor(self, market: int) -> Cursor | None:
        """How far the market has come, or ``None`` when it never started."""
        found = self.db.execute("SELECT block, surveyed FROM cursor WHERE market = ?", (market,)).fetchone()
        return None if found is None else Cursor(found[0], found[1])

    def load(self, market: int, types: Mapping[str, type]) -> Book:
        """The market's book as of its cursor."""
        with self._readable():
            return self._load(market, types)

    @contextlib.contextmanager
    def _readable(self) -> Iterator[None]:
        """What was written is read back, or the file is damaged."""
        try:
            yield
        except (sqlite3.DatabaseError, ValueError, LookupError, TypeError, msgspec.MsgspecError) as error:
            msg = f"state file {self.path} is damaged ({error}): move it away to start again from the chain"
            raise StateCorrupt(msg) from error

    def _load(self, market: int, types: Mapping[str, type]) -> Book:
        book = Book()
        accounts = self._accounts(market)
        if accounts:
            held = self.db.execute("SELECT mark, positions FROM account WHERE market = ? ORDER BY row", (market,))
            annexes = self.db.execute("SELECT row, col, value FROM annex WHERE market = ?", (market,))
            book.fill(rows.table(accounts, held, {(row, col): tuple(json.loads(text)) for row, col, text in annexes}))
        for kind, key, value in self.db.execute("SELECT kind, key, value FROM fact WHERE market = ?", (market,)):
            book.learn(kind, key, rows.load_fact(value, kind, types))
        book.take_changes()
        return book

    def _accounts(self, market: int) -> list[Address]:
        """Read apart from all else, so that nothing freed later lies between what stays."""
        query = "SELECT account FROM account WHERE market = ? ORDER BY row"
        accounts = [Address(found) for (found,) in self.db.execute(query, (market,))]
        last = self.db.execute("SELECT max(row) FROM account WHERE market = ?", (market,)).fetchone()[0]
        if accounts and last != len(accounts) - 1:
            raise ValueError(f"accounts of market {market} are missing")
        return accounts

    # blocks --------------------------------------------------------------------------------------------------------

    def commit(self, block: Block, entries: Mapping[int, Entry]) -> None:
        """One block, with its undo record, in one transaction."""
        undo = {str(market): rows.encode_changes(entry.changes) for market, entry in entries.items()}
        with self.transaction() as db:
            self._write_all(block.number, entries)
            db.execute(
                "INSERT INTO block VALUES (?, ?, ?, ?, ?)",
                (block.number, block.hash, block.parent, block.timestamp, json.dumps(undo, separators=(",", ":"))),
            )
            db.execute("DELETE FROM block WHERE number <= ?", (block.number - self.depth,))

    def commit_bulk(
        self, market: int, upto: int, book: Book, changes: list[Change], *, surveyed: int | None = None
    ) -> None:
        """A stretch of history, or a survey, in one transaction. It cannot be undone."""
        with self.transaction() as db:
            self._write(market, book, changes)
            db.execute("INSERT OR REPLACE INTO cursor VALUES (?, ?, ?)", (market, upto, surveyed))

    def undo(self, number: int, types: Mapping[int, Mapping[str, type]]) -> dict[int, list[Change]]:
        """The undo record of the newest block."""
        with self._readable():
            found = self.db.execute("SELECT undo FROM block WHERE number = ?", (number,)).fetchone()
            record: dict[str, list[Any]] = json.loads(found[0])
            return {int(market): rows.decode_changes(entries, types[int(market)]) for market, entries in record.items()}

    def revert(self, number: int, entries: Mapping[int, Entry]) -> None:
        """Write books from which the newest block was undone, and forget that block."""
        with self.transaction() as db:
            self._write_all(number - 1, entries)
            for market, entry in entries.items():
                db.execute("DELETE FROM account WHERE market = ? AND row >= ?", (market, len(entry.book)))
            db.execute("DELETE FROM block WHERE number = ?", (number,))

    def anchor(self, block: Block) -> None:
        """Start the chain of blocks anew at a block: nothing below it can be undone."""
        with self.transaction() as db:
            db.execute("DELETE FROM block")
            db.execute(
                "INSERT INTO block VALUES (?, ?, ?, ?, '{}')", (block.number, block.hash, block.parent, block.timestamp)
            )

    def tail(self) -> list[Stored]:
        """The blocks whose hashes are known, newest first."""
        query = "SELECT number, hash, parent, timestamp FROM block ORDER BY number DESC"
        return [Stored(*found) for found in self.db.execute(query)]

    def forget(self, markets: Sequence[int]) -> None:
        """Drop the books of some markets, to be rebuilt from the chain."""
        with self.transaction() as db:
            for table in ("account", "annex", "fact", "cursor"):
                db.executemany(f"DELETE FROM {table} WHERE market = ?", [(market,) for market in markets])  # noqa: S608
            db.execute("DELETE FROM block")

    # checkpoints ---------------------------------------------------------------------------------------------------

    def checkpoint_path(self, number: int) -> Path:
        """Where the copy made at a block lies."""
        return self.path.with_name(f"{self.path.name}.checkpoint-{number}")

    def checkpoints(self) -> list[tuple[int, Path]]:
        """All copies, newest first."""
        prefix = f"{self.path.name}.checkpoint-"
        found = [(int(path.name[len(prefix) :]), path) for path in self.path.parent.glob(prefix + "*[0-9]")]
        return sorted(found, reverse=True)

    def save_checkpoint(self) -> int:
        """Copy the books as they are now and return the block of the copy. Own connections: safe in a thread."""
        partial = self.path.with_name(f"{self.path.name}.partial")
        partial.unlink(missing_ok=True)
        try:
            source = sqlite3.connect(f"file:{self.path}?mode=ro", uri=True)
            with contextlib.closing(source), contextlib.closing(sqlite3.connect(partial)) as copy:
                source.backup(copy)
                copy.execute("PRAGMA journal_mode=DELETE")
                number = int(copy.execute("SELECT max(number) FROM block").fetchone()[0])
            partial.rename(self.checkpoint_path(number))
        except (sqlite3.OperationalError, OSError) as error:
            partial.unlink(missing_ok=True)  # half a copy would keep a full disk full
            raise StateUnwritable(f"no copy of {self.path} can be written ({error})") from error
        return number

    def checkpoint_hash(self, number: int) -> Hash | None:
        """The hash of the block at which a copy was made; ``None`` when the copy cannot be read."""
        try:
            with contextlib.closing(sqlite3.connect(f"file:{self.checkpoint_path(number)}?mode=ro", uri=True)) as copy:
                found = copy.execute("SELECT hash FROM block WHERE number = ?", (number,)).fetchone()
        except sqlite3.DatabaseError:
            return None
        return None if found is None else Hash(found[0])

    def restore_checkpoint(self, number: int) -> None:
        """Replace the books, and only the books, by those of a copy."""
        self.db.execute("ATTACH ? AS copy", (str(self.checkpoint_path(number)),))
        try:
            with self.transaction() as db:
                for table in schema.BOOK_TABLES:
                    db.execute(f"DELETE FROM main.{table}")  # noqa: S608 - names from a constant
                    db.execute(f"INSERT INTO main.{table} SELECT * FROM copy.{table}")  # noqa: S608
        finally:
            self.db.execute("DETACH copy")

    def prune_checkpoints(self, keep_from: int) -> None:
        """Drop copies older than the newest one at or below a (finalised) block."""
        settled = [(number, path) for number, path in self.checkpoints() if number <= keep_from]
        for _, path in settled[1:]:
            path.unlink(missing_ok=True)

    # rows ----------------------------------------------------------------------------------------------------------

    def _write_all(self, block: int, entries: Mapping[int, Entry]) -> None:
        for market, entry in entries.items():
            self._write(market, entry.book, entry.changes)
            self.db.execute("INSERT OR REPLACE INTO cursor VALUES (?, ?, ?)", (market, block, entry.surveyed))

    def _write(self, market: int, book: Book, changes: list[Change]) -> None:
        """Bring the rows a record names in line with the book."""
        accounts = [(market, *rows.account_row(book, row)) for row in sorted(touched(changes)) if row < len(book)]
        self.db.executemany("INSERT OR REPLACE INTO account VALUES (?, ?, ?, ?, ?)", accounts)
        for kind, key in rows.changed_facts(changes):
            value = book.fact(kind, key)
            if value is None:
                self.db.execute("DELETE FROM fact WHERE market = ? AND kind = ? AND key = ?", (market, kind, key))
            else:
                self.db.execute("INSERT OR REPLACE INTO fact VALUES (?, ?, ?, ?)", (market, kind, key, dump(value)))
        self._write_annexes(market, book, changes)

    def _write_annexes(self, market: int, book: Book, changes: list[Change]) -> None:
        """Most markets have none, and then this costs a look."""
        at = rows.changed_amounts(changes)
        if market in self._annexed:
            self.db.executemany(
                "DELETE FROM annex WHERE market = ? AND row = ? AND col = ?", [(market, *one) for one in at]
            )
        entries = [
            (market, *one, json.dumps(annex)) for one in at if one[0] < len(book) and (annex := book.annex(*one))
        ]
        if entries:
            self._annexed.add(market)
            self.db.executemany("INSERT OR REPLACE INTO annex VALUES (?, ?, ?, ?)", entries)
