"""Every way to fund, sell and skip, on the real contracts."""

from dataclasses import replace

import pytest

from keeper.contracts.decode import skipped_legs
from keeper.contracts.encode import INIT_HASHES, pool_address
from keeper.core.plans import FundingKind, Hop, Role, VenueKind
from keeper.core.units import MAX_U256, WAD, Address, Amount
from keeper.devnet.layout import USD, RiskSpec, TokenSpec
from keeper.devnet.world import World
from tests.contracts.executor_world import FALLEN, STRANGER, Rig, logs_of, swap


@pytest.fixture
def rig(any_world: World) -> Rig:
    return Rig.deploy(any_world)


@pytest.fixture
def fallen(rig: Rig) -> Address:
    """An account that owes USDC against WETH and is liquidatable."""
    account = rig.borrower()
    rig.fall()
    return account


def test_pools_are_computed_as_the_factories_make_them(rig: Rig) -> None:
    tokens, uniswap = rig.world.layout.tokens, rig.world.layout.uniswap
    v2, v3 = rig.executor.factories
    assert {factory.kind: factory.init_hash for factory in (v2, v3)} == INIT_HASHES
    for name, pool in uniswap.pools.items():
        one, other, fee = name.split("/")
        assert pool_address(v3, tokens[one].address, tokens[other].address, int(fee)) == pool
    for name, pair in uniswap.pairs.items():
        one, other = name.split("/")
        assert pool_address(v2, tokens[one].address, tokens[other].address, 3_000) == pair


def test_a_flash_swap_leaves_nothing_but_profit(rig: Rig, fallen: Address) -> None:
    plan = rig.plan(rig.leg(fallen))
    expected, debt = rig.simulate(plan), rig.world.debt(fallen, "USDC")
    receipt = rig.send(plan)
    assert rig.world.debt(fallen, "USDC") < debt * 56 // 100
    assert rig.weth() == expected.profit > WAD // 10
    assert rig.realised(receipt).profit == expected.profit
    assert rig.left_over() == {}


@pytest.mark.parametrize("lender", ["aave", "balancer", "morpho"])
def test_a_loan_is_given_back_and_leaves_nothing_but_profit(rig: Rig, fallen: Address, lender: str) -> None:
    kind, source = FundingKind.AAVE_FLASH_LOAN, rig.world.layout.aave.pool
    if lender == "balancer":
        kind, source = FundingKind.BALANCER_FLASH_LOAN, rig.world.add_balancer("USDC", amount=10**12).address
    if lender == "morpho":
        kind, source = FundingKind.MORPHO_FLASH_LOAN, rig.world.add_morpho("USDC", amount=10**12).address
    plan = rig.plan(rig.loan(fallen, kind, source))
    if lender != "aave":
        assert rig.refusal(plan).name == "Forbidden"
        rig.allow(source, role=Role.MARKET)
    expected = rig.simulate(plan)
    assert rig.realised(rig.send(plan)).profit == rig.weth() == expected.profit > WAD // 10
    assert rig.left_over() == {}
    assert int(rig.world.token("USDC").call("allowance", rig.address, source)) == 0


def test_the_float_pays_and_is_paid_back(rig: Rig, fallen: Address) -> None:
    rig.give("USDC", 8_000 * 10**6)
    plan = rig.plan(rig.loan(fallen, FundingKind.OWN))
    assert rig.realised(rig.send(plan)).profit == rig.weth() > WAD // 10
    assert rig.left_over() == {"USDC": 8_000 * 10**6}


def test_the_float_in_weth_pays_for_a_debt_in_weth(rig: Rig) -> None:
    account = rig.borrower("USDC", "WETH", supplied=10_000, owed=3.7)
    rig.fall(2_250 * USD)
    rig.give("WETH", 5 * WAD)
    plan = rig.plan(
        rig.leg(account, FundingKind.OWN, collateral="USDC", debt="WETH", swaps=[rig.sale("USDC/WETH/500")])
    )
    profit = rig.simulate(plan).profit
    rig.send(plan)
    assert rig.weth() == 5 * WAD + profit
    assert profit > WAD // 50
    assert rig.left_over() == {}


