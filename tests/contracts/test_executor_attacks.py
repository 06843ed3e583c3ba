"""Attempts to make the executor lose, each by somebody who knows its source: callers, callbacks, timing, pools."""

from dataclasses import replace

import pytest

from keeper.core.plans import FundingKind, Hop, Leg, Role, SwapLeg, VenueKind
from keeper.core.units import WAD, Address, Amount, BlockNumber
from keeper.devnet.contract import Contract
from keeper.devnet.layout import USD
from keeper.devnet.rpc import Reverted
from keeper.devnet.world import World
from tests.contracts.executor_hostile import FLOAT, USDC_FLOAT, callbacks, hostile, reasons, unharmed, worth_taking
from tests.contracts.executor_world import CALLER, GAS, OWNER, STRANGER, TREASURY, Rig, swap


@pytest.fixture
def rig(world: World) -> Rig:
    return worth_taking(world)


@pytest.fixture
def fallen(rig: Rig) -> Address:
    account = rig.borrower()
    rig.fall()
    return account


@pytest.fixture
def liar(rig: Rig) -> Contract:
    """A pool that the owner was talked into listing."""
    pool = hostile(rig, "lying_pool")
    rig.allow(pool.address, role=Role.POOL)
    return pool


# --- who may do what ------------------------------------------------------------------------------------------------


def test_only_listed_callers_execute(rig: Rig, fallen: Address) -> None:
    plan = rig.plan(rig.leg(fallen))
    for sender in (STRANGER, OWNER, fallen):
        assert rig.refusal(plan, sender).name == "Forbidden"
    rig.allow(CALLER, role=Role(0))
    assert rig.refusal(plan).name == "Forbidden"


def test_nobody_but_an_awaited_source_calls_back(rig: Rig, fallen: Address) -> None:
    for sender in (STRANGER, OWNER, CALLER, fallen, rig.world.layout.aave.pool):
        found = [reasons(rig, data, sender) for data in callbacks(rig)]
        assert found == ["Foreign"] * 9 + ["Forbidden"] * 4


def test_a_strangers_loan_to_the_executor_is_not_welcome(rig: Rig) -> None:
    usdc = rig.world.asset("USDC")
    vault = rig.world.add_balancer("USDC", amount=10**12)
    rig.allow(vault.address, role=Role.MARKET)
    with pytest.raises(Reverted):
        vault.send("flashLoan", rig.address, [usdc], [10**9], b"", sender=STRANGER)
    with pytest.raises(Reverted):
        rig.world.pool.send("flashLoanSimple", rig.address, usdc, 10**9, b"", 0, sender=STRANGER)
    assert unharmed(rig)


def test_markets_routers_and_pools_that_nobody_listed_are_not_called(rig: Rig, fallen: Address) -> None:
    leg, loan = rig.leg(fallen), rig.loan(fallen)
    strange = Hop(VenueKind.UNISWAP_V3, STRANGER, rig.executor.weth, rig.world.asset("USDC"), 500)
    legs = [
        replace(leg, market=STRANGER),
        replace(leg, funding=replace(leg.funding, source=STRANGER)),
        replace(loan, funding=replace(loan.funding, source=STRANGER)),
        *(replace(loan, swaps=(swap(replace(strange, venue=venue)),)) for venue in VenueKind),
    ]
    for each in legs:
        assert rig.refusal(rig.plan(each)).name == "Forbidden"
    rig.send(rig.plan(legs[-1], leg))  # in company only that leg is undone
    assert unharmed(rig)


def test_roles_are_not_interchangeable(rig: Rig, fallen: Address) -> None:
    """The market called through a router's opaque calldata would give away what the executor owns there."""
    gift = rig.world.pool.fn("withdraw", rig.executor.weth, 1, STRANGER)
    hop = Hop(VenueKind.ROUTER, rig.world.layout.aave.pool, rig.executor.weth, rig.world.asset("USDC"), 0, gift)
    loan = replace(rig.loan(fallen), swaps=(swap(hop),))
    assert rig.refusal(rig.plan(loan)).name == "Forbidden"


# --- the world between simulation and inclusion ---------------------------------------------------------------------


def test_a_plan_is_worthless_after_its_last_block(rig: Rig, fallen: Address) -> None:
    last = BlockNumber(rig.world.block_number() + 1)
    plan = replace(rig.plan(rig.leg(fallen)), deadline=last)
    assert rig.simulate(plan).profit > 0
    rig.world.advance(12)
    rig.world.advance(12)
    assert rig.refusal(plan).name == "Expired"
    assert unharmed(rig)


