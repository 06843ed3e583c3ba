"""One play: the daemon's keeper on the fork, block by block, until there is nothing left to do.

Laws
- Blocks are mined between steps, never during one: the same fork and the same shocks always end the same.
- What was predicted and did not come is a failure with its reason: a simulation that failed, or a revert.
"""

import asyncio
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Final

import msgspec

from keeper.commands.amounts import Amounts, amounts
from keeper.core.events import Log
from keeper.core.journal import OPEN
from keeper.core.ports import Quarantine
from keeper.core.refusals import Reason, Skip
from keeper.core.units import Address, Who
from keeper.daemon import Keeper, Moment
from keeper.dryrun.stage import Stage
from keeper.errors import EndpointsUnavailable
from keeper.reports.run_report import Liquidated, RunReport, landed, liquidated

MOST_BLOCKS: Final = 64
STEP_WITHIN: Final = 600.0  # seconds
NO_TURN: Final = ("executor.no_account", "executor.in_flight", "executor.known", "expired")  # nothing was tried

Answers = Callable[[Keeper], Mapping[Address, int]]


@dataclass(frozen=True, slots=True)
class Failure:
    """A liquidation that was predicted to pay and did not come about."""

    accounts: tuple[Address, ...]
    block: int
    reason: str
    detail: str


@dataclass(frozen=True, slots=True)
class Result:
    """What came of a play. ``health``: (market, account, block) → health factor before and after."""

    report: RunReport
    failures: tuple[Failure, ...]
    health: Mapping[tuple[Address, Address, int], tuple[int | None, int | None]]
    amounts: Amounts

    def record(self) -> Mapping[str, object]:
        """The report file: design §5's fields, and health and failures beside them."""
        return {
            **self.report.record(),
            "liquidations": [self.line(one) for one in self.report.liquidations],
            "failures": [asdict(one) for one in self.failures],
        }

    def line(self, one: Liquidated) -> Mapping[str, object]:
        """One liquidation."""
        before, after = self.health.get((one.market, one.account, one.block), (None, None))
        return {**asdict(one), "health_before": before, "health_after": after}


async def play(stage: Stage, answers: Answers, blocks: int | None, among: Collection[Who] | None = None) -> Result:
    """Index, shock, and let the keeper work; ``among``: these accounts only."""
    async with Keeper(stage.settings, stage.signer) as keeper:
        keeper.pipeline.among = among
        keeper.indexer.rewind(stage.fork.base)
        await keeper.indexer.advance()
        return await _Play(stage, keeper).run(answers(keeper), blocks)


@dataclass
class _Play:
    stage: Stage
    keeper: Keeper
    failures: list[Failure] = field(default_factory=list)
    failed: set[Who] = field(default_factory=set)
    before: dict[tuple[Address, Address, int], int | None] = field(default_factory=dict)
    after: dict[tuple[Address, Address, int], int | None] = field(default_factory=dict)

    async def run(self, answers: Mapping[Address, int], blocks: int | None) -> Result:
        self.keeper.listeners.append(self._on_block)
        shock_block = None
        if answers:
            self.stage.fork.answer(answers)
            shock_block = self.stage.fork.mine()
        for _ in range(MOST_BLOCKS if blocks is None else blocks):
            await self._step()
            if blocks is None and not self._busy():
                break
            self.stage.fork.mine()
        else:
            await self._step()
        return await self._result(shock_block)

    async def _step(self) -> None:
        try:
            async with asyncio.timeout(STEP_WITHIN):
                await self.keeper.live.step()
        except TimeoutError as error:
            raise EndpointsUnavailable(f"the fork did not bear a block within {STEP_WITHIN:.0f} s") from error

    def _busy(self) -> bool:
        executor = self.keeper.executor
        return executor is not None and any(entry.state in OPEN for entry in executor.entries)

    # what is seen --------------------------------------------------------------------------------------------------

    def _on_block(self, moment: Moment) -> None:
        number = moment.block.number
        for market, account, block in self.before:
            if block == number:
                self.after[market, account, block] = self._factor(market, account)
        for plan in moment.packed.plans:
            for leg in plan.legs:
                self.before[leg.market, leg.account, number + 1] = self._factor(leg.market, leg.account)
        for attempt in moment.attempts:
            refusal = attempt.refusal
            if refusal is None or attempt.targets or attempt.plan is None or refusal.reason in NO_TURN:
                continue
            accounts = tuple(leg.account for leg in attempt.plan.legs)
            self.failures.append(Failure(accounts, number + 1, refusal.reason, refusal.detail))
            self.failed |= {leg.who for leg in attempt.plan.legs}

    def _factor(self, callee: Address, account: Address) -> int | None:
        tip = self.keeper.indexer.tip
        for market in self.keeper.indexer.markets:
            row = market.book.row(account)
            if callee in self.stage.callees[market.adapter.market] and row is not None and tip is not None:
                health = market.adapter.health(market.book, row, tip.timestamp)
                return None if isinstance(health, Quarantine) else health.health_factor
        return None

    # what came of it -----------------------------------------------------------------------------------------------

    async def _result(self, shock_block: int | None) -> Result:
        done: list[Liquidated] = []
        contract = Address(self.stage.settings.executor.address or "")
        reverted = 0
        for entry, line in landed(self.keeper.journal()):
            receipt = await self.keeper.pool.request("eth_getTransactionReceipt", (line.tx,))
            if receipt["status"] == "0x1":
                done.extend(liquidated(entry, line, _logs(receipt), contract))
                continue
            reverted += 1
            accounts = tuple(sorted(account for _, account in entry.accounts))
            self.failures.append(Failure(accounts, line.block, "reverted", line.tx))
            self.failed |= entry.accounts
        done.sort(key=lambda one: one.block)
        skips = tuple(sorted(self._refused(), key=lambda skip: (skip.account, skip.market)))
        health = {key: (factor, self.after.get(key)) for key, factor in self.before.items()}
        report = RunReport(tuple(done), skips, reverted, 0, shock_block)
        named = await amounts(self.keeper.pool, await self.keeper.pool.head(), report.assets)
        return Result(report, tuple(self.failures), health, named)

    def _refused(self) -> Iterator[Skip]:
        """Everybody who is still liquidatable: with the keeper's own reason, or with what kept a plan from landing."""
        watch, gate = self.keeper.pipeline.watch, self.keeper.gate
        yield from watch.skips.values()
        term = "planned, and the blocks came to an end before its turn"
        if gate is not None and gate.halts:
            term = ", ".join(f"{name}: {why}" for name, why in gate.halts.items())
        for market, account in watch.unhealthy - watch.skips.keys() - self.failed:
            yield Skip(account, Reason.NOT_SENT, term, market)


def together(results: Iterable[Result]) -> Result:
    """Several plays as one; of skips, each account's own."""
    every = list(results)
    report = RunReport(
        tuple(one for result in every for one in result.report.liquidations),
        tuple(skip for result in every for skip in result.report.skips),
        sum(result.report.reverted for result in every),
        0,
        next((result.report.shock_block for result in every), None),
    )
    failures = tuple(failure for result in every for failure in result.failures)
    health = {key: pair for result in every for key, pair in result.health.items()}
    names = {asset: name for result in every for asset, name in result.amounts.names.items()}
    decimals = {asset: number for result in every for asset, number in result.amounts.decimals.items()}
    return Result(report, failures, health, Amounts(names, decimals))


def _logs(receipt: Mapping[str, Any]) -> list[Log]:
    return msgspec.convert(receipt["logs"], list[Log], strict=False)
