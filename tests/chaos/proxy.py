"""A node's bad days, on demand: a proxy in front of anvil, for HTTP and websocket.

Faults are set for as long as they are wanted, for a number of requests, or at random from a seed. What passes is
counted by method, so that a test can also prove what was never sent.

    async with FaultProxy(anvil.url, seed=seed) as proxy:
        pool = Pool([proxy.url])
        proxy.set(Fault.HTML, rate=0.2)      # every fifth request, from the seed
        proxy.set(Fault.BUSY, times=3)       # the next three requests
        proxy.set(Fault.TIMEOUT, methods={"eth_call"})
        proxy.clear(Fault.HTML)              # or clear() for all
"""

import asyncio
import hashlib
import random
from collections import Counter
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from enum import Enum
from types import TracebackType
from typing import Any, Final, Self, TypeAlias

import aiohttp
import msgspec
from aiohttp import web

Json: TypeAlias = dict[str, Any]
FINALISED_DEPTH: Final = 64  # anvil calls final what is this deep
BIG: Final = 64 << 20


class Fault(Enum):
    """What can be wrong."""

    TIMEOUT = "no answer at all"
    SLOW = "an answer after a while"
    BUSY = "HTTP 429 with Retry-After"
    ERROR = "HTTP 500"
    RESET = "connection closed without an answer"
    HTML = "a web page with status 200"
    TRUNCATED = "half of the JSON"
    STRING_ERROR = "an error that is a string"
    PARTIAL = "a batch with an answer missing"
    FROZEN = "the head as it was when this began, and nothing after it"
    WRONG_CHAIN = "another chain id"
    SHUFFLED = "logs in another order"
    DOUBLED = "logs twice"
    TOO_MANY = "logs refused beyond max_blocks or max_logs"
    LYING = "another hash for finalised blocks"
    NO_HASHES = "block hashes not taken where a block is meant"
    NOT_INDEXED = "a block without the logs that belong to it"
    ORPHANS = "blocks by hash even after a reorg has thrown them out, as most nodes but anvil do"
    DEAF_SOCKET = "websocket open, but no notification comes through"
    NO_SOCKET = "websocket refused"


TRANSPORT: Final = (
    Fault.TIMEOUT,
    Fault.SLOW,
    Fault.BUSY,
    Fault.ERROR,
    Fault.RESET,
    Fault.HTML,
    Fault.TRUNCATED,
    Fault.STRING_ERROR,
    Fault.PARTIAL,
)


@dataclass(slots=True)
class Setting:
    """How often a fault strikes, and what."""

    rate: float = 1.0
    times: int | None = None
    methods: frozenset[str] | None = None


