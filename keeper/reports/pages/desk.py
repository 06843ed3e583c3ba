"""Capacity, hedges, Greeks and exploits, told."""

from collections.abc import Mapping, Sequence
from functools import partial
from math import isfinite
from typing import Any

import numpy as np

from keeper.core.units import Address
from keeper.reports.capacity import Drain, Limits, Spike
from keeper.reports.exploits import MOVES, Attack, Sighting
from keeper.reports.greeks import Greeks, WhatIf
from keeper.reports.hedge import Holding
from keeper.reports.pages.page import Page, Sheet, about, left, money, number, percent, right, tokens, where
from keeper.reports.pages.paint import LINES, bars, plain
from keeper.reports.snapshot import Snapshot

CAPACITY = (
    "A block takes what its gas, the signers' transactions and the budget allow; the best for its gas come first.",
    "Lost to delay: what rivals are expected to take from those who wait, at the given chance a block.",
)
HEDGE = (
    "Risk: one standard deviation of the price over the holding time. Cost: of a hedge, as a share of the value.",
    "An intent is said where the risk is above the limit and above the cost; keeper does not trade it.",
)
GREEKS = (
    "Delta: what the margin moves when the price moves by all of itself. Distance: how far this price alone has to go.",
    "Acceleration: how much sooner a bent position is insolvent than its delta says. Gap: model less market.",
)
EXPLOITS = (
    "A sighting is what blocks hold: a pattern of known exploits, told and never joined in; it is no proof of one.",
    "Cost: at least what is lost by pushing the price down in all pools. Stake: the bonus that this opens.",
)


# capacity ------------------------------------------------------------------------------------------------------------


