"""When to stop asking a channel, and when to try it again.

Law: ``closed`` lets everything through; ``failures`` failures in a row open it; after ``cooldown`` seconds one trial is
let through (half open), whose outcome closes it or opens it for another ``cooldown``. Time comes in as an argument.
"""

from enum import Enum


class State(Enum):
    """Of a breaker."""

    CLOSED = "closed"
    OPEN = "open"
    HALF_OPEN = "half_open"


class Breaker:
    """One channel's breaker."""

    __slots__ = ("_cooldown", "_failures", "_limit", "_opened", "state")

    def __init__(self, failures: int, cooldown: float) -> None:
        self.state = State.CLOSED
        self._limit = failures
        self._cooldown = cooldown
        self._failures = 0
        self._opened = 0.0

    def allows(self, now: float) -> bool:
        """Whether one request may go now. A yes after the cooldown is the one trial."""
        if self.state is State.CLOSED:
            return True
        if now - self._opened < self._cooldown:
            return False
        self.state, self._opened = State.HALF_OPEN, now  # a trial that is never answered is repeated, not awaited
        return True

    def record(self, *, ok: bool, now: float) -> None:
        """Count an outcome."""
        if ok:
            self._failures, self.state = 0, State.CLOSED
            return
        self._failures += 1
        if self.state is not State.CLOSED or self._failures >= self._limit:
            self.state, self._opened = State.OPEN, now
