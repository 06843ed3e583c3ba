"""The journal and the ledger in the state file.

Laws
- ``write`` returns when the disk has it: a connection of its own with ``synchronous=FULL``, one transaction a call.
- An entry, the lines it causes and the nonces it accounts for are written together or not at all.
- Lines are only added. Variants never change; ``prune`` forgets the bytes of what was final long ago.
"""

import contextlib
import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

import msgspec

from keeper.core.journal import Entry, Fate, Line, State, Variant
from keeper.core.plans import Plan
from keeper.core.units import Address, BlockNumber, Hash, Wei
from keeper.errors import StateCorrupt
from keeper.store import schema

_ENTRY: Final = "SELECT id, eoa, nonce, state, outcome, reason, block, hash, tx FROM opportunity"
_LINE: Final = "SELECT opportunity, tx, block, hash, executor, eoa, gas_used, bid, predicted, reversal FROM ledger"
_NONE: Final[Mapping[Address, int]] = MappingProxyType({})


class Journal:
    """Entries in, entries out."""

    def __init__(self, path: Path, chain_id: int) -> None:
        self.path = path
        self._db = schema.connect(path, chain_id)
        self._db.execute("PRAGMA synchronous=FULL")

    def close(self) -> None:
        self._db.close()

    # entries -------------------------------------------------------------------------------------------------------

    def write(
        self, entries: Iterable[Entry], lines: Iterable[Line] = (), nonces: Mapping[Address, int] = _NONE
    ) -> None:
        """All or nothing, and on disk. ``nonces``: up to where each account's nonces are accounted for."""
        with self._transaction():
            self._write(list(entries), list(lines), nonces)

    def open(self) -> list[Entry]:
        """Every entry that is not final."""
        return self._entries(f"{_ENTRY} WHERE state <> 'final'", ())

    def find(self, opportunity: str) -> Entry | None:
        """The entry of an opportunity, final or not."""
        return next(iter(self._entries(f"{_ENTRY} WHERE id = ?", (opportunity,))), None)

    def ended(self, most: int) -> list[Entry]:
        """The latest entries with an outcome, oldest first."""
        latest = self._entries(f"{_ENTRY} WHERE outcome IS NOT NULL ORDER BY block DESC, id LIMIT ?", (most,))
        return latest[::-1]

    def since(self, block: int) -> list[Entry]:
        """Every entry of which something could land in this block or later, final or not."""
        where = "WHERE id IN (SELECT opportunity FROM variant WHERE until >= ?)"
        return self._entries(f"{_ENTRY} {where}", (block,))

    def sharing(self, eoa: Address, nonce: int) -> list[Entry]:
        """Every entry that ever signed with this nonce."""
        return self._entries(f"{_ENTRY} WHERE eoa = ? AND nonce = ?", (eoa, nonce))

    def nonces(self) -> dict[Address, int]:
        """Up to where each account's nonces are accounted for."""
        return {Address(eoa): nonce for eoa, nonce in self._db.execute("SELECT eoa, nonce FROM signer")}

    def prune(self, before: int) -> None:
        """Of what was final before a block, keep outcomes, hashes and the newest plan: nobody needs the bytes."""
        old = "opportunity IN (SELECT id FROM opportunity WHERE state = 'final' AND block < ?) AND raw <> x''"
        newest = "number = (SELECT max(number) FROM variant AS one WHERE one.opportunity = variant.opportunity)"
        with self._transaction() as db:
            db.execute(f"UPDATE variant SET raw = x'', plan = iif({newest}, plan, NULL) WHERE {old}", (before,))  # noqa: S608

    # ledger --------------------------------------------------------------------------------------------------------

    def lines(self, opportunity: str | None = None) -> list[Line]:
        """The ledger, or an opportunity's part of it, in the order of booking."""
        where, values = ("", ()) if opportunity is None else (" WHERE opportunity = ?", (opportunity,))
        return [_line(row) for row in self._db.execute(f"{_LINE}{where} ORDER BY line", values)]

    def total(self) -> Wei:
        """The sum of the ledger: what balances changed by."""
        rows = self._db.execute("SELECT executor, eoa FROM ledger")
        return Wei(sum(int(executor) + int(eoa) for executor, eoa in rows))

    @contextlib.contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        try:
            with schema.all_or_nothing(self._db, self.path) as db:
                yield db
        except sqlite3.DatabaseError as error:
            raise StateCorrupt(
                f"the journal in {self.path} cannot be written ({error}): nothing more is sent"
            ) from error

    # rows ----------------------------------------------------------------------------------------------------------

    def _write(self, entries: Sequence[Entry], lines: Sequence[Line], nonces: Mapping[Address, int]) -> None:
        self._db.executemany(
            "INSERT OR REPLACE INTO opportunity VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)", map(_entry_row, entries)
        )
        self._db.executemany(
            "INSERT INTO variant VALUES (?, ?, ?, ?, ?, ?)",
            [row for entry in entries for row in self._new_variants(entry)],
        )
        self._db.executemany(
            "INSERT INTO ledger (opportunity, tx, block, hash, executor, eoa, gas_used, bid, predicted, reversal)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            map(_line_row, lines),
        )
        self._db.executemany("INSERT OR REPLACE INTO signer VALUES (?, ?)", nonces.items())

    def _new_variants(self, entry: Entry) -> list[tuple[object, ...]]:
        query = "SELECT count(*) FROM variant WHERE opportunity = ?"
        known = int(self._db.execute(query, (entry.id,)).fetchone()[0])
        fresh = enumerate(entry.variants[known:], known)
        return [(entry.id, number, one.tx, one.raw, one.until, _text(one.plan)) for number, one in fresh]

    def _entries(self, query: str, values: tuple[object, ...]) -> list[Entry]:
        try:
            return [_entry(row, self._variants(row[0])) for row in self._db.execute(query, values).fetchall()]
        except (sqlite3.DatabaseError, ValueError, msgspec.MsgspecError) as error:
            raise StateCorrupt(f"the journal in {self.path} is damaged ({error})") from error

    def _variants(self, opportunity: str) -> tuple[Variant, ...]:
        query = "SELECT tx, raw, until, plan FROM variant WHERE opportunity = ? ORDER BY number"
        return tuple(
            Variant(Hash(tx), raw, BlockNumber(until), None if plan is None else msgspec.json.decode(plan, type=Plan))
            for tx, raw, until, plan in self._db.execute(query, (opportunity,))
        )


