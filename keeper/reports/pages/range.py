"""A range of blocks told: what was missed and why, and what a replay would have done."""

from collections import Counter
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

from keeper.core.units import WAD, Address
from keeper.reports.missed import Judged, Seen, Verdict, capture
from keeper.reports.pages.page import Page, Sheet, left, percent, right, some
from keeper.reports.pages.paint import bars
from keeper.reports.replay import Contest, Decision, promised, reached

MISSED = (
    "Outbid: ours was on its way. Unprofitable, refused: see the reason. Late: seen when gone. Unseen: never noted.",
    "Bonus: what was seized less what was repaid, at the prices of the block shown, in the market's base currency.",
)
REPLAY = (
    "Planned: for the very block in which it happened keeper would have sent a plan, priced on that block's parent.",
    "The replay asks the recording what the keeper asked the chain; two replays are the same to the byte.",
)
NONE = "no liquidation in the range"


def missed(
    span: tuple[int, int], found: Sequence[Judged], names: Mapping[Address, str], units: Mapping[Address, int]
) -> Page:
    """``units``: the base unit of each market."""
    share = capture(found)
    counts = Counter(one.verdict for one in found)
    told = ", ".join(f"{verdict.value} {counts[verdict]}" for verdict in Verdict if counts[verdict])
    headline = NONE if share is None else f"captured {percent(share, 0)} of {some(len(found), 'liquidation')}: {told}"
    columns = [*left("block", "account", "verdict"), *right("bonus", "net, ETH"), *left("pair", "liquidator", "reason")]
    rows = [_missed_row(one, names, units) for one in found]
    records = [_missed_record(one) for one in found]
    whole: dict[str, object] = {
        "from_block": span[0], "to_block": span[1], "liquidations": len(found),
        "capture": None if share is None else round(share, 6),
        "verdicts": {verdict.value: counts[verdict] for verdict in Verdict if counts[verdict]},
        "missed_bonus_base": sum(one.seen.bonus or 0 for one in found if one.verdict is not Verdict.OURS),
    }  # fmt: skip
    title = f"Liquidations in blocks {span[0]} to {span[1]}"
    return Page(
        "missed", title, headline, MISSED, [Sheet("all", columns, rows)], [*records, whole],
        partial(_draw_missed, title, counts, found, units) if found else None,
    )  # fmt: skip


def _missed_row(one: Judged, names: Mapping[Address, str], units: Mapping[Address, int]) -> tuple[str, ...]:
    what = one.seen.what
    bonus = "" if one.seen.bonus is None else f"{one.seen.bonus / units[one.seen.market]:,.2f}"
    net = "" if one.net is None else f"{one.net / WAD:+.6f}"
    who = f"{what.block}", what.account, one.verdict.value
    return (*who, bonus, net, _pair(one.seen, names), what.liquidator, one.reason)


def _pair(seen: Seen, names: Mapping[Address, str]) -> str:
    what = seen.what
    return "/".join(names.get(asset, asset[:10]) for asset in (what.collateral_asset, what.debt_asset))


def _seen_record(seen: Seen) -> dict[str, object]:
    what = seen.what
    return {
        "protocol": seen.protocol, "market": seen.market, "block": what.block, "tx": what.tx, "account": what.account,
        "collateral_asset": what.collateral_asset, "debt_asset": what.debt_asset, "repaid": what.repaid,
        "seized": what.seized, "liquidator": what.liquidator,
    }  # fmt: skip


def _missed_record(one: Judged) -> dict[str, object]:
    more = {"verdict": one.verdict.value, "reason": one.reason, "bonus_base": one.seen.bonus, "net_wei": one.net}
    return _seen_record(one.seen) | more


def _draw_missed(
    title: str, counts: Mapping[Verdict, int], found: Sequence[Judged], units: Mapping[Address, int], figure: Any,  # noqa: ANN401
) -> None:  # fmt: skip
    one, other = figure.subplots(1, 2, sharey=True)
    shown = [verdict for verdict in Verdict if counts[verdict]]
    bonus = [
        sum((j.seen.bonus or 0) / units[j.seen.market] for j in found if j.verdict is verdict) for verdict in shown
    ]
    bars(one, [verdict.value for verdict in shown], [float(counts[verdict]) for verdict in shown])
    one.set(xlabel="liquidations", title="How many")
    one.xaxis.get_major_locator().set_params(integer=True)
    bars(other, [verdict.value for verdict in shown], bonus, hatch="///")
    other.set(xlabel="bonus, base currency", title="What they were worth")
    figure.suptitle(title)


# replay --------------------------------------------------------------------------------------------------------------


def replay(
    span: tuple[int, int], found: Sequence[Contest], alone: Sequence[Decision], names: Mapping[Address, str]
) -> Page:
    """Against the actual winners, and what nobody took."""
    share, nets = reached(found), promised(found)
    headline = NONE if share is None else (
        f"would have had a plan in time for {percent(share, 0)} of {some(len(found), 'liquidation')}, promising "
        f"{sum(nets.values()) / WAD:+.6f} ETH; {len(alone)} accounts were planned that nobody took"
    )  # fmt: skip
    columns = [*left("block", "account", "verdict"), *right("net, ETH", "planned since"), *left("pair", "winner")]
    records = [_seen_record(one.seen) | _decided(one) for one in found]
    extra = [
        {"market": one.who[0], "account": one.who[1], "first_planned": one.block, "verdict": "planned, taken by nobody",
         "net_wei": one.plan.estimate.net, "opportunity_id": one.plan.opportunity_id}
        for one in alone if one.plan
    ]  # fmt: skip
    whole: dict[str, object] = {
        "from_block": span[0], "to_block": span[1], "liquidations": len(found),
        "reached": None if share is None else round(share, 6), "promised_wei": sum(nets.values()), "alone": len(alone),
    }  # fmt: skip
    sheets = [Sheet("against the winners", columns, [_contest(one, names) for one in found])]
    if alone:
        rows = [(f"{one.block}", one.who[1], f"{one.plan.estimate.net / WAD:+.6f}") for one in alone if one.plan]
        sheets.append(Sheet("planned, taken by nobody", [*left("first", "account"), *right("net, ETH")], rows))
    title = f"Replay of blocks {span[0]} to {span[1]}"
    draw = partial(_draw_replay, title, found) if found else None
    return Page("replay", title, headline, REPLAY, sheets, [*records, *extra, whole], draw)


def _decided(one: Contest) -> dict[str, object]:
    plan = one.decided.plan if one.decided else None
    return {
        "verdict": one.verdict,
        "term": one.decided.term if one.decided else "",
        "net_wei": plan.estimate.net if plan else None,
        "legs": len(plan.legs) if plan else None,
        "opportunity_id": plan.opportunity_id if plan else None,
        "first_planned": one.first,
    }


def _contest(one: Contest, names: Mapping[Address, str]) -> tuple[str, ...]:
    plan, what = (one.decided.plan if one.decided else None), one.seen.what
    net = f"{plan.estimate.net / WAD:+.6f}" if plan else ""
    since = "" if one.first is None else f"{one.first}"
    return f"{what.block}", what.account, one.verdict, net, since, _pair(one.seen, names), what.liquidator


def _draw_replay(title: str, found: Sequence[Contest], figure: Any) -> None:  # noqa: ANN401
    axis = figure.subplots()
    counts = Counter(one.verdict for one in found)
    bars(axis, list(counts), [float(count) for count in counts.values()])
    axis.set(xlabel="liquidations in the range")
    axis.xaxis.get_major_locator().set_params(integer=True)
    figure.suptitle(title)
