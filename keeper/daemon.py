"""The composition root: builds the parts from the configuration, and the only place that knows which they are.

Laws
- ``Keeper`` is the whole keeper as one value with a beginning and an end; run, dry run and demo differ only in the
  settings they hand it. There is no ``if dry_run``.
- Nothing is sent without a signer, an executor and a relay: then keeper reads only, and says so.
"""

import gc
import time
from collections.abc import Callable, Coroutine, Iterator, Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, replace
from types import TracebackType
from typing import Final, Self

import aiohttp

from keeper.books import endpoints, lock, markets, require_chain
from keeper.chain.heads import Heads
from keeper.contracts.encode import encode_plan
from keeper.core.events import Block
from keeper.core.outlook import Liquidated
from keeper.core.submissions import Channel
from keeper.core.units import BPS, WAD, ZERO_ADDRESS, Address, Bps, Timestamp, Wad, Wei
from keeper.errors import ConfigError, StateCorrupt
from keeper.estimator.bid import BidPolicy
from keeper.estimator.pack import Packed
from keeper.estimator.risk import LossCaps
from keeper.estimator.world import Policy
from keeper.executor.attempt import Attempt, Pace
from keeper.executor.executor import Executor, Setup
from keeper.executor.fanout import Fanout
from keeper.executor.outside import Outside
from keeper.executor.relays.registry import channels, failures_cost
from keeper.executor.relays.transport import Transport
from keeper.executor.signer import Signer
from keeper.foresight import Foresight
from keeper.gate import Gate, Halts, Limits
from keeper.hands import contract_of, hands_of, outside_of, relays_of
from keeper.indexer.indexer import Indexer
from keeper.indexer.live import Live
from keeper.indexer.market import Market
from keeper.indexer.pools import PoolFeed
from keeper.knowledge import Knowledge, channel, fee_rule
from keeper.log import get_logger
from keeper.pending import Hints, Mempool
from keeper.pipeline import Pipeline
from keeper.reflex import warm
from keeper.settings import Settings
from keeper.store.endings import Endings
from keeper.store.journal import Journal
from keeper.store.store import Store
from keeper.venues.book import VenueBook
from keeper.venues.registry import VENUES
from keeper.venues.route.search import Routing

WARM: Final = 0.002  # seconds between two passes over the hot path

log = get_logger()


@dataclass(frozen=True, slots=True)
class Moment:
    """What came of one block."""

    block: Block
    packed: Packed
    attempts: Sequence[Attempt]
    halts: Halts
    steps: Mapping[str, float]  # seconds


