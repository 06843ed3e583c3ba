"""Urns as lines: the bound the screen relies on.

A column is a column of the book: ink of a collateral is worth its spot price, art costs its rate. With S and R the
lowest spot and the highest rate that can be had (view.py), an urn is unsafe  <=>  ink*S - art*R < 0: exact, so the
only error is that of floats.

Where a price p of the collateral is supposed instead of what the oracle says, spot(p) rounds down twice. With
k = 10^9 * RAY^2 / (par*ratio):  spot(p) >= k*p - RAY/ratio - 1. The weight of ink is factor*p with factor at most k, so

    unsafe  =>  ink*spot(p) < art*R  =>  ink*factor*p - art*R  <  ink * (RAY/ratio + 1)  <=  2^128 * (RAY/ratio + 1).

The factor is S over the token's price (prices.py), or k if that is less: where the next price is known to be lower, the
line is drawn for that one already, and the urn is watched before it is unsafe. An auction is not linear: no line.
"""

from collections.abc import Mapping, Sequence
from math import inf
from typing import Final

import numpy as np

from keeper.core.book import Book
from keeper.core.holdings import holdings
from keeper.core.margin import Column, Exposures, Lines, Weights
from keeper.core.units import RAY, WAD, ZERO_ADDRESS, Address
from keeper.protocols.maker_clip.facts import ART, INK, LOT
from keeper.protocols.maker_clip.maths import BLN
from keeper.protocols.maker_clip.prices import assets
from keeper.protocols.maker_clip.view import View

_SIDE: Final = 3


def exposures(book: Book, row: int) -> Exposures | None:
    """The account's line."""
    line = [(column, -amount if column & _SIDE == ART else amount) for column, amount in book.positions(row)]
    if any(column & _SIDE == LOT for column, _ in line):
        return None
    return line if any(amount < 0 for _, amount in line) else ()


def lines(book: Book) -> Lines:
    """All lines."""
    held = holdings(book, np.arange(len(book)))
    side = held.column & _SIDE
    owes = np.zeros(len(book), bool)
    owes[held.of[side == ART]] = True
    unclear = np.unique(held.of[side == LOT])
    owes[unclear] = False
    counts = owes[held.of]
    amounts = (held.high * 2.0**64 + held.low)[counts]
    return Lines(
        rows=held.of[counts],
        columns=held.column[counts],
        amounts=np.where(side[counts] == ART, -amounts, amounts),
        unclear=unclear.tolist(),
    )


def weights(view: View, columns: Sequence[Column]) -> Weights:
    """The weights of columns at the view's time."""
    prices = {gem: valued.price for gem, valued in assets(view.book).items()}
    found = [_weight(view, column, prices) for column in columns]
    ratios = [terms.ratio for terms in view.book.facts("terms").values()]
    slack = 2.0**128 * (RAY / min(ratios, default=RAY) + 1)
    values = [_value(view, column) for column in columns]
    return Weights([factor for factor, _ in found], [asset for _, asset in found], prices, slack, values)


def _value(view: View, column: int) -> float:
    """What a unit of a column is worth at a price of one, for reports: ink has 18 decimals whatever the token has."""
    worst = view.worst(view.ilks[column >> 2])
    return 0.0 if worst is None else worst[1] / RAY if column & _SIDE == ART else 1 / WAD


def _weight(view: View, column: int, prices: Mapping[Address, int]) -> tuple[float, Address]:
    """Factor and asset of a column."""
    ilk, side = view.ilks[column >> 2], column & _SIDE
    worst = view.worst(ilk)
    if worst is None:
        return inf if side == INK else 0.0, ZERO_ADDRESS  # such an urn cannot be confirmed
    spot, rate = worst
    if side == ART:
        return float(rate), ZERO_ADDRESS
    token = view.book.fact("token", ilk)
    price = prices.get(token.gem) if token else None
    if token is None or price is None:
        return float(spot), ZERO_ADDRESS
    terms = view.book.fact("terms", ilk)
    return min(spot / price, BLN * RAY * RAY / (view.limits.par * terms.ratio)), token.gem
