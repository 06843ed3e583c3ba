"""Through a walk with reorganisations, restarts, surveys and repairs, nobody below 1 is missed by those who look."""

import random
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from keeper.chain.pool import Pool
from keeper.core.events import Block
from keeper.core.ports import Health
from keeper.core.units import WAD, Timestamp
from keeper.devnet.world import World
from keeper.indexer.audit import live_rows, repair
from keeper.indexer.indexer import Indexer
from keeper.indexer.inquire import inquire
from keeper.indexer.market import Market
from keeper.lookout import Lookout
from keeper.nearby import AT_RISK
from keeper.protocols.aave_v3.adapter import AaveV3
from keeper.store.store import Store
from tests.chain.test_reorg import reorganise
from tests.chain.walker import Walk


@dataclass
class Looking:
    """Books that are moved in every way, and who looks at them after each."""

    world: World
    chain: Pool
    path: Path
    found: int = 0
    lookout: Lookout = field(default_factory=Lookout)

    def __post_init__(self) -> None:
        self.restart()

    def restart(self) -> None:
        """Books from the state file, and nobody who looked before."""
        self.indexer = Indexer(self.chain, Store(self.path, 31337, 12), [(AaveV3(self.world.layout.aave.provider), 0)])
        self.lookout = Lookout()

    @property
    def market(self) -> Market:
        return self.indexer.markets[0]

    async def look(self, why: str) -> Block:
        """Compare who is found with the pool's own view of everybody, then with ours a block later."""
        block = await self.indexer.advance()
        market, rows = self.market, live_rows(self.market.book)
        post = self.lookout.post(market)
        said = await inquire(self.chain, market.adapter.audit(market.book, rows), block, 0)
        below = {row for row, health in said.items() if isinstance(health, Health) and health.health_factor < WAD}
        assert set(await post.below(block.timestamp)) == below, f"{why}, block {block.number}"
        at = Timestamp(block.timestamp + 12)
        healths = {row: market.adapter.health(market.book, row, at) for row in rows}
        later = {row for row, health in healths.items() if isinstance(health, Health) and health.health_factor < WAD}
        assert set(await post.below(at)) == later, f"{why}, block {block.number}"
        post.tend(at)
        self.found += len(below)
        return block


async def upset(looking: Looking, walk: Walk, draw: random.Random) -> None:
    """Something that moves a book, or loses who looks at it, outside the order of blocks."""
    match draw.choice(["reorg", "reorg", "deep reorg", "restart", "survey", "repair", "fail"]):
        case "reorg":
            await reorganise(looking.world, walk, draw.randint(1, 6))
        case "deep reorg":  # deeper than the undo rows: a checkpoint, or everything anew
            await reorganise(looking.world, walk, 20)
        case "restart":
            looking.restart()
        case "survey":
            looking.market.surveyed = None
        case "repair":
            block = await looking.look("before a repair")
            rows = draw.sample(live_rows(looking.market.book), 5)
            await repair(looking.chain, looking.market, rows, block)
        case "fail":  # whoever heard what moved, failed
            looking.market.book.moved()
            looking.lookout.post(looking.market)._followed = False


async def walk(world: World, path: Path, seed: int, turns: int) -> int:
    """Play and look; how many were found below 1."""
    draw, walk = random.Random(seed), Walk(world, seed, people=30)
    world.fund(*walk.accounts)
    async with Pool([world.anvil.url]) as chain:
        looking = Looking(world, chain, path / "state.sqlite")
        for _ in range(40):
            walk.play_block()
        await looking.look("history")
        for turn in range(turns):
            for _ in range(draw.randint(1, 3)):
                walk.play_block()
                if draw.random() < 0.7:
                    await looking.look(f"seed {seed}, turn {turn}, a block")
            await upset(looking, walk, draw)
            await looking.look(f"seed {seed}, turn {turn}, after that")
    return looking.found


async def test_nobody_is_missed_on_a_short_walk(any_world: World, tmp_path: Path, seed: int) -> None:
    assert await walk(any_world, tmp_path, seed, turns=20) > 0


@pytest.mark.slow
async def test_nobody_is_missed_on_a_long_walk(any_world: World, tmp_path: Path, seed: int) -> None:
    assert await walk(any_world, tmp_path, seed + 3, turns=120) > 0


async def test_who_comes_near_is_told_once(world: World, tmp_path: Path, seed: int) -> None:
    world.borrowers(25, seed)
    async with Pool([world.anvil.url]) as chain:
        looking = Looking(world, chain, tmp_path / "state.sqlite")
        with capture_logs() as lines:
            for step in range(12):
                if step % 2 == 0:
                    for symbol in ("WETH", "WBTC", "LINK"):
                        world.set_price(symbol, world.price(symbol) * 97 // 100)
                await looking.look("a slow fall")
                await looking.lookout.post(looking.market).made()
                await looking.look("lists are made")
    told = [line["account"] for line in lines if line["event"] == "account.at_risk"]
    assert told
    assert all(WAD <= line["health_factor"] < AT_RISK for line in lines if line["event"] == "account.at_risk")
    book = looking.market.book
    healths = {
        book.account(row): looking.market.adapter.health(book, row, looking.indexer.tip.timestamp)  # type: ignore[union-attr]
        for row in live_rows(book)
    }
    near = {who for who, health in healths.items() if isinstance(health, Health) and health.health_factor < AT_RISK}
    fallen = {who for who, health in healths.items() if isinstance(health, Health) and health.health_factor < WAD}
    assert near - fallen <= set(told)
    assert len(told) == len(set(told))
