"""Whether keeper can act, and what is in its way.

Law: pure. Not ready means that nothing could be liquidated now, whoever became liquidatable; one stale price among
many, one relay down, is an alert and not this. Every obstacle is said, each with what it is about.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import Enum

from keeper.ops.status import OLD, Status
from keeper.ops.values import Peer, TaskState


class Hurdle(Enum):
    """Stable codes. The value is what /readyz and alerts show."""

    STOPPING = "stopping"
    TASK = "task"
    BEHIND = "behind"
    SILENT = "silent"
    ENDPOINT = "endpoint"
    ORACLE = "oracle"
    SIGNER = "signer"
    RELAY = "relay"
    HALTED = "halted"


@dataclass(frozen=True, slots=True)
class Obstacle:
    """One thing in the way."""

    hurdle: Hurdle
    why: str


def obstacles(status: Status) -> list[Obstacle]:
    """Everything that is in the way; empty when keeper is ready."""
    return [*_watching(status), *(_sending(status) if status.mode.sends else ())]


def alive(status: Status) -> list[str]:
    """What no waiting will cure: tasks that were given up."""
    return [f"{name}: {task.error}" for name, task in status.tasks.items() if task.state is TaskState.FAILED]


def _watching(status: Status) -> Iterator[Obstacle]:
    """What it takes to know who can be liquidated."""
    if status.stopping:
        yield Obstacle(Hurdle.STOPPING, "asked to stop")
    for said in alive(status):
        yield Obstacle(Hurdle.TASK, said)
    if not status.caught_up:
        where = f"{status.lag} blocks behind {status.head}" if status.tip else "the books are not built yet"
        yield Obstacle(Hurdle.BEHIND, f"{where}: {status.trouble}" if status.trouble else where)
    if still := status.stood_still or (status.age if status.age > OLD else 0.0):
        yield Obstacle(Hurdle.BEHIND, f"stood still for {still:.0f} s, and no block since")
    if status.silent:
        yield Obstacle(Hurdle.SILENT, f"no new block for {status.silence:.0f} s")
    if not any(peer.well for peer in status.endpoints.values()):
        yield Obstacle(Hurdle.ENDPOINT, _faults(status.endpoints) or "none was asked yet")
    if trouble := status.feeds.trouble:
        yield Obstacle(Hurdle.ORACLE, trouble)


def _sending(status: Status) -> Iterator[Obstacle]:
    """What it takes to get a liquidation into a block."""
    if not any(purse.funded for purse in status.purses.values()):
        held = ", ".join(f"{who} has {purse.balance} wei < {purse.minimum}" for who, purse in status.purses.items())
        yield Obstacle(Hurdle.SIGNER, held or "no balance is known yet")
    if not any(peer.well for peer in status.relays.values()):
        yield Obstacle(Hurdle.RELAY, _faults(status.relays) or "none was asked yet")
    for by, why in status.halted.items():
        yield Obstacle(Hurdle.HALTED, f"{by}: {why}")


def _faults(peers: Mapping[str, Peer]) -> str:
    return ", ".join(f"{name}: {peer.fault}" for name, peer in peers.items())
