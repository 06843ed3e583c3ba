"""Signals as events: the first SIGTERM or SIGINT asks to stop, SIGHUP to read the configuration again.

Law: a second SIGTERM or SIGINT is not handled at all: the kernel ends the process at once, even when the loop hangs.
The state file is made for that. Must be entered in the main thread, with the loop running.
"""

import asyncio
import signal
from types import TracebackType
from typing import Final, Self

STOPS: Final = (signal.SIGTERM, signal.SIGINT)


class Signals:
    """A context manager; outside of it signals are what they were."""

    def __init__(self) -> None:
        self.stop = asyncio.Event()
        self.reload = asyncio.Event()  # whoever waits for it clears it
        self.name = ""  # of the signal that asked to stop
        self._before: dict[int, object] = {}

    def __enter__(self) -> Self:
        self._loop = asyncio.get_running_loop()
        self._before = {number: signal.getsignal(number) for number in (*STOPS, signal.SIGHUP)}
        for number in STOPS:
            self._loop.add_signal_handler(number, self._asked, number)
        self._loop.add_signal_handler(signal.SIGHUP, self.reload.set)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for number, handler in self._before.items():
            self._loop.remove_signal_handler(number)
            if not self.stop.is_set() or number not in STOPS:
                signal.signal(number, handler)  # type: ignore[arg-type]  # what getsignal gave

    def _asked(self, number: signal.Signals) -> None:
        for each in STOPS:
            self._loop.remove_signal_handler(each)
            signal.signal(each, signal.SIG_DFL)
        self.name = number.name
        self.stop.set()
