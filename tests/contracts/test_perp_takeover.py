"""Liquidations of the real exchange: what is taken, what is earned, and when nothing is."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from keeper.chain.pool import Pool
from keeper.core.units import WAD
from keeper.devnet.world import World
from keeper.protocols.perp_curie.takeover import Takeover
from tests.contracts.perp_market import ALICE, KEEPER, Market, build, drop, taken


@pytest.fixture
async def market(world: World, tmp_path: Path) -> AsyncIterator[Market]:
    async with Pool([world.anvil.url]) as chain:
        yield build(world, chain, tmp_path / "state.sqlite")


def offers(market: Market, trader: str, at: int) -> list[Takeover]:
    found = market.adapter.actions(market.book, market.row(trader), at)  # type: ignore[arg-type]
    assert all(isinstance(action, Takeover) for action in found), found
    return list(found)  # type: ignore[arg-type]


@pytest.mark.parametrize("long", [True, False])
async def test_an_inherited_position_is_flat_within_the_block_and_earns_what_was_predicted(
    market: Market, *, long: bool
) -> None:
    perp, world = market.perp, market.world
    world.rpc.send_all(perp.deposit(ALICE, 5_000 * 10**6))
    world.rpc.send_all([perp.open(ALICE, "WETH", 40_000 * WAD, long=long, exact_in=long)])
    drop(market, "WETH", 0.9 if long else 1.1)
    at = await market.next()
    (action,) = offers(market, ALICE, at)
    repay = action.intervals()[-1][1]
    predicted = action.settle(repay)
    earned = taken(market, action, repay)
    assert earned == predicted.received - repay > 0
    assert perp.size(KEEPER, "WETH") == 0
    assert perp.part("Vault").call("getBalance", KEEPER) == 0
