"""The part that spends money: plans in, outcomes out.

    head   → on_head: what landed, what was lost, what a reorganisation took back     lifecycle
    plans  → submit:  lease a nonce, simulate, sign, journal, hand over               nonces, attempt

Laws
- Before anything is sent on a head, every open entry was looked up on that head; after a restart too.
- ``submit`` is called on every head with all that is worth doing now. A plan for accounts that an open entry is about
  is that entry's next variant, with its nonce. An open entry no plan is about is tried as it is until its last block.
- Whatever fails its simulation is not sent; if it was sent before, it is asked back.
"""

import asyncio
import contextlib
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Final

from keeper.contracts.encode import Executor as Contract
from keeper.contracts.encode import encode_plan
from keeper.core.events import Block
from keeper.core.journal import OPEN, Entry, Fate, State
from keeper.core.plans import Plan
from keeper.core.units import Address, BlockNumber, Wei, Who
from keeper.errors import EndpointsUnavailable, RpcError
from keeper.estimator.gas import worst_base_fee
from keeper.executor.announce import announce
from keeper.executor.attempt import Attempt, Behind, Job, Outbox, Pace
from keeper.executor.fanout import Fanout
from keeper.executor.lifecycle import Change, Lifecycle
from keeper.executor.node import Node
from keeper.executor.nonces import Nonces
from keeper.executor.records import Records
from keeper.executor.signer import Signer
from keeper.executor.simulate import Failed, Simulator
from keeper.executor.tracker import Tracker
from keeper.executor.transaction import SignedTransaction, Transaction, decode
from keeper.log import get_logger
from keeper.store.journal import Journal

FARTHEST: Final = 256  # blocks: a plan with a later deadline would hold its nonce for ever
CLEARING_GAS: Final = 21_000
MOST_VARIANTS: Final = 32  # of one entry; what is still worth doing then goes on as another one with the same nonce
PRUNE_EVERY: Final = 1_000  # blocks
KEPT: Final = 7_200  # blocks for which everything about a final entry is kept
POLL: Final = 0.5  # seconds between two looks at the head while draining

_log = get_logger()
_NO_STEPS: Final[Mapping[str, float]] = MappingProxyType({})
Accounts = frozenset[Who]


@dataclass(frozen=True, slots=True)
class Setup:
    """What the executor works with."""

    chain_id: int
    contract: Contract
    pace: Pace = field(default_factory=Pace)
    confirmations: int = 64  # blocks on top of one that make it final
    minimum: Wei = Wei(5 * 10**16)  # a signing account with less is reported
    clearing_tip: Wei = Wei(2 * 10**9)  # per gas, for taking a stuck nonce away


