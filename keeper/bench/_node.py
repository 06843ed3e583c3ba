"""A node that tells one subscriber of prices and takes raw transactions, with the time between on its own clock.

Law: a process of its own that does nothing else. The answer to ``eth_sendRawTransaction`` is how long ago, in
nanoseconds, the notification before it was sent; ``bench_tell`` asks for one, after some seconds.
"""

import asyncio
import sys
import time
from typing import Final

import aiohttp
import msgspec
import uvloop
from aiohttp import web

CHAIN: Final = 31337


class Node:
    """Both connections of a keeper meet here."""

    def __init__(self) -> None:
        self._subscriber: web.WebSocketResponse | None = None
        self._told = 0  # when, in nanoseconds

    async def connection(self, request: web.Request) -> web.WebSocketResponse:
        """Answer until it closes."""
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        async for message in socket:
            if message.type not in {aiohttp.WSMsgType.TEXT, aiohttp.WSMsgType.BINARY}:
                break
            now = time.perf_counter_ns()
            asked = msgspec.json.decode(message.data)
            result = "0x1"
            match asked["method"]:
                case "eth_sendRawTransaction":
                    result = hex(now - self._told)
                case "eth_chainId":
                    result = hex(CHAIN)
                case "eth_subscribe":
                    self._subscriber = socket
                case "bench_tell":
                    await self._tell(*asked["params"])
            await socket.send_bytes(msgspec.json.encode({"jsonrpc": "2.0", "id": asked["id"], "result": result}))
        return socket

    async def _tell(self, text: str, pause: float) -> None:
        """Wait a little, then tell the subscriber."""
        await asyncio.sleep(pause)
        if self._subscriber is not None:
            self._told = time.perf_counter_ns()
            await self._subscriber.send_str(text)


async def serve() -> None:
    """Listen on a free port, say which, and end with whoever started this."""
    app = web.Application()
    app.router.add_get("/", Node().connection)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    sys.stdout.write(f"{runner.addresses[0][1]}\n")
    sys.stdout.flush()
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)


if __name__ == "__main__":
    uvloop.run(serve())
