"""Loans that several legs share: who joins, what it costs, and that a plan on its own never sees one."""

from dataclasses import replace
from itertools import pairwise

import pytest

from keeper.core.plans import FundingKind, Leg, Plan, loans_of
from keeper.core.ports import Loan
from keeper.core.units import BPS, Bps, mul_div_half_up, mul_div_up
from keeper.core.venues import Pool
from keeper.estimator.decide import decide
from keeper.estimator.funding import loan_fee
from keeper.estimator.gas import GasBook, LegShape, Shape, prior
from keeper.estimator.pack import pack
from keeper.estimator.world import Candidate, World
from tests.unit.estimator_world import (
    AAVE,
    CAP,
    DAI_TOKEN,
    DEEP,
    ETH,
    FREE,
    GWEI,
    LOAN,
    USDC,
    USDC_TOKEN,
    WETH_TOKEN,
    Pair,
    address,
    candidate,
    pool,
    world,
)

DAIS = pool(5, WETH_TOKEN, 5_000 * ETH, DAI_TOKEN, 10_000_000 * ETH)
STABLE = pool(6, USDC_TOKEN, 10_000_000 * USDC, DAI_TOKEN, 10_000_000 * ETH, 100)
DAI_LOAN = Loan(FundingKind.AAVE_FLASH_LOAN, AAVE, DAI_TOKEN, 10**28, Bps(5))
LEG = LegShape("aave_v3", FundingKind.AAVE_FLASH_LOAN, wrapped=False, bad_debt=False, swaps=((DEEP.kind,),))
JOINED = LEG._replace(joins=True)


def people(*caps: int) -> list[Candidate]:
    """In the order in which they are packed: the largest first."""
    names = [address(1000 + n) for n in range(len(caps))]
    return [candidate(Pair(((1, cap),), account=name), account=name) for name, cap in zip(names, caps, strict=True)]


def in_dai(n: int, cap: int) -> Candidate:
    return candidate(Pair(((1, cap),), debt_asset=DAI_TOKEN, account=address(n)), account=address(n))


def packed(here: World, candidates: list[Candidate]) -> Plan:
    (plan,) = pack(here, candidates).plans
    return plan


def replayed(legs: tuple[Leg, ...], *pools: Pool) -> None:
    """Every sale of a plan is what the pools give for it, one after the other."""
    known = {one.address: one for one in pools}
    for leg in legs:
        for swap in leg.swaps:
            amount: int = swap.amount_in
            for hop in swap.hops[: -1 if swap.exact_out else None]:
                quote = known[hop.pool].quote_exact_in(hop.token_in, amount)
                assert quote is not None
                known[hop.pool], amount = quote.after, quote.amount_out
            if swap.exact_out:
                bought = known[swap.hops[-1].pool].quote_exact_out(leg.debt_asset, swap.expected_out)
                assert bought is not None
                assert bought.amount_in <= amount
                assert len(swap.hops) > 1 or bought.amount_in == amount
                known[swap.hops[-1].pool], amount = bought.after, leg.settlement.paid + leg.funding.fee
            assert amount == swap.expected_out


