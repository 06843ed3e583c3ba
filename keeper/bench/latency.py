"""From the bytes of a notification to a signed transaction at the node: every step, and beside it a plain web3 bot.

Law: the node is another process, reached over websockets, and takes the time on its own clock. Rounds with everything
and rounds with a transaction that was signed before take turns, so that both meet the same machine. The bot asks a real
node about ``bot_accounts`` accounts; its question is linear in accounts and scaled to as many as the keeper watches.
"""

import asyncio
import gc
import statistics
import sys
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any, Final

import aiohttp
import msgspec
import uvloop
from coincurve import PrivateKey

from keeper.bench._bot import bot_seconds
from keeper.bench.hot import POPULAR, Hot
from keeper.bench.market import RESERVES
from keeper.chain.socket import Subscription
from keeper.chain.wire import Request, encode
from keeper.core.events import Log, word
from keeper.core.units import Address
from keeper.executor.transaction import Transaction, address_of, sign
from keeper.reflex import warm
from keeper.screen.prices import liquidation_price

ROUNDS: Final = 400
UNCOUNTED: Final = 50  # rounds at the beginning
PAUSE: Final = 0.004  # seconds between rounds
WARM: Final = 0.0005  # seconds between two passes that keep the path warm
CHAIN: Final = 31337
FEED: Final = Address("0x" + "fe" * 20)
STEPS: Final = ("parse", "react", "sign", "write")
ANSWER_UPDATED: Final = "0x0559884fd3a460db3073b7fc896cc77986f16e378210ded43186175bf646fc5f"
P95: Final = 95


def run(accounts: int = 100_000) -> dict[str, Any]:
    """All figures of the benchmark."""
    figures = uvloop.run(_measured(accounts))
    bot, bot_accounts = bot_seconds()
    scaled = {name: seconds * (accounts / bot_accounts if name == "ask" else 1) for name, seconds in bot.items()}
    total = sum(scaled.values())
    return figures | {
        "bot_accounts": bot_accounts,
        **{f"bot_{name}_us": round(seconds * 1e6) for name, seconds in scaled.items()},
        "bot_total_ms": round(total * 1e3, 1),
        "ratio_bot_to_this": round(total * 1e6 / figures["at_node_us"]),
    }


class Path:
    """The keeper's side: told of a price, it answers with a transaction."""

    def __init__(self, hot: Hot, socket: "aiohttp.ClientWebSocketResponse[bool]") -> None:
        self.hot, self._socket = hot, socket
        self._key = PrivateKey(b"\x01" * 32)
        self._sender = address_of(self._key.public_key)
        self._asset = {FEED: POPULAR}
        self._feed: Subscription[Log] | None = None
        self.ready: bytes | None = None  # a message that was signed before
        self.seen: list[tuple[float, ...]] = []  # seconds of each step

    def listen(self, url: str) -> Subscription[Log]:
        """The subscription that tells it."""
        self._feed = Subscription([url], Log, ("logs", {"address": FEED}), hear=self.heard)
        return self._feed

    async def heard(self, log: Log) -> None:
        """A price was answered."""
        began = self._feed.received if self._feed is not None else 0.0
        parsed = time.perf_counter()
        if self.ready is not None:
            await self._socket.send_bytes(self.ready)
            return
        transaction = self.transaction({self._asset[log.address]: word(log.topics[1], 0)})
        reacted = time.perf_counter()
        signed = sign(transaction, self._key, self._sender)
        done = time.perf_counter()
        await self._socket.send_bytes(message(signed.raw))
        self.seen.append((parsed - began, reacted - parsed, done - reacted, time.perf_counter() - done))

    def transaction(self, prices: Mapping[Address, int]) -> Transaction:
        """From prices to what is signed."""
        hot = self.hot
        kept = hot.reflex.react(hot.market, hot.post, prices, hot.world).ready[0]
        plan = kept.plan
        return Transaction(CHAIN, 1, plan.tip, plan.max_fee, plan.gas_limit, hot.contract.address, kept.data)

    def signed(self, prices: Mapping[Address, int]) -> bytes:
        """The whole message: everything but sending, which is what keeps it warm too."""
        return message(sign(self.transaction(prices), self._key, self._sender).raw)


def message(raw: bytes) -> bytes:
    """A raw transaction on its way to a node."""
    return encode(Request(2, "eth_sendRawTransaction", ("0x" + raw.hex(),)))


