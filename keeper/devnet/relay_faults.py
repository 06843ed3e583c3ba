"""What can go wrong with a relay, on demand or at random from a seed.

Law: the same seed and the same order of requests give the same faults.
"""

import random
from collections import Counter
from collections.abc import Iterable, Mapping
from enum import Enum


class Fault(Enum):
    """One way to fail. The first group meets requests, the second slots."""

    DROPPED = "dropped"  # acknowledged and forgotten
    LATE = "late"  # acknowledged, but in the builder's hands only after the next slot
    SILENT = "silent"  # taken, but the answer never comes
    RATE_LIMITED = "429"  # refused
    BROKEN = "500"  # not taken
    BROKEN_AFTER = "500 after"  # taken all the same
    HTML = "html"  # a proxy's page; not taken
    TWICE = "twice"  # taken twice
    CANCEL_IGNORED = "cancel ignored"  # acknowledged and forgotten

    MISSED = "missed slot"  # nobody proposes; the next block comes a slot later
    UNBUNDLED = "unbundled"  # the builder publishes one leg of a bundle it should have kept together
    REORG = "reorg"  # the block is replaced by another


ANSWERS = (Fault.SILENT, Fault.RATE_LIMITED, Fault.BROKEN, Fault.BROKEN_AFTER, Fault.HTML)
SENDING = (Fault.DROPPED, Fault.LATE, Fault.TWICE)


class Faults:
    """A source of faults: ``next`` for exactly now, ``rates`` for chance."""

    def __init__(self, seed: int = 0, rates: Mapping[Fault, float] | None = None) -> None:
        self.rates = dict(rates or {})
        self.happened: Counter[Fault] = Counter()
        self._queued: Counter[Fault] = Counter()
        self._random = random.Random(seed)

    def next(self, fault: Fault, times: int = 1) -> None:
        """The next occasions where this fault can happen, it will."""
        self._queued[fault] += times

    def first(self, faults: Iterable[Fault]) -> Fault | None:
        """The first of these that happens on this occasion."""
        return next((fault for fault in faults if self.strikes(fault)), None)

    def strikes(self, fault: Fault) -> bool:
        """Whether this fault happens on this occasion."""
        if self._queued[fault] > 0:
            self._queued[fault] -= 1
        elif not (rate := self.rates.get(fault)) or self._random.random() >= rate:
            return False
        self.happened[fault] += 1
        return True
