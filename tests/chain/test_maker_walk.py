"""After every block of a random walk over a Maker-like market, every urn and auction equals the chain's own view."""

from pathlib import Path

import pytest

from keeper.chain.pool import Pool
from keeper.core.events import Block
from keeper.core.ports import Health
from keeper.core.units import WAD
from keeper.devnet.world import World
from keeper.indexer.audit import audit, live_rows
from keeper.indexer.indexer import Indexer
from keeper.indexer.inquire import inquire
from keeper.indexer.market import Market
from keeper.protocols.maker_clip.adapter import MakerClip
from keeper.screen.screen import Screen
from keeper.store.store import Store
from tests.chain.maker_walker import MakerWalk
from tests.chain.walker import difference


async def walk(world: World, path: Path, seed: int, actions: int, people: int) -> MakerWalk:
    """Walk, index and compare block by block."""
    played = MakerWalk(world, seed, people)
    chainlog = played.maker.chainlog.address
    store = Store(path / "state.sqlite", 31337)
    async with Pool([world.anvil.url]) as chain:
        indexer = Indexer(chain, store, [(MakerClip(chainlog), 0)])
        for number in played.blocks(actions):
            block = await indexer.advance()
            assert block.number == number
            market = indexer.markets[0]
            screened(market, block)
            drifts = await audit(chain, market, live_rows(market.book), block)
            assert not drifts, (
                f"seed {seed}, block {number}, after {played.actions} actions: {drifts[0]} of {len(drifts)}"
            )
        afresh = Indexer(chain, Store(path / "fresh.sqlite", 31337), [(MakerClip(chainlog), 0)])
        assert (await afresh.advance()).hash == block.hash
        assert not difference(afresh.markets[0].book, market.book), "history at once differs from block by block"
    store.close()
    print(f"seed {seed}: done {dict(played.done)}, reverted {dict(played.reverted)}, {len(market.book)} accounts")  # noqa: T201
    return played


def screened(market: Market, block: Block) -> None:
    """The screen has everybody about whom something can be done, and the judge of many agrees with health."""
    rows, at = live_rows(market.book), block.timestamp
    judged = {row: market.adapter.health(market.book, row, at) for row in rows}
    below = {row for row, health in judged.items() if isinstance(health, Health) and health.health_factor < WAD}
    assert set(market.adapter.liquidatable(market.book, rows, at)) == below
    screen = Screen(market.adapter)
    screen.load(market.book)
    assert below <= {*screen.sweep(screen.weigh(market.book, at)).tolist(), *market.adapter.lines(market.book).unclear}


async def test_every_block_of_a_short_walk(world: World, tmp_path: Path, seed: int) -> None:
    played = await walk(world, tmp_path, seed, actions=110, people=8)
    assert min(played.done["bark"], played.done["take"], played.done["fork"]) > 0


@pytest.mark.slow
async def test_every_block_of_a_long_walk(world: World, tmp_path: Path, seed: int) -> None:
    played = await walk(world, tmp_path, seed, actions=1_200, people=25)
    assert {kind: played.done[kind] for kind in played.kinds if played.done[kind] < 2} == {}


async def test_every_contract_on_the_way_to_a_purchase_is_named(world: World, tmp_path: Path) -> None:
    played = MakerWalk(world, 1, 2)
    store = Store(tmp_path / "state.sqlite", 31337)
    async with Pool([world.anvil.url]) as chain:
        adapter = MakerClip(played.maker.chainlog.address)
        found = await inquire(chain, adapter.callees(), await chain.head(), 0)
        indexer = Indexer(chain, store, [(adapter, 0)])
        await indexer.advance()
    book, parts = indexer.markets[0].book, indexer.markets[0].book.fact("market")
    wanted = {parts.vat, parts.dog, parts.jug, parts.spotter, parts.dai_join, *book.facts("rules")}
    wanted |= {token.join for token in book.facts("token").values()} | set(book.facts("oracle"))
    assert wanted
    assert set(found) >= wanted
    store.close()
