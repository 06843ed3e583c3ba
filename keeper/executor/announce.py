"""What became of opportunities, as lines of the log.

Law: a line is written after the journal is on disk, once for each change; one ``opportunity.closed`` ends each story.
"""

from collections.abc import Mapping

from keeper.core.journal import Entry, State
from keeper.executor.lifecycle import Change
from keeper.log import get_logger

_log = get_logger()


def announce(change: Change, total: int, steps: Mapping[str, float] | None = None) -> None:
    """Tell of a change. ``total``: the sum of the ledger. ``steps``: seconds, if they are known still."""
    if change.undone:
        _undone(change)
    elif change.entry.state is State.FINAL:
        _final(change, total, steps)
    elif change.entry.plan is not None:
        _decided(change)


def _undone(change: Change) -> None:
    line = change.line
    facts: dict[str, object] = {"tx": line.tx, "realised_net": line.net} if line else {}
    _log.warning("liquidation.undone", **_who(change.entry), **facts)


def _decided(change: Change) -> None:
    entry, line = change.entry, change.line
    facts: dict[str, object] = {"reason": entry.reason} if entry.reason else {}
    if entry.fate and entry.fate.tx:
        facts["tx"] = entry.fate.tx
    if line:
        facts["gas_used"] = line.gas_used
    if line and entry.state is State.LANDED:
        facts |= {"realised_net": line.net, "predicted_net": line.predicted}
    facts |= _who(entry)
    match entry.state:
        case State.LANDED:
            _log.info("liquidation.included", **facts)
        case State.REVERTED:
            _log.warning("liquidation.reverted", **facts)
        case State.OUTBID:
            _log.warning("liquidation.outbid", **facts)
        case State.MISSED | State.SUPERSEDED:
            _log.warning("liquidation.missed", **facts)


def _final(change: Change, total: int, steps: Mapping[str, float] | None) -> None:
    entry, line = change.entry, change.line
    who = _who(entry)
    if line:
        facts = {"tx": line.tx, "realised_net": line.net, "predicted_net": line.predicted, "gas_used": line.gas_used}
        _log.info("ledger.settled", **who, **facts, total=total)
    if entry.plan is None or entry.outcome is None:
        return
    outcome = "landed" if entry.outcome is State.LANDED else entry.outcome.value
    if line:
        _log.info("liquidation.final", **who, tx=line.tx)
    numbers = {"predicted_net": entry.plan.estimate.net, "realised_net": line.net if line else 0}
    timing = {"steps_s": steps} if steps else {}
    _log.info("opportunity.closed", **who, outcome=outcome, **numbers, **timing)


def _who(entry: Entry) -> dict[str, object]:
    """The opportunity, its block, and its account when it is only one."""
    who: dict[str, object] = {"opportunity_id": entry.id}
    if entry.fate:
        who["block"] = entry.fate.block
    accounts = {account for _, account in entry.accounts}
    if len(accounts) == 1:
        who["account"] = accounts.pop()
    return who
