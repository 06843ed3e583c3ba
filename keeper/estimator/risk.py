"""Limits on what may be lost, and the breaker that stops everything.

Laws
- State goes in, state comes out; the time is the block's, given by the caller.
- A limit is checked with the loss the next transaction could add, before it is sent.
- The breaker's transitions are the table below and nothing else. Half open lets exactly one attempt through.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import Enum
from typing import Final, NamedTuple

from keeper.core.refusals import Reason
from keeper.core.units import BPS, Address, Bps, Timestamp, Wei, mul_div_down
from keeper.estimator.guards import Refusal
from keeper.estimator.worth import readable

_HOUR: Final = 3_600
_DAY: Final = 86_400
_SLICE: Final = 300  # losses are kept in five-minute slices, so a day is bounded


@dataclass(frozen=True, slots=True)
class LossCaps:
    """The most that may be lost."""

    per_hour: Wei
    per_day: Wei
    per_asset_day: Wei

    @classmethod
    def of_capital(cls, capital: Wei, *, hour: Bps, day: Bps, asset: Bps) -> "LossCaps":
        """Caps as shares of a capital, rounded down."""
        return cls(*(Wei(mul_div_down(capital, bps, BPS)) for bps in (hour, day, asset)))


class Slice(NamedTuple):
    """Losses on one asset in five minutes."""

    number: int
    asset: Address


@dataclass(frozen=True, slots=True)
class Losses:
    """What was lost during the last day."""

    slices: Mapping[Slice, Wei] = field(default_factory=dict)

    def book(self, asset: Address, loss: int, now: Timestamp) -> "Losses":
        """The state after a loss; what is older than a day is forgotten."""
        first = (now - _DAY) // _SLICE
        kept = {key: lost for key, lost in self.slices.items() if key.number >= first}
        key = Slice(now // _SLICE, asset)
        kept[key] = Wei(kept.get(key, 0) + loss)
        return Losses(kept)

    def since(self, seconds: int, now: Timestamp, asset: Address | None = None) -> Wei:
        """Losses of the last so many seconds, whole slices: rather too many than too few."""
        first = (now - seconds) // _SLICE
        return Wei(sum(v for k, v in self.slices.items() if k.number >= first and asset in (None, k.asset)))

    def check(self, caps: LossCaps, asset: Address, at_risk: int, now: Timestamp) -> Refusal | None:
        """Whether the caps would still hold if ``at_risk`` were lost too."""
        for name, cap, lost, reason in (
            ("hour", caps.per_hour, self.since(_HOUR, now), Reason.LOSS_CAP),
            ("day", caps.per_day, self.since(_DAY, now), Reason.LOSS_CAP),
            ("asset and day", caps.per_asset_day, self.since(_DAY, now, asset), Reason.ASSET_CAP),
        ):
            if lost + at_risk > cap:
                return Refusal(
                    reason, f"lost {readable(lost)} + at risk {readable(at_risk)} > {readable(cap)} per {name}"
                )
        return None


# --- the breaker ------------------------------------------------------------------------------------------------


class Phase(Enum):
    """The breaker's states. The value is what logs show."""

    CLOSED = "closed"
    OPEN = "open"
    HALF_OPEN = "half_open"


class Trip(Enum):
    """What happened."""

    SUCCESS = "success"
    FAILURE = "failure"  # a revert, a loss beyond the estimate
    HALT = "halt"  # open at once: a kill file, a reorg storm, a loss cap
    COOLED = "cooled"  # the cool-down is over


@dataclass(frozen=True, slots=True)
class Breaker:
    """Stops sending after so many failures in a row; lets one attempt through after a cool-down."""

    failures_to_open: int = 3
    cooldown: int = 300  # seconds; doubled by each failure while half open
    longest: int = 14_400
    phase: Phase = Phase.CLOSED
    failures: int = 0
    opened_at: Timestamp = Timestamp(0)
    wait: int = 0  # the present cool-down
    cause: str = ""

    def on(self, trip: Trip, now: Timestamp, cause: str = "") -> "Breaker":
        """The state after an event."""
        return _TABLE.get((self.phase, trip), _stay)(self, now, cause)

    def at(self, now: Timestamp) -> "Breaker":
        """The state at a time: an open breaker is half open once it has cooled."""
        cooled = self.phase is Phase.OPEN and now >= self.opened_at + self.wait
        return self.on(Trip.COOLED, now) if cooled else self

    def check(self, now: Timestamp, in_flight: int = 0) -> Refusal | None:
        """Whether one more may be sent while ``in_flight`` others are unresolved."""
        here = self.at(now)
        if here.phase is Phase.OPEN:
            left = here.opened_at + here.wait - now
            return Refusal(Reason.BREAKER, f"open for {left} s more: {here.cause}")
        if here.phase is Phase.HALF_OPEN and in_flight > 0:
            return Refusal(Reason.BREAKER, "half open: one attempt is already under way")
        return None


def _stay(breaker: Breaker, _now: Timestamp, _cause: str) -> Breaker:
    return breaker


def _close(breaker: Breaker, _now: Timestamp, _cause: str) -> Breaker:
    return replace(breaker, phase=Phase.CLOSED, failures=0, opened_at=Timestamp(0), wait=0, cause="")


def _count(breaker: Breaker, now: Timestamp, cause: str) -> Breaker:
    counted = replace(breaker, failures=breaker.failures + 1)
    return _open(counted, now, cause) if counted.failures >= breaker.failures_to_open else counted


def _open(breaker: Breaker, now: Timestamp, cause: str) -> Breaker:
    return replace(breaker, phase=Phase.OPEN, opened_at=now, wait=breaker.wait or breaker.cooldown, cause=cause)


def _reopen(breaker: Breaker, now: Timestamp, cause: str) -> Breaker:
    longer = replace(breaker, wait=min(2 * breaker.wait, breaker.longest), failures=breaker.failures + 1)
    return _open(longer, now, cause)


def _half(breaker: Breaker, _now: Timestamp, _cause: str) -> Breaker:
    return replace(breaker, phase=Phase.HALF_OPEN)


_TABLE: Final = {
    (Phase.CLOSED, Trip.SUCCESS): _close,
    (Phase.CLOSED, Trip.FAILURE): _count,
    (Phase.CLOSED, Trip.HALT): _open,
    (Phase.OPEN, Trip.COOLED): _half,
    (Phase.OPEN, Trip.HALT): _open,
    (Phase.HALF_OPEN, Trip.SUCCESS): _close,
    (Phase.HALF_OPEN, Trip.FAILURE): _reopen,
    (Phase.HALF_OPEN, Trip.HALT): _open,
}