def capacity(
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
        f"{len(found.jobs)} liquidations, {found.each} a block: {found.blocks} blocks ({found.blocks * seconds} s) to "
        f"clear {money(snap, net, 0)}, of which {money(snap, found.lost, 0)} is lost to delay"
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
    return Page("capacity", f"Capacity, {where(snap)}", headline, CAPACITY, sheets, [record], draw)


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
    figure.suptitle(f"Capacity: {len(found.jobs)} liquidations, {found.each} a block, {where(snap)}")


# hedge ---------------------------------------------------------------------------------------------------------------


def hedge(snap: Snapshot, found: Sequence[Holding], limit: float, seconds: float) -> Page:
    """What is held, and the intents."""
    intents = [one for one in found if one.hedged(limit)]
    risk = sum(one.risk for one in found)
    headline = (
        f"{money(snap, risk)} at risk over {seconds / 60:g} min in {len(found)} holdings; {len(intents)} to hedge"
        if found
        else "nothing is held: nothing to hedge"
    )
    rows = [
        (
            tokens(snap, one.asset, round(one.amount)),
            money(snap, one.value),
            money(snap, one.risk),
            money(snap, one.cost),
            (
                f"{'sell' if one.value > 0 else 'buy'} {tokens(snap, one.asset, abs(round(one.amount)))}"
                if one.hedged(limit)
                else "keep"
            ),
        )
        for one in found
    ]
    records = [
        about(snap)
        | {
            "asset": one.asset,
            "amount": round(one.amount),
            "value_base": round(one.value),
            "risk_base": round(one.risk),
            "cost_base": round(one.cost),
            "hedge": one.hedged(limit),
            "side": "sell" if one.value > 0 else "buy",
        }
        for one in found
    ]
    columns = [*right("held", "value", "risk", "hedge costs"), *left("intent")]
    return Page(
        "hedge",
        f"Inventory at risk, {where(snap)}",
        headline,
        HEDGE,
        [Sheet("holdings", columns, rows)],
        records,
        partial(_draw_hedge, snap, found, limit) if found else None,
    )


def _draw_hedge(snap: Snapshot, found: Sequence[Holding], limit: float, figure: Any) -> None:  # noqa: ANN401
    axis = figure.subplots()
    places = np.arange(len(found))
    for shift, values, style, name in (
        (-0.2, [one.risk for one in found], {"color": "0.35"}, "risk"),
        (0.2, [one.cost for one in found], {"color": "white", "hatch": "///"}, "cost of a hedge"),
    ):
        axis.barh(
            places + shift, [value / snap.base_unit for value in values], 0.38, edgecolor="black", label=name, **style
        )
    axis.axvline(limit / snap.base_unit, color="black", linestyle="--", label="limit")
    axis.set_yticks(places, [snap.name(one.asset) for one in found])
    axis.invert_yaxis()
    axis.set(xlabel="base currency")
    axis.legend(loc="lower center")
    figure.suptitle(f"Inventory at risk, {where(snap)}")


# Greeks --------------------------------------------------------------------------------------------------------------


def greeks(snap: Snapshot, found: Sequence[Greeks]) -> Page:
    """The nearest turns."""
    near = found[0] if found and found[0].distance is not None else None
    headline = (
        "no price turns anybody"
        if near is None
        else (f"nearest: {snap.book.account(near.row)} at {snap.name(near.asset)} {percent(near.distance or 0.0)}")
    )
    rows = [
        (
            snap.book.account(one.row),
            snap.name(one.asset),
            _base(snap, one.buffer),
            _base(snap, one.delta),
            "0" if one.linear else "",
            "none" if one.distance is None else f"{100 * one.distance:+.2f} %",
            "line" if one.linear else "asked",
        )
        for one in found
    ]
    records = [
        about(snap)
        | {
            "account": snap.book.account(one.row),
            "asset": one.asset,
            "linear": one.linear,
            "buffer_base": round(one.buffer) if isfinite(one.buffer) else None,
            "delta_base": round(one.delta) if isfinite(one.delta) else None,
            "gamma": 0 if one.linear else None,
            "distance": None if one.distance is None else round(one.distance, 8),
        }
        for one in found
    ]
    columns = [*left("account", "price"), *right("buffer", "delta", "gamma", "distance"), *left("how")]
    return Page(
        "greeks",
        f"Distance to liquidation, {where(snap)}",
        headline,
        GREEKS,
        [Sheet("nearest turns", columns, rows)],
        records,
        partial(_draw_greeks, snap, found) if near else None,
    )


def _base(snap: Snapshot, value: float) -> str:
    return money(snap, value) if isfinite(value) else ""


def _draw_greeks(snap: Snapshot, found: Sequence[Greeks], figure: Any) -> None:  # noqa: ANN401
    axis = figure.subplots()
    shown = [one for one in found if one.distance is not None][:12]
    names = [f"{snap.book.account(one.row)[:10]} {snap.name(one.asset)}" for one in shown]
    bars(axis, names, [100 * (one.distance or 0.0) for one in shown])
    axis.axvline(0, color="black", linewidth=0.8)
    axis.set(xlabel="move of this price alone to the turn, %")
    figure.suptitle(f"Nearest turns, {where(snap)}")


def what_if(found: WhatIf) -> Page:
    """A book of options that is only supposed."""
    end, book = found.insolvency, found.book
    headline = (
        "no price makes it insolvent"
        if end is None
        else (
            f"insolvent {number(end.distance)} away from {number(book.spot)}; delta alone says {number(end.linear)} "
            f"(acceleration {end.acceleration:.2f})"
        )
    )
    rows = [
        (
            f"{one.leg.size:+g} {one.leg.kind}",
            number(one.leg.strike),
            f"{one.leg.days:g}",
            number(one.mark),
            number(one.option.price),
            "" if one.gap is None else number(one.gap),
            f"{one.option.delta:.4f}",
            f"{one.option.gamma:.6f}",
        )
        for one in found.legs
    ]
    sums: list[tuple[str, ...]] = [
        ("buffer", number(found.buffer)),
        ("delta", f"{found.delta:.4f}"),
        ("gamma", f"{found.gamma:.6f}"),
        ("vega", number(found.vega)),
    ]
    if end is not None:
        sums.append(("hours to one standard deviation", f"{end.hours:,.1f}"))
    record: dict[str, object] = {
        "spot": book.spot,
        "buffer": found.buffer,
        "delta": found.delta,
        "gamma": found.gamma,
        "vega": found.vega,
        "distance": None if end is None else end.distance,
        "linear_distance": None if end is None else end.linear,
        "acceleration": None if end is None else end.acceleration,
        "hours": None if end is None else end.hours,
        "legs": [
            {
                "kind": one.leg.kind,
                "size": one.leg.size,
                "strike": one.leg.strike,
                "mark": one.mark,
                "model": one.option.price,
                "gap": one.gap,
            }
            for one in found.legs
        ],
    }
    columns = right("leg", "strike", "days", "mark", "model", "gap", "delta", "gamma")
    sheets = [Sheet("legs", columns, rows), Sheet("together", [*left("what"), *right("")], sums)]
    return Page(
        "greeks", "A what-if book of options", headline, GREEKS, sheets, [record], partial(_draw_what_if, found)
    )


def _draw_what_if(found: WhatIf, figure: Any) -> None:  # noqa: ANN401
    axis = figure.subplots()
    spot = found.book.spot
    prices = np.linspace(0.4 * spot, 1.8 * spot, 141)
    axis.plot(prices, [found.value(float(price)) for price in prices], color="black", label="left, by the model")
    near = found.buffer + found.delta * (prices - spot)
    axis.plot(prices, near, linestyle=LINES[1], color="black", label="by delta")
    bent = near + found.gamma * (prices - spot) ** 2 / 2
    axis.plot(prices, bent, linestyle=LINES[3], color="black", label="by delta and gamma")
    axis.axhline(0, color="black", linewidth=0.8)
    axis.axvline(spot, color="0.5", linewidth=0.8)
    axis.set(xlabel="price of the underlying", ylabel="equity less maintenance")
    axis.legend(loc="best")
    figure.suptitle("A what-if book of options: distance to insolvency")


# exploits ------------------------------------------------------------------------------------------------------------


def exploits(
    snap: Snapshot, span: tuple[int, int], found: Sequence[Sighting], attacks: Sequence[Attack] | None
) -> Page:
    """``attacks``: none where no depth is known."""
    paying = [one for one in attacks or () if one.pays]
    priced = (
        "cost of moving prices unknown: no depth"
        if attacks is None
        else (f"{len(paying)} price moves would pay for themselves" if paying else "no price move would pay for itself")
    )
    headline = f"{len(found)} sightings in blocks {span[0]} to {span[1]}; {priced}"
    rows = [(f"{one.block}", one.account, one.pattern.value, one.detail) for one in found]
    sheets = [Sheet("sightings", left("block", "account", "pattern", "detail"), rows)]
    shown = list(attacks or ())
    if shown:
        lines = [
            (
                snap.name(one.asset),
                percent(-one.move / 10_000, 0),
                money(snap, one.cost),
                money(snap, one.stake),
                "yes" if one.pays else "no",
            )
            for one in shown
        ]
        sheets.append(Sheet("moving a price", [*left("asset"), *right("move", "cost", "stake"), *left("pays")], lines))
    records: list[dict[str, object]] = [
        about(snap)
        | {"pattern": one.pattern.name.lower(), "account": one.account, "seen_in": one.block, "detail": one.detail}
        for one in found
    ]
    records += [
        about(snap)
        | {
            "asset": one.asset,
            "move_bps": one.move,
            "cost_base": round(one.cost),
            "stake_base": round(one.stake),
            "pays": one.pays,
        }
        for one in shown
    ]
    whole = about(snap) | {"from_block": span[0], "to_block": span[1], "sightings": len(found)}
    return Page(
        "exploits",
        f"Exploit patterns, {where(snap)}",
        headline,
        EXPLOITS,
        sheets,
        [*records, whole],
        partial(_draw_exploits, snap, shown) if shown else None,
    )


def _draw_exploits(snap: Snapshot, shown: Sequence[Attack], figure: Any) -> None:  # noqa: ANN401
    axis = figure.subplots()
    least = min((one.cost for one in shown if one.cost), default=1.0) / snap.base_unit / 10
    assets: list[Address] = sorted({one.asset for one in shown})
    for asset, line in zip(assets, LINES * 4, strict=False):
        costs = {one.move: one.cost / snap.base_unit for one in shown if one.asset == asset}
        stakes = {one.move: one.stake / snap.base_unit for one in shown if one.asset == asset}
        moves = [move / 100 for move in MOVES]
        axis.plot(
            moves,
            [max(costs[move], least) for move in MOVES],
            linestyle=line,
            color="black",
            marker="o",
            label=f"{snap.name(asset)}: cost",
        )
        axis.plot(
            moves,
            [max(stakes[move], least) for move in MOVES],
            linestyle=line,
            color="0.55",
            marker="s",
            label=f"{snap.name(asset)}: stake",
        )
    axis.set(xlabel="fall pushed through all pools, %", ylabel="base currency", yscale="log")
    axis.legend(loc="center left", bbox_to_anchor=(1.0, 0.5), fontsize=8)
    figure.suptitle(f"Moving a price: cost against stake, {where(snap)}")
