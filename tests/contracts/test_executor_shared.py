"""Legs that share a loan, on the real contracts: one loan of what they need, whoever of them fails."""

from dataclasses import replace

import pytest

from keeper.contracts.decode import skipped_legs
from keeper.core.actions import Style
from keeper.core.plans import FundingKind, Leg, Role
from keeper.core.units import BPS, MAX_U256, WAD, Amount, mul_div_half_up, mul_div_up
from keeper.devnet.layout import USD
from keeper.devnet.world import World
from tests.contracts.executor_markets import Market
from tests.contracts.executor_shared import Lent, lent, loans, sharing
from tests.contracts.executor_world import STRANGER, Rig, logs_of


@pytest.fixture
def rig(any_world: World) -> Rig:
    return Rig.deploy(any_world)


def fee(rig: Rig, amount: int) -> int:
    """Aave's, of one loan, as its version rounds it."""
    rounded = mul_div_up if rig.world.layout.version == "3.6" else mul_div_half_up
    return rounded(amount, int(rig.world.pool.call("FLASHLOAN_PREMIUM_TOTAL")), BPS)


def needed(*legs: Leg) -> int:
    return sum(leg.funding.amount for leg in legs)


@pytest.mark.parametrize("lender", ["aave", "balancer", "morpho"])
def test_several_legs_take_one_loan_and_leave_nothing_but_profit(rig: Rig, lender: str) -> None:
    kind, source = FundingKind.AAVE_FLASH_LOAN, rig.world.layout.aave.pool
    if lender == "balancer":
        kind, source = FundingKind.BALANCER_FLASH_LOAN, rig.world.add_balancer("USDC", amount=10**12).address
    if lender == "morpho":
        kind, source = FundingKind.MORPHO_FLASH_LOAN, rig.world.add_morpho("USDC", amount=10**12).address
    legs = loans(rig, 3, kind, source)
    plan = rig.plan(*sharing(*legs), bid=1_000)
    if lender != "aave":
        assert rig.refusal(plan).name == "Forbidden"
        rig.allow(source, role=Role.MARKET)
    expected = rig.simulate(plan)
    assert expected.skipped == ()
    assert expected.profit > 3 * WAD // 10
    owed = [rig.world.debt(leg.account, "USDC") for leg in legs]
    receipt = rig.send(plan)
    for leg, before in zip(legs, owed, strict=True):
        assert rig.world.debt(leg.account, "USDC") < before * 56 // 100
    assert rig.realised(receipt).profit == expected.profit
    assert rig.weth() == expected.profit - expected.bid
    assert rig.left_over(source) == {}
    if lender == "aave":
        usdc, amount = rig.world.asset("USDC"), needed(*legs)
        assert lent(receipt) == [Lent(usdc, amount, fee(rig, amount))]


@pytest.mark.parametrize("failing", [(0,), (1,), (2,), (0, 1), (1, 2), (0, 2)])
def test_whoever_fails_in_the_loan_leaves_the_others_and_the_loan_whole(rig: Rig, failing: tuple[int, ...]) -> None:
    """Their part goes back as it was lent, and the fee is of the whole loan all the same."""
    legs = loans(rig, 3)
    for place in failing:
        legs[place] = replace(legs[place], witness=None)  # so that only the market tells, in the middle of the loan
        rig.world.repay(legs[place].account, "USDC")
    plan = rig.plan(*sharing(*legs))
    expected = rig.simulate(plan)
    receipt = rig.send(plan)
    skipped = skipped_legs(logs_of(receipt), rig.address)
    assert tuple(place for place, _ in skipped) == expected.skipped == failing
    assert {why.name for _, why in skipped} == {"Healthy"}
    assert [loan[1:] for loan in lent(receipt)] == [(needed(*legs), fee(rig, needed(*legs)))]
    assert rig.realised(receipt).profit == rig.weth() == expected.profit > (3 - len(failing)) * WAD // 10
    assert rig.left_over() == {}


@pytest.mark.parametrize("gone", [0, 1, 2])
@pytest.mark.parametrize("probe", [False, True])
def test_nothing_is_borrowed_for_who_is_known_to_be_gone(rig: Rig, gone: int, *, probe: bool) -> None:
    legs = loans(rig, 3)
    rig.executor = replace(rig.executor, probe=probe)
    rig.world.repay(legs[gone].account, "USDC", MAX_U256 if not probe else 2_000 * 10**6)
    if probe:
        legs[gone] = replace(legs[gone], witness=None)
    plan = rig.plan(*sharing(*legs))
    receipt = rig.send(plan)
    ((place, why),) = skipped_legs(logs_of(receipt), rig.address)
    assert (place, why.name) == (gone, "Healthy" if probe else "Gone")
    rest = needed(*legs) - legs[gone].funding.amount
    assert [loan[1:] for loan in lent(receipt)] == [(rest, fee(rig, rest))]
    assert rig.weth() > 2 * WAD // 10
    assert rig.left_over() == {}


