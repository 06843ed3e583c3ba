"""The cascade as rounds, and as the price path with what is sold in each."""

from functools import partial
from typing import Any

from keeper.core.units import Address
from keeper.reports.cascade import Cascade, Round
from keeper.reports.pages.page import Page, Sheet, about, left, money, percent, right, some, tokens, where
from keeper.reports.pages.paint import plain
from keeper.reports.snapshot import Snapshot

TERMS = (
    "A round: prices and pools fall, whoever is below 1 is liquidated, the seized is sold, pools give the next prices.",
    "Amplification: the whole fall as a multiple of the shock. Stuck: liquidatable, but no pool takes the collateral.",
)
DRAWN = 4  # assets in the picture


def page(snap: Snapshot, found: Cascade) -> Page:
    """The whole story of one shock."""
    asset = max(found.shock, key=lambda one: (found.sold(one) * snap.price(one), one))
    name, path = snap.name(asset), found.path(asset)
    headline = (
        f"{name} {percent(1 - path[1] / path[0])} down becomes {percent(1 - path[-1] / path[0])} "
        f"(amplification {found.amplification(asset):.2f}): {some(len(found.sales), 'liquidation')} in "
        f"{some(sum(1 for one in found.rounds if one.sales), 'round')}, bad debt {money(snap, bad_debt(snap, found))}"
    )
    rows = [_row(snap, asset, number, one) for number, one in enumerate(found.rounds, start=1)]
    rounds = Sheet("rounds", right("round", name, "liquidated", "repaid", "seized", "bad debt", "stuck"), rows)
    sold = [
        (
            snap.name(one), tokens(snap, one, found.sold(one)),
            *(money(snap, found.path(one)[at]) for at in (0, 1, -1)), f"{found.amplification(one):.2f}",
        )
        for one in _assets(snap, found)
    ]  # fmt: skip
    columns = [*left("asset"), *right("sold", "price before", "shocked", "at the end", "amplification")]
    how = "" if found.exact else "; accounts are closed whole"
    return Page(
        "cascade", f"Cascade, {where(snap)}{how}", headline, TERMS,
        [rounds, Sheet("assets", columns, sold)], _records(snap, found), partial(_draw, snap, found),
    )  # fmt: skip


def bad_debt(snap: Snapshot, found: Cascade) -> int:
    """What is written off or can never be paid, in base units, at the prices before."""
    off = sum(sale.bad_debt * snap.price(sale.debt_asset) // snap.assets[sale.debt_asset].unit for sale in found.sales)
    return off + found.shortfall


def _assets(snap: Snapshot, found: Cascade) -> list[Address]:
    moved = {*found.shock, *(sale.collateral_asset for sale in found.sales)}
    return sorted(moved, key=lambda one: (-found.sold(one) * snap.price(one) / snap.assets[one].unit, one))


def _loose(snap: Snapshot, found: Cascade) -> list[Address]:
    return [asset for asset in _assets(snap, found) if asset not in snap.pegged or asset in found.shock]


def _worth(snap: Snapshot, one: Round, asset: Address, amount: int) -> int:
    return amount * one.prices.get(asset, snap.price(asset)) // snap.assets[asset].unit


def _sums(snap: Snapshot, one: Round) -> tuple[int, int, int]:
    """Repaid, seized and written off in a round, in base units at its prices."""
    return (
        sum(_worth(snap, one, sale.debt_asset, sale.repaid) for sale in one.sales),
        sum(_worth(snap, one, sale.collateral_asset, sale.seized) for sale in one.sales),
        sum(_worth(snap, one, sale.debt_asset, sale.bad_debt) for sale in one.sales),
    )


def _row(snap: Snapshot, asset: Address, number: int, one: Round) -> tuple[str, ...]:
    sums = (money(snap, amount) for amount in _sums(snap, one))
    return f"{number}", money(snap, one.prices[asset]), f"{len(one.sales)}", *sums, f"{len(one.stuck)}"


def _records(snap: Snapshot, found: Cascade) -> list[dict[str, object]]:
    rounds = [
        about(snap)
        | {
            "round": number,
            "prices": {asset: one.prices[asset] for asset in _assets(snap, found)},
            "repaid_base": sums[0],
            "seized_base": sums[1],
            "bad_debt_base": sums[2],
            "accounts": [sale.account for sale in one.sales],
            "sales": [
                {
                    "account": sale.account, "collateral_asset": sale.collateral_asset, "debt_asset": sale.debt_asset,
                    "repaid": sale.repaid, "seized": sale.seized, "sold_for": sale.route.amount_out,
                    "bad_debt": sale.bad_debt,
                }
                for sale in one.sales
            ],
            "stuck": [snap.book.account(row) for row in one.stuck],
        }
        for number, one in enumerate(found.rounds, start=1)
        for sums in (_sums(snap, one),)
    ]  # fmt: skip
    whole = about(snap) | {
        "rounds": len(found.rounds),
        "sold": {asset: found.sold(asset) for asset in _assets(snap, found)},
        "amplification": {asset: round(found.amplification(asset), 6) for asset in _assets(snap, found)},
        "bad_debt_base": bad_debt(snap, found),
        "shortfall_base": found.shortfall,
        "exact": found.exact,
    }
    return [*rounds, whole]


def _draw(snap: Snapshot, found: Cascade, figure: Any) -> None:  # noqa: ANN401
    top, bottom = figure.subplots(2, 1, sharex=True, height_ratios=[1.6, 1])
    places = range(len(found.rounds) + 1)
    for line, asset in zip(("-", "--", "-.", ":"), _loose(snap, found)[:DRAWN], strict=False):
        path = [100 * price / found.path(asset)[0] for price in found.path(asset)]
        top.step(places, path, line, color="black", where="post", marker="o", markersize=4, label=snap.name(asset))
    top.set(ylabel="price, % of before")
    top.legend(loc="lower left")
    sums = [_sums(snap, one) for one in found.rounds]
    for place, name, shift, style in ((0, "repaid", -0.2, "0.25"), (1, "seized and sold", 0.2, "0.8")):
        heights = [one[place] / snap.base_unit for one in sums]
        bottom.bar([at + shift for at in places[1:]], heights, 0.38, color=style, edgecolor="black", label=name)
    bottom.set(ylabel="base currency", xlabel="round (0: before the shock)")
    bottom.set_xticks(list(places))
    bottom.legend(loc="upper right")
    plain(bottom.yaxis)
    figure.suptitle(f"Cascade, {where(snap)}")
