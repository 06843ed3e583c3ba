"""Killed anywhere, in history or live, the indexer comes back with the state of one that never stopped."""

import random
import subprocess
import sys
import time
from pathlib import Path

import pytest

from keeper.chain.pool import Pool
from keeper.devnet.world import World
from keeper.indexer.audit import audit, live_rows
from keeper.indexer.indexer import Indexer
from keeper.protocols.aave_v3.adapter import AaveV3
from keeper.store.store import Store
from tests.chain.walker import Walk, difference

CHILD = Path(__file__).with_name("indexing.py")
ROOT = Path(__file__).parents[2]
DEPTH = 16


def run_and_kill(world: World, path: Path, walk: Walk, draw: random.Random) -> None:
    """Start an indexer, let the chain move on, and kill the indexer at a random moment."""
    command = [sys.executable, str(CHILD), world.anvil.url, world.layout.aave.provider, str(path), str(DEPTH)]
    child = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT)
    assert child.stdout is not None
    assert child.stdout.readline() == "ready\n"
    end = time.monotonic() + draw.uniform(0, 0.5)
    while time.monotonic() < end:
        walk.play_block() if draw.random() < 0.6 else time.sleep(0.02)
        if draw.random() < 0.1:
            world.anvil.rpc.rpc("anvil_reorg", draw.randint(1, 4), [])
    assert child.poll() is None, "the indexer ended before it was killed"
    child.kill()
    child.wait()
    child.stdout.close()


async def survives(world: World, path: Path, seed: int, kills: int) -> None:
    draw = random.Random(seed)
    walk = Walk(world, seed, people=25)
    world.fund(*walk.accounts)
    for _ in range(60):
        walk.play_block()
    for turn in range(kills):
        if turn % 8 == 0:  # history again, from nothing
            for file in path.parent.glob(path.name + "*"):
                file.unlink()
        run_and_kill(world, path, walk, draw)
    async with Pool([world.anvil.url]) as chain:
        adapter = AaveV3(world.layout.aave.provider)
        survivor = Indexer(chain, Store(path, 31337, DEPTH), [(adapter, 0)])
        block = await survivor.advance()
        afresh = Indexer(chain, Store(path.with_name("fresh"), 31337), [(AaveV3(world.layout.aave.provider), 0)])
        assert (await afresh.advance()).hash == block.hash
        assert not difference(survivor.markets[0].book, afresh.markets[0].book), f"seed {seed}"
        assert survivor.markets[0].book.digest() == afresh.markets[0].book.digest()
        rows = live_rows(survivor.markets[0].book)
        assert rows
        assert not await audit(chain, survivor.markets[0], rows, block)


async def test_killed_a_few_times(world: World, tmp_path: Path, seed: int) -> None:
    await survives(world, tmp_path / "state.sqlite", seed, kills=6)


@pytest.mark.slow
async def test_killed_a_hundred_times(world: World, tmp_path: Path, seed: int) -> None:
    await survives(world, tmp_path / "state.sqlite", seed + 1, kills=100)
