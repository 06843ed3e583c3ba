"""Which messages are worth a person's attention, and when.

Laws
- Pure: time comes in as an argument, in seconds since the epoch; messages come out.
- An alarm that lasts is said once, then every ``repeat`` seconds, then that it is over. One that comes and goes is
  one alarm: it is over only after it was gone for a while, longer each time it came back.
- In quiet hours only critical messages go out; the others wait and go out together afterwards. Nothing is lost by it.
- Silence is never ambiguous: a message says how keeper is at the start and then every ``digest`` seconds.
- Bounded: ``LIMIT`` alarms, events and messages; the newest are kept.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import IntEnum
from typing import Final, Self

LIMIT: Final = 256
SETTLE: Final = 60.0  # seconds an alarm must be gone to be over, the first time
_DAY: Final = 86_400
_SHOWN: Final = 20  # of the messages that waited, in the one that tells of them


class Severity(IntEnum):
    """How bad it is."""

    INFO = 10
    WARNING = 20
    CRITICAL = 30

    @classmethod
    def named(cls, name: str) -> Self:
        return cls[name.upper()]


@dataclass(frozen=True, slots=True)
class Alert:
    """Something that is, or that happened. ``key`` says whether two are the same."""

    key: str
    severity: Severity
    title: str
    text: str = ""
    patience: float = 0.0  # seconds it must last to be worth saying


@dataclass(frozen=True, slots=True)
class Message:
    """What is sent."""

    severity: Severity
    title: str
    text: str = ""


@dataclass(frozen=True, slots=True)
class Quiet:
    """Hours of every day, in UTC; over midnight when they end before they begin."""

    start: int  # seconds of the day
    end: int

    @classmethod
    def parse(cls, text: str | None) -> Self | None:
        """``"22:00-07:00"``, as the settings have checked it."""
        if text is None:
            return None
        start, end = (int(part[:2]) * 3_600 + int(part[3:]) * 60 for part in text.split("-"))
        return cls(start, end)

    def at(self, now: float) -> bool:
        """Whether it is quiet now."""
        second = int(now) % _DAY
        if self.start <= self.end:
            return self.start <= second < self.end
        return second >= self.start or second < self.end


@dataclass(frozen=True, slots=True)
class Rules:
    """What the operator wants to hear, and how often."""

    least: Severity = Severity.WARNING
    repeat: float = 3_600.0
    quiet: Quiet | None = None
    digest: float = 86_400.0  # zero: none


@dataclass(slots=True)
class _Alarm:
    """One that is on, or was until a moment ago."""

    alert: Alert
    since: float
    said: float | None = None  # when last
    gone: float | None = None  # since when
    returns: int = 0


@dataclass(slots=True)
class _Event:
    said: float
    unsaid: int = 0


class Notices:
    """Takes alarms and events, gives messages."""

    def __init__(self, rules: Rules) -> None:
        self.rules = rules
        self._alarms: dict[str, _Alarm] = {}
        self._events: dict[str, _Event] = {}  # in the order in which they were said
        self._ready: list[Message] = []
        self._waiting: list[Message] = []  # for the end of the quiet hours
        self._digested: float | None = None
        self._count = 0  # messages since the last digest

    # what is wrong ------------------------------------------------------------------------------------------------

    def happened(self, alert: Alert, now: float) -> None:
        """An event. The same again within ``repeat`` seconds is counted, not said."""
        known = self._events.get(alert.key)
        if known is not None and now - known.said < self.rules.repeat:
            known.unsaid += 1
            return
        times = f" ({known.unsaid} more since the last time)" if known is not None and known.unsaid else ""
        self._events.pop(alert.key, None)
        self._events[alert.key] = _Event(now)
        if len(self._events) > LIMIT:
            del self._events[next(iter(self._events))]
        self._say(alert.severity, alert.title + times, alert.text, now)

    def alarms(self, raised: Iterable[Alert], now: float) -> None:
        """Everything that is wrong at this moment."""
        present = {alert.key: alert for alert in raised}
        for alert in present.values():
            self._on(alert, now)
        for key in [key for key in self._alarms if key not in present]:
            self._off(key, now)

    def _on(self, alert: Alert, now: float) -> None:
        if alert.key not in self._alarms and len(self._alarms) >= LIMIT:
            return
        known = self._alarms.setdefault(alert.key, _Alarm(alert, now))
        if known.gone is not None:
            known.gone, known.returns = None, known.returns + 1
        worse, known.alert = alert.severity > known.alert.severity, alert
        lasts = now - known.since
        if known.said is None and lasts >= alert.patience:
            known.said = now
            self._say(alert.severity, alert.title, alert.text, now)
        elif known.said is not None and (worse or now - known.said >= self.rules.repeat):
            known.said = now
            self._say(alert.severity, f"still: {alert.title} (for {span(lasts)})", alert.text, now)

    def _off(self, key: str, now: float) -> None:
        known = self._alarms[key]
        if known.said is None:
            del self._alarms[key]  # it did not last: it was nothing
            return
        if known.gone is None:
            known.gone = now
        if now - known.gone >= min(SETTLE * 2 ** min(known.returns, 16), self.rules.repeat):
            del self._alarms[key]
            self._say(
                known.alert.severity, f"over: {known.alert.title} (after {span(known.gone - known.since)})", "", now
            )

    # what is sent -------------------------------------------------------------------------------------------------

    def due(self, now: float, digest: Callable[[], str]) -> list[Message]:
        """What is to be sent now."""
        if not self._quiet(now):
            if self._digest_due(now):
                title = "keeper started" if self._digested is None else "keeper is alive"
                text = f"{digest()}\n{self._count} messages since the last one like this"
                self._digested, self._count = now, 0
                self._ready.append(Message(Severity.INFO, title, text))
            if self._waiting:
                self._ready.append(_gathered(self._waiting))
                self._waiting = []
        sent, self._ready = self._ready, []
        return sent

    def _digest_due(self, now: float) -> bool:
        every = self.rules.digest
        return bool(every) and (self._digested is None or now - self._digested >= every)

    def _say(self, severity: Severity, title: str, text: str, now: float) -> None:
        if severity < self.rules.least:
            return
        self._count += 1
        waits = self._quiet(now) and severity < Severity.CRITICAL
        queue = self._waiting if waits else self._ready
        queue.append(Message(severity, title, text))
        del queue[:-LIMIT]

    def _quiet(self, now: float) -> bool:
        return self.rules.quiet is not None and self.rules.quiet.at(now)


def span(seconds: float) -> str:
    """A time as people say it."""
    for unit, length in (("d", 86_400), ("h", 3_600), ("min", 60)):
        if seconds >= 2 * length:
            return f"{seconds // length:.0f} {unit}"
    return f"{seconds:.0f} s"


def _gathered(waited: list[Message]) -> Message:
    lines = [message.title for message in waited[-_SHOWN:]]
    more = [f"and {len(waited) - _SHOWN} before"] if len(waited) > _SHOWN else []
    return Message(
        max(one.severity for one in waited), f"{len(waited)} messages of the quiet hours", "\n".join(more + lines)
    )
