"""After every block of a random walk over the real Morpho, every position equals the chain's own numbers.

Besides what ``audit`` compares: the totals and rates that events made are the contract's storage, interest is what was
computed before the block that stored it, whom the contract calls healthy is whom the book does, and the screen misses
nobody who is not.
"""

from pathlib import Path

import msgspec
import pytest

from keeper.chain.pool import Pool
from keeper.core.book import Book
from keeper.core.events import Block
from keeper.core.ports import Health
from keeper.core.units import MAX_U128, WAD, ZERO_ADDRESS, Timestamp, owner, pocket
from keeper.devnet.layout import LENDER
from keeper.devnet.morpho import market_key
from keeper.devnet.rpc import Reverted
from keeper.devnet.world import World
from keeper.errors import RpcError
from keeper.indexer.audit import audit, live_rows
from keeper.indexer.indexer import Indexer
from keeper.protocols.morpho_blue.adapter import MorphoBlue
from keeper.protocols.morpho_blue.decode import decode
from keeper.protocols.morpho_blue.events import AccrueInterest
from keeper.protocols.morpho_blue.facts import State
from keeper.screen.screen import Screen
from keeper.store.store import Store
from tests.chain.morpho_walker import MorphoWalk
from tests.chain.walker import difference


def storage_equals(walk: MorphoWalk, book: Book) -> None:
    """Totals of every market, and rates at the target, read from the contracts."""
    for market in walk.markets:
        key = market_key(market)
        stored = State(*walk.morpho.totals(market))
        if market.irm == ZERO_ADDRESS:
            stored = msgspec.structs.replace(stored, updated=0)
        assert book.fact("state", key) == stored, market
        if market.irm == walk.morpho.adaptive.address:
            assert book.fact("target", key) == walk.morpho.adaptive.call("rateAtTarget", walk.id_of(market)), market


def foretold(adapter: MorphoBlue, book: Book, at: int) -> dict[str, tuple[int, int]]:
    """Interest and fee shares of each market in a block at that time, before it is known."""
    view = adapter.view(book, Timestamp(at))
    found = {}
    for market, before in book.facts("state").items():
        after = view.state(market)
        if after is not None:
            found[market] = after.borrow_assets - before.borrow_assets, after.supply_shares - before.supply_shares
    return found


def accrued(walk: MorphoWalk, block: Block) -> dict[str, tuple[int, int]]:
    """What the contract says it added in a block."""
    ask = {"address": walk.morpho.address, "fromBlock": hex(block.number), "toBlock": hex(block.number)}
    logs = walk.world.rpc.rpc("eth_getLogs", ask)
    told = [decode(_Raw(log["topics"], log["data"])) for log in logs]  # type: ignore[arg-type]
    return {event.market: (event.interest, event.fee_shares) for event in told if isinstance(event, AccrueInterest)}


class _Raw:
    """As much of a log as decoding takes."""

    def __init__(self, topics: list[str], data: str) -> None:
        self.topics, self.data = tuple(topics), data


def called_healthy(walk: MorphoWalk, account: str, market: str) -> bool:
    """Whether the contract refuses to liquidate because the position is healthy."""
    params = next(one.params for one in walk.markets if market_key(one) == market)
    try:
        walk.contract.call("liquidate", params, account, MAX_U128, 0, b"", sender=LENDER)
    except Reverted as error:
        return "position is healthy" in error.reason
    except RpcError:
        return False
    raise AssertionError("nobody has so much collateral")


def nobody_is_missed(screen: Screen, adapter: MorphoBlue, book: Book, at: Timestamp) -> None:
    """The screen has whoever is below 1, and confirming leaves exactly them."""
    judged = {row: adapter.health(book, row, at) for row in range(len(book))}
    below = {row for row, health in judged.items() if isinstance(health, Health) and health.health_factor < WAD}
    screen.touch(book, book.moved() or ())
    assert below <= set(screen.sweep(screen.weigh(book, at)).tolist())
    assert set(screen.candidates(book, at)) == below


async def walk(world: World, path: Path, seed: int, actions: int, people: int) -> MorphoWalk:
    """Walk, index and compare block by block."""
    store = Store(path / "state.sqlite", 31337)
    played = MorphoWalk(world, seed, people)
    morpho, factories = played.morpho.address, [played.morpho.factory.address]
    adapter = MorphoBlue(morpho, factories)
    foreseen = 0
    async with Pool([world.anvil.url]) as chain:
        indexer = Indexer(chain, store, [(adapter, 0)])
        await indexer.advance()
        market, screen = indexer.markets[0], Screen(adapter)
        market.book.moved()
        screen.load(market.book)
        for number in played.blocks(actions):
            when = f"seed {seed}, block {number}, after {played.actions} actions"
            known = foretold(adapter, market.book, world.timestamp()) if number == market.block + 1 else {}
            block = await indexer.advance()
            assert block.number == number
            drifts = await audit(chain, market, live_rows(market.book), block)
            assert not drifts, f"{when}: {drifts[0]} of {len(drifts)}"
            storage_equals(played, market.book)
            nobody_is_missed(screen, adapter, market.book, block.timestamp)
            for key, told in accrued(played, block).items():
                if key in known:
                    assert known[key] == told, f"{when}: market {key}"
                    foreseen += 1
            row = played.random.choice(live_rows(market.book) or [0])
            if len(market.book):
                account = market.book.account(row)
                health = adapter.health(market.book, row, block.timestamp)
                if isinstance(health, Health) and health.debt and pocket(account) in market.book.facts("listing"):
                    healthy = health.health_factor >= WAD
                    assert called_healthy(played, owner(account), pocket(account)) == healthy, when
        afresh = Indexer(chain, Store(path / "fresh.sqlite", 31337), [(MorphoBlue(morpho, factories), 0)])
        assert (await afresh.advance()).hash == block.hash
        assert not difference(afresh.markets[0].book, market.book), "history at once differs from block by block"
    store.close()
    assert foreseen > actions // 10
    kinds = set(market.book.facts("irm").values())
    assert kinds == {"adaptive", "viewed"}, "a model said otherwise than computed"
    print(f"seed {seed}: done {dict(played.done)}, reverted {dict(played.reverted)}, {len(market.book)} positions")  # noqa: T201
    return played


async def test_every_block_of_a_short_walk(world: World, tmp_path: Path, seed: int) -> None:
    played = await walk(world, tmp_path, seed, actions=150, people=15)
    assert min(played.done["liquidate"], played.done["borrow"]) > 0


@pytest.mark.slow
async def test_every_block_of_a_long_walk(world: World, tmp_path: Path, seed: int) -> None:
    played = await walk(world, tmp_path, seed + 1, actions=1_000, people=40)
    assert {kind: played.done[kind] for kind in played.kinds if played.done[kind] < 2} == {}
