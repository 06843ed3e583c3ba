"""What stands between decisions and the executor: the kill switch, the breaker, the caps on losses.

Laws
- While something halts, nothing is sent and what is out is asked back, once; outcomes are followed all the same.
- Losses and the breaker are what the ledger says of the last day, also of the time before this process.
- A half open breaker lets exactly one plan through.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Final

from keeper.core.events import Block
from keeper.core.journal import OPEN, Entry, Line, State
from keeper.core.plans import Plan
from keeper.core.refusals import Reason
from keeper.core.units import ZERO_ADDRESS, Address, Timestamp
from keeper.estimator.risk import Breaker, LossCaps, Losses, Phase, Trip
from keeper.estimator.world import Risk
from keeper.executor.attempt import Attempt, Behind
from keeper.executor.executor import Executor
from keeper.executor.lifecycle import Change
from keeper.log import get_logger
from keeper.store.journal import Journal

DAY: Final = 86_400
BREAKER: Final = "breaker"  # as they stand in logs, in /readyz and in keeper_halted
LOSS_CAP: Final = "loss_cap"

Halts = Mapping[str, str]  # what halts → why

log = get_logger()


class Limits:
    """What was lost, what may be, and the breaker; at the time of the newest block."""

    def __init__(self, caps: LossCaps, *, reverts_cost: bool = False) -> None:
        self.caps = caps
        self._reverts_cost = reverts_cost  # a failing transaction is included where a channel takes single ones
        self.losses = Losses()
        self.breaker = Breaker()
        self._now = Timestamp(0)
        self._capped = False

    def at(self, block: Block) -> None:
        """Time has passed."""
        self._now = block.timestamp
        self._become(self.breaker.at(self._now))
        self._look()

    def restore(self, journal: Journal, block: Block, block_time: int) -> None:
        """Take up the last day from the ledger: its losses, and where they left the breaker.

        A line's time follows from its block.
        """
        breaker = self.breaker
        for line in journal.lines():
            at = Timestamp(min(block.timestamp - (block.number - line.block) * block_time, block.timestamp))
            if at <= block.timestamp - DAY:
                continue
            entry = journal.find(line.opportunity)
            if loss := _loss(line):
                self.losses = self.losses.book(_asset(entry), loss, at)
            if entry is not None and entry.plan is not None and not line.reversal:
                breaker = breaker.at(at).on(*_trip(entry, line, at))
        self._now = block.timestamp
        self._become(breaker.at(self._now))

    def changed(self, change: Change) -> None:
        """An outcome: what it lost is booked, and the breaker hears of it. What is taken back is booked back."""
        entry, line = change.entry, change.line
        if entry.state is State.FINAL or line is None:
            return
        loss = _loss(line)
        if loss:
            self.losses = self.losses.book(_asset(entry), loss, self._now)
        if entry.plan is not None and not change.undone:
            self._become(self.breaker.on(*_trip(entry, line, self._now)))
        self._look()

    def risk(self, in_flight: int) -> Risk:
        """The same as decisions ask for it."""
        return Risk(self.losses, self.caps, self.breaker, in_flight, reverts_cost=self._reverts_cost)

    def halts(self) -> Halts:
        """What stops all sending now. A cap on one asset does not: its plans are refused one by one."""
        found: dict[str, str] = {}
        if self.breaker.phase is Phase.OPEN and (refusal := self.breaker.check(self._now)):
            found[BREAKER] = refusal.term
        over = self.losses.check(self.caps, ZERO_ADDRESS, 0, self._now)
        if over is not None and over.reason is Reason.LOSS_CAP:
            found[LOSS_CAP] = over.term
        return found

    def _become(self, breaker: Breaker) -> None:
        """Say it when sending stops or resumes."""
        before, self.breaker = self.breaker, breaker
        if breaker.phase is Phase.OPEN and before.phase is not Phase.OPEN:
            log.error("risk.breaker_opened", breaker=BREAKER, reason=breaker.cause, until_s=float(breaker.wait))
        elif before.phase is not Phase.CLOSED and breaker.phase is Phase.CLOSED:
            log.info("risk.breaker_closed", breaker=BREAKER)

    def _look(self) -> None:
        why = self.halts().get(LOSS_CAP, "")
        if why and not self._capped:
            log.error("risk.breaker_opened", breaker=LOSS_CAP, reason=why)
        elif self._capped and not why:
            log.info("risk.breaker_closed", breaker=LOSS_CAP)
        self._capped = bool(why)


class Gate:
    """The pipeline's sender: the executor, behind whatever halts."""

    def __init__(
        self, executor: Executor, limits: Limits, halted: Callable[[], Halts], steps: Callable[[], Mapping[str, float]]
    ) -> None:
        self.attempts: Sequence[Attempt] = ()  # of the last block
        self.halts: Halts = {}  # at the last block
        self._executor, self._limits, self._halted, self._steps = executor, limits, halted, steps
        executor.listeners.append(limits.changed)

    @property
    def in_flight(self) -> int:
        """Liquidations that may land."""
        return sum(entry.state in OPEN and entry.plan is not None for entry in self._executor.entries)

    async def submit(self, plans: Sequence[Plan], head: Block) -> None:
        """Outcomes first: they decide whether anything may be sent."""
        self.attempts = ()
        await self._executor.on_head(head)
        before, self.halts = self.halts, {**self._halted(), **self._limits.halts()}
        if not self.halts:
            self.attempts = await self._executor.submit(self._allowed(plans), head, self._steps())
        elif not before:
            await self._executor.withdraw(f"halted by {', '.join(self.halts)}")

    async def follow(
        self, plans: Sequence[Plan], head: Block, behind: Behind, steps: Mapping[str, float]
    ) -> Sequence[Attempt]:
        """Plans for right behind a transaction that is not on chain yet."""
        if {**self._halted(), **self._limits.halts()}:
            return ()
        return await self._executor.follow(self._allowed(plans), head, behind, steps)

    async def presign(self, plans: Sequence[Plan], head: Block) -> int:
        """Plans that may be next, signed before."""
        return await self._executor.presign(plans, head)

    def _allowed(self, plans: Sequence[Plan]) -> Sequence[Plan]:
        if self._limits.breaker.phase is not Phase.HALF_OPEN:
            return plans
        return [] if self.in_flight else sorted(plans, key=lambda plan: plan.estimate.net, reverse=True)[:1]


def _loss(line: Line) -> int:
    """What a line lost; negative when it takes a loss back; zero when it has nothing to do with losses."""
    lost = -line.net
    return lost if (lost < 0 if line.reversal else lost > 0) else 0


def _trip(entry: Entry, line: Line, at: Timestamp) -> tuple[Trip, Timestamp, str]:
    """What the breaker hears of a line."""
    reverted = State.REVERTED in (entry.state, entry.outcome)
    cause = f"{entry.id} {'reverted' if reverted else 'landed'}, net {line.net} wei"
    return Trip.FAILURE if reverted or _loss(line) > 0 else Trip.SUCCESS, at, cause


def _asset(entry: Entry | None) -> Address:
    """Whom a loss is put down to."""
    plan = entry.plan if entry is not None else None
    return plan.legs[0].collateral_asset if plan is not None else ZERO_ADDRESS
