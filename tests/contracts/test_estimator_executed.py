"""Plans against what the real contracts do with them: every amount to the unit, net profit but for the gas."""

from collections import Counter
from collections.abc import Callable
from dataclasses import fields, replace
from itertools import pairwise
from random import Random

import pytest

from keeper.contracts.decode import skipped_legs
from keeper.core.plans import Plan
from keeper.core.refusals import Skip
from keeper.devnet.anvil import Anvil
from keeper.devnet.world import World
from keeper.estimator.decide import decide
from keeper.estimator.gas import Shape, next_base_fee
from keeper.estimator.pack import pack
from keeper.estimator.world import Candidate
from keeper.estimator.world import World as Moment
from keeper.protocols.aave_v3.pair import LiquidationPair
from tests.contracts.estimator_devnet import TRADER, Field, check_plan, realised_net
from tests.contracts.executor_world import CALLER, logs_of


def learned(field: Field, here: Moment, candidate: Candidate) -> Plan | Skip:
    """The plan once the gas of its shape has been learned from a run of it, as the keeper learns from simulations."""
    plan = decide(here, candidate)
    for _ in range(4):
        if isinstance(plan, Skip):
            return plan
        shape = Shape.of(plan.legs, plan.conversions)
        with field.undone():
            used = int(field.execute(plan, here)["gasUsed"], 16)
        field.gas = field.gas.learn(shape, used)
        here = replace(here, gas=replace(field.gas, learned={**field.gas.learned, shape: used}))
        plan = decide(here, candidate)
        if isinstance(plan, Plan) and Shape.of(plan.legs, plan.conversions) == shape:
            return plan
    return plan


def one_plan(field: Field, here: Moment, candidate: Candidate, seen: Counter[str]) -> None:
    plan = learned(field, here, candidate)
    if isinstance(plan, Skip):
        seen[f"skip {plan.reason.value}"] += 1
        return
    with field.undone():
        receipt = field.execute(plan, here)
        check_plan(field, plan, receipt)
        net = realised_net(field, receipt)
        assert abs(net - plan.estimate.net) * 1000 <= abs(net), (net, plan.estimate)
    (leg,) = plan.legs
    seen["plans"] += 1
    seen[leg.funding.kind.name] += 1
    seen["swaps"] += len(leg.swaps)
    seen["split"] += len(leg.swaps) > 1
    seen["hops"] += any(len(swap.hops) > 1 for swap in leg.swaps)
    seen["exact out"] += any(swap.exact_out for swap in leg.swaps)
    seen["conversions"] += len(plan.conversions)


