"""Decisions: which way to fund and sell, what the plan says, and every refusal with its code."""

from dataclasses import replace
from typing import Any

import pytest

from keeper.core.actions import Witness
from keeper.core.plans import FundingKind, Plan, VenueKind
from keeper.core.ports import Loan
from keeper.core.refusals import Reason, Skip
from keeper.core.units import ZERO_ADDRESS, Amount, Bps, Timestamp, Wad, Wei
from keeper.core.venues import PoolKey
from keeper.estimator.bid import BidBook, BidPolicy
from keeper.estimator.decide import decide
from keeper.estimator.funding import own_balance
from keeper.estimator.gas import GasBook
from keeper.estimator.guards import Reading, RoundTrip, Sequencer, TokenRules
from keeper.estimator.risk import Breaker, LossCaps, Losses, Trip
from keeper.estimator.rollup import OpStackFee
from keeper.estimator.world import Candidate, Oracles, Policy, Risk
from keeper.venues.route.search import Routing
from keeper.venues.uniswap_v3.pool import UniswapV3Pool
from keeper.venues.uniswap_v3.ticks import sqrt_ratio, tick_of
from keeper.venues.uniswap_v3.walk import Place, Ticks
from tests.unit.estimator_world import (
    ACCOUNT,
    CAP,
    DAI_TOKEN,
    DEEP,
    ETH,
    FREE,
    GWEI,
    LOAN,
    MARKET,
    PRICES,
    THIN,
    USDC,
    USDC_TOKEN,
    WBTC_TOKEN,
    WETH_TOKEN,
    Pair,
    address,
    candidate,
    pool,
    world,
)

QUIET = BidBook(start=Bps(0), low=Bps(0))
NATIVE = Policy(WETH_TOKEN, Routing(hubs=(WETH_TOKEN,)), BidPolicy(tip=Wei(0)), window=3)


def v3(n: int, fee: int, reserve: int) -> UniswapV3Pool:
    """WETH and USDC at 2,000, one range from end to end, as deep as a v2 pool with this much WETH."""
    key = PoolKey(address(n), WETH_TOKEN, USDC_TOKEN, fee)
    price = sqrt_ratio(-200_311)  # 2,000 USDC for one WETH
    liquidity = reserve * price >> 96
    low, high = -887_220, 887_220
    both = (liquidity, liquidity)
    ticks = Ticks(60, -902_400, 902_400, index=(low, high), gross=both, net=(liquidity, -liquidity))
    return UniswapV3Pool(key, Place(price, tick_of(price), liquidity), ticks)


def plan_of(answer: Plan | Skip) -> Plan:
    assert isinstance(answer, Plan), answer
    return answer


def skip_of(answer: Plan | Skip) -> Skip:
    assert isinstance(answer, Skip), answer
    assert answer.account == ACCOUNT
    return answer


# --- funding and selling ---


def test_flash_swap_keeps_the_rest_in_the_profit_token() -> None:
    flash = v3(7, 500, 5_000 * ETH)
    plan = plan_of(decide(world(DEEP, flash, policy=NATIVE, bids=QUIET, gas=GasBook()), candidate()))
    (leg,) = plan.legs
    assert (leg.funding.kind, leg.funding.source, leg.funding.pool_fee) == (
        FundingKind.UNISWAP_V3_FLASH_SWAP,
        flash.address,
        500,
    )
    assert (leg.swaps, plan.conversions) == ((), ())
    paid = flash.quote_exact_out(USDC_TOKEN, leg.repay)
    assert paid is not None
    assert leg.funding.owed == paid.amount_in
    assert plan.estimate.profit == leg.settlement.received - paid.amount_in


def test_loan_and_exact_output_where_no_pool_can_flash() -> None:
    plan = plan_of(decide(world(DEEP, policy=NATIVE, bids=QUIET, gas=GasBook()), candidate()))
    (leg,) = plan.legs
    (swap,) = leg.swaps
    assert leg.funding.kind is FundingKind.AAVE_FLASH_LOAN
    assert (swap.exact_out, swap.rest, plan.conversions) == (True, True, ())
    assert swap.expected_out == leg.funding.owed
    assert plan.estimate.profit == leg.settlement.received - swap.amount_in


