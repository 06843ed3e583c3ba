"""Attempts to make the executor lose by a shared loan: lenders that lie, calls in the middle, mutated calldata."""

from contextlib import suppress
from dataclasses import replace

import pytest

from keeper.contracts.decode import skipped_legs
from keeper.contracts.words import WORD
from keeper.core.plans import FundingKind, Leg, Plan, Role
from keeper.core.units import WAD, Amount
from keeper.devnet.contract import Contract
from keeper.devnet.rpc import Reverted
from keeper.devnet.world import World
from tests.contracts.executor_hostile import callbacks, hostile, prepare, reasons, tries, unharmed, worth_taking
from tests.contracts.executor_lender import lies
from tests.contracts.executor_shared import loans, sharing
from tests.contracts.executor_world import CALLER, GAS, STRANGER, Rig, logs_of

SHARED, CLOSING, LOAN = (1 << bit for bit in (173, 174, 175))


@pytest.fixture
def rig(world: World) -> Rig:
    return worth_taking(world)


@pytest.fixture
def lender(rig: Rig) -> Contract:
    """One that the owner was talked into listing, with plenty to lend."""
    contract = hostile(rig, "lying_lender")
    rig.allow(contract.address, role=Role.MARKET)
    rig.world.token("USDC").send("mint(address,uint256)", contract.address, 10**12, sender=STRANGER)
    return contract


def legs_by(rig: Rig, lender: Contract, kind: FundingKind, count: int = 2) -> tuple[list[Leg], Leg]:
    """Legs that share a loan of the lender, and one that has nothing to do with it."""
    *legs, other = loans(rig, count + 1, kind, lender.address)
    return sharing(*legs), rig.leg(other.account)


KINDS = [FundingKind.AAVE_FLASH_LOAN, FundingKind.MORPHO_FLASH_LOAN]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    ("lie", "reason"),
    [
        ({"lends": 99}, "NotLent"),
        ({"lends": 0}, "NotLent"),
        ({"calls_back": 0}, "NoCallback"),
        ({"calls_back": 2}, "Foreign"),
        ({"says": 1}, "0x"),  # a fee below nothing
        ({"says": 10**11}, "NothingDone"),  # more than anybody could bring
        ({"fee": 10**10}, "NothingDone"),
        ({"fee": 2**255}, "NothingDone"),
        ({"takes": 1}, ""),
    ],
)
def test_a_lender_that_lies(rig: Rig, lender: Contract, kind: FundingKind, lie: dict[str, int], reason: str) -> None:
    legs, honest = legs_by(rig, lender, kind)
    lies(lender)
    assert rig.simulate(rig.plan(*legs, honest)).skipped == ()
    lies(lender, **lie)
    if reason == "NoCallback":  # from which there is no way back but undoing all
        assert rig.refusal(rig.plan(*legs, honest)).name == reason
    else:
        receipt = rig.send(rig.plan(*legs, honest))
        found = [(place, why.name) for place, why in skipped_legs(logs_of(receipt), rig.address)]
        assert [place for place, _ in found] == [0, 1]
        assert not reason or {name for _, name in found} == {reason}
    assert unharmed(rig)
    assert not rig.left_over(lender.address).get("allowance of USDC")


def test_a_loan_that_somebody_else_started_is_not_ours(rig: Rig, lender: Contract) -> None:
    legs, honest = legs_by(rig, lender, FundingKind.AAVE_FLASH_LOAN)
    lies(lender, initiator=STRANGER)
    assert rig.refusal(rig.plan(*legs)).name == "NothingDone"
    receipt = rig.send(rig.plan(*legs, honest))
    assert {why.name for _, why in skipped_legs(logs_of(receipt), rig.address)} == {"Foreign"}
    assert unharmed(rig)


