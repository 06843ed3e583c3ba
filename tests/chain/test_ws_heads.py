"""Subscriptions and heads over a real websocket, and over one that misbehaves."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any, TypeVar

import pytest
from structlog.testing import capture_logs

from keeper.chain import Heads, Patience, Pool, Rules, Subscription
from keeper.core.events import Block, Log
from keeper.devnet.anvil import Anvil
from tests.chain.emitter import Emitter, chatter, emitter
from tests.chaos.proxy import Fault, FaultProxy

RULES = Rules(chain_id=31337)
T = TypeVar("T")
WAIT = 10.0  # until a test that waits for something gives up


@pytest.fixture
def echo(anvil: Anvil) -> Emitter:
    return emitter(anvil)


@pytest.fixture
async def proxy(anvil: Anvil, seed: int) -> AsyncIterator[FaultProxy]:
    async with FaultProxy(anvil.url, seed=seed) as running:
        yield running


@pytest.fixture
async def pool(anvil: Anvil) -> AsyncIterator[Pool]:
    async with Pool([anvil.url], rules=RULES, patience=Patience(total=1.0)) as running:
        yield running


class Listener:
    """Reads heads until the wanted one has come."""

    def __init__(self, heads: Heads) -> None:
        self._heads = aiter(heads)
        self.heard: list[Block] = []

    async def until(self, number: int) -> Block:
        async with asyncio.timeout(WAIT):
            while not self.heard or self.heard[-1].number != number:
                self.heard.append(await anext(self._heads))
        return self.heard[-1]


async def until(*told: "Heads | Subscription[Any]") -> None:
    """Wait until all are connected and subscribed."""
    async with asyncio.timeout(WAIT):
        while not all(each.live for each in told):  # noqa: ASYNC110 - there is no event for tests only
            await asyncio.sleep(0.01)


async def first(source: Subscription[T], count: int) -> list[T]:
    items = aiter(source)
    async with asyncio.timeout(WAIT):
        return [await anext(items) for _ in range(count)]


async def test_heads_are_told(pool: Pool, proxy: FaultProxy, echo: Emitter) -> None:
    async with Heads(pool, [proxy.ws], chain_id=31337, block_time=None) as heads:
        listener = Listener(heads)
        assert (await listener.until(0)).number == 0  # asked for: nobody tells a head that is there already
        await until(heads)
        for number in range(1, 6):
            echo.mine()
            told = await listener.until(number)
            assert told.hash == echo.header(number)["hash"]
    assert proxy.counts["eth_subscribe"] == 1


async def test_a_reorg_is_told_as_other_heads(pool: Pool, echo: Emitter, anvil: Anvil) -> None:
    async with Heads(pool, [anvil.ws], chain_id=31337, block_time=None) as heads:
        listener = Listener(heads)
        echo.mine(6)
        lost = await listener.until(6)
        anvil.rpc.rpc("anvil_reorg", 3, [])
        async with asyncio.timeout(WAIT):
            while listener.heard[-1] == lost or listener.heard[-1].number != 6:
                listener.heard.append(await anext(listener._heads))
        assert listener.heard[-1].hash == echo.header(6)["hash"] != lost.hash


async def test_a_late_reader_gets_the_latest_head_only(pool: Pool, echo: Emitter, anvil: Anvil) -> None:
    async with Heads(pool, [anvil.ws], chain_id=31337, block_time=None) as heads:
        listener = Listener(heads)
        await listener.until(0)
        await until(heads)
        for _ in range(20):
            echo.mine()
        await asyncio.sleep(0.3)
        assert (await anext(listener._heads)).number == 20


async def test_a_dropped_socket_is_reconnected_and_misses_nothing(pool: Pool, proxy: FaultProxy, echo: Emitter) -> None:
    with capture_logs() as lines:
        async with Heads(pool, [proxy.ws], chain_id=31337, block_time=None) as heads:
            listener = Listener(heads)
            for number in range(1, 8):
                await until(heads)
                if number % 3 == 0:
                    assert await proxy.drop_sockets() == 1
                echo.mine()
                await listener.until(number)
            await until(heads)
    events = [line["event"] for line in lines]
    assert events.count("rpc.degraded") == events.count("rpc.restored") == 2
    assert proxy.counts["eth_subscribe"] == 3


async def test_a_silent_socket_is_replaced(pool: Pool, proxy: FaultProxy, echo: Emitter) -> None:
    proxy.set(Fault.DEAF_SOCKET)
    with capture_logs() as lines:
        async with Heads(pool, [proxy.ws], chain_id=31337, block_time=0.1) as heads:
            listener = Listener(heads)
            async with asyncio.timeout(WAIT):
                while proxy.counts["eth_subscribe"] < 2:
                    echo.mine()
                    await listener.until(echo.head())  # a probe has seen it, though nobody tells
            proxy.clear()
            await until(heads)
            echo.mine()
            await listener.until(echo.head())
    assert "socket silent" in [line["reason"] for line in lines]


async def test_without_a_socket_heads_are_asked_for(pool: Pool, proxy: FaultProxy, echo: Emitter) -> None:
    proxy.set(Fault.NO_SOCKET)
    for urls in ([], [proxy.ws], ["ws://127.0.0.1:1"]):
        async with Heads(pool, urls, chain_id=31337, block_time=0.4) as heads:
            listener = Listener(heads)
            echo.mine()
            await listener.until(echo.head())
            assert not heads.live


async def test_the_next_socket_is_tried_when_one_is_on_another_chain(
    pool: Pool, proxy: FaultProxy, echo: Emitter, anvil: Anvil
) -> None:
    proxy.set(Fault.WRONG_CHAIN)
    with capture_logs() as lines:
        async with Heads(pool, [proxy.ws, anvil.ws], chain_id=31337, block_time=None) as heads:
            await until(heads)
            echo.mine()
            await Listener(heads).until(1)
    assert [line["reason"] for line in lines if line["event"] == "rpc.degraded"] == ["socket wrong_chain"]
    assert proxy.counts["eth_subscribe"] == 0


async def test_logs_and_pending_transactions_are_typed_too(anvil: Anvil, echo: Emitter) -> None:
    ask = {"address": list(echo.addresses)}
    async with (
        Subscription([anvil.ws], Log, ("logs", ask), depth=100) as logs,
        Subscription([anvil.ws], str, ("newPendingTransactions",), depth=100) as pending,
    ):
        await until(logs, pending)
        chatter(echo, 4)
        heard, hashes = await first(logs, 12), await first(pending, 12)
    assert [(log.block, log.index, log.topics[0]) for log in heard] == echo.truth(0, echo.head())
    assert {log.transaction_hash for log in heard} == set(hashes)


async def test_what_a_late_reader_loses_is_counted(anvil: Anvil, echo: Emitter) -> None:
    async with Subscription([anvil.ws], Log, ("logs", {}), depth=5) as logs:
        await until(logs)
        chatter(echo, 4)
        await asyncio.sleep(0.3)
        heard = await first(logs, 5)
        assert [(log.block, log.index, log.topics[0]) for log in heard] == echo.truth(0, echo.head())[-5:]
        assert logs.gaps == 7
