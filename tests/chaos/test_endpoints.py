"""Endpoints on their bad days: the pool gives the right answer or an error, says what it does, and recovers."""

import asyncio
import random
from collections.abc import AsyncIterator, MutableMapping
from contextlib import AsyncExitStack
from typing import Any

import pytest
from structlog.testing import capture_logs

from keeper.chain import Limits, Patience, Pool, Rules
from keeper.core.events import Block, Read
from keeper.devnet.anvil import Anvil
from keeper.errors import BlockUnknown, EndpointsUnavailable
from keeper.log_events import problems
from tests.chain.emitter import CELL, Emitter, address, chatter, emitter
from tests.chaos.proxy import Fault, FaultProxy

RULES = Rules(chain_id=31337)
LIMITS = Limits(timeout=0.4, long_timeout=0.4)
PATIENCE = Patience(total=1.5, history=3.0, unknown=0.2, hedge=0.1, probe=0.1)
LOOKS = 100  # probes that a test waits for before it gives up

PROVABLE = [Fault.SHUFFLED, Fault.DOUBLED, Fault.TOO_MANY, Fault.NO_HASHES]
CONTENT = [*PROVABLE, Fault.NOT_INDEXED]  # the last is believed when two say the same
TRANSPORT = [
    Fault.TIMEOUT,
    Fault.BUSY,
    Fault.ERROR,
    Fault.RESET,
    Fault.HTML,
    Fault.TRUNCATED,
    Fault.STRING_ERROR,
    Fault.PARTIAL,
]

Lines = list[MutableMapping[str, Any]]


@pytest.fixture
def echo(anvil: Anvil) -> Emitter:
    made = emitter(anvil)
    anvil.rpc.rpc("anvil_setCode", address(100), CELL)
    chatter(made, 6)
    return made


@pytest.fixture
async def proxies(anvil: Anvil, seed: int) -> AsyncIterator[list[FaultProxy]]:
    async with AsyncExitStack() as stack:
        yield [await stack.enter_async_context(FaultProxy(anvil.url, seed=seed + i)) for i in range(3)]


def pool_of(*proxies: FaultProxy, rules: Rules = RULES) -> Pool:
    return Pool([each.url for each in proxies], rules=rules, limits=LIMITS, patience=PATIENCE)


def live(echo: Emitter, word: int) -> None:
    """One more block with something in it."""
    echo.tell(address(100), word)
    echo.say(word % 3, word)
    echo.mine()


async def right(pool: Pool, echo: Emitter, block: Block) -> None:
    """Whatever the pool answers about a block is what the node itself says of it."""
    number = block.number
    assert block.hash == echo.header(number)["hash"]
    logs = await pool.logs(echo.addresses, 0, number, tip=block)
    assert [(log.block, log.index, log.topics[0]) for log in logs] == echo.truth(0, number)
    logs = await pool.logs_at(block.hash, echo.addresses)
    assert [(log.block, log.index, log.topics[0]) for log in logs] == echo.truth(number, number)
    word = echo.node.rpc.call(address(100), "0x", number)
    assert await pool.call_many([Read(address(100), "0x")] * 3, block) == [word] * 3
    assert (await pool.blocks([number]))[0] == block


async def until(pool: Pool, faults: dict[str, str]) -> None:
    """Wait until the pool has judged so."""
    for _ in range(LOOKS):
        if pool.faults == faults:
            return
        await pool.probe()
        await asyncio.sleep(0.02)
    assert pool.faults == faults


def complaints(lines: Lines) -> list[str]:
    """What the schema of the log has against these events."""
    found: list[str] = []
    for line in lines:
        told = {"ts": "2026-01-01T00:00:00.000000Z", "level": line["log_level"], "run_id": "0"} | dict(line)
        del told["log_level"]
        found += problems({name: str(value) if type(value) is int else value for name, value in told.items()})
    return found


# --- one of two is bad -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("fault", TRANSPORT + CONTENT)
async def test_one_bad_endpoint_of_two_changes_nothing(proxies: list[FaultProxy], echo: Emitter, fault: Fault) -> None:
    bad, good, _ = proxies
    bad.max_blocks = 3
    with capture_logs() as lines:
        async with pool_of(bad, good) as pool:
            bad.set(fault)
            for word in range(1, 5):
                live(echo, word)
                head = await pool.block(echo.head())
                assert head is not None
                await right(pool, echo, head)
            assert bad.struck[fault] > 0
            bad.clear()
            await until(pool, {})
            live(echo, 9)
            await right(pool, echo, await pool.head())
    assert complaints(lines) == []
    if fault in TRANSPORT:
        assert {"rpc.failover", "rpc.degraded", "rpc.restored"} >= {line["event"] for line in lines} != set()


