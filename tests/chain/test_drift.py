"""A book that is not what the chain says is found out by the daemon's own audit, told, counted and put right."""

from collections.abc import AsyncIterator
from pathlib import Path

from keeper.chain.pool import Pool
from keeper.core.events import Block
from keeper.devnet.world import World
from keeper.indexer.audit import audit, live_rows
from keeper.indexer.indexer import Indexer
from keeper.indexer.live import Live
from keeper.protocols.aave_v3.adapter import AaveV3
from keeper.store.store import Store


async def nobody() -> AsyncIterator[Block]:
    """Heads are stepped to by hand."""
    for block in list[Block]():
        yield block


async def test_a_spoilt_account_is_put_right_and_the_others_are_left_alone(
    world: World, tmp_path: Path, seed: int
) -> None:
    world.borrowers(12, seed)
    store = Store(tmp_path / "state.sqlite", 31337)
    async with Pool([world.anvil.url]) as chain:
        indexer = Indexer(chain, store, [(AaveV3(world.layout.aave.provider), 0)])
        live = Live(indexer, nobody(), audit_every=1, audit_sample=100)
        await live.step()
        market = indexer.markets[0]
        row = live_rows(market.book)[3]
        column, amount = next(market.book.positions(row))
        digest = market.book.digest()
        market.book.set_amount(row, column, amount + amount // 7)
        drifts = []
        for _ in range(4):
            world.advance(12)
            block = await live.step()
            drifts.append(live.drifts)
        assert drifts == [0, 1, 1, 1], "seen at one block, believed at the next, never again"
        assert market.book.digest() == digest
        assert await audit(chain, market, live_rows(market.book), block) == []
    store.close()
