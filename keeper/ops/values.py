"""The parts of a status: what is known of an endpoint, an account that pays, a task, an opportunity.

Law: frozen values; money is whole wei of the native token.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Final

from keeper.core.units import WAD, Address, BlockNumber, Hash, Wei


class Mode(Enum):
    """What this process is there for. The value is what logs show."""

    LIVE = "live"
    READ_ONLY = "read-only"
    DRY_RUN = "dry-run"

    @property
    def sends(self) -> bool:
        return self is not Mode.READ_ONLY


class Outcome(Enum):
    """How far an opportunity has come. The value is what metrics show."""

    SKIPPED = "skipped"
    PLANNED = "planned"
    SIMULATION_FAILED = "simulation_failed"
    SENT = "sent"
    INCLUDED = "included"
    MISSED = "missed"
    OUTBID = "outbid"
    REVERTED = "reverted"
    FINAL = "final"


RESOLVED: Final = frozenset({Outcome.INCLUDED, Outcome.MISSED, Outcome.OUTBID, Outcome.REVERTED})  # the race is over


class TaskState(Enum):
    """Of a supervised task."""

    RUNNING = "running"
    RESTARTING = "restarting"
    FAILED = "failed"
    DONE = "done"


@dataclass(frozen=True, slots=True)
class Peer:
    """An endpoint or a relay, as last seen."""

    fault: str = ""  # why it cannot be used; empty: it can
    latency: float = 0.0  # seconds
    lag: int = 0  # blocks

    @property
    def well(self) -> bool:
        return not self.fault


@dataclass(frozen=True, slots=True)
class Purse:
    """An account that pays for gas."""

    balance: Wei
    minimum: Wei

    @property
    def funded(self) -> bool:
        return self.balance >= self.minimum


@dataclass(frozen=True, slots=True)
class Feeds:
    """The oracles of all markets."""

    total: int = 0
    stale: Mapping[Address, int] = field(default_factory=dict)  # asset → seconds since its last price
    sequencer: str = ""  # why the rollup's sequencer forbids liquidations; empty: it does not

    @property
    def trouble(self) -> str:
        """Why nothing at all can be decided; empty while something can."""
        if self.sequencer:
            return self.sequencer
        return f"all {self.total} prices are stale" if self.total and len(self.stale) >= self.total else ""


@dataclass(frozen=True, slots=True)
class Task:
    """A supervised task."""

    state: TaskState
    restarts: int = 0
    error: str = ""


@dataclass(frozen=True, slots=True)
class Opportunity:
    """A liquidation that was worth planning, and what became of it."""

    id: str
    accounts: tuple[Address, ...]
    outcome: Outcome
    block: BlockNumber  # in which the outcome was known
    predicted_net: Wei
    realised_net: Wei | None = None
    reason: str = ""
    tx: Hash | None = None


@dataclass(frozen=True, slots=True)
class Settlement:
    """What a landed liquidation was to bring and what it brought."""

    predicted: Wei
    realised: Wei
    gas: Wei
    bid: Wei

    @property
    def error_bps(self) -> int:
        """How far the estimate was off, in basis points of what was predicted; rounded up."""
        return -(-abs(self.realised - self.predicted) * 10_000 // max(abs(self.predicted), 1))


def coins(wei: int) -> str:
    """An amount of the native token for people: six decimals, cut towards zero."""
    whole, part = divmod(abs(wei), WAD)
    return f"{'-' if wei < 0 else ''}{whole:,}.{part * 10**6 // WAD:06}"