async def test_a_dead_endpoint_is_left_at_once_and_once(proxies: list[FaultProxy], echo: Emitter) -> None:
    bad, good, _ = proxies
    with capture_logs() as lines:
        async with pool_of(bad, good) as pool:
            bad.set(Fault.RESET)
            for word in range(1, 20):
                live(echo, word)
                await right(pool, echo, await pool.head())
    events = [line["event"] for line in lines]
    assert events.count("rpc.failover") == 1
    assert events.count("rpc.degraded") == len({line["reason"] for line in lines if line["event"] == "rpc.degraded"})
    failover = next(line for line in lines if line["event"] == "rpc.failover")
    assert [failover["from"], failover["to"]] == [each.name for each in pool.endpoints]


async def test_the_next_endpoint_is_asked_in_the_same_round(proxies: list[FaultProxy], echo: Emitter) -> None:
    bad, good, _ = proxies
    hasty = Patience(total=0.0, hedge=0.1, probe=60.0)  # no second round
    for fault in TRANSPORT:
        async with Pool([bad.url, good.url], rules=RULES, limits=LIMITS, patience=hasty) as pool:
            bad.set(fault)
            good.counts.clear()
            assert (await pool.head()).number == echo.head()
            bad.clear()
        assert good.counts["eth_getBlockByNumber"] == 1


async def test_a_lone_endpoint_that_asks_for_a_pause_gets_it_too(proxies: list[FaultProxy], echo: Emitter) -> None:
    lone = proxies[0]
    lone.retry_after = 30
    async with pool_of(lone) as pool:
        head = await pool.head()
        lone.set(Fault.BUSY, times=1)
        before = lone.requests
        with pytest.raises(EndpointsUnavailable, match="pause"):
            await right(pool, echo, head)
        assert lone.requests == before + 1
        pool.endpoints[0].record.rests_until = 0.0
        await right(pool, echo, head)


async def test_an_endpoint_that_asks_for_a_pause_gets_it(proxies: list[FaultProxy], echo: Emitter) -> None:
    busy, good, _ = proxies
    busy.retry_after = 30
    async with pool_of(busy, good) as pool:
        busy.set(Fault.BUSY, times=1, methods={"eth_getLogs"})
        await right(pool, echo, await pool.head())
        before = busy.counts["eth_getLogs"]
        for _ in range(5):
            await right(pool, echo, await pool.head())
        assert busy.counts["eth_getLogs"] == before


async def test_a_silent_endpoint_gets_a_competitor_long_before_its_deadline(
    proxies: list[FaultProxy], echo: Emitter
) -> None:
    silent, good, _ = proxies
    eager = Patience(hedge=0.1, probe=60.0)
    async with Pool([silent.url, good.url], rules=RULES, limits=Limits(timeout=60.0), patience=eager) as pool:
        silent.set(Fault.TIMEOUT)
        async with asyncio.timeout(20.0):
            assert (await pool.head()).number == echo.head()
    assert silent.struck[Fault.TIMEOUT] == good.counts["eth_getBlockByNumber"] - 2 == 1  # two were the probe's


async def test_a_slow_endpoint_is_overtaken(proxies: list[FaultProxy], echo: Emitter) -> None:
    slow, good, _ = proxies
    async with pool_of(slow, good) as pool:
        slow.set(Fault.SLOW)
        slow.slowness = 0.3  # within the deadline, beyond the hedge
        for _ in range(6):
            await right(pool, echo, await pool.head())
        good.counts.clear()
        slow.counts.clear()
        await right(pool, echo, await pool.head())
        assert slow.counts["eth_call"] == 0
        assert good.counts["eth_call"] > 0


async def test_logs_that_are_late_are_asked_for_again(proxies: list[FaultProxy], echo: Emitter) -> None:
    lone = proxies[0]
    async with pool_of(lone) as pool:
        for word in range(1, 4):
            live(echo, word)
            lone.set(Fault.NOT_INDEXED, times=1)
            await right(pool, echo, await pool.head())
        assert lone.struck[Fault.NOT_INDEXED] == 3
        lone.clear()
        echo.mine()
        lone.counts.clear()
        assert await pool.logs_at((await pool.head()).hash, echo.addresses) == []
        assert lone.counts["eth_getLogs"] == 1  # the bloom filter is empty: no doubt


# --- set aside, and taken back -----------------------------------------------------------------------------------


async def test_a_frozen_endpoint_is_set_aside_when_others_advance(proxies: list[FaultProxy], echo: Emitter) -> None:
    frozen, good, _ = proxies
    async with pool_of(frozen, good) as pool:
        name = pool.endpoints[0].name
        await frozen.freeze()
        live(echo, 1)
        await pool.probe()
        assert pool.faults == {}  # one block behind is nothing
        old = await pool.block(echo.head())
        assert old is not None  # though the first endpoint does not have it
        await right(pool, echo, old)
        live(echo, 2)
        await until(pool, {name: "behind"})
        await right(pool, echo, await pool.head())
        frozen.clear()
        await until(pool, {})


