"""Exposure, toxicity and the cost of selling, told."""

from collections.abc import Sequence
from functools import partial
from math import isfinite
from typing import Any

from keeper.core.units import WAD, Address, Bps
from keeper.estimator.costs import SaleCost
from keeper.reports.pages.page import Page, Sheet, about, drawn, left, money, percent, right, tokens, where
from keeper.reports.pages.paint import bars, plain
from keeper.reports.sides import Exposure, Exposures, Toxicity
from keeper.reports.snapshot import Snapshot

EXPOSURE = (
    "Long: collateral moves, debt does not. Short: the other way round. Carry: both move. Stable: neither does.",
    "Leverage: collateral for a unit of what is the account's own. Net: owned less owed, what the asset's price moves.",
)
TOXICITY = (
    "Toxic: liquidating makes the rest worse, because the sale costs what is left more than it repays.",
    "Bad debt: what nothing pays for when all is sold at once. Two steps: what two calls would repay beyond one.",
)
MOST = 8  # assets in a picture
Point = tuple[SaleCost, Bps | None]  # with the bonus that breaks even, in basis points


# exposure ------------------------------------------------------------------------------------------------------------


def exposure(snap: Snapshot, found: Exposures, limit: int) -> Page:
    """Everybody together, then the largest accounts."""
    net = {asset: found.owned.get(asset, 0.0) - found.owed.get(asset, 0.0) for asset in {**found.owned, **found.owed}}
    total = sum(found.owned.values()), sum(found.owed.values())
    headline = (
        f"{money(snap, total[0], 0)} of collateral against {money(snap, total[1], 0)} of debt; the largest ten owe "
        f"{percent(found.concentration, 1)} of it"
    )
    rows = [
        (snap.name(asset), money(snap, found.owned.get(asset, 0)), money(snap, found.owed.get(asset, 0)),
         money(snap, net[asset]), percent(found.owned.get(asset, 0) / (total[0] or 1), 1))
        for asset in sorted(net, key=lambda one: -abs(net[one]))
    ]  # fmt: skip
    assets = Sheet("by asset", [*left("asset"), *right("collateral", "debt", "net", "of collateral")], rows)
    columns = [*left("account", "is"), *right("collateral", "debt", "leverage"), *left("net")]
    accounts = Sheet("largest debts", columns, [_account(snap, one) for one in found.accounts[:limit]])
    records = [_exposed(snap, one) for one in found.accounts]
    return Page(
        "exposure", f"Exposure, {where(snap)}", headline, EXPOSURE, [assets, accounts], records,
        partial(_draw_exposure, snap, found),
    )  # fmt: skip


def named(snap: Snapshot, one: Exposure) -> str:
    """The label with what it is about."""
    nets = sorted(one.net.items(), key=lambda pair: -pair[1])
    up, down = [a for a, v in nets if v > 0 and a in snap.loose], [a for a, v in nets if v < 0 and a in snap.loose]
    match one.label:
        case "long" if up:
            return f"long {snap.name(up[0])}"
        case "short" if down:
            return f"short {snap.name(down[-1])}"
        case "carry" if up and down:
            return f"carry {snap.name(up[0])}/{snap.name(down[-1])}"
    return one.label


def _account(snap: Snapshot, one: Exposure) -> tuple[str, ...]:
    net = ", ".join(f"{snap.name(asset)} {money(snap, value, 0)}" for asset, value in _by_size(one))
    shown = f"{one.leverage:.2f}x" if isfinite(one.leverage) else "insolvent"
    return snap.book.account(one.row), named(snap, one), money(snap, one.collateral), money(snap, one.debt), shown, net


def _by_size(one: Exposure) -> Sequence[tuple[Address, float]]:
    return sorted(one.net.items(), key=lambda pair: -abs(pair[1]))


