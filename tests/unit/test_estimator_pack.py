"""Many accounts at once: shared depth, limits of gas, and how close greedy comes to the best there is."""

from collections.abc import Sequence
from dataclasses import replace
from itertools import permutations, product
from random import Random

import pytest

from keeper.core.plans import FundingKind, Plan
from keeper.core.refusals import Reason
from keeper.core.units import BPS, Bps, Timestamp, Wei
from keeper.estimator.bid import BidBook, BidPolicy
from keeper.estimator.decide import decide
from keeper.estimator.gas import GasBook, LegShape, Shape, prior
from keeper.estimator.pack import pack, packing
from keeper.estimator.risk import Breaker, Trip
from keeper.estimator.world import Candidate, Policy, Risk, World
from keeper.venues.route.search import Routing
from tests.unit.estimator_world import (
    CAP,
    DEEP,
    ETH,
    GWEI,
    LOAN,
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

QUIET = BidBook(start=Bps(0), low=Bps(0))
LEG = LegShape("aave_v3", FundingKind.AAVE_FLASH_LOAN, wrapped=False, bad_debt=False, swaps=((DEEP.kind,),))
JOINED = LEG._replace(joins=True)
BASE = GasBook().gas(Shape((LEG,))) - prior(LEG)


def account(n: int, cap: int = CAP, bonus: int = 10_500) -> Candidate:
    return candidate(Pair(((1, cap),), bonus=bonus, account=address(1000 + n)), account=address(1000 + n))


def crowd(n: int) -> list[Candidate]:
    return [account(i, CAP + i * USDC) for i in range(n)]


def moment(*pools: object, **changes: object) -> World:
    return world(*pools, **({"bids": QUIET, "gas": GasBook()} | changes))  # type: ignore[arg-type]


def test_later_accounts_are_priced_on_what_earlier_ones_leave() -> None:
    here, people = moment(DEEP), crowd(4)
    packed = pack(here, people)
    (plan,) = packed.plans
    outs = [(leg.swaps[0].amount_in, leg.swaps[0].expected_out) for leg in plan.legs]
    moved = DEEP
    for amount, out in outs:
        quote = moved.quote_exact_in(WETH_TOKEN, amount)
        assert quote is not None
        assert quote.amount_out == out
        moved = quote.after  # type: ignore[assignment]
    assert sorted(leg.account for leg in plan.legs) == [one.account for one in people]


def test_together_they_earn_less_than_each_alone_but_for_the_gas_they_share() -> None:
    here, people = moment(DEEP), crowd(4)
    alone = [decide(here, one) for one in people]
    assert all(isinstance(plan, Plan) for plan in alone)
    sum_alone = sum(plan.estimate.profit for plan in alone if isinstance(plan, Plan))
    together = pack(here, people).plans[0].estimate
    assert together.profit < sum_alone
    assert together.gas == (BASE + prior(LEG) + 3 * prior(JOINED) * 3 // 5) * 20 * GWEI


def test_one_transaction_per_account_where_gas_allows_no_more() -> None:
    limit = GasBook().limit(BASE + prior(LEG))
    policy = replace(moment(DEEP).policy, tx_gas=limit)
    packed = pack(moment(DEEP, policy=policy), crowd(3))
    assert [len(plan.legs) for plan in packed.plans] == [1, 1, 1]
    assert all(plan.gas_limit <= limit for plan in packed.plans)


def test_transactions_stay_within_the_cap_and_the_block() -> None:
    packed = pack(moment(pool(1, WETH_TOKEN, 10**6 * ETH, USDC_TOKEN, 2 * 10**9 * USDC)), crowd(110))
    assert len(packed.plans) > 1
    assert all(plan.gas_limit <= 2**24 for plan in packed.plans)
    gas = [GasBook().gas(Shape.of(plan.legs, plan.conversions)) for plan in packed.plans]
    headroom = max(plan.gas_limit - used for plan, used in zip(packed.plans, gas, strict=True))
    assert sum(gas) + headroom <= 30_000_000 < sum(gas) + headroom + max(gas)
    full = [skip for skip in packed.skips if skip.reason is Reason.BLOCK_FULL]
    assert len(full) + sum(len(plan.legs) for plan in packed.plans) == 110
    assert full


def test_a_leg_among_others_has_a_gas_limit_of_its_own() -> None:
    (plan,) = pack(moment(DEEP), crowd(2)).plans
    assert all(prior(LEG) < leg.gas_limit < plan.gas_limit for leg in plan.legs)
    (alone,) = pack(moment(DEEP), crowd(1)).plans
    assert alone.legs[0].gas_limit == 0


def test_what_does_not_pay_alone_may_join() -> None:
    """A profit of 25 dollars pays a leg's gas of 24 but not a transaction's of 26.4."""
    dear = Wei(20 * GWEI)
    gas = GasBook().learn(Shape((LEG,)), 660_000)
    small = account(2, 630 * USDC)
    here = moment(DEEP, base_fee=dear, gas=gas)
    assert not isinstance(decide(here, small), Plan)
    packed = pack(here, [account(1), small])
    assert [leg.account for plan in packed.plans for leg in plan.legs] == [address(1001), address(1002)]
    assert packed.net > pack(here, [account(1)]).net


def test_drained_depth_is_a_reason() -> None:
    thin = pool(1, WETH_TOKEN, 20 * ETH, USDC_TOKEN, 40_000 * USDC)
    packed = pack(moment(thin, base_fee=Wei(GWEI)), crowd(5))
    assert len(packed.skips) >= 3
    assert {skip.reason for skip in packed.skips} <= {Reason.UNPROFITABLE, Reason.BELOW_MIN_PROFIT}


def test_conversions_of_a_batch_are_one_swap_per_token() -> None:
    btc = pool(8, WBTC_TOKEN, 3_000 * 10**8, USDC_TOKEN, 180_000_000 * USDC)
    policy = Policy(WETH_TOKEN, Routing(max_hops=1), BidPolicy(tip=Wei(0)))
    people = [
        candidate(Pair(((1, CAP),), collateral_asset=WBTC_TOKEN, account=address(n)), account=address(n))
        for n in (1, 2, 3)
    ]
    (plan,) = pack(moment(DEEP, btc, policy=policy), people).plans
    (conversion,) = plan.conversions
    left = sum(leg.swaps[0].expected_out - leg.funding.owed for leg in plan.legs)
    assert conversion.amount_in == left
    sold = DEEP.quote_exact_in(USDC_TOKEN, left)
    assert sold is not None
    assert int(plan.estimate.profit) == int(sold.amount_out)


def test_nobody_is_forgotten() -> None:
    people = [*crowd(3), candidate(Pair(()), account=address(77)), account(9, USDC)]
    packed = pack(moment(DEEP), people)
    seen = [leg.account for plan in packed.plans for leg in plan.legs] + [skip.account for skip in packed.skips]
    assert sorted(seen) == sorted(one.account for one in people)


def test_open_breaker_refuses_all() -> None:
    risk = Risk(breaker=Breaker(failures_to_open=1).on(Trip.FAILURE, Timestamp(1_700_000_000)))
    packed = pack(moment(DEEP, risk=risk), crowd(3))
    assert packed.plans == ()
    assert [skip.reason for skip in packed.skips] == [Reason.BREAKER] * 3


def test_packing_lets_go_after_every_account() -> None:
    people = crowd(20)
    steps = packing(moment(DEEP), people)
    seen = []
    try:
        while True:
            seen.append(next(steps))
    except StopIteration as stop:
        packed = stop.value
    assert seen == sorted(seen)
    assert set(seen) == set(range(1, 21))  # when a transaction is closed, once more
    assert packed == pack(moment(DEEP), people)


def test_no_accounts_no_plans() -> None:
    assert pack(moment(DEEP), []) == ((), ())


# --- greedy against brute force ---

GRID = 16


def brute_force(reserves: tuple[int, int], people: Sequence[Candidate], base_fee: int) -> int:
    """The best total over every subset, order and size on a grid, by constant-product maths written out here."""
    best = 0
    for count in range(1, len(people) + 1):
        for order in permutations(people, count):
            for sizes in product(range(1, GRID + 1), repeat=count):
                best = max(best, _total(reserves, order, sizes, base_fee))
    return best


def _total(reserves: tuple[int, int], order: Sequence[Candidate], sizes: Sequence[int], base_fee: int) -> int:
    x, y = reserves
    total = -GasBook().gas(Shape((LEG, *[JOINED] * (len(order) - 1)))) * base_fee
    lent = 0
    for one, size in zip(order, sizes, strict=True):
        (pair,) = one.actions
        assert isinstance(pair, Pair)
        repay = pair.intervals()[0][1] * size // GRID
        sold = pair.settle(repay).received
        out = sold * 997 * y // (x * 1000 + sold * 997)
        x, y = x + sold, y - out
        total += (out - repay) * ETH // (2000 * USDC)
        lent += repay
    return total - (lent * 5 + BPS - 1) // BPS * ETH // (2000 * USDC)  # of one loan of all


@pytest.mark.parametrize("case", range(10))
def test_greedy_is_within_two_percent_of_brute_force(case: int, seed: int) -> None:
    rng = Random(seed * 1000 + case)
    depth = int(10 ** rng.uniform(1.3, 3.7) * ETH)
    reserves = depth, depth * 2000 * USDC // ETH
    people = [
        account(i, int(10 ** rng.uniform(3, 5) * USDC), rng.choice((10_300, 10_500, 11_000)))
        for i in range(rng.randint(2, 3))
    ]
    base_fee = rng.choice((1, 5, 20, 60)) * GWEI
    sold = pool(1, WETH_TOKEN, reserves[0], USDC_TOKEN, reserves[1])
    here = moment(sold, base_fee=Wei(base_fee), lenders=(LOAN,))
    assert pack(here, people).net * 100 >= 98 * brute_force(reserves, people, base_fee)
