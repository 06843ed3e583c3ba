"""Plans against what the real contracts do with them: every amount to the unit, net profit but for the gas."""

from collections import Counter
from dataclasses import replace

import pytest

from keeper.contracts.decode import skipped_legs
from keeper.core.plans import Plan, Skip
from keeper.devnet.world import World
from keeper.estimator.decide import decide
from keeper.estimator.gas import Shape
from keeper.estimator.pack import pack
from keeper.estimator.world import Candidate
from keeper.estimator.world import World as Moment
from tests.contracts.estimator_devnet import Field, check_plan, realised_net
from tests.contracts.executor_world import logs_of


def learned(field: Field, here: Moment, candidate: Candidate) -> Plan | Skip:
    """The plan once the gas of its shape has been learned from a run of it, as the keeper learns from simulations."""
    plan = decide(here, candidate)
    for _ in range(4):
        if isinstance(plan, Skip):
            return plan
        shape = Shape.of(plan.legs, plan.conversions)
        with field.undone():
            used = int(field.execute(plan, here.timestamp)["gasUsed"], 16)
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
        receipt = field.execute(plan, here.timestamp)
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
                splits = replace(moment.policy.routing, max_splits=field.rng.randint(1, 3))
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
            receipt = field.execute(plan, at)
            assert skipped_legs(logs_of(receipt), field.rig.address) == []
            realised = field.rig.realised(receipt)
            assert int(realised.profit) == plan.estimate.profit
            assert realised.bid == plan.estimate.bid
            assert int(receipt["gasUsed"], 16) <= plan.gas_limit
            legs = max(legs, len(plan.legs))