def _exposed(snap: Snapshot, one: Exposure) -> dict[str, object]:
    return about(snap) | {
        "account": snap.book.account(one.row), "label": one.label, "named": named(snap, one),
        "collateral_base": round(one.collateral), "debt_base": round(one.debt),
        "leverage": round(one.leverage, 4) if isfinite(one.leverage) else None,
        "net_base": {asset: round(value) for asset, value in one.net.items()},
    }  # fmt: skip


def _draw_exposure(snap: Snapshot, found: Exposures, figure: Any) -> None:  # noqa: ANN401
    one, other = figure.subplots(1, 2, width_ratios=[1.3, 1])
    nets = {asset: found.owned.get(asset, 0) - found.owed.get(asset, 0) for asset in {**found.owned, **found.owed}}
    chosen = sorted(nets, key=lambda asset: -abs(nets[asset]))[:MOST]
    bars(one, [snap.name(asset) for asset in chosen], [nets[asset] / snap.base_unit for asset in chosen])
    one.axvline(0, color="black", linewidth=0.8)
    one.set(xlabel="owned less owed, base currency", title="Net by asset")
    kinds: dict[str, float] = {}
    for account in found.accounts:
        kinds[account.label] = kinds.get(account.label, 0.0) + account.debt / snap.base_unit
    pairs = drawn(kinds.items(), MOST)
    bars(other, [name for name, _ in pairs], [value for _, value in pairs], hatch="///")
    other.set(xlabel="debt, base currency", title="What accounts are")
    plain(one.xaxis, other.xaxis)
    figure.suptitle(f"Exposure, {where(snap)}")


# toxicity ------------------------------------------------------------------------------------------------------------


def toxicity(snap: Snapshot, found: Sequence[Toxicity], below: float, limit: int) -> Page:
    """Accounts near the edge, the most toxic first."""
    toxic = [one for one in found if one.toxic]
    bad = sum(one.bad_debt for one in found)
    headline = (
        f"{len(toxic)} of {len(found)} accounts below {below:g} are toxic; selling all of them at once leaves "
        f"{money(snap, bad)} of bad debt"
    )
    columns = [
        *left("account", "collateral"), *right("health", "loan to value", "bound", "bad debt", "two steps"),
        *left("flags"),
    ]  # fmt: skip
    rows = [_toxic(snap, one) for one in found[:limit]]
    records = [
        about(snap)
        | {
            "account": snap.book.account(one.row), "asset": one.asset, "collateral_base": round(one.collateral),
            "debt_base": round(one.debt), "ltv": round(one.ltv, 6) if isfinite(one.ltv) else None,
            "bound": round(one.bound, 6), "toxic": one.toxic, "bad_debt_likely": one.bad_debt > 0,
            "bad_debt_base": round(one.bad_debt), "two_step_gain_bps": one.steps.gain,
        }
        for one in found
    ]  # fmt: skip
    return Page(
        "toxicity", f"Toxicity, {where(snap)}", headline, TOXICITY, [Sheet(f"health below {below:g}", columns, rows)],
        records, partial(_draw_toxicity, snap, found) if found else None,
    )  # fmt: skip


def _toxic(snap: Snapshot, one: Toxicity) -> tuple[str, ...]:
    flags = [name for name, on in (("toxic", one.toxic), ("bad_debt_likely", one.bad_debt > 0)) if on]
    return (
        snap.book.account(one.row), snap.name(one.asset) if one.asset else "", f"{one.health:.4f}", f"{one.ltv:.4f}",
        f"{one.bound:.4f}", money(snap, one.bad_debt), percent(one.steps.gain / 10_000), " ".join(flags),
    )  # fmt: skip


