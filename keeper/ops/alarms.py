"""What is wrong, judged from the status alone.

Law: pure; the same numbers as in ``config/alerts.yml``, for those who run no Prometheus. An alarm's text has what the
operator needs to act on it: the number, its limit, and who.
"""

from collections.abc import Iterator
from typing import Final, NamedTuple

from keeper.ops.notices import Alert, Severity, span
from keeper.ops.ready import Hurdle, obstacles
from keeper.ops.status import Status
from keeper.ops.values import Outcome, TaskState, coins

LAG: Final = 3  # blocks
ENDPOINTS: Final = 2
ESTIMATE_ERROR: Final = 200  # basis points, at the 95th percentile
REVERTS: Final = 10  # per cent of what landed
CAPTURE: Final = 50  # per cent of what anybody liquidated or we missed
ENOUGH: Final = 20  # outcomes before a share of them means something


class _Rule(NamedTuple):
    severity: Severity
    patience: float  # seconds that it must last
    title: str


_HURDLES: Final = {
    Hurdle.TASK: _Rule(Severity.CRITICAL, 0.0, "a task failed for good"),
    Hurdle.BEHIND: _Rule(Severity.WARNING, 600.0, "the books do not catch up"),
    Hurdle.SILENT: _Rule(Severity.CRITICAL, 0.0, "no new blocks"),
    Hurdle.ENDPOINT: _Rule(Severity.CRITICAL, 15.0, "no endpoint can be used"),
    Hurdle.ORACLE: _Rule(Severity.CRITICAL, 60.0, "no price can be used"),
    Hurdle.SIGNER: _Rule(Severity.CRITICAL, 60.0, "no signer can pay"),
    Hurdle.RELAY: _Rule(Severity.CRITICAL, 60.0, "no relay can be reached"),
}


def alarms(status: Status) -> list[Alert]:
    """Everything that is wrong now."""
    return [*_hurdles(status), *_watching(status), *_sending(status), *_results(status)]


def _hurdles(status: Status) -> Iterator[Alert]:
    for one in obstacles(status):
        if (rule := _HURDLES.get(one.hurdle)) is not None:
            yield Alert(one.hurdle.value, rule.severity, rule.title, one.why, rule.patience)
    for by, why in status.halted.items():
        yield Alert(f"halted {by}", Severity.WARNING, f"sending is stopped by {by}", why)


def _watching(status: Status) -> Iterator[Alert]:
    if status.tip and status.lag > LAG:
        yield Alert(
            "lag", Severity.WARNING, f"the books are more than {LAG} blocks behind", f"{status.lag} blocks", 30.0
        )
    well = sum(peer.well for peer in status.endpoints.values())
    if 0 < well < min(ENDPOINTS, len(status.endpoints)):
        faults = ", ".join(f"{name}: {peer.fault}" for name, peer in status.endpoints.items() if peer.fault)
        yield Alert("endpoints", Severity.WARNING, "only one endpoint is left", faults, 60.0)
    if status.feeds.stale and not status.feeds.trouble:
        stale = ", ".join(f"{asset} for {span(age)}" for asset, age in sorted(status.feeds.stale.items()))
        yield Alert("feeds", Severity.WARNING, "prices are stale", stale, 60.0)
    for name, task in status.tasks.items():
        if task.state is TaskState.RESTARTING:
            yield Alert(f"task {name}", Severity.WARNING, f"task {name} failed and is started again", task.error)


def _sending(status: Status) -> Iterator[Alert]:
    for name, peer in status.relays.items():
        if not peer.well:
            yield Alert(f"relay {name}", Severity.WARNING, f"relay {name} cannot be used", peer.fault, 60.0)
    for address, purse in status.purses.items():
        if not purse.funded:
            held = f"{coins(purse.balance)} of the {coins(purse.minimum)} that are wanted"
            yield Alert(f"purse {address}", Severity.WARNING, f"signer {address} is nearly empty", held)


def _results(status: Status) -> Iterator[Alert]:
    resolved = status.resolved
    won, reverted = resolved.count(Outcome.INCLUDED), resolved.count(Outcome.REVERTED)
    if won + reverted >= ENOUGH and reverted * 100 > REVERTS * (won + reverted):
        share = f"{reverted} of the last {won + reverted} that landed"
        yield Alert("reverts", Severity.WARNING, f"more than {REVERTS} % of liquidations revert", share)
    if len(resolved) >= ENOUGH and won * 100 < CAPTURE * len(resolved):
        share = f"{won} of the last {len(resolved)}; {resolved.count(Outcome.OUTBID)} were outbid"
        yield Alert("capture", Severity.WARNING, f"less than {CAPTURE} % of opportunities are won", share)
    if len(status.settled) >= ENOUGH and (error := estimate_error(status)) > ESTIMATE_ERROR:
        said = f"{error / 100:.2f} % at the 95th percentile of {len(status.settled)}"
        yield Alert("estimates", Severity.WARNING, "predicted and realised profit differ", said)


def estimate_error(status: Status) -> int:
    """Basis points that estimates were off, at the 95th percentile of the last settlements; zero without any."""
    errors = sorted(settlement.error_bps for settlement in status.settled)
    return errors[-(len(errors) // 20) - 1] if errors else 0
