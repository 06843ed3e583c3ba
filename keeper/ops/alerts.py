"""Tells a person what is wrong, what happened, and from time to time that all is well.

Law: looks at the status every few seconds; what is worth saying is decided in ``notices``, carried by ``courier``.
Nothing here waits for a service, and without services nothing is done.
"""

import asyncio
import time
from collections.abc import Callable
from typing import Final

from keeper.ops.alarms import alarms
from keeper.ops.courier import Courier, services
from keeper.ops.digest import digest
from keeper.ops.notices import Alert, Message, Notices, Quiet, Rules, Severity
from keeper.ops.status import Status
from keeper.settings import Ops

EVERY: Final = 5.0  # seconds between two looks
PARTING: Final = 5.0  # seconds that the last messages may take


class Alerts:
    """The task ``run``, and ``happened`` for whatever else knows something."""

    def __init__(
        self,
        status: Status,
        rules: Rules,
        courier: Courier | None,
        *,
        every: float = EVERY,
        now: Callable[[], float] = time.time,
    ) -> None:
        self._status, self._courier, self._every, self._now = status, courier, every, now
        self._notices = Notices(rules)
        self._drifts, self._log_lost = status.drifts, status.log_lost()
        if courier is not None:
            status.alerts_sent, status.alerts_lost = lambda: courier.taken, lambda: courier.lost
            status.queues["alerts"] = lambda: courier.waiting

    @classmethod
    async def configured(cls, status: Status, ops: Ops) -> "Alerts":
        """As the settings have it. Raises ``ConfigError`` for URLs that apprise does not know."""
        rules = Rules(
            least=Severity.named(ops.alert_level),
            repeat=ops.alert_repeat,
            quiet=Quiet.parse(ops.quiet_hours),
            digest=ops.digest,
        )
        urls = [url.get_secret_value() for url in ops.alerts]
        return cls(status, rules, Courier(await asyncio.to_thread(services, urls)) if urls else None)

    def happened(self, alert: Alert) -> None:
        """Something that happened once, such as bad debt or a revert."""
        if self._courier is not None:
            self._notices.happened(alert, self._now())

    async def run(self) -> None:
        """Look every so often, until cancelled."""
        while True:
            self.look()
            await asyncio.sleep(self._every)

    def look(self) -> None:
        """Say what is to be said now."""
        if self._courier is None:
            return
        now = self._now()
        if self._status.drifts > self._drifts:
            found, self._drifts = self._status.drifts - self._drifts, self._status.drifts
            text = f"{found} accounts; they were read again, the log says which and how"
            self._notices.happened(Alert("drift", Severity.WARNING, "the books differed from the chain", text), now)
        if (lost := self._status.log_lost()) > self._log_lost:
            text = f"{lost - self._log_lost} lines: whoever reads the log is gone, or its disk is full"
            self._log_lost = lost
            self._notices.happened(Alert("log", Severity.WARNING, "log lines are lost", text), now)
        self._notices.alarms(alarms(self._status), now)
        for message in self._notices.due(now, lambda: digest(self._status)):
            self._courier.send(message)

    async def close(self) -> None:
        """Say goodbye: a silence after that is meant."""
        if self._courier is not None:
            self.look()
            self._courier.send(Message(Severity.INFO, "keeper stops", digest(self._status)))
            await asyncio.to_thread(self._courier.close, PARTING)
