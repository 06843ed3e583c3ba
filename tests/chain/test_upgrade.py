"""A market upgraded while it is watched, or long before: the rules switch at the block."""

from pathlib import Path

import pytest

from keeper.chain.pool import Pool
from keeper.devnet.upgrade import upgrade_to_v36
from keeper.devnet.world import World
from keeper.indexer.audit import audit, live_rows
from keeper.indexer.indexer import Indexer
from keeper.protocols.aave_v3.adapter import AaveV3
from keeper.store.store import Store
from tests.chain.walker import Walk, difference

pytestmark = pytest.mark.slow  # Aave 3.6 is compiled from source


class VariableOnly(Walk):
    """A walk in which nobody owes stable debt, as an upgrade demands."""

    @property
    def stable_debt(self) -> bool:
        return False

    def govern(self) -> list[object]:  # type: ignore[override]
        return self.price()  # type: ignore[return-value]


async def test_a_pool_upgraded_in_the_middle_of_the_index(world: World, tmp_path: Path, seed: int) -> None:
    walk = VariableOnly(world, seed, people=30)
    world.fund(*walk.accounts)
    async with Pool([world.anvil.url]) as chain:
        live = Indexer(chain, Store(tmp_path / "live", 31337), [(AaveV3(world.layout.aave.provider), 0)])
        market = live.markets[0]

        async def exact() -> None:
            block = await live.advance()
            assert not await audit(chain, market, live_rows(market.book), block)

        for _ in range(40):
            walk.play_block()
            await exact()
        assert market.adapter.describe(market.book)["version"] == "3.0.2"
        walk.world = upgrade_to_v36(world)
        await exact()
        assert market.adapter.describe(market.book)["version"] == "3.6"
        for _ in range(40):
            walk.play_block()
            await exact()
        late = Indexer(chain, Store(tmp_path / "late", 31337), [(AaveV3(world.layout.aave.provider), 0)])
        await late.advance()
        assert not difference(late.markets[0].book, market.book)
