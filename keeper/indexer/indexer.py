"""The indexer: keeps every book equal to the canonical chain.

The story: load → find the common ancestor → history in bulk → the last blocks one by one, each with its undo record
→ survey at the head → follow heads. A parent that does not match unwinds; deeper than the undo rows, a checkpoint.

Laws
- Books and store move together: a block is in both or in neither, whatever fails in between, a full disk included.
- Facts are trusted only from the block of the last survey on; unwinding below it asks for a new one.
"""

import asyncio
from collections.abc import Callable, Sequence

from keeper.core.book import Change
from keeper.core.events import Block
from keeper.core.outlook import Liquidated
from keeper.core.ports import Adapter, Chain
from keeper.core.units import Address, Wei
from keeper.errors import StateUnwritable
from keeper.indexer.history import backfill, gather_logs
from keeper.indexer.inquire import inquire
from keeper.indexer.market import Market, fact_types
from keeper.indexer.progress import LogReport, Report
from keeper.log import get_logger
from keeper.store.store import Entry, Store, Stored

log = get_logger()
CHECKPOINT_AGAIN = 16  # blocks after which one that could not be written is tried again
Listener = Callable[[Block, dict[int, list[Change]]], None]
Hearer = Callable[[Market, Sequence[Liquidated]], None]


class Reorganised(Exception):
    """The block being applied is no longer on the chain."""


