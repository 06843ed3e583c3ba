"""Which endpoints can be trusted now, and which one is best. Pure: sightings in, verdicts out.

Law: an endpoint is set aside for a named reason and for nothing else, and is taken back by the first sighting without
one. Two endpoints that disagree on a finalised block are never both believed.
"""

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import Enum
from typing import Final

from keeper.core.events import Block
from keeper.core.units import BlockNumber, Hash

EWMA: Final = 0.2  # weight of the newest sample
ERROR_COST: Final = 2.0  # seconds that a certain failure costs, in the score
LAG_COST: Final = 1.0  # seconds that a block of lag costs
STICKY: Final = 2.0  # the endpoint in use is left only for one that is this many times better
STALL_BLOCKS: Final = 8
MARGIN: Final = 0.05  # seconds of difference that are not worth a change


class Fault(Enum):
    """Why an endpoint is set aside. The values are what logs show."""

    UNREACHABLE = "unreachable"
    FAILING = "failing"
    WRONG_CHAIN = "wrong_chain"
    BEHIND = "behind"
    FROZEN = "frozen"
    FORKED = "finalised_mismatch"


@dataclass(slots=True)
class Record:
    """How asking one endpoint went lately."""

    latency: float = 0.0  # seconds, smoothed
    errors: float = 0.0  # share of failures, smoothed
    failures: int = 0  # in a row
    lag: int = 0  # blocks behind the best at the last probe
    rests_until: float = 0.0  # by the monotonic clock: it asked to be left alone

    def resting(self, now: float) -> bool:
        return now < self.rests_until

    def succeeded(self, seconds: float | None) -> None:
        """``seconds`` is None when the ask was too big for its time to be compared."""
        self.failures = 0
        self.errors -= EWMA * self.errors
        if seconds is not None:
            self.latency += (EWMA if self.latency else 1.0) * (seconds - self.latency)

    def outrun(self, seconds: float) -> None:
        """Another endpoint answered first: the answer would have taken at least this long."""
        self.latency = max(self.latency, self.latency + EWMA * (seconds - self.latency))

    def failed(self) -> None:
        self.failures += 1
        self.errors += EWMA * (1.0 - self.errors)

    @property
    def score(self) -> float:
        """Expected cost of asking, in seconds."""
        return self.latency + ERROR_COST * self.errors + LAG_COST * self.lag


@dataclass(frozen=True, slots=True)
class Rules:
    """When an endpoint is set aside."""

    chain_id: int | None = None  # None: whatever the first endpoint says
    max_lag: int = 1  # blocks; at two behind it is out
    block_time: float | None = None  # seconds; None where blocks come at will
    stall: float | None = None  # seconds without a new head; None: so many block times, if that is known
    max_failures: int = 3  # in a row, between two probes

    @property
    def patience(self) -> float:
        """Seconds that a head may stay the same."""
        stall = STALL_BLOCKS * (self.block_time or 0.0) if self.stall is None else self.stall
        return stall or math.inf


@dataclass(frozen=True, slots=True)
class Sighting:
    """What one endpoint says of itself in a probe."""

    chain_id: int
    head: Block
    finalized: Block | None  # None where the chain or the node has no such tag
    at: float = 0.0  # when it said so, by the monotonic clock
    same_head_for: float = 0.0  # seconds
    anchors: Mapping[BlockNumber, Hash] = field(default_factory=dict)  # its hashes of finalised blocks

    def anchored(self, hashes: Mapping[BlockNumber, Hash]) -> "Sighting":
        return replace(self, anchors=hashes)


def judge(
    sightings: Sequence[Sighting | None], rules: Rules, trusted: Mapping[BlockNumber, Hash]
) -> tuple[Fault | None, ...]:
    """A verdict for each endpoint, in configured order. ``trusted``: finalised hashes that were agreed on before."""
    chain_id = expected_chain(sightings, rules)
    truth = dict(_majority(sightings, chain_id)) | dict(trusted)
    verdicts = [_alone(seen, rules, chain_id, truth) for seen in sightings]
    sound = [seen for seen, fault in zip(sightings, verdicts, strict=True) if seen and fault is None]
    best = max(sound, key=lambda seen: seen.head.number, default=None)
    return tuple(
        Fault.BEHIND if fault is None and seen and best and _behind(seen, best, rules) else fault
        for seen, fault in zip(sightings, verdicts, strict=True)
    )


def expected_chain(sightings: Sequence[Sighting | None], rules: Rules) -> int | None:
    """The chain that is meant: as configured, else that of the first endpoint that answers."""
    if rules.chain_id is not None:
        return rules.chain_id
    return next((seen.chain_id for seen in sightings if seen), None)


def _alone(
    seen: Sighting | None, rules: Rules, chain_id: int | None, truth: Mapping[BlockNumber, Hash]
) -> Fault | None:
    """What is wrong with an endpoint whoever else there is."""
    if seen is None:
        return Fault.UNREACHABLE
    if seen.chain_id != chain_id:
        return Fault.WRONG_CHAIN
    if any(truth.get(number, own) != own for number, own in seen.anchors.items()):
        return Fault.FORKED
    if seen.same_head_for > rules.patience:
        return Fault.FROZEN
    return None


def _behind(seen: Sighting, best: Sighting, rules: Rules) -> bool:
    """More than the allowed lag, and more than the blocks that came between the two answers."""
    between = 0 if rules.block_time is None else max(0, math.ceil((best.at - seen.at) / rules.block_time))
    return best.head.number - seen.head.number > rules.max_lag + between


def _majority(sightings: Sequence[Sighting | None], chain_id: int | None) -> Mapping[BlockNumber, Hash]:
    """The hash most endpoints give for each finalised block; among equals, the endpoint configured first."""
    votes: dict[BlockNumber, Counter[Hash]] = {}
    for seen in sightings:
        if seen is not None and seen.chain_id == chain_id:
            for number, own in seen.anchors.items():
                votes.setdefault(number, Counter())[own] += 1
    return {number: count.most_common(1)[0][0] for number, count in votes.items()}


def common_anchor(sightings: Sequence[Sighting | None], chain_id: int | None) -> BlockNumber | None:
    """The highest block that every endpoint of the chain calls final."""
    finals = [seen.finalized.number for seen in sightings if seen and seen.chain_id == chain_id and seen.finalized]
    return min(finals, default=None)
