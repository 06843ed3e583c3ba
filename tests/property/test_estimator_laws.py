"""Laws of every estimate, for tokens of 0 to 24 decimals: the identity, the roundings, the floor, the direction."""

from dataclasses import replace
from fractions import Fraction
from typing import Any, NamedTuple

from hypothesis import assume, given, settings
from hypothesis import strategies as st

from keeper.core.plans import FundingKind, Plan
from keeper.core.ports import Loan, Valued
from keeper.core.units import BPS, Address, Bps, Wei
from keeper.core.venues import PIPS, Liquidity
from keeper.estimator import gas
from keeper.estimator.bid import BidBook, BidPolicy, Ended, Key, in_bps
from keeper.estimator.decide import decide
from keeper.estimator.gas import FeeRule, GasBook
from keeper.estimator.rollup import fastlz_length
from keeper.estimator.world import Candidate, Policy, World
from keeper.estimator.worth import Prices
from keeper.venues.route.search import Routing
from keeper.venues.uniswap_v2.pool import UniswapV2Pool
from tests.unit.estimator_world import AAVE, ACCOUNT, ETH, GWEI, MARKET, USD, Pair, address, pool, world

SOLD, OWED, NATIVE = address(0xC1), address(0xD1), address(0xE1)


class Setting(NamedTuple):
    """One account, one pool, one lender, and what they cost."""

    decimals: tuple[int, int]
    prices: tuple[int, int]  # of the collateral and the debt, 8 decimals
    repay: int  # dollars
    depth: int  # of the pool, dollars on each side
    skew: int  # per mille of the oracle price that the pool pays
    fee: int  # pips
    loan_bps: int
    bonus: int
    base_fee: int
    min_profit: int
    share: int

    @property
    def book(self) -> Prices:
        sold, owed = (Valued(price, 10**d) for price, d in zip(self.prices, self.decimals, strict=True))
        return Prices({SOLD: sold, OWED: owed, NATIVE: Valued(2000 * USD, ETH)}, NATIVE)

    @property
    def pool(self) -> UniswapV2Pool:
        one, other = self.book.assets[SOLD], self.book.assets[OWED]
        reserve = self.depth * USD * one.unit // one.price
        other_reserve = self.depth * USD * other.unit * self.skew // (other.price * 1000)
        return pool(7, SOLD, reserve, OWED, other_reserve, self.fee)

    @property
    def candidate(self) -> Candidate:
        owed = self.book.assets[OWED]
        most = self.repay * USD * owed.unit // owed.price
        pair = Pair(((1, most),), self.book, SOLD, OWED, self.bonus)
        return Candidate(ACCOUNT, (pair,) if most else (), self.book, MARKET)

    @property
    def world(self) -> World:
        bid = BidPolicy(min_profit=Wei(self.min_profit), tip=Wei(0))
        return world(
            policy=Policy(OWED, Routing(), bid, min_profit_bps=Bps(10)),
            liquidity=Liquidity.of([self.pool]),
            lenders=(Loan(FundingKind.AAVE_FLASH_LOAN, AAVE, OWED, 10**60, Bps(self.loan_bps)),),
            base_fee=Wei(self.base_fee),
            gas=GasBook(),
            bids=BidBook(start=Bps(self.share), low=Bps(0), high=Bps(9500)),
        )