def _draw_toxicity(snap: Snapshot, found: Sequence[Toxicity], figure: Any) -> None:  # noqa: ANN401
    axis = figure.subplots()
    for toxic, marker, face, name in ((False, "o", "white", "liquidating helps"), (True, "X", "black", "toxic")):
        chosen = [one for one in found if one.toxic is toxic and isfinite(one.ltv)]
        axis.scatter(
            [one.debt / snap.base_unit for one in chosen], [one.ltv - one.bound for one in chosen], marker=marker,
            facecolor=face, edgecolor="black", label=f"{name} ({len(chosen)})",
        )  # fmt: skip
    axis.axhline(0, color="black", linewidth=0.8)
    axis.annotate(
        "the bound", (0.99, 0), (0, 3), xycoords=("axes fraction", "data"), textcoords="offset points", ha="right"
    )
    axis.set_xscale("log")
    axis.set(xlabel="debt, base currency", ylabel="loan to value less the bound")
    axis.legend(loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=2)
    figure.suptitle(f"Toxicity of accounts near the edge, {where(snap)}")


# costs ---------------------------------------------------------------------------------------------------------------

COSTS = (
    "Value at the oracle price = pool fees + impact + proceeds. Capacity: the largest sale that the bonus pays.",
    "Break-even: the bonus at which a liquidation of this size earns nothing after its gas.",
)


def costs(snap: Snapshot, assets: tuple[Address, Address], points: Sequence[Point], most: int, bonus: float) -> Page:
    """The curve of one pair: what is sold, and what it is sold for."""
    sold, bought = assets
    unit = snap.price(snap.native) / WAD if snap.native else 0.0
    headline = f"capacity at a bonus of {percent(bonus, 1)}: {tokens(snap, sold, most)}"
    rows = [
        (tokens(snap, sold, one.amount), *(money(snap, wei * unit) for wei in one[1:]),
         percent(one.bps / 10_000), "none is enough" if even is None else percent(even / 10_000))
        for one, even in points
    ]  # fmt: skip
    columns = right("sold", "value", "pool fees", "impact", "proceeds", "lost", "break-even bonus")
    records = [
        about(snap)
        | {
            "sold": sold, "bought": bought, "amount": one.amount, "value_wei": one.value,
            "venue_fee_wei": one.venue_fee,
            "impact_wei": one.impact, "proceeds_wei": one.proceeds, "lost_bps": one.bps, "break_even_bps": even,
            "capacity": most,
        }
        for one, even in points
    ]  # fmt: skip
    title = f"{snap.name(sold)} into {snap.name(bought)}"
    return Page(
        "costs", f"Cost of selling {title}, {where(snap)}", headline, COSTS, [Sheet(title, columns, rows)], records,
        partial(_draw_costs, snap, assets, points, most, bonus),
    )  # fmt: skip


def _draw_costs(
    snap: Snapshot, assets: tuple[Address, Address], points: Sequence[Point], most: int,
    bonus: float, figure: Any,  # noqa: ANN401
) -> None:  # fmt: skip
    axis = figure.subplots()
    unit = snap.assets[assets[0]].unit
    sizes = [one.amount / unit for one, _ in points]
    fees = [100 * one.venue_fee / one.value for one, _ in points]
    lost = [100 * (one.value - one.proceeds) / one.value for one, _ in points]
    axis.fill_between(sizes, 0, fees, facecolor="0.85", edgecolor="black", label="pool fees")
    axis.fill_between(sizes, fees, lost, facecolor="0.6", edgecolor="black", label="impact")
    even = [(size, point / 100) for size, (_, point) in zip(sizes, points, strict=True) if point is not None]
    if even:
        axis.plot(*zip(*even, strict=True), "--", color="black", label="break-even bonus, with gas")
    axis.axhline(100 * bonus / (1 + bonus), color="black", linewidth=0.9, label=f"all of a bonus of {100 * bonus:g} %")
    axis.axvline(most / unit, color="black", linestyle=":", label=f"capacity {most / unit:,.4g}")
    axis.set(
        xscale="log", xlabel=f"{snap.name(assets[0])} sold at once", ylabel="lost, % of value",
        ylim=(0, max(2 * 100 * bonus, 10)), xlim=(sizes[0], sizes[-1]),
    )  # fmt: skip
    axis.legend(loc="upper left")
    figure.suptitle(f"Cost of selling {snap.name(assets[0])} into {snap.name(assets[1])}, {where(snap)}")
