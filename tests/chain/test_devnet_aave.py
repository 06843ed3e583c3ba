"""Corners of Aave that the local world must have: each is a rule that some version knows and another does not."""

import pytest

from keeper.core.units import MAX_U256, WAD, Address
from keeper.devnet.actions import STABLE_RATE
from keeper.devnet.layout import ADMIN, USD, EMode
from keeper.devnet.rpc import Reverted
from keeper.devnet.world import World

BORROWER = Address("0x" + "b0" * 20)
LIQUIDATOR = Address("0x" + "11" * 20)


def test_stable_debt_counts_and_can_be_swapped(world: World) -> None:
    world.fund(BORROWER)
    world.supply(BORROWER, "WETH", 10 * WAD)
    world.borrow(BORROWER, "USDC", 5_000 * 10**6, STABLE_RATE)
    reserve = world.layout.reserves["USDC"]
    assert reserve.s_token is not None
    stable = world.v_token("USDC").at(reserve.s_token)
    assert stable.call("balanceOf", BORROWER) == 5_000 * 10**6
    assert world.account_data(BORROWER).debt_base == 5_000 * USD
    world.swap_rate_mode(BORROWER, "USDC", STABLE_RATE)
    assert stable.call("balanceOf", BORROWER) == 0
    assert world.debt(BORROWER, "USDC") >= 5_000 * 10**6


def test_emode_with_a_price_of_its_own(world: World) -> None:
    world.fund(BORROWER)
    source = world.add_feed("one price for all", 2_000 * USD)
    world.set_emode_category(EMode(5, "own price", ("WETH", "WSTETH"), 9300, 9500, 10100, source.proxy))
    world.set_emode(BORROWER, 5)
    world.supply(BORROWER, "WSTETH", 10 * WAD)
    assert world.account_data(BORROWER).collateral_base == 20_000 * USD
    world.set_price("WSTETH", USD)
    assert world.account_data(BORROWER).collateral_base == 20_000 * USD
    world.set_price("one price for all", 1_000 * USD)
    assert world.account_data(BORROWER).collateral_base == 10_000 * USD


def test_tokens_of_zero_and_of_24_decimals_are_worth_what_they_say(world: World) -> None:
    world.fund(BORROWER)
    world.supply(BORROWER, "TIX", 7)
    assert world.account_data(BORROWER).collateral_base == 700 * USD
    world.supply(BORROWER, "YOC", 3 * 10**24)
    assert world.account_data(BORROWER).collateral_base == 715 * USD


def test_a_sentinel_holds_liquidations_back(any_world: World) -> None:
    world = any_world
    world.fund(BORROWER, LIQUIDATOR)
    world.supply(BORROWER, "WETH", 10 * WAD)
    world.borrow(BORROWER, "USDC", 15_000 * 10**6)
    sequencer = world.add_sentinel(grace=3_600)
    is_down = True
    sequencer.send("setAnswer", is_down, world.timestamp(), sender=ADMIN)
    world.set_price("WETH", 1_800 * USD)  # health 0.99: not below 0.95
    with pytest.raises(Reverted, match=r"59|PriceOracleSentinelCheckFailed"):
        world.liquidate(LIQUIDATOR, "WETH", "USDC", BORROWER)
    sequencer.send("setAnswer", not is_down, world.timestamp(), sender=ADMIN)
    world.advance(4_000)
    world.liquidate(LIQUIDATOR, "WETH", "USDC", BORROWER)


def test_grace_period_and_deficit(world_36: World) -> None:
    world = world_36
    world.fund(BORROWER, LIQUIDATOR)
    world.supply(BORROWER, "WETH", WAD)
    world.borrow(BORROWER, "USDC", 1_500 * 10**6)
    world.pause("WETH", paused=True)
    world.pause("WETH", paused=False, grace=1_000)
    world.set_price("WETH", 1_000 * USD)
    with pytest.raises(Reverted, match="LiquidationGraceSentinelCheckFailed"):
        world.liquidate(LIQUIDATOR, "WETH", "USDC", BORROWER)
    world.advance(1_001)
    world.liquidate(LIQUIDATOR, "WETH", "USDC", BORROWER)
    assert world.pool.call("getReserveDeficit", world.asset("USDC")) > 500 * 10**6
    assert world.account_data(BORROWER).health_factor == MAX_U256


def test_ltv_zero_in_a_liquid_emode(world_36: World) -> None:
    world = world_36
    world.fund(BORROWER)
    world.set_emode(BORROWER, 1)
    world.supply(BORROWER, "WSTETH", 10 * WAD)
    assert (world.account_data(BORROWER).ltv, world.account_data(BORROWER).threshold) == (9300, 9500)
    world.configure("setAssetLtvzeroInEMode", "WSTETH", 1, True)
    assert (world.account_data(BORROWER).ltv, world.account_data(BORROWER).threshold) == (0, 9500)
    with pytest.raises(Reverted):
        world.borrow(BORROWER, "WETH", WAD)