async def _measured(accounts: int) -> dict[str, Any]:
    hot = Hot(accounts, RESERVES)
    await hot.look()
    await hot.prepare()
    price = _flipping(hot)
    async with AsyncExitStack() as opening:
        url = await opening.enter_async_context(_node())
        session = await opening.enter_async_context(aiohttp.ClientSession())
        socket = await opening.enter_async_context(session.ws_connect(url, decode_text=False))
        path = Path(hot, socket)
        feed = await opening.enter_async_context(path.listen(url))
        while not feed.live:  # noqa: ASYNC110 - once, at the start
            await asyncio.sleep(0.01)
        gc.collect()
        gc.freeze()
        warming = asyncio.create_task(warm(lambda: path.signed({POPULAR: price}), WARM))
        full, before = await _rounds(path, socket, price)
        warming.cancel()
    return _figures(accounts, hot, path.seen[UNCOUNTED:], full, before)


def _flipping(hot: Hot) -> int:
    """A price of the popular asset at which just the first account of its list is liquidatable, and prepared for."""
    now = hot.post.now
    for (_, row, asset), kept in hot.reflex._shelf.items():  # noqa: SLF001 - a benchmark of what is on it
        if asset == POPULAR and now is not None:
            price = liquidation_price(hot.post.screen, hot.book, row, asset, hot.post.at, now)
            if price is not None and kept.low <= price <= kept.high:
                return price
    raise RuntimeError("nobody near holds the popular asset: more accounts are needed")


async def _rounds(
    path: Path, socket: "aiohttp.ClientWebSocketResponse[bool]", price: int
) -> tuple[Sequence[float], Sequence[float]]:
    """Seconds at the node: with everything, and with what was signed before."""
    signed = path.signed({POPULAR: price})
    tell = encode(Request(1, "bench_tell", (_notification(price), PAUSE)))
    seen: tuple[list[float], list[float]] = ([], [])
    for turn in range(2 * (ROUNDS + UNCOUNTED)):
        path.ready = signed if turn % 2 else None
        await socket.send_bytes(tell)
        answers = [msgspec.json.decode((await socket.receive()).data) for _ in range(2)]
        took = next(answer["result"] for answer in answers if answer["id"] == 2)  # noqa: PLR2004 - of ``message``
        seen[turn % 2].append(int(took, 16) / 1e9)
    return seen[0][UNCOUNTED:], seen[1][UNCOUNTED:]


def _notification(price: int) -> str:
    """What a node says when a feed has answered."""
    log = {
        "address": FEED,
        "topics": [ANSWER_UPDATED, f"0x{price:064x}", f"0x{1:064x}"],
        "data": f"0x{1_750_000_000:064x}",
        "blockNumber": "0x1",
        "blockHash": "0x" + "b1" * 32,
        "transactionHash": "0x" + "a1" * 32,
        "transactionIndex": "0x0",
        "logIndex": "0x0",
        "removed": False,
    }
    params = {"subscription": "0x1", "result": log}
    return msgspec.json.encode({"jsonrpc": "2.0", "method": "eth_subscription", "params": params}).decode()


@asynccontextmanager
async def _node() -> AsyncIterator[str]:
    """The node's address, while it runs."""
    child = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "keeper.bench._node", stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE
    )
    try:
        if child.stdout is None:
            raise RuntimeError("the node says nothing")
        yield f"ws://127.0.0.1:{int(await child.stdout.readline())}/"
    finally:
        if child.stdin is not None:
            child.stdin.close()
        await child.wait()


def _figures(
    accounts: int, hot: Hot, steps: Sequence[tuple[float, ...]], full: Sequence[float], before: Sequence[float]
) -> dict[str, Any]:
    medians = {name: statistics.median(times) for name, times in zip(STEPS, zip(*steps, strict=True), strict=True)}
    signed = statistics.median(sum(times[:3]) for times in steps)
    ordered, floor = sorted(full), statistics.median(before)
    middle = statistics.median(full)
    late = ordered[len(ordered) * P95 // 100]
    return {
        "accounts": accounts,
        "prepared": len(hot.reflex),
        **{f"{name}_us": round(seconds * 1e6, 1) for name, seconds in medians.items()},
        "parse_to_signed_us": round(signed * 1e6, 1),
        "at_node_us": round(middle * 1e6, 1),
        "presigned_at_node_us": round(floor * 1e6, 1),
        "p95_us": round(late * 1e6, 1),
        "parse_to_signed_over_sign": round(signed / medians["sign"], 2),
        "at_node_over_presigned": round(middle / floor, 2),
        "p95_over_median": round(late / middle, 2),
    }
