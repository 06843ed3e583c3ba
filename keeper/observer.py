"""Fills the status: after each block what came of it, every second what the parts say, and now and then a census.

Law: it looks and remembers. Nothing here decides, and nothing that is decided waits for it.
"""

import asyncio
import time
from collections.abc import Iterable, Mapping, Sequence
from http import HTTPStatus
from typing import Final

from keeper.core.events import Block
from keeper.core.journal import Line, State
from keeper.core.plans import Plan
from keeper.core.refusals import Reason, Skip
from keeper.core.submissions import Ack, AckStatus, BestEffort, Capability, Channel, ChannelStatus, Submission
from keeper.core.units import BlockNumber, Wei
from keeper.daemon import Keeper, Moment
from keeper.executor.lifecycle import Change
from keeper.gate import BREAKER, LOSS_CAP
from keeper.indexer.audit import live_rows
from keeper.ops.alerts import Alerts
from keeper.ops.backing import Backings
from keeper.ops.census import Taker
from keeper.ops.feeds import judged
from keeper.ops.notices import Alert, Severity
from keeper.ops.status import Status
from keeper.ops.values import Opportunity, Outcome, Peer, Purse, Settlement
from keeper.store.reasons import Reasons

EVERY: Final = 1.0  # seconds between two looks at the parts
RELAYS_EVERY: Final = 15.0  # seconds after which a relay that could not be used is asked again
SLICE: Final = 200  # accounts counted before the loop gets a turn
SHARE: Final = 10  # a census is taken no oftener than so many times its own duration
LOCKED_OUT: Final = (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN, HTTPStatus.TOO_MANY_REQUESTS)

_OUTCOMES: Final[Mapping[State, Outcome]] = {
    State.LANDED: Outcome.INCLUDED,
    State.REVERTED: Outcome.REVERTED,
    State.OUTBID: Outcome.OUTBID,
    State.MISSED: Outcome.MISSED,
    State.SUPERSEDED: Outcome.MISSED,
    State.FINAL: Outcome.FINAL,
}


class Metered:
    """A channel that is looked at: what it answers, how fast, and whether it can be reached."""

    def __init__(self, channel: Channel, status: Status) -> None:
        self._channel, self._status = channel, status
        self._saw(Peer("not asked yet"))

    @property
    def name(self) -> str:
        return self._channel.name

    @property
    def capabilities(self) -> Capability:
        return self._channel.capabilities

    async def submit(self, submission: Submission) -> Ack:
        """Hand over, and remember the answer."""
        ack = await self._channel.submit(submission)
        self._status.answers[(self.name, ack.status.value)] += 1
        unreached = ack.status is AckStatus.UNKNOWN or ack.http is None or ack.http in LOCKED_OUT
        self._saw(Peer(fault=(ack.detail or ack.status.value) if unreached else "", latency=ack.latency))
        return ack

    async def cancel(self, submission: Submission) -> BestEffort:
        """Ask to forget."""
        return await self._channel.cancel(submission)

    async def health(self) -> ChannelStatus:
        """Whether it answers at all."""
        return await self._channel.health()

    async def ask(self) -> None:
        """Whether it answers, while it is not known to."""
        if not self._status.relays[self.name].well:
            told = await self._channel.health()
            self._saw(Peer("" if told.alive else told.detail or "no answer", told.latency))

    def _saw(self, peer: Peer) -> None:
        self._status.relays = {**self._status.relays, self.name: peer}


