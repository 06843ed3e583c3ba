"""What keeper knows of itself: filled by the daemon, read by the server, the metrics and the alerts.

Laws
- Only the loop's thread touches it. Nothing here waits, logs or decides.
- Bounded: what grows with time is a counter or a ring; names come from the configuration or from an enumeration.
- Money is whole wei of the native token.
"""

import time
from bisect import bisect_left
from collections import Counter, OrderedDict, deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Final

from keeper.core.events import Block
from keeper.core.units import Address, BlockNumber, Timestamp, Wei
from keeper.ops.census import EMPTY, Census
from keeper.ops.values import RESOLVED, Feeds, Mode, Opportunity, Outcome, Peer, Purse, Settlement, Task, TaskState

RECENT: Final = 1_000  # opportunities remembered
JUDGED: Final = 200  # the last outcomes and settlements, by which keeper is judged
BUCKETS: Final = (  # seconds
    0.00001, 0.000025, 0.00005, 0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0,
    2.5, 5.0, 10.0,
)  # fmt: skip
SILENT: Final = 60.0  # seconds without a new block that mean trouble, unless blocks are slower than that
SILENT_BLOCKS: Final = 5
OLD: Final = 5.0  # seconds since the last look at the parts, after which what is known of them is not to be relied on


class Steps:
    """How long a step took, every time: counts under bounds, as Prometheus has them."""

    __slots__ = ("counts", "total")

    def __init__(self) -> None:
        self.counts = [0] * (len(BUCKETS) + 1)  # the last is beyond all bounds
        self.total = 0.0

    def took(self, seconds: float) -> None:
        self.counts[bisect_left(BUCKETS, seconds)] += 1
        self.total += seconds


@dataclass(slots=True)
class Status:
    """All of it. What has no method of its own is set by the daemon as it learns it."""

    version: str
    mode: Mode
    chain_id: int
    block_time: float
    now: Callable[[], float] = time.time
    clock: Callable[[], float] = time.monotonic

    # the chain, and where the books are
    head: BlockNumber = BlockNumber(0)  # the newest block that any endpoint has
    tip: BlockNumber = BlockNumber(0)  # the block that the books are at
    tip_timestamp: Timestamp = Timestamp(0)
    moved: float | None = None  # when the head moved last, by the clock
    caught_up: bool = False
    trouble: str = ""  # what ended the last step; empty: it went well
    stood_still: float = 0.0  # seconds that the process stood still, until the books have moved on
    looked: float | None = None  # when the parts were looked at last, by the clock
    reorgs: int = 0
    drifts: int = 0
    feeds: Feeds = field(default_factory=Feeds)
    backing: Callable[[], Mapping[tuple[str, ...], float]] = dict  # (protocol, market, asset, kind) → whole tokens
    endpoints: Mapping[str, Peer] = field(default_factory=dict)

    # sending
    relays: Mapping[str, Peer] = field(default_factory=dict)
    purses: Mapping[Address, Purse] = field(default_factory=dict)
    halted: dict[str, str] = field(default_factory=dict)  # what stops all sending → why: kill switch, loss cap, …
    answers: Counter[tuple[str, ...]] = field(default_factory=Counter)  # (relay, what it said)

    # liquidations
    census: Census = EMPTY
    refused: Callable[[], Mapping[str, int]] = dict  # accounts refused now, by reason
    outcomes: Counter[Outcome] = field(default_factory=Counter)
    recent: OrderedDict[str, Opportunity] = field(default_factory=OrderedDict)
    resolved: deque[Outcome] = field(default_factory=lambda: deque(maxlen=JUDGED))
    settled: deque[Settlement] = field(default_factory=lambda: deque(maxlen=JUDGED))
    realised: Wei = Wei(0)
    predicted: Wei = Wei(0)
    gas: Wei = Wei(0)
    bids: Wei = Wei(0)

    # the process
    started: float = 0.0
    stopping: bool = False
    tasks: dict[str, Task] = field(default_factory=dict)
    steps: dict[str, Steps] = field(default_factory=dict)
    queues: dict[str, Callable[[], int]] = field(default_factory=dict)  # how full each bounded queue is, when asked
    loop_lag: float = 0.0  # seconds that the loop was late, at worst in the last minute
    clock_jumps: int = 0
    log_lost: Callable[[], int] = int  # lines that could not be written
    alerts_sent: Callable[[], int] = int
    alerts_lost: Callable[[], int] = int

    def __post_init__(self) -> None:
        self.started = self.started or self.now()

    # told by the daemon ----------------------------------------------------------------------------------------------

    def saw(self, head: int) -> None:
        """An endpoint's head. One behind what is known already is old news."""
        if head > self.head:
            self.head, self.moved = BlockNumber(head), self.clock()

    def stands(self, block: Block, *, caught_up: bool) -> None:
        """The books are at this block. After a reorganisation that may be a lower one than before."""
        if block.number < self.tip or self.moved is None:
            self.moved = self.clock()
        self.tip, self.tip_timestamp, self.caught_up = block.number, block.timestamp, caught_up
        self.stood_still = 0.0
        self.saw(block.number)

    def looks(self) -> None:
        """The parts are looked at. A long time since the last look means that the process stood still."""
        if self.age > OLD:
            self.stood_still = self.age
        self.looked = self.clock()

    def took(self, steps: Mapping[str, float]) -> None:
        """Seconds that each step of a story took."""
        for name, seconds in steps.items():
            self.steps.setdefault(name, Steps()).took(seconds)

    def became(self, opportunity: Opportunity) -> None:
        """An opportunity came to an outcome; each outcome of each opportunity counts once."""
        known = self.recent.pop(opportunity.id, None)
        if known is None or known.outcome is not opportunity.outcome:
            self.outcomes[opportunity.outcome] += 1
            if opportunity.outcome in RESOLVED:
                self.resolved.append(opportunity.outcome)
        self.recent[opportunity.id] = opportunity
        while len(self.recent) > RECENT:
            self.recent.popitem(last=False)

    def settle(self, settlement: Settlement) -> None:
        """A liquidation is booked."""
        self.settled.append(settlement)
        self.predicted = Wei(self.predicted + settlement.predicted)
        self.realised = Wei(self.realised + settlement.realised)
        self.gas, self.bids = Wei(self.gas + settlement.gas), Wei(self.bids + settlement.bid)

    def task(self, name: str, state: TaskState, error: str = "") -> None:
        """A task changed its state; every restart is counted."""
        known = self.tasks.get(name, Task(state))
        again = state is TaskState.RESTARTING
        self.tasks[name] = replace(known, state=state, restarts=known.restarts + again, error=error)

    # asked -----------------------------------------------------------------------------------------------------------

    @property
    def lag(self) -> int:
        """Blocks between the head and the books."""
        return max(self.head - self.tip, 0)

    @property
    def age(self) -> float:
        """Seconds since the last look at the parts."""
        return 0.0 if self.looked is None else self.clock() - self.looked

    @property
    def silence(self) -> float | None:
        """Seconds since the head moved; ``None`` before the first block."""
        return None if self.moved is None else self.clock() - self.moved

    @property
    def silent(self) -> bool:
        """Whether the chain, or whoever tells of it, stands still."""
        return (self.silence or 0.0) > max(SILENT, SILENT_BLOCKS * self.block_time)
