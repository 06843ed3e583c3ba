"""Ladder and cascade: the reference's numbers, and what is said when there is nothing to say."""

import numpy as np
import pytest

from keeper.core.venues import Liquidity
from keeper.errors import ConfigError
from keeper.reports.cascade import cascade
from keeper.reports.ladder import falls, ladder
from tests.unit.estimator_world import USD
from tests.unit.report_world import STETH, USDC, WBTC, WETH, Market, depth, reference

FALLS = np.array([1.0, 0.95, 0.90, 0.80, 0.70])


def test_the_ladder_of_the_reference() -> None:
    found = ladder(reference().snapshot(), [WETH.address], FALLS)
    assert [round(found.at(step)[0] / USD) for step in range(5)] == [0, 97_500, 169_500, 329_500, 344_000]
    assert found.accounts.tolist() == [0, 1, 2, 3, 4]
    assert [round(found.at(step)[1] / USD) for step in (1, 4)] == [round(97_500 * 0.825), round(344_000 * 0.825)]
    assert found.rows(2) == {0, 1}


def test_a_short_leaves_the_ladder_when_the_price_falls() -> None:
    market = Market()
    short = market.account(1, {USDC: 1_000}, {WETH: 0.4})  # 780 against 800
    snap = market.snapshot()
    found = ladder(snap, [WETH.address], FALLS)
    assert [found.rows(step) for step in range(5)] == [{short}, set(), set(), set(), set()]
    assert list(found.at(0)) == pytest.approx([1_000 * USD, 800 * USD])
    assert found.at(1) == (0, 0)


def test_only_what_moves_counts_at_the_price_of_its_turn() -> None:
    market = Market()
    market.account(1, {WETH: 10, WBTC: 1}, {USDC: 60_000.001})  # 16,500 + 46,800 = 63,300
    found = ladder(market.snapshot(), [WETH.address], falls(10, 0.5))
    turn = (60_000 - 46_800) / 8.25
    number = market.snapshot().numbers[WETH.address]
    assert found.accounts.tolist() == [0, 0, 0, 0, 1, 1, 1, 1, 1, 1, 1]
    assert round(found.collateral[number, 10] / USD, 1) == round(10 * turn, 1)
    assert round(found.at(10)[0] / USD - 10 * turn, 1) == 60_000


def test_the_cascade_of_the_reference() -> None:
    found = cascade(reference().snapshot(depth(1_000)), {WETH.address: 0.97}, whole=True)
    assert [round(price / USD, 2) for price in found.path(WETH.address)] == [2_000, 1_940, 1_762.17, 1_636.94]
    assert round(found.sold(WETH.address) / 10**18, 3) == 90
    assert round(found.amplification(WETH.address), 2) == 6.05
    assert [len(one.sales) for one in found.rounds] == [1, 1, 0]


def test_without_impact_there_is_no_second_round() -> None:
    found = cascade(reference().snapshot(depth(10**9)), {WETH.address: 0.97}, whole=True)
    assert [len(one.sales) for one in found.rounds] == [1, 0]
    assert round(found.amplification(WETH.address), 3) == 1


def test_what_the_market_would_take_is_less_than_the_whole_and_the_book_is_as_before() -> None:
    market = reference()
    snap = market.snapshot(depth(1_000))
    before = snap.book.digest()
    found = cascade(snap, {WETH.address: 0.97})
    (sale,) = found.rounds[0].sales
    assert found.exact
    assert sale.repaid == (round(1950 * 50 * 0.825 * 10**6) + 1) // 2
    assert sale.seized == pytest.approx(sale.repaid / 10**6 * 1.05 / 1_940 * 10**18, rel=1e-9)
    assert snap.book.digest() == before
    assert not snap.book.changes


def test_an_account_falls_again_with_what_it_has_left() -> None:
    market = Market()
    market.turning_at(1, 1_990, 400)
    found = cascade(market.snapshot(depth(1_000)), {WETH.address: 0.99})
    assert [len(one.sales) for one in found.rounds][:2] == [1, 1]
    first, second = (one.sales[0] for one in found.rounds[:2])
    assert first.account == second.account
    assert second.repaid < 1_990 * 400 * 0.825 * 10**6 - first.repaid + 1


def test_two_assets_follow_their_own_pools_and_a_third_has_none() -> None:
    market = Market()
    market.turning_at(1, 1_950, 50)
    market.account(2, {STETH: 10}, {USDC: 16_100})
    found = cascade(market.snapshot(depth(1_000)), {WETH.address: 0.97, STETH.address: 0.97})
    assert found.rounds[0].stuck == (1,)
    assert [sale.collateral_asset for sale in found.sales] == [WETH.address]
    assert found.rounds[-1].prices[STETH.address] == round(STETH.price * 0.97)


def test_debt_that_nobody_can_pay_is_counted() -> None:
    market = Market()
    market.account(1, {STETH: 10}, {USDC: 16_000})
    found = cascade(market.snapshot(depth(1_000)), {STETH.address: 0.7})
    assert not found.sales
    assert round(found.shortfall / USD) == 2_000


def test_missing_depth_is_said_and_never_infinite() -> None:
    for liquidity in (None, Liquidity.of([])):
        with pytest.raises(ConfigError, match="no depth is known at block 100"):
            cascade(reference().snapshot(liquidity), {WETH.address: 0.97})


def test_an_empty_book_and_an_unknown_asset_are_said() -> None:
    with pytest.raises(ConfigError, match="has no borrower at block 100"):
        ladder(Market().snapshot(), [WETH.address], FALLS)
    with pytest.raises(
        ConfigError, match=r"DOGE: market 0x11\w+ has no such asset; there are USDC, WBTC, WETH, wstETH"
    ):
        reference().snapshot().find("DOGE")
    assert reference().snapshot().find(WBTC.address) == reference().snapshot().find("WBTC") == WBTC.address


@pytest.mark.parametrize("shock", [{}, {WETH.address: 0.0}])
def test_a_shock_must_be_one(shock: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="positive factor"):
        cascade(reference().snapshot(depth(1_000)), shock)  # type: ignore[arg-type]