class Executor:
    """Opportunities from plan to final."""

    def __init__(
        self,
        *,
        node: Node,
        signer: Signer,
        fanout: Fanout,
        journal: Journal,
        setup: Setup,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self.listeners: list[Callable[[Change], None]] = []
        self._node, self._signer, self._setup, self._now = node, signer, setup, now
        self._records = Records(journal)
        self._nonces = Nonces(node, signer.addresses, setup.minimum)
        self._lifecycle = Lifecycle(Tracker(node), self._nonces, self._records, setup.contract, setup.confirmations)
        self._outbox = Outbox(Simulator(node), signer, fanout, self._records, setup.pace, now)
        self._turn = asyncio.Lock()
        self._planning: dict[str, Accounts] = {}  # plans that the journal does not know yet
        self._stuck: list[tuple[Address, int]] = []
        self._steps: dict[str, Mapping[str, float]] = {}  # of entries that are not final
        self._behind: dict[str, Behind] = {}  # what open entries have to follow
        self._closing = False

    # what others see -----------------------------------------------------------------------------------------------

    @property
    def entries(self) -> tuple[Entry, ...]:
        """Every opportunity that is not final."""
        return tuple(self._records.entries.values())

    @property
    def in_flight(self) -> Accounts:
        """Everyone about whom something may land."""
        return frozenset().union(*(entry.accounts for entry in self._records.within(OPEN)), *self._planning.values())

    @property
    def balances(self) -> Mapping[Address, Wei]:
        """What each account that signs held at the last head."""
        accounts = self._nonces.accounts
        return {eoa: accounts[eoa].balance for eoa in self._nonces.signers if eoa in accounts}

    @property
    def total(self) -> Wei:
        """The sum of the ledger."""
        return self._records.total

    # heads ---------------------------------------------------------------------------------------------------------

    async def reconcile(self) -> Block:
        """Hold the journal against the chain. Nothing is sent before that; the first head does it in any case."""
        head = await self._node.head()
        await self.on_head(head)
        return head

    async def on_head(self, head: Block) -> Sequence[Change]:
        """What became of everything, on disk and announced when it returns."""
        async with self._turn:
            seen = self._lifecycle.head
            changes = await self._lifecycle.on_head(head)
            if self._lifecycle.head != seen:
                self._outbox.at(head)
                self._stuck = self._nonces.stuck(self._records.entries.values(), head)
                if head.number % PRUNE_EVERY == 0:
                    self._records.journal.prune(head.number - KEPT)
        for change in changes:
            self._tell(change)
        return changes

    # plans ---------------------------------------------------------------------------------------------------------

    async def submit(
        self, plans: Sequence[Plan], head: Block, steps: Mapping[str, float] = _NO_STEPS
    ) -> tuple[Attempt, ...]:
        """Do what is worth doing now. Returns when every channel has answered or had its time.

        ``steps``: seconds that were spent on these plans so far.
        """
        started = time.perf_counter()
        await self.on_head(head)
        if self._closing or self._lifecycle.head is None or self._lifecycle.head.hash != head.hash:
            return ()
        jobs, refused, replaced = self._assign(plans, head)
        jobs += [job for eoa, nonce in self._stuck if (job := self._clearing(eoa, nonce, head))]
        asked_back = (self._give_up(entry, "replaced") for entry in replaced)
        done = await asyncio.gather(*(self._pursue(job, head) for job in jobs), *asked_back)
        attempts = [one for one in done if one is not None]
        self._timed(attempts, {**steps, "send": round(time.perf_counter() - started, 6)})
        return (*refused, *attempts)

    async def follow(
        self, plans: Sequence[Plan], head: Block, behind: Behind, steps: Mapping[str, float] = _NO_STEPS
    ) -> tuple[Attempt, ...]:
        """Do what is worth doing right behind a transaction that is not on chain yet. What is open stays as it is."""
        started = time.perf_counter()
        if self._closing or self._lifecycle.head is None or self._lifecycle.head.hash != head.hash:
            return ()
        opened = {account for entry in self._records.within(OPEN) for account in entry.accounts}
        jobs: list[Job] = []
        refused: list[Attempt] = []
        for plan in plans:
            accounts = _accounts(plan)
            job = (
                Failed("executor.in_flight", "it is open")
                if accounts & opened
                else self._job(plan, None, accounts, head)
            )
            if isinstance(job, Failed):
                refused.append(Attempt(plan.opportunity_id, (), job))
            else:
                jobs.append(replace(job, behind=behind))
                self._behind[job.entry.id] = behind
        done = await asyncio.gather(*(self._pursue(job, head) for job in jobs))
        self._timed(done, {**steps, "send": round(time.perf_counter() - started, 6)})
        return (*refused, *done)

    async def presign(self, plans: Sequence[Plan], head: Block) -> int:
        """Have transactions of plans that may be next signed before; how many are. Others than these are forgotten."""
        ready: dict[Transaction, SignedTransaction] = {}
        for plan in plans:
            found = self._nonces.next(self._records.entries.values(), plan.gas_limit * plan.max_fee, head)
            if found is None or self._closing:
                continue
            eoa, nonce = found
            tx = self._transaction(plan, nonce, encode_plan(plan, self._setup.contract))
            known = self._outbox.presigned.get(tx)
            ready[tx] = known if known is not None and known.sender == eoa else await self._signer.sign(eoa, tx)
        self._outbox.presigned = ready
        return len(ready)

    def _transaction(self, plan: Plan, nonce: int, data: bytes) -> Transaction:
        to = self._setup.contract.address
        return Transaction(self._setup.chain_id, nonce, plan.tip, plan.max_fee, plan.gas_limit, to, data)

    def _timed(self, attempts: Sequence[Attempt], steps: Mapping[str, float]) -> None:
        """Remember how long each new entry's first way out took, until its story is closed."""
        known = self._records.entries
        self._steps = {name: took for name, took in self._steps.items() if name in known}
        for one in attempts:
            if one.opportunity_id in known:
                own = {name: round(seconds, 6) for name, seconds in one.steps.items()}
                self._steps.setdefault(one.opportunity_id, {**steps, **own})

    def _assign(self, plans: Sequence[Plan], head: Block) -> tuple[list[Job], list[Attempt], list[Entry]]:
        """Each plan to the open entry it continues, or to a nonce of its own; the rest as it is, or asked back."""
        waiting = {entry.id: entry for entry in self._records.within(OPEN) if entry.plan}
        jobs: list[Job] = []
        refused: list[Attempt] = []
        replaced: list[Entry] = []
        for plan in sorted(plans, key=lambda one: one.estimate.net, reverse=True):
            accounts = _accounts(plan)
            entry = max(waiting.values(), key=lambda one: len(one.accounts & accounts), default=None)
            known = entry if entry and entry.accounts & accounts else None
            job = self._job(plan, known, accounts, head)
            if isinstance(job, Job):
                jobs.append(job)
                if known:
                    del waiting[known.id]
                    replaced += [known] if job.entry.id != known.id else []
            else:
                refused.append(Attempt(plan.opportunity_id, (), job))
                _log.info("opportunity.skipped", opportunity_id=plan.opportunity_id, reason=job.reason, term=job.detail)
        planned: Accounts = frozenset().union(*(_accounts(job.plan) for job in jobs if job.plan))
        replaced += [entry for entry in waiting.values() if entry.accounts & planned]
        self._behind = {name: behind for name, behind in self._behind.items() if name in waiting}
        jobs += [
            replace(_again(entry), behind=self._behind.get(entry.id))
            for entry in waiting.values()
            if not entry.accounts & planned
        ]
        return jobs, refused, replaced

    def _job(self, plan: Plan, known: Entry | None, accounts: Accounts, head: Block) -> Job | Failed:
        """The plan as a transaction: of a known entry, or of a new one with a leased nonce."""
        if not head.number < plan.deadline <= head.number + FARTHEST:
            return Failed("deadline", f"block {plan.deadline} at head {head.number}")
        try:
            data = encode_plan(plan, self._setup.contract)
        except ValueError as error:
            return Failed("encoding", str(error))
        if known and len(known.variants) >= MOST_VARIANTS:
            entry: Entry | Failed = self._continued(known, plan, accounts, head)
        else:
            entry = known or self._fresh(plan, accounts, head)
        if isinstance(entry, Failed):
            return entry
        return Job(entry, self._transaction(plan, entry.nonce, data), plan, plan.deadline)

    def _fresh(self, plan: Plan, accounts: Accounts, head: Block) -> Entry | Failed:
        if any(accounts & others for others in self._planning.values()):
            return Failed("executor.in_flight", "an older plan is being sent")
        if plan.opportunity_id in self._planning or self._records.known(plan.opportunity_id):
            return Failed("executor.known", "it was done before")
        need = plan.gas_limit * plan.max_fee
        lease = self._nonces.lease(self._records.entries.values(), need, head)
        if lease is None:
            return Failed("executor.no_account", f"none of {len(self._nonces.signers)} is free and has {need} wei")
        self._planning[plan.opportunity_id] = accounts
        return Entry(plan.opportunity_id, *lease)

    def _continued(self, known: Entry, plan: Plan, accounts: Accounts, head: Block) -> Entry | Failed:
        """Another entry with the same nonce: at most one of the two can land."""
        if plan.opportunity_id in self._planning or self._records.known(plan.opportunity_id):
            return Failed("executor.known", "it was done before")
        self._records.put(known.to(State.MISSED, fate=Fate(head.number, head.hash), reason="continued"))
        self._planning[plan.opportunity_id] = accounts
        return Entry(plan.opportunity_id, known.eoa, known.nonce)

    async def _pursue(self, job: Job, head: Block) -> Attempt:
        try:
            attempt = await self._outbox.attempt(job, head)
        finally:
            if self._planning.pop(job.entry.id, None) is not None:
                self._nonces.give_back(job.entry.eoa)
        failed = attempt.refusal
        if failed and not attempt.targets and failed.reason not in ("unavailable", "expired"):
            await (self._outbid(job.entry, head) if failed.gone else self._give_up(job.entry, failed.reason))
        return attempt

    async def _outbid(self, entry: Entry, head: Block) -> None:
        """Somebody was first."""
        entry = self._records.now(entry)
        if entry.state not in OPEN:
            return
        entry = entry.to(State.OUTBID, fate=Fate(head.number, head.hash), reason="gone")
        self._records.put(entry)
        await self._records.saved()
        self._tell(Change(entry))
        await self._outbox.withdraw(entry)

    async def _give_up(self, entry: Entry, reason: str) -> None:
        """Ask it back; what was handed over may land all the same, so it stays open."""
        entry = self._records.now(entry)
        if entry.state in OPEN:
            self._records.put(replace(entry, reason=reason))
        if await self._outbox.withdraw(entry):
            _log.info("submission.withdrawn", opportunity_id=entry.id, reason=reason)

    def _clearing(self, eoa: Address, nonce: int, head: Block) -> Job | None:
        """An empty transaction to ourselves in the place of one that hangs."""
        pace = self._setup.pace
        name = f"clear:{eoa}:{nonce}:{head.number}"
        if self._records.known(name) or not self._nonces.take(eoa):
            return None
        _log.warning("nonce.stuck", address=eoa, nonce=nonce)
        self._planning[name] = frozenset()
        fee = worst_base_fee(head.base_fee, pace.window, head.gas_limit, pace.fee_rule.at(head.extra))
        tip = self._setup.clearing_tip
        tx = Transaction(self._setup.chain_id, nonce, tip, Wei(fee + tip), CLEARING_GAS, eoa, b"")
        return Job(Entry(name, eoa, nonce), tx, None, BlockNumber(head.number + pace.window))

    # the end -------------------------------------------------------------------------------------------------------

    async def withdraw(self, reason: str) -> None:
        """Ask everything back. Entries stay open until the chain decides."""
        await asyncio.gather(*(self._give_up(entry, reason) for entry in self._records.within(OPEN)))

    async def drain(self, deadline: float) -> bool:
        """No new submissions; ask back what is out, and wait until the chain has decided. False: out of time."""
        self._closing = True
        await self._outbox.idle()
        await self.withdraw("stopping")
        while self._records.within(OPEN) and self._now() < deadline:
            with contextlib.suppress(RpcError, EndpointsUnavailable):
                await self.reconcile()
            if self._records.within(OPEN):
                await asyncio.sleep(min(POLL, max(deadline - self._now(), 0)))
        await self._records.saved()
        return not self._records.within(OPEN)

    def _tell(self, change: Change) -> None:
        announce(change, self._records.total, self._steps.get(change.entry.id))
        for listener in self.listeners:
            listener(change)


def _accounts(plan: Plan) -> Accounts:
    return frozenset(leg.who for leg in plan.legs)


def _again(entry: Entry) -> Job:
    """The newest variant as it is."""
    variant = entry.variants[-1]
    return Job(entry, decode(variant.raw)[0], variant.plan, variant.until)