class Observer:
    """One status and one book of reasons, of one keeper."""

    def __init__(self, keeper: Keeper, status: Status, reasons: Reasons, alerts: Alerts) -> None:
        self._keeper, self._status, self._reasons, self._alerts = keeper, status, reasons, alerts
        self._halts: frozenset[str] = frozenset()
        self._backings = Backings()
        status.backing = lambda: self._backings.whole
        status.refused = reasons.counts
        status.queues |= {"reasons": lambda: reasons.waiting, "requests": lambda: keeper.pool.under_way}
        keeper.listeners.append(self.block)
        keeper.timed.append(status.took)
        if (executor := keeper.executor) is not None:
            executor.listeners.append(self.change)
            status.queues["opportunities"] = lambda: len(executor.entries)

    # told ------------------------------------------------------------------------------------------------------------

    def block(self, moment: Moment) -> None:
        """What came of a block."""
        status, plans = self._status, moment.packed.plans
        status.stands(moment.block, caught_up=True)
        status.took(moment.steps)
        for attempt in moment.attempts:
            status.took(attempt.steps)
        self._halted(moment.halts)
        self._purses()
        self._feeds(moment.block)
        self._backings.look(self._keeper.indexer.markets)
        for plan in plans:
            self._became(plan, Outcome.PLANNED)
        skips = [*moment.packed.skips, *self._unsent(moment)]
        refused = {skip.who for skip in skips}
        planned = {leg.who for plan in plans for leg in plan.legs} - refused
        self._reasons.update(moment.block, skips, planned)

    def change(self, change: Change) -> None:
        """What became of an opportunity."""
        entry, line = change.entry, change.line
        plan = entry.plan
        if line is not None and entry.state is not State.FINAL:
            self._status.settle(_settlement(line))
        if plan is None or change.undone or (outcome := _OUTCOMES.get(entry.state)) is None:
            return
        known = self._status.recent.get(entry.id)
        realised = line.net if line else known.realised_net if known else None
        block = entry.fate.block if entry.fate else plan.block
        tx = entry.fate.tx if entry.fate else None
        accounts = tuple(sorted({account for _, account in entry.accounts}))
        self._status.became(
            Opportunity(entry.id, accounts, outcome, block, plan.estimate.net, realised, entry.reason, tx)
        )
        if entry.state is State.REVERTED:
            text = f"{entry.id} in block {block}, transaction {tx}, net {realised} wei"
            self._alerts.happened(Alert(f"revert {entry.id}", Severity.WARNING, "a liquidation reverted", text))

    def _unsent(self, moment: Moment) -> Iterable[Skip]:
        """Everyone who was planned and not sent, with the reason; and what was sent is remembered."""
        plans = {plan.opportunity_id: plan for plan in moment.packed.plans}
        if moment.halts:
            why = "; ".join(f"{by}: {said}" for by, said in moment.halts.items())
            yield from _skips(plans.values(), Reason.HALTED, why)
            return
        if self._keeper.executor is None:
            yield from _skips(plans.values(), Reason.READ_ONLY, "keeper reads only: nothing is sent")
            return
        for attempt in moment.attempts:
            plan = plans.get(attempt.opportunity_id)
            if plan is not None and attempt.targets:
                self._became(plan, Outcome.SENT)
            elif plan is not None and attempt.refusal is not None:
                term = f"{attempt.refusal.reason}: {attempt.refusal.detail}"
                self._became(plan, Outcome.SIMULATION_FAILED, term)
                yield from _skips([plan], Reason.NOT_SENT, term)

    def _became(self, plan: Plan, outcome: Outcome, reason: str = "") -> None:
        """Steps on the way out count once for each opportunity, in whatever order they come again."""
        known = self._status.recent.get(plan.opportunity_id)
        if known is not None and (outcome is Outcome.PLANNED or known.outcome not in _BEFORE[outcome]):
            return
        accounts = tuple(leg.account for leg in plan.legs)
        self._status.became(
            Opportunity(plan.opportunity_id, accounts, outcome, plan.block, plan.estimate.net, reason=reason)
        )

    def _halted(self, halts: Mapping[str, str]) -> None:
        for name in (BREAKER, LOSS_CAP):
            if name in halts:
                self._status.halted[name] = halts[name]
            else:
                self._status.halted.pop(name, None)

    # looked at -------------------------------------------------------------------------------------------------------

    async def run(self) -> None:
        """Look at the parts every second, until cancelled; count the accounts whenever there are new books."""
        rested, counted = 0.0, BlockNumber(-1)
        while True:
            self.look()
            tip = self._keeper.indexer.tip
            if tip is not None and tip.number != counted and time.monotonic() >= rested:
                started, counted = time.monotonic(), tip.number
                await self._census()
                rested = time.monotonic() + SHARE * (time.monotonic() - started)
            await asyncio.sleep(EVERY)

    async def ask(self, channels: Sequence[Metered]) -> None:
        """Ask relays that cannot be used whether they can again, until cancelled."""
        while True:
            await asyncio.gather(*(channel.ask() for channel in channels))
            await asyncio.sleep(RELAYS_EVERY)

    def look(self) -> None:
        """What endpoints, indexer and the like say now."""
        keeper, status = self._keeper, self._status
        status.looks()
        if (newest := keeper.pool.newest) is not None:
            status.saw(newest.number)
        status.caught_up, status.trouble = keeper.live.ready and status.lag <= 1, keeper.live.trouble
        status.reorgs, status.drifts = keeper.indexer.reorgs, keeper.live.drifts
        faults = keeper.pool.faults
        status.endpoints = {
            one.name: Peer(faults.get(one.name, ""), one.record.latency, one.record.lag)
            for one in keeper.pool.endpoints
        }

    async def _census(self) -> None:
        tip = self._keeper.indexer.tip
        if tip is None:
            return
        taker = Taker()
        for market in self._keeper.indexer.markets:
            if market.surveyed is None:
                continue
            for turn, row in enumerate(live_rows(market.book)):
                if turn % SLICE == SLICE - 1:
                    await asyncio.sleep(0)
                health = market.adapter.health(market.book, row, tip.timestamp)
                taker.add(market.adapter.name, market.adapter.market, market.book.account(row), health)
        self._status.census = taker.done(tip.number, tip.timestamp)

    def _feeds(self, block: Block) -> None:
        keeper, risk = self._keeper, self._keeper.settings.risk
        total = sum(len(market.adapter.assets(market.book)) for market in keeper.indexer.markets)
        oracles = keeper.knowledge.known().oracles
        self._status.feeds = judged(oracles, total, block.timestamp, risk.oracle_grace, risk.sequencer_grace)

    def _purses(self) -> None:
        executor = self._keeper.executor
        if executor is not None:
            least = Wei(self._keeper.settings.risk.min_balance)
            self._status.purses = {eoa: Purse(held, least) for eoa, held in executor.balances.items()}


_BEFORE: Final[Mapping[Outcome, frozenset[Outcome]]] = {
    Outcome.SENT: frozenset({Outcome.PLANNED, Outcome.SIMULATION_FAILED}),
    Outcome.SIMULATION_FAILED: frozenset({Outcome.PLANNED}),
}


def _skips(plans: Iterable[Plan], reason: Reason, term: str) -> Sequence[Skip]:
    return [Skip(leg.account, reason, term, leg.who[0]) for plan in plans for leg in plan.legs]


def _settlement(line: Line) -> Settlement:
    return Settlement(line.predicted, line.net, gas=Wei(-line.eoa), bid=line.bid)