def test_a_locked_pool_is_not_sold_through() -> None:
    """WBTC is sold for WETH, and the flash swap's pool is paid in WETH: it must not be in the route."""
    btc = pool(8, WBTC_TOKEN, 300 * 10**8, WETH_TOKEN, 9_000 * ETH)
    flash = v3(7, 500, 5_000 * ETH)
    pair = Pair(((1, CAP),), collateral_asset=WBTC_TOKEN)
    plan = plan_of(decide(world(btc, flash, policy=NATIVE, bids=QUIET, gas=GasBook()), candidate(pair)))
    (leg,) = plan.legs
    assert leg.funding.kind is FundingKind.UNISWAP_V3_FLASH_SWAP
    assert [hop.pool for swap in leg.swaps for hop in swap.hops] == [btc.address]
    assert plan.conversions == ()


def test_pool_that_sells_forward_where_the_debt_is_the_profit_token() -> None:
    flash = v3(7, 500, 5_000 * ETH)
    pair = Pair(((1, 4 * ETH),), collateral_asset=USDC_TOKEN, debt_asset=WETH_TOKEN)
    plan = plan_of(decide(world(flash, policy=NATIVE, bids=QUIET, gas=GasBook()), candidate(pair)))
    (leg,) = plan.legs
    assert leg.funding.kind is FundingKind.UNISWAP_V3_FLASH_SWAP
    assert leg.funding.amount > leg.repay > 4 * ETH - ETH // 10**6  # a micro-dollar is the smallest collateral
    assert leg.funding.owed <= leg.settlement.received
    assert plan.estimate.profit == leg.funding.amount - leg.repay


def test_left_over_debt_is_converted() -> None:
    """DAI against USDC: neither is the profit token, so what is left of the debt becomes WETH at the end."""
    stable = pool(9, DAI_TOKEN, 10**7 * ETH, USDC_TOKEN, 10**7 * USDC, 100)
    pair = Pair(((1, CAP),), collateral_asset=DAI_TOKEN)
    plan = plan_of(decide(world(stable, DEEP, policy=NATIVE, bids=QUIET, gas=GasBook()), candidate(pair)))
    (leg,), (conversion,) = plan.legs, plan.conversions
    assert leg.swaps[-1].rest
    assert conversion.rest
    assert [(hop.token_in, hop.token_out) for hop in conversion.hops] == [(USDC_TOKEN, WETH_TOKEN)]
    assert conversion.amount_in == leg.swaps[0].expected_out - leg.funding.owed
    assert int(plan.estimate.profit) == int(conversion.expected_out)


def test_one_asset_on_both_sides_needs_no_sale() -> None:
    pair = Pair(((1, CAP),), collateral_asset=USDC_TOKEN)
    plan = plan_of(decide(world(bids=QUIET), candidate(pair)))
    assert plan.legs[0].swaps == ()
    assert plan.estimate.venue_fee == 0


def test_own_balance_is_used_when_it_is_cheapest() -> None:
    lenders = (LOAN, FREE, own_balance(USDC_TOKEN, CAP))
    plan = plan_of(decide(world(DEEP, bids=QUIET, lenders=lenders, gas=GasBook()), candidate()))
    assert plan.legs[0].funding.kind is FundingKind.OWN
    assert plan.legs[0].funding.source == ZERO_ADDRESS


def test_a_small_lender_is_used_as_far_as_it_goes() -> None:
    small = Loan(FundingKind.MORPHO_FLASH_LOAN, address(0xF3), USDC_TOKEN, 1_000 * USDC)
    plan = plan_of(decide(world(DEEP, bids=QUIET, lenders=(small,), base_fee=Wei(GWEI)), candidate()))
    assert plan.legs[0].repay == 1_000 * USDC


