"""Distances to liquidation, and what-if books of options, told."""

from collections.abc import Sequence
from functools import partial
from math import isfinite
from typing import Any

import numpy as np

from keeper.reports.greeks import Greeks, WhatIf
from keeper.reports.pages.page import Page, Sheet, about, left, money, number, percent, right, short, where
from keeper.reports.pages.paint import LINES, bars
from keeper.reports.snapshot import Snapshot

TERMS = (
    "Delta: what the margin moves when the price moves by all of itself. Distance: how far this price alone has to go.",
    "Acceleration: how much sooner a bent position is insolvent than its delta says. Gap: model less market.",
)


def page(snap: Snapshot, found: Sequence[Greeks]) -> Page:
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
        TERMS,
        [Sheet("nearest turns", columns, rows)],
        records,
        partial(_draw_greeks, snap, found) if near else None,
    )


def _base(snap: Snapshot, value: float) -> str:
    return money(snap, value) if isfinite(value) else ""


def _draw_greeks(snap: Snapshot, found: Sequence[Greeks], figure: Any) -> None:  # noqa: ANN401
    axis = figure.subplots()
    shown = [one for one in found if one.distance is not None][:12]
    names = [f"{short(snap.book.account(one.row))} {snap.name(one.asset)}" for one in shown]
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
    return Page("greeks", "A what-if book of options", headline, TERMS, sheets, [record], partial(_draw_what_if, found))


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
