"""Asking several endpoints for one answer.

Law: the next endpoint is asked when the one before fails or is slow, at most two at a time; the first answer wins and
the loser is cancelled. Only reads pass here.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Collection, Coroutine, Sequence
from typing import Any, Final, TypeVar

from keeper.chain.endpoint import Endpoint
from keeper.errors import BlockUnknown, Reverted, RpcError, TooMuch

T = TypeVar("T")
Act = Callable[[Endpoint], Coroutine[Any, Any, T]]  # a read, of whichever endpoint it is given

ABREAST: Final = 2  # endpoints asked the same thing at once


async def race(act: Act[T], endpoints: Sequence[Endpoint], patience: float | None) -> T:
    """The first answer. ``patience``: seconds until a silent endpoint gets a competitor; None: never.

    When all fail: the error that says most. Permanent ones before transient ones, and a missing block last, because
    the endpoints that failed may have it.
    """
    waiting, running, errors = deque(endpoints), set[asyncio.Task[T]](), list[RpcError]()
    try:
        while waiting or running:
            if waiting and len(running) < ABREAST:
                running.add(asyncio.create_task(act(waiting.popleft())))
            may_start = bool(waiting) and len(running) < ABREAST
            done, _ = await asyncio.wait(
                running, timeout=patience if may_start else None, return_when=asyncio.FIRST_COMPLETED
            )
            for task in done:
                running.discard(task)
                error = task.exception()
                if error is None:
                    return task.result()
                if not isinstance(error, RpcError) or isinstance(error, Reverted | TooMuch):
                    raise error
                errors.append(error)
    finally:
        await cancelled(running)
    raise min(errors, key=_rank)


def _rank(error: RpcError) -> int:
    if isinstance(error, BlockUnknown):
        return 2
    return 1 if error.transient else 0


async def together(works: Sequence[Coroutine[Any, Any, T]]) -> list[T]:
    """All results in order; the first failure cancels the rest."""
    tasks = [asyncio.create_task(work) for work in works]
    try:
        return list(await asyncio.gather(*tasks))
    finally:
        await cancelled(tasks)


async def cancelled(tasks: Collection[asyncio.Task[T]]) -> None:
    """End tasks and wait until they have ended, so that no failure goes unheard in the background."""
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