class Indexer:
    """All markets of one chain, at one block."""

    def __init__(
        self,
        chain: Chain,
        store: Store,
        markets: Sequence[tuple[Adapter, int]],
        *,
        checkpoint_every: int = 1024,
        report: Report | None = None,
    ) -> None:
        self.chain = chain
        self.store = store
        self.checkpoint_every = checkpoint_every
        self.report = report or LogReport()
        self.listeners: list[Listener] = []
        self.hearers: list[Hearer] = []  # told of the liquidations of live blocks
        self.tip: Block | None = None
        self.reorgs = 0
        self._tried = 0  # no checkpoint is due until so many blocks after this one
        self._configured = list(markets)
        self.markets: list[Market] = []
        self._tail: list[Stored] = []
        self._load()

    @property
    def tail(self) -> Sequence[Stored]:
        """The blocks behind the books, newest first."""
        return self._tail

    # the story -----------------------------------------------------------------------------------------------------

    async def advance(self) -> Block:
        """Bring every book to the chain's head, whatever lies between, and return that head."""
        while True:
            head = await self.chain.head()
            if any(head.hash == stored.hash for stored in self._tail[1:]):
                return self._finish(head)  # an endpoint behind us: old news, not a reorganisation
            try:
                await self._approach(head)
                for number in range(self._tail[0].number + 1, head.number + 1):
                    await self._step(number, head)
                await self._survey()
            except BaseException as error:
                self._abandon(error)
                if not isinstance(error, Reorganised):
                    raise
                continue
            return self._finish(head)

    async def _approach(self, head: Block) -> None:
        """Stand on the canonical chain, close enough to the head to go block by block."""
        if self._tail:
            await self._unwind_to_ancestor(head)
        start = head.number - self.store.depth // 2
        if not self._aligned() or (self._tail and self._tail[0].number < start):
            await self._history(max(start, 0), head)

    def _aligned(self) -> bool:
        """Every market was opened and stands at the newest known block."""
        return bool(self._tail) and all(
            market.opened and market.block == self._tail[0].number for market in self.markets
        )

    async def _history(self, upto: int, head: Block) -> None:
        """Bulk up to ``upto``; later blocks are undone first so that all markets meet there."""
        while self._tail and self._tail[0].number > upto and len(self._tail) > 1:
            self._unwind_one()
        if self._tail and self._tail[0].number > upto:
            upto = self._tail[0].number
        for market in self.markets:
            market.surveyed = None
            await backfill(self.chain, self.store, market, upto, head, self.report)
            market.block = upto
        anchor = await self.chain.block(upto)
        if anchor is None:
            raise Reorganised
        self.store.anchor(anchor)
        self._tail = self.store.tail()
        await self.checkpoint()

    async def _step(self, number: int, head: Block) -> None:
        """One block, from its header to its transaction."""
        block = await self.chain.block(number)
        if block is None or block.parent != self._tail[0].hash:
            raise Reorganised
        await self._apply(block, head)

    async def _apply(self, block: Block, head: Block) -> None:
        """Fold one block in. Old blocks on the way to the first survey may have no state left: ask at the head."""
        sources = frozenset[Address]().union(*(market.adapter.sources(market.book) for market in self.markets))
        logs = await self.chain.logs_at(block.hash, sources)
        told: list[tuple[Market, Sequence[Liquidated]]] = []
        for market in self.markets:
            mine, at = market.logs_of(logs), block if market.surveyed is not None else head
            known = market.adapter.sources(market.book)
            await inquire(self.chain, market.adapter.prepare(market.book, mine), at, market.from_block)
            if market.adapter.sources(market.book) != known:
                mine = await gather_logs(self.chain, market, block.number, block.number, at)
            market.adapter.apply(market.book, mine, block)
            if self.hearers and market.surveyed is not None:
                told.append((market, market.adapter.outcomes(market.book, mine)))
            if market.surveyed is not None:
                await inquire(self.chain, market.adapter.refresh(market.book), block, market.from_block)
        self._commit(block)
        for hearer in self.hearers:
            for market, outcomes in told:
                hearer(market, outcomes)

    def _commit(self, block: Block) -> None:
        entries = {
            market.id: Entry(market.book, market.book.take_changes(), market.surveyed) for market in self.markets
        }
        self.store.commit(block, entries)
        for market in self.markets:
            market.block = block.number
        self._tail.insert(0, Stored(block.number, block.hash, block.parent, block.timestamp))
        del self._tail[self.store.depth :]
        self.tip = block
        for listener in self.listeners:
            listener(block, {market: entry.changes for market, entry in entries.items()})

    async def _survey(self) -> None:
        """Read the facts of every market that does not know them, at the block where the books stand."""
        lacking = [market for market in self.markets if market.surveyed is None]
        if not lacking:
            return
        block = await self.chain.block(self._tail[0].hash)
        if block is None:
            raise Reorganised
        for market in lacking:
            await inquire(self.chain, market.adapter.survey(market.book), block, market.from_block)
            self.store.commit_bulk(
                market.id, block.number, market.book, market.book.take_changes(), surveyed=block.number
            )
            market.surveyed = block.number
            log.info("indexer.caught_up", market=market.adapter.market, block=block.number, accounts=len(market.book))
        self.tip = block

    def _finish(self, head: Block) -> Block:
        """The block of the books: with its gas and fees, unless no endpoint was there yet since the start."""
        tip = self._tail[0]
        if head.hash == tip.hash:
            self.tip = head
        elif self.tip is None or self.tip.hash != tip.hash:
            self.tip = Block(tip.number, tip.hash, tip.parent, tip.timestamp, Wei(0), 0, 0)
        return self.tip

    # reorganisations -----------------------------------------------------------------------------------------------

    def rewind(self, number: int) -> None:
        """Go back to a past block as far as undo rows reach; if that is not enough, forget the books."""
        while self._tail and self._tail[0].number > number and len(self._tail) > 1:
            self._unwind_one()
        if self._tail and self._tail[0].number > number:
            self.store.forget([market.id for market in self.markets])
            self._load()

    async def _unwind_to_ancestor(self, head: Block) -> None:
        """Undo blocks until the newest one is on the canonical chain."""
        left = self._tail[0]
        while self._tail and not await self._canonical(self._tail[0], head):
            if len(self._tail) == 1:
                await self._rebuild()
                return
            self._unwind_one()
        if left.hash != self._tail[0].hash:
            self.reorgs += 1
            depth = left.number - self._tail[0].number
            log.warning("indexer.reorg", block=self._tail[0].number, depth=depth, abandoned=left.hash)

    async def _canonical(self, stored: Stored, head: Block) -> bool:
        if stored.number > head.number:
            return False
        if stored.number == head.number:
            return stored.hash == head.hash
        block = await self.chain.block(stored.number)
        return block is not None and block.hash == stored.hash

    def _unwind_one(self) -> None:
        number = self._tail[0].number
        records = self.store.undo(number, fact_types(self.markets))
        entries: dict[int, Entry] = {}
        for market in self.markets:
            market.book.undo(records.get(market.id, []))
            market.block = number - 1
            if market.surveyed is not None and market.surveyed >= number:
                market.surveyed = None
            entries[market.id] = Entry(market.book, records.get(market.id, []), market.surveyed)
        self.store.revert(number, entries)
        self._tail.pop(0)

    async def _rebuild(self) -> None:
        """A reorganisation deeper than the undo rows: the newest checkpoint still on the chain, or from the start."""
        lost = self._tail[0]
        self.reorgs += 1
        for number, _ in self.store.checkpoints():
            block = await self.chain.block(number)
            if block is not None and block.hash == self.store.checkpoint_hash(number):
                self.store.restore_checkpoint(number)
                log.warning("indexer.reorg", block=number, depth=lost.number - number, abandoned=lost.hash)
                break
        else:
            self.store.forget([market.id for market in self.markets])
            log.warning("indexer.reorg", block=0, depth=lost.number, abandoned=lost.hash)
        self._load()

    # housekeeping --------------------------------------------------------------------------------------------------

    def _load(self) -> None:
        self.markets = [Market.load(self.store, adapter, first) for adapter, first in self._configured]
        self._tail = self.store.tail()

    def _abandon(self, error: BaseException) -> None:
        """What the failed block had already changed in memory was never stored: take it back, or read all anew."""
        if isinstance(error, StateUnwritable):  # memory and file are apart, nobody knows by how much
            self._load()
            return
        for market in self.markets:
            market.book.undo(market.book.take_changes())

    async def checkpoint(self) -> None:
        """Keep a copy of the books. One that cannot be written now is a copy less, and no more."""
        try:
            await asyncio.to_thread(self.store.save_checkpoint)
        except StateUnwritable as error:
            log.warning("store.write_failed", table="checkpoint", rows=0, error=str(error))

    async def checkpoint_if_due(self, finalised: int) -> None:
        """Keep a recent copy of the books, and drop those that a finalised one makes needless."""
        newest = next((number for number, _ in self.store.checkpoints()), 0)
        if self._tail and self._tail[0].number - max(newest, self._tried) >= self.checkpoint_every:
            self._tried = self._tail[0].number - self.checkpoint_every + CHECKPOINT_AGAIN
            await self.checkpoint()
        self.store.prune_checkpoints(finalised)
