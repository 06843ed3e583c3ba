"""Markets that are liquidated in other ways than Aave: each style does what it is for, and leaves nothing behind."""

from dataclasses import replace

import pytest

from keeper.core.actions import Style
from keeper.core.plans import FundingKind, Hop, Role, VenueKind
from keeper.core.units import WAD, ZERO_ADDRESS
from keeper.devnet.world import World
from tests.contracts.executor_hostile import FLOAT, USDC_FLOAT, hostile, worth_taking
from tests.contracts.executor_markets import EACH, GIVES, OWED, Market, least_gain
from tests.contracts.executor_world import STRANGER, Rig, swap


@pytest.fixture
def rig(world: World) -> Rig:
    return worth_taking(world)


@pytest.fixture
def market(rig: Rig) -> Market:
    return Market.deploy(rig)


@pytest.mark.parametrize("style", EACH)
def test_a_liquidation_of_each_style_leaves_nothing_but_profit(rig: Rig, market: Market, style: Style) -> None:
    market.agree(style)
    plan = rig.plan(market.leg(style))
    expected = rig.simulate(plan)
    receipt = rig.send(plan)
    assert rig.weth() - FLOAT == expected.profit >= least_gain(style)
    assert rig.realised(receipt).profit == expected.profit
    assert rig.left_over(market.address) == {"USDC": USDC_FLOAT}
    assert rig.world.token("WETH").call("allowance", rig.address, market.address) == 0
    assert not market.trusts


@pytest.mark.parametrize("lender", ["flash_swap", "aave", "balancer", "own"])
def test_a_prefunded_style_takes_any_funding(rig: Rig, market: Market, lender: str) -> None:
    leg, world = market.leg(Style.PREFUND), rig.world
    funding = {
        "flash_swap": (FundingKind.UNISWAP_V3_FLASH_SWAP, world.layout.uniswap.pools["WETH/USDC/500"]),
        "aave": (FundingKind.AAVE_FLASH_LOAN, world.layout.aave.pool),
        "own": (FundingKind.OWN, ZERO_ADDRESS),
    }
    kind, source = funding.get(lender, (FundingKind.BALANCER_FLASH_LOAN, ZERO_ADDRESS))
    if lender == "balancer":
        source = world.add_balancer("USDC", amount=10**12).address
        rig.allow(source, role=Role.MARKET)
    fee = 500 if lender == "flash_swap" else 0
    changed = replace(leg.funding, kind=kind, source=source, pool_fee=fee)
    swaps = () if lender == "flash_swap" else leg.swaps
    rig.send(rig.plan(replace(leg, funding=changed, swaps=swaps)))
    assert rig.weth() > FLOAT + WAD // 20
    assert rig.left_over(market.address) == {"USDC": USDC_FLOAT}


def test_a_takeover_is_margined_by_a_loan(rig: Rig, market: Market) -> None:
    market.agree(Style.TAKEOVER)
    leg = market.leg(Style.TAKEOVER)
    funding = replace(leg.funding, kind=FundingKind.AAVE_FLASH_LOAN, source=rig.world.layout.aave.pool)
    rig.world.supply(STRANGER, "WETH", 100 * WAD)
    rig.send(rig.plan(replace(leg, funding=funding)))
    gained = rig.weth() - FLOAT
    assert GIVES // 2 - GIVES // 1_000 < gained < GIVES // 2  # less the loan's fee


def test_styles_share_a_transaction_with_each_other_and_with_aave(rig: Rig, market: Market) -> None:
    account = rig.borrower()
    rig.fall()
    legs = [market.leg(style) for style in (Style.CALLBACK, Style.PREFUND, Style.CLIP, Style.BOUNTY)]
    plan = rig.plan(rig.leg(account), *legs)
    result = rig.simulate(plan)
    assert result.skipped == ()
    rig.send(plan)
    assert rig.weth() - FLOAT == result.profit > GIVES + 4 * WAD // 20
    assert rig.left_over(market.address) == {"USDC": USDC_FLOAT}


def test_a_market_that_takes_less_leaves_the_rest_with_us_and_no_approval(rig: Rig, market: Market) -> None:
    market.behave(takes=OWED - 5)
    rig.send(rig.plan(market.leg(Style.PREFUND)))
    assert rig.left_over(market.address) == {"USDC": USDC_FLOAT}  # so much less had to be bought
    rig.send(rig.plan(market.leg(Style.CALLBACK)))
    assert rig.left_over(market.address) == {"USDC": USDC_FLOAT + 5}


def test_an_auction_that_has_become_cheaper_is_paid_what_it_asks(rig: Rig, market: Market) -> None:
    """The amount that is joined is what is owed when it lands, not what was planned."""
    market.behave(asks=OWED - 100, takes=OWED - 100)
    rig.send(rig.plan(market.leg(Style.CLIP)))
    assert rig.left_over(market.address) == {"USDC": USDC_FLOAT}
    assert market.contract.call("dai", rig.address) == 0


@pytest.mark.parametrize("style", [Style.PREFUND, Style.CALLBACK])
def test_a_witness_of_any_market_is_an_early_exit(rig: Rig, market: Market, style: Style) -> None:
    market.contract.send("owe", market.leg(style).account, 10**30, sender=STRANGER)
    there, gone = (replace(market.leg(style), witness=market.witness(floor)) for floor in (10**30, 10**30 + 1))
    assert rig.simulate(rig.plan(there)).profit > 0
    assert rig.refusal(rig.plan(gone)).name == "Gone"
    assert rig.simulate(rig.plan(gone, there)).skipped == (0,)
    assert rig.gas_of_revert(rig.plan(gone)) < 60_000
    silent = replace(there, witness=replace(market.witness(1), data=b"\0\0\0\0"))
    assert rig.refusal(rig.plan(silent)).name == "Gone"  # who does not answer has nothing


# --- receipts -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", [VenueKind.CTOKEN, VenueKind.ERC4626])
def test_a_receipt_is_redeemed_before_it_is_sold(rig: Rig, market: Market, kind: VenueKind) -> None:
    receipt = hostile(rig, "receipt", rig.executor.weth)
    rig.world.token("WETH").send("mint(address,uint256)", receipt.address, 10 * WAD, sender=STRANGER)
    receipt.send("mint", market.address, 10 * WAD, sender=STRANGER)
    receipt.send("mint", rig.address, WAD, sender=STRANGER)  # a float of receipts
    market.behave(collateral=receipt.address, gives=2 * GIVES)
    hop = Hop(kind, receipt.address, receipt.address, rig.executor.weth, 0)
    for style in (Style.PREFUND, Style.CALLBACK):
        sale = swap(hop, rig.hop("WETH", "USDC", "500"), exact_out=True)
        plan = rig.plan(replace(market.leg(style), collateral_asset=receipt.address, swaps=(sale,)))
        rig.allow(receipt.address, role=Role(0))
        assert rig.refusal(plan).name == "Forbidden"
        rig.allow(receipt.address, role=Role.POOL)
        before = rig.weth()
        rig.send(plan)
        assert rig.weth() - before > least_gain(style)
        receipt.send("behave", 0, True, sender=STRANGER)
        assert rig.refusal(plan).name == "Short"  # a sale of nothing brings nothing
        receipt.send("behave", 9, False, sender=STRANGER)
        assert rig.refusal(plan).name == ("Refused" if kind == VenueKind.CTOKEN else "Short")
        receipt.send("behave", 0, False, sender=STRANGER)
    assert receipt.call("balanceOf", rig.address) == WAD
    assert rig.left_over(market.address) == {"USDC": USDC_FLOAT}