class FaultProxy:
    """Stands in front of one node. An async context manager."""

    def __init__(self, upstream: str, *, seed: int = 0) -> None:
        self.counts: Counter[str] = Counter()  # calls by method, over HTTP and websocket, faulty or not
        self.struck: Counter[Fault] = Counter()
        self.requests = 0  # HTTP requests
        self.now = 0  # HTTP requests that are being answered
        self.most = 0  # the highest that ``now`` has been
        self.sockets: set[asyncio.Transport] = set()  # of open websockets
        self.slowness = 0.5  # seconds
        self.retry_after = 1  # seconds
        self.max_blocks = 10
        self.max_logs = 10_000
        self.refusal = "query returned more than 10000 results"
        self.batch_limit: int | None = None  # a larger batch is refused
        self._upstream = upstream
        self._random = random.Random(seed)
        self._settings: dict[Fault, Setting] = {}
        self._frozen_at: int | None = None
        self._headers: dict[str, Json] = {}  # by hash, of what has passed while orphans are kept
        self._closing = asyncio.Event()
        self._runner: web.AppRunner | None = None
        self._session: aiohttp.ClientSession | None = None
        self.port = 0

    # --- what a test says ------------------------------------------------------------------------------------

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def ws(self) -> str:
        return f"ws://127.0.0.1:{self.port}"

    def set(
        self, fault: Fault, *, rate: float = 1.0, times: int | None = None, methods: Collection[str] | None = None
    ) -> None:
        """Begin to fail: each matching request with probability ``rate``, at most ``times`` times."""
        self._settings[fault] = Setting(rate, times, None if methods is None else frozenset(methods))

    def clear(self, *faults: Fault) -> None:
        """Stop failing, in these ways or in all."""
        for fault in faults or tuple(self._settings):
            self._settings.pop(fault, None)
        if Fault.FROZEN not in self._settings:
            self._frozen_at = None

    def active(self, fault: Fault) -> bool:
        return fault in self._settings

    async def freeze(self) -> int:
        """Freeze at the present head, and return it."""
        self.set(Fault.FROZEN)
        return await self._frozen_head()

    async def drop_sockets(self) -> int:
        """Cut all websockets without a word; how many there were."""
        victims = list(self.sockets)
        for transport in victims:
            transport.abort()
        return len(victims)

    @property
    def writes(self) -> Counter[str]:
        """Whatever could have put a transaction into the world."""
        return Counter({method: n for method, n in self.counts.items() if method.startswith("eth_send")})

    # --- the server ------------------------------------------------------------------------------------------

    async def __aenter__(self) -> Self:
        self._session = aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=60))
        app = web.Application(client_max_size=BIG)
        app.router.add_post("/{path:.*}", self._post)
        app.router.add_get("/{path:.*}", self._socket)
        self._runner = web.AppRunner(app, handler_cancellation=True, shutdown_timeout=0.1)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", self.port)
        await site.start()
        self.port = int(self._runner.addresses[0][1])
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._closing.set()
        await self.drop_sockets()
        if self._runner is not None:
            await self._runner.cleanup()
        if self._session is not None:
            await self._session.close()

    async def _post(self, request: web.Request) -> web.StreamResponse:
        self.requests += 1
        self.now += 1
        self.most = max(self.most, self.now)
        try:
            return await self._respond(request)
        finally:
            self.now -= 1

    async def _respond(self, request: web.Request) -> web.StreamResponse:
        asked = msgspec.json.decode(await request.read())
        calls: list[Json] = asked if isinstance(asked, list) else [asked]
        self.counts.update(str(call["method"]) for call in calls)
        if self.batch_limit is not None and len(calls) > self.batch_limit:
            return _json(_error(None, -32600, f"batch limit of {self.batch_limit} exceeded"))
        broken = next((fault for fault in TRANSPORT if self._strikes(fault, calls)), None)
        if broken is not None and (response := await self._break(broken, request)) is not None:
            return response
        answers = await asyncio.gather(*(self._answer(call) for call in calls))
        if broken is Fault.STRING_ERROR:
            answers = [{"jsonrpc": "2.0", "id": call["id"], "error": "internal hiccup"} for call in calls]
        if broken is Fault.PARTIAL:
            answers = answers[:-1]
        body = msgspec.json.encode(answers if isinstance(asked, list) else next(iter(answers), {}))
        return web.Response(body=body[: len(body) // 2] if broken is Fault.TRUNCATED else body, headers=_JSON)

    async def _break(self, fault: Fault, request: web.Request) -> web.StreamResponse | None:
        """A response that is not the node's; None: the node's comes after all."""
        if fault is Fault.TIMEOUT:
            await self._closing.wait()
        if fault is Fault.SLOW:
            await asyncio.sleep(self.slowness)
        if fault is Fault.BUSY:
            return web.Response(status=429, text="slow down", headers={"Retry-After": str(self.retry_after)})
        if fault is Fault.ERROR:
            return web.Response(status=500, text="Internal Server Error")
        if fault is Fault.HTML:
            return web.Response(text="<html><body>Checking your browser</body></html>", content_type="text/html")
        if fault is Fault.RESET and request.transport is not None:
            request.transport.abort()
            return web.Response()
        return None

    def _strikes(self, fault: Fault, calls: Iterable[Json]) -> bool:
        """Whether a fault that is set hits these calls now."""
        setting = self._settings.get(fault)
        if setting is None or setting.times == 0:
            return False
        if setting.methods is not None and not any(call["method"] in setting.methods for call in calls):
            return False
        if self._random.random() >= setting.rate:
            return False
        if setting.times is not None:
            setting.times -= 1
        self.struck[fault] += 1
        return True

    # --- one call --------------------------------------------------------------------------------------------

    async def _answer(self, call: Json) -> Json:
        """The node's answer to a call, with whatever content faults are on."""
        if self._strikes(Fault.FROZEN, [call]):
            return await self._frozen(call)
        method = call["method"]
        if (made_up := self._made_up(call)) is not None:
            return made_up
        answer = await self._forward(call)
        if method == "eth_getLogs" and "result" in answer:
            return self._logs(call, answer)
        if method == "eth_getBlockByHash" and self._strikes(Fault.ORPHANS, [call]):
            return answer | {"result": answer.get("result") or self._headers.get(call["params"][0])}
        if method == "eth_getBlockByNumber" and answer.get("result"):
            if self.active(Fault.ORPHANS):
                self._headers[answer["result"]["hash"]] = answer["result"]
            return await self._header(call, answer)
        return answer

    def _made_up(self, call: Json) -> Json | None:
        """An answer for which the node is not asked."""
        method = call["method"]
        if method == "eth_chainId" and self._strikes(Fault.WRONG_CHAIN, [call]):
            return {"jsonrpc": "2.0", "id": call["id"], "result": "0x539"}
        if _pinned_by_hash(call) and self._strikes(Fault.NO_HASHES, [call]):
            return _error(call["id"], -32602, "invalid argument 1: hex string expected")
        if method == "eth_getLogs" and self._too_wide(call) and self._strikes(Fault.TOO_MANY, [call]):
            return _error(call["id"], -32005, self.refusal)
        return None

    def _too_wide(self, call: Json) -> bool:
        asked = call["params"][0]
        return "blockHash" not in asked and int(asked["toBlock"], 16) - int(asked["fromBlock"], 16) >= self.max_blocks

    def _logs(self, call: Json, answer: Json) -> Json:
        logs = list(answer["result"])
        if len(logs) > self.max_logs and self.active(Fault.TOO_MANY):
            return _error(call["id"], -32005, self.refusal)
        if "blockHash" in call["params"][0] and self._strikes(Fault.NOT_INDEXED, [call]):
            return answer | {"result": []}
        if self._strikes(Fault.DOUBLED, [call]):
            logs += self._random.sample(logs, k=len(logs) // 2 + len(logs) % 2)
        if self._strikes(Fault.SHUFFLED, [call]):
            self._random.shuffle(logs)
        return answer | {"result": logs}

    async def _header(self, call: Json, answer: Json) -> Json:
        if not self.active(Fault.LYING) or call["params"][0] in {"latest", "pending", "safe"}:
            return answer
        final = max(0, await self._head() - FINALISED_DEPTH)
        header = answer["result"]
        if int(header["number"], 16) > final or not self._strikes(Fault.LYING, [call]):
            return answer
        lie = "0x" + hashlib.sha256(header["hash"].encode()).hexdigest()
        return answer | {"result": header | {"hash": lie}}

    # --- a frozen head ---------------------------------------------------------------------------------------

    async def _frozen(self, call: Json) -> Json:
        """The answer of a node that has stopped at a block, and knows it not: it says what it has."""
        head = await self._frozen_head()
        method, params = call["method"], list(call["params"])
        null: Json = {"jsonrpc": "2.0", "id": call["id"], "result": None}
        if method == "eth_blockNumber":
            return null | {"result": hex(head)}
        if method == "eth_getBlockByNumber":
            number = _as_number(params[0], head)
            return null if number > head else await self._forward(call | {"params": [hex(number), *params[1:]]})
        if method == "eth_getLogs" and "blockHash" not in params[0]:
            if int(params[0]["fromBlock"], 16) > head:
                return null | {"result": []}
            to = min(head, _as_number(params[0]["toBlock"], head))
            return await self._forward(call | {"params": [params[0] | {"toBlock": hex(to)}]})
        if (block := _hash_in(call)) is not None and await self._height(block) > head:
            return null if method == "eth_getBlockByHash" else _error(call["id"], -32000, "unknown block")
        return await self._forward(call)

    async def _frozen_head(self) -> int:
        if self._frozen_at is None:
            self._frozen_at = await self._head()
        return self._frozen_at

    async def _head(self) -> int:
        return int(
            (await self._forward({"jsonrpc": "2.0", "id": 0, "method": "eth_blockNumber", "params": []}))["result"], 16
        )

    async def _height(self, block: str) -> int:
        call = {"jsonrpc": "2.0", "id": 0, "method": "eth_getBlockByHash", "params": [block, False]}
        header = (await self._forward(call))["result"]
        return -1 if header is None else int(header["number"], 16)

    async def _forward(self, call: Json) -> Json:
        if self._session is None:
            raise RuntimeError("not started")
        async with self._session.post(self._upstream, data=msgspec.json.encode(call), headers=_JSON) as response:
            answer: Json = msgspec.json.decode(await response.read())
            return answer

    # --- websocket -------------------------------------------------------------------------------------------

    async def _socket(self, request: web.Request) -> web.StreamResponse:
        if self._session is None or self.active(Fault.NO_SOCKET):
            return web.Response(status=503)
        mine = web.WebSocketResponse()
        await mine.prepare(request)
        transport = request.transport
        if transport is None:
            return mine
        self.sockets.add(transport)
        try:
            async with self._session.ws_connect(self._upstream, max_msg_size=BIG) as theirs:
                pumps = [asyncio.create_task(self._up(mine, theirs)), asyncio.create_task(self._down(theirs, mine))]
                try:
                    await asyncio.wait(pumps, return_when=asyncio.FIRST_COMPLETED)
                finally:
                    for pump in pumps:
                        pump.cancel()
                    await asyncio.gather(*pumps, return_exceptions=True)
        finally:
            self.sockets.discard(transport)
        return mine

    async def _up(self, mine: web.WebSocketResponse, theirs: "aiohttp.ClientWebSocketResponse[bool]") -> None:
        async for message in mine:
            asked = msgspec.json.decode(message.data)
            self.counts.update(str(call["method"]) for call in (asked if isinstance(asked, list) else [asked]))
            await theirs.send_str(message.data if isinstance(message.data, str) else message.data.decode())

    async def _down(self, theirs: "aiohttp.ClientWebSocketResponse[bool]", mine: web.WebSocketResponse) -> None:
        async for message in theirs:
            told = msgspec.json.decode(message.data)
            if "method" in told and (self._strikes(Fault.DEAF_SOCKET, [told]) or self.active(Fault.FROZEN)):
                continue
            if told.get("id") == 0 and self._strikes(Fault.WRONG_CHAIN, [{"method": "eth_chainId"}]):
                told["result"] = "0x539"
            await mine.send_bytes(msgspec.json.encode(told))


_JSON: Final = {"Content-Type": "application/json"}


def _json(body: object) -> web.Response:
    return web.Response(body=msgspec.json.encode(body), headers=_JSON)


def _error(call_id: object, code: int, message: str) -> Json:
    return {"jsonrpc": "2.0", "id": call_id, "error": {"code": code, "message": message}}


def _as_number(tag: str, head: int) -> int:
    if tag in {"latest", "pending"}:
        return head
    if tag in {"finalized", "safe"}:
        return max(0, head - FINALISED_DEPTH // (1 if tag == "finalized" else 2))
    return 0 if tag == "earliest" else int(tag, 16)


def _hash_in(call: Json) -> str | None:
    """The block hash that a call names, if any."""
    if call["method"] == "eth_getBlockByHash":
        return str(call["params"][0])
    for param in call["params"]:
        if isinstance(param, dict) and "blockHash" in param:
            return str(param["blockHash"])
    return None


def _pinned_by_hash(call: Json) -> bool:
    return call["method"] in {"eth_call", "eth_getCode", "eth_getStorageAt"} and _hash_in(call) is not None
