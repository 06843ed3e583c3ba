"""Prices that are not on chain yet: who flips is who would, and what is prepared is what would be decided."""

import asyncio
import random
from collections.abc import Callable, Mapping
from dataclasses import replace

import pytest

from keeper.bench.hot import AT, NATIVE, POPULAR, Hot
from keeper.bench.market import asset
from keeper.contracts.encode import encode_plan
from keeper.core.plans import Plan
from keeper.core.ports import Quarantine
from keeper.core.units import WAD, Address, BlockNumber, Wei
from keeper.estimator.decide import decide
from keeper.protocols.aave_v3.adapter import AaveV3
from keeper.protocols.aave_v3.facts import DEBT
from keeper.reflex import BEYOND, SHELF, Reaction
from keeper.screen.prices import turn

ACCOUNTS, RESERVES = 3_000, 10


def below(hot: Hot, prices: Mapping[Address, int]) -> set[int]:
    """By learning the prices, asking everybody, and forgetting them again."""
    book, adapter = hot.book, AaveV3(Address("0x" + "11" * 20))
    assert not book.changes
    for one, price in prices.items():
        book.learn("price", one, price)
    healths = ((row, adapter.health(book, row, AT)) for row in range(len(book)))
    found = {row for row, health in healths if not isinstance(health, Quarantine) and health.health_factor < WAD}
    book.undo(book.take_changes())
    return found


@pytest.fixture(scope="module")
def hot() -> Hot:
    hot = Hot(ACCOUNTS, RESERVES)
    asyncio.run(hot.look())
    return hot


def test_who_flips_is_who_would(hot: Hot, seed: int) -> None:
    """Some prices, up and down, one and many at a time; the book is left alone."""
    draw, digest, flips = random.Random(seed), hot.book.digest(), 0
    already = below(hot, {})
    for _ in range(12):
        chosen = draw.sample(hot.assets, draw.choice([1, 1, 2, 5]))
        prices = {
            one: int(hot.book.fact("price", one) * draw.choice([0.7, 0.97, 0.999, 1.001, 1.05])) for one in chosen
        }
        found = hot.reflex.flipped(hot.post, prices)
        assert set(found) == below(hot, prices) - already
        assert len(found) == len(set(found))
        flips += len(found)
    assert flips > 0
    assert hot.book.digest() == digest
    assert hot.reflex.flipped(hot.post, {Address("0x" + "77" * 20): 1}) == []


def test_what_has_no_plan_ready_is_decided_at_once(hot: Hot) -> None:
    price = int(hot.book.fact("price", POPULAR) * 0.98)
    reaction = hot.reflex.react(hot.market, hot.post, {POPULAR: price}, hot.world)
    assert reaction.rows
    assert not reaction.ready
    accounts = {hot.book.account(row) for row in reaction.rows}
    assert accounts == {leg.account for plan in reaction.packed.plans for leg in plan.legs} | {
        skip.account for skip in reaction.packed.skips
    }
    assert reaction.packed.plans


