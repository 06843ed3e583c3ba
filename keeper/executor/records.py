"""The journal in memory, and on disk before anyone acts on it.

Laws
- ``put`` changes memory at once; ``saved`` returns when everything put so far is on disk. Whoever lets a byte leave, or
  tells the world of an outcome, waits for ``saved`` first.
- Everything that is put while one write waits its turn goes with it: fifty opportunities cost one fsync, not fifty.
- A journal that cannot be written now keeps everybody waiting: nothing leaves, nothing is told, nothing is lost.
- A journal that is damaged ends the executor: later changes would rest on what was lost.
"""

import asyncio
from collections.abc import Mapping

from keeper.core.journal import Entry, Line, State
from keeper.core.units import Address, Wei
from keeper.errors import StateCorrupt, StateUnwritable
from keeper.store.journal import Journal


class Records:
    """Every entry that is not final, the nonces that are accounted for, and the ledger's sum."""

    def __init__(self, journal: Journal) -> None:
        self.journal = journal
        self.entries: dict[str, Entry] = {entry.id: entry for entry in journal.open()}
        self.nonces: dict[Address, int] = journal.nonces()  # all below are accounted for
        self.total: Wei = journal.total()
        self._dirty: dict[str, Entry] = {}
        self._lines: list[Line] = []
        self._moved: dict[Address, int] = {}
        self._write: asyncio.Future[None] | None = None
        self._broken: StateCorrupt | None = None

    def put(self, entry: Entry, *lines: Line) -> None:
        """Change memory, and the disk with the next write."""
        if entry.state is State.FINAL:
            self.entries.pop(entry.id, None)
        else:
            self.entries[entry.id] = entry
        self._dirty[entry.id] = entry
        self._lines += lines
        self.total = Wei(self.total + sum(line.net for line in lines))

    def account_for(self, nonces: Mapping[Address, int]) -> None:
        """Everything below these nonces has been looked at."""
        self.nonces.update(nonces)
        self._moved.update(nonces)

    def sharing(self, eoa: Address, nonce: int) -> list[Entry]:
        """Every entry that ever signed with a nonce, as it is now."""
        return [self.now(entry) for entry in self.journal.sharing(eoa, nonce)]

    def now(self, entry: Entry) -> Entry:
        """The entry as it is now."""
        return self.entries.get(entry.id) or self._dirty.get(entry.id, entry)

    def known(self, opportunity: str) -> bool:
        """Whether there is or ever was an entry of that name."""
        return opportunity in self.entries or opportunity in self._dirty or self.journal.find(opportunity) is not None

    def standing(self, entry: Entry) -> Line | None:
        """The entry's line that has not been taken back."""
        lines = [*self.journal.lines(entry.id), *(line for line in self._lines if line.opportunity == entry.id)]
        return lines[-1] if lines and not lines[-1].reversal else None

    def within(self, states: frozenset[State]) -> list[Entry]:
        """Entries in one of these states."""
        return [entry for entry in self.entries.values() if entry.state in states]

    async def saved(self) -> None:
        """Wait until everything put so far is on disk."""
        if self._broken:
            raise self._broken
        if self._write is None:
            loop = asyncio.get_running_loop()
            self._write = loop.create_future()
            loop.call_soon(self._flush)
        await asyncio.shield(self._write)

    def _flush(self) -> None:
        """One transaction for all who wait."""
        waiting, self._write = self._write, None
        dirty, lines, moved = tuple(self._dirty.values()), tuple(self._lines), dict(self._moved)
        try:
            if dirty or lines or moved:
                self.journal.write(dirty, lines, moved)
        except (StateCorrupt, StateUnwritable) as error:
            self._broken = error if isinstance(error, StateCorrupt) else None
            if waiting is not None and not waiting.done():
                waiting.set_exception(error)
            return
        self._dirty, self._lines, self._moved = {}, [], {}
        if waiting is not None and not waiting.done():
            waiting.set_result(None)
