"""The story of one block, top to bottom.

    1-3  the indexer has applied it: books are at the block           indexer, core/book
    4    who may be liquidatable                                      screen
    5    who is, exactly, at the time of the block we aim for         protocols
    6-7  sizes, proceeds, gas, bid: plans, or refusals with a reason  estimator
    8-11 encode, simulate, sign, submit, track, settle                executor

Laws
- No decision is taken on a float, and none on a market that was not surveyed.
- Every liquidatable account leaves this page in a plan or with a stored reason.
- Long work is done in slices, so that the loop stays responsive while hundreds of accounts are planned.
"""

import asyncio
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Container, Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Protocol, TypeVar

from keeper.agenda import Agenda, Pays
from keeper.core.events import Block
from keeper.core.outlook import TriggerKind
from keeper.core.plans import Plan
from keeper.core.ports import Loan, Quarantine
from keeper.core.refusals import Reason, Skip
from keeper.core.units import WAD, BlockNumber, Timestamp, Who
from keeper.core.venues import Liquidity, Pool
from keeper.estimator.decide import decide
from keeper.estimator.gas import ETHEREUM, FeeRule, next_base_fee
from keeper.estimator.guards import Refusal, TokenRules
from keeper.estimator.lessons import Lessons
from keeper.estimator.pack import Packed, packing
from keeper.estimator.patience import offered, weigh
from keeper.estimator.rollup import DataFee, NoDataFee
from keeper.estimator.world import Candidate, Oracles, Policy, Risk, World
from keeper.estimator.worth import Prices, complete
from keeper.indexer.market import Market
from keeper.log import get_logger
from keeper.lookout import Lookout
from keeper.rivalry import Rivalry
from keeper.venues.erc4626.pool import Vault

log = get_logger()
T = TypeVar("T")


class Sender(Protocol):
    """What the pipeline needs of the executor."""

    async def submit(self, plans: Sequence[Plan], head: Block) -> object: ...


class Elsewhere(Protocol):
    """Whoever may know better than the pools in the books what a sale brings."""

    async def improve(self, world: World, packed: Packed, candidates: Sequence[Candidate]) -> Packed: ...


@dataclass(frozen=True, slots=True)
class Target:
    """The block that plans are made for."""

    number: BlockNumber
    timestamp: Timestamp
    head: Block


@dataclass(frozen=True, slots=True)
class Known:
    """What was read and learned beside books and pools."""

    oracles: Oracles = field(default_factory=Oracles)
    data_fee: DataFee = field(default_factory=NoDataFee)
    lessons: Lessons = field(default_factory=Lessons)
    tokens: TokenRules = field(default_factory=TokenRules)
    risk: Risk = field(default_factory=Risk)
    loans: Sequence[Loan] = ()  # beside those of the markets themselves
    fee_rule: FeeRule = ETHEREUM
    unsigned: Callable[[Plan], bytes] = lambda _plan: b""  # a plan's transaction, where bytes cost


@dataclass(slots=True)
class Watch:
    """What is remembered from one block to the next, for log lines on a change and for whoever asks why."""

    unhealthy: set[Who] = field(default_factory=set)
    skips: dict[Who, Skip] = field(default_factory=dict)


async def in_slices(work: Generator[object, None, T]) -> T:
    """Work to its end, with a turn for the loop after every part of it."""
    while True:
        try:
            next(work)
        except StopIteration as stop:
            result: T = stop.value
            return result
        await asyncio.sleep(0)


