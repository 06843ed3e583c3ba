"""The book of pools equals the chain it follows, through reorganisations of any depth."""

from collections.abc import Mapping, Sequence
from random import Random
from typing import Any

import pytest

from keeper.core.events import Log, Read
from keeper.core.units import Address, Hash
from keeper.core.venues import PoolKey
from keeper.venues.book import UNDO_BLOCKS, VenueBook
from keeper.venues.uniswap_v2.pool import UniswapV2Pool
from keeper.venues.uniswap_v2.venue import GET_PAIR, GET_RESERVES, PAIR_CREATED, SYNC, UniswapV2
from keeper.venues.uniswap_v3 import venue as v3
from keeper.venues.uniswap_v3.pool import UniswapV3Pool
from keeper.venues.uniswap_v3.ticks import MAX_TICK, MIN_TICK, sqrt_ratio
from tests.property.venue_pools import HUB, A, B

FACTORY = Address("0x" + "fa" * 20)
TOKENS = (A, B, HUB)
PAIRS = {Address(f"0x{number:040x}"): pair for number, pair in enumerate(((A, B), (A, HUB), (B, HUB)), 0xF0)}
Reserves = dict[Address, tuple[int, int]]


def word(value: int | str) -> str:
    return f"{value:064x}" if isinstance(value, int) else value.removeprefix("0x").rjust(64, "0")


def log(address: Address, topics: Sequence[str], *words: int | str) -> Log:
    nothing = Hash("0x" + "0" * 64)
    return Log(address, tuple(topics), "0x" + "".join(map(word, words)), "0x1", nothing, nothing, "0x0", "0x0")


class Chain:
    """Reserves of some pairs, block by block, and what a node would say of them."""

    def __init__(self) -> None:
        self.states: list[Reserves] = [{}]
        self.logs: list[list[Log]] = [[]]

    @property
    def head(self) -> int:
        return len(self.states) - 1

    def grow(self, rng: Random) -> None:
        state, logs = dict(self.states[-1]), []
        for address, pair in PAIRS.items():
            if address not in state and rng.random() < 0.1:
                state[address] = (0, 0)
                topics = (PAIR_CREATED, *("0x" + word(token) for token in pair))
                logs.append(log(FACTORY, topics, address, len(state)))
            if address in state and rng.random() < 0.3:
                state[address] = (rng.randrange(1, 2**112), rng.randrange(1, 2**112))
                logs.append(log(address, (SYNC,), *state[address]))
        self.states.append(state)
        self.logs.append(logs)

    def forget(self, block: int) -> None:
        del self.states[block + 1 :], self.logs[block + 1 :]

    def answer(self, read: Read, block: int) -> str | None:
        state = self.states[block]
        if read.to == FACTORY and read.data.startswith(GET_PAIR):
            asked = (Address("0x" + read.data[34:74]), Address("0x" + read.data[98:138]))
            return "0x" + word(next((at for at, pair in PAIRS.items() if pair == asked and at in state), 0))
        assert read.data == GET_RESERVES
        return "0x" + "".join(map(word, (*state[read.to], 0))) if read.to in state else "0x"

    def inquire(self, inquiry: Any, block: int) -> None:
        try:
            asks = next(inquiry)
            while True:
                asks = inquiry.send({ask: self.answer(ask, block) for ask in asks})
        except StopIteration:
            return


def pools_of(state: Reserves) -> dict[Address, UniswapV2Pool]:
    return {at: UniswapV2Pool(PoolKey(at, *PAIRS[at], 3_000), *reserves) for at, reserves in state.items()}


@pytest.mark.parametrize("case", range(20))
def test_the_book_follows_every_fork(seed: int, case: int) -> None:
    rng, chain = Random(seed + case), Chain()
    for _ in range(rng.randint(0, 20)):
        chain.grow(rng)
    book = VenueBook([UniswapV2(FACTORY)], TOKENS)
    chain.inquire(book.open(chain.head), chain.head)
    for _ in range(200):
        if chain.head > 1 and rng.random() < 0.1:
            depth = rng.choice((1, 1, 2, 5, UNDO_BLOCKS, UNDO_BLOCKS + 1, UNDO_BLOCKS + 20))
            back = max(0, chain.head - depth)
            chain.forget(back)
            book.rewind(back)
            assert set(book.liquidity.pools.items()) <= set(pools_of(chain.states[back]).items())  # right, or not there
        for _ in range(rng.randint(1, 3)):  # sometimes behind by a few blocks
            chain.grow(rng)
            book.apply(chain.logs[-1], chain.head)
        chain.inquire(book.refresh(), chain.head)
        assert book.block == chain.head
        assert book.liquidity.pools == pools_of(chain.states[-1])


