"""Prices that are not on chain yet: what they would do is decided at once, and sent to land right behind them.

Story: ``hear`` of an answer → which prices follow → who flips, on the books as they are → plans, most of them ready →
simulated, signed and handed over behind the transaction that brings the answer. Between blocks plans are prepared.

Laws
- Books, screens and the world of decisions are those of one block. While a block is being applied nothing is decided:
  what is heard waits, the newest answer of each feed, until the block's own decisions are done.
- An announcement is heard once. What is remembered is bounded.
- The loop is never held for longer than it takes to read an account; where others plan, it soon has its turn.
"""

import asyncio
import sys
import time
from collections import OrderedDict
from collections.abc import Callable, Coroutine, Mapping, Sequence
from typing import Final, Protocol

from keeper.core.events import Block
from keeper.core.foretold import Foretold, Trigger
from keeper.core.margin import Foreseen
from keeper.core.margin import Foresight as Foreseeing
from keeper.core.plans import Plan
from keeper.core.units import Hash
from keeper.estimator.world import World
from keeper.executor.attempt import Attempt, Behind
from keeper.indexer.market import Market
from keeper.log import get_logger
from keeper.lookout import Lookout
from keeper.reflex import Reaction, Reflex

REMEMBERED: Final = 1_024  # announcements
WAITING: Final = 256  # feeds
PREPARING: Final = 3.0  # seconds a block
SWITCH: Final = 0.0005  # seconds after which a thread that plans makes way for the loop

log = get_logger()


class Follower(Protocol):
    """What foresight needs of the executor."""

    async def follow(
        self, plans: Sequence[Plan], head: Block, behind: Behind, steps: Mapping[str, float]
    ) -> Sequence[Attempt]: ...
    async def presign(self, plans: Sequence[Plan], head: Block) -> int: ...


class Foresight:
    """Answers before they are on chain."""

    def __init__(
        self,
        *,
        markets: Callable[[], Sequence[Market]],
        lookout: Lookout,
        encode: Callable[[Plan], bytes],
        sender: Follower | None,
        heard: Callable[[Mapping[str, float]], None],
    ) -> None:
        """``heard`` is told the seconds that each step took, for every answer that flips somebody."""
        self.reflex = Reflex(encode)
        self.flips = 0
        sys.setswitchinterval(SWITCH)
        self._markets, self._lookout, self._sender, self._heard = markets, lookout, sender, heard
        self._moment: tuple[Block, World] | None = None
        self._known: OrderedDict[Hash, None] = OrderedDict()
        self._waiting: dict[str, tuple[Foretold, Trigger]] = {}
        self._preparing: asyncio.Task[None] | None = None
        self._sending: set[asyncio.Task[None]] = set()

    # blocks --------------------------------------------------------------------------------------------------------

    def begin(self) -> None:
        """A block is about to be decided on."""
        self._moment = None
        if self._preparing is not None:
            self._preparing.cancel()
            self._preparing = None

    def settle(self, head: Block, world: World) -> None:
        """Its decisions are done: what waited is heard now, and the next answers are prepared for."""
        self._moment = (head, world)
        waiting, self._waiting = self._waiting, {}
        for told, trigger in waiting.values():
            self._decide(told, trigger)
        self._preparing = asyncio.create_task(self._prepare(head, world))

    async def close(self) -> None:
        """End what is under way."""
        self.begin()
        if self._sending:
            await asyncio.wait(self._sending)

    async def _prepare(self, head: Block, world: World) -> None:
        posts = [(market, self._lookout.post(market)) for market in self._markets() if market.surveyed is not None]
        await self.reflex.prepare(posts, world, PREPARING)
        if self._sender is not None:
            await self._sender.presign(self.reflex.plans, head)

    def rehearse(self) -> None:
        """React to prices as they are: nobody flips, and the path stays warm."""
        if self._moment is None or not self._still():
            return
        _, world = self._moment
        for market in self._markets():
            post = self._lookout.post(market) if market.surveyed is not None else None
            if post is not None and post.now is not None and (asset := next(iter(post.now.assets.numbers), None)):
                self.reflex.react(market, post, {asset: post.now.prices.get(asset, 0)}, world)

    # answers -------------------------------------------------------------------------------------------------------

    def hear(self, told: Foretold, trigger: Trigger) -> None:
        """A transaction that is not on chain yet brings this answer."""
        if trigger.name in self._known:
            return
        self._known[trigger.name] = None
        if len(self._known) > REMEMBERED:
            self._known.popitem(last=False)
        if self._moment is not None and self._still():
            self._decide(told, trigger)
        elif len(self._waiting) < WAITING or told.feed in self._waiting:
            self._waiting[told.feed] = (told, trigger)

    def _still(self) -> bool:
        return all(market.book.still for market in self._markets() if market.surveyed is not None)

    def _decide(self, told: Foretold, trigger: Trigger) -> None:
        """On the spot: from the answer to plans; what follows is the network's time."""
        started = time.perf_counter()
        for market in self._markets():
            adapter = market.adapter
            if self._moment is None or market.surveyed is None or not isinstance(adapter, Foreseeing):
                continue
            head, world = self._moment
            seen: Sequence[Foreseen] = adapter.foreseen(market.book, told.feed, told.answer)
            if not seen:
                continue
            prices = {one.asset: one.price for one in seen}
            reaction = self.reflex.react(market, self._lookout.post(market), prices, world)
            steps = {"foresee": time.perf_counter() - started - sum(reaction.steps.values()), **reaction.steps}
            if reaction.rows:
                self._flipped(market, told, trigger, reaction)
                self._heard(steps)
            if reaction.packed.plans and self._sender is not None:
                behind = Behind(trigger, {one.source: one.price for one in seen})
                self._send(self._follow(self._sender, reaction.packed.plans, head, behind, steps))

    def _flipped(self, market: Market, told: Foretold, trigger: Trigger, reaction: Reaction) -> None:
        self.flips += len(reaction.rows)
        packed = reaction.packed
        log.info(
            "oracle.foretold", market=market.adapter.market, feed=told.feed, answer=told.answer, tx=trigger.name,
            flips=len(reaction.rows), plans=len(packed.plans), ready=len(reaction.ready),
            steps_s={name: round(seconds, 6) for name, seconds in reaction.steps.items()},
        )  # fmt: skip
        for skip in packed.skips:
            log.info(
                "opportunity.skipped", market=skip.market, account=skip.account, reason=skip.reason.value,
                term=skip.term,
            )  # fmt: skip
        for plan in packed.plans:
            log.info(
                "opportunity.planned", opportunity_id=plan.opportunity_id, legs=len(plan.legs), net=plan.estimate.net,
                gross_bonus=plan.estimate.gross_bonus, gas=plan.estimate.gas, bid=plan.estimate.bid,
                steps_s={name: round(seconds, 6) for name, seconds in reaction.steps.items()},
            )  # fmt: skip

    async def _follow(
        self, sender: Follower, plans: Sequence[Plan], head: Block, behind: Behind, steps: Mapping[str, float]
    ) -> None:
        await sender.follow(plans, head, behind, steps)

    def _send(self, work: Coroutine[None, None, None]) -> None:
        task = asyncio.create_task(work)
        self._sending.add(task)
        task.add_done_callback(self._sending.discard)
