"""Endpoints on bad days: never a wrong health, never a crash, and back at the head within three blocks."""

import asyncio
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from keeper.chain import Heads, Limits, Patience, Pool, Rules
from keeper.devnet.world import World
from keeper.indexer.audit import audit, live_rows
from keeper.indexer.indexer import Indexer
from keeper.indexer.live import Live
from keeper.protocols.aave_v3.adapter import AaveV3
from keeper.store.store import Store
from tests.chain.walker import Walk
from tests.chaos.proxy import TRANSPORT, Fault, FaultProxy

LIMITS = Limits(timeout=0.5, long_timeout=1.0)
PATIENCE = Patience(total=1.5, history=2.0, unknown=0.2, hedge=0.1, probe=0.1)
RULES = Rules(chain_id=31337)
WITHIN = 3  # blocks


class Stage:
    """A market in motion, proxies in front of its node, a live indexer behind them, and an honest witness."""

    def __init__(self, world: World, walk: Walk, proxies: list[FaultProxy], live: Live, witness: Pool) -> None:
        self.world, self.walk, self.proxies, self.live, self.witness = world, walk, proxies, live, witness
        self.task = asyncio.create_task(live.run())
        self.compared = 0

    async def block(self) -> None:
        """One block of the walk, with time for the indexer to hear of it."""
        await asyncio.to_thread(self.walk.play_block)
        await asyncio.sleep(0.05)

    async def truthful(self) -> int:
        """Compare every account at the indexer's own block with what the node really says; how far it lags."""
        indexer = self.live.indexer
        tip, market = indexer.tip, indexer.markets[0]
        assert tip is not None
        real = await self.witness.block(tip.number)
        assert real is not None
        assert real.hash == tip.hash
        if market.surveyed is not None and market.block == tip.number and not market.book.changes:
            drifts = await audit(self.witness, market, live_rows(market.book), real)
            if indexer.tip is tip and not market.book.changes:  # else the book moved on while we asked
                assert not drifts
                self.compared += 1
        return self.world.block_number() - tip.number

    async def recovers(self) -> None:
        """Caught up after at most three more blocks."""
        for _ in range(WITHIN):
            await self.block()
            for _ in range(60):
                if self.task.done():
                    self.task.result()
                    pytest.fail("the indexer's task ended")
                if self.live.ready and await self.truthful() == 0:
                    return
                await asyncio.sleep(0.05)
        pytest.fail(f"still {await self.truthful()} blocks behind, ready={self.live.ready}")


@asynccontextmanager
async def stage(world: World, path: Path, seed: int, endpoints: int) -> AsyncIterator[Stage]:
    walk = Walk(world, seed, people=20)
    world.fund(*walk.accounts)
    for _ in range(15):
        walk.play_block()
    proxies = [FaultProxy(world.anvil.url, seed=seed + i) for i in range(endpoints)]
    for proxy in proxies:
        await proxy.__aenter__()
    store = Store(path / "state.sqlite", 31337)
    urls, sockets = [proxy.url for proxy in proxies], [proxy.ws for proxy in proxies]
    async with Pool([world.anvil.url]) as witness, Pool(urls, rules=RULES, limits=LIMITS, patience=PATIENCE) as pool:
        indexer = Indexer(pool, store, [(AaveV3(world.layout.aave.provider), 0)])
        async with Heads(pool, sockets, chain_id=31337, block_time=0.5) as heads:
            live = Live(indexer, aiter(heads), audit_every=5, audit_sample=5)
            at = Stage(world, walk, proxies, live, witness)
            try:
                yield at
                assert not at.task.done(), "the indexer's task ended"
                assert at.live.drifts == 0
                assert at.compared > 0
            finally:
                at.task.cancel()
                await asyncio.gather(at.task, return_exceptions=True)
    for proxy in proxies:
        await proxy.__aexit__(None, None, None)
    store.close()


async def test_one_endpoint_with_every_fault_in_turn(world: World, tmp_path: Path, seed: int) -> None:
    """While it is broken nothing is made up; once it is well the book is at the head again."""
    async with stage(world, tmp_path, seed, endpoints=1) as at:
        await at.recovers()
        for fault in (*TRANSPORT, Fault.WRONG_CHAIN, Fault.SHUFFLED, Fault.DOUBLED, Fault.TOO_MANY, Fault.NO_HASHES):
            at.proxies[0].set(fault)
            for _ in range(3):
                await at.block()
                await asyncio.sleep(0.15)
                await at.truthful()
            at.proxies[0].clear()
            await at.recovers()


async def test_a_broken_first_endpoint_is_left_within_three_blocks(world: World, tmp_path: Path, seed: int) -> None:
    async with stage(world, tmp_path, seed, endpoints=2) as at:
        await at.recovers()
        for fault in (*TRANSPORT, Fault.WRONG_CHAIN, Fault.LYING, Fault.FROZEN, Fault.DEAF_SOCKET, Fault.NO_SOCKET):
            if fault is Fault.FROZEN:
                await at.proxies[0].freeze()
            else:
                at.proxies[0].set(fault)
            await at.recovers()
            await at.recovers()
            at.proxies[0].clear()


async def test_dropped_websockets(world: World, tmp_path: Path, seed: int) -> None:
    async with stage(world, tmp_path, seed, endpoints=1) as at:
        for _ in range(5):
            await at.recovers()
            await at.proxies[0].drop_sockets()


async def test_random_faults_everywhere(world: World, tmp_path: Path, seed: int) -> None:
    """A bad hour: several faults at once on both endpoints, at random."""
    draw = random.Random(seed)
    faults = [fault for fault in Fault if fault not in (Fault.FROZEN, Fault.LYING)]
    async with stage(world, tmp_path, seed, endpoints=2) as at:
        await at.recovers()
        for _ in range(15):
            for proxy in at.proxies:
                proxy.clear()
                for fault in draw.sample(faults, 3):
                    proxy.set(fault, rate=draw.choice([0.1, 0.5]))
            for _ in range(draw.randint(1, 3)):
                await at.block()
                await at.truthful()
        for proxy in at.proxies:
            proxy.clear()
        await at.recovers()