class Keeper:
    """All parts of a running keeper. ``halted``: what stops sending from outside; ``meter``: looks at channels."""

    def __init__(
        self,
        settings: Settings,
        signer: Signer | None = None,
        *,
        read_only: bool = False,
        halted: Callable[[], Halts] = dict,
        meter: Callable[[Channel], Channel] = lambda channel: channel,
    ) -> None:
        self.settings = settings
        self.limits = Limits(loss_caps(settings), reverts_cost=failures_cost(relays_of(settings)))
        self.listeners: list[Callable[[Moment], None]] = []
        self.gate: Gate | None = None
        self._signer, self._read_only, self._halted, self._meter = signer, read_only, halted, meter
        self.timed: list[Callable[[Mapping[str, float]], None]] = []  # told how long steps took outside of blocks
        self._restored = self._stopping = self._frozen = False
        self._journal: Journal | None = None
        self._closing = AsyncExitStack()

    async def __aenter__(self) -> Self:
        async with AsyncExitStack() as opening:
            await self._build(opening)
            self._closing = opening.pop_all()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None
    ) -> None:
        await self._closing.aclose()

    async def _build(self, opening: AsyncExitStack) -> None:
        settings = self.settings
        if not opening.enter_context(lock(settings.store.path)):
            raise StateCorrupt(f"{settings.store.path} is moved by another keeper: stop it, or set store.path")
        self.pool = await opening.enter_async_context(endpoints(settings, following=True))
        await require_chain(self.pool, settings.chain.id)
        self.store = Store(settings.store.path, settings.chain.id, settings.store.undo_blocks)
        opening.callback(self.store.close)
        self.indexer = Indexer(self.pool, self.store, markets(settings))
        self.heads = await opening.enter_async_context(
            Heads(self.pool, settings.chain.ws, chain_id=settings.chain.id, block_time=settings.chain.block_time)
        )
        self.pools: PoolFeed | None = None
        self.knowledge = Knowledge(
            settings,
            self.pool,
            markets=lambda: self.indexer.markets,
            liquidity=lambda: self._venues().book.liquidity,
            contract=contract_of(settings) if settings.executor.address and settings.chain.wrapped_native else None,
        )
        self.executor = None if self._read_only else await self._hands(opening)
        if self.executor is not None:
            self.gate = Gate(self.executor, self.limits, self._halted, lambda: self.pipeline.steps)
            self.executor.listeners.append(self.knowledge.changed)
            self.knowledge.restore(self.journal())
        self.pipeline = Pipeline(
            markets=lambda: self.indexer.markets,
            liquidity=lambda: self._venues().book.liquidity,
            policy=policy(settings),
            elsewhere=await self._outside(opening),
            known=lambda: replace(
                self.knowledge.known(), risk=self.limits.risk(self.gate.in_flight if self.gate else 0)
            ),
            sender=self.gate,
            block_time=settings.chain.block_time,
        )
        self.knowledge.recall(Endings(self.store))
        self.indexer.hearers.append(self._outdone)
        self.foresight = self._foreseeing() if settings.pending.wanted else None
        if self.foresight is not None:
            opening.push_async_callback(self.foresight.close)
        self.live = self._following()

    def _outdone(self, market: Market, told: Sequence[Liquidated]) -> None:
        """Liquidations of a block: those that are not ours teach when others act."""
        ours = self.settings.executor.address
        endings = self.pipeline.rivalry.endings(market.adapter.market, told, None if ours is None else Address(ours))
        self.knowledge.outdone(endings)

    def _foreseeing(self) -> Foresight:
        """Who hears of prices before they are on chain."""
        if self.settings.pending.mempool and not self.settings.chain.ws:
            raise ConfigError("pending.mempool: pending transactions are told by a websocket; add one to chain.ws")
        contract = contract_of(self.settings) if self.gate is not None else None
        return Foresight(
            markets=lambda: self.indexer.markets,
            lookout=self.pipeline.lookout,
            encode=lambda plan: encode_plan(plan, contract) if contract is not None else b"",
            sender=self.gate,
            heard=self._took,
        )

    def _took(self, steps: Mapping[str, float]) -> None:
        for listener in self.timed:
            listener(steps)

    def sources(self) -> Mapping[str, Callable[[], Coroutine[None, None, None]]]:
        """What has to run for foresight, by name."""
        settings, foresight = self.settings, self.foresight
        if foresight is None:
            return {}
        found: dict[str, Callable[[], Coroutine[None, None, None]]] = {
            f"hints {number}": Hints(str(url), foresight.hear).run
            for number, url in enumerate(settings.pending.hints, start=1)
        }
        if settings.pending.mempool:
            found["mempool"] = Mempool(settings.chain.ws, settings.chain.id, self.pool, foresight.hear).run
        return found | {"warmth": lambda: warm(foresight.rehearse, WARM)}

    def _following(self) -> Live:
        settings = self.settings
        return Live(
            self.indexer,
            aiter(self.heads),
            audit_every=settings.ops.audit_every,
            audit_sample=settings.ops.audit_sample,
            then=self._on_block,
        )

    async def _outside(self, opening: AsyncExitStack) -> Outside | None:
        """Quoters, where there are any."""
        if not self.settings.quoters:
            return None
        session = await opening.enter_async_context(aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar()))
        return outside_of(self.settings, session)

    async def _hands(self, opening: AsyncExitStack) -> Executor | None:
        """The executor, when there is everything that sending takes."""
        transport = await opening.enter_async_context(Transport())
        hands = hands_of(self.settings, transport, self._signer)
        if hands is None:
            return None
        settings = self.settings
        sent = channels(
            hands.relays, transport, hands.identity, hands.signer.addresses, allow_public=settings.policy.allow_public
        )
        self._journal = journal = Journal(settings.store.path, settings.chain.id)
        opening.callback(journal.close)
        return Executor(
            node=self.pool,
            signer=hands.signer,
            fanout=Fanout([self._meter(channel) for channel in sent]),
            journal=journal,
            setup=Setup(
                chain_id=settings.chain.id,
                contract=hands.contract,
                pace=Pace(
                    window=settings.policy.window,
                    block_time=settings.chain.block_time,
                    fee_rule=fee_rule(settings),
                ),
                minimum=settings.risk.min_balance,
            ),
        )

    def journal(self) -> Journal:
        """The journal, to be read."""
        if self._journal is None:
            raise ConfigError("nothing is sent, so there is no journal")
        return self._journal

    @property
    def sends(self) -> bool:
        """Whether anything can be sent at all."""
        return self.executor is not None

    async def run(self) -> None:
        """Follow the chain until cancelled. May be called anew after it failed."""
        before, self.live = self.live, self._following()
        self.live.drifts = before.drifts
        await self.live.run()

    def retune(self, settings: Settings) -> None:
        """Other policy and risk limits, from the next block on."""
        self.settings = settings
        self.limits.caps = loss_caps(settings)
        self.pipeline.retune(policy(settings))
        self.knowledge.retune(settings)

    async def drain(self, deadline: float) -> bool:
        """No new decisions; ask back what is out and wait until the chain has decided. False: out of time."""
        self._stopping = True
        return self.executor is None or await self.executor.drain(deadline)

    async def checkpoint(self) -> None:
        """Keep a copy of the books. Only once ``run`` has ended."""
        if self.indexer.tip is not None:
            await self.indexer.checkpoint()

    async def _on_block(self, block: Block) -> None:
        """What follows from a block: pools to the same block, then decisions."""
        if self._stopping or not block.gas_limit:  # of some blocks only name and time are known: none to decide on
            return
        if self._journal is not None and not self._restored:
            self.limits.restore(self._journal, block, self.settings.chain.block_time)
            self._restored = True
        self.limits.at(block)
        if self.foresight is not None:
            self.foresight.begin()
        started = time.perf_counter()
        await self._venues().advance(self.indexer.tail, self._tokens())
        pools = time.perf_counter() - started
        await self.knowledge.advance(block)
        packed = await self.pipeline.on_block(block)
        attempts, halts = (self.gate.attempts, self.gate.halts) if self.gate else ((), {})
        self.knowledge.simulated(attempts)
        moment = Moment(block, packed, attempts, halts, {"pools": pools, **self.pipeline.steps})
        for listener in self.listeners:
            listener(moment)
        if self.foresight is not None:
            self.foresight.settle(block, self.pipeline.world(self.pipeline.target(block)))
        self._freeze()
        await self.knowledge.try_tokens(block)

    def _tokens(self) -> Sequence[Address]:
        """Everything that may have to be sold or bought."""
        at = self.indexer.tip.timestamp if self.indexer.tip else Timestamp(0)
        return [token for market in self.indexer.markets for token in _traded(market, at)]

    def _freeze(self) -> None:
        """What a start leaves stays: the collector need not walk through it for ever."""
        if not self._frozen:
            self._frozen = True
            gc.collect()
            gc.freeze()

    def _venues(self) -> PoolFeed:
        """Pools of all assets of all markets, known once the markets were surveyed."""
        if self.pools is None:
            venues = [VENUES[venue.kind](Address(venue.address)) for venue in self.settings.venues]
            self.pools = PoolFeed(self.pool, VenueBook(venues, self._tokens()))
        return self.pools


