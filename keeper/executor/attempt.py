"""One transaction on its way out: simulate, sign, journal, hand over; and the wish to have it back.

Laws
- Each request names one block, and was simulated for that block on the newest head. The next block goes first.
- A byte leaves only after the journal is on disk with the raw transaction and its nonce.
- A newer head ends what an older one began; what was handed over before stays acceptable, and is asked back when it is
  not worth sending any more.
"""

import asyncio
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Final

from keeper.core.events import Block
from keeper.core.foretold import Trigger
from keeper.core.journal import OPEN, Entry, State, Variant
from keeper.core.plans import Plan
from keeper.core.submissions import Submission, Window
from keeper.core.units import BPS, Address, BlockNumber, Timestamp
from keeper.errors import SignerError, SimulationError
from keeper.estimator.gas import ETHEREUM, FeeRule, next_base_fee, worst_base_fee
from keeper.executor.evm import NO_ANSWERS, Answers, Target
from keeper.executor.fanout import Fanout
from keeper.executor.records import Records
from keeper.executor.signer import Signer
from keeper.executor.simulate import Failed, Passed, Simulator
from keeper.executor.transaction import SignedTransaction, Transaction, decode
from keeper.log import get_logger

BUILDER: Final = Address("0x4838b106fce9647bdf1e7877bf73ce8b0bad5f97")  # one that builds blocks: tokens may look
DRIFT: Final = 10  # bps of difference between predicted and simulated profit that are worth a line

_log = get_logger()


@dataclass(frozen=True, slots=True)
class Pace:
    """How the chain and its relays tick."""

    window: int = 3  # blocks asked for at once
    block_time: int = 12  # seconds
    hand_over: float | None = None  # seconds after which nothing more is handed over; a third of the block time
    fee_rule: FeeRule = ETHEREUM
    fee_recipient: Address = BUILDER  # of blocks in simulations

    @property
    def patience(self) -> float:
        """Seconds that channels have to take a submission."""
        return self.block_time / 3 if self.hand_over is None else self.hand_over

    def target(self, head: Block, number: BlockNumber) -> Target:
        """A block to come. Its base fee is exact for the next one, and the worst possible for later ones."""
        ahead = number - head.number
        rule = self.fee_rule.at(head.extra)
        following = next_base_fee(head.base_fee, head.gas_used, head.gas_limit, rule)
        base_fee = worst_base_fee(following, ahead - 1, head.gas_limit, rule)
        return Target(head, number, Timestamp(head.timestamp + ahead * self.block_time), base_fee, self.fee_recipient)


@dataclass(frozen=True, slots=True)
class Behind:
    """What a transaction is to land right behind, and what price sources answer then."""

    trigger: Trigger
    answers: Answers

    def put(self, submission: Submission) -> Submission:
        """The same submission, behind it: by its name, or as a bundle of both where it is public."""
        name, raw = self.trigger.name, self.trigger.raw
        if raw is None:
            return replace(submission, trigger=name)
        return replace(submission, raw_txs=(raw, *submission.raw_txs), tx_hashes=(name, *submission.tx_hashes))


@dataclass(frozen=True, slots=True)
class Job:
    """A transaction of an entry, not yet signed. ``until``: the last block in which it can do anything."""

    entry: Entry
    tx: Transaction
    plan: Plan | None
    until: BlockNumber
    behind: Behind | None = None


@dataclass(frozen=True, slots=True)
class Attempt:
    """What was done about an entry on one head: handed over for these blocks, or refused."""

    opportunity_id: str
    targets: tuple[BlockNumber, ...] = ()
    refusal: Failed | None = None
    plan: Plan | None = None  # what was tried
    gas: int | None = None  # that it takes in the next block
    steps: Mapping[str, float] = field(default_factory=dict)  # seconds of its way out into the first block


