"""After every block of a random walk over a real Venus pool, every account equals the comptroller's own view.

So do liquidations in the next block, those that are refused too; and the same on a fork of another kind, a fixture.
"""

from pathlib import Path

import pytest

from keeper.chain.pool import Pool
from keeper.devnet.fork import Fork
from keeper.devnet.venus import Venus
from keeper.devnet.world import World
from keeper.indexer.audit import audit, live_rows
from keeper.indexer.indexer import Indexer
from keeper.protocols.compound_v2.adapter import CompoundV2
from keeper.store.store import Store
from tests.chain.venus_judge import Judge
from tests.chain.venus_walker import ForkWalk, VenusWalk
from tests.chain.walker import difference


async def walk(played: VenusWalk, path: Path, actions: int, every: int = 1) -> Judge:
    """Walk, index and compare block by block."""
    store, comptroller = Store(path / "state.sqlite", 31337), played.venus.layout.comptroller
    async with Pool([played.world.anvil.url]) as chain:
        indexer = Indexer(chain, store, [(CompoundV2(comptroller), 0)])
        judge, seed = Judge(played.venus, every), played.seed
        await indexer.advance()
        adapter = CompoundV2(comptroller)
        for number in played.blocks(actions):
            block = await indexer.advance()
            assert block.number == number
            market = indexer.markets[0]
            drifts = await audit(chain, market, live_rows(market.book), block)
            assert not drifts, (
                f"seed {seed}, block {number}, after {played.actions} actions: {drifts[0]} of {len(drifts)}"
            )
            judge.look(adapter, market.book, block)
        afresh = Indexer(chain, Store(path / "fresh.sqlite", 31337), [(CompoundV2(comptroller), 0)])
        assert (await afresh.advance()).hash == block.hash
        assert not difference(afresh.markets[0].book, market.book), "history at once differs from block by block"
    store.close()
    print(f"seed {seed}: done {dict(played.done)}, refused {dict(played.reverted)}; seen {dict(judge.seen)}")  # noqa: T201
    return judge


async def test_every_block_of_a_short_walk(world: World, tmp_path: Path, seed: int) -> None:
    played = VenusWalk(Venus.deploy(world), seed, people=16)
    judge = await walk(played, tmp_path, actions=70)
    assert min(played.done["borrow"], judge.seen["pairs"], judge.seen["settled"]) > 0


async def test_every_block_of_a_short_walk_over_a_fork(world: World, tmp_path: Path, seed: int) -> None:
    played = ForkWalk(Fork.deploy(world), seed, people=8)
    judge = await walk(played, tmp_path, actions=80)
    assert min(played.done["borrow"], judge.seen["pairs"], judge.seen["settled"]) > 0


@pytest.mark.slow
@pytest.mark.parametrize("direct", [False, True])
async def test_every_block_of_a_long_walk(world: World, tmp_path: Path, seed: int, *, direct: bool) -> None:
    played = VenusWalk(Venus.deploy(world, direct=direct), seed + direct, people=50)
    judge = await walk(played, tmp_path, actions=500 if direct else 1_000, every=8)
    assert judge.seen["settled"] > 200
    assert {kind: played.done[kind] for kind in played.kinds if played.done[kind] < 2} == {}


@pytest.mark.slow
async def test_every_block_of_a_long_walk_over_a_fork(world: World, tmp_path: Path, seed: int) -> None:
    played = ForkWalk(Fork.deploy(world), seed, people=40)
    judge = await walk(played, tmp_path, actions=500, every=8)
    assert judge.seen["settled"] > 200
