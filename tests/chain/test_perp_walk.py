"""After every block of a random walk over the real exchange, every account equals the chain's own views."""

from pathlib import Path

import pytest

from keeper.chain.pool import Pool
from keeper.devnet.world import World
from keeper.indexer.audit import audit, live_rows
from keeper.indexer.indexer import Indexer
from keeper.protocols.perp_curie.adapter import PerpCurie
from keeper.store.store import Store
from tests.chain.perp_walker import PerpWalk
from tests.chain.walker import difference


async def walk(world: World, path: Path, seed: int, actions: int, people: int) -> PerpWalk:
    """Walk, index and compare block by block."""
    played = PerpWalk(world, seed, people)
    house = played.perp.layout.clearing_house
    store = Store(path / "state.sqlite", 31337)
    async with Pool([world.anvil.url]) as chain:
        indexer = Indexer(chain, store, [(PerpCurie(house), 0)])
        for number in played.blocks(actions):
            block = await indexer.advance()
            assert block.number == number
            market = indexer.markets[0]
            drifts = await audit(chain, market, live_rows(market.book), block)
            assert not drifts, (
                f"seed {seed}, block {number}, after {played.actions} actions: {drifts[0]} of {len(drifts)}"
            )
        afresh = Indexer(chain, Store(path / "fresh.sqlite", 31337), [(PerpCurie(house), 0)])
        assert (await afresh.advance()).hash == block.hash
        assert not difference(afresh.markets[0].book, market.book), "history at once differs from block by block"
    store.close()
    print(f"seed {seed}: done {dict(played.done)}, reverted {dict(played.reverted)}, {len(market.book)} accounts")  # noqa: T201
    return played


async def test_every_block_of_a_short_walk(world: World, tmp_path: Path, seed: int) -> None:
    played = await walk(world, tmp_path, seed, actions=150, people=12)
    assert played.done["open"] > 0


@pytest.mark.slow
async def test_every_block_of_a_long_walk(world: World, tmp_path: Path, seed: int) -> None:
    played = await walk(world, tmp_path, seed + 1, actions=1_200, people=40)
    assert {kind: played.done[kind] for kind in played.kinds if played.done[kind] < 2} == {}