def test_receipts_are_sold_as_far_as_they_can_be_redeemed() -> None:
    """The market holds 4.3 of the 4.389 ETH seized, and accepts no smaller amount."""
    pair = Pair(((CAP, CAP),), receive_wrapped=True, withdrawable=43 * ETH // 10)
    plan = plan_of(decide(world(DEEP, bids=QUIET), candidate(pair)))
    (leg,) = plan.legs
    assert leg.receive_wrapped
    assert leg.settlement.received == 4_389 * ETH // 1000
    assert [swap.amount_in for swap in leg.swaps] == [43 * ETH // 10]
    whole = plan_of(decide(world(DEEP, bids=QUIET), candidate(Pair(((CAP, CAP),)))))
    kept = PRICES.wei_down(WETH_TOKEN, 89 * ETH // 1000)  # stays with the executor, and counts for nothing
    assert 0 < kept - (whole.estimate.profit - plan.estimate.profit) < kept // 50
    too_little = replace(pair, withdrawable=ETH)
    assert skip_of(decide(world(DEEP, bids=QUIET), candidate(too_little))).reason is Reason.UNPROFITABLE


def test_best_of_several_pairs_wins() -> None:
    btc = pool(8, WBTC_TOKEN, 300 * 10**8, USDC_TOKEN, 18_000_000 * USDC)
    pairs = (Pair(((1, CAP),)), Pair(((1, CAP),), collateral_asset=WBTC_TOKEN, bonus=11_000))
    plan = plan_of(decide(world(DEEP, btc, bids=QUIET), candidate(*pairs)))
    assert plan.legs[0].collateral_asset == WBTC_TOKEN


def test_sale_is_split_where_a_split_pays_its_gas() -> None:
    twin = replace(DEEP, key=replace(DEEP.key, address=address(99)))
    cheap = plan_of(decide(world(DEEP, twin, bids=QUIET, gas=GasBook(), base_fee=Wei(GWEI // 100)), candidate()))
    dear = plan_of(decide(world(DEEP, twin, bids=QUIET, gas=GasBook(), base_fee=Wei(20 * GWEI)), candidate()))
    parts = [swap.amount_in for swap in cheap.legs[0].swaps]
    assert len(parts) == 2
    assert abs(parts[0] - parts[1]) * 100 <= sum(parts)  # two equal pools: halves within one percent
    assert len(dear.legs[0].swaps) == 1


# --- what the plan says ---


def test_bid_is_a_share_of_profit_and_minimum_profit_covers_the_rest() -> None:
    policy = replace(NATIVE, bid=BidPolicy(floor=Wei(0), min_profit=Wei(ETH // 100), tip=Wei(10**6)))
    bids = BidBook(start=Bps(5000))
    plan = plan_of(decide(world(DEEP, policy=policy, bids=bids, gas=GasBook()), candidate()))
    e = plan.estimate
    value = e.profit - e.gas
    assert abs(e.bid - value // 2) <= e.profit // 10_000 + 1
    assert e.net >= ETH // 100

    def kept(profit: int) -> int:
        return profit - profit * plan.bid_bps // 10_000

    gas_used = e.gas // (20 * GWEI)
    needed = ETH // 100 + e.gas + 10**6 * gas_used
    assert kept(plan.min_profit) >= needed
    assert kept(plan.min_profit - 1) < needed
    assert plan.min_profit <= e.profit


def test_bid_is_a_priority_fee_where_profit_is_another_token() -> None:
    plan = plan_of(decide(world(DEEP, bids=BidBook(start=Bps(5000))), candidate()))
    e = plan.estimate
    assert plan.bid_bps == 0
    assert plan.tip == e.bid // 600_000
    assert abs(e.bid - (e.profit - e.gas) // 2) <= 600_000
    assert PRICES.wei_down(USDC_TOKEN, plan.min_profit) >= e.gas + e.bid


def test_window_deadline_and_fee_cap() -> None:
    policy = replace(NATIVE, window=3, bid=BidPolicy(tip=Wei(GWEI)))
    plan = plan_of(decide(world(DEEP, policy=policy, bids=QUIET), candidate()))
    assert (plan.block, plan.deadline) == (100, 102)
    assert plan.max_fee == 25_312_500_000 + GWEI  # 20 gwei, two full blocks later
    assert plan.gas_limit > plan.estimate.gas // (20 * GWEI)


def test_witness_leaves_room_for_a_small_repayment() -> None:
    pair = Pair(((1, CAP),), witness=Witness(address(5), Amount(16_000)))
    plan = plan_of(decide(world(DEEP, bids=QUIET), candidate(pair)))
    assert plan.legs[0].witness == Witness(address(5), Amount(14_000))


def test_swaps_tolerate_the_policy_s_slippage() -> None:
    plan = plan_of(decide(world(DEEP, bids=QUIET), candidate()))
    swap = plan.legs[0].swaps[0]
    assert swap.min_out == swap.expected_out * 9_950 // 10_000


def test_rollup_fees_are_a_cost() -> None:
    fee = OpStackFee(10**10, 10**9, 5_000, 500_000, pad=0)
    asked: list[Plan] = []

    def unsigned(plan: Plan) -> bytes:
        asked.append(plan)
        return bytes(range(256)) * 3

    without = plan_of(decide(world(DEEP, bids=QUIET), candidate()))
    with_fee = plan_of(decide(world(DEEP, bids=QUIET, data_fee=fee, unsigned=unsigned), candidate()))
    assert with_fee.estimate.l1_fee == fee.data_fee(bytes(range(256)) * 3) > 0
    assert without.estimate.net - with_fee.estimate.net == with_fee.estimate.l1_fee
    assert asked


def test_equal_worlds_give_equal_plans_and_another_block_another_name() -> None:
    one, two = (plan_of(decide(world(DEEP, bids=QUIET), candidate())) for _ in range(2))
    other = plan_of(decide(world(DEEP, bids=QUIET, block=101), candidate()))
    assert one == two
    assert one.opportunity_id != other.opportunity_id


# --- refusals ---

NOW = Timestamp(1_700_000_000)
OPEN = Breaker(failures_to_open=1).on(Trip.FAILURE, NOW, "reverted")
TIGHT = LossCaps(Wei(1), Wei(1), Wei(1))


@pytest.mark.parametrize(
    ("reason", "changes"),
    [
        (Reason.BREAKER, {"risk": Risk(breaker=OPEN)}),
        (Reason.SEQUENCER, {"oracles": Oracles(sequencer=Sequencer(0, Timestamp(NOW - 3599)))}),
        (Reason.GAS_PRICE, {"policy": replace(NATIVE, max_base_fee=Wei(GWEI))}),
        (Reason.ORACLE_STALE, {"oracles": Oracles({WETH_TOKEN: Reading(1, Timestamp(NOW - 10**5), 3600)})}),
        (Reason.ORACLE_INVALID, {"oracles": Oracles({USDC_TOKEN: Reading(0, NOW, 3600)})}),
        (Reason.DENIED_TOKEN, {"tokens": TokenRules(denied=frozenset({WETH_TOKEN}))}),
        (Reason.TRANSFER_TAX, {"tokens": TokenRules(trips={USDC_TOKEN: RoundTrip(100, 98)})}),
        (Reason.PAUSABLE_TOKEN, {"tokens": TokenRules(trips={USDC_TOKEN: RoundTrip(100, 0, reverted=True)})}),
        (Reason.NO_FUNDING, {"lenders": ()}),
        (Reason.NO_FUNDING, {"lenders": (replace(LOAN, token=DAI_TOKEN),)}),
        (Reason.LOSS_CAP, {"risk": Risk(caps=TIGHT)}),
        (Reason.ASSET_CAP, {"risk": Risk(caps=replace(TIGHT, per_hour=Wei(ETH), per_day=Wei(ETH)))}),
        (Reason.MANIPULABLE, {"policy": replace(NATIVE, profit_token=USDC_TOKEN, manipulation=Bps(1))}),
        (Reason.GAS_LIMIT, {"policy": replace(NATIVE, profit_token=USDC_TOKEN, tx_gas=500_000)}),
        (
            Reason.BELOW_MIN_PROFIT,
            {"policy": replace(NATIVE, profit_token=USDC_TOKEN, bid=BidPolicy(min_profit=Wei(ETH)))},
        ),
        (Reason.BELOW_MIN_PROFIT, {"policy": replace(NATIVE, profit_token=USDC_TOKEN, min_profit_bps=Bps(400))}),
        (Reason.BELOW_MIN_PROFIT, {"policy": replace(NATIVE, profit_token=USDC_TOKEN, bid=BidPolicy(floor=Wei(ETH)))}),
        (Reason.UNPROFITABLE, {"base_fee": Wei(1_000 * GWEI)}),
    ],
)
def test_refusals(reason: Reason, changes: dict[str, Any]) -> None:
    skip = skip_of(decide(world(DEEP, **changes), candidate()))
    assert skip.reason is reason
    assert any(character.isdigit() for character in skip.term), skip.term


def test_refusals_of_the_pair_itself() -> None:
    def reason_of(*pairs: Any, **changes: Any) -> Reason:
        return skip_of(decide(world(DEEP, **changes), Candidate(ACCOUNT, pairs, PRICES, MARKET))).reason

    assert reason_of(Reason.PAUSED) is Reason.PAUSED
    assert reason_of(Pair(())) is Reason.DUST
    assert reason_of(Pair(((1, CAP),), receive_wrapped=True, withdrawable=0)) is Reason.NO_LIQUIDITY
    assert reason_of(Pair(((1, CAP),), collateral_asset=WBTC_TOKEN)) is Reason.NO_ROUTE
    unpriced = Pair(((1, CAP),), collateral_asset=WBTC_TOKEN)
    prices = replace(PRICES, assets={token: PRICES.assets[token] for token in (WETH_TOKEN, USDC_TOKEN)})
    skip = skip_of(decide(world(DEEP), Candidate(ACCOUNT, (unpriced,), prices, MARKET)))
    assert skip.reason is Reason.ORACLE_INVALID
    assert reason_of() is Reason.QUARANTINED


def test_profit_token_out_of_reach() -> None:
    stable = pool(9, DAI_TOKEN, 10**7 * ETH, USDC_TOKEN, 10**7 * USDC, 100)
    pair = Pair(((1, CAP),), collateral_asset=DAI_TOKEN)
    assert skip_of(decide(world(stable, policy=NATIVE), candidate(pair))).reason is Reason.NO_ROUTE


def test_divergence_from_the_venues_and_their_time_weighted_price() -> None:
    moved = pool(1, WETH_TOKEN, 5_000 * ETH, USDC_TOKEN, 9_000_000 * USDC)
    policy = Policy(USDC_TOKEN, divergence=Bps(300), bid=BidPolicy(tip=Wei(0)))
    assert skip_of(decide(world(moved, policy=policy), candidate())).reason is Reason.ORACLE_DIVERGENCE
    plan_of(decide(world(DEEP, policy=policy), candidate()))
    flash = v3(7, 500, 5_000 * ETH)
    low = Oracles(mean_ticks={flash.address: -200_311 - 600})  # six percent less, over the window
    refused = skip_of(decide(world(flash, policy=policy, oracles=low), candidate()))
    assert refused.reason is Reason.ORACLE_DIVERGENCE
    fair = Oracles(mean_ticks={flash.address: -200_311})
    plan_of(decide(world(flash, policy=policy, oracles=fair), candidate()))


def test_haircut_widens_the_minimum() -> None:
    """1.56 % of 8,778 dollars is 136.5: less than fixture F earns, more than nothing."""
    base = Policy(USDC_TOKEN, bid=BidPolicy(tip=Wei(0)), haircut_z=3, hold=900, sigma=Wad(8 * 10**17))
    plan_of(decide(world(DEEP, policy=base, bids=QUIET), candidate()))
    wide = replace(base, haircut_z=8)
    skip = skip_of(decide(world(DEEP, policy=wide, bids=QUIET), candidate()))
    assert skip.reason is Reason.BELOW_MIN_PROFIT
    calm = replace(wide, sigmas={WETH_TOKEN: Wad(10**17)})
    plan_of(decide(world(DEEP, policy=calm, bids=QUIET), candidate()))


def test_losses_already_booked_count() -> None:
    caps = LossCaps(per_hour=Wei(ETH), per_day=Wei(ETH), per_asset_day=Wei(ETH))
    fine = Risk(caps=caps)
    plan_of(decide(world(DEEP, risk=fine, bids=QUIET), candidate()))
    lost = replace(fine, losses=Losses().book(WETH_TOKEN, ETH, NOW))
    assert skip_of(decide(world(DEEP, risk=lost, bids=QUIET), candidate())).reason is Reason.LOSS_CAP
    free = replace(lost, reverts_cost=False, caps=LossCaps(*(Wei(ETH),) * 3))
    plan_of(decide(world(DEEP, risk=free, bids=QUIET), candidate()))


def test_the_closest_pair_explains_the_refusal() -> None:
    pairs = (Pair(((CAP, CAP),)), Reason.PAUSED)
    skip = skip_of(decide(world(THIN), Candidate(ACCOUNT, pairs, PRICES, MARKET)))
    assert skip.reason is Reason.UNPROFITABLE


def test_router_conflicts() -> None:
    from keeper.core.plans import Hop, SwapLeg  # noqa: PLC0415
    from keeper.estimator.funding import conflicts  # noqa: PLC0415

    def swap(kind: VenueKind, at: int) -> SwapLeg:
        hop = Hop(kind, address(at), WETH_TOKEN, USDC_TOKEN, 0)
        return SwapLeg(Amount(1), Amount(1), Amount(1), (hop,))

    flash, vault = FundingKind.UNISWAP_V3_FLASH_SWAP, FundingKind.BALANCER_FLASH_LOAN
    assert conflicts(flash, address(7), [swap(VenueKind.UNISWAP_V3, 7)])
    assert not conflicts(flash, address(7), [swap(VenueKind.UNISWAP_V3, 8)])
    assert conflicts(flash, address(7), [swap(VenueKind.ROUTER, 8)])
    assert conflicts(vault, address(7), [swap(VenueKind.ROUTER, 8)])
    assert not conflicts(vault, address(7), [swap(VenueKind.UNISWAP_V2, 8)])
    assert not conflicts(FundingKind.MORPHO_FLASH_LOAN, address(7), [swap(VenueKind.ROUTER, 8)])
