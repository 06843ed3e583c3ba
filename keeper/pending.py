"""Where answers are heard of before they are on chain: pending transactions, and hints of order-flow auctions.

Law: both are hints. What is missed is missed; the chain tells it later. Whatever does not read like a report is left
alone, and a stream that breaks is begun anew, for ever.
"""

import asyncio
import random
from collections.abc import Callable, Coroutine, Sequence
from typing import Final, Protocol

import aiohttp
import msgspec

from keeper.chain.socket import Subscription
from keeper.core.foretold import Foretold, Trigger, foretold
from keeper.core.units import Address, Hash
from keeper.errors import EndpointsUnavailable, RpcError
from keeper.log import get_logger

FIRST_PAUSE: Final = 0.2  # seconds before a stream is begun anew, doubled up to the last
LAST_PAUSE: Final = 10.0
SILENCE: Final = 60.0  # seconds without a byte; servers say something every 15
LONGEST: Final = 1 << 20  # bytes of one hint
ASKED: Final = 16  # names asked about at once
_DATA: Final = b"data:"

Hear = Callable[[Foretold, Trigger], None]
log = get_logger()


class Node(Protocol):
    """``chain.Pool``, as far as this page needs it."""

    async def request(self, method: str, params: Sequence[object]) -> object: ...


class Transaction(msgspec.Struct, frozen=True, gc=False):
    """A pending transaction as a node sends it."""

    hash: Hash
    input: str
    to: Address | None = None


class Part(msgspec.Struct, frozen=True, rename="camel"):
    """What is shown of one transaction of a hint."""

    to: Address | None = None
    call_data: str | None = None


class Hint(msgspec.Struct, frozen=True):
    """An event of an order-flow auction."""

    hash: Hash
    txs: tuple[Part, ...] | None = None


_hint: Final = msgspec.json.Decoder(Hint)


class Mempool:
    """Pending transactions of a node."""

    def __init__(self, urls: Sequence[str], chain_id: int, node: Node, hear: Hear) -> None:
        self._node, self._hear = node, hear
        self._told = Subscription[Transaction | str](  # some nodes tell names alone
            urls,
            Transaction | str,  # type: ignore[arg-type]
            ("newPendingTransactions", True),
            chain_id=chain_id,
            hear=self._look,
        )
        self._tasks: set[asyncio.Task[None]] = set()

    async def run(self) -> None:
        """Listen until cancelled."""
        async with self._told:
            await asyncio.Event().wait()

    async def _look(self, transaction: Transaction | str) -> None:
        """Most transactions bring nothing: that must cost nothing. Of names alone only so many are asked about."""
        if isinstance(transaction, str):
            if len(self._tasks) < ASKED:
                self._start(self._ask(transaction))
        elif (told := _told(transaction)) is not None:
            self._start(self._whole(told, transaction.hash))

    def _start(self, work: Coroutine[None, None, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _ask(self, name: str) -> None:
        """What a name stands for."""
        found = await self._request("eth_getTransactionByHash", name)
        try:
            transaction = msgspec.convert(found, Transaction | None)
        except msgspec.ValidationError:
            return
        told = None if transaction is None else _told(transaction)
        if told is not None:
            await self._whole(told, Hash(name))

    async def _whole(self, told: Foretold, name: Hash) -> None:
        """A bundle takes the bytes of what it follows."""
        raw = await self._request("eth_getRawTransactionByHash", name)
        if isinstance(raw, str) and len(raw) > len("0x"):
            self._hear(told, Trigger(name, bytes.fromhex(raw[2:])))

    async def _request(self, method: str, name: str) -> object:
        try:
            return await self._node.request(method, (name,))
        except (RpcError, EndpointsUnavailable):
            return None


def _told(transaction: Transaction) -> Foretold | None:
    return None if transaction.to is None else foretold(transaction.to, transaction.input)


class Hints:
    """The stream of one order-flow auction (MEV-Share)."""

    def __init__(self, url: str, hear: Hear) -> None:
        self._url, self._hear = url, hear

    async def run(self) -> None:
        """Listen until cancelled."""
        pause = FIRST_PAUSE
        timeout = aiohttp.ClientTimeout(total=None, connect=5.0, sock_read=SILENCE)
        async with aiohttp.ClientSession(timeout=timeout, read_bufsize=LONGEST) as session:
            while True:
                try:
                    async with session.get(self._url, headers={"Accept": "text/event-stream"}) as response:
                        response.raise_for_status()
                        async for line in response.content:
                            pause = FIRST_PAUSE
                            self.take(line)
                    trouble = "closed"
                except (aiohttp.ClientError, OSError, TimeoutError, ValueError) as error:
                    trouble = type(error).__name__  # its text would quote the URL
                log.warning("rpc.degraded", endpoint="order flow", reason=f"stream {trouble}")
                await asyncio.sleep(pause * random.uniform(0.5, 1.0))  # noqa: S311 - jitter, not a secret
                pause = min(2 * pause, LAST_PAUSE)

    def take(self, line: bytes) -> None:
        """One line of the stream."""
        if not line.startswith(_DATA):
            return
        try:
            hint = _hint.decode(line[len(_DATA) :])
        except msgspec.MsgspecError:
            return
        for part in hint.txs or ():
            told = foretold(part.to, part.call_data) if part.to is not None and part.call_data else None
            if told is not None:
                self._hear(told, Trigger(hint.hash))
                return
