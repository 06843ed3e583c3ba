"""A stand-in private relay in front of a local node: builders, slots, and everything that goes wrong with them.

Law: nothing is mined but what a slot planned, and what was mined equals the plan. A bundle lands in the block it names,
whole and in order, or not at all; who wins the slot is drawn from a seed; what became public is recorded. The node must
be an anvil started with ``--no-mining --order fifo``.

    async with StandInRelay(anvil.url) as relay:
        channel → relay.url        # bundles: the first builder; relay.urls[name] for the others
        keeper  → relay.rpc, relay.ws
        slot = await relay.slot()  # one block
"""

import asyncio
import random
from collections import deque
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from types import TracebackType
from typing import Final, Literal, Self, TypeAlias

from aiohttp import web
from eth_utils.crypto import keccak

from keeper.core.units import Address, BlockNumber, Hash
from keeper.devnet.relay_block import BlockBuilder, BlockPlan, Placed
from keeper.devnet.relay_book import Bundle
from keeper.devnet.relay_desk import Desk
from keeper.devnet.relay_doors import Doors
from keeper.devnet.relay_faults import Fault, Faults
from keeper.devnet.relay_mine import REORGED, Miner
from keeper.devnet.relay_node import Node
from keeper.devnet.relay_public import PublicPool, Source
from keeper.devnet.relay_requests import bundle_hash
from keeper.devnet.relay_simulate import Slate
from keeper.devnet.relay_tx import Tx, decode

SLOT_SECONDS: Final = 12
REMEMBERED: Final = 10_000  # slots
SHUTDOWN: Final = 0.2  # seconds

Rival: TypeAlias = Callable[[Slate, Sequence[Bundle]], Awaitable[Sequence[Sequence[str]]]]
Returned: TypeAlias = Literal["returned", "delayed", "lost"]


@dataclass(frozen=True, slots=True)
class Builder:
    """A builder to stand in for. ``weight``: its share of the slots."""

    name: str
    kind: str = "flashbots"
    weight: float = 1.0

    @property
    def fee_recipient(self) -> Address:
        return Address("0x" + keccak(text=f"stand-in builder {self.name}")[-20:].hex())


@dataclass(frozen=True, slots=True)
class Slot:
    """What one slot brought."""

    number: BlockNumber
    builder: str
    plan: BlockPlan | None  # None: nobody proposed
    hash: Hash | None = None
    reorged: bool = False

    @property
    def landed(self) -> tuple[Placed, ...]:
        return self.plan.bundles if self.plan else ()

    @property
    def tx_hashes(self) -> tuple[Hash, ...]:
        return tuple(tx.hash for tx, _ in self.plan.txs) if self.plan else ()

    def reason(self, tx_hash: Hash) -> str | None:
        """Why the bundle with this transaction was left out of the block, if it was considered."""
        left_out = self.plan.left_out if self.plan else ()
        return next((why for bundle, why in left_out if any(tx.hash == tx_hash for tx in bundle.txs)), None)


