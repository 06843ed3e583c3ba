"""What a decision costs: one account against the same search done naively, and a crash against as many single plans.

Law: both sides of a ratio run in this process, on the same world, one after the other, and are measured in its own CPU
time, so that a busy machine does not count. The naive search must not find more than we do; the figures say so.
"""

import asyncio
import gc
import random
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from math import isqrt
from typing import Any, Final

from keeper.core.plans import FundingKind, Plan
from keeper.core.ports import Loan, Valued
from keeper.core.refusals import Reason
from keeper.core.units import RAY, WAD, ZERO_ADDRESS, Address, BlockNumber, Bps, Timestamp, Wei
from keeper.core.venues import Liquidity, Pool, PoolKey, sorted_pair
from keeper.estimator.bid import BidPolicy
from keeper.estimator.decide import decide
from keeper.estimator.funding import loan_fee
from keeper.estimator.pack import Packed, packing
from keeper.estimator.world import Candidate, Policy, World
from keeper.estimator.worth import Prices
from keeper.protocols.aave_v3.pair import LiquidationPair
from keeper.protocols.aave_v3.profiles import V3_6
from keeper.protocols.aave_v3.seizure import LiquidationTerms
from keeper.venues.route.best import best_sale
from keeper.venues.route.search import Routing
from keeper.venues.uniswap_v2.pool import UniswapV2Pool
from keeper.venues.uniswap_v3.pool import UniswapV3Pool
from keeper.venues.uniswap_v3.ticks import sqrt_ratio, tick_of
from keeper.venues.uniswap_v3.walk import Place, Ticks

ROUNDS: Final = 9
SAMPLES: Final = 1_000
SEED: Final = 7
GWEI: Final = 10**9
USD: Final = 10**8


def _address(n: int) -> Address:
    return Address(f"0x{n:040x}")


WETH, WBTC, LINK, USDC, DAI = (_address(n) for n in range(0xE1, 0xE6))
TOKENS: Final = {
    WETH: Valued(2_000 * USD, 10**18),
    WBTC: Valued(60_000 * USD, 10**8),
    LINK: Valued(15 * USD, 10**18),
    USDC: Valued(USD, 10**6),
    DAI: Valued(USD, 10**18),
}
PRICES: Final = Prices(TOKENS, WETH)
AAVE, BALANCER, MARKET = (_address(n) for n in range(0xA1, 0xA4))


def run(accounts: int = 500) -> dict[str, Any]:
    """All figures of the benchmark."""
    return _single() | _crash(accounts)


# --- one account -------------------------------------------------------------------------------------------------


def _single() -> dict[str, Any]:
    """Three collaterals, two debts, four pools."""
    world = _world([_v3(1, WETH, USDC, 500), _v3(2, WETH, DAI, 3_000), _v2(3, WBTC, WETH), _v2(4, LINK, WETH)])
    account = _account(1, 40_000, (WETH, WBTC, LINK), (USDC, DAI))
    ours = _median(lambda: decide(world, account), ROUNDS)
    started = time.process_time()
    best = _naive(world, account)
    naive = time.process_time() - started
    plan = decide(world, account)
    net = plan.estimate.net + plan.estimate.bid if isinstance(plan, Plan) else 0
    return {
        "single_ms": round(ours * 1e3, 2),
        "naive_ms": round(naive * 1e3, 1),
        "ratio_naive_to_single": round(naive / ours, 1),
        "naive_finds_more": best > net,
    }