def test_calldata_that_landed_cannot_land_again(rig: Rig, fallen: Address) -> None:
    plan = rig.plan(rig.leg(fallen))
    rig.send(plan)
    assert rig.refusal(plan).name == "Gone"
    assert reasons(rig, rig.calldata(plan), STRANGER) == "Forbidden"


def test_a_borrower_who_repays_one_unit_first_does_not_stop_us(rig: Rig, fallen: Address) -> None:
    half = Amount(rig.world.debt(fallen, "USDC") // 2)
    leg, loan = rig.leg(fallen), rig.loan(fallen)
    plans = [rig.plan(replace(each, repay=half, funding=replace(each.funding, amount=half))) for each in (leg, loan)]
    rig.world.repay(fallen, "USDC", 10_000)
    for plan in plans:
        assert rig.simulate(plan).profit > WAD // 10
    rig.send(plans[0])
    left = rig.left_over()["USDC"] - USDC_FLOAT
    assert 0 <= left < 10_000  # what was bought and not needed stays ours
    assert rig.left_over() == {"USDC": USDC_FLOAT + left}


@pytest.mark.parametrize("funding", ["flash_swap", "aave", "own"])
def test_a_price_that_moved_undoes_everything(rig: Rig, fallen: Address, funding: str) -> None:
    kinds = {"aave": FundingKind.AAVE_FLASH_LOAN, "own": FundingKind.OWN}
    leg = rig.leg(fallen) if funding == "flash_swap" else rig.loan(fallen, kinds[funding])
    least = rig.simulate(rig.plan(leg)).profit
    plan = rig.plan(leg, least=least)
    rig.world.swap_v3(STRANGER, "WETH/USDC/500", "WETH", WAD)
    assert rig.refusal(plan).name == "Unprofitable"
    rig.world.swap_v3(STRANGER, "WETH/USDC/500", "WETH", 10_000 * WAD)
    refusal = rig.refusal(replace(plan, min_profit=Amount(0)))
    assert refusal.name == ("Unpaid" if funding == "flash_swap" else "Short")


def test_without_the_price_update_it_was_bundled_with_a_plan_does_nothing(rig: Rig) -> None:
    """The unbundled transaction: everything as planned, only the oracle has not moved."""
    account = rig.borrower()
    plan = rig.plan(rig.leg(account), least=0)
    assert rig.refusal(plan).name == "Healthy"
    rig.world.set_price("WETH", 1_900 * USD)
    assert rig.refusal(replace(plan, min_profit=Amount(WAD))).name == "Unprofitable"


# --- pools that lie -------------------------------------------------------------------------------------------------


def by(liar: Contract, rig: Rig, *, calls_back: int = 1, pays: bool = False, asks: int = 0, reserve: int = 0) -> None:
    tokens = sorted((rig.executor.weth, rig.world.asset("USDC")))
    liar.send("behave", *tokens, calls_back, pays, asks, reserve, sender=STRANGER)


def lying_flash(rig: Rig, account: Address, liar: Contract) -> Leg:
    leg = rig.leg(account)
    return replace(leg, funding=replace(leg.funding, source=liar.address))


@pytest.mark.parametrize(
    ("lie", "reason"),
    [
        ({"calls_back": 0}, "NoCallback"),
        ({}, "NotLent"),
        ({"pays": True, "asks": 2 * FLOAT}, "Unpaid"),
        ({"pays": True, "asks": FLOAT}, "Unprofitable"),
        ({"pays": True, "asks": 1, "calls_back": 2}, "Foreign"),
    ],
)
def test_a_flash_swap_in_a_pool_that_lies(
    rig: Rig, fallen: Address, liar: Contract, lie: dict[str, int], reason: str
) -> None:
    rig.world.token("USDC").send("mint(address,uint256)", liar.address, 10**12, sender=STRANGER)
    by(liar, rig, **lie)  # type: ignore[arg-type]
    assert rig.refusal(rig.plan(lying_flash(rig, fallen, liar), least=0)).name == reason
    legs = (lying_flash(rig, fallen, liar), rig.leg(fallen))
    if reason != "NoCallback":  # from which there is no way back but undoing all
        rig.send(rig.plan(*legs, least=0))
    assert unharmed(rig)


@pytest.mark.parametrize("venue", [VenueKind.UNISWAP_V2, VenueKind.UNISWAP_V3])
@pytest.mark.parametrize(
    "lie",
    [
        {"calls_back": 0, "reserve": 10**20},
        {"asks": FLOAT, "reserve": 10**30},
        {"calls_back": 2, "reserve": 1},
        {"reserve": 10**24},
        {"asks": 10**30, "reserve": 2**112 - 1},
    ],
)
def test_selling_to_a_pool_that_lies(rig: Rig, liar: Contract, venue: VenueKind, lie: dict[str, int]) -> None:
    account, honest = rig.borrower(), rig.borrower()
    rig.fall()
    by(liar, rig, **lie)  # type: ignore[arg-type]
    hop = Hop(venue, liar.address, rig.executor.weth, rig.world.asset("USDC"), 500)
    robbed = [
        replace(
            rig.loan(account, kind),
            swaps=(swap(hop, exact_out=exact),),
        )
        for kind in (FundingKind.AAVE_FLASH_LOAN, FundingKind.OWN)
        for exact in (False, True)
    ]
    for leg in robbed:
        assert rig.refusal(rig.plan(leg, least=0)).name not in ("Healthy", "Gone")
    rig.send(rig.plan(*robbed, rig.leg(honest), least=0))
    assert unharmed(rig)


# --- a caller's key is stolen ---------------------------------------------------------------------------------------


def theft(liar: Contract, sold: Address, bought: Address, amount: int = 0) -> SwapLeg:
    """A swap into a pool that keeps everything."""
    return swap(Hop(VenueKind.UNISWAP_V3, liar.address, sold, bought, 500), amount=amount)


def test_a_stolen_caller_key_cannot_take_the_float(rig: Rig, fallen: Address, liar: Contract) -> None:
    by(liar, rig)
    weth, usdc = rig.executor.weth, rig.world.asset("USDC")
    own, loan = rig.loan(fallen, FundingKind.OWN), rig.loan(fallen)
    for leg in (
        replace(loan, swaps=(theft(liar, weth, usdc, FLOAT), *loan.swaps)),  # sells more than was seized
        replace(own, swaps=(theft(liar, weth, usdc),)),  # pays the debt, and gives the collateral away
        replace(own, swaps=()),
    ):
        assert rig.refusal(rig.plan(leg, least=0)).name not in ("Healthy", "Gone")
    converts_float = rig.plan(rig.leg(fallen), conversions=[theft(liar, usdc, weth)], least=0, bid=10_000)
    rig.send(converts_float)  # there is nothing to convert, and even the whole bid is only this plan's profit
    assert unharmed(rig)
    rig.contract.send("sweep", weth, 0, sender=CALLER)
    assert rig.weth(TREASURY) == FLOAT


def test_a_stolen_caller_key_cannot_bid_more_than_the_profit(rig: Rig, fallen: Address) -> None:
    rig.world.rpc.rpc("anvil_setCoinbase", STRANGER)
    plan = bytearray.fromhex(rig.calldata(rig.plan(rig.leg(fallen), bid=10_000))[2:])
    plan[4 + 6 : 4 + 8] = b"\xff\xff"  # the bid's place in the head
    before = rig.ether(STRANGER)
    receipt = rig.world.rpc.send(CALLER, rig.address, "0x" + plan.hex(), gas=GAS)
    found = rig.realised(receipt)
    assert int(found.bid) == int(found.profit)
    assert rig.ether(STRANGER) - before < found.profit + WAD // 100  # with the priority fees
    assert rig.weth() == FLOAT


def test_a_stolen_caller_key_cannot_sell_a_float_along_with_the_collateral(rig: Rig, liar: Contract) -> None:
    account = rig.borrower("WBTC", "USDC", supplied=1, owed=40_000)
    rig.world.set_price("WBTC", 51_000 * USD)
    rig.world.align_pool("WBTC/USDC/3000")
    by(liar, rig)
    wbtc, usdc = rig.world.asset("WBTC"), rig.world.asset("USDC")
    rig.give("WBTC", 10**8)
    for stolen, swaps in (
        (theft(liar, wbtc, usdc, 10**8), [rig.sale("WBTC/USDC/3000", exact_out=True)]),
        (theft(liar, wbtc, usdc, 10**8), [rig.sale("WBTC/WETH/500", "WETH/USDC/500", exact_out=True)]),
    ):
        leg = rig.leg(account, FundingKind.AAVE_FLASH_LOAN, collateral="WBTC", swaps=swaps)
        assert rig.simulate(rig.plan(leg, least=0)).skipped == ()
        assert rig.refusal(rig.plan(replace(leg, swaps=(stolen, *swaps)), least=0)).name == "0x"
    assert rig.left_over() == {"USDC": USDC_FLOAT, "WBTC": 10**8}
