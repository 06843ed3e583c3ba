"""After every block of a random walk over the real market, every account equals the chain's own view."""

from pathlib import Path

import pytest

from keeper.chain.pool import Pool
from keeper.devnet.world import World
from keeper.indexer.audit import audit, live_rows
from keeper.indexer.indexer import Indexer
from keeper.protocols.aave_v3.adapter import AaveV3
from keeper.store.store import Store
from tests.chain.walker import Walk, difference


async def walk(world: World, path: Path, seed: int, actions: int, people: int) -> Walk:
    """Walk, index and compare block by block."""
    store = Store(path / "state.sqlite", 31337)
    async with Pool([world.anvil.url]) as chain:
        indexer = Indexer(chain, store, [(AaveV3(world.layout.aave.provider), 0)])
        played = Walk(world, seed, people)
        for number in played.blocks(actions):
            block = await indexer.advance()
            assert block.number == number
            market = indexer.markets[0]
            drifts = await audit(chain, market, live_rows(market.book), block)
            assert not drifts, (
                f"seed {seed}, block {number}, after {played.actions} actions: {drifts[0]} of {len(drifts)}"
            )
        afresh = Indexer(chain, Store(path / "fresh.sqlite", 31337), [(AaveV3(world.layout.aave.provider), 0)])
        assert (await afresh.advance()).hash == block.hash
        assert not difference(afresh.markets[0].book, market.book), "history at once differs from block by block"
    store.close()
    calls = liquidations(world)
    assert len(calls) == played.done["liquidate"]
    print(f"seed {seed}: done {dict(played.done)}, reverted {dict(played.reverted)}, {len(market.book)} accounts")  # noqa: T201
    return played


def liquidations(world: World) -> list[bool]:
    """Of every liquidation on the chain, whether it was paid in receipts."""
    topic = world.pool.abi.topics["LiquidationCall"]
    logs = world.rpc.rpc("eth_getLogs", {"fromBlock": "0x0", "address": world.pool.address, "topics": [topic]})
    return [bool(int(log["data"][-64:], 16)) for log in logs]


async def test_every_block_of_a_short_walk(any_world: World, tmp_path: Path, seed: int) -> None:
    played = await walk(any_world, tmp_path, seed, actions=150, people=40)
    assert min(played.done["liquidate"], played.done["borrow"]) > 0


@pytest.mark.slow
@pytest.mark.parametrize("offset", [0, 1])
async def test_every_block_of_a_long_walk(any_world: World, tmp_path: Path, seed: int, offset: int) -> None:
    played = await walk(any_world, tmp_path, seed + offset, actions=2_000, people=110)
    assert {kind: played.done[kind] for kind in played.kinds if played.done[kind] < 2} == {}
    assert set(liquidations(any_world)) == {True, False}