def test_a_flash_swap_of_more_weth_than_is_repaid_needs_no_second_swap(rig: Rig) -> None:
    account = rig.borrower("USDC", "WETH", supplied=10_000, owed=3.7)
    rig.fall(2_250 * USD)
    leg = rig.leg(account, collateral="USDC", debt="WETH", source=rig.world.layout.uniswap.pools["WETH/USDC/500"])
    more = replace(leg, funding=replace(leg.funding, amount=Amount(leg.repay * 103 // 100)))
    receipt = rig.send(rig.plan(more))
    assert rig.realised(receipt).profit == rig.weth() == leg.repay * 103 // 100 - leg.repay
    assert set(rig.left_over()) == {"USDC"}  # what the collateral was worth more than that


def test_a_flash_swap_at_the_end_of_a_path(rig: Rig) -> None:
    account = rig.borrower("WBTC", "USDC", supplied=1, owed=40_000)
    rig.world.set_price("WBTC", 51_000 * USD)
    rig.world.align_pool("WBTC/WETH/500")
    pool = rig.world.layout.uniswap.pools["WETH/USDC/500"]
    leg = rig.leg(account, collateral="WBTC", source=pool, swaps=[rig.sale("WBTC/WETH/500")])
    plan = rig.plan(leg)
    expected = rig.simulate(plan)
    assert rig.realised(rig.send(plan)).profit == rig.weth() == expected.profit > WAD // 4
    assert rig.left_over() == {}


def test_leftovers_of_several_legs_are_converted_at_once(rig: Rig) -> None:
    accounts = [rig.borrower("WBTC", "USDC", supplied=1, owed=40_000) for _ in range(2)]
    rig.world.set_price("WBTC", 51_000 * USD)
    for pool in ("WBTC/WETH/500", "WBTC/USDC/3000"):
        rig.world.align_pool(pool)
    legs = [rig.leg(account, collateral="WBTC", fee=3000) for account in accounts]
    float_ = 10**8
    rig.give("WBTC", float_)  # is not converted with them
    receipt = rig.send(rig.plan(*legs, conversions=[rig.sale("WBTC/WETH/500")]))
    assert rig.realised(receipt).profit == rig.weth() > WAD // 2
    assert rig.left_over() == {"WBTC": float_}


def test_proceeds_are_split_over_pools_of_both_versions_and_a_router(rig: Rig, fallen: Address) -> None:
    world = rig.world
    world.align_pool("WETH/USDC/3000")
    router, bought = world.layout.uniswap.router, world.asset("USDC")
    order = (world.asset("WETH"), bought, 3000, rig.address, MAX_U256, WAD, 0, 0)
    routed = Hop(VenueKind.ROUTER, router, world.asset("WETH"), bought, 0, world.router.fn("exactInputSingle", order))
    v2 = swap(rig.hop("WETH", "USDC", venue=VenueKind.UNISWAP_V2), amount=WAD // 4)
    by_router = swap(routed, amount=WAD)
    swaps = [v2, rig.sale("WETH/USDC/3000", amount=WAD // 2), by_router, rig.sale("WETH/USDC/500", exact_out=True)]
    plan = rig.plan(rig.leg(fallen, FundingKind.AAVE_FLASH_LOAN, swaps=swaps))
    assert rig.refusal(plan).name == "Forbidden"
    rig.allow(router, role=Role.ROUTER)
    receipt = rig.send(plan)
    assert rig.realised(receipt).profit == rig.weth() > WAD // 10
    pools = (
        world.layout.uniswap.pairs["WETH/USDC"],
        *(world.layout.uniswap.pools[f"WETH/USDC/{fee}"] for fee in (500, 3000)),
    )
    assert set(pools) <= {log.address for log in logs_of(receipt)}
    assert rig.left_over() == {}


def test_a_router_that_takes_less_than_it_may_leaves_no_approval(rig: Rig, fallen: Address) -> None:
    world = rig.world
    rig.allow(world.layout.uniswap.router, role=Role.ROUTER)
    order = (world.asset("WETH"), world.asset("USDC"), 500, rig.address, MAX_U256, WAD // 2, 0, 0)
    routed = Hop(
        VenueKind.ROUTER,
        world.layout.uniswap.router,
        world.asset("WETH"),
        world.asset("USDC"),
        0,
        world.router.fn("exactInputSingle", order),
    )
    swaps = [swap(routed, amount=WAD), rig.sale("WETH/USDC/500", exact_out=True)]
    rig.send(rig.plan(rig.leg(fallen, FundingKind.AAVE_FLASH_LOAN, swaps=swaps)))
    assert rig.left_over() == {}
    assert rig.weth() > WAD // 10


def test_v2_buys_exactly_what_is_owed(rig: Rig, fallen: Address) -> None:
    path = (rig.hop("WETH", "USDC", venue=VenueKind.UNISWAP_V2),)
    rig.world.swap_v2(rig.borrower(supplied=1, owed=1), "WETH", "USDC", 300 * WAD)  # towards the fallen price
    exact = swap(*path, exact_out=True)
    pool = rig.world.layout.aave.pool
    rig.send(rig.plan(rig.leg(fallen, FundingKind.AAVE_FLASH_LOAN, source=pool, swaps=[exact])))
    assert rig.left_over() == {}
    assert rig.weth() > WAD // 20


def test_a_leg_that_fails_is_undone_alone(rig: Rig) -> None:
    accounts = [rig.borrower() for _ in range(3)]
    healthy = rig.borrower(owed=5_000)
    rig.fall()
    legs = [rig.leg(account) for account in (accounts[0], healthy, accounts[1])]
    gone = replace(rig.leg(accounts[2]), witness=None)
    rig.world.repay(accounts[2], "USDC")
    plan = rig.plan(*legs, gone, bid=1_000)
    expected = rig.simulate(plan)
    assert expected.skipped == (1, 3)
    receipt = rig.send(plan)
    assert [(place, why.name) for place, why in skipped_legs(logs_of(receipt), rig.address)] == [
        (1, "Healthy"),
        (3, "Healthy"),
    ]
    assert rig.realised(receipt).profit == expected.profit
    assert rig.realised(receipt).bid == expected.bid == expected.profit // 10
    assert rig.weth() == expected.profit - expected.bid
    assert rig.left_over() == {}


def test_a_leg_can_burn_no_more_than_its_gas(rig: Rig) -> None:
    good, bad = rig.borrower(), rig.borrower()
    rig.fall()
    starved = replace(rig.leg(bad), gas_limit=200_000)
    receipt = rig.send(rig.plan(starved, rig.leg(good)))
    assert [place for place, _ in skipped_legs(logs_of(receipt), rig.address)] == [0]
    assert int(receipt["gasUsed"], 16) < 800_000
    assert rig.left_over() == {}


def test_a_batch_in_which_nothing_can_be_done_reverts(rig: Rig) -> None:
    legs = [rig.leg(rig.borrower()) for _ in range(2)]
    assert rig.refusal(rig.plan(*legs, least=0)).name == "NothingDone"
    assert rig.refusal(rig.plan(least=0)).name == "NothingDone"


def test_a_rival_who_was_first_is_noticed_before_anything_is_borrowed(rig: Rig, fallen: Address) -> None:
    plan = rig.plan(rig.leg(fallen))
    rig.world.liquidate(STRANGER, "WETH", "USDC", fallen, rig.world.debt(fallen, "USDC") // 2)
    refusal = rig.refusal(plan)
    assert refusal.name == "Gone"
    assert refusal.lost
    assert rig.gas_of_revert(plan) < 60_000


def test_an_account_that_recovered_is_named_healthy(rig: Rig, fallen: Address) -> None:
    plan = rig.plan(rig.leg(fallen))
    rig.world.set_price("WETH", 2_100 * USD)
    refusal = rig.refusal(plan)
    assert refusal.name == "Healthy"
    assert refusal.lost
    late = rig.gas_of_revert(plan)
    rig.executor = replace(rig.executor, probe=True)
    assert rig.refusal(plan).name == "Healthy"
    assert rig.gas_of_revert(plan) < late - 50_000


def test_a_probe_changes_nothing_for_an_account_that_is_still_down(rig: Rig, fallen: Address) -> None:
    plain = rig.simulate(rig.plan(rig.leg(fallen)))
    rig.executor = replace(rig.executor, probe=True)
    assert rig.simulate(rig.plan(rig.leg(fallen))) == plain


def test_collateral_as_receipt_tokens_is_withdrawn_as_far_as_the_market_has_it(rig: Rig, fallen: Address) -> None:
    leg = rig.leg(fallen)
    assert rig.weth() == 0
    a_token = rig.world.layout.reserves["WETH"].a_token
    supply = rig.weth(a_token)
    rig.world.rpc.rpc("anvil_dealERC20", a_token, rig.executor.weth, hex(39 * WAD // 10))
    assert rig.weth(a_token) == 39 * WAD // 10 < supply
    with_underlying = rig.plan(leg)
    assert rig.refusal(with_underlying).name not in ("Healthy", "Gone")
    plan = rig.plan(replace(leg, receive_wrapped=True))
    rig.send(plan)
    assert rig.weth(a_token) == 0
    assert int(rig.world.a_token("WETH").call("balanceOf", rig.address)) > WAD // 100
    assert rig.left_over() == {}


def test_one_asset_can_be_both_collateral_and_debt(rig: Rig) -> None:
    account = rig.borrower("WETH", "WETH", supplied=10, owed=7.99)
    rig.world.set_risk("WETH", 7_000, 7_500, 10_500)
    leg = rig.leg(account, FundingKind.AAVE_FLASH_LOAN, debt="WETH")
    plan = rig.plan(leg)
    expected = rig.simulate(plan).profit
    rig.send(plan)
    assert rig.weth() == expected > WAD // 20
    assert rig.left_over() == {}


def test_a_token_that_returns_nothing_is_liquidated_like_any_other(rig: Rig) -> None:
    world = rig.world
    world.add_silent_token(TokenSpec("USDX", 6, USD))
    world.add_reserve("USDX", RiskSpec(7500, 7800, 10450, 1000, volatile=False))
    world.supply(STRANGER, "USDX", 10**12)
    world.open_v3_pool("WETH", "USDX", 500)
    account, other = rig.borrower(debt="USDX"), rig.borrower(debt="USDX")
    rig.fall(FALLEN, "WETH/USDX/500")
    rig.send(rig.plan(rig.leg(account, debt="USDX")))
    just_enough = [rig.sale("WETH/USDX/500", exact_out=True)]
    loan = rig.leg(other, FundingKind.AAVE_FLASH_LOAN, debt="USDX", swaps=just_enough)
    whole = Amount(world.debt(other, "USDX"))  # the market takes half of it, so an approval has to be lowered
    clamped = replace(loan, repay=whole, funding=replace(loan.funding, amount=whole))
    rig.send(rig.plan(clamped))
    assert rig.weth() > WAD // 4
    assert rig.left_over() == {}
