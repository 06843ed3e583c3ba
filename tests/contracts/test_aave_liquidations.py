"""From the book alone: the liquidation the adapter offers is the liquidation that happens, to the wei."""

import random
from pathlib import Path

import pytest

from keeper.chain.pool import Pool
from keeper.core.refusals import Reason
from keeper.core.units import WAD, Address, Timestamp
from keeper.devnet.layout import USD
from keeper.devnet.rpc import Reverted
from keeper.devnet.world import World
from keeper.indexer.indexer import Indexer
from keeper.protocols.aave_v3.adapter import AaveV3
from keeper.store.store import Store

LIQUIDATOR = Address("0x" + "77" * 20)


async def test_offered_from_the_book_and_executed(any_world: World, tmp_path: Path, seed: int) -> None:
    """Forty borrowers, a crash, and each account's pairs tried at amounts inside and just outside the intervals."""
    world, draw = any_world, random.Random(seed)
    world.borrowers(40, seed)
    for symbol, factor in (("WETH", 0.7), ("WBTC", 0.75), ("LINK", 0.6), ("WSTETH", 0.7)):
        world.set_price(symbol, int(world.price(symbol) * factor))
    world.fund(LIQUIDATOR)
    symbols = {reserve.asset: symbol for symbol, reserve in world.layout.reserves.items()}
    checked = 0
    async with Pool([world.anvil.url]) as chain:
        indexer = Indexer(chain, Store(tmp_path / "s", 31337), [(AaveV3(world.layout.aave.provider), 0)])
        block = await indexer.advance()
        market = indexer.markets[0]
        rows = [row for row in range(len(market.book)) if _unhealthy(market, row, block.timestamp)]
        assert len(rows) >= 10
        for row in draw.sample(rows, 10):
            for action in market.adapter.actions(market.book, row, Timestamp(block.timestamp + 36)):
                assert not isinstance(action, Reason)
                for low, high in action.intervals():
                    repay = draw.choice([low, high, draw.randint(low, high)])
                    snapshot = world.rpc.rpc("evm_snapshot")
                    expected = action.settle(repay)
                    pair = symbols[action.collateral_asset], symbols[action.debt_asset]
                    world.mint_token(pair[1], LIQUIDATOR, 2 * repay + 10)
                    world.token(pair[1]).send("approve", world.layout.aave.pool, 2 * repay + 10, sender=LIQUIDATOR)
                    assert world.timestamp() + 12 == block.timestamp + 36
                    before = _balances(world, pair, wrapped=action.receive_wrapped)
                    world.rpc.send_all(
                        [
                            world.liquidate_tx(
                                LIQUIDATOR, *pair, action.account, repay, receive_atoken=action.receive_wrapped
                            )
                        ]
                    )
                    after = _balances(world, pair, wrapped=action.receive_wrapped)
                    assert before[1] - after[1] == expected.paid
                    assert after[0] - before[0] == expected.received
                    world.rpc.rpc("evm_revert", snapshot)
                    world.rpc.rpc("anvil_dropAllTransactions")
                    checked += 1
    assert checked >= 10


async def test_blocked_pairs_say_why(world_36: World, tmp_path: Path) -> None:
    world = world_36
    borrower = Address("0x" + "b0" * 20)
    world.fund(borrower, LIQUIDATOR)
    world.supply(borrower, "WETH", world.units("WETH", 10))
    world.borrow(borrower, "USDC", world.units("USDC", 10_000))
    world.set_price("WETH", 1_000 * USD)
    world.pause("WETH", paused=True, grace=0)
    async with Pool([world.anvil.url]) as chain:
        indexer = Indexer(chain, Store(tmp_path / "s", 31337), [(AaveV3(world.layout.aave.provider), 0)])
        market = indexer.markets[0]

        async def reasons() -> list[object]:
            block = await indexer.advance()
            row = market.book.row(borrower)
            assert row is not None
            return list(market.adapter.actions(market.book, row, Timestamp(block.timestamp + 12)))

        assert await reasons() == [Reason.PAUSED]
        world.pause("WETH", paused=False, grace=3600)
        assert await reasons() == [Reason.GRACE]
        with pytest.raises(Reverted, match="Grace"):
            world.liquidate(LIQUIDATOR, "WETH", "USDC", borrower)
        world.advance(3700)
        world.rpc.rpc("evm_mine")
        offered = await reasons()
        assert len(offered) == 1
        assert not isinstance(offered[0], Reason)


def _unhealthy(market: object, row: int, at: int) -> bool:
    health = market.adapter.health(market.book, row, at)  # type: ignore[attr-defined]
    return bool(health.health_factor < WAD)


def _balances(world: World, pair: tuple[str, str], *, wrapped: bool) -> tuple[int, int]:
    token = world.a_token(pair[0]) if wrapped else world.token(pair[0])
    return int(token.call("balanceOf", LIQUIDATOR)), int(world.token(pair[1]).call("balanceOf", LIQUIDATOR))