def _naive(world: World, candidate: Candidate) -> int:
    """Every pair, every lender, a thousand amounts, each routed from scratch."""
    chance, best = random.Random(SEED), 0  # noqa: S311 - a benchmark draws from a seed
    for action in candidate.actions:
        if isinstance(action, Reason):
            continue
        low, high = action.intervals()[0][0], action.intervals()[-1][1]
        for _ in range(SAMPLES):
            repay = chance.randint(low, high)
            settlement = action.settle(repay)
            route = best_sale(
                world.liquidity,
                action.collateral_asset,
                action.debt_asset,
                settlement.received,
                world.policy.routing,
            )
            for lender in world.lenders:
                if route is None or lender.token != action.debt_asset:
                    continue
                left = route.amount_out - settlement.paid - loan_fee(lender, repay)
                kept = best_sale(
                    world.liquidity.after(route.after), action.debt_asset, WETH, left, world.policy.routing
                )
                gas = 640_000 * world.base_fee
                best = max(best, kept.amount_out - gas if kept and left > 0 else 0)
    return best


# --- a crash -----------------------------------------------------------------------------------------------------


def _crash(accounts: int) -> dict[str, Any]:
    """Many accounts at once: with gas for all of them, and with one block's."""
    chance = random.Random(SEED)  # noqa: S311 - as above
    world = replace(_world(_many_pools()), gas_limit=10**12)
    crowd = [_drawn(chance, n) for n in range(accounts)]
    single = [_timed(lambda one=one: decide(world, one)) for one in crowd]  # type: ignore[misc]
    packed, steps = _stepped(world, crowd)
    limited, limited_steps = _stepped(replace(world, gas_limit=36_000_000), crowd)
    gap = asyncio.run(_longest_gap(world, crowd[:200]))
    return {
        "accounts": accounts,
        "planned": sum(len(plan.legs) for plan in packed.plans),
        "planned_in_one_block": sum(len(plan.legs) for plan in limited.plans),
        "crash_ms": round(sum(steps) * 1e3, 1),
        "ratio_crash_to_singles": round(sum(steps) / sum(single), 3),
        "ratio_one_block_to_singles": round(sum(limited_steps) / sum(single), 3),
        "ratio_longest_step_to_single": round(max(steps) / statistics.median(single), 2),
        "ratio_longest_loop_gap_to_single": round(gap / statistics.median(single), 2),
    }


def _stepped(world: World, crowd: Sequence[Candidate]) -> tuple[Packed, list[float]]:
    """Pack, and how long each step held the caller."""
    steps, took = packing(world, crowd), []
    gc.collect()
    while True:
        started = time.process_time()
        try:
            next(steps)
        except StopIteration as stop:
            took.append(time.process_time() - started)
            return stop.value, took
        took.append(time.process_time() - started)


async def _longest_gap(world: World, crowd: Sequence[Candidate]) -> float:
    """The longest time for which another task waits for its turn while a crash is packed on the loop."""
    gaps: list[float] = []
    done = asyncio.Event()

    async def ticking() -> None:
        last = time.process_time()
        while not done.is_set():
            await asyncio.sleep(0)
            now = time.process_time()
            gaps.append(now - last)
            last = now

    ticker = asyncio.create_task(ticking())
    for _ in packing(world, crowd):
        await asyncio.sleep(0)
    done.set()
    await ticker
    return max(gaps)


# --- the world ---------------------------------------------------------------------------------------------------


def _world(pools: Sequence[Pool]) -> World:
    lenders = [
        Loan(kind, source, token, 10**40, fee, fee_up=True)
        for token in TOKENS
        for kind, source, fee in (
            (FundingKind.AAVE_FLASH_LOAN, AAVE, Bps(5)),
            (FundingKind.BALANCER_FLASH_LOAN, BALANCER, Bps(0)),
        )
    ]
    policy = Policy(WETH, Routing(hubs=(WETH, USDC)), BidPolicy(tip=Wei(1)))
    moment = (BlockNumber(1), Timestamp(1), Wei(GWEI), 36_000_000)
    return World(*moment, Liquidity.of(pools), policy, lenders)


