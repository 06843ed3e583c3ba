"""A subscription, on a websocket of its own.

Law: one connection carries one subscription and no requests, because a burst of requests can push a subscription out
without a word. Silence beyond the watchdog's time is a broken connection. What may have been missed is counted in
``gaps`` and is for the reader to fill: notifications are hints, blocks are the truth. The buffer is bounded: the oldest
item goes, and that too is a gap.
"""

import asyncio
import random
import time
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from itertools import cycle
from types import TracebackType
from typing import Final, Generic, Self, TypeVar

import aiohttp
import msgspec

from keeper.chain.endpoint import names
from keeper.chain.faults import Fault, read_fault
from keeper.chain.race import cancelled
from keeper.chain.wire import Request, encode
from keeper.errors import RpcError
from keeper.log import get_logger

T = TypeVar("T")
CONNECT_TIMEOUT: Final = 5.0
HEARTBEAT: Final = 20.0  # seconds between pings, where blocks come at will and silence means nothing
MAX_MESSAGE: Final = 16 << 20
CLOSING: Final = aiohttp.ClientWSTimeout(ws_close=1.0)  # a dead peer does not say good-bye
FIRST_PAUSE: Final = 0.1  # seconds before a reconnect, doubled up to the last
LAST_PAUSE: Final = 5.0
_CHAIN, _SUBSCRIBE = 0, 1  # ids of the two requests that open a connection

_log = get_logger()


class Notice(msgspec.Struct, Generic[T], frozen=True, gc=False):
    """The inside of a notification."""

    result: T
    subscription: str = ""


class Message(msgspec.Struct, Generic[T], frozen=True):
    """Whatever a node sends on the socket: the answer to a request, or a notification."""

    id: int | None = None
    result: str | None = None
    error: Fault | str | None = None
    params: Notice[T] | None = None


class Subscription(Generic[T]):
    """What one ``eth_subscribe`` tells, for as long as it is wanted. An async context manager and an async iterator."""

    def __init__(
        self,
        urls: Sequence[str],
        kind: type[T],
        params: Sequence[object],
        *,
        chain_id: int | None = None,
        silence: float | None = None,
        depth: int = 1,
        hear: Callable[[T], Awaitable[None]] | None = None,
    ) -> None:
        """``silence``: seconds without an item that mean a broken connection. ``depth``: items kept for a reader.

        ``hear`` is told of each item at once, before the socket is read again, and instead of a reader.
        """
        self.live = False  # connected, subscribed, and not silent for too long
        self.gaps = 0  # times that items may have been missed
        self.received = 0.0  # when the last message came, before it was read; by the performance counter
        self._urls = tuple(zip(urls, names(urls), strict=True))
        self._params = params
        self._chain_id = chain_id
        self._hear = hear
        self._silence = silence
        self._decoder = msgspec.json.Decoder(Message[kind])  # type: ignore[valid-type]
        self._items: deque[T] = deque(maxlen=depth)
        self._wake = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._said: str | None = None  # the trouble that was logged last

    @property
    def trouble(self) -> str | None:
        """Why it is not live; ``None`` when it is, or was not tried yet."""
        return self._said

    async def __aenter__(self) -> Self:
        self._task = asyncio.create_task(self._run())
        self._task.add_done_callback(lambda _: self._wake.set())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._task is not None:
            await cancelled([self._task])

    async def __aiter__(self) -> AsyncIterator[T]:
        while True:
            await self._wake.wait()
            while self._items:
                yield self._items.popleft()
            if self._task is None or self._task.done():
                return
            self._wake.clear()

    # --- the connection --------------------------------------------------------------------------------------

    async def _run(self) -> None:
        """Connect, listen, and begin again, at the next URL, for ever."""
        pause = FIRST_PAUSE
        async with aiohttp.ClientSession() as session:
            for url, name in cycle(self._urls):
                trouble = await self._listen(session, url, name)
                pause = FIRST_PAUSE if self.live else min(2 * pause, LAST_PAUSE)
                self._lost(name, trouble)
                await asyncio.sleep(random.uniform(0.5, 1.0) * pause)  # noqa: S311 - jitter, not a secret

    async def _listen(self, session: aiohttp.ClientSession, url: str, name: str) -> str:
        """Listen on one connection until it ends; why it ended."""
        try:
            async with asyncio.timeout(CONNECT_TIMEOUT) as deadline:
                async with session.ws_connect(
                    url, heartbeat=HEARTBEAT, max_msg_size=MAX_MESSAGE, decode_text=False, timeout=CLOSING
                ) as socket:
                    await self._subscribe(socket)
                    self._found(name)
                    deadline.reschedule(None)
                    await self._drain(socket)
        except TimeoutError:
            return "silent" if self.live else "no_answer"
        except RpcError as error:
            return error.message
        except (aiohttp.ClientError, OSError) as error:  # by type alone: their texts quote the URL, which carries a key
            return type(error).__name__
        return "closed"

    async def _subscribe(self, socket: "aiohttp.ClientWebSocketResponse[bool]") -> None:
        await socket.send_bytes(encode(Request(_CHAIN, "eth_chainId", ())))
        chain_id = int(await self._reply(socket, _CHAIN), 16)
        if self._chain_id is not None and chain_id != self._chain_id:
            raise RpcError("wrong_chain")
        await socket.send_bytes(encode(Request(_SUBSCRIBE, "eth_subscribe", self._params)))
        await self._reply(socket, _SUBSCRIBE)

    async def _reply(self, socket: "aiohttp.ClientWebSocketResponse[bool]", to: int) -> str:
        while True:
            message = await self._receive(socket)
            if message is None:
                raise RpcError("closed", transient=True)
            if message.error is not None:
                raise read_fault(message.error)
            if message.id == to and message.result is not None:
                return message.result
            self._take(message)

    async def _drain(self, socket: "aiohttp.ClientWebSocketResponse[bool]") -> None:
        while True:
            async with asyncio.timeout(self._silence):
                message = await self._receive(socket)
            if message is None:
                return
            if self._hear is None:
                self._take(message)
            elif message.params is not None:
                await self._hear(message.params.result)

    async def _receive(self, socket: "aiohttp.ClientWebSocketResponse[bool]") -> Message[T] | None:
        """The next message, in one pass from bytes to values. None: the connection has ended."""
        frame = await socket.receive()
        if frame.type not in {aiohttp.WSMsgType.TEXT, aiohttp.WSMsgType.BINARY}:
            return None
        self.received = time.perf_counter()
        try:
            return self._decoder.decode(frame.data)
        except msgspec.MsgspecError as error:
            raise RpcError(f"malformed message: {error}", transient=True) from None

    # --- the reader's side -----------------------------------------------------------------------------------

    def _take(self, message: Message[T]) -> None:
        if message.params is None:
            return
        if len(self._items) == self._items.maxlen:
            self.gaps += 1
        self._items.append(message.params.result)
        self._wake.set()

    def _found(self, name: str) -> None:
        self.live = True
        if self._said is not None:
            _log.info("rpc.restored", endpoint=name, reason=f"socket {self._said}")
            self._said = None

    def _lost(self, name: str, trouble: str) -> None:
        self.live = False
        self.gaps += 1
        if self._said is None:
            _log.warning("rpc.degraded", endpoint=name, reason=f"socket {trouble}")
            self._said = trouble
