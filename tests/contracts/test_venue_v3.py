"""Uniswap v3 against its own contracts: every number here is one that a pool, a router or QuoterV2 gave."""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from itertools import pairwise
from random import Random

import pytest

from keeper.core.events import Read
from keeper.core.units import MAX_U256, Address
from keeper.core.venues import PoolKey, Venue, sorted_pair
from keeper.devnet.layout import LENDER
from keeper.devnet.rpc import Reverted
from keeper.devnet.world import World
from keeper.venues.book import VenueBook
from keeper.venues.uniswap_v2.venue import UniswapV2
from keeper.venues.uniswap_v3.pool import UniswapV3Pool
from keeper.venues.uniswap_v3.ticks import MAX_SQRT_RATIO, MAX_TICK, MIN_SQRT_RATIO, MIN_TICK, sqrt_ratio, tick_of
from keeper.venues.uniswap_v3.twap import mean_ticks
from keeper.venues.uniswap_v3.venue import UniswapV3
from keeper.venues.uniswap_v3.walk import Swap
from tests.contracts.venue_world import (
    FOREVER,
    SPACING,
    WHOLE,
    Question,
    Quoted,
    ask,
    ask_quoter,
    calls,
    create_pool,
    load_v3,
    logs_since,
    manager,
    provide,
    question,
    wide_pool,
    wild_pool,
)

TRADER = Address("0x" + "77" * 20)
PAIRS = (("LINK", "DAI"), ("YOC", "TIX"))


def wild_pools(world: World, rng: Random) -> list[UniswapV3Pool]:
    return [load_v3(world, wild_pool(world, rng, fee, pair)) for fee in SPACING for pair in PAIRS]


def refused(asked: Question, swap: Swap | None) -> bool:
    """QuoterV2 reverts for a swap that moves nothing, and for an exact output that it cannot give whole."""
    if swap is None or not (swap.amount_in or swap.amount_out):
        return True
    return not asked.exact_in and not asked.limit and swap.amount_out < asked.amount


def differences(asked: Sequence[Question], quoted: Sequence[Quoted | None]) -> list[tuple[Question, object, object]]:
    found: list[tuple[Question, object, object]] = []
    for one, theirs in zip(asked, quoted, strict=True):
        swap = one.pool.swap(one.amount, one.limit or None, down=one.down, exact_in=one.exact_in)
        ours = None
        if swap is not None and not refused(one, swap):
            ours = Quoted(swap.amount_out if one.exact_in else swap.amount_in, swap.place.sqrt_price)
        if ours != theirs:
            found.append((one, ours, theirs))
    return found


def check_against_quoter(world: World, seed: int, each: int) -> None:
    rng = Random(seed)
    print(f"seed {seed}")  # noqa: T201 - how to repeat a failure
    asked = [question(rng, pool) for pool in wild_pools(world, rng) for _ in range(each)]
    wide = load_v3(world, wide_pool(world, rng, ("LINK", "DAI")))
    asked += [question(rng, wide)._replace(amount=int(2 ** rng.uniform(1, 200))) for _ in range(each)]
    quoted = ask_quoter(world, asked)
    assert differences(asked, quoted) == []
    swaps = [one.pool.swap(one.amount, down=one.down, exact_in=one.exact_in) for one in asked]
    spent = [
        swap and (swap.amount_in if one.exact_in else swap.amount_out) for one, swap in zip(asked, swaps, strict=True)
    ]
    ran_out = sum(have is not None and have < one.amount for one, have in zip(asked, spent, strict=True))
    crossed = sum(
        swap is not None and swap.place.liquidity != one.pool.place.liquidity
        for one, swap in zip(asked, swaps, strict=True)
    )
    assert min(ran_out, crossed, quoted.count(None)) > len(asked) // 50  # the hard cases are among them


