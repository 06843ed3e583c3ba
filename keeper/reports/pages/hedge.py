"""What is held, and what should be hedged, told."""

from collections.abc import Sequence
from functools import partial
from typing import Any

import numpy as np

from keeper.reports.hedge import Holding
from keeper.reports.pages.page import Page, Sheet, about, left, money, right, some, tokens, where
from keeper.reports.snapshot import Snapshot

TERMS = (
    "Risk: one standard deviation of the price over the holding time. Cost: of a hedge, as a share of the value.",
    "An intent is said where the risk is above the limit and above the cost; keeper does not trade it.",
)


def page(snap: Snapshot, found: Sequence[Holding], limit: float, seconds: float) -> Page:
    """What is held, and the intents."""
    intents = [one for one in found if one.hedged(limit)]
    risk = sum(one.risk for one in found)
    headline = (
        f"{money(snap, risk)} at risk over {seconds / 60:g} min in {some(len(found), 'holding')}; "
        f"{len(intents)} to hedge"
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
        TERMS,
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
