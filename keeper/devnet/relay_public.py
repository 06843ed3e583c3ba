"""The public mempool, kept apart from every builder's private book.

Law: whatever everyone could have read is recorded with where it came from and never forgotten within a run, so that a
test can hold keeper to zero. ``SENT`` is a broadcast by a client; the other sources are somebody else's doing.
"""

from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Final

from keeper.core.units import Address, BlockNumber, Hash
from keeper.devnet.relay_tx import Tx

MOST_WAITING: Final = 5_000
REMEMBERED: Final = 100_000


class Source(Enum):
    """How a transaction came to be public."""

    SENT = "sent"  # by a client, through the node's door
    STAGE = "stage"  # from the node's own pool: the scenery of the local world
    LEAKED = "leaked"  # by a builder that unbundled
    REORGED = "reorged"  # was in a block that is no more


@dataclass(frozen=True, slots=True)
class Broadcast:
    """One transaction that everyone could read."""

    tx: Tx
    source: Source
    head: BlockNumber


class PublicPool:
    """Public transactions waiting for a block, and all that ever were."""

    def __init__(self) -> None:
        self.broadcasts: deque[Broadcast] = deque(maxlen=REMEMBERED)
        self._waiting: dict[Hash, Tx] = {}

    def add(self, tx: Tx, source: Source, head: BlockNumber) -> bool:
        """Publish. False: it was there, or there is no room."""
        if tx.hash in self._waiting or len(self._waiting) >= MOST_WAITING:
            return False
        self._waiting[tx.hash] = tx
        self.note(tx, source, head)
        return True

    def note(self, tx: Tx, source: Source, head: BlockNumber) -> None:
        """Record that everyone could read it."""
        self.broadcasts.append(Broadcast(tx, source, head))

    @property
    def waiting(self) -> tuple[Tx, ...]:
        """In the order of arrival."""
        return tuple(self._waiting.values())

    def sent_by(self, senders: Iterable[Address]) -> tuple[Broadcast, ...]:
        """What these accounts broadcast themselves."""
        wanted = frozenset(senders)
        return tuple(one for one in self.broadcasts if one.source is Source.SENT and one.tx.sender in wanted)

    def prune(self, nonces: Mapping[Address, int]) -> None:
        """Forget what can no longer be mined."""
        for tx in self.waiting:
            if tx.nonce < nonces.get(tx.sender, 0):
                del self._waiting[tx.hash]