async def test_a_lone_frozen_endpoint_leaves_nobody_until_it_moves(proxies: list[FaultProxy], echo: Emitter) -> None:
    lone = proxies[0]
    async with pool_of(lone, rules=Rules(chain_id=31337, block_time=0.05)) as pool:
        await lone.freeze()
        live(echo, 1)
        await until(pool, {pool.endpoints[0].name: "frozen"})
        assert not pool.ready
        with pytest.raises(EndpointsUnavailable, match="frozen"):
            await pool.head()
        lone.clear()
        live(echo, 2)
        head = await pool.head()  # the question itself looks again
        assert head.number == echo.head()


async def test_a_frozen_endpoint_never_shortens_a_list_of_logs(proxies: list[FaultProxy], echo: Emitter) -> None:
    lone = proxies[0]
    async with pool_of(lone) as pool:
        await lone.freeze()
        live(echo, 1)
        with pytest.raises(BlockUnknown):
            await pool.logs(echo.addresses, 0, echo.head())
        with pytest.raises(BlockUnknown):
            await pool.logs_at(echo.header()["hash"], echo.addresses)  # type: ignore[arg-type]


async def test_an_endpoint_on_another_chain_is_set_aside(proxies: list[FaultProxy], echo: Emitter) -> None:
    other, good, _ = proxies
    async with pool_of(other, good) as pool:
        other.set(Fault.WRONG_CHAIN)
        await until(pool, {pool.endpoints[0].name: "wrong_chain"})
        other.counts.clear()
        await right(pool, echo, await pool.head())
        assert other.counts["eth_call"] == 0
        good.set(Fault.WRONG_CHAIN)
        await pool.probe()
        with pytest.raises(EndpointsUnavailable, match="wrong_chain"):  # it was right before: no reason to give up
            await pool.head()
        other.clear()
        await right(pool, echo, await pool.head())


@pytest.mark.parametrize("liar", [0, 1, 2])
async def test_who_contradicts_finality_is_set_aside(proxies: list[FaultProxy], echo: Emitter, liar: int) -> None:
    echo.mine(80)
    async with pool_of(*proxies) as pool:
        name = pool.endpoints[liar].name
        proxies[liar].set(Fault.LYING)
        await until(pool, {name: "finalised_mismatch"})
        final = await pool.finalized()
        assert final is not None
        assert final.hash == echo.header("finalized")["hash"]
        proxies[liar].clear()
        await until(pool, {})


async def test_one_word_against_another_is_settled_by_what_was_known(proxies: list[FaultProxy], echo: Emitter) -> None:
    echo.mine(80)
    honest = proxies[1]
    async with pool_of(honest) as first:
        known = await first.finalized()
    assert known is not None
    liar = proxies[0]
    liar.set(Fault.LYING)
    async with pool_of(liar, honest) as pool:
        names = [each.name for each in pool.endpoints]
        await until(pool, {names[1]: "finalised_mismatch"})  # nothing known: the first configured is believed
    pool = pool_of(liar, honest)
    pool.trust(known)
    async with pool:
        assert pool.faults == {names[0]: "finalised_mismatch"}


# --- all are bad -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("fault", TRANSPORT)
async def test_a_lone_endpoint_that_fails_is_unavailable_and_recovers(
    proxies: list[FaultProxy], echo: Emitter, fault: Fault
) -> None:
    lone = proxies[0]
    lone.retry_after = 0
    async with pool_of(lone) as pool:
        lone.set(fault)
        with pytest.raises(EndpointsUnavailable):
            await pool.call_many([Read(address(100), "0x")] * 2, await pool.head())
        lone.clear()
        live(echo, 1)
        await right(pool, echo, await pool.head())
        lone.set(fault, times=2)
        await right(pool, echo, await pool.head())


async def test_a_storm_never_makes_a_wrong_answer(proxies: list[FaultProxy], echo: Emitter, seed: int) -> None:
    chance = random.Random(seed)
    for proxy in proxies:
        proxy.max_blocks, proxy.retry_after = 4, 0
        for fault in (*TRANSPORT, *PROVABLE, Fault.SLOW, Fault.WRONG_CHAIN):
            proxy.set(fault, rate=chance.choice([0.0, 0.05, 0.15]) / (4 if fault is Fault.TIMEOUT else 1))
        proxy.slowness = 0.05
    answered = refused = 0
    with capture_logs() as lines:
        async with pool_of(*proxies) as pool:
            for word in range(1, 31):
                live(echo, word)
                try:
                    await right(pool, echo, await pool.head())
                    answered += 1
                except (EndpointsUnavailable, BlockUnknown):
                    refused += 1
            for proxy in proxies:
                proxy.clear()
            for word in range(31, 34):
                live(echo, word)
                await pool.probe()
            assert pool.faults == {}
            await right(pool, echo, await pool.head())
    assert (answered > 0, answered + refused) == (True, 30)
    assert complaints(lines) == []
