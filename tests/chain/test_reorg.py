"""After every reorganisation the book equals the chain, and equals a book that never saw the lost branch."""

import random
from pathlib import Path

from keeper.chain.pool import Pool
from keeper.devnet.world import World
from keeper.indexer.audit import audit, live_rows
from keeper.indexer.indexer import Indexer
from keeper.protocols.aave_v3.adapter import AaveV3
from keeper.store.store import Store
from tests.chain.walker import Walk, difference


def indexer_on(chain: Pool, world: World, path: Path, depth: int = 128) -> Indexer:
    return Indexer(chain, Store(path, 31337, depth), [(AaveV3(world.layout.aave.provider), 0)])


async def equal_to_chain(indexer: Indexer) -> None:
    block = await indexer.advance()
    market = indexer.markets[0]
    assert not await audit(indexer.chain, market, live_rows(market.book), block)


async def reorganise(world: World, walk: Walk, depth: int) -> None:
    """Replace the last blocks by others with some of the same transactions and some new ones."""
    rpc = world.anvil.rpc
    drawn = [tx for _ in range(3) for tx in walk.kinds[walk.random.choice(["supply", "price", "borrow"])][1]()]
    pairs = [[tx.params(), walk.random.randrange(depth)] for tx in drawn] if walk.random.random() < 0.7 else []
    rpc.rpc("anvil_reorg", depth, pairs)


async def test_fifty_reorganisations(world: World, tmp_path: Path, seed: int) -> None:
    draw = random.Random(seed)
    walk = Walk(world, seed, people=30)
    world.fund(*walk.accounts)
    async with Pool([world.anvil.url]) as chain:
        indexer = indexer_on(chain, world, tmp_path / "state.sqlite", depth=64)
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
        afresh = indexer_on(chain, world, tmp_path / "fresh.sqlite")
        await afresh.advance()
        assert not difference(afresh.markets[0].book, indexer.markets[0].book)


async def test_deeper_than_the_journal(world: World, tmp_path: Path, seed: int) -> None:
    """The node keeps 64 states and cannot reorganise deeper than that, so the journal here is 12 blocks."""
    walk = Walk(world, seed, people=20)
    world.fund(*walk.accounts)
    async with Pool([world.anvil.url]) as chain:
        indexer = indexer_on(chain, world, tmp_path / "state.sqlite", depth=12)
        for _ in range(45):
            walk.play_block()
            await indexer.advance()
        assert len(indexer.store.tail()) == 12
        world.anvil.rpc.rpc("anvil_reorg", 25, [])
        for _ in range(3):
            walk.play_block()
        await equal_to_chain(indexer)
        afresh = indexer_on(chain, world, tmp_path / "fresh.sqlite")
        await afresh.advance()
        assert not difference(afresh.markets[0].book, indexer.markets[0].book)


async def test_restart_after_a_reorganisation_while_down(world: World, tmp_path: Path, seed: int) -> None:
    walk = Walk(world, seed, people=20)
    world.fund(*walk.accounts)
    async with Pool([world.anvil.url]) as chain:
        for turn in range(6):
            for _ in range(5):
                walk.play_block()
            await indexer_on(chain, world, tmp_path / "state.sqlite").advance()
            await reorganise(world, walk, 1 + turn)
            await equal_to_chain(indexer_on(chain, world, tmp_path / "state.sqlite"))
