"""From submission to final, head by head: what landed, what did not, what a reorganisation took back.

Laws
- A nonce is spent once. Whose variant spent it decides every entry that shares it; nonces are accounted for in order,
  none twice, none left out, across restarts.
- A missing receipt is believed only when it is missing on a third head, and is looked for until the outcome is final.
- An outcome stands while its block does. When that is gone the entry is open again and its line is reversed.
- An outcome is final when its block is, and nothing of the entry can turn up any more.
"""

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from keeper.contracts.encode import Executor as Contract
from keeper.core.events import Block
from keeper.core.journal import JUDGED, OPEN, OUTCOMES, SPENT, Entry, Fate, Line, State
from keeper.core.units import Address, Hash, Wei
from keeper.executor import ledger
from keeper.executor.nonces import Nonces
from keeper.executor.records import Records
from keeper.executor.tracker import Inclusion, Tracker

DOUBT: Final = 2  # heads
INCLUDED: Final = frozenset({State.LANDED, State.REVERTED})

Spent = Mapping[tuple[Address, int], list[Entry]]


@dataclass(frozen=True, slots=True)
class Change:
    """Something that became of an entry. ``undone``: its line was taken back."""

    entry: Entry
    line: Line | None = None
    undone: bool = False


class Lifecycle:
    """Moves entries along as the chain grows."""

    def __init__(
        self, tracker: Tracker, nonces: Nonces, records: Records, contract: Contract, confirmations: int
    ) -> None:
        self.head: Block | None = None
        self._tracker = tracker
        self._nonces = nonces
        self._records = records
        self._contract = contract
        self._confirmations = confirmations
        self._doubts: dict[tuple[Address, int], int] = {}  # on how many heads a spent nonce had no receipt
        self._changes: list[Change] = []

    async def on_head(self, head: Block) -> Sequence[Change]:
        """What became of everything, as of this head; on disk when it returns."""
        if await self._old_news(head):
            return ()
        await self._take_back(head)
        await self._nonces.look(head, (entry.eoa for entry in self._records.entries.values()))
        await self._settle(head)
        self._expire(head)
        self._finish(head)
        await self._records.saved()
        self.head = head
        changes, self._changes = tuple(self._changes), []
        return changes

    async def _old_news(self, head: Block) -> bool:
        """A node that is behind shows a past that we have seen: no reorganisation."""
        last = self.head
        if last is None or head.number > last.number:
            return False
        return head.hash == last.hash or last.hash not in await self._tracker.lost((last.hash,))

    # reorganisations -----------------------------------------------------------------------------------------------

    async def _take_back(self, head: Block) -> None:
        """Reopen what was decided in blocks that are no more."""
        if self.head is not None and head.parent == self.head.hash:
            return
        self._doubts.clear()
        fates = [entry.fate for entry in self._records.entries.values() if entry.fate]
        gone = await self._tracker.gone(fates, head)
        for entry in list(self._records.entries.values()):
            if entry.fate and entry.fate.hash in gone:
                self._undo(entry)

    def _undo(self, entry: Entry) -> None:
        line = self._records.standing(entry)
        if entry.state in SPENT:
            self._records.account_for({entry.eoa: min(self._records.nonces[entry.eoa], entry.nonce)})
        self._move(entry.to(State.SUBMITTED, fate=None, reason=""), line.reversed() if line else None, undone=True)

    # outcomes ------------------------------------------------------------------------------------------------------

    async def _settle(self, head: Block) -> None:
        """Account for every nonce that was spent since the last look."""
        spent, unexplained = self._spent(), self._unexplained()
        self._doubts = {nonce: looks for nonce, looks in self._doubts.items() if nonce in spent}
        asked = [*(entry for entries in spent.values() for entry in entries), *unexplained]
        txs = [variant.tx for entry in asked for variant in entry.variants]
        found = await self._tracker.included(txs, head) if txs else {}
        kept = await self._kept(found.values())
        doubtful: set[Address] = set()
        for (eoa, nonce), entries in spent.items():
            shared = [self._records.now(entry) for entry in entries]
            landed = next((found[one.tx] for entry in shared for one in entry.variants if one.tx in found), None)
            if eoa in doubtful or (landed is None and self._in_doubt((eoa, nonce), shared)):
                doubtful.add(eoa)  # the next nonces of this account wait too
                continue
            self._decide(shared, landed, kept, head)
            self._records.account_for({eoa: nonce + 1})
        for entry in map(self._records.now, unexplained):
            landed = next((found[one.tx] for one in entry.variants if one.tx in found), None)
            if landed:  # its receipt came later than anybody should wait for
                again = entry.to(State.SUBMITTED, fate=None, reason="") if entry.state is State.SUPERSEDED else entry
                self._landed(again, landed, kept.get(landed.fate.tx or Hash(""), Wei(0)))

    def _spent(self) -> Spent:
        """Nonces that are gone and not accounted for, in order, with whoever signed with them."""
        known = self._records.nonces
        fresh = {eoa: account.nonce for eoa, account in self._nonces.accounts.items() if eoa not in known}
        back = {eoa: at.nonce for eoa, at in self._nonces.accounts.items() if at.nonce < known.get(eoa, 0)}
        if fresh or back:
            self._records.account_for(fresh | back)
        return {
            (eoa, nonce): self._records.sharing(eoa, nonce)
            for eoa, account in self._nonces.accounts.items()
            for nonce in range(known[eoa], account.nonce)
        }

    def _unexplained(self) -> list[Entry]:
        """Entries whose nonce was given up for spent by somebody else, although nothing of it was ever seen."""
        gone = self._records.within(JUDGED | {State.SUPERSEDED})
        spent = [entry for entry in gone if entry.nonce < self._records.nonces.get(entry.eoa, 0)]
        return [
            entry
            for entry in spent
            if not any(one.outcome in INCLUDED for one in self._records.sharing(entry.eoa, entry.nonce))
        ]

    def _in_doubt(self, nonce: tuple[Address, int], entries: Sequence[Entry]) -> bool:
        """Whether the node may only be late with a receipt."""
        self._doubts[nonce] = self._doubts.get(nonce, 0) + 1
        return bool(entries) and self._doubts[nonce] <= DOUBT

    def _decide(
        self, entries: Iterable[Entry], landed: Inclusion | None, kept: Mapping[Hash, Wei], head: Block
    ) -> None:
        """A nonce was spent: by one of these, or by none of them."""
        fate = landed.fate if landed else Fate(head.number, head.hash)
        ours = [entry for entry in entries if landed and entry.variant(fate.tx)]
        winner = next((entry for entry in ours if entry.state is not State.FINAL), ours[0] if ours else None)
        if winner and landed:
            self._landed(winner, landed, kept.get(landed.fate.tx or Hash(""), Wei(0)))
        for entry in entries:
            if entry is not winner and entry.state in OPEN:
                taken = Fate(fate.block, fate.hash)
                self._move(entry.to(State.SUPERSEDED, fate=taken, reason="nonce"))

    def _landed(self, entry: Entry, landed: Inclusion, kept: Wei) -> None:
        if entry.state in SPENT:
            return
        if entry.state is State.FINAL:  # given up long ago, and yet it came: what it cost is booked
            variant = entry.variant(landed.fate.tx)
            entry = Entry(f"{entry.id}:stray", entry.eoa, entry.nonce, State.SIGNED, (variant,) if variant else ())
            entry = self._records.now(entry)
            if entry.state in SPENT:
                return
        state = State.LANDED if landed.ok else State.REVERTED
        line = ledger.book(entry, landed, self._contract, kept)
        self._move(entry.to(state, fate=landed.fate, reason=""), line)

    async def _kept(self, found: Iterable[Inclusion]) -> dict[Hash, Wei]:
        """Bids that fee recipients refused, by transaction."""
        bids: dict[Fate, list[tuple[Hash, Wei]]] = {}
        for one in found:
            bid = ledger.bid_of(one, self._contract)
            if bid and one.fate.tx:
                bids.setdefault(Fate(one.fate.block, one.fate.hash), []).append((one.fate.tx, bid))
        growth = await asyncio.gather(*(self._tracker.kept(self._contract.address, fate) for fate in bids))
        kept: dict[Hash, Wei] = {}
        for offers, left in zip(bids.values(), growth, strict=True):
            rest = int(left)
            for tx, bid in offers:
                kept[tx] = Wei(min(bid, max(rest, 0)))
                rest -= kept[tx]
        return kept

    # time ----------------------------------------------------------------------------------------------------------

    def _expire(self, head: Block) -> None:
        """Nothing of these can land any more."""
        for entry in self._records.within(OPEN):
            account = self._nonces.accounts[entry.eoa]
            if not entry.alive(head.number) and account.nonce <= entry.nonce:
                fate = Fate(head.number, head.hash)
                self._move(entry.to(State.MISSED, fate=fate, reason=entry.reason or "window"))

    def _finish(self, head: Block) -> None:
        """Outcomes whose block is final, of entries whose nonce is accounted for or out of time."""
        for entry in self._records.within(OUTCOMES):
            deep = entry.fate is not None and head.number - entry.fate.block >= self._confirmations
            doubtful = self._records.nonces[entry.eoa] <= entry.nonce < self._nonces.accounts[entry.eoa].nonce
            over = entry.state in SPENT or not (entry.alive(head.number) or doubtful)
            if deep and over:
                self._move(entry.to(State.FINAL), self._records.standing(entry), book=False)

    def _move(self, entry: Entry, line: Line | None = None, *, undone: bool = False, book: bool = True) -> None:
        self._records.put(entry, *([line] if line and book else []))
        self._changes.append(Change(entry, line, undone))
