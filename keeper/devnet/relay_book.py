"""What one builder has been sent and may still include.

Law: a bundle is held for exactly the blocks and times it names. A newer bundle of the same signer under the same uuid
replaces the older one whatever block that named; a sequence number lower than the last accepted is ignored. Only the
signer who sent a bundle can cancel it.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import count
from typing import Final

from keeper.core.units import Address, BlockNumber, Hash, Timestamp
from keeper.devnet.relay_tx import Tx

REMEMBERED: Final = 10_000  # names with their last sequence
next_arrival: Final = count().__next__  # a number for each bundle, in the order in which they come


@dataclass(frozen=True, slots=True)
class Bundle:
    """Transactions that stay together, in order, in one of the blocks named."""

    hash: Hash
    signer: Address | None
    txs: tuple[Tx, ...]
    first: BlockNumber
    last: BlockNumber
    min_timestamp: Timestamp = Timestamp(0)  # 0: unset
    max_timestamp: Timestamp = Timestamp(0)
    reverting: frozenset[Hash] = frozenset()
    uuid: str | None = None
    sequence: int | None = None
    event: Hash | None = None  # under which others may build upon it
    backruns: Hash | None = None  # the event it is built upon
    fifo: bool = False  # a sequencer's: included in order of arrival, reverted or not
    arrival: int = field(default_factory=next_arrival)

    def fits(self, block: BlockNumber, timestamp: Timestamp) -> bool:
        """Whether it may be in that block."""
        early = self.min_timestamp and timestamp < self.min_timestamp
        late = self.max_timestamp and timestamp > self.max_timestamp
        return self.first <= block <= self.last and not early and not late


class BundleBook:
    """The bundles of one builder."""

    def __init__(self) -> None:
        self._bundles: dict[int, Bundle] = {}
        self._named: dict[tuple[Address | None, str], tuple[int, int | None]] = {}  # (signer, uuid) → arrival, sequence

    def __iter__(self) -> Iterator[Bundle]:
        return iter(tuple(self._bundles.values()))

    def __len__(self) -> int:
        return len(self._bundles)

    def add(self, bundle: Bundle) -> bool:
        """Take a bundle, in the place of the one it replaces. False: a later one was taken before."""
        if bundle.uuid is not None and not self._make_room(bundle.signer, bundle.uuid, bundle.sequence, bundle.arrival):
            return False
        self._bundles[bundle.arrival] = bundle
        return True

    def cancel(self, signer: Address | None, uuid: str, sequence: int | None = None) -> bool:
        """Forget what that signer sent under that name."""
        known = self._named.get((signer, uuid))
        return known is not None and self._make_room(signer, uuid, sequence, known[0])

    def remove(self, bundle: Bundle) -> None:
        self._bundles.pop(bundle.arrival, None)

    def expire(self, head: BlockNumber) -> None:
        """Forget what names only blocks that exist."""
        for bundle in self:
            if bundle.last <= head:
                self.remove(bundle)

    def _make_room(self, signer: Address | None, uuid: str, sequence: int | None, arrival: int) -> bool:
        older = self._named.get((signer, uuid))
        if older is not None:
            if sequence is not None and older[1] is not None and sequence < older[1]:
                return False
            self._bundles.pop(older[0], None)
        self._named[signer, uuid] = (arrival, sequence)
        if len(self._named) > REMEMBERED:
            del self._named[next(iter(self._named))]
        return True
