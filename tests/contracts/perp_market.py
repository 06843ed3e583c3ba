"""A Perpetual v2 exchange with two markets, and a liquidator without a contract who does what an action says."""

from dataclasses import dataclass
from pathlib import Path

from keeper.chain.pool import Pool
from keeper.core.book import Book
from keeper.core.units import WAD, Address, Timestamp
from keeper.devnet.perp_actions import Perp
from keeper.devnet.rpc import Tx
from keeper.devnet.world import World
from keeper.indexer.indexer import Indexer
from keeper.protocols.perp_curie.adapter import PerpCurie
from keeper.protocols.perp_curie.takeover import Takeover
from keeper.store.store import Store

MAKER = Address("0x" + "3a" * 20)
ALICE, BOB, CAROL = (Address("0x" + f"{n:02x}" * 20) for n in (0xA1, 0xB0, 0xCA))
KEEPER = Address("0x" + "ce" * 20)
BLOCK = 12  # seconds, as the local chain's interval


@dataclass
class Market:
    """The exchange, and who has followed it."""

    world: World
    perp: Perp
    indexer: Indexer

    @property
    def adapter(self) -> PerpCurie:
        adapter = self.indexer.markets[0].adapter
        assert isinstance(adapter, PerpCurie)
        return adapter

    @property
    def book(self) -> Book:
        return self.indexer.markets[0].book

    def row(self, trader: Address) -> int:
        row = self.book.row(trader)
        assert row is not None
        return row

    async def next(self) -> Timestamp:
        """The time of the next block, once the book is at the head."""
        return Timestamp((await self.indexer.advance()).timestamp + BLOCK)


def build(world: World, chain: Pool, path: Path, depth: int = 4_000_000) -> Market:
    """Two markets, each with so many dollars on either side, and funded people."""
    perp = Perp(world, world.add_perp("WETH", "LINK"))
    world.fund(MAKER, ALICE, BOB, CAROL, KEEPER)
    txs = perp.deposit(MAKER, 50_000_000 * 10**6)
    for symbol in ("WETH", "LINK"):
        tick = int(perp.pool(symbol).call("slot0")[1])
        quote = depth * WAD
        base = quote * 10**8 // world.feed_price(symbol)
        ticks = ((tick - 9_000) // 60 * 60, (tick + 9_000) // 60 * 60)
        txs.append(perp.add_liquidity(MAKER, symbol, (base, quote), ticks))
    world.rpc.send_all(txs)
    adapter = PerpCurie(perp.layout.clearing_house)
    return Market(world, perp, Indexer(chain, Store(path, 31337), [(adapter, 0)]))


def drop(market: Market, symbol: str, share: float, traded: Address = CAROL, *, seconds: int = 1_900) -> None:
    """Index and market move together, and time passes until every average has followed."""
    world, perp = market.world, market.perp
    world.rpc.send_all(perp.deposit(traded, 20_000_000 * 10**6))
    world.set_price(symbol, int(world.feed_price(symbol) * share))
    target = world.feed_price(symbol) * 10**10
    for _ in range(40):  # ten per cent of ticks a block at most
        price = int(perp.pool(symbol).call("slot0")[0]) ** 2 * WAD >> 192
        if abs(price - target) * 50 < target:
            break
        long = price < target
        amount = 400_000 * WAD if long else 400_000 * WAD * WAD // price
        world.rpc.send_all([perp.open(traded, symbol, amount, long=long, exact_in=True)])
        world.advance(20)
    for _ in range(2):
        world.advance(seconds // 2)
        world.rpc.send_all([perp.settle(traded)])


def taken(market: Market, action: Takeover, repay: int) -> int:
    """What a liquidator without a contract earns, in units: margin and all calls in one block, in order."""
    world = market.world
    margin = world.hand_out("USDC", KEEPER, repay, action.spender)
    before = world.balance("USDC", KEEPER)
    calls = [Tx(KEEPER, call.target, "0x" + call.data.hex()) for call in action.calls(repay)]
    receipts = world.rpc.send_all([*margin, *calls])
    assert len({receipt["blockNumber"] for receipt in receipts}) == 1
    return world.balance("USDC", KEEPER) - before - repay
