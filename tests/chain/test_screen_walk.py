"""After every block of a random walk over the real market, the screen has all whom the chain calls liquidatable."""

from itertools import chain as chain_of
from pathlib import Path

import pytest

from keeper.chain.pool import Pool
from keeper.core.book import Change, touched
from keeper.core.events import Block
from keeper.core.ports import Health
from keeper.core.units import WAD
from keeper.devnet.world import World
from keeper.indexer.audit import live_rows
from keeper.indexer.indexer import Indexer
from keeper.indexer.inquire import inquire
from keeper.protocols.aave_v3.adapter import AaveV3
from keeper.screen.screen import Screen
from keeper.store.store import Store
from tests.chain.walker import Walk


async def walk(world: World, path: Path, seed: int, actions: int, people: int) -> int:
    """Walk, and compare screen and confirm with the pool's own view of every account; how many were liquidatable."""
    store = Store(path / "state.sqlite", 31337)
    found = 0
    async with Pool([world.anvil.url]) as chain:
        indexer = Indexer(chain, store, [(AaveV3(world.layout.aave.provider), 0)])
        await indexer.advance()
        market = indexer.markets[0]
        screen = Screen(market.adapter)
        screen.load(market.book)

        def follow(_: Block, changes: dict[int, list[Change]]) -> None:
            screen.touch(market.book, touched(changes[market.id]))

        indexer.listeners.append(follow)
        played = Walk(world, seed, people)
        for number in chain_of(played.blocks(actions), played.crash()):
            block = await indexer.advance()
            rows = live_rows(market.book)
            said = await inquire(chain, market.adapter.audit(market.book, rows), block, 0)
            below = {row for row, health in said.items() if isinstance(health, Health) and health.health_factor < WAD}
            now = screen.weigh(market.book, block.timestamp)
            assert below <= set(screen.sweep(now).tolist()), f"seed {seed}, block {number}"
            assert set(screen.candidates(market.book, block.timestamp)) == below, f"seed {seed}, block {number}"
            if screen.due(now):
                screen.adopt(screen.prepare(now).watch())
            found += len(below)
        assert len(screen) > 0
    store.close()
    return found


async def test_every_block_of_a_short_walk(any_world: World, tmp_path: Path, seed: int) -> None:
    assert await walk(any_world, tmp_path, seed, actions=120, people=30) > 0


@pytest.mark.slow
async def test_every_block_of_a_long_walk(any_world: World, tmp_path: Path, seed: int) -> None:
    assert await walk(any_world, tmp_path, seed + 7, actions=1_000, people=80) > 0
