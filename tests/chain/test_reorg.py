"""After every reorganisation the book equals the chain, and equals a book that never saw the lost branch."""

import random
from pathlib import Path

from keeper.chain.pool import Pool
from keeper.devnet.world import World
from keeper.indexer.audit import audit, live_rows
from keeper.indexer.indexer import Indexer
from tests.chain.player import Player
from tests.chain.scenes import MakeScene, first_quick, of_every_protocol
from tests.chain.walker import difference


async def equal_to_chain(indexer: Indexer) -> None:
    block = await indexer.advance()
    market = indexer.markets[0]
    assert not await audit(indexer.chain, market, live_rows(market.book), block)


async def reorganise(world: World, walk: Player, depth: int) -> None:
    """Replace the last blocks by others with some of the same transactions and some new ones."""
    rpc = world.anvil.rpc
    drawn = [tx for _ in range(3) for tx in walk.kinds[walk.random.choice(walk.common)][1]()]
    pairs = [[tx.params(), walk.random.randrange(depth)] for tx in drawn] if walk.random.random() < 0.7 else []
    rpc.rpc("anvil_reorg", depth, pairs)


@first_quick
async def test_fifty_reorganisations(world: World, tmp_path: Path, seed: int, make: MakeScene) -> None:
    draw, scene = random.Random(seed), make(world, seed, 30)
    walk = scene.walk
    world.fund(*walk.accounts)
    async with Pool([world.anvil.url]) as chain:
        indexer = scene.indexer(chain, tmp_path / "state.sqlite", depth=64)
        for _ in range(25):
            walk.play_block()
        await equal_to_chain(indexer)
        for turn in range(50):
            for _ in range(draw.randint(0, 3)):
                walk.play_block()
                if draw.random() < 0.5:
                    await indexer.advance()
            await reorganise(world, walk, draw.randint(1, 8))
            await equal_to_chain(indexer)
            assert indexer.tip is not None, f"seed {seed}, turn {turn}"
        assert indexer.reorgs >= 40
        afresh = scene.indexer(chain, tmp_path / "fresh.sqlite")
        await afresh.advance()
        assert not difference(afresh.markets[0].book, indexer.markets[0].book)


@of_every_protocol
async def test_deeper_than_the_journal(world: World, tmp_path: Path, seed: int, make: MakeScene) -> None:
    """The node keeps 64 states and cannot reorganise deeper than that, so the journal here is 12 blocks."""
    scene = make(world, seed, 20)
    walk = scene.walk
    world.fund(*walk.accounts)
    async with Pool([world.anvil.url]) as chain:
        indexer = scene.indexer(chain, tmp_path / "state.sqlite", depth=12)
        for _ in range(45):
            walk.play_block()
            await indexer.advance()
        assert len(indexer.store.tail()) == 12
        world.anvil.rpc.rpc("anvil_reorg", 25, [])
        for _ in range(3):
            walk.play_block()
        await equal_to_chain(indexer)
        afresh = scene.indexer(chain, tmp_path / "fresh.sqlite")
        await afresh.advance()
        assert not difference(afresh.markets[0].book, indexer.markets[0].book)


@of_every_protocol
async def test_restart_after_a_reorganisation_while_down(
    world: World, tmp_path: Path, seed: int, make: MakeScene
) -> None:
    scene = make(world, seed, 20)
    walk = scene.walk
    world.fund(*walk.accounts)
    async with Pool([world.anvil.url]) as chain:
        for turn in range(6):
            for _ in range(5):
                walk.play_block()
            await scene.indexer(chain, tmp_path / "state.sqlite").advance()
            await reorganise(world, walk, 1 + turn)
            await equal_to_chain(scene.indexer(chain, tmp_path / "state.sqlite"))
