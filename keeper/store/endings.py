"""How auctions ended for others, in the state file: what was learned of rivals survives a restart.

Law: the newest are kept, in order, as many as the book of rivals keeps. What cannot be written now is written with the
next one; it never stops the blocks.
"""

import json
from collections.abc import Mapping, Sequence
from typing import Final

from keeper.core.units import Address
from keeper.errors import StateUnwritable
from keeper.log import get_logger
from keeper.store.store import Store

_TABLE: Final = """
CREATE TABLE IF NOT EXISTS rival (market TEXT NOT NULL, asset TEXT NOT NULL, margins TEXT NOT NULL,
    PRIMARY KEY (market, asset)) WITHOUT ROWID;
"""

Key = tuple[Address, Address]  # a market, as it is configured, and what is sold in it

_log = get_logger()


class Endings:
    """Margins by market and asset, oldest first."""

    def __init__(self, store: Store) -> None:
        self._store = store
        store.db.executescript(_TABLE)

    def load(self) -> Mapping[Key, tuple[int, ...]]:
        """All of them."""
        rows = self._store.db.execute("SELECT market, asset, margins FROM rival ORDER BY market, asset")
        return {(Address(market), Address(asset)): tuple(json.loads(margins)) for market, asset, margins in rows}

    def write(self, ended: Mapping[Key, Sequence[int]]) -> None:
        """What is known of some now."""
        rows = [(*key, json.dumps(list(margins))) for key, margins in ended.items()]
        try:
            with self._store.transaction() as db:
                db.executemany("INSERT OR REPLACE INTO rival VALUES (?, ?, ?)", rows)
        except StateUnwritable as error:
            _log.warning("store.write_failed", table="rival", error=str(error), rows=len(rows))