def moves(hot: Hot) -> dict[str, tuple[Callable[[Plan, int], None], bool]]:
    """What can happen to a prepared plan's account, by name, and whether the plan survives it."""

    def repay(_: Plan, row: int) -> None:
        column, amount = next(held for held in hot.book.positions(row) if held[0] & 3 == DEBT)
        hot.book.set_amount(row, column, amount - 1)
        hot.book.take_changes()

    def other(_: Plan, row: int) -> None:
        someone = next(one for one in range(len(hot.book)) if one != row)
        column, amount = next(hot.book.positions(someone))
        hot.book.set_amount(someone, column, amount + 1)
        hot.book.take_changes()

    def trade(plan: Plan, _: int) -> None:
        pool = hot.world.liquidity.pools[plan.legs[0].swaps[0].hops[0].pool]
        quote = pool.quote_exact_in(pool.token0, 10**6)
        assert quote is not None
        hot.world = replace(hot.world, liquidity=hot.world.liquidity.after([quote.after]))

    def threshold(plan: Plan, _: int) -> None:
        word = hot.book.fact("config", plan.legs[0].collateral_asset)
        hot.book.learn("config", plan.legs[0].collateral_asset, word - (1 << 16))
        hot.book.take_changes()

    def debt_price(plan: Plan, _: int) -> None:
        price = hot.book.fact("price", plan.legs[0].debt_asset)
        hot.book.learn("price", plan.legs[0].debt_asset, price * 10_001 // 10_000)
        hot.book.take_changes()

    def unrelated(plan: Plan, row: int) -> None:
        held = {asset(column >> 2) for column, _ in hot.book.positions(row)}
        leg = plan.legs[0]
        one = next(one for one in reversed(hot.assets) if one not in held | {NATIVE, leg.debt_asset})
        hot.book.learn("price", one, hot.book.fact("price", one) * 2)
        hot.book.take_changes()

    def base_fee(_: Plan, __: int) -> None:
        hot.world = replace(hot.world, base_fee=Wei(hot.world.base_fee + 1))

    def late(plan: Plan, _: int) -> None:
        hot.world = replace(hot.world, block=BlockNumber(plan.deadline + 1))

    def next_block(_: Plan, __: int) -> None:
        hot.world = replace(hot.world, block=BlockNumber(hot.world.block + 1))

    return {
        "the account repays": (repay, False),
        "another account moves": (other, True),
        "a pool trades": (trade, False),
        "a threshold falls": (threshold, False),
        "the debt's price moves": (debt_price, False),
        "an unrelated price moves": (unrelated, True),
        "the base fee moves": (base_fee, False),
        "its last block passes": (late, False),
        "a block passes": (next_block, True),
    }


@pytest.mark.parametrize("what", list(moves(Hot(1, RESERVES))))
async def test_a_plan_is_kept_until_what_it_was_made_of_moves(what: str) -> None:
    hot = Hot(400, RESERVES)
    await hot.look()
    await hot.prepare()
    shelf = hot.reflex._shelf
    assert 0 < len(shelf) <= SHELF
    key, kept = next((key, kept) for key, kept in shelf.items() if key[2] == kept.plan.legs[0].collateral_asset)
    _, row, moving = key
    move, survives = moves(hot)[what]
    move(kept.plan, row)
    await hot.prepare()
    now = hot.reflex._shelf.get(key)
    assert (now is not None and now.plan is kept.plan) is survives
    if now is None:
        return
    near = turn(hot.post.screen, hot.book, row, moving, hot.post.now)  # type: ignore[arg-type]
    assert near is not None
    price = int(near[0] * (1 - BEYOND if near[1] else 1 + BEYOND))
    fresh = decide(hot.world, hot.reflex._candidate(hot.market, hot.post, row, {moving: price}, hot.world))
    assert isinstance(fresh, Plan)
    same = {"opportunity_id": "", "block": 0, "deadline": 0}
    assert replace(now.plan, **same) == replace(fresh, **same)  # type: ignore[arg-type]


async def test_a_price_takes_the_plan_from_the_shelf() -> None:
    hot = Hot(400, RESERVES)
    await hot.look()
    await hot.prepare()
    taken = 0
    for (_, row, moving), kept in hot.reflex._shelf.items():
        price = (kept.low + kept.high) // 2
        reaction: Reaction = hot.reflex.react(hot.market, hot.post, {moving: price}, hot.world)
        assert row in reaction.rows
        assert kept in reaction.ready
        assert kept.data == encode_plan(kept.plan, hot.contract)
        beyond = hot.reflex.react(hot.market, hot.post, {moving: kept.low // 2}, hot.world)
        assert kept.plan not in beyond.packed.plans
        taken += 1
        if taken == 5:
            break
    assert taken == 5