def test_a_fee_that_one_leg_cannot_bring_is_left_to_the_next(rig: Rig, lender: Contract) -> None:
    legs, _ = legs_by(rig, lender, FundingKind.MORPHO_FLASH_LOAN, 3)
    small = Amount(legs[0].repay // 50)
    legs[0] = replace(legs[0], repay=small, funding=replace(legs[0].funding, amount=small))
    lies(lender, fee=100 * 10**6)
    plan = rig.plan(*legs)
    assert rig.simulate(plan).skipped == (0,)
    rig.send(plan)
    assert unharmed(rig)


@pytest.mark.parametrize("kind", KINDS)
def test_whoever_is_handed_control_while_the_loan_is_lent_gets_nowhere(
    rig: Rig, lender: Contract, kind: FundingKind
) -> None:
    legs, other = legs_by(rig, lender, kind)
    intruder = hostile(rig, "intruder")
    attempts = prepare(rig, intruder, rig.calldata(rig.plan(other)), rig.world.asset("USDC"))
    again = bytes.fromhex(rig.contract.fn("borrow", lender.address)[2:])  # the same loan, within itself
    intruder.send("prepare", rig.address, again, sender=STRANGER)
    rig.allow(intruder.address, role=Role.CALLER)  # even one who may execute
    lies(lender, ally=intruder.address)
    receipt = rig.send(rig.plan(*legs))
    assert tries(receipt, intruder) == [(place, False) for place in range(attempts + 1)]
    assert skipped_legs(logs_of(receipt), rig.address) == []
    assert unharmed(rig)


def test_nobody_else_runs_the_gathered_steps(rig: Rig) -> None:
    for sender in (STRANGER, CALLER, rig.world.layout.aave.pool):
        assert [reasons(rig, data, sender) for data in callbacks(rig)[-2:]] == ["Forbidden"] * 2


# --- calldata that no encoder makes ---------------------------------------------------------------------------------


def flagged(rig: Rig, plan: Plan, *flags: int) -> str:
    """The plan with more flags in the first words of its steps."""
    data, at = bytearray.fromhex(rig.calldata(plan)[2:]), 4 + WORD
    for leg, more in zip(plan.legs, flags, strict=True):
        first = int.from_bytes(data[at : at + WORD], "big") | more
        data[at : at + WORD] = first.to_bytes(WORD, "big")
        at += len(rig.calldata(rig.plan(leg))) // 2 - 1 - 4 - WORD
    return "0x" + data.hex()


def test_legs_of_two_assets_share_no_loan(rig: Rig) -> None:
    account = rig.borrower("WBTC", "WETH", supplied=1, owed=20)
    usdc, other = loans(rig, 2)
    sold = [rig.sale("WBTC/WETH/500")]
    weth = rig.leg(account, FundingKind.AAVE_FLASH_LOAN, collateral="WBTC", debt="WETH", swaps=sold)
    honest = rig.leg(other.account)
    data = flagged(rig, rig.plan(usdc, weth, honest, least=0), SHARED, SHARED | CLOSING, 0)
    receipt = rig.world.rpc.send(CALLER, rig.address, data, gas=GAS)
    assert [why.name for _, why in skipped_legs(logs_of(receipt), rig.address)] == ["Foreign"] * 2
    assert unharmed(rig)
    with pytest.raises(ValueError, match="cannot share"):
        rig.calldata(rig.plan(*sharing(usdc, weth)))


def test_a_loan_that_is_never_closed_is_never_taken(rig: Rig) -> None:
    *legs, other = loans(rig, 3)
    honest = rig.leg(other.account)
    owed = [rig.world.debt(leg.account, "USDC") for leg in legs]
    data = flagged(rig, rig.plan(*legs, honest, least=0), SHARED, SHARED, 0)
    rig.world.rpc.send(CALLER, rig.address, data, gas=GAS)
    assert all(rig.world.debt(leg.account, "USDC") >= debt for leg, debt in zip(legs, owed, strict=True))
    assert unharmed(rig)


@pytest.mark.parametrize("kind", [FundingKind.OWN, FundingKind.UNISWAP_V3_FLASH_SWAP])
def test_only_lenders_are_asked_for_a_shared_loan(rig: Rig, kind: FundingKind) -> None:
    first, second = loans(rig, 2)
    closing = rig.leg(second.account) if kind is FundingKind.UNISWAP_V3_FLASH_SWAP else rig.loan(second.account, kind)
    data = flagged(rig, rig.plan(first, closing, least=0), SHARED, SHARED | CLOSING)
    assert reasons(rig, data, CALLER) == "Forbidden"


@pytest.mark.parametrize("kind", [*KINDS, FundingKind.OWN, FundingKind.UNISWAP_V3_FLASH_SWAP])
@pytest.mark.parametrize("pending", [0, SHARED])
def test_a_step_that_says_it_is_a_loan_spends_no_float(
    rig: Rig, lender: Contract, kind: FundingKind, pending: int
) -> None:
    """Whatever it then runs, at its end the float is there."""
    lies(lender)
    first, second, third = loans(rig, 3)
    leg = rig.leg(second.account) if kind is FundingKind.UNISWAP_V3_FLASH_SWAP else rig.loan(second.account, kind)
    if kind is FundingKind.MORPHO_FLASH_LOAN:
        leg = replace(leg, funding=replace(leg.funding, source=lender.address))
    data = flagged(rig, rig.plan(first, leg, third, least=0), pending, LOAN, 0)
    with suppress(Reverted):
        rig.world.rpc.send(CALLER, rig.address, data, gas=GAS)
    assert rig.weth() >= 5 * WAD
    assert unharmed(rig)