@pytest.mark.parametrize("up", [False, True])
def test_legs_that_borrow_one_asset_of_one_lender_share_a_loan(up: bool) -> None:  # noqa: FBT001
    lender = replace(LOAN, fee_up=up)
    plan = packed(world(DEEP, lenders=(lender,), gas=GasBook()), people(CAP + 3, CAP + 2, CAP + 1))
    assert [leg.funding.joins for leg in plan.legs] == [False, True, True]
    amounts = [leg.funding.amount for leg in plan.legs]
    fee = (mul_div_up if up else mul_div_half_up)(sum(amounts), 5, BPS)
    assert [leg.funding.fee for leg in plan.legs] == [fee, 0, 0]
    assert [leg.funding.owed for leg in plan.legs] == [amounts[0] + fee, *amounts[1:]]
    replayed(plan.legs, DEEP)
    made = sum(leg.swaps[0].expected_out - leg.settlement.paid for leg in plan.legs) - fee
    assert plan.estimate.profit == made * ETH // (2000 * USDC)
    cost = plan.estimate
    terms = (cost.protocol_fee, cost.venue_fee, cost.impact, cost.funding_fee, cost.gas, cost.l1_fee, cost.bid)
    assert cost.gross_bonus == sum(terms) + cost.net
    assert cost.funding_fee == -(-fee * ETH // (2000 * USDC))


def test_roundings_of_several_loans_are_not_those_of_one() -> None:
    lender = replace(LOAN, fee_up=True)
    amounts = (2_001, 2_001, 2_001)
    assert sum(loan_fee(lender, each) for each in amounts) == 6
    first = replace(lender, beside=sum(amounts[1:]))
    assert loan_fee(first, amounts[0]) + 2 * loan_fee(replace(lender, fee=Bps(0)), amounts[1]) == 4


def test_a_plan_on_its_own_is_what_it_was() -> None:
    here, (one,) = world(DEEP, gas=GasBook()), people(CAP)
    assert packed(here, [one]) == decide(here, one)
    assert not packed(here, [one]).legs[0].funding.joins


def test_nobody_joins_a_loan_beyond_what_the_lender_has() -> None:
    lender = replace(LOAN, available=2 * CAP + CAP // 2)
    plan = packed(world(DEEP, lenders=(lender,), gas=GasBook()), people(*[CAP] * 4))
    for legs in loans_of(plan.legs):
        assert sum(leg.funding.amount for leg in legs) <= lender.available
    assert [leg.repay for leg in plan.legs] == [CAP] * 4  # whoever does not fit takes a loan of its own
    assert [leg.funding.joins for leg in plan.legs].count(True) == 1


@pytest.mark.parametrize("pools", [(DEEP, DAIS, STABLE), (DEEP, STABLE)])  # the second way all sell into one pool
def test_legs_of_two_assets_come_in_two_loans_whatever_the_order(pools: tuple[Pool, ...]) -> None:
    mixed = [
        *people(CAP + 40 * USDC, CAP + 20 * USDC),
        in_dai(7, (CAP // USDC + 30) * ETH),
        in_dai(8, (CAP // USDC + 10) * ETH),
    ]
    here = world(*pools, lenders=(LOAN, DAI_LOAN), gas=GasBook())
    plan = packed(here, mixed)
    found = loans_of(plan.legs)
    assert [[leg.debt_asset for leg in legs] for legs in found] == [[USDC_TOKEN] * 2, [DAI_TOKEN] * 2]
    for legs in found:
        fee = mul_div_half_up(sum(leg.funding.amount for leg in legs), 5, BPS)
        assert [leg.funding.fee for leg in legs] == [fee, 0]
    replayed(plan.legs, *pools)


def test_who_is_moved_before_others_finds_the_pools_as_they_were() -> None:
    """The last one joins the first, and so comes before the second, who sells into the same pool as it does."""
    last = Pair(((1, CAP),), collateral_asset=DAI_TOKEN, account=address(8))
    mixed = [*people(CAP + 40 * USDC), in_dai(7, (CAP // USDC + 20) * ETH), candidate(last, account=address(8))]
    pools = (DEEP, STABLE)
    plan = packed(world(*pools, lenders=(LOAN, DAI_LOAN), gas=GasBook()), mixed)
    assert [leg.account for leg in plan.legs] == [address(1000), address(8), address(7)]
    assert [leg.funding.joins for leg in plan.legs] == [False, True, False]
    replayed(plan.legs, *pools)


def test_a_free_lender_is_shared_too_and_two_lenders_are_not_one() -> None:
    plan = packed(world(DEEP, lenders=(FREE,), gas=GasBook()), people(CAP, CAP - 1))
    assert [leg.funding.joins for leg in plan.legs] == [False, True]
    short, other = replace(FREE, available=CAP), replace(FREE, source=address(0xF9))
    plan = packed(world(DEEP, lenders=(short, other), gas=GasBook()), people(CAP, CAP - 1, CAP - 2))
    for legs in loans_of(plan.legs):
        assert len({leg.funding.source for leg in legs}) == 1
        assert sum(leg.funding.amount for leg in legs) <= (CAP if legs[0].funding.source == FREE.source else 10**15)


def test_who_is_paid_in_the_asset_that_is_lent_does_not_join() -> None:
    one_asset = Pair(((1, CAP),), collateral_asset=USDC_TOKEN, account=address(9), bonus=11_000)
    both = [candidate(one_asset, account=address(9)), *people(CAP - 1, CAP - 2)]
    plan = packed(world(DEEP, gas=GasBook()), both)
    by_account = {leg.account: leg for leg in plan.legs}
    assert not by_account[address(9)].funding.joins
    assert [len(legs) for legs in loans_of(plan.legs)] == [1, 2]


def test_joining_is_never_dearer_than_a_loan_of_ones_own() -> None:
    book = GasBook()
    assert prior(JOINED) < prior(LEG)
    cheap = book.learn(Shape((LEG,)), 300_000)
    assert cheap.leg(JOINED) <= cheap.leg(LEG) < prior(JOINED)
    assert cheap.repeat(JOINED) <= cheap.repeat(LEG)
    sizes = [cheap.gas(Shape((LEG, *[JOINED] * n))) for n in range(4)]
    assert len({more - less for less, more in pairwise(sizes)}) == 1  # nobody who joins is a first one
    assert sizes[1] - sizes[0] == cheap.repeat(JOINED)


def test_what_joining_takes_is_learned() -> None:
    book, shape = GasBook().learn(Shape((LEG,)), 467_000), Shape((LEG, *[JOINED] * 9))
    book = book.learn(shape, 2_055_000)
    assert 150_000 < book.repeat(JOINED) < 200_000
    assert book.gas(Shape((LEG, *[JOINED] * 4))) < book.gas(Shape((LEG,) * 5))
    again = book.forget(shape)
    assert again.repeat(JOINED) == again.leg(JOINED)


def test_a_shared_loan_earns_more_than_several() -> None:
    here = world(DEEP, lenders=(LOAN,), gas=GasBook(), base_fee=20 * GWEI)
    plan = packed(here, people(CAP, CAP - 1, CAP - 2))
    alone = [decide(here, one) for one in people(CAP)]
    assert isinstance(alone[0], Plan)
    gas = GasBook().gas(Shape((LEG,) * 3)) * 20 * GWEI
    assert plan.estimate.gas < gas
