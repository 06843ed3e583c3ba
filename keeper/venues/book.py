"""All pools of the tokens we care about, kept current from events.

Law: the book holds values. Applying a block replaces the pools it moved and remembers the old ones; rewinding puts
them back. What cannot be rewound, or contradicts its events, is dropped and read anew: a pool whose state is in doubt
is never quoted. Inquiries are answered at the block last applied (``open``: at the head).
"""

from collections import deque
from collections.abc import Collection, Generator, Iterable, Mapping, Sequence
from itertools import chain, combinations
from typing import Any, Final

from keeper.core.events import Log
from keeper.core.ports import Answers, Ask, Inquiry, Quarantine
from keeper.core.units import Address
from keeper.core.venues import Liquidity, Pool, PoolKey, Venue, sorted_pair

UNDO_BLOCKS: Final = 64


class VenueBook:
    """Pools by address, and what is due to be read."""

    def __init__(self, venues: Sequence[Venue], tokens: Iterable[Address]) -> None:
        self._venues = tuple(venues)
        self._tokens = frozenset(tokens)
        self._known: dict[Address, tuple[Venue, PoolKey]] = {}
        self._pools: dict[Address, Pool] = {}
        self._loaded: dict[Address, int] = {}  # block at which a pool was read
        self._due: set[Address] = set()
        self._broken: dict[Address, str] = {}
        self._undo: deque[tuple[int, Mapping[Address, Pool]]] = deque(maxlen=UNDO_BLOCKS)
        self._forgotten = -1  # the last block that can no longer be undone
        self._liquidity: Liquidity | None = None
        self._block = -1

    @property
    def block(self) -> int:
        """The block last applied, at which inquiries are to be answered."""
        return self._block

    @property
    def liquidity(self) -> Liquidity:
        """All pools that can be quoted, as one value."""
        if self._liquidity is None:
            self._liquidity = Liquidity.of(self._pools.values())
        return self._liquidity

    def sources(self) -> frozenset[Address]:
        """The contracts whose logs move this book."""
        return frozenset(self._known) | {venue.factory for venue in self._venues}

    def quarantined(self) -> Sequence[Quarantine]:
        """Pools that do not answer like pools."""
        return [Quarantine(address, reason) for address, reason in self._broken.items()]

    def open(self, block: int) -> Inquiry:
        """Find and read every pool of every pair of tokens, at a block."""
        self._block = block
        self._known, self._pools, self._loaded, self._broken, self._due = {}, {}, {}, {}, set()
        self._undo.clear()
        self._forgotten = -1
        yield from self._find(combinations(sorted(self._tokens), 2))
        yield from self.refresh()

    def unknown(self, tokens: Iterable[Address]) -> frozenset[Address]:
        """Those of the tokens whose pools nobody has looked for."""
        return frozenset(tokens) - self._tokens

    def add(self, tokens: Iterable[Address]) -> Inquiry:
        """Find and read the pools of tokens that came up later, at the block last applied."""
        new = self.unknown(tokens)
        pairs = {sorted_pair(a, b) for a in new for b in self._tokens | new if a != b}
        self._tokens |= new
        yield from self._find(sorted(pairs))
        yield from self.refresh()

    def apply(self, logs: Iterable[Log], block: int) -> None:
        """Fold one block's logs in, in order."""
        before: dict[Address, Pool] = {}
        for log in logs:
            if log.address in self._known:
                self._move(log, before)
            else:
                self._note_created(log)
        if len(self._undo) == UNDO_BLOCKS:
            self._forgotten = self._undo[0][0]
        self._undo.append((block, before))
        self._block = block
        if self._liquidity and before.keys() <= self._pools.keys():
            self._liquidity = self._liquidity.after(self._pools[address] for address in before)
        elif before:
            self._liquidity = None

    def rewind(self, block: int) -> None:
        """Back to the end of a block. What is not remembered that far is read anew by the next ``refresh``."""
        while self._undo and self._undo[-1][0] > block:
            self._pools.update(self._undo.pop()[1])
        for address, loaded in self._loaded.items():
            if loaded > block or self._forgotten > block:
                self._drop(address)
        self._block, self._liquidity = block, None

    def refresh(self) -> Inquiry:
        """Read the pools that are due: new ones, doubtful ones, and those whose price nears the end of its ticks."""
        due = self._due | {address for address, pool in self._pools.items() if pool.narrow}
        self._due = set()
        loads = [self._load(*self._known[address]) for address in sorted(due)]
        yield from together(loads)
        if loads:
            self._liquidity = None

    def _find(self, pairs: Iterable[tuple[Address, Address]]) -> Inquiry:
        asked = tuple(pairs)
        yield from together([self._found(venue, asked) for venue in self._venues])

    def _found(self, venue: Venue, pairs: Sequence[tuple[Address, Address]]) -> Inquiry:
        for key in (yield from venue.find(pairs)):
            self._note(venue, key)

    def _note(self, venue: Venue, key: PoolKey) -> None:
        self._known[key.address] = (venue, key)
        self._due.add(key.address)

    def _note_created(self, log: Log) -> None:
        for venue in self._venues:
            key = venue.created(log) if venue.factory == log.address else None
            if key and {key.token0, key.token1} <= self._tokens:
                self._note(venue, key)

    def _load(self, venue: Venue, key: PoolKey) -> Inquiry:
        pool = yield from venue.load(key)
        if pool is None:
            self._pools.pop(key.address, None)
            self._broken[key.address] = "venue.not_a_pool"
            return
        self._broken.pop(key.address, None)
        self._pools[key.address] = pool
        self._loaded[key.address] = self._block

    def _move(self, log: Log, before: dict[Address, Pool]) -> None:
        pool = self._pools.get(log.address)
        if pool is None:
            return  # due, and read whole by the next refresh
        moved = self._known[log.address][0].apply(pool, log)
        before.setdefault(log.address, pool)
        if moved is None:
            self._drop(log.address)
        else:
            self._pools[log.address] = moved

    def _drop(self, address: Address) -> None:
        self._pools.pop(address, None)
        self._due.add(address)


def together(inquiries: Collection[Generator[Sequence[Ask], Answers, Any]]) -> Inquiry:
    """Run inquiries side by side: their asks of each round go out as one."""
    waiting = []
    for inquiry in inquiries:
        waiting += _advance(inquiry, None)
    while waiting:
        answers = yield tuple(chain.from_iterable(asks for _, asks in waiting))
        waiting = [pair for inquiry, _ in waiting for pair in _advance(inquiry, answers)]


def _advance(
    inquiry: Generator[Sequence[Ask], Answers, Any], answers: Answers | None
) -> list[tuple[Generator[Sequence[Ask], Answers, Any], Sequence[Ask]]]:
    try:
        asks = next(inquiry) if answers is None else inquiry.send(answers)
    except StopIteration:
        return []
    return [(inquiry, asks)]
