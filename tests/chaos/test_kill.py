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
from tests.chain.scenes import MakeScene, Scene, aave_v3, first_quick, of_every_protocol
from tests.chain.walker import difference

CHILD = Path(__file__).with_name("indexing.py")
ROOT = Path(__file__).parents[2]
DEPTH = 16


def run_and_kill(world: World, path: Path, scene: Scene, draw: random.Random) -> None:
    """Start an indexer, let the chain move on, and kill the indexer at a random moment."""
    walk, market = scene.walk, (scene.protocol, scene.entry)
    command = [sys.executable, str(CHILD), world.anvil.url, *market, str(path), str(DEPTH)]
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


async def survives(world: World, path: Path, seed: int, kills: int, make: MakeScene) -> None:
    draw, scene = random.Random(seed), make(world, seed, 25)
    walk = scene.walk
    world.fund(*walk.accounts)
    for _ in range(60):
        walk.play_block()
    for turn in range(kills):
        if turn % 8 == 0:  # history again, from nothing
            for file in path.parent.glob(path.name + "*"):
                file.unlink()
        run_and_kill(world, path, scene, draw)
    async with Pool([world.anvil.url]) as chain:
        survivor = scene.published(chain, path, DEPTH)
        block = await survivor.advance()
        afresh = scene.published(chain, path.with_name("fresh"))
        assert (await afresh.advance()).hash == block.hash
        assert not difference(survivor.markets[0].book, afresh.markets[0].book), f"seed {seed}"
        assert survivor.markets[0].book.digest() == afresh.markets[0].book.digest()
        rows = live_rows(survivor.markets[0].book)
        assert rows
        assert not await audit(chain, survivor.markets[0], rows, block)


@first_quick
async def test_killed_a_few_times(world: World, tmp_path: Path, seed: int, make: MakeScene) -> None:
    await survives(world, tmp_path / "state.sqlite", seed, 6, make)


@pytest.mark.slow
@of_every_protocol
async def test_killed_many_times(world: World, tmp_path: Path, seed: int, make: MakeScene) -> None:
    await survives(world, tmp_path / "state.sqlite", seed + 1, 100 if make is aave_v3 else 15, make)
