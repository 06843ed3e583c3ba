"""What a dry run says: a table for people, one object a line for programs.

Law: a refusal is shown with its reason, as a liquidation is with its profit.
"""

from collections import Counter
from dataclasses import asdict
from typing import Final

from keeper.commands.tables import fixed, say, show
from keeper.core.units import MAX_U256, WAD
from keeper.dryrun.play import Result
from keeper.output import emit
from keeper.reports.run_report import Liquidated, skipped

ETHER: Final = 18  # decimals
COLUMNS: Final = (
    ("account", "left"),
    ("health before", "right"),
    ("after", "right"),
    ("repaid", "right"),
    ("seized", "right"),
    ("predicted net", "right"),
    ("realised net", "right"),
    ("gas", "right"),
    ("block", "right"),
    ("error or reason", "left"),
)


def tell(result: Result, *, json: bool) -> None:
    """All of it on stdout."""
    if json:
        _emit(result)
        return
    rows = [_row(result, one) for one in result.report.liquidations]
    for failure in result.failures:
        why = f"[red]{failure.reason}[/red] {failure.detail}"
        rows += [(account, *[""] * 7, str(failure.block), why) for account in failure.accounts]
    rows += [(skip.account, *[""] * 8, f"{skip.reason.value}: {skip.term}") for skip in result.report.skips]
    show("dry run: net in the native token", COLUMNS, rows)
    _totals(result)


def _row(result: Result, one: Liquidated) -> tuple[str, ...]:
    before, after = result.health.get((one.market, one.account, one.block), (None, None))
    return (
        one.account,
        _factor(before),
        _factor(after),
        result.amounts(one.debt_asset, one.repaid),
        result.amounts(one.collateral_asset, one.seized),
        f"{one.predicted_net_wei / WAD:+.6f}",
        f"{one.realised_net_wei / WAD:+.6f}",
        str(one.gas_used),
        str(one.block),
        "",
    )


def _factor(value: int | None) -> str:
    if value is None:
        return "unknown"
    return "no debt" if value == MAX_U256 else fixed(value, ETHER, 6)


def _totals(result: Result) -> None:
    report = result.report
    shocked = (
        "" if report.shock_block is None else f"; shock in block {report.shock_block}, which the venues do not follow"
    )
    say(f"{len(report.liquidations)} liquidated, {report.reverted} reverted, {len(report.skips)} refused{shocked}")
    for reason, count in sorted(Counter(skip.reason.value for skip in report.skips).items()):
        say(f"refused: {count} x {reason}")
    say(f"predicted {report.predicted / WAD:+.6f}, realised {report.realised / WAD:+.6f} after gas and bids")


def _emit(result: Result) -> None:
    report = result.report
    for one in report.liquidations:
        emit({"kind": "liquidation", **result.line(one)})
    for failure in result.failures:
        emit({"kind": "failure", **asdict(failure)})
    for skip in report.skips:
        emit({"kind": "skip", **skipped(skip)})
    record = report.record()
    totals = record["totals"]
    emit({"kind": "totals", **(totals if isinstance(totals, dict) else {}), "shock_block": report.shock_block})
