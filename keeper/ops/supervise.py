"""Tasks that must run for months: restarted when they fail, within a budget; otherwise the daemon stops and says why.

Laws
- A task that ends is a task that failed, however it ended; only a request to stop ends one rightly.
- More restarts than the budget allows, or an error that no restart cures, stop the daemon with ``TaskFailed``.
- Tasks end in the reverse order of their start, all within one grace period; one that lingers is named and left.
"""

import asyncio
import time
from collections import deque
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Final, Self, TypeAlias

from keeper.errors import ConfigError, StateCorrupt, TaskFailed, WrongChain
from keeper.log import get_logger
from keeper.ops.status import Status
from keeper.ops.values import TaskState

Work: TypeAlias = Callable[[], Coroutine[Any, Any, None]]  # called anew for each restart
MOMENT: Final = 0.1  # seconds that a task has to end even when another one took all the time
FINAL: Final = (ConfigError, StateCorrupt, WrongChain)  # no restart cures these

_log = get_logger()


@dataclass(frozen=True, slots=True)
class Budget:
    """How often a task may fail."""

    restarts: int = 5  # in a window; one more is too many
    window: float = 300.0  # seconds
    pause: float = 0.5  # seconds before the first restart; doubles with each one in the window
    longest: float = 30.0


BUDGET: Final = Budget()


class Supervisor:
    """An async context manager: what is started in it has ended when it is left."""

    def __init__(self, status: Status, *, budget: Budget = BUDGET, grace: float = 10.0) -> None:
        self._status, self._budget, self._grace = status, budget, grace
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._over = asyncio.Event()
        self._failure: TaskFailed | None = None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.end()

    def start(self, name: str, work: Work, *, budget: Budget | None = None) -> None:
        """Run a task from now on. ``work`` makes it, and makes it anew after a failure."""
        if name in self._tasks:
            raise ValueError(f"there is a task {name} already")
        self._status.task(name, TaskState.RUNNING)
        self._tasks[name] = asyncio.create_task(self._keep(name, work, budget or self._budget), name=name)

    async def until(self, stop: asyncio.Event) -> None:
        """Wait for the request to stop. Raises ``TaskFailed`` when a task fails for good before that."""
        waits = {asyncio.create_task(event.wait()) for event in (stop, self._over)}
        try:
            await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for wait in waits:
                wait.cancel()
        if self._failure is not None:
            raise self._failure

    async def end(self) -> None:
        """End all tasks, the last one first."""
        deadline = time.monotonic() + self._grace
        for name, task in reversed(self._tasks.items()):
            task.cancel()
            started = time.monotonic()
            await asyncio.wait({task}, timeout=max(deadline - started, MOMENT))
            if task.done() and self._status.tasks[name].state is not TaskState.FAILED:
                self._status.task(name, TaskState.DONE)
            elif not task.done():
                _log.error("task.lingering", task=name, waited_s=round(time.monotonic() - started, 3))
        self._tasks.clear()

    async def _keep(self, name: str, work: Work, budget: Budget) -> None:
        failures: deque[float] = deque()
        while True:
            self._status.task(name, TaskState.RUNNING)
            error = await self._once(name, work)
            now = time.monotonic()
            failures.append(now)
            while failures[0] < now - budget.window:
                failures.popleft()
            restarts = len(failures) - 1
            if isinstance(error, FINAL) or restarts >= budget.restarts:
                self._give_up(name, restarts, error)
                return
            pause = min(budget.pause * 2**restarts, budget.longest)
            said = _said(error)
            self._status.task(name, TaskState.RESTARTING, said)
            _log.error("task.restarted", task=name, restarts=restarts + 1, retry_s=pause, reason=said, exc_info=error)
            await asyncio.sleep(pause)

    async def _once(self, name: str, work: Work) -> BaseException | None:
        """Run it to its end, whatever that is. Nothing is caught: the end of a task is looked at."""
        inner = asyncio.create_task(_call(work), name=name)
        try:
            await asyncio.wait({inner})
        finally:
            if not inner.done():
                inner.cancel()
                await asyncio.wait({inner})
                if not inner.cancelled() and (error := inner.exception()) is not None:
                    _log.error("task.failed", task=name, restarts=0, reason=f"while ending: {error}", exc_info=error)
        return asyncio.CancelledError("it was cancelled") if inner.cancelled() else inner.exception()

    def _give_up(self, name: str, restarts: int, error: BaseException | None) -> None:
        self._status.task(name, TaskState.FAILED, _said(error))
        _log.critical("task.failed", task=name, restarts=restarts, reason=_said(error), exc_info=error)
        if self._failure is None:
            self._failure = TaskFailed(name, restarts, error)
            self._failure.__cause__ = error
            self._over.set()


async def _call(work: Work) -> None:
    """So that a work which cannot even be made is a failure like any other."""
    await work()


def _said(error: BaseException | None) -> str:
    return f"{type(error).__name__}: {error}" if error is not None else "it ended by itself"