def test_two_thousand_swaps_equal_quoter_v2(world: World, seed: int) -> None:
    check_against_quoter(world, seed, 2_000 // 8)


@pytest.mark.slow
def test_ten_thousand_swaps_equal_quoter_v2(world: World, seed: int) -> None:
    check_against_quoter(world, seed + 1, 10_000 // 8)


def test_ticks_and_prices_are_the_contracts(world: World, seed: int) -> None:
    """A pool opened at a price names its tick; a tick's ratio is the first price that belongs to it."""
    rng = Random(seed)
    world.mint_token("LINK", LENDER, 1)
    factory = world.uniswap_contract("UniswapV3Factory", world.layout.uniswap.v3_factory)
    factory.send("createPool", world.asset("LINK"), world.asset("DAI"), 500, sender=LENDER)
    pool = world.uniswap_contract(
        "UniswapV3Pool", factory.call("getPool", world.asset("LINK"), world.asset("DAI"), 500)
    )
    powers = [sign << bit for bit in range(20) for sign in (1, -1)]
    ticks = [
        MIN_TICK,
        MIN_TICK + 1,
        -1,
        0,
        1,
        MAX_TICK - 1,
        *powers,
        *(rng.randint(MIN_TICK, MAX_TICK) for _ in range(400)),
    ]
    prices = [MIN_SQRT_RATIO, MAX_SQRT_RATIO - 1]
    prices += [sqrt_ratio(tick) + off for tick in ticks if MIN_TICK < tick < MAX_TICK for off in (-1, 0, 1)]
    multicall = world.uniswap_contract("UniswapInterfaceMulticall", world.layout.uniswap.multicall)
    reads = [
        Read(
            multicall.address,
            multicall.fn(
                "multicall",
                [opened(pool.address, pool.fn("initialize", price)), opened(pool.address, pool.fn("slot0"))],
            ),
        )
        for price in prices
    ]
    for price, answer in zip(prices, calls(world.rpc, reads), strict=True):
        assert answer is not None
        _, ((opened_ok, _, _), (_, _, slot0)) = multicall.abi.decode("multicall", answer)
        assert opened_ok
        at, tick, *_ = pool.abi.decode("slot0", "0x" + slot0.hex())
        assert (at, tick) == (price, tick_of(price))
    for price in (MIN_SQRT_RATIO - 1, MAX_SQRT_RATIO):
        assert calls(world.rpc, [Read(pool.address, pool.fn("initialize", price))]) == [None]


def opened(target: Address, data: str) -> tuple[str, int, bytes]:
    return target, 5_000_000, bytes.fromhex(data[2:])


def state(world: World, pool: UniswapV3Pool) -> tuple[object, ...]:
    """Price, tick, liquidity and every tick, as the pool and TickLens tell them."""
    contract = world.uniswap_contract("UniswapV3Pool", pool.address)
    lens = world.uniswap_contract("TickLens", world.layout.uniswap.tick_lens)
    price, tick, *_ = contract.call("slot0")
    stride = 256 * contract.call("tickSpacing")
    words = range(MIN_TICK // stride, MAX_TICK // stride + 1)
    reads = [Read(lens.address, lens.fn("getPopulatedTicksInWord", pool.address, word)) for word in words]
    ticks = [
        (at, gross, net)
        for answer in calls(world.rpc, reads)
        for at, net, gross in reversed(lens.abi.decode("getPopulatedTicksInWord", answer or ""))
    ]
    return (price, tick, contract.call("liquidity"), ticks)


def ours(pool: UniswapV3Pool) -> tuple[object, ...]:
    ticks = pool.ticks
    return (*pool.place, list(zip(ticks.index, ticks.gross, ticks.net, strict=True)))


def trade(world: World, rng: Random, key: PoolKey) -> None:
    """Swap a random part of what there is, one way or the other."""
    pair = (key.token0, key.token1) if rng.random() < 0.5 else (key.token1, key.token0)
    order = (*pair, key.fee, TRADER, FOREVER, int(2 ** rng.uniform(10, 60)), 0, 0)
    with suppress(Reverted):  # there may be nothing left on that side
        world.router.send("exactInputSingle", order, sender=TRADER)


def withdraw(world: World, rng: Random, token_id: int) -> None:
    """Take off some or all of a position's liquidity."""
    book = manager(world)
    liquidity = book.call("positions", token_id)[7]
    part = rng.choice((liquidity, liquidity // 3, 1))
    if 0 < part <= liquidity:
        book.send("decreaseLiquidity", (token_id, part, 0, 0, FOREVER), sender=LENDER)


@pytest.mark.parametrize("fee", [100, 500, 3_000])
def test_events_lead_to_the_pools_own_state(world: World, seed: int, fee: int) -> None:
    rng = Random(seed + fee)
    trader_with(world, "LINK", "DAI")
    venue = UniswapV3(world.layout.uniswap.v3_factory, reach=WHOLE)
    book = VenueBook([venue], [world.asset("LINK"), world.asset("DAI")])
    ask(world.rpc, book.open(world.block_number()))
    key = create_pool(world, "LINK", "DAI", fee, rng.randint(-1_000, 1_000))
    assert catch_up(world, book, key) is not None
    spacing, centre = SPACING[fee], book.liquidity.pools[key.address].place.tick  # type: ignore[attr-defined]
    first, contract = manager(world).call("balanceOf", LENDER), world.uniswap_contract("UniswapV3Pool", key.address)
    before, rest = {}, 20 if fee == 100 else 5  # reading all of a bitmap of one tick each takes its time
    for step in range(40):
        count = manager(world).call("balanceOf", LENDER)
        kind = rng.choice(("mint", "mint", "swap", "swap", "burn")) if count > first + 2 else "mint"
        if kind == "mint":
            here = book.liquidity.pools[key.address].place.tick // spacing * spacing  # type: ignore[attr-defined]
            lower = rng.choice((centre // spacing * spacing, here)) - rng.randint(0, 300) * spacing
            upper = max(lower + spacing, rng.choice((here, here + rng.randint(0, 40) * spacing)))
            provide(world, key, lower, upper, int(2 ** rng.uniform(30, 64)))
        elif kind == "burn":
            at = rng.randrange(first, count)
            withdraw(world, rng, manager(world).call("tokenOfOwnerByIndex", LENDER, at))
        else:
            trade(world, rng, key)
        pool = catch_up(world, book, key)
        assert isinstance(pool, UniswapV3Pool)
        before[world.block_number()] = pool
        assert tuple(pool.place) == (*contract.call("slot0")[:2], contract.call("liquidity"))
        if step % rest == rest - 1:
            assert ours(pool) == state(world, pool)
            assert pool == load_v3(world, key)
    for back in sorted(before)[-1:-20:-4]:
        book.rewind(back)
        assert book.liquidity.pools[key.address] == before[back]


def execute(world: World, asked: Question) -> None:
    """The swap itself, through the router."""
    key = asked.pool.key
    pair = (key.token0, key.token1) if asked.down else (key.token1, key.token0)
    name, bound = ("exactInputSingle", 0) if asked.exact_in else ("exactOutputSingle", 2**255)
    world.router.send(name, (*pair, key.fee, TRADER, FOREVER, asked.amount, bound, asked.limit), sender=TRADER)


@pytest.mark.parametrize("fee", sorted(SPACING))
def test_swaps_leave_the_pool_as_quoted(world: World, seed: int, fee: int) -> None:
    """Price, tick and liquidity: after swaps that end on a tick, beyond it, in a gap, or move nothing but dust."""
    rng = Random(seed + fee)
    trader_with(world, "LINK", "DAI")
    key = create_pool(world, "LINK", "DAI", fee, rng.randint(-3_000, 3_000))
    stride = 256 * SPACING[fee]
    reach = WHOLE if fee > 500 else 2_000 * SPACING[fee]  # all of a fine bitmap takes too long to read
    for lower, upper in ((-3, 3), (-3, 2), (-30, -20), (10, 40), (2 * 256, 3 * 256), (-3 * 256, -2 * 256)):
        base = load_v3(world, key, reach).place.tick // SPACING[fee]
        deep = 2 ** (92 if fee == 100 else 98)  # more than 2**96 of liquidity: a unit of it moves the price by less
        assert provide(world, key, (base + lower) * SPACING[fee], (base + upper) * SPACING[fee], deep)
    executed = dict.fromkeys(("dust", "tick", "gap"), 0)
    for _ in range(60):
        pool = load_v3(world, key, reach)
        asked = one_to_execute(rng, pool, stride)
        quoted = pool.swap(asked.amount, asked.limit or None, down=asked.down, exact_in=asked.exact_in)
        if quoted is None or not (quoted.amount_in and (quoted.amount_out or asked.exact_in)):
            continue
        if refused(asked, quoted):
            continue
        execute(world, asked)
        after = load_v3(world, key, reach)
        assert (asked, after.place) == (asked, quoted.place)
        assert ours(after)[3] == ours(pool)[3]
        executed["dust"] += quoted.place.sqrt_price == pool.place.sqrt_price
        executed["tick"] += quoted.place.tick != tick_of(quoted.place.sqrt_price)
        executed["gap"] += quoted.place.liquidity == 0
    assert min(executed.values()) > 0, executed


def one_to_execute(rng: Random, pool: UniswapV3Pool, stride: int) -> Question:
    """An amount to the unit up to a stop or near it, or up to a limit at the end of a word, or next to nothing."""
    down, exact_in = rng.random() < 0.5, rng.random() < 0.6
    walk = pool._walk(down=down)
    walk.swap(2**255, exact_in=True)
    sums = sorted({amount for amount in (walk.spent if exact_in else walk.bought) if amount})
    amount = max(1, rng.choice(sums) + rng.choice((-1, 0, 0, 1))) if sums and rng.random() < 0.7 else rng.randint(1, 9)
    tick = (
        pool.place.tick // stride * stride
        + (0 if down else stride)
        + rng.choice((-1, 0)) * stride * (1 if down else -1)
    )
    ahead = MIN_TICK < tick < MAX_TICK and (sqrt_ratio(tick) < pool.place.sqrt_price) == down
    if not ahead or sqrt_ratio(tick) == pool.place.sqrt_price or rng.random() < 0.6:
        return Question(pool, down, exact_in, amount, 0)
    return Question(pool, down, True, 2**110, sqrt_ratio(tick))


def trader_with(world: World, *symbols: str) -> None:
    world.fund(TRADER)
    for symbol in symbols:
        world.mint_token(symbol, TRADER, 2**120)
        world.mint_token(symbol, LENDER, 2**120)
        world.token(symbol).send("approve", world.router.address, MAX_U256, sender=TRADER)


def test_a_part_of_the_ticks_quotes_alike_or_not_at_all(world: World, seed: int) -> None:
    """A pool read only near its price says the same as one read whole, until it says that it does not know."""
    rng = Random(seed)
    key = wild_pool(world, rng, 500, ("LINK", "DAI"))
    whole, part = load_v3(world, key), load_v3(world, key, reach=3_000)
    assert len(part.ticks.index) < len(whole.ticks.index) or part.ticks.low > whole.ticks.low
    knew, did_not = 0, 0
    for _ in range(2_000):
        down, exact_in, amount = rng.random() < 0.5, rng.random() < 0.5, int(2 ** rng.uniform(0, 110))
        known = part.swap(amount, down=down, exact_in=exact_in)
        if known is None:
            did_not += 1
            continue
        knew += 1
        assert known == whole.swap(amount, down=down, exact_in=exact_in)
        assert part.ticks.low - 1 <= known.place.tick <= part.ticks.high
    assert min(knew, did_not) > 100
    stride = 256 * part.ticks.spacing
    assert not part.narrow
    for tick in (part.ticks.low + stride // 2, part.ticks.high - stride // 2):
        assert replace(part, place=part.place._replace(tick=tick)).narrow
    assert not whole.narrow
    empty = replace(part, ticks=replace(part.ticks, index=(), gross=(), net=()), place=part.place._replace(liquidity=0))
    assert [empty.swap(1, down=down, exact_in=True) for down in (True, False)] == [None, None]


def test_every_pool_of_the_world_is_found_and_quotes_like_quoter_v2(world: World, seed: int) -> None:
    layout = world.layout.uniswap
    venues: list[Venue] = [UniswapV3(layout.v3_factory), UniswapV2(layout.v2_factory)]
    book = VenueBook(venues, [token.address for token in world.layout.tokens.values()])
    ask(world.rpc, book.open(world.block_number()))
    assert set(book.liquidity.pools) == {*layout.pools.values(), *layout.pairs.values()}
    assert book.sources() == {*book.liquidity.pools, layout.v3_factory, layout.v2_factory}
    assert book.quarantined() == []
    rng = Random(seed)
    pools = [pool for pool in book.liquidity.pools.values() if isinstance(pool, UniswapV3Pool)]
    asked = [
        question(rng, pool)._replace(amount=int(2 ** rng.uniform(10, 75)), limit=0) for pool in pools for _ in range(10)
    ]
    known = [one for one in asked if one.pool.swap(one.amount, down=one.down, exact_in=one.exact_in)]
    assert len(known) > len(asked) // 2
    assert differences(known, ask_quoter(world, known)) == []


def test_mean_ticks_are_time_weighted(world: World, seed: int) -> None:
    """One tick for half an hour less a minute, another for a minute: as much as each lasted."""
    rng = Random(seed)
    name = "WETH/USDC/500"
    pool = world.v3_pool(name)
    pool.send("increaseObservationCardinalityNext", 50, sender=LENDER)
    world.fund(TRADER)
    world.swap_v3(TRADER, name, "WETH", 10**18)
    moments = [(world.timestamp(), pool.call("slot0")[1])]
    for pause in (900, 1_740, 60):
        world.advance(pause)
        world.swap_v3(TRADER, name, "WETH", rng.randint(10**18, 500 * 10**18))
        moments.append((world.timestamp(), pool.call("slot0")[1]))
    seconds = moments[-1][0] - moments[1][0]
    total = sum(tick * (end - start) for (start, tick), (end, _) in pairwise(moments[1:]))
    book = load_v3(world, PoolKey(pool.address, *sorted_pair(world.asset("WETH"), world.asset("USDC")), 500))
    assert ask(world.rpc, mean_ticks([book], seconds)) == {pool.address: total // seconds}
    assert ask(world.rpc, mean_ticks([book], 10**6)) == {}  # it does not remember that far


def catch_up(world: World, book: VenueBook, key: PoolKey) -> object:
    """Apply what happened since, block by block, as the indexer does."""
    by_block: dict[int, list[object]] = {}
    for log in logs_since(world.rpc, book.block) if world.block_number() > book.block else []:
        by_block.setdefault(log.block, []).append(log)
    for number in range(book.block + 1, world.block_number() + 1):
        book.apply(by_block.get(number, []), number)  # type: ignore[arg-type]
    ask(world.rpc, book.refresh())
    return book.liquidity.pools.get(key.address)
