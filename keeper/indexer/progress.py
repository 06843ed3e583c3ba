"""How far a backfill is, told to a log or to a person.

Law: an ETA is the time left at the speed so far, counted in blocks; the first stretch has none.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from keeper.core.units import Address
from keeper.log import get_logger

log = get_logger()
MINIMUM_SECONDS: Final = 2.0  # between two lines about one market


@dataclass(frozen=True, slots=True)
class Stretch:
    """A stretch of history that was just stored."""

    market: Address
    first: int  # where this backfill began
    at: int
    target: int
    logs: int
    accounts: int
    elapsed: float

    @property
    def done(self) -> float:
        """The part of the blocks that is behind."""
        return (self.at - self.first + 1) / max(self.target - self.first + 1, 1)

    @property
    def eta(self) -> float:
        """Seconds left."""
        return self.elapsed * (1 - self.done) / self.done if self.done else 0.0


Report = Callable[[Stretch], None]


class LogReport:
    """Tells the log, but not more often than a person could read."""

    def __init__(self) -> None:
        self._last = 0.0

    def __call__(self, stretch: Stretch) -> None:
        now = time.monotonic()
        if stretch.at < stretch.target and now - self._last < MINIMUM_SECONDS:
            return
        self._last = now
        log.info(
            "indexer.backfill_progress",
            market=stretch.market,
            block=stretch.at,
            to_block=stretch.target,
            logs=stretch.logs,
            accounts=stretch.accounts,
            done=round(stretch.done, 4),
            eta_s=round(stretch.eta, 1),
        )