class Pipeline:
    """From a block to submissions."""

    def __init__(
        self,
        *,
        markets: Callable[[], Sequence[Market]],
        liquidity: Callable[[], Liquidity],
        policy: Policy,
        known: Callable[[], Known] = Known,
        elsewhere: Elsewhere | None = None,
        sender: Sender | None,
        block_time: int,
    ) -> None:
        self.watch = Watch()
        self.among: Container[Who] | None = None  # whom to look at; everybody
        self.planned = 0
        self.steps: Mapping[str, float] = {}  # seconds that each step of the last block took
        self._markets, self._liquidity = markets, liquidity
        self._policy, self._known, self._elsewhere, self._sender = policy, known, elsewhere, sender
        self._block_time = block_time
        self.lookout, self.agenda, self.rivalry = Lookout(), Agenda(), Rivalry()

    def retune(self, policy: Policy) -> None:
        """What the operator wants from the next block on."""
        self._policy = policy

    async def on_block(self, head: Block) -> Packed:
        """Everything that follows from a block whose changes are in the books."""
        started = time.perf_counter()
        target = self.target(head)
        candidates = [found async for found in self._confirm(target)]
        confirmed = time.perf_counter()
        packed = await self._plan(target, candidates)
        planned = time.perf_counter()
        self.steps = {**self._looked(), "find": confirmed - started, "plan": planned - confirmed}
        self._tell(packed, self.steps)
        if self._sender is not None:  # also without plans: what is open is tried again or asked back
            await self._sender.submit(packed.plans, head)
            self.steps = {**self.steps, "send": time.perf_counter() - planned}
        self._tend(target, packed)
        return packed

    def target(self, head: Block) -> Target:
        """The block that is planned for on a head."""
        return Target(BlockNumber(head.number + 1), Timestamp(head.timestamp + self._block_time), head)

    def _looked(self) -> Mapping[str, float]:
        """Seconds of each step of looking, all markets together; ``find`` is these and what can be done about whom."""
        steps: Counter[str] = Counter()
        for market in self._markets():
            if market.surveyed is not None:
                steps.update(self.lookout.post(market).steps)
        return steps

    # who -----------------------------------------------------------------------------------------------------------

    async def _confirm(self, target: Target) -> AsyncIterator[Candidate]:
        """Accounts below 1 at the target's time, with everything that could be done about them."""
        now: set[Who] = set()
        for market in self._markets():
            if market.surveyed is None:
                continue
            rows = await self.lookout.post(market).below(target.timestamp)
            prices = self._prices(market) if rows else None
            for row in rows:
                who = market.who(row)
                if prices is None or (self.among is not None and who not in self.among):
                    continue
                now.add(who)
                self._noticed(market, row, target.timestamp)
                yield self._candidate(market, row, target.timestamp, prices)
                await asyncio.sleep(0)
        self._recovered(now)

    @staticmethod
    def _candidate(market: Market, row: int, at: Timestamp, prices: Prices) -> Candidate:
        actions = market.adapter.actions(market.book, row, at)
        return Candidate(market.book.account(row), actions, prices, market.adapter.market)

    def _noticed(self, market: Market, row: int, at: Timestamp) -> None:
        if market.who(row) in self.watch.unhealthy:
            return
        health = market.adapter.health(market.book, row, at)
        if not isinstance(health, Quarantine):
            log.info(
                "account.liquidatable", protocol=market.adapter.name, market=market.adapter.market,
                account=market.book.account(row), health_factor=health.health_factor,
            )  # fmt: skip

    def _recovered(self, now: set[Who]) -> None:
        for market, account in self.watch.unhealthy - now:
            log.info("account.recovered", market=market, account=account, health_factor=WAD)
            self.watch.skips.pop((market, account), None)
        self.watch.unhealthy = now

    def _tend(self, target: Target, packed: Packed) -> None:
        """What can wait until everything is decided: fresh watch lists, who came near, and what is waited for."""
        for market in self._markets():
            if market.surveyed is not None:
                self.lookout.post(market).tend(target.timestamp)
        refused = {skip.who for skip in packed.skips if skip.reason is not Reason.WAITING}
        waiting = sorted(refused & self.watch.unhealthy)
        if waiting or self.agenda.awaited:
            self.agenda.ask(self._markets(), waiting, target.timestamp, self._block_time, self._pays(target))

    def _pays(self, target: Target) -> Pays:
        """Whether there would be a plan for an account at another time, on the market as it is."""
        world = self.world(target)

        def pays(market: Market, row: int, at: Timestamp) -> bool:
            candidate = self._candidate(market, row, at, self._prices(market))
            return isinstance(decide(replace(world, timestamp=at), candidate), Plan)

        return pays

    # what ----------------------------------------------------------------------------------------------------------

    async def _plan(self, target: Target, candidates: Sequence[Candidate]) -> Packed:
        """Plans and refusals, an account at a time."""
        self.rivalry.look(candidates, self.watch.unhealthy)
        if not candidates:
            return Packed((), ())
        world = self.world(target)
        waits = {one.who: why for one in candidates if (why := await self._waits(world, one))}
        ready = [one for one in candidates if one.who not in waits]
        packed = await in_slices(packing(world, ready))
        if self._elsewhere is not None:
            packed = await self._elsewhere.improve(world, packed, ready)
        return Packed(packed.plans, (*packed.skips, *(why.skip(who) for who, why in waits.items())))

    async def _waits(self, world: World, candidate: Candidate) -> Refusal | None:
        """Why an auction is left alone although it may pay."""
        if offered(candidate) is None or not self._policy.patience:
            return None
        name, account = candidate.who
        market = next(market for market in self._markets() if market.adapter.market == name)
        adapter, book, row = market.adapter, market.book, market.book.row(account)
        if row is None:
            return None
        ends = [one.at for one in adapter.triggers(book, row, world.timestamp) if one.kind is TriggerKind.AUCTION]
        blocks = range(world.timestamp + self._block_time, max(ends, default=0), self._block_time)
        return await in_slices(weigh(world, candidate, lambda then: adapter.actions(book, row, then), blocks))

    def world(self, target: Target) -> World:
        """All that the decisions of this block depend on."""
        head, known = target.head, self._known()
        rule = known.fee_rule.at(head.extra)
        return World(
            block=target.number,
            timestamp=target.timestamp,
            base_fee=next_base_fee(head.base_fee, head.gas_used, head.gas_limit, rule),
            gas_limit=head.gas_limit,
            liquidity=self._liquidity().beside(list(self._receipts(target.timestamp))),
            policy=self._policy,
            lenders=[*known.loans, *self._market_lenders()],
            gas=known.lessons.gas,
            bids=known.lessons.bids,
            rivals=known.lessons.rivals,
            fee_rule=rule,
            data_fee=known.data_fee,
            unsigned=known.unsigned,
            tokens=known.tokens,
            oracles=known.oracles,
            risk=known.risk,
        )

    def _receipts(self, at: Timestamp) -> Iterator[Pool]:
        """What liquidations are paid in, where the market itself redeems it."""
        for market in self._markets():
            if market.surveyed is not None:
                yield from map(Vault.of, market.adapter.receipts(market.book, at))

    def _market_lenders(self) -> Iterator[Loan]:
        for market in self._markets():
            yield from market.adapter.lenders(market.book)

    def _prices(self, market: Market) -> Prices:
        others = (
            other.adapter.assets(other.book)
            for other in self._markets()
            if other is not market and other.surveyed is not None
        )
        return complete(market.adapter.assets(market.book), self._policy.profit_token, others, self._liquidity())

    # said ----------------------------------------------------------------------------------------------------------

    def _tell(self, packed: Packed, steps: Mapping[str, float]) -> None:
        for skip in packed.skips:
            before = self.watch.skips.get(skip.who)
            self.watch.skips[skip.who] = skip
            if before is None or before.reason is not skip.reason:
                log.info(
                    "opportunity.skipped", market=skip.market, account=skip.account, reason=skip.reason.value,
                    term=skip.term,
                )  # fmt: skip
                if skip.reason is Reason.ORACLE_DIVERGENCE:
                    log.warning("oracle.divergence", account=skip.account, term=skip.term)
        for plan in packed.plans:
            self.planned += 1
            for leg in plan.legs:
                self.watch.skips.pop(leg.who, None)
            log.info(
                "opportunity.planned", opportunity_id=plan.opportunity_id, legs=len(plan.legs), net=plan.estimate.net,
                gross_bonus=plan.estimate.gross_bonus, gas=plan.estimate.gas, bid=plan.estimate.bid,
                steps_s={name: round(seconds, 6) for name, seconds in steps.items()},
            )  # fmt: skip
