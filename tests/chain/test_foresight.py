"""A price is heard of before it is on chain: whom it brings below 1 is liquidated right behind it, in its block."""

import asyncio
import json
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from coincurve import PrivateKey
from eth_utils.crypto import keccak
from structlog.testing import capture_logs

from keeper.contracts.encode import encode_plan
from keeper.core.units import WAD, Address, Wei
from keeper.core.venues import Venue
from keeper.devnet.layout import USD
from keeper.devnet.relay import StandInRelay
from keeper.devnet.reports import follow_reports, forward, transmit
from keeper.devnet.world import World
from keeper.estimator.world import Policy
from keeper.executor.relays.identity import Identity
from keeper.executor.transaction import SignedTransaction, Transaction, address_of, sign
from keeper.foresight import Foresight
from keeper.indexer.indexer import Indexer
from keeper.indexer.pools import PoolFeed
from keeper.pending import Hints, Mempool
from keeper.pipeline import Pipeline
from keeper.protocols.aave_v3.adapter import AaveV3
from keeper.store.store import Store
from keeper.venues.book import VenueBook
from keeper.venues.route.search import Routing
from keeper.venues.uniswap_v2.venue import UniswapV2
from keeper.venues.uniswap_v3.venue import UniswapV3
from tests.chain.executor_stage import ANVIL, CHAIN, Play, Stage, playing, relaying
from tests.chain.service_stage import theatre

ORACLE = PrivateKey(keccak(text="keeper test oracle"))
FALLEN = 1_900 * USD
PATIENCE = 20.0
HINTS = ["hash", "contract_address", "calldata", "function_selector"]


@dataclass
class Keeper:
    """Books, pools, decisions, foresight and executor, as the daemon joins them."""

    stage: Stage
    relay: StandInRelay
    play: Play
    indexer: Indexer
    feed: PoolFeed
    pipeline: Pipeline
    foresight: Foresight
    aggregator: Address
    forwarder: Address
    nonce: int = 0

    async def block(self) -> None:
        """Everything that follows from the head."""
        head = await self.indexer.advance()
        self.foresight.begin()
        await self.feed.advance(self.indexer.store.tail())
        await self.play.executor.on_head(head)
        await self.pipeline.on_block(head)
        self.foresight.settle(head, self.pipeline.world(self.pipeline.target(head)))
        for market in self.indexer.markets:
            await self.pipeline.lookout.post(market).made()

    async def prepared(self) -> None:
        """Once everything is ready."""
        if self.foresight._preparing is not None:
            await self.foresight._preparing

    def update(self, price: int) -> SignedTransaction:
        """The oracle's transaction with a price, through its forwarder."""
        data = forward(self.aggregator, transmit([price - 5, price, price + 7]))
        tx = Transaction(CHAIN, self.nonce, Wei(10**9), Wei(50 * 10**9), 400_000, self.forwarder, data)
        self.nonce += 1
        return sign(tx, ORACLE, address_of(ORACLE.public_key))

    async def until(self, happened: Callable[[], bool]) -> None:
        end = time.monotonic() + PATIENCE
        while not happened():
            assert time.monotonic() < end
            await asyncio.sleep(0.02)
        if self.foresight._sending:
            await asyncio.wait(self.foresight._sending)


@asynccontextmanager
async def keeping(world: World, seed: int, state: Path) -> AsyncIterator[Keeper]:
    stage = Stage.build(world, signers=2)
    world.fund(address_of(ORACLE.public_key))
    aggregator, forwarder = follow_reports(world, "WETH")
    layout = world.layout
    weth, usdc = layout.tokens["WETH"].address, layout.tokens["USDC"].address
    venues: list[Venue] = [UniswapV3(layout.uniswap.v3_factory), UniswapV2(layout.uniswap.v2_factory)]
    async with relaying(stage, seed, kinds=("flashbots",)) as relay, playing(stage, relay, state) as play:
        store = Store(state, CHAIN)
        indexer = Indexer(play.pool, store, [(AaveV3(layout.aave.provider), 0)])
        feed = PoolFeed(play.pool, VenueBook(venues, [token.address for token in layout.tokens.values()]))
        pipeline = Pipeline(
            markets=lambda: indexer.markets,
            liquidity=lambda: feed.book.liquidity,
            policy=Policy(profit_token=weth, routing=Routing(hubs=(weth, usdc))),
            sender=None,
            block_time=12,
        )
        foresight = Foresight(
            markets=lambda: indexer.markets,
            lookout=pipeline.lookout,
            encode=lambda plan: encode_plan(plan, stage.rig.executor),
            sender=play.executor,
            heard=lambda _: None,
        )
        yield Keeper(stage, relay, play, indexer, feed, pipeline, foresight, aggregator, forwarder)
        await foresight.close()
        store.close()


