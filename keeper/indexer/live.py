"""Following the chain for months: one step for each new head, whatever the endpoints do.

Laws
- A failed step changes nothing: books and state file stay at the last whole block, and the step is tried again.
- Not ready means not ready: no head reached, or no step succeeded since the last failure.
- Every so often a sample of accounts is compared with the chain's own view; a drift is logged, counted and repaired.
"""

import asyncio
import random
from collections.abc import AsyncIterator, Awaitable, Callable

from keeper.core.events import Block
from keeper.core.ports import Quarantine
from keeper.core.units import Address
from keeper.errors import EndpointsUnavailable, RpcError, StateUnwritable
from keeper.indexer.audit import Drift, audit, live_rows, repair
from keeper.indexer.indexer import Indexer
from keeper.indexer.market import Market
from keeper.log import get_logger

log = get_logger()
Then = Callable[[Block], Awaitable[object]]
PAUSE = 0.2  # seconds before a failed step is tried again; doubles up to ten times that


class Live:
    """The indexer's task in the daemon."""

    def __init__(
        self,
        indexer: Indexer,
        heads: AsyncIterator[Block],
        *,
        audit_every: int,
        audit_sample: int,
        then: Then | None = None,
    ) -> None:
        self.indexer = indexer
        self.ready = False
        self.trouble = ""  # what ended the last step; empty: it went well
        self.drifts = 0
        self.failures = 0
        self._heads = heads
        self._then = then
        self._audit_every = audit_every
        self._audit_sample = audit_sample
        self._audited = 0
        self._suspects: dict[int, set[Address]] = {}  # by market: who differed from the chain at the last block
        self._draw = random.SystemRandom()

    async def run(self) -> None:
        """Step at once and then at every head, until cancelled."""
        await self.step()
        async for _ in self._heads:
            await self.step()

    async def step(self) -> Block:
        """Reach the head, however often that takes."""
        pause = PAUSE
        while True:
            try:
                block = await self.indexer.advance()
                if self._then is not None:
                    await self._then(block)
                await self._look_after(block)
            except (RpcError, EndpointsUnavailable, StateUnwritable) as error:
                self.ready, self.trouble = False, str(error)
                self.failures += 1
                log.warning("indexer.interrupted", error=str(error), retry_s=pause)
                await asyncio.sleep(pause * self._draw.uniform(0.5, 1.0))
                pause = min(pause * 2, PAUSE * 10)
            else:
                self.ready, self.trouble = True, ""
                return block

    async def _look_after(self, block: Block) -> None:
        finalised = await self.indexer.chain.finalized()
        await self.indexer.checkpoint_if_due(finalised.number if finalised else 0)
        due = bool(self._audit_every) and block.number - self._audited >= self._audit_every
        if due:
            self._audited = block.number
        for market in self.indexer.markets:
            await self._settle(market, block)
            if due:
                await self._sample(market, block)

    async def _sample(self, market: Market, block: Block) -> None:
        """Compare some accounts; whoever differs is looked at again at the next block."""
        rows = live_rows(market.book)
        sample = self._draw.sample(rows, min(self._audit_sample, len(rows)))
        drifts = await audit(self.indexer.chain, market, sample, block)
        self._suspects.setdefault(market.id, set()).update(drift.account for drift in drifts)

    async def _settle(self, market: Market, block: Block) -> None:
        """Take from the chain what differs at a second block too; what was taken is looked at again.

        A node that is taking in the next block may answer with a mixture of both: believed is what two blocks say.
        """
        suspects = self._suspects.pop(market.id, set())
        rows = [row for account in sorted(suspects) if (row := market.book.row(account)) is not None]
        drifts = await audit(self.indexer.chain, market, rows, block) if rows else []
        for drift in drifts:
            _tell(drift, block)
        if drifts:
            self.drifts += len(drifts)
            self._suspects[market.id] = {drift.account for drift in drifts}
            await repair(self.indexer.chain, market, [drift.row for drift in drifts], block)


def _tell(drift: Drift, block: Block) -> None:
    """One line for each field that differs."""
    mine, chain = drift.ours, drift.chain
    if isinstance(mine, Quarantine) or isinstance(chain, Quarantine):
        log.error(
            "indexer.drift", market=drift.market, account=drift.account, block=block.number, field="known",
            book=int(not isinstance(mine, Quarantine)), chain=int(not isinstance(chain, Quarantine)),
        )  # fmt: skip
        return
    for field in ("health_factor", "collateral", "debt"):
        ours, theirs = getattr(mine, field), getattr(chain, field)
        if ours != theirs:
            log.error(
                "indexer.drift", market=drift.market, account=drift.account, block=block.number, field=field,
                book=ours, chain=theirs,
            )  # fmt: skip
