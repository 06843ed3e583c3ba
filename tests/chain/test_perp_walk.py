"""After every block of a random walk over the real exchange, every account equals the chain's own views to the wei.

So do its parts, which the views round to the settlement token's unit; and every liquidation that is tried on the way,
of a size drawn at random, earns just what was predicted and leaves nothing behind.
"""

from collections.abc import Sequence
from pathlib import Path
from random import Random

import pytest

from keeper.chain.pool import Pool
from keeper.core.book import Book
from keeper.core.events import Block
from keeper.core.ports import Quarantine
from keeper.core.units import ZERO_ADDRESS, Timestamp
from keeper.devnet.abi import Abi
from keeper.devnet.world import World
from keeper.indexer.audit import audit, live_rows
from keeper.indexer.indexer import Indexer
from keeper.indexer.inquire import inquire
from keeper.protocols.perp_curie.account import read
from keeper.protocols.perp_curie.adapter import PerpCurie
from keeper.protocols.perp_curie.takeover import Takeover
from keeper.store.store import Store
from tests.chain.perp_walker import PerpWalk
from tests.chain.walker import difference
from tests.contracts.perp_market import BLOCK, KEEPER, Market, taken


def parts_of(played: PerpWalk, book: Book, rows: Sequence[int]) -> list[tuple[int, ...]]:
    """Realised and unrealised profit, fees and funding due: as the chain says, to the wei."""
    perp = played.perp
    calls = []
    for row in rows:
        trader = book.account(row)
        for part, name, arguments in (
            ("AccountBalance", "getPnlAndPendingFee", (trader,)),
            ("Exchange", "getAllPendingFundingPayment", (trader,)),
        ):
            contract = perp.part(part)
            calls.append((contract.abi, name, contract.address, contract.fn(name, *arguments)))
    answers = played.world.rpc.batch([("eth_call", ({"to": to, "data": data}, "latest")) for _, _, to, data in calls])
    decoded = [_flat(abi, name, data) for (abi, name, _, _), data in zip(calls, answers, strict=True)]
    return [sum(decoded[2 * at : 2 * at + 2], ()) for at in range(len(rows))]


def _flat(abi: Abi, name: str, data: str) -> tuple[int, ...]:
    value = abi.decode(name, data)
    return value if isinstance(value, tuple) else (value,)


def equal_in_parts(played: PerpWalk, adapter: PerpCurie, book: Book, block: Block) -> None:
    view = adapter.view(book, block.timestamp)
    accounts = {row: read(view, book, row) for row in live_rows(book)}
    known = {row: account for row, account in accounts.items() if not isinstance(account, Quarantine)}
    for (row, account), theirs in zip(known.items(), parts_of(played, book, list(known)), strict=True):
        owed = book.amount(row, 2) - book.amount(row, 3)
        fees, funding = (sum(getattr(one, name) for one in account.positions) for name in ("fees", "funding"))
        assert (owed, account.profit, fees, funding) == theirs, f"block {block.number}, row {row}"


async def take_over(played: PerpWalk, market: Market, draw: Random) -> int:
    """Liquidate what can be, one position at a time; returns how many were."""
    tip = market.indexer.tip
    assert tip is not None
    at, book = Timestamp(tip.timestamp + BLOCK), market.book
    weak = market.adapter.liquidatable(book, live_rows(book), at)
    offered = [action for row in weak for action in market.adapter.actions(book, row, at)]
    viewed = [base for base, feed in book.facts("feed").items() if feed.source == ZERO_ADDRESS]  # it may move unseen
    actions = [action for action in offered if isinstance(action, Takeover) and action.base not in viewed]
    if not actions:
        return 0
    action = draw.choice(actions)
    low, high = action.intervals()[-1] if action.intervals() else (0, 0)
    repay = draw.choice([high, high, draw.randint(max(low, high // 10), high)])
    if not action.taken(repay):
        return 0
    assert taken(market, action, repay) == action.settle(repay).received - repay, f"{action}, {repay}"
    assert all(played.perp.size(KEEPER, symbol) == 0 for symbol in played.markets)
    return 1


async def put_right(indexer: Indexer, block: Block, right: Book) -> None:
    """A book that somebody has spoilt is read again, account by account."""
    market = indexer.markets[0]
    rows = live_rows(market.book)
    for row in rows:
        for column, amount in list(market.book.positions(row)):
            market.book.set_amount(row, column, amount // 2 + 1)
        market.book.mark(row, 0, 0)
    assert await audit(indexer.chain, market, rows, block)
    await inquire(indexer.chain, market.adapter.reread(market.book, rows), block, 0)
    assert not await audit(indexer.chain, market, rows, block)
    assert not difference(market.book, right)


async def walk(world: World, path: Path, seed: int, actions: int, people: int) -> tuple[PerpWalk, int]:
    """Walk, index, compare and liquidate, block by block; also returns the number of takeovers."""
    played, draw, takeovers = PerpWalk(world, seed, people), Random(seed), 0
    world.fund(KEEPER)
    house = played.perp.layout.clearing_house
    store = Store(path / "state.sqlite", 31337)
    async with Pool([world.anvil.url]) as chain:
        indexer = Indexer(chain, store, [(PerpCurie(house), 0)])
        for _ in played.blocks(actions):
            block = await indexer.advance()
            market = Market(world, played.perp, indexer)
            drifts = await audit(chain, indexer.markets[0], live_rows(market.book), block)
            where = f"seed {seed}, block {block.number}, after {played.actions} actions"
            assert not drifts, f"{where}: {drifts[0]} of {len(drifts)}"
            equal_in_parts(played, market.adapter, market.book, block)
            takeovers += await take_over(played, market, draw)
        block = await indexer.advance()
        afresh = Indexer(chain, Store(path / "fresh.sqlite", 31337), [(PerpCurie(house), 0)])
        assert (await afresh.advance()).hash == block.hash
        found = difference(afresh.markets[0].book, market.book)
        assert not found, f"history at once differs from block by block: {found[:3]}"
        await put_right(indexer, block, afresh.markets[0].book)
    store.close()
    done, reverted = dict(played.done), dict(played.reverted)
    print(f"seed {seed}: done {done}, reverted {reverted}, {takeovers} takeovers, {len(market.book)} accounts")  # noqa: T201
    return played, takeovers


async def test_every_block_of_a_short_walk(world: World, tmp_path: Path, seed: int) -> None:
    played, _ = await walk(world, tmp_path, seed, actions=120, people=14)
    assert played.done["open"] > 0


@pytest.mark.slow
async def test_every_block_of_a_long_walk(world: World, tmp_path: Path, seed: int) -> None:
    played, takeovers = await walk(world, tmp_path, seed + 1, actions=1_200, people=40)
    assert {kind: played.done[kind] for kind in played.kinds if played.done[kind] < 2} == {}
    assert takeovers >= 5
