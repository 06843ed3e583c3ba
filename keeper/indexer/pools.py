"""Venue pools beside the books: at the same block, from the same chain.

Law: pools are read at the head when the feed starts, after a reorganisation, and when a gap is too wide to be worth
replaying; in between they follow events block by block. A pool is a price and nothing else: no pool is ever stored.
"""

from collections.abc import Iterable, Sequence

from keeper.core.ports import Chain, Inquiry
from keeper.core.units import Address
from keeper.errors import BlockUnknown
from keeper.indexer.inquire import inquire
from keeper.store.store import Stored
from keeper.venues.book import VenueBook

WIDE = 32  # blocks; beyond that reading all pools again is cheaper


class PoolFeed:
    """Keeps a venue book at the indexer's block."""

    def __init__(self, chain: Chain, book: VenueBook) -> None:
        self.book = book
        self._chain = chain
        self._at: Stored | None = None

    async def advance(self, tail: Sequence[Stored], tokens: Iterable[Address] = ()) -> None:
        """Bring the pools to the newest of these blocks (newest first); those of tokens that came up meanwhile too."""
        tip, at = tail[0], self._at
        places = {stored.hash: place for place, stored in enumerate(tail)}
        place = None if at is None else places.get(at.hash)
        self._at = None  # until done, a failure means: read all again
        if place is None or place > WIDE:
            await self._read(tip, self.book.open(tip.number))
        else:
            for stored in reversed(tail[:place]):
                self.book.apply(await self._chain.logs_at(stored.hash, self.book.sources()), stored.number)
            if place:
                await self._read(tip, self.book.refresh())
        if fresh := self.book.unknown(tokens):
            await self._read(tip, self.book.add(fresh))
        self._at = tip

    async def _read(self, tip: Stored, inquiry: Inquiry) -> None:
        block = await self._chain.block(tip.hash)
        if block is None:
            raise BlockUnknown(f"block {tip.number} is no longer on the chain", transient=True)
        await inquire(self._chain, inquiry, block, tip.number)
