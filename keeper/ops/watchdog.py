"""Says when the loop is late, when it or the process stands still, and when the wall clock jumps.

Law: it only tells. A loop that hangs cannot tell anything, so a thread of its own does, once for each time it hangs,
with the stack of what the loop is doing.
"""

import asyncio
import contextvars
import sys
import threading
import time
import traceback
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final

from keeper.log import get_logger
from keeper.ops.status import Status

LOOKS: Final = 120  # a minute of them: the lag that is shown is the worst of these

_log = get_logger()


@dataclass(frozen=True, slots=True)
class Pace:
    """What is late, in seconds."""

    every: float = 0.5  # between two looks
    slow: float = 1.0  # late by more: said
    stuck: float = 15.0  # no look for longer: the thread says so
    jump: float = 2.0  # wall clock against monotonic clock, between two looks


PACE: Final = Pace()


class Watchdog:
    """One task, one thread."""

    def __init__(
        self,
        status: Status,
        *,
        pace: Pace = PACE,
        clock: Callable[[], float] = time.monotonic,
        now: Callable[[], float] = time.time,
    ) -> None:
        self._status, self._pace, self._clock, self._now = status, pace, clock, now
        self._beat = clock()
        self._lags: deque[float] = deque(maxlen=LOOKS)

    async def run(self) -> None:
        """Keep looking, until cancelled."""
        with self._thread(threading.get_ident()):
            offset = self._now() - self._clock()
            while True:
                self._beat = before = self._clock()
                await asyncio.sleep(self._pace.every)
                self._late(self._clock() - before - self._pace.every)
                offset = self._jumped(offset)

    def _late(self, seconds: float) -> None:
        self._lags.append(max(seconds, 0.0))
        self._status.loop_lag = max(self._lags)
        if seconds > self._pace.slow:
            _log.warning("daemon.lagging", lag_s=round(seconds, 3))

    def _jumped(self, before: float) -> float:
        """The offset between the clocks; monotonic time stands still while the machine sleeps, wall time does not."""
        offset = self._now() - self._clock()
        if abs(offset - before) > self._pace.jump:
            self._status.clock_jumps += 1
            _log.warning("daemon.clock_jumped", jump_s=round(offset - before, 3))
        return offset

    @contextmanager
    def _thread(self, watched: int) -> Iterator[None]:
        done = threading.Event()
        run = contextvars.copy_context().run  # so that its lines carry the run's id
        thread = threading.Thread(target=run, args=(self._watch, watched, done), name="watchdog", daemon=True)
        thread.start()
        try:
            yield
        finally:
            done.set()
            thread.join()

    def _watch(self, watched: int, done: threading.Event) -> None:
        told = 0.0
        while not done.wait(self._pace.every):
            beat = self._beat
            silent = self._clock() - beat
            if silent > self._pace.stuck and told != beat:
                told = beat
                _log.error("daemon.stuck", silent_s=round(silent, 3), where=_stack(watched))


def _stack(thread: int) -> str:
    frame = sys._current_frames().get(thread)  # noqa: SLF001 - the documented way to see another thread's stack
    return "".join(traceback.format_stack(frame, limit=12)) if frame is not None else ""