def _many_pools() -> list[Pool]:
    """Eight pools, deep enough that a crash leaves something in them."""
    v3 = [(WETH, USDC, 500), (WETH, USDC, 3_000), (WETH, DAI, 3_000), (WBTC, WETH, 500), (WBTC, USDC, 3_000)]
    v2 = [(WETH, USDC), (LINK, WETH), (WBTC, WETH)]
    return [
        *(_v3(10 + n, one, other, fee) for n, (one, other, fee) in enumerate(v3)),
        *(_v2(30 + n, one, other) for n, (one, other) in enumerate(v2)),
    ]


def _v2(n: int, one: Address, other: Address, dollars: int = 40_000_000) -> UniswapV2Pool:
    reserves = {token: dollars * USD * TOKENS[token].unit // TOKENS[token].price for token in (one, other)}
    low, high = sorted_pair(one, other)
    return UniswapV2Pool(PoolKey(_address(n), low, high, 3_000), reserves[low], reserves[high])


def _v3(n: int, one: Address, other: Address, fee: int, dollars: int = 200_000_000) -> UniswapV3Pool:
    """One range from end to end and twenty narrower ones around the price."""
    low, high = sorted_pair(one, other)
    tokens = TOKENS[low], TOKENS[high]
    square = (tokens[0].price * tokens[1].unit << 192) // (tokens[1].price * tokens[0].unit)
    tick = tick_of(isqrt(square))
    price = sqrt_ratio(tick)
    liquidity = (dollars * USD * tokens[0].unit // tokens[0].price) * price >> 96
    spacing = {500: 10, 3_000: 60}[fee]
    ends = {side * 887_220 // spacing * spacing: liquidity for side in (-1, 1)}
    for width in range(1, 21):
        for side in (-1, 1):
            at = (tick + side * width * 100) // spacing * spacing
            ends[at] = ends.get(at, 0) + liquidity // 20
    index = tuple(sorted(ends))
    net = tuple(ends[at] if at <= tick else -ends[at] for at in index)
    inside = sum(change for at, change in zip(index, net, strict=True) if at <= tick)
    known = Ticks(spacing, -921_600, 921_599, index=index, gross=tuple(map(abs, net)), net=net)
    return UniswapV3Pool(PoolKey(_address(n), low, high, fee), Place(price, tick, inside), known)


def _drawn(chance: random.Random, n: int) -> Candidate:
    """A portfolio, mostly of the popular assets."""
    held = chance.sample((WETH, WETH, WBTC, LINK), chance.randint(1, 2))
    owed = chance.sample((USDC, USDC, DAI), 1)
    return _account(n, int(10 ** chance.uniform(3, 5)), tuple(dict.fromkeys(held)), tuple(owed))


def _account(n: int, dollars: int, held: Sequence[Address], owed: Sequence[Address]) -> Candidate:
    """So many dollars of debt, spread evenly, and a quarter more of collateral."""
    debt, collateral = dollars * USD, dollars * USD * 5 // 4
    pairs = []
    for one in held:
        for other in owed:
            terms = LiquidationTerms(
                collateral_scaled=collateral // len(held) * TOKENS[one].unit // TOKENS[one].price,
                collateral_index=RAY + RAY // 50,
                collateral_price=TOKENS[one].price,
                collateral_unit=TOKENS[one].unit,
                bonus=10_500,
                protocol_fee=1_000,
                debt_scaled=debt // len(owed) * TOKENS[other].unit // TOKENS[other].price,
                debt_index=RAY + RAY // 30,
                debt_price=TOKENS[other].price,
                debt_unit=TOKENS[other].unit,
                total_collateral=collateral,
                total_debt=debt,
                health_factor=98 * WAD // 100,
                liquidity=10**40,
            )
            pairs.append(LiquidationPair(MARKET, _address(n), one, other, DAI, V3_6, terms, receive_wrapped=False))
    return Candidate(_address(n), pairs, PRICES, ZERO_ADDRESS)


def _median(work: Callable[[], object], rounds: int) -> float:
    return statistics.median(_timed(work) for _ in range(rounds))


def _timed(work: Callable[[], object]) -> float:
    started = time.process_time()
    work()
    return time.process_time() - started
