"""Packed plans whose legs share loans, against what the real contracts do with them: every amount to the unit."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace

import pytest

from keeper.contracts.decode import skipped_legs
from keeper.core.events import Log, word
from keeper.core.plans import LENT, FundingKind, Leg, Plan, SwapLeg, loans_of
from keeper.core.units import BPS, mul_div_half_up, mul_div_up
from keeper.devnet.layout import TREASURY
from keeper.devnet.rpc import Receipt
from keeper.devnet.world import World
from keeper.estimator.pack import pack
from tests.contracts.estimator_devnet import LIQUIDATION, Field, Swapped, swaps_of, transfers
from tests.contracts.executor_shared import lent
from tests.contracts.executor_world import logs_of

FLASH_SWAP = FundingKind.UNISWAP_V3_FLASH_SWAP


def check(field: Field, plan: Plan, receipt: Receipt) -> None:
    """All amounts of a plan, in the order in which it says they happen."""
    logs = logs_of(receipt)
    assert skipped_legs(logs, field.rig.address) == []
    _check_loans(field, plan, receipt, logs)
    called = [log for log in logs if log.topics[0] == LIQUIDATION]
    assert [log.topics[3][26:] for log in called] == [leg.account[2:] for leg in plan.legs]
    for leg, log in zip(plan.legs, called, strict=True):
        assert (word(log.data, 0), word(log.data, 1)) == (leg.settlement.paid, leg.settlement.received)
    _check_protocol_fees(field, plan, logs)
    swaps = iter(swaps_of(logs))
    for leg in plan.legs:
        for swap in leg.swaps:
            _check_swap(swap, swaps)
        if leg.funding.kind is FLASH_SWAP:  # the pool tells when it was paid
            assert next(swaps) == Swapped(leg.funding.source, leg.funding.owed, leg.funding.amount)
    for conversion in plan.conversions:
        _check_swap(conversion, swaps)
    assert list(swaps) == []
    realised = field.rig.realised(receipt)
    assert int(realised.profit) == plan.estimate.profit >= plan.min_profit
    assert realised.bid == plan.estimate.bid
    assert int(receipt["gasUsed"], 16) <= plan.gas_limit


def _check_swap(swap: SwapLeg, swaps: Iterator[Swapped]) -> None:
    found = [next(swaps) for _ in swap.hops]
    assert [one.pool for one in found] == [hop.pool for hop in swap.hops]
    assert (found[0].amount_in, found[-1].amount_out) == (swap.amount_in, swap.expected_out)


def _check_protocol_fees(field: Field, plan: Plan, logs: list[Log]) -> None:
    a_tokens = {reserve.asset: reserve.a_token for reserve in field.world.layout.reserves.values()}
    wanted = Counter[tuple[str, str]]()
    for leg in plan.legs:
        wanted[a_tokens[leg.collateral_asset], leg.account] += leg.settlement.protocol_fee
    found = {(token, account): transfers(logs, token, account, TREASURY) for token, account in wanted}  # type: ignore[arg-type]
    assert found == wanted


def _check_loans(field: Field, plan: Plan, receipt: Receipt, logs: list[Log]) -> None:
    """Each is one loan of what its legs need; its fee is the contract's, and what they are charged together."""
    rounded = mul_div_up if field.profile.flash_premium_up else mul_div_half_up
    premium = int(field.world.pool.call("FLASHLOAN_PREMIUM_TOTAL"))
    loans = [(legs[0].funding, legs) for legs in loans_of(plan.legs)]
    of_aave = [legs for funding, legs in loans if funding.kind is FundingKind.AAVE_FLASH_LOAN]
    expected = [(legs[0].debt_asset, _needed(legs), sum(leg.funding.fee for leg in legs)) for legs in of_aave]
    assert lent(receipt) == expected
    assert [fee for _, _, fee in expected] == [rounded(amount, premium, BPS) for _, amount, _ in expected]
    for funding, legs in loans:
        if funding.kind in (FundingKind.BALANCER_FLASH_LOAN, FundingKind.MORPHO_FLASH_LOAN):
            assert all(leg.funding.owed == leg.funding.amount for leg in legs)
            ends = field.rig.address, legs[0].debt_asset, funding.source
            lent_by = transfers(logs, ends[1], ends[2], ends[0])
            assert transfers(logs, ends[1], ends[0], ends[2]) == lent_by >= _needed(legs)


def _needed(legs: list[Leg]) -> int:
    return sum(leg.funding.amount for leg in legs)


def run(world: World, seed: int, plans: int, borrowers: int, kinds: Sequence[FundingKind]) -> Counter[str]:
    """Crash after crash until so many plans in which a loan is shared were executed and compared."""
    field, seen = Field.open(world, borrowers, seed), Counter[str]()
    while seen["plans"] < plans:
        with field.undone():
            field.crash()
            here = field.moment(world.timestamp() + 12, ())
            pools = sorted(here.liquidity.pools)
            routing = replace(here.policy.routing, locked=frozenset(field.rng.sample(pools, len(pools) // 2)))
            lenders = [*field.aave_lenders(), *field.lenders]
            kind = field.rng.choice(kinds)
            here = replace(
                here,
                lenders=tuple(loan for loan in lenders if loan.kind == kind),
                policy=replace(here.policy, routing=routing),
            )
            fallen = [field.candidate(account, here.timestamp) for account in field.fallen()]
            plan = next(iter(pack(here, fallen).plans), None)  # later ones are for what the first leaves
            if plan is None or not any(leg.funding.joins for leg in plan.legs):
                continue
            if any(leg.repay != leg.settlement.paid for leg in plan.legs if leg.funding.kind is FLASH_SWAP):
                continue  # the unit that a market does not take is sold with the rest, and promised by nobody
            check(field, plan, field.execute(plan, here))
            seen["plans"] += 1
            seen[kind.name] += 1
            seen["legs"] += len(plan.legs)
            seen["loans"] += sum(len(legs) > 1 for legs in loans_of(plan.legs))
            seen["mixed"] += len(loans_of(plan.legs)) > 1
            seen["exact out"] += any(swap.exact_out for leg in plan.legs for swap in leg.swaps)
    return seen


def test_packed_plans_that_share_loans(world: World, seed: int) -> None:
    seen = run(world, seed, 4, 40, [FundingKind.AAVE_FLASH_LOAN])
    assert seen["mixed"], seen


@pytest.mark.slow
def test_many_packed_plans_that_share_loans(any_world: World, seed: int) -> None:
    seen = run(any_world, seed, 15, 60, sorted(LENT))
    wanted = ("AAVE_FLASH_LOAN", "BALANCER_FLASH_LOAN", "MORPHO_FLASH_LOAN", "mixed", "exact out")
    assert all(seen[kind] for kind in wanted), seen
    assert seen["loans"] > seen["plans"]
