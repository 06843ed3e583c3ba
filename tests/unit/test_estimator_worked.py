"""The worked numbers of the reference: fixture F, its cost identity, the thin pool, and the choice of funding."""

from dataclasses import replace

import pytest

from keeper.core.plans import FundingKind, Plan
from keeper.core.refusals import Reason, Skip
from keeper.core.units import Bps
from keeper.estimator.bid import BidBook
from keeper.estimator.decide import decide
from tests.unit.estimator_world import CAP, DEEP, ETH, FREE, LOAN, THIN, USDC, Pair, candidate, gas_of, usd, world


def plan_of(answer: Plan | Skip) -> Plan:
    assert isinstance(answer, Plan), answer
    return answer


NOTHING = BidBook(start=Bps(0), low=Bps(0))


def test_fixture_f_earns_315_81() -> None:
    plan = plan_of(decide(world(DEEP, bids=NOTHING), candidate()))
    (leg,) = plan.legs
    assert leg.repay == CAP
    assert (leg.settlement.received, leg.settlement.protocol_fee) == (4_389 * ETH // 1000, 21 * ETH // 1000)
    (swap,) = leg.swaps
    assert round(swap.expected_out / USDC, 2) == 8744.01
    assert leg.funding.fee == 4_200_000
    assert round(usd(plan.estimate.net), 2) == 315.81


def test_cost_identity_of_fixture_f() -> None:
    e = plan_of(decide(world(DEEP, bids=NOTHING), candidate())).estimate
    terms = (e.protocol_fee, e.venue_fee, e.impact, e.funding_fee, e.gas, e.l1_fee, e.bid, e.net)
    assert e.gross_bonus == sum(terms)
    rounded = [round(usd(term), 2) for term in (e.gross_bonus, *terms)]
    assert rounded == [420, 42, 26.33, 7.65, 4.20, 24, 0, 0, 315.81]


def test_thin_pool_is_better_with_less_than_the_cap() -> None:
    plan = plan_of(decide(world(THIN, bids=NOTHING), candidate()))
    assert round(plan.legs[0].repay / USDC, 2) == 3928.11
    assert round(usd(plan.estimate.net), 2) == 56.42


def test_thin_pool_at_the_cap_loses() -> None:
    skip = decide(world(THIN, bids=NOTHING), candidate(Pair(((CAP, CAP),))))
    assert isinstance(skip, Skip)
    assert skip.reason is Reason.UNPROFITABLE
    assert skip.term.startswith("net -0.0217")  # of 2,000 dollars
    assert round(float(skip.term.split()[1]) * 2000, 2) == -43.44


@pytest.mark.parametrize("percent", [99, 101])
def test_thin_pool_one_percent_off_is_worse(percent: int) -> None:
    best = plan_of(decide(world(THIN, bids=NOTHING), candidate()))
    off = best.legs[0].repay * percent // 100
    other = plan_of(decide(world(THIN, bids=NOTHING), candidate(Pair(((off, off),)))))
    assert other.estimate.net < best.estimate.net


def test_drained_free_source_costs_exactly_the_fee_of_the_next() -> None:
    book = gas_of(600_000, FundingKind.AAVE_FLASH_LOAN, FundingKind.BALANCER_FLASH_LOAN)
    free = plan_of(decide(world(DEEP, bids=NOTHING, gas=book, lenders=(LOAN, FREE)), candidate()))
    drained = replace(FREE, available=0)
    paid = plan_of(decide(world(DEEP, bids=NOTHING, gas=book, lenders=(LOAN, drained)), candidate()))
    assert free.legs[0].funding.kind is FundingKind.BALANCER_FLASH_LOAN
    assert paid.legs[0].funding.kind is FundingKind.AAVE_FLASH_LOAN
    assert free.estimate.net - paid.estimate.net == 4_200_000 * ETH // (2000 * USDC)