def run(world: World, seed: int, plans: int, borrowers: int) -> Counter[str]:
    """Crash after crash until so many plans were executed and compared."""
    field, seen = Field.open(world, borrowers, seed), Counter[str]()
    while seen["plans"] < plans:
        with field.undone():
            field.crash()
            lenders = field.own([*field.aave_lenders(), *field.lenders])
            at = world.timestamp() + field.rng.randint(1, 5_000)
            moment = field.moment(at, lenders)
            for account in field.fallen():
                some = field.rng.sample(lenders, field.rng.randint(0, len(lenders)))
                pools = sorted(moment.liquidity.pools)
                locked = frozenset(field.rng.sample(pools, field.rng.choice((0, 0, len(pools) // 2))))
                splits = replace(moment.policy.routing, max_splits=field.rng.randint(1, 3), locked=locked)
                here = replace(
                    moment, lenders=tuple(some), gas=field.gas, policy=replace(moment.policy, routing=splits)
                )
                one_plan(field, here, field.candidate(account, at), seen)
                if seen["plans"] == plans:
                    break
    return seen


def test_random_plans(world: World, seed: int) -> None:
    seen = run(world, seed, plans=60, borrowers=60)
    assert all(seen[kind] for kind in ("UNISWAP_V3_FLASH_SWAP", "BALANCER_FLASH_LOAN", "swaps", "conversions")), seen


@pytest.mark.slow
def test_a_thousand_random_plans(any_world: World, seed: int) -> None:
    seen = run(any_world, seed, plans=1_000, borrowers=300)
    wanted = (
        "UNISWAP_V3_FLASH_SWAP",
        "AAVE_FLASH_LOAN",
        "BALANCER_FLASH_LOAN",
        "MORPHO_FLASH_LOAN",
        "OWN",
        "split",
        "hops",
        "exact out",
        "conversions",
    )
    assert all(seen[kind] for kind in wanted), seen


class AllOrNothing(LiquidationPair):
    """As much as the market allows, and no less."""

    def intervals(self) -> tuple[tuple[int, int], ...]:
        most = super().intervals()[-1][1]
        return ((most, most),)


def test_receipts_are_redeemed_as_far_as_the_pool_can(any_world: World, seed: int) -> None:
    """Somebody has borrowed almost all of the collateral: it comes as aTokens, and what there is of it is sold."""
    field = Field.open(any_world, 2, seed)
    account = field.rig.borrower()
    field.rig.fall()
    (pair,) = field.candidate(account, any_world.timestamp()).actions
    assert isinstance(pair, LiquidationPair)
    seized = pair.settle(pair.intervals()[-1][1]).received
    free = any_world.balance("WETH", any_world.layout.reserves["WETH"].a_token)
    any_world.fund(TRADER)
    any_world.supply(TRADER, "WBTC", 10**12)
    any_world.borrow(TRADER, "WETH", free - seized * 985 // 1000)
    here = field.moment(any_world.timestamp() + 12, field.lenders)
    (pair,) = field.candidate(account, here.timestamp).actions
    assert isinstance(pair, LiquidationPair)
    for kind in (LiquidationPair, AllOrNothing):
        known = {one.name: getattr(pair, one.name) for one in fields(pair)}
        action = kind(**known | {"receive_wrapped": True})
        plan = learned(field, here, replace(field.candidate(account, here.timestamp), actions=[action]))
        assert isinstance(plan, Plan), plan
        with field.undone():
            receipt = field.execute(plan, here)
            assert int(field.rig.realised(receipt).profit) == plan.estimate.profit
            assert (any_world.balance("WETH", any_world.layout.reserves["WETH"].a_token) == 0) == (kind is AllOrNothing)


def test_base_fees_of_blocks_of_all_fillings(make_anvil: Callable[..., Anvil], seed: int) -> None:
    """The node's own base fees, block after block, against the rule."""
    rng, rpc = Random(seed), make_anvil(gas_limit=3_000_000, no_mining=True).rpc
    for _ in range(30):
        for _ in range(rng.choice((0, 1, 2, 5))):
            data = "0x" + "ff" * rng.randint(0, 14_000)
            burner = {"from": CALLER, "to": CALLER, "gas": hex(600_000), "data": data}
            rpc.rpc("eth_sendTransaction", burner | {"maxFeePerGas": hex(10**13), "maxPriorityFeePerGas": "0x0"})
        rpc.rpc("evm_mine")
    blocks = [rpc.rpc("eth_getBlockByNumber", hex(n), False) for n in range(1, 31)]
    fees = [(int(b["baseFeePerGas"], 16), int(b["gasUsed"], 16), int(b["gasLimit"], 16)) for b in blocks]
    for before, after in pairwise(fees):
        assert after[0] == next_base_fee(*before)
    assert len({used > limit // 2 for _, used, limit in fees}) == 2


def test_packed_accounts_in_one_transaction(world: World, seed: int) -> None:
    """Many legs that sell into the same pools: the total is what was predicted, and nobody is skipped."""
    field = Field.open(world, 40, seed)
    legs = 0
    while legs < 8:
        with field.undone():
            field.crash()
            at = world.timestamp() + 12
            here = field.moment(at, [*field.aave_lenders(), *field.lenders])
            packed = pack(here, [field.candidate(account, at) for account in field.fallen()])
            if not packed.plans:
                continue
            plan = packed.plans[0]
            receipt = field.execute(plan, here)
            assert skipped_legs(logs_of(receipt), field.rig.address) == []
            realised = field.rig.realised(receipt)
            assert int(realised.profit) == plan.estimate.profit
            assert realised.bid == plan.estimate.bid
            assert int(receipt["gasUsed"], 16) <= plan.gas_limit
            legs = max(legs, len(plan.legs))