class StandInRelay:
    """Builders in front of one node."""

    def __init__(
        self,
        anvil_url: str,
        *,
        builders: Sequence[Builder] = (Builder("flashbots"),),
        seed: int = 0,
        rates: Mapping[Fault, float] | None = None,
        slot_seconds: int = SLOT_SECONDS,
        period: float | None = None,
    ) -> None:
        self.builders = {builder.name: builder for builder in builders}
        self.faults = Faults(seed, rates)
        self.public = PublicPool()
        self.rivals: list[Rival] = []
        self.slots: deque[Slot] = deque(maxlen=REMEMBERED)
        self.desks: dict[str, Desk] = {}
        self._anvil_url = anvil_url
        self._slot_seconds = slot_seconds
        self._period = period
        self._random = random.Random(f"slots {seed}")
        self._skipped = 0  # slots without a block since the head
        self._turn = asyncio.Lock()
        self._clock: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        async with AsyncExitStack() as opening:
            self._node = Node(self._anvil_url)
            opening.push_async_callback(self._node.close)
            self._miner = Miner(self._node, self._slot_seconds)
            await self._miner.prepare()
            await self._open_desks()
            await self._open_doors(opening)
            self._open = opening.pop_all()
        if self._period is not None:
            self._clock = asyncio.create_task(self._tick(self._period))
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        clock, self._clock = self._clock, None
        self._doors.closing.set()
        if clock is not None and not clock.done():
            async with self._turn:
                clock.cancel()
        await self._open.aclose()
        if clock is not None and clock.done() and not clock.cancelled():
            clock.result()  # a slot that broke is not to be overlooked

    async def publish(self, raw: str) -> str:
        """Put a transaction into the public mempool, as anyone's wallet would."""
        tx = decode(raw)
        self.public.add(tx, Source.SENT, await self._head())
        return tx.hash

    async def slot(self, winner: str | None = None) -> Slot:
        """Let one slot pass; ``winner`` instead of the draw."""
        async with self._turn:
            return await self._slot(winner)

    def drop_sockets(self) -> int:
        """Cut every websocket without a word; how many there were."""
        return self._doors.drop_sockets()

    async def reorg(self, depth: int = 1, fate: Returned = "returned") -> None:
        """Replace the last blocks by others.

        What builders had landed in them is in the replacements again (``returned``), only public for a later slot
        (``delayed``), or gone (``lost``); what was public before is always returned.
        """
        async with self._turn:
            await self._reorg(depth, fate)

    async def _open_desks(self) -> None:
        chain = int(await self._node.rpc("eth_chainId"), 16)
        for one in self.builders.values():
            self.desks[one.name] = Desk(one.name, one.kind, self._node, chain, self.faults)

    async def _open_doors(self, opening: AsyncExitStack) -> None:
        node_ws = self._anvil_url.replace("http", "ws", 1)
        self._doors = Doors(self._node, node_ws, self._miner, self.desks, self.faults, self.publish)
        runner = web.AppRunner(self._doors.application(), access_log=None, shutdown_timeout=SHUTDOWN)
        await runner.setup()
        opening.push_async_callback(runner.cleanup)
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        place = "{}:{}".format(*runner.addresses[0][:2])
        self.rpc, self.ws = f"http://{place}/", f"ws://{place}/"
        self.urls = {name: f"http://{place}/relay/{name}" for name in self.builders}
        self.hints = {name: f"http://{place}/hints/{name}" for name in self.builders}
        self.url = next(iter(self.urls.values()))

    async def _tick(self, period: float) -> None:
        while True:
            await asyncio.sleep(period)
            await self.slot()

    async def _slot(self, winner: str | None) -> Slot:
        names, weights = list(self.builders), [one.weight for one in self.builders.values()]
        drawn = self._random.choices(names, weights)[0]  # drawn always: the same seed, the same draws
        name = winner or drawn
        slate = await self._miner.slate(self.builders[name].fee_recipient, self._skipped)
        if self.faults.strikes(Fault.MISSED):
            self._skipped += 1
            return self._remember(Slot(slate.number, name, None))
        for tx in await self._miner.stage():
            self.public.add(tx, Source.STAGE, BlockNumber(slate.number - 1))
        bundles = await self._candidates(self.desks[name], slate)
        public = self.public.waiting
        senders = (tx.sender for txs in (*(one.txs for one in bundles), public) for tx in txs)
        nonces = await self._miner.nonces(senders)
        plan = await BlockBuilder(self._node, slate, nonces).build(bundles, public)
        block_hash = await self._miner.mine(plan)
        self._skipped = 0
        await self._tidy(self.desks[name], plan)
        reorged = self.faults.strikes(Fault.REORG)
        if reorged:
            await self._reorg(1, self._random.choice(("returned", "delayed", "lost")))
        return self._remember(Slot(slate.number, name, plan, block_hash, reorged))

    async def _candidates(self, desk: Desk, slate: Slate) -> list[Bundle]:
        """What this builder may put into this block, with what rivals send it in the last moment."""
        bundles = [bundle for bundle in desk.book if bundle.fits(slate.number, slate.timestamp)]
        if bundles and self.faults.strikes(Fault.UNBUNDLED):
            victim = self._random.choice(bundles)
            bundles.remove(victim)
            desk.book.remove(victim)
            self.public.add(victim.txs[-1], Source.LEAKED, BlockNumber(slate.number - 1))
        for rival in self.rivals:
            for raws in await rival(slate, tuple(bundles)):
                txs = tuple(decode(raw) for raw in raws)
                bundles.append(Bundle(bundle_hash(txs), None, txs, slate.number, slate.number))
        return bundles

    async def _tidy(self, desk: Desk, plan: BlockPlan) -> None:
        for placed in plan.bundles:
            desk.book.remove(placed.bundle)
        for one in self.desks.values():
            one.after_slot(plan.slate.number)
        self.public.prune(await self._miner.nonces(tx.sender for tx in self.public.waiting))

    async def _reorg(self, depth: int, fate: Returned) -> None:
        private = {tx.hash for slot in self.slots for placed in slot.landed for tx in placed.bundle.txs}
        undone = await self._miner.unmake(depth)
        later: list[Tx] = []
        for txs, old in undone:
            stays = [tx for tx in txs if fate == "returned" or tx.hash not in private]
            for tx in txs:
                self.public.note(tx, Source.REORGED, old.number)
            later += [] if fate == "lost" else [tx for tx in txs if tx not in stays]
            slate = await self._replacement(old)
            nonces = await self._miner.nonces(tx.sender for tx in stays)
            await self._miner.mine(await BlockBuilder(self._node, slate, nonces).build((), stays))
        head = await self._head()
        for tx in later:
            self.public.add(tx, Source.REORGED, head)

    async def _replacement(self, old: Slate) -> Slate:
        """A block in the place of another: the same time, another proposer."""
        fresh = await self._miner.slate(REORGED, 0)
        return Slate(
            fresh.number, fresh.parent_hash, old.timestamp, fresh.base_fee, fresh.fee_recipient, fresh.gas_limit
        )

    async def _head(self) -> BlockNumber:
        return BlockNumber(int(await self._node.rpc("eth_blockNumber"), 16))

    def _remember(self, slot: Slot) -> Slot:
        self.slots.append(slot)
        return slot
