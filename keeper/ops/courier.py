"""Carries messages to the operator's services, in a thread of its own.

Laws
- The loop never waits for a service: a message goes into a bounded queue or is dropped, and both are logged.
- Each service gets each message or is logged to have failed; the failure of one never keeps it from the others.
- A URL is a secret: only its scheme is ever shown.
"""

import contextvars
import queue
import threading
from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from keeper.errors import ConfigError
from keeper.log import get_logger
from keeper.ops.notices import Message, Severity
from keeper.redact import hide, redact_text

if TYPE_CHECKING:
    import apprise

WAITING: Final = 64  # messages
PAUSES: Final = (2.0, 8.0)  # seconds before the second and the third try

_KINDS: Final = {Severity.INFO: "info", Severity.WARNING: "warning", Severity.CRITICAL: "failure"}

_log = get_logger()


class Service:
    """One of them."""

    def __init__(self, name: str, box: "apprise.Apprise") -> None:
        self.name = name
        self._box = box  # of one service: it turns whatever a plugin raises into a failure

    def deliver(self, message: Message) -> bool:
        """Whether the service took it. Blocks for seconds."""
        title = redact_text(message.title)
        return bool(self._box.notify(redact_text(message.text) or title, title, _KINDS[message.severity]))


def services(urls: Sequence[str]) -> tuple[Service, ...]:
    """The services behind apprise URLs, or a ``ConfigError`` that names those which are none. Takes a second."""
    import apprise  # noqa: PLC0415 - a second and 17 MB, only for those who configured it

    boxes = [apprise.Apprise() for _ in urls]
    wrong = [place for place, (box, url) in enumerate(zip(boxes, urls, strict=True)) if not box.add(url)]
    if wrong:
        raise ConfigError(
            *(f"ops.alerts.{place}: {_scheme(urls[place])} is no URL that apprise knows" for place in wrong)
        )
    for url in urls:
        hide(url)
    return tuple(Service(_scheme(url), box) for url, box in zip(urls, boxes, strict=True))


def _scheme(url: str) -> str:
    scheme, separator, _ = url.partition("://")
    return f"{scheme}://" if separator else "a text without ://"


class Courier:
    """A thread and its queue."""

    def __init__(self, to: Sequence[Service], *, pauses: Sequence[float] = PAUSES) -> None:
        self.taken = 0  # messages, by services; only the thread writes
        self.lost = 0
        self._to, self._pauses = tuple(to), tuple(pauses)
        self._queue: queue.Queue[Message | None] = queue.Queue(WAITING)
        self._closing = threading.Event()
        run = contextvars.copy_context().run  # so that its lines carry the run's id
        self._thread = threading.Thread(target=run, args=(self._carry,), name="alerts", daemon=True)
        self._thread.start()

    @property
    def waiting(self) -> int:
        return self._queue.qsize()

    def send(self, message: Message) -> bool:
        """Hand a message over, if there is room."""
        try:
            self._queue.put_nowait(message)
        except queue.Full:
            _log.error("alert.dropped", title=message.title, severity=message.severity.name.lower())
            return False
        return True

    def close(self, within: float) -> None:
        """Carry what waits, for no longer than so many seconds. Blocks."""
        self._closing.set()
        try:
            self._queue.put(None, timeout=within)
        except queue.Full:
            return
        self._thread.join(within)

    def _carry(self) -> None:
        while (message := self._queue.get()) is not None:
            for service in self._to:
                if self._deliver(service, message):
                    self.taken += 1
                else:
                    self.lost += 1

    def _deliver(self, service: Service, message: Message) -> bool:
        what = {"service": service.name, "title": message.title, "severity": message.severity.name.lower()}
        tries = 0
        for pause in (*self._pauses, None):
            tries += 1
            if service.deliver(message):
                _log.info("alert.sent", **what)
                return True
            if pause is None or self._closing.wait(pause):
                break
        _log.error("alert.failed", **what, tries=tries)
        return False