def test_a_borrower_who_repays_two_units_first_does_not_stop_the_others(rig: Rig) -> None:
    legs = loans(rig, 3)
    half = Amount(rig.world.debt(legs[1].account, "USDC") // 2)
    legs[1] = replace(legs[1], repay=half, funding=replace(legs[1].funding, amount=half))
    rig.world.repay(legs[1].account, "USDC", 2)
    plan = rig.plan(*sharing(*legs))
    assert rig.simulate(plan).skipped == ()
    rig.send(plan)
    assert rig.weth() > 3 * WAD // 10
    assert rig.left_over().get("USDC", 0) <= 2
    assert not [name for name in rig.left_over() if name.startswith("allowance")]


def test_a_leg_of_a_loan_can_burn_no_more_than_its_gas(rig: Rig) -> None:
    legs = loans(rig, 3)
    legs[1] = replace(legs[1], gas_limit=100_000)
    receipt = rig.send(rig.plan(*sharing(*legs)))
    assert [place for place, _ in skipped_legs(logs_of(receipt), rig.address)] == [1]
    assert rig.left_over() == {}


def test_a_loan_in_which_nothing_can_be_done_never_happens(rig: Rig) -> None:
    *legs, other = (replace(leg, witness=None) for leg in loans(rig, 3))
    other = rig.leg(other.account)
    rig.world.set_price("WETH", 2_100 * USD)
    assert rig.refusal(rig.plan(*sharing(*legs), least=0)).name == "NothingDone"
    rig.world.set_price("WETH", 1_900 * USD)
    for leg in legs:
        rig.world.repay(leg.account, "USDC")
    receipt = rig.send(rig.plan(*sharing(*legs), other))
    assert [(place, why.name) for place, why in skipped_legs(logs_of(receipt), rig.address)] == [
        (0, "NothingDone"),
        (1, "NothingDone"),
    ]
    assert lent(receipt) == []
    assert rig.left_over() == {}


def test_a_lender_who_has_too_little_is_missed_by_the_legs_that_need_it_only(rig: Rig) -> None:
    *legs, other = loans(rig, 3)
    vault = rig.world.add_balancer("USDC", amount=needed(*legs) - 1)
    rig.allow(vault.address, role=Role.MARKET)
    kind = FundingKind.BALANCER_FLASH_LOAN
    short = [replace(leg, funding=replace(leg.funding, kind=kind, source=vault.address)) for leg in legs]
    receipt = rig.send(rig.plan(*sharing(*short), other))
    assert [place for place, _ in skipped_legs(logs_of(receipt), rig.address)] == [0, 1]
    apart = rig.simulate(rig.plan(*short))  # one after the other there is enough
    assert apart.skipped == ()
    assert rig.left_over(vault.address) == {}


def test_loans_of_two_assets_and_legs_that_borrow_for_themselves_in_one_plan(rig: Rig) -> None:
    world = rig.world
    short = [rig.borrower("WBTC", "WETH", supplied=1, owed=20) for _ in range(2)]
    usdc = [rig.borrower("WBTC", "USDC", supplied=1, owed=40_000) for _ in range(4)]
    world.set_price("WBTC", 50_000 * USD)
    for pool in ("WBTC/WETH/500", "WBTC/USDC/3000"):
        world.align_pool(pool)
    loan, sold = FundingKind.AAVE_FLASH_LOAN, {"collateral": "WBTC", "debt": "WETH"}
    in_weth = [rig.leg(one, loan, swaps=[rig.sale("WBTC/WETH/500")], **sold) for one in short]  # type: ignore[arg-type]
    path = [rig.sale("WBTC/WETH/500", "WETH/USDC/500", exact_out=True)]
    in_usdc = [rig.leg(one, loan, collateral="WBTC", swaps=path) for one in usdc[:2]]
    flash, alone = rig.leg(usdc[2], collateral="WBTC", fee=3000), rig.leg(usdc[3], loan, collateral="WBTC", swaps=path)
    legs = [flash, *sharing(*in_weth), *sharing(*in_usdc), alone]
    plan = rig.plan(*legs, conversions=[rig.sale("WBTC/WETH/500")])
    expected = rig.simulate(plan)
    assert expected.skipped == ()
    receipt = rig.send(plan)
    assert [(loan.asset, loan.amount) for loan in lent(receipt)] == [
        (world.asset("WETH"), needed(*in_weth)),
        (world.asset("USDC"), needed(*in_usdc)),
        (world.asset("USDC"), needed(alone)),
    ]
    assert rig.realised(receipt).profit == rig.weth() == expected.profit > WAD
    assert rig.left_over() == {}


def test_markets_of_other_styles_share_a_loan_too(rig: Rig) -> None:
    market = Market.deploy(rig)
    (aave,) = loans(rig, 1)
    other = market.leg(Style.PREFUND, FundingKind.AAVE_FLASH_LOAN)
    other = replace(other, funding=replace(other.funding, source=rig.world.layout.aave.pool))
    for legs in ([other, aave], [aave, other]):
        assert rig.simulate(rig.plan(*sharing(*legs))).skipped == ()
    receipt = rig.send(rig.plan(*sharing(other, aave)))
    assert [loan.amount for loan in lent(receipt)] == [needed(other, aave)]
    assert rig.left_over(market.address) == {}


def test_a_float_is_not_touched_by_a_loan_that_comes_short(rig: Rig) -> None:
    """The pool has moved against the legs: what they bring is less than they owe, and the float could pay."""
    legs = loans(rig, 2)
    rig.give("USDC", 10**11)
    rig.give("WETH", 5 * WAD)
    rig.world.swap_v3(STRANGER, "WETH/USDC/500", "WETH", 10_000 * WAD)
    assert rig.refusal(rig.plan(*sharing(*legs), least=0)).name == "NothingDone"
    assert rig.left_over() == {"USDC": 10**11}
