"""New heads: told by a websocket, asked for where there is none.

Law: a head is a hint that something happened. The latest wins, none is repeated, some are left out: what lies between
two heads, and whether they follow each other, is the indexer's to find out.
"""

import asyncio
from collections.abc import AsyncIterator, Coroutine, Sequence
from contextlib import suppress
from types import TracebackType
from typing import Final, Self

from keeper.chain.pool import Pool
from keeper.chain.race import cancelled
from keeper.chain.socket import Subscription
from keeper.chain.wire import Header
from keeper.core.events import Block
from keeper.errors import EndpointsUnavailable, RpcError

SILENT_BLOCKS: Final = 3  # block times without a head that mean a broken socket
MIN_SILENCE: Final = 2.0  # seconds
MIN_POLL: Final = 0.1


class Heads:
    """The latest head, whenever it changes. An async context manager and an async iterator."""

    def __init__(self, pool: Pool, urls: Sequence[str], *, chain_id: int | None, block_time: float | None) -> None:
        """``urls``: websockets, possibly none. ``block_time``: seconds; None where blocks come at will."""
        silence = None if block_time is None else max(MIN_SILENCE, SILENT_BLOCKS * block_time)
        self._pool = pool
        self._poll = max(MIN_POLL, (block_time or 1.0) / 4)
        self._told = Subscription(urls, Header, ("newHeads",), chain_id=chain_id, silence=silence) if urls else None
        self._latest: Block | None = None
        self._wake = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []

    @property
    def live(self) -> bool:
        """Whether heads are told, not asked for."""
        return self._told is not None and self._told.live

    async def __aenter__(self) -> Self:
        if self._told is not None:
            await self._told.__aenter__()
            self._start(self._listening(self._told))
        self._start(self._asking())
        return self

    def _start(self, work: Coroutine[None, None, None]) -> None:
        task = asyncio.create_task(work)
        task.add_done_callback(lambda _: self._wake.set())  # the reader must hear of its end
        self._tasks.append(task)

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await cancelled(self._tasks)
        if self._told is not None:
            await self._told.__aexit__(kind, error, trace)

    async def __aiter__(self) -> AsyncIterator[Block]:
        last: Block | None = None
        while True:
            await self._wake.wait()
            self._wake.clear()
            for task in self._tasks:
                if task.cancelled():
                    return
                if task.done():
                    task.result()
            if self._latest is not None and self._latest != last:
                last = self._latest
                yield last

    def _offer(self, head: Block) -> None:
        if head != self._latest:
            self._latest = head
            self._wake.set()

    async def _listening(self, told: Subscription[Header]) -> None:
        async for header in told:
            self._offer(header.block)

    async def _asking(self) -> None:
        """Ask while nobody tells, and once after every gap in what is told; and never be behind what a probe saw."""
        filled = -1  # gaps that an answer has covered
        while True:
            gaps, live = (self._told.gaps, self._told.live) if self._told else (0, False)
            if not live or gaps != filled:
                with suppress(EndpointsUnavailable, RpcError):  # the pool has said so, and looks again next time
                    self._offer(await self._pool.head())
                    filled = gaps if live else -1
            newest = self._pool.newest
            if newest is not None and self._latest is not None and newest.number > self._latest.number:
                self._offer(newest)
            await asyncio.sleep(self._poll)