SETTINGS = st.builds(
    Setting,
    decimals=st.tuples(st.integers(0, 24), st.integers(0, 24)),
    prices=st.tuples(st.integers(10**4, 10**13), st.integers(10**4, 10**13)),
    repay=st.integers(500, 10**6),
    depth=st.integers(10**3, 10**9),
    skew=st.integers(900, 1100),
    fee=st.sampled_from((100, 500, 3_000, 10_000)),
    loan_bps=st.sampled_from((0, 5, 9, 30)),
    bonus=st.integers(10_100, 11_500),
    base_fee=st.integers(0, 100 * GWEI),
    min_profit=st.integers(0, ETH // 100),
    share=st.integers(0, 9500),
)


def quiet(setting: Setting) -> Setting:
    """Without a bid or a minimum, so that net is what the search maximises."""
    return setting._replace(share=0, min_profit=0)


def net_of(setting: Setting, **changes: Any) -> int | None:
    changed = setting._replace(**changes)
    plan = decide(
        replace(changed.world, policy=replace(changed.world.policy, min_profit_bps=Bps(0))), changed.candidate
    )
    return plan.estimate.net if isinstance(plan, Plan) else None


@given(SETTINGS)
@settings(max_examples=100, deadline=None)
def test_identity_floor_and_rounding_of_every_plan(setting: Setting) -> None:
    plan = decide(setting.world, setting.candidate)
    assume(isinstance(plan, Plan))
    assert isinstance(plan, Plan)
    e, (leg,), prices = plan.estimate, plan.legs, setting.book
    parts = (e.protocol_fee, e.venue_fee, e.impact, e.funding_fee, e.gas, e.l1_fee, e.bid, e.net)
    assert e.gross_bonus == sum(parts)
    # No plan below the floor.
    paid = _exact(prices, OWED, leg.settlement.paid)
    assert e.net >= setting.min_profit
    assert e.net >= paid * 10 / BPS
    # Rounding never in our favour, against exact fractions. (Just what is owed may be bought, and the rest sold after.)
    swap = leg.swaps[0]
    kept = sum(one.expected_out for one in plan.conversions) or swap.expected_out - leg.funding.owed
    assert e.profit <= _exact(prices, OWED, kept)
    assert e.net <= _exact(prices, OWED, kept) - e.gas - e.bid
    assert 2 * leg.funding.fee * BPS >= 2 * leg.repay * setting.loan_bps - BPS  # the contract's own: half up
    assert e.protocol_fee + 1 >= _exact(prices, SOLD, leg.settlement.protocol_fee)
    taken = swap.amount_in * (PIPS - setting.fee)
    assert swap.expected_out <= Fraction(taken * _out(setting), _in(setting) * PIPS + taken)
    assert e.funding_fee >= _exact(prices, OWED, leg.funding.fee)
    # The profit asserted on chain pays everything and leaves the floor.
    needed = max(Fraction(setting.min_profit), paid * 10 / BPS) + e.gas + e.bid
    assert _exact(prices, OWED, plan.min_profit) >= needed
    assert plan.min_profit <= kept


def _exact(prices: Prices, token: Address, amount: int | Fraction) -> Fraction:
    asset = prices.assets[token]
    return Fraction(amount) * asset.price * ETH / (asset.unit * 2000 * USD)


def _in(setting: Setting) -> int:
    return setting.pool.reserve0 if setting.pool.token0 == SOLD else setting.pool.reserve1


def _out(setting: Setting) -> int:
    return setting.pool.reserve1 if setting.pool.token0 == SOLD else setting.pool.reserve0


COMMON = SETTINGS.filter(lambda s: min(s.decimals) >= 6).map(quiet)


@given(COMMON, st.integers(1, 50))
@settings(max_examples=50, deadline=None)
def test_a_worse_price_never_earns_more(setting: Setting, worse: int) -> None:
    _not_more(net_of(setting), net_of(setting, skew=setting.skew - worse))


@given(COMMON, st.sampled_from(((100, 500), (500, 3_000), (3_000, 10_000))))
@settings(max_examples=50, deadline=None)
def test_a_higher_pool_fee_never_earns_more(setting: Setting, fees: tuple[int, int]) -> None:
    _not_more(net_of(setting, fee=fees[0]), net_of(setting, fee=fees[1]))


@given(COMMON, st.integers(1, 50))
@settings(max_examples=50, deadline=None)
def test_a_dearer_loan_never_earns_more(setting: Setting, more: int) -> None:
    _not_more(net_of(setting), net_of(setting, loan_bps=setting.loan_bps + more))


@given(COMMON, st.integers(1, 100 * GWEI))
@settings(max_examples=50, deadline=None)
def test_dearer_gas_never_earns_more(setting: Setting, more: int) -> None:
    _not_more(net_of(setting), net_of(setting, base_fee=setting.base_fee + more))


@given(COMMON, st.integers(1, 10**6))
@settings(max_examples=40, deadline=None)
def test_more_gas_never_earns_more(setting: Setting, more: int) -> None:
    def net(used: int) -> int | None:
        here = setting.world
        plan = decide(replace(here, policy=replace(here.policy, min_profit_bps=Bps(0))), setting.candidate)
        if not isinstance(plan, Plan):
            return None
        book = GasBook().learn(gas.Shape.of(plan.legs, plan.conversions), used)
        again = decide(replace(here, gas=book, policy=replace(here.policy, min_profit_bps=Bps(0))), setting.candidate)
        return again.estimate.net if isinstance(again, Plan) else None

    _not_more(net(400_000), net(400_000 + more))


def _not_more(better: int | None, worse: int | None) -> None:
    assert worse is None or (better is not None and worse <= better)


# --- base fee, bids, compression ---


@given(
    base_fee=st.integers(0, 10**15),
    limit=st.integers(2, 10**9),
    used=st.integers(0, 10**9),
    elasticity=st.integers(2, 10),
    denominator=st.integers(1, 500),
)
def test_base_fee_moves_within_its_bounds(
    base_fee: int, limit: int, used: int, elasticity: int, denominator: int
) -> None:
    rule = FeeRule(elasticity, denominator)
    assume(limit >= elasticity)
    used = min(used, limit)
    after = gas.next_base_fee(base_fee, used, limit, rule)
    worst = gas.worst_base_fee(base_fee, 1, limit, rule)
    assert base_fee - base_fee // denominator <= after <= worst
    target = limit // elasticity
    assert (after > base_fee) == (used > target)
    assert after <= base_fee or after - base_fee == max(base_fee * (used - target) // target // denominator, 1)


@given(st.integers(0, 10**12), st.lists(st.integers(0, 30_000_000), max_size=8))
def test_worst_base_fee_bounds_every_path(base_fee: int, blocks: list[int]) -> None:
    now = base_fee
    for used in blocks:
        now = gas.next_base_fee(now, used, 30_000_000)
    assert now <= gas.worst_base_fee(base_fee, len(blocks), 30_000_000)


@given(st.integers(0, 10**21), st.integers(1, 10**21), st.integers(0, 10**21), st.integers(0, 10**21))
def test_share_of_profit_pays_within_its_bounds(bid: int, profit: int, floor: int, ceiling: int) -> None:
    bps = in_bps(bid, profit, floor, ceiling)
    if bps is not None:
        assert floor <= profit * bps // BPS <= ceiling
        assert 0 <= bps < BPS


@given(
    value=st.integers(0, 10**21),
    beta=st.integers(0, BPS),
    floor=st.integers(0, 10**20),
    least=st.integers(0, 10**20),
    gamma=st.integers(0, BPS),
    bidders=st.integers(0, 20),
)
def test_offer_leaves_the_minimum_and_reaches_the_floor(
    value: int, beta: int, floor: int, least: int, gamma: int, bidders: int
) -> None:
    policy = BidPolicy(Wei(floor), Wei(least), Bps(gamma), bidders)
    offer = policy.offer(value, Bps(beta))
    assert (offer is None) == (floor > value - least)
    assert offer is None or floor <= offer <= value - least


@given(st.lists(st.tuples(st.sampled_from(Ended), st.none() | st.integers(0, 20_000)), max_size=60))
def test_learned_shares_stay_within_bounds(history: list[tuple[Ended, int | None]]) -> None:
    book, key = BidBook(low=Bps(500), high=Bps(9000)), Key("p", address(1), "c")
    for ended, rival in history:
        before = book.beta(key)
        book = book.learn(key, ended, None if rival is None else Bps(rival))
        after = book.beta(key)
        assert 500 <= after <= 9000
        assert after <= before if ended is Ended.WON else after >= before


@given(st.binary(max_size=2_000))
def test_compressed_length_is_bounded(data: bytes) -> None:
    """Literals cost one byte in 32 at most; no data compress below one match in 264."""
    length = fastlz_length(data)
    assert length <= len(data) + len(data) // 32 + 1
    assert length * 88 >= len(data)