async def shared(url: str, update: SignedTransaction) -> None:
    """The oracle shows its transaction to an auction."""
    params = {"tx": "0x" + update.raw.hex(), "preferences": {"privacy": {"hints": HINTS}}}
    body = json.dumps({"jsonrpc": "2.0", "id": 1, "method": "eth_sendPrivateTransaction", "params": [params]}).encode()
    headers = {"Content-Type": "application/json", "X-Flashbots-Signature": Identity(b"\x7f" * 32).header(body)}
    async with aiohttp.ClientSession() as http, http.post(url, data=body, headers=headers) as answer:
        assert "result" in await answer.json()


def statuses(stage: Stage, names: tuple[str, ...]) -> list[str]:
    return [stage.world.rpc.rpc("eth_getTransactionReceipt", name)["status"] for name in names]


@pytest.mark.parametrize("way", ["hints", "mempool"])
async def test_right_behind_the_price_in_the_same_block(
    make_world: Callable[..., World], tmp_path: Path, seed: int, way: str
) -> None:
    world = make_world("3.0.2", **ANVIL)
    async with keeping(world, seed, tmp_path / "s") as keeper:
        stage, foresight, relay = keeper.stage, keeper.foresight, keeper.relay
        account = stage.rig.borrower(supplied=10, owed=15_990)
        await relay.slot()
        await keeper.block()
        await keeper.block()
        await keeper.prepared()
        ready = {signed.hash for signed in keeper.play.executor._outbox.presigned.values()}
        book = keeper.indexer.markets[0].book
        digest = book.digest()
        source: Any = (
            Hints(relay.hints["flashbots"], foresight.hear)
            if way == "hints"
            else Mempool([world.anvil.url.replace("http", "ws")], CHAIN, keeper.play.pool, foresight.hear)
        )
        listening = asyncio.create_task(source.run())
        await asyncio.sleep(0.5)
        update = keeper.update(FALLEN)
        with capture_logs() as lines:
            if way == "hints":
                await shared(relay.urls["flashbots"], update)
            else:
                world.rpc.rpc("eth_sendRawTransaction", "0x" + update.raw.hex())
            await keeper.until(lambda: foresight.flips > 0)
        assert book.digest() == digest  # a price is supposed, never learnt
        assert stage.world.account_data(account).health_factor >= WAD  # on chain nothing has happened yet
        slot = await relay.slot()
        assert slot.tx_hashes[0] == update.hash
        assert len(slot.tx_hashes) == 2, [line for line in lines if line["log_level"] != "info"]
        assert statuses(stage, slot.tx_hashes) == ["0x1", "0x1"]
        (told,) = [line for line in lines if line["event"] == "oracle.foretold"]
        assert (told["flips"], told["plans"], told["ready"], told["answer"]) == (1, 1, 1, FALLEN)
        assert slot.tx_hashes[1] in ready  # signed before the price was known
        listening.cancel()
        await keeper.block()
        assert keeper.play.executor.total > 0
        assert stage.world.account_data(account).health_factor >= WAD


async def test_what_is_heard_while_a_block_is_applied_waits(
    make_world: Callable[..., World], tmp_path: Path, seed: int
) -> None:
    async with keeping(make_world("3.0.2", **ANVIL), seed, tmp_path / "s") as keeper:
        stage, foresight = keeper.stage, keeper.foresight
        stage.rig.borrower(supplied=10, owed=15_990)
        hints = Hints("", foresight.hear)
        await keeper.relay.slot()
        await keeper.block()

        def hear(price: int) -> None:
            update = keeper.update(price)
            data = "0x" + forward(keeper.aggregator, transmit([price])).hex()
            hint = {"hash": update.hash, "txs": [{"to": keeper.forwarder, "callData": data, "functionSelector": ""}]}
            hints.take(b"data: " + json.dumps(hint).encode())

        hear(2_100 * USD)
        assert foresight.flips == 0  # a price at which nobody flips
        foresight.begin()
        hear(1_950 * USD)
        hear(FALLEN)  # the newest answer of a feed is the one that counts
        assert foresight.flips == 0
        await keeper.block()
        assert foresight.flips == 1
        for line in (b":ping", b"data: {", b'data: {"hash":"0x1"}', b'data: {"hash":"0x2","txs":[{"to":"0x3"}]}'):
            hints.take(line)
        hear(FALLEN)
        assert foresight.flips == 2


async def test_the_service_runs_with_it(tmp_path: Path, seed: int) -> None:
    async with theatre(tmp_path, seed) as at:
        at.configure(extra="[pending]\nmempool = true\n")
        service = at.start()
        await service.ready()
        await at.crash()
        await service.until("liquidation.included", 1, at.slot)
        metrics = (await service.get("/metrics"))[1]
        for task in ("mempool", "warmth"):
            assert f'keeper_task_up{{task="{task}"}} 1.0' in metrics
            assert f'keeper_task_restarts_total{{task="{task}"}} 0.0' in metrics
        for step in ("follow", "screen", "confirm", "find", "plan", "send", "simulate", "sign", "journal"):
            assert f'keeper_step_seconds_bucket{{le="+Inf",step="{step}"}}' in metrics
        (first, *_) = [line for line in service.lines if line["event"] == "opportunity.planned"]
        assert {"follow", "screen", "confirm", "plan"} <= set(first["steps_s"])
        assert await at.stopped(service) == 0
        service.check_lines()
