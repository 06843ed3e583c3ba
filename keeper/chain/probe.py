"""Looking at every endpoint, to know who can be asked.

Law: one look at a time, all endpoints at once, one verdict each. A look asks and remembers; ``health.judge`` decides.
"""

import asyncio
import time
from collections.abc import Sequence

from keeper.chain import reads
from keeper.chain.endpoint import Endpoint
from keeper.chain.health import Fault, Rules, Sighting, common_anchor, expected_chain, judge
from keeper.chain.race import cancelled
from keeper.chain.roster import Roster
from keeper.core.events import Block
from keeper.core.units import BlockNumber, Hash
from keeper.errors import RpcError


class Prober:
    """Judges the endpoints of a roster, once or for ever."""

    def __init__(self, roster: Roster, rules: Rules) -> None:
        self.newest: Block | None = None  # the highest head of those that are well
        self._roster = roster
        self._rules = rules
        self._heads: dict[str, tuple[Hash, float]] = {}  # by endpoint: its head, and since when
        self._trusted: dict[BlockNumber, Hash] = {}  # the newest finalised block that was agreed on
        self._look: asyncio.Task[None] | None = None
        self._watch: asyncio.Task[None] | None = None

    def trust(self, block: Block) -> None:
        """A finalised block that is known to be right: who contradicts it is set aside."""
        self._trusted = {block.number: block.hash}

    def watch(self, seconds: float) -> None:
        """Probe in the background from now on."""
        self._watch = asyncio.create_task(self._watching(seconds))

    async def close(self) -> None:
        await cancelled([task for task in (self._watch, self._look) if task is not None])

    def sound(self) -> None:
        """Raise what ended the background task: nobody looks any more."""
        if self._watch is not None and self._watch.done() and not self._watch.cancelled():
            self._watch.result()

    async def probe(self) -> None:
        """Judge everyone now. Whoever asks during a look shares it."""
        if self._look is None or self._look.done():
            self._look = asyncio.create_task(self._judge_all())
        await asyncio.shield(self._look)

    async def _watching(self, seconds: float) -> None:
        while True:
            await asyncio.sleep(seconds)
            await self.probe()

    async def _judge_all(self) -> None:
        now = time.monotonic()
        endpoints = [
            each for each in self._roster.endpoints if not each.record.resting(now)
        ]  # who rests keeps its fault
        first = await asyncio.gather(*(self._sight(each) for each in endpoints))
        common = common_anchor(first, expected_chain(first, self._rules))
        numbers = sorted(self._trusted if common is None else {*self._trusted, common})
        pairs = zip(endpoints, first, strict=True)
        seen = await asyncio.gather(*(self._anchor(each, sighting, numbers) for each, sighting in pairs))
        verdicts = judge(seen, self._rules, self._trusted)
        self._remember(endpoints, seen, verdicts, common)
        self._roster.judged(endpoints, verdicts)

    async def _sight(self, endpoint: Endpoint) -> Sighting | None:
        """Chain, head, finality, and for how long the head has stood still."""
        try:
            chain_id, head, finalized = await reads.introduction(endpoint)
        except RpcError:
            endpoint.record.failed()
            return None
        now = time.monotonic()
        known, since = self._heads.get(endpoint.name, (None, now))
        since = since if known == head.hash else now
        self._heads[endpoint.name] = (head.hash, since)
        return Sighting(chain_id, head, finalized, at=now, same_head_for=now - since)

    async def _anchor(
        self, endpoint: Endpoint, seen: Sighting | None, numbers: Sequence[BlockNumber]
    ) -> Sighting | None:
        """Add what the endpoint says of the blocks by which endpoints are compared."""
        if seen is None or not numbers:
            return seen
        if seen.finalized is not None and list(numbers) == [seen.finalized.number]:
            return seen.anchored({seen.finalized.number: seen.finalized.hash})
        try:
            return seen.anchored(await reads.hashes(endpoint, numbers))
        except RpcError:
            endpoint.record.failed()
            return None

    def _remember(
        self,
        endpoints: Sequence[Endpoint],
        seen: Sequence[Sighting | None],
        verdicts: Sequence[Fault | None],
        common: BlockNumber | None,
    ) -> None:
        """Keep the newest finalised hash of those that are well, and everyone's lag for the score."""
        well = [sighting for sighting, fault in zip(seen, verdicts, strict=True) if sighting and fault is None]
        self.newest = max((sighting.head for sighting in well), key=lambda head: head.number, default=self.newest)
        best = self.newest.number if self.newest else 0
        for endpoint, sighting in zip(endpoints, seen, strict=True):
            endpoint.record.lag = max(0, best - sighting.head.number) if sighting else 0
        hashes = [sighting.anchors[common] for sighting in well if common is not None and common in sighting.anchors]
        if common is not None and hashes and common > max(self._trusted, default=-1):
            self._trusted = {common: hashes[0]}
