"""The stand-in relay's HTTP doors: the node's, for reads and for broadcasts, and one for each builder.

Law: a read goes to the node as it came; a transaction sent to the node's door becomes public in the relay's own pool
and never reaches the node's, so nothing is mined that the relay did not plan. A private bundle is visible through no
door.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from http import HTTPStatus
from typing import Any, Final

import aiohttp
import msgspec
from aiohttp import web

from keeper.devnet.relay_desk import Desk
from keeper.devnet.relay_faults import ANSWERS, Fault, Faults
from keeper.devnet.relay_mine import Miner
from keeper.devnet.relay_node import Node
from keeper.devnet.relay_requests import RETIRED
from keeper.devnet.relay_tx import Undecodable

SENDS: Final = frozenset({"eth_sendRawTransaction", "eth_sendRawTransactionSync", "eth_sendRawTransactionConditional"})
LARGEST: Final = 64 * 2**20  # bytes of a request
SILENCE: Final = 30.0  # seconds a client is left without an answer
PING: Final = 15.0
Publish: Any = Callable[[str], Awaitable[str]]


class Doors:
    """Routes of one stand-in relay."""

    def __init__(
        self, node: Node, node_ws: str, miner: Miner, desks: Mapping[str, Desk], faults: Faults, publish: Publish
    ) -> None:
        self._node = node
        self._node_ws = node_ws
        self._miner = miner
        self._desks = desks
        self._faults = faults
        self._publish = publish
        self.closing = asyncio.Event()
        self._sockets: set[asyncio.Transport] = set()

    def drop_sockets(self) -> int:
        """Cut every websocket of the node's door without a word; how many there were."""
        cut = list(self._sockets)
        for transport in cut:
            transport.abort()
        return len(cut)

    def application(self) -> web.Application:
        app = web.Application(client_max_size=LARGEST)
        app.router.add_post("/", self._node_http)
        app.router.add_get("/", self._node_socket)
        app.router.add_post("/relay/{name}", self._builder)
        app.router.add_get("/hints/{name}", self._hints)
        return app

    # --- a builder's door ----------------------------------------------------------------------------------------

    async def _builder(self, request: web.Request) -> web.StreamResponse:
        desk = self._desks.get(request.match_info["name"])
        body = await request.read()
        if desk is None:
            return web.Response(status=HTTPStatus.NOT_FOUND)
        if request.headers.get("Content-Type") != "application/json":
            return web.Response(status=HTTPStatus.UNSUPPORTED_MEDIA_TYPE, text="Unsupported Media Type")
        if any(b'"%s"' % method.encode() in body for method in RETIRED):
            return web.Response(status=HTTPStatus.FORBIDDEN)
        fault = self._faults.first(ANSWERS)
        early = _broken(fault)
        if early is not None:
            return early
        status, answer = await desk.answer(request.headers, body)
        if fault is Fault.BROKEN_AFTER:
            return _error(HTTPStatus.INTERNAL_SERVER_ERROR, "Internal error")
        if fault is Fault.SILENT:
            await self._say_nothing()
        return web.Response(status=status, body=msgspec.json.encode(answer), content_type="application/json")

    async def _say_nothing(self) -> None:
        try:
            async with asyncio.timeout(SILENCE):
                await self.closing.wait()
        except TimeoutError:
            return

    async def _hints(self, request: web.Request) -> web.StreamResponse:
        desk = self._desks.get(request.match_info["name"])
        if desk is None:
            return web.Response(status=HTTPStatus.NOT_FOUND)
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        queue = desk.share.subscribe()
        try:
            await response.prepare(request)
            while not self.closing.is_set():
                await response.write(await self._next_hint(queue))
        except ConnectionError:
            pass  # the listener went away
        finally:
            desk.share.unsubscribe(queue)
        return response

    async def _next_hint(self, queue: asyncio.Queue[dict[str, Any]]) -> bytes:
        closing, hint = asyncio.ensure_future(self.closing.wait()), asyncio.ensure_future(queue.get())
        await asyncio.wait((closing, hint), timeout=PING, return_when=asyncio.FIRST_COMPLETED)
        closing.cancel()
        if hint.done():
            return b"data: " + msgspec.json.encode(hint.result()) + b"\n\n"
        hint.cancel()
        return b":ping\n\n"

    # --- the node's door -----------------------------------------------------------------------------------------

    async def _node_http(self, request: web.Request) -> web.StreamResponse:
        body = await request.read()
        await self._miner.open.wait()
        return web.Response(body=await self._through(body), content_type="application/json")

    async def _node_socket(self, request: web.Request) -> web.StreamResponse:
        client = web.WebSocketResponse(max_msg_size=LARGEST)
        await client.prepare(request)
        transport = request.transport
        if transport is not None:
            self._sockets.add(transport)
        async with aiohttp.ClientSession() as session, session.ws_connect(self._node_ws, max_msg_size=LARGEST) as node:
            back = asyncio.ensure_future(_pump(node, client))
            closing = asyncio.ensure_future(self._hang_up(client))
            try:
                async for message in client:
                    await self._miner.open.wait()
                    body = message.data if isinstance(message.data, bytes) else message.data.encode()
                    answer = await self._diverted(body)
                    if answer is None:
                        await node.send_str(body.decode())
                    else:
                        await client.send_str(answer.decode())
            finally:
                back.cancel()
                closing.cancel()
                if transport is not None:
                    self._sockets.discard(transport)
        return client

    async def _hang_up(self, client: web.WebSocketResponse) -> None:
        await self.closing.wait()
        await client.close(code=aiohttp.WSCloseCode.GOING_AWAY)

    async def _through(self, body: bytes) -> bytes:
        return await self._diverted(body) or await self._node.forward(body)

    async def _diverted(self, body: bytes) -> bytes | None:
        """The answer to a request that broadcasts; None for everything the node may see."""
        if b"eth_sendRaw" not in body:
            return None
        request = msgspec.json.decode(body)
        if isinstance(request, list):
            answers = [msgspec.Raw(await self._through(msgspec.json.encode(one))) for one in request]
            return msgspec.json.encode(answers)
        if request.get("method") not in SENDS:
            return None
        head = {"jsonrpc": "2.0", "id": request.get("id")}
        try:
            result = await self._publish(request["params"][0])
        except Undecodable:
            return msgspec.json.encode(head | {"error": {"code": -32602, "message": "Failed to decode transaction"}})
        return msgspec.json.encode(head | {"result": result})


async def _pump(node: aiohttp.ClientWebSocketResponse, client: web.WebSocketResponse) -> None:
    """What the node says, to the client."""
    async for message in node:
        await client.send_str(message.data)
    await client.close()


def _broken(fault: Fault | None) -> web.Response | None:
    match fault:
        case Fault.RATE_LIMITED:
            return _error(HTTPStatus.TOO_MANY_REQUESTS, "Rate limited")
        case Fault.BROKEN:
            return _error(HTTPStatus.INTERNAL_SERVER_ERROR, "Internal error")
        case Fault.HTML:
            page = "<html><head><title>502 Bad Gateway</title></head><body>nginx</body></html>"
            return web.Response(status=HTTPStatus.BAD_GATEWAY, text=page, content_type="text/html")
    return None


def _error(status: HTTPStatus, message: str) -> web.Response:
    return web.json_response({"error": {"code": -32603, "message": message}}, status=status)
