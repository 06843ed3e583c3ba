"""Uniswap v2 against its own contracts: the router's library and what pairs really pay."""

from random import Random

import pytest

from keeper.core.events import Read
from keeper.core.units import MAX_U256, Address
from keeper.core.venues import PoolKey, sorted_pair
from keeper.devnet.layout import LENDER
from keeper.devnet.rpc import Reverted
from keeper.devnet.world import World
from keeper.venues.book import VenueBook
from keeper.venues.uniswap_v2.pool import MAX_RESERVE, UniswapV2Pool, amount_in, amount_out
from keeper.venues.uniswap_v2.venue import UniswapV2
from tests.contracts.venue_world import FOREVER, ask, calls, logs_since

TRADER = Address("0x" + "77" * 20)
A, B = Address("0x" + "0a" * 20), Address("0x" + "0b" * 20)
KEY = PoolKey(Address("0x" + "ab" * 20), A, B, 3_000)


def test_amounts_equal_the_routers(world: World, seed: int) -> None:
    rng, router = Random(seed), world.v2_router
    cases = [tuple(int(2 ** rng.uniform(0, 111.99)) for _ in range(3)) for _ in range(1_000)]
    reads = []
    for amount, reserve_a, reserve_b in cases:
        reads.append(Read(router.address, router.fn("getAmountOut", amount, reserve_a, reserve_b)))
        reads.append(Read(router.address, router.fn("getAmountIn", amount, reserve_a, reserve_b)))
    answers = calls(world.rpc, reads)
    asked_too_much = 0
    for (amount, reserve_a, reserve_b), out, paid in zip(cases, answers[::2], answers[1::2], strict=True):
        assert out is not None
        assert amount_out(amount, reserve_a, reserve_b, 3_000) == int(out, 16)
        if amount < reserve_b:
            assert paid is not None
            assert amount_in(amount, reserve_a, reserve_b, 3_000) == int(paid, 16)
        else:
            assert paid is None
            assert UniswapV2Pool(KEY, reserve_a, reserve_b).quote_exact_out(B, amount) is None
            asked_too_much += 1
    assert asked_too_much > 100


def test_pairs_are_found_and_follow_their_events(world: World, seed: int) -> None:
    """Quoted, then swapped for real: what comes out and the reserves left behind are those of the quote."""
    rng, symbols = Random(seed), ("WETH", "USDC")
    pair = sorted_pair(*(world.asset(symbol) for symbol in symbols))
    book = VenueBook([UniswapV2(world.layout.uniswap.v2_factory)], pair)
    ask(world.rpc, book.open(world.block_number()))
    (pool,) = book.liquidity.between(*pair)
    assert pool.address == world.layout.uniswap.pairs["WETH/USDC"]
    world.fund(TRADER)
    for symbol in symbols:
        world.mint_token(symbol, TRADER, 10**27)
        world.token(symbol).send("approve", world.v2_router.address, MAX_U256, sender=TRADER)
    for _ in range(12):
        sold = rng.choice(symbols)
        bought = symbols[1 - symbols.index(sold)]
        amount = int(2 ** rng.uniform(30, 70 if sold == "WETH" else 40))
        quote = pool.quote_exact_in(world.asset(sold), amount)
        assert quote is not None
        had = world.balance(bought, TRADER)
        path = [world.asset(sold), world.asset(bought)]
        world.v2_router.send("swapExactTokensForTokens", amount, 0, path, TRADER, FOREVER, sender=TRADER)
        assert world.balance(bought, TRADER) - had == quote.amount_out
        for number in range(book.block + 1, world.block_number() + 1):
            book.apply([log for log in logs_since(world.rpc, number - 1) if log.block == number], number)
        (pool,) = book.liquidity.between(*pair)
        assert pool == quote.after


def test_a_new_pair_is_taken_up_when_its_factory_announces_it(world: World) -> None:
    tokens = [world.asset(symbol) for symbol in ("YOC", "DAI", "LINK")]
    book = VenueBook([UniswapV2(world.layout.uniswap.v2_factory)], tokens[:2])
    ask(world.rpc, book.open(world.block_number()))
    assert book.liquidity.pools == {}
    for symbol in ("YOC", "DAI", "LINK"):
        world.mint_token(symbol, LENDER, 10**30)
    for other in (tokens[1], tokens[2]):
        order = (tokens[0], other, 10**28, 10**24, 0, 0, LENDER, FOREVER)
        world.v2_router.send("addLiquidity", *order, sender=LENDER)
    for number in range(book.block + 1, world.block_number() + 1):
        book.apply([log for log in logs_since(world.rpc, number - 1) if log.block == number], number)
    ask(world.rpc, book.refresh())
    (pool,) = book.liquidity.pools.values()  # LINK is nobody's collateral here: its pair is left alone
    assert {pool.token0, pool.token1} == set(tokens[:2])
    ask(world.rpc, book.add(tokens))
    assert len(book.liquidity.pools) == 2  # now YOC/LINK too; nobody made DAI/LINK


def test_a_swap_that_the_pair_refuses_is_not_quoted(world: World) -> None:
    """Nothing out reverts in the pair; so does a reserve beyond 112 bits."""
    pool = UniswapV2Pool(KEY, 10**24, 10**6)
    assert pool.quote_exact_in(A, 10**17) is None
    full = UniswapV2Pool(KEY, MAX_RESERVE - 5, MAX_RESERVE)
    assert full.quote_exact_in(A, 5) is not None
    assert full.quote_exact_in(A, 6) is None
    assert UniswapV2Pool(KEY, 0, 0).quote_exact_in(A, 10) is None
    world.fund(TRADER)
    world.mint_token("WETH", TRADER, 100)
    world.token("WETH").send("approve", world.v2_router.address, MAX_U256, sender=TRADER)
    path = [world.asset("WETH"), world.asset("USDC")]
    with pytest.raises(Reverted, match="INSUFFICIENT_OUTPUT_AMOUNT"):
        world.v2_router.send("swapExactTokensForTokens", 100, 0, path, TRADER, FOREVER, sender=TRADER)
