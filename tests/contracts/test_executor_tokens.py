"""Attempts to make the executor lose by tokens that misbehave, and by the block's fee recipient."""

from collections.abc import Callable

import pytest

from keeper.core.plans import FundingKind, Leg, Plan, Role
from keeper.core.units import WAD, Address
from keeper.devnet.contract import Contract
from keeper.devnet.layout import USD, RiskSpec, Token, TokenSpec
from keeper.devnet.world import World
from tests.contracts.executor_hostile import FLOAT, USDC_FLOAT, hostile, prepare, tries, unharmed, worth_taking
from tests.contracts.executor_world import CALLER, OWNER, STRANGER, TREASURY, Rig

BAD_RISK = RiskSpec(8000, 8250, 10500, 1500)


@pytest.fixture
def rig(world: World) -> Rig:
    return worth_taking(world)


@pytest.fixture
def fallen(rig: Rig) -> Address:
    account = rig.borrower()
    rig.fall()
    return account


def listed(rig: Rig, token: Contract, symbol: str = "BAD") -> None:
    """A hostile token that the market took in and that trades against WETH."""
    rig.world.add_reserve(symbol, BAD_RISK)
    rig.world.supply(STRANGER, symbol, 10**6 * WAD)
    rig.world.open_v3_pool(symbol, "WETH", 3000)
    assert token.address == rig.world.asset(symbol)


def bad_collateral(rig: Rig) -> Leg:
    """BAD against USDC, sold on the way to what is owed."""
    account = rig.borrower("BAD", "USDC", supplied=6_000, owed=14_300)
    rig.world.set_price("BAD", 28 * USD // 10)
    way_out = rig.sale("BAD/WETH/3000", "WETH/USDC/500", exact_out=True)
    return rig.leg(account, FundingKind.AAVE_FLASH_LOAN, collateral="BAD", swaps=[way_out])


def bad_debt(rig: Rig) -> Leg:
    """BAD owed against WETH, bought in a flash swap."""
    account = rig.borrower("WETH", "BAD", supplied=10, owed=5_300)
    rig.world.set_price("BAD", 315 * USD // 100)
    return rig.leg(account, debt="BAD", fee=3000, source=rig.world.layout.uniswap.pools["BAD/WETH/3000"])


def bad_loan(rig: Rig) -> Leg:
    """BAD owed against WETH, borrowed from the market and bought back."""
    way_out = rig.sale("WETH/BAD/3000", exact_out=True)
    leg = bad_debt(rig)
    return rig.leg(leg.account, FundingKind.AAVE_FLASH_LOAN, debt="BAD", swaps=[way_out])


def test_a_token_that_keeps_a_fee_is_counted_as_it_comes(rig: Rig) -> None:
    token = rig.world.add_hostile_token(TokenSpec("BAD", 18, 3 * USD))
    listed(rig, token)
    plan = rig.plan(bad_collateral(rig), least=0)
    assert rig.simulate(plan).profit > 0
    token.send("set_fee", 50, sender=STRANGER)
    assert rig.refusal(plan).name not in ("Healthy", "Gone")  # the pool gets less than it asked for
    assert unharmed(rig)
    token.send("set_fee", 0, sender=STRANGER)
    plan = rig.plan(bad_debt(rig), least=0)
    assert rig.simulate(plan).profit > 0
    token.send("set_fee", 50, sender=STRANGER)
    assert rig.refusal(plan).name not in ("Healthy", "Gone")
    assert unharmed(rig)


def test_a_token_that_answers_false_is_not_taken_for_paid(rig: Rig) -> None:
    token = hostile(rig, "refusing_token")
    rig.world.know_token(Token("BAD", token.address, 18), 3 * USD)
    listed(rig, token)
    for build in (bad_collateral, bad_debt):
        token.send("refuse", OWNER, False, sender=STRANGER)
        plan = rig.plan(build(rig), least=0)
        assert rig.simulate(plan).profit > 0
        token.send("refuse", rig.address, False, sender=STRANGER)
        assert rig.refusal(plan).name == ("Unpaid" if build is bad_collateral else "GPv2: failed transferFrom")
        token.send("refuse", rig.address, True, sender=STRANGER)  # approvals, too
        assert rig.refusal(plan).name == ("Unpaid" if build is bad_collateral else "0x")
    assert unharmed(rig)


def another_plan(rig: Rig) -> Plan:
    """One that would succeed by itself: another account, other pools."""
    account = rig.borrower("WBTC", "USDC", supplied=1, owed=40_000)
    rig.world.set_price("WBTC", 51_000 * USD)
    for pool in ("WBTC/USDC/3000", "WBTC/WETH/500"):
        rig.world.align_pool(pool)
    plan = rig.plan(rig.leg(account, collateral="WBTC", fee=3000), conversions=[rig.sale("WBTC/WETH/500")])
    assert rig.simulate(plan).profit > 0
    return plan


@pytest.mark.parametrize("build", [bad_collateral, bad_debt, bad_loan])
def test_a_token_that_calls_back_gets_nowhere(rig: Rig, build: Callable[[Rig], Leg]) -> None:
    intruder = hostile(rig, "intruder")
    token = rig.world.add_hostile_token(TokenSpec("BAD", 18, 3 * USD))
    listed(rig, token)
    leg = build(rig)
    attempts = prepare(rig, intruder, rig.calldata(another_plan(rig)), token.address)
    rig.allow(intruder.address, role=Role.CALLER)  # even one who may execute
    token.send("set_hook", intruder.address, sender=STRANGER)
    plan = rig.plan(leg, least=0)
    calm = rig.simulate(plan).profit
    tried = tries(rig.send(plan), intruder)
    assert len(tried) >= 2 * attempts
    assert not any(succeeded for _, succeeded in tried)
    assert rig.weth() == FLOAT + calm
    assert unharmed(rig)


def test_a_fee_recipient_that_calls_back_gets_its_bid_and_no_more(rig: Rig, fallen: Address) -> None:
    recipient = hostile(rig, "fee_recipient")
    rig.allow(recipient.address, role=Role.CALLER)  # even one who may execute and sweep
    recipient.send("set_victim", rig.address, rig.executor.weth, sender=STRANGER)
    rig.world.rpc.rpc("anvil_setCoinbase", recipient.address)
    plan = rig.plan(rig.leg(fallen), bid=5_000)
    expected = rig.simulate(plan)
    receipt = rig.send(plan)
    assert tries(receipt, recipient) == [(0, False), (1, False), (2, False)]
    assert rig.realised(receipt).bid == expected.bid == expected.profit // 2
    assert rig.ether(recipient.address) >= expected.bid
    assert unharmed(rig)


@pytest.mark.parametrize("burns", [False, True])
def test_a_fee_recipient_that_refuses_or_burns_gas_costs_us_nothing(rig: Rig, fallen: Address, *, burns: bool) -> None:
    recipient = hostile(rig, "fee_recipient")
    recipient.send("set_burns", burns, sender=STRANGER)
    rig.world.rpc.rpc("anvil_setCoinbase", recipient.address)
    receipt = rig.send(rig.plan(rig.leg(fallen), bid=9_000))
    assert int(receipt["gasUsed"], 16) < 600_000  # of sixteen million
    bid = rig.realised(receipt).bid
    assert rig.left_over() == {"USDC": USDC_FLOAT, "ether": bid}
    rig.contract.send("sweep", "0x" + "0" * 40, 0, sender=CALLER)
    assert rig.ether(TREASURY) == bid
    assert unharmed(rig)