class Outbox:
    """Hands transactions over."""

    def __init__(
        self,
        simulator: Simulator,
        signer: Signer,
        fanout: Fanout,
        records: Records,
        pace: Pace,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self._simulator, self._signer, self._fanout, self._records = simulator, signer, fanout, records
        self._pace = pace
        self._now = now
        self._newest: Block | None = None
        self._revision = 0
        self._out: dict[str, dict[BlockNumber, Submission]] = {}  # handed over, by entry and block
        self._sending: dict[str, set[asyncio.Task[object]]] = {}
        self.presigned: dict[Transaction, SignedTransaction] = {}  # for who may be next; never sent without its turn

    def at(self, head: Block) -> None:
        """A new head: what names older blocks is over."""
        self._newest = head
        for opportunity, out in list(self._out.items()):
            left = {target: one for target, one in out.items() if target > head.number}
            self._out[opportunity] = left
            if not left:
                del self._out[opportunity]

    async def attempt(self, job: Job, head: Block) -> Attempt:
        """Everything that can be done for a job on this head."""
        targets = range(head.number + 1, min(head.number + self._pace.window, job.until) + 1)
        done: list[BlockNumber] = []
        gas: int | None = None
        steps: dict[str, float] = {}
        refusal: Failed | None = None if targets else Failed("expired", f"last block {job.until}")
        for target in map(BlockNumber, targets):
            started = time.perf_counter()
            passed = await self._simulate(job, head, target)
            steps.setdefault("simulate", time.perf_counter() - started)
            if isinstance(passed, Failed):
                refusal = refusal if done else passed
                break
            gas = gas or passed.sim.gas
            if self._newest != head or not await self._send(job, passed, steps):
                break
            done.append(target)
        if sending := self._sending.get(job.entry.id):
            await asyncio.wait(sending)
        return Attempt(job.entry.id, tuple(done), refusal, job.plan, gas, steps)

    async def withdraw(self, entry: Entry) -> bool:
        """Ask relays to forget what may still land. False: there was nothing."""
        if sending := self._sending.get(entry.id):
            await asyncio.wait(sending)  # else the wish may be there before what it is about
        out = self._out.pop(entry.id, {})
        await asyncio.gather(*(self._fanout.cancel(submission) for submission in out.values()))
        return bool(out)

    async def idle(self) -> None:
        """Wait until nothing is being handed over."""
        while sending := [task for tasks in self._sending.values() for task in tasks]:
            await asyncio.wait(sending)

    # simulating ----------------------------------------------------------------------------------------------------

    async def _simulate(self, job: Job, head: Block, target: BlockNumber) -> Passed | Failed:
        try:
            answers = job.behind.answers if job.behind else NO_ANSWERS
            at = self._pace.target(head, target)
            result = await self._simulator.run(job.tx, job.entry.eoa, job.plan, at, answers)
        except SimulationError as error:
            result = Failed("unavailable", str(error))
        if isinstance(result, Failed):
            _report(job, result, target)
        elif target == head.number + 1:
            _compare(job, result)
        return result

    # sending -------------------------------------------------------------------------------------------------------

    async def _send(self, job: Job, passed: Passed, steps: dict[str, float]) -> bool:
        """Sign, journal, hand over. False: the entry is decided, or nobody signs."""
        started = time.perf_counter()
        try:
            signed = await self._signed(job)
        except SignerError as error:
            _log.error("opportunity.skipped", opportunity_id=job.entry.id, reason="signer", term=str(error))
            return False
        steps.setdefault("sign", time.perf_counter() - started)
        entry = self._recorded(job, signed)
        if entry is None:
            return False
        started = time.perf_counter()
        await self._records.saved()
        steps.setdefault("journal", time.perf_counter() - started)
        entry = self._records.now(entry)
        if entry.state not in OPEN:
            return False
        if entry.state is State.SIGNED:
            self._records.put(entry.to(State.SUBMITTED))
        self._hand_over(passed, job, signed)
        return True

    async def _signed(self, job: Job) -> SignedTransaction:
        """What was signed last is not signed again."""
        entry = self._records.now(job.entry)
        for variant in entry.variants[-1:]:
            if decode(variant.raw)[0] == job.tx:
                return SignedTransaction(variant.raw, variant.tx, entry.eoa, entry.nonce)
        if (ready := self.presigned.get(job.tx)) is not None and ready.sender == entry.eoa:
            return ready
        return await self._signer.sign(entry.eoa, job.tx)

    def _recorded(self, job: Job, signed: SignedTransaction) -> Entry | None:
        """The entry with this variant. None: it was decided while we were busy."""
        entry = self._records.now(job.entry)
        if entry.state is State.PLANNED:
            entry = entry.to(State.SIMULATED)
        elif entry.state not in OPEN:
            return None
        if entry.variant(signed.hash) is None:
            variant = Variant(signed.hash, signed.raw, job.until, job.plan)
            variants = (*entry.variants, variant)
            if entry.state is State.SIGNED:
                entry = entry.to(State.SUBMITTED)
            entry = entry.to(State.SIGNED, variants=variants, reason="")
            self._records.put(entry)
        elif entry.reason:
            entry = replace(entry, reason="")
            self._records.put(entry)
        return entry

    def _hand_over(self, passed: Passed, job: Job, signed: SignedTransaction) -> None:
        now = self._now()
        self._revision = max(self._revision + 1, time.time_ns() // 10**6)  # grows across restarts too
        window = Window(passed.target, job.until)
        submission = passed.submission(
            job.entry.id, signed.raw, signed.hash, window, now + self._pace.patience, self._revision
        )
        submission = job.behind.put(submission) if job.behind else submission
        self._out.setdefault(job.entry.id, {})[passed.target] = submission
        tasks = self._sending.setdefault(job.entry.id, set())
        task: asyncio.Task[object] = asyncio.create_task(self._fanout.submit(submission))
        tasks.add(task)
        task.add_done_callback(lambda done: self._sent(job.entry.id, done))

    def _sent(self, opportunity: str, task: asyncio.Task[object]) -> None:
        tasks = self._sending[opportunity]
        tasks.discard(task)
        if not tasks:
            del self._sending[opportunity]


def _report(job: Job, failed: Failed, target: BlockNumber) -> None:
    numbers: dict[str, int] = {}
    if job.plan and failed.profit is not None:
        numbers = {"predicted": job.plan.estimate.profit, "simulated": failed.profit}
    _log.warning(
        "simulation.failed",
        opportunity_id=job.entry.id,
        block=target,
        reason=failed.reason,
        error=failed.detail,
        **numbers,
    )


def _compare(job: Job, passed: Passed) -> None:
    if job.plan is None:
        return
    predicted, simulated = job.plan.estimate.profit, passed.sim.profit
    drift = (simulated - predicted) * BPS // max(predicted, 1)
    if abs(drift) >= DRIFT:
        _log.info(
            "simulation.drifted",
            opportunity_id=job.entry.id,
            block=passed.target,
            predicted=predicted,
            simulated=simulated,
            drift_bps=drift,
        )
