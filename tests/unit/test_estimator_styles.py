"""Liquidations that differ in kind, decided on by the same rules: who pays first, what is a reward, a receipt."""

from dataclasses import dataclass, replace
from itertools import pairwise

import pytest

from keeper.contracts.encode import Executor, encode_plan
from keeper.core.actions import Call, Settlement, Stage, Style
from keeper.core.outlook import Receipt
from keeper.core.plans import FundingKind, Plan, VenueKind
from keeper.core.ports import Valued
from keeper.core.refusals import Reason, Skip
from keeper.core.units import ZERO_ADDRESS, Address, Amount, Bps, Wei
from keeper.core.venues import Liquidity
from keeper.estimator.bid import BidPolicy
from keeper.estimator.decide import decide
from keeper.estimator.gas import GasBook
from keeper.estimator.pack import pack
from keeper.estimator.world import Policy, World
from keeper.estimator.worth import Prices, complete
from keeper.venues.erc4626.pool import Vault
from keeper.venues.route.search import Routing
from tests.unit.estimator_world import (
    ACCOUNT,
    DAI_TOKEN,
    DEEP,
    ETH,
    FREE,
    GWEI,
    LOAN,
    MARKET,
    PRICES,
    USD,
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

C_WETH, C_WBTC = address(0xC0E7), address(0xC0B7)
DAI_POOL = pool(7, WETH_TOKEN, 5_000 * ETH, DAI_TOKEN, 10_000_000 * ETH)
BTC_POOL = pool(8, WBTC_TOKEN, 100 * 10**8, WETH_TOKEN, 3_000 * ETH)
CALL = Call(MARKET, b"\1\2\3\4")
EXECUTOR = Executor(address(0xE0), WETH_TOKEN, ())
CAP = 8_400 * USDC


@dataclass(frozen=True)
class Reward(Pair):
    """Nothing is repaid, and so much comes."""

    reward: int = 250 * ETH

    def settle(self, repay: int) -> Settlement:
        return Settlement(Amount(repay), Amount(self.reward), Amount(0))

    def calls(self, repay: int) -> tuple[Call, ...]:
        assert repay == 0
        return (CALL,)


@dataclass(frozen=True)
class Bounty(Reward):
    """With calls of its own."""

    def calls(self, repay: int) -> tuple[Call, ...]:
        assert repay == 0
        return self.called


@dataclass(frozen=True)
class Margin(Pair):
    """Margin comes back with a share of itself on top."""

    def settle(self, repay: int) -> Settlement:
        return Settlement(Amount(repay), Amount(repay + repay * 3 // 100), Amount(0))


def in_weth(*pools: object, lenders: tuple[object, ...] = (), **changes: object) -> World:
    """Profit is measured in WETH, as the executor does it."""
    policy = Policy(
        WETH_TOKEN, Routing(hubs=(WETH_TOKEN,)), BidPolicy(tip=Wei(0), min_profit=Wei(0)), window=1, slippage=Bps(0)
    )
    return world(*pools, lenders=lenders, policy=policy, gas=GasBook(), **changes)  # type: ignore[arg-type]


def planned(found: Plan | Skip) -> Plan:
    assert isinstance(found, Plan), found
    return found


@pytest.mark.parametrize("style", [Style.CALLBACK, Style.CLIP])
def test_a_market_that_pays_first_needs_no_loan_and_pays_no_fee(style: Style) -> None:
    pair = Pair(((1, CAP),), style=style, called=(CALL,))
    plan = planned(decide(in_weth(DEEP), candidate(pair)))
    (leg,) = plan.legs
    assert leg.funding.kind is FundingKind.PROTOCOL_CALLBACK
    assert (leg.funding.fee, leg.funding.source, leg.style, leg.calls) == (0, ZERO_ADDRESS, style, (CALL,))
    assert plan.estimate.funding_fee == 0
    assert encode_plan(plan, EXECUTOR)
    lent = planned(decide(in_weth(DEEP, lenders=(FREE, LOAN)), candidate(pair)))
    assert lent == plan  # whoever else would lend


def test_nobody_flash_swaps_for_a_market_that_pays_first() -> None:
    prefunded = planned(decide(in_weth(DEEP, lenders=(LOAN,)), candidate(Pair(((1, CAP),), style=Style.PREFUND))))
    assert prefunded.legs[0].style is Style.PREFUND
    assert prefunded.legs[0].funding.kind is FundingKind.AAVE_FLASH_LOAN
    refused = decide(in_weth(DEEP), candidate(Pair(((1, CAP),), style=Style.PREFUND)))
    assert isinstance(refused, Skip)
    assert refused.reason is Reason.NO_FUNDING


def test_a_bounty_is_all_gain_and_is_sold_for_the_profit_token() -> None:
    bounty = Reward(
        ((0, 0),), collateral_asset=DAI_TOKEN, debt_asset=DAI_TOKEN, style=Style.BOUNTY, spender=ZERO_ADDRESS
    )
    plan = planned(decide(in_weth(DAI_POOL), candidate(bounty)))
    (leg,) = plan.legs
    assert (leg.repay, leg.funding.kind, leg.funding.amount, leg.swaps) == (0, FundingKind.OWN, 0, ())
    assert [hop.token_out for sale in plan.conversions for hop in sale.hops] == [WETH_TOKEN]
    sold = DAI_POOL.quote_exact_in(DAI_TOKEN, 250 * ETH)
    assert sold is not None
    assert int(plan.estimate.profit) == int(sold.amount_out)
    assert plan.estimate.gross_bonus == 250 * ETH // 2_000
    assert encode_plan(plan, EXECUTOR)
    small = decide(in_weth(DAI_POOL), candidate(replace(bounty, reward=ETH)))
    assert isinstance(small, Skip)
    assert small.reason is Reason.UNPROFITABLE


def test_what_needs_doing_once_is_done_by_the_first_of_several_bounties() -> None:
    poke, after = Call(MARKET, b"poke"), Call(MARKET, b"exit", stage=Stage.LAST)
    barks = [Call(MARKET, b"bark" + bytes(31) + bytes([n])) for n in range(3)]
    bounty = Bounty(((0, 0),), collateral_asset=DAI_TOKEN, debt_asset=DAI_TOKEN, style=Style.BOUNTY)
    pairs = [replace(bounty, account=address(n), called=(poke, bark, after)) for n, bark in enumerate(barks)]
    (plan,) = pack(in_weth(DAI_POOL), [candidate(pair, account=pair.account) for pair in pairs]).plans
    made = [[call.data[:4] for call in leg.calls] for leg in plan.legs]
    assert made == [[b"poke", b"bark", b"exit"], [b"bark", b"exit"], [b"bark", b"exit"]]
    assert len({call for leg in plan.legs for call in leg.calls if call.data[:4] == b"bark"}) == 3


def test_the_margin_of_a_takeover_is_lent_and_given_back() -> None:
    taken = Margin(
        ((1, CAP),), collateral_asset=USDC_TOKEN, debt_asset=USDC_TOKEN, style=Style.TAKEOVER, called=(CALL,)
    )
    plan = planned(decide(in_weth(DEEP, lenders=(LOAN,)), candidate(taken)))
    (leg,) = plan.legs
    assert (leg.repay, leg.settlement.received) == (CAP, CAP + CAP * 3 // 100)
    assert (leg.funding.kind, leg.swaps) == (FundingKind.AAVE_FLASH_LOAN, ())
    assert leg.funding.owed == CAP + CAP * 5 // 10_000
    assert [sale.amount_in for sale in plan.conversions] == [CAP * 3 // 100 - CAP * 5 // 10_000]
    assert encode_plan(plan, EXECUTOR)


def test_styles_share_a_transaction_the_depth_of_pools_and_the_gas() -> None:
    pairs = [
        Pair(((1, CAP),), style=Style.CALLBACK, called=(CALL,), account=address(1)),
        Pair(((1, CAP),), account=address(2)),
        Reward(((0, 0),), collateral_asset=DAI_TOKEN, debt_asset=DAI_TOKEN, style=Style.BOUNTY, account=address(3)),
        Pair(((1, CAP),), style=Style.CALLBACK, called=(CALL,), account=address(4)),
    ]
    found = pack(in_weth(DEEP, DAI_POOL, lenders=(LOAN,)), [candidate(pair, account=pair.account) for pair in pairs])
    assert found.skips == ()
    assert len(found.plans) == 1
    legs = {leg.account: leg for leg in found.plans[0].legs}
    assert set(legs) == {pair.account for pair in pairs}
    first, second = (legs[address(n)] for n in (1, 4))
    prices = [leg.swaps[0].expected_out / leg.swaps[0].amount_in for leg in (first, second)]
    assert prices[0] != prices[1]  # the second sells into what the first has left
    singles = sum(planned(decide(in_weth(DEEP, DAI_POOL, lenders=(LOAN,)), candidate(p))).gas_limit for p in pairs)
    assert found.plans[0].gas_limit < singles


# --- receipts -------------------------------------------------------------------------------------------------------


def receipt(token: Address, asset: Address, rate: int, available: int = 10**30) -> Vault:
    return Vault.of(Receipt(VenueKind.CTOKEN, token, asset, rate, ETH, available))


def test_a_receipt_is_worth_what_it_is_redeemed_for() -> None:
    vault = receipt(C_WETH, WETH_TOKEN, 2 * 10**26, available=10 * ETH)
    quote = vault.quote_exact_in(C_WETH, 26 * 10**9 + 1)
    assert quote is not None
    assert quote.amount_out == (26 * 10**9 + 1) * 2 * 10**26 // ETH
    assert quote.after.quote_exact_in(C_WETH, 26 * 10**9) is None  # the market has only so much
    assert vault.kind is VenueKind.CTOKEN
    assert vault.quote_exact_in(WETH_TOKEN, ETH) is None


@pytest.mark.parametrize("style", [Style.PREFUND, Style.CALLBACK])
def test_receipts_are_redeemed_and_sold_on(style: Style) -> None:
    unit = 10**8
    prices = Prices({**PRICES.assets, C_WBTC: Valued(1_200 * USD, unit)}, WETH_TOKEN)  # fifty make one
    vault = receipt(C_WBTC, WBTC_TOKEN, ETH // 50)
    pair = Pair(((1, CAP),), prices, collateral_asset=C_WBTC, style=style, called=(CALL,))
    at = in_weth(DEEP, BTC_POOL, lenders=(LOAN,))
    at = replace(at, liquidity=at.liquidity.beside([vault]))
    plan = planned(decide(at, candidate(pair, prices=prices)))
    (leg,) = plan.legs
    hops = leg.swaps[0].hops
    assert hops[0].venue is VenueKind.CTOKEN
    assert [(hop.token_in, hop.token_out) for hop in hops] == list(
        pairwise((C_WBTC, WBTC_TOKEN, WETH_TOKEN, USDC_TOKEN))
    )
    assert encode_plan(plan, EXECUTOR)
    plain = Pair(((1, CAP),), style=style, called=(CALL,), collateral_asset=WBTC_TOKEN)
    other = planned(decide(at, candidate(plain)))
    assert abs(other.estimate.profit - plan.estimate.profit) < other.estimate.profit // 100


def test_without_its_market_nobody_buys_a_receipt() -> None:
    prices = Prices({**PRICES.assets, C_WETH: Valued(40 * USD, 10**8)}, WETH_TOKEN)
    pair = Pair(((1, CAP),), prices, collateral_asset=C_WETH, style=Style.PREFUND)
    found = decide(in_weth(DEEP, lenders=(LOAN,)), candidate(pair, prices=prices))
    assert isinstance(found, Skip)
    assert found.reason is Reason.NO_ROUTE


# --- markets that do not know the native token ----------------------------------------------------------------------


def test_another_markets_word_counts_where_a_market_has_no_price_of_the_native_token() -> None:
    """Two markets with units of their own: one counts in dollars of 8 decimals, one in dollars of 18."""
    own = {DAI_TOKEN: Valued(ETH, ETH), USDC_TOKEN: Valued(ETH, USDC)}
    found = complete(own, WETH_TOKEN, [PRICES.assets], Liquidity.of([]))
    assert found.assets[WETH_TOKEN] == Valued(2_000 * ETH, ETH)
    assert found.wei_down(DAI_TOKEN, 2_000 * ETH) == ETH
    dearer = {WETH_TOKEN: Valued(2_100 * USD, ETH), DAI_TOKEN: Valued(USD, ETH)}
    assert complete(own, WETH_TOKEN, [PRICES.assets, dearer], Liquidity.of([])).assets[WETH_TOKEN].price == 2_100 * ETH
    assert complete(PRICES.assets, WETH_TOKEN, [dearer], Liquidity.of([])) == PRICES


def test_pools_are_asked_where_no_market_knows_the_native_token() -> None:
    own = {DAI_TOKEN: Valued(ETH, ETH)}
    odd = [pool(n, WETH_TOKEN, 1, DAI_TOKEN, 10**21 * n) for n in (90, 91)]
    found = complete(own, WETH_TOKEN, [], Liquidity.of([DAI_POOL, pool(9, WETH_TOKEN, ETH, DAI_TOKEN, 1_990 * ETH)]))
    assert 1_990 * ETH < found.assets[WETH_TOKEN].price < 2_010 * ETH
    three = Liquidity.of([DAI_POOL, pool(9, WETH_TOKEN, ETH, DAI_TOKEN, 1_990 * ETH), odd[0]])
    assert complete(own, WETH_TOKEN, [], three).assets[WETH_TOKEN].price < 2_010 * ETH  # one liar is outvoted
    nobody = complete(own, WETH_TOKEN, [], Liquidity.of([]))
    bounty = Reward(((0, 0),), nobody, DAI_TOKEN, DAI_TOKEN, style=Style.BOUNTY)
    refused = decide(in_weth(DAI_POOL), candidate(bounty, account=ACCOUNT, prices=nobody))
    assert isinstance(refused, Skip)
    assert refused.reason is Reason.ORACLE_INVALID
    assert pack(in_weth(DAI_POOL), [candidate(bounty, prices=nobody)]).plans == ()


def test_gas_of_a_shape_never_seen_is_priced_by_its_style() -> None:
    plans = {
        style: planned(
            decide(
                in_weth(DEEP, lenders=(FREE,), base_fee=GWEI), candidate(Pair(((1, CAP),), style=style, called=(CALL,)))
            )
        )
        for style in (Style.PREFUND, Style.CALLBACK, Style.CLIP)
    }
    assert plans[Style.CALLBACK].gas_limit < plans[Style.CLIP].gas_limit < plans[Style.PREFUND].gas_limit
