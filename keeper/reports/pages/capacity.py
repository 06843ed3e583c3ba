"""Capacity, told: what is cleared block by block."""

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

from keeper.reports.capacity import Drain, Limits, Spike
from keeper.reports.pages.page import Page, Sheet, about, left, money, right, some, where
from keeper.reports.pages.paint import plain
from keeper.reports.snapshot import Snapshot

TERMS = (
    "A block takes what its gas, the signers' transactions and the budget allow; the best for its gas come first.",
    "Lost to delay: what rivals are expected to take from those who wait, at the given chance a block.",
)


def page(
    snap: Snapshot,
    found: Drain,
    limits: Limits,
    spikes: Sequence[Spike],
    took: Mapping[str, tuple[float, float]],
    seconds: int,
) -> Page:
    """``took``: seconds of each step, 50th and 95th percentile; ``seconds``: of a block."""
    net = sum(found.nets)
    headline = (
        f"{some(len(found.jobs), 'liquidation')}, {found.each} a block: {some(found.blocks, 'block')} "
        f"({found.blocks * seconds} s) to clear {money(snap, net, 0)}, of which {money(snap, found.lost, 0)} "
        "is lost to delay"
    )
    facts = [
        ("not worth their gas", f"{found.dear}"),
        ("beyond the budget", f"{found.unpaid}"),
        ("signers", f"{limits.signers}"),
        ("gas of one", f"{limits.gas:,}"),
        ("gas of a block", f"{limits.block_gas:,}"),
        ("cost of one", money(snap, limits.cost)),
    ]
    rows = [(f"x{one.times}", money(snap, one.cutoff), f"{one.left}") for one in spikes]
    sheets = [
        Sheet("limits", [*left("what"), *right("")], facts),
        Sheet("when gas is dearer", right("gas price", "least bonus", "liquidations that pay"), rows),
    ]
    if took:
        steps = [(name, f"{1000 * half:.2f}", f"{1000 * most:.2f}") for name, (half, most) in took.items()]
        sheets.append(Sheet("from event to decision, ms", [*left("step"), *right("p50", "p95")], steps))
    record: dict[str, object] = about(snap) | {
        "liquidations": len(found.jobs),
        "each_block": found.each,
        "blocks": found.blocks,
        "seconds": found.blocks * seconds,
        "net_base": round(net),
        "lost_to_delay_base": round(found.lost),
        "not_worth_gas": found.dear,
        "beyond_budget": found.unpaid,
        "cost_each_base": round(limits.cost),
        "spikes": [{"times": s.times, "cutoff_base": round(s.cutoff), "left": s.left} for s in spikes],
        "latency_s": {name: {"p50": half, "p95": most} for name, (half, most) in took.items()},
    }
    draw = partial(_draw_capacity, snap, found) if found.jobs else None
    return Page("capacity", f"Capacity, {where(snap)}", headline, TERMS, sheets, [record], draw)


def _draw_capacity(snap: Snapshot, found: Drain, figure: Any) -> None:  # noqa: ANN401
    axis = figure.subplots()
    cleared = [0.0, *(net / snap.base_unit for net in found.cleared())]
    axis.step(
        range(len(cleared)), cleared, color="black", where="post", marker="o", label="cleared, if nobody interferes"
    )
    axis.axhline(
        (sum(found.nets) - found.lost) / snap.base_unit, color="black", linestyle="--", label="expected with rivals"
    )
    axis.set(xlabel="blocks", ylabel="net, base currency", ylim=(0, None))
    axis.legend(loc="lower right")
    plain(axis.yaxis)
    axis.xaxis.get_major_locator().set_params(integer=True)
    figure.suptitle(f"Capacity: {some(len(found.jobs), 'liquidation')}, {found.each} a block, {where(snap)}")