def _text(plan: Plan | None) -> str | None:
    return None if plan is None else msgspec.json.encode(plan).decode()


def _entry_row(entry: Entry) -> tuple[object, ...]:
    fate = entry.fate
    decided = (None, None, None) if fate is None else (fate.block, fate.hash, fate.tx)
    outcome = entry.outcome and entry.outcome.value
    return entry.id, entry.eoa, entry.nonce, entry.state.value, outcome, entry.reason, *decided


def _entry(row: tuple[Any, ...], variants: tuple[Variant, ...]) -> Entry:
    number, eoa, nonce, state, outcome, reason, block, at, tx = row
    fate = None if block is None else Fate(BlockNumber(block), Hash(at), tx and Hash(tx))
    return Entry(number, Address(eoa), nonce, State(state), variants, fate, outcome and State(outcome), reason)


def _line_row(line: Line) -> tuple[object, ...]:
    money = (str(line.executor), str(line.eoa), line.gas_used, str(line.bid), str(line.predicted))
    return line.opportunity, line.tx, line.block, line.hash, *money, line.reversal


def _line(row: tuple[Any, ...]) -> Line:
    opportunity, tx, block, at, executor, eoa, gas_used, bid, predicted, reversal = row
    money = (Wei(int(executor)), Wei(int(eoa)), gas_used, Wei(int(bid)), Wei(int(predicted)))
    return Line(opportunity, Hash(tx), BlockNumber(block), Hash(at), *money, reversal=bool(reversal))