def _traded(market: Market, at: Timestamp) -> Iterator[Address]:
    """What of a market pools may buy and sell: receipts go back to the market itself."""
    receipts = {receipt.token for receipt in market.adapter.receipts(market.book, at)}
    yield from (asset for asset in market.adapter.assets(market.book) if asset not in receipts)


def policy(settings: Settings) -> Policy:
    """What the operator wants, as the estimator asks for it."""
    native = Address(settings.chain.wrapped_native or ZERO_ADDRESS)
    wanted, risk = settings.policy, settings.risk
    return Policy(
        profit_token=native,
        routing=Routing(hubs=(native,)),
        bid=BidPolicy(
            floor=wanted.bid_floor,
            min_profit=wanted.min_profit,
            gamma=wanted.deterrence,
            bidders=wanted.bidders,
            tip=wanted.tip,
        ),
        channel=channel(settings),
        shared=wanted.bid_with == "share",
        min_profit_bps=wanted.min_profit_share,
        slippage=wanted.slippage,
        window=wanted.window,
        max_base_fee=wanted.max_base_fee,
        block_gas=Bps(BPS if failures_cost(relays_of(settings)) else 3 * BPS),  # what does not fit is next in line
        haircut_z=risk.haircut,
        hold=risk.hold,
        sigma=Wad(risk.volatility * WAD // BPS),
        oracle_grace=risk.oracle_grace,
        sequencer_grace=risk.sequencer_grace,
        divergence=risk.divergence,
        manipulation=risk.manipulation,
        patience=wanted.patience,
    )


def loss_caps(settings: Settings) -> LossCaps:
    """The most that may be lost."""
    risk = settings.risk
    return LossCaps(Wei(risk.loss_per_hour), Wei(risk.loss_per_day), Wei(risk.loss_per_asset_day))


def unknown_venues(settings: Settings) -> Sequence[str]:
    """Configured kinds that nobody knows."""
    return [venue.kind for venue in settings.venues if venue.kind not in VENUES]