KEY = PoolKey(Address("0x" + "cc" * 20), A, B, 3_000)
VENUE = v3.UniswapV3(FACTORY)
GOOD = {
    v3.SLOT0: "0x" + word(1 << 96) + word(0) * 6,
    v3.LIQUIDITY: "0x" + word(5),
    v3.TICK_SPACING: "0x" + word(60),
    v3.TICK_BITMAP: "0x" + word(1),
    v3.TICKS: "0x" + word(5) + word(5) + word(0) * 6,
}


def loaded(answers: Mapping[str, str | None]) -> object:
    """What loading makes of a contract that answers so."""
    inquiry = VENUE.load(KEY)
    try:
        asks = next(inquiry)
        while True:
            asks = inquiry.send({ask: answers[ask.data[:10]] for ask in asks})  # type: ignore[union-attr]
    except StopIteration as stop:
        return stop.value


def test_a_pool_that_answers_is_loaded() -> None:
    pool = loaded(GOOD)
    assert isinstance(pool, UniswapV3Pool)
    assert pool.ticks.index == tuple(range(-2 * 256 * 60, 2 * 256 * 60, 256 * 60))
    assert set(pool.ticks.gross) == {5}


@pytest.mark.parametrize("spacing", [1, 10, 60, 200, 16_383])
def test_what_has_just_been_read_is_wide_enough(spacing: int) -> None:
    """Else it would be read again every block."""
    for tick in range(MIN_TICK, MAX_TICK, 7_919):
        slot0 = "0x" + word(sqrt_ratio(tick)) + word(tick % 2**256) + word(0) * 5
        answers = {**GOOD, v3.SLOT0: slot0, v3.TICK_SPACING: "0x" + word(spacing), v3.TICK_BITMAP: "0x" + word(0)}
        pool = loaded(answers)
        assert isinstance(pool, UniswapV3Pool)
        assert pool.ticks.low <= tick <= pool.ticks.high
        assert not pool.narrow


@pytest.mark.parametrize("missing", sorted(GOOD))
@pytest.mark.parametrize("instead", [None, "0x"])
def test_a_contract_that_does_not_answer_is_no_empty_pool(missing: str, instead: str | None) -> None:
    """A word of the bitmap that cannot be read is not a word without ticks."""
    assert loaded({**GOOD, missing: instead}) is None


def test_an_event_that_contradicts_the_state_drops_the_pool() -> None:
    pool = loaded(GOOD)
    assert isinstance(pool, UniswapV3Pool)
    ticks = tuple("0x" + word(tick) for tick in (0, 0, 256 * 60))
    burnt = VENUE.apply(pool, log(KEY.address, (v3.BURN, *ticks), 5, 0, 0))
    assert isinstance(burnt, UniswapV3Pool)
    assert 0 not in burnt.ticks.index
    assert VENUE.apply(pool, log(KEY.address, (v3.BURN, *ticks), 6, 0, 0)) is None
    assert VENUE.apply(pool, log(KEY.address, (v3.INITIALIZE,), 1 << 96, 0)) is None
    collected = VENUE.apply(pool, log(KEY.address, (v3.BURN, *ticks), 0, 0, 0))
    assert collected == pool
    assert VENUE.apply(pool, log(KEY.address, ("0x" + word(1),))) == pool
    assert UniswapV2(FACTORY).apply(pool, log(KEY.address, (SYNC,), 1, 1)) is None
    assert VENUE.apply(UniswapV2Pool(KEY, 1, 1), log(KEY.address, (v3.SWAP,))) is None


def test_a_pool_in_doubt_is_not_quoted_until_it_is_read_anew() -> None:
    def answer(ask: Read) -> str:
        found = KEY.address if ask.data[-4:] == "0bb8" else 0  # of the 0.3 % tier
        return "0x" + word(found) if ask.to == FACTORY else GOOD[ask.data[:10]]

    def drive(inquiry: Any) -> None:
        try:
            asks = next(inquiry)
            while True:
                asks = inquiry.send({ask: answer(ask) for ask in asks})
        except StopIteration:
            return

    book = VenueBook([VENUE], [A, B])
    drive(book.open(7))
    before = book.liquidity
    assert [pool.address for pool in before.between(B, A)] == [KEY.address]
    ticks = tuple("0x" + word(tick) for tick in (0, 0, 256 * 60))
    book.apply([log(KEY.address, (v3.BURN, *ticks), 6, 0, 0)], 8)  # more than there was
    assert book.liquidity.between(A, B) == ()
    drive(book.refresh())
    assert book.liquidity == before
    book.apply([log(KEY.address, (v3.SWAP, *ticks[:2]), 0, 0, 1 << 95, 3, 0)], 9)
    (moved,) = book.liquidity.between(A, B)
    assert isinstance(moved, UniswapV3Pool)
    assert moved.place == (1 << 95, 0, 3)
    book.rewind(8)
    assert book.liquidity == before
