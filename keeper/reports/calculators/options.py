"""Options: prices and Greeks, the way to insolvency, and what margin systems and their auctions ask.

Law: forward price, no interest (Black-76); time in years, volatility yearly; ``call`` is 1 for a call, -1 for a put.
"""

from collections.abc import Sequence
from math import exp, isfinite, log, log1p, pi, sqrt
from typing import NamedTuple

from keeper.reports.odds import normal

HOURS = 8_760


class Option(NamedTuple):
    """One option, priced."""

    price: float
    delta: float
    gamma: float
    vega: float  # for a change of volatility of one
    theta: float  # for a year


def black76(forward: float, strike: float, years: float, sigma: float, call: int) -> Option:
    """Model price and Greeks."""
    spread = sigma * sqrt(years)
    if spread <= 0:
        worth = max(call * (forward - strike), 0.0)
        return Option(worth, float(call) if worth else 0.0, 0.0, 0.0, 0.0)
    d1 = (log(forward / strike) + spread * spread / 2) / spread
    density = exp(-d1 * d1 / 2) / sqrt(2 * pi)
    price = call * (forward * normal(call * d1) - strike * normal(call * (d1 - spread)))
    gamma = density / (forward * spread)
    return Option(price, call * normal(call * d1), gamma, forward * density * sqrt(years),
                  -forward * density * sigma / (2 * sqrt(years)))  # fmt: skip


def svi(strike: float, forward: float, years: float, shape: Sequence[float]) -> float:
    """Volatility of a strike on a raw SVI smile: a, b, rho, m, sigma of total variance."""
    a, b, rho, m, sigma = shape
    k = log(strike / forward) - m
    return sqrt(max(a + b * (rho * k + sqrt(k * k + sigma * sigma)), 0.0) / years)


def gap(model: float, bid: float | None, ask: float | None, limit: float) -> tuple[float, float | None]:
    """The mark and the model's distance from it. Without a quote, or with too wide a one, the model marks."""
    if bid is None or ask is None or ask <= 0 or (ask - bid) / ask > limit:
        return model, None
    middle = (bid + ask) / 2
    return middle, model - middle


class Insolvency(NamedTuple):
    """How far the price is from eating up a buffer."""

    distance: float  # of price, against the position
    linear: float  # what delta alone says
    acceleration: float
    hours: float  # in which one standard deviation goes that far


def insolvency(buffer: float, delta: float, gamma: float, spot: float, sigma: float) -> Insolvency | None:
    """The nearest price at which ``buffer + delta x + gamma x^2 / 2`` is nothing; ``None``: there is none."""
    roots = [x for x in _roots(buffer, delta, gamma) if x > -spot]
    if not roots:
        return None
    x = min(roots, key=abs)
    linear = buffer / abs(delta) if delta else float("inf")
    return Insolvency(abs(x), linear, linear / abs(x) if x else 1.0, HOURS * (log1p(x / spot) / sigma) ** 2)


def _roots(buffer: float, delta: float, gamma: float) -> list[float]:
    if not gamma:
        return [-buffer / delta] if delta else []
    under = delta * delta - 2 * gamma * buffer
    if under < 0:
        return []
    return [x for sign in (1, -1) if isfinite(x := (-delta + sign * sqrt(under)) / gamma)]


# margin systems ------------------------------------------------------------------------------------------------------


def deribit_short_call(spot: float, strike: float, price: float) -> tuple[float, float]:
    """Initial and maintenance margin of a short call, in the coin like ``price``, as Deribit's documents had it."""
    out = max(strike - spot, 0.0) / spot
    return max(0.15 - out, 0.1) + price, 0.075 + price


def naked_put(strike: float, spot: float, shock: float, upper: float) -> float:
    """Gamma: collateral that a short put needs; the spot may fall to ``shock`` of itself, ``upper`` is by time left."""
    return upper * min(strike, shock * spot) + max(strike - shock * spot, 0.0)


def vault_auction(posted: float, cash: float, deviation: float, spot: float, seconds: float, whole: float) -> float:
    """Gamma: what a liquidator gets an oToken, from nearly its cash value up to all that was posted."""
    start = max(cash - deviation * spot, 0.0)
    return start + (posted - start) * min(max(seconds / whole, 0.0), 1.0)


class Share(NamedTuple):
    """A part of an account in auction."""

    fraction: float
    paid: float
    worth: float


def solvent_auction(mm: float, mtm: float, buffer: float, discount: float, reserved: float = 0.0) -> Share:
    """Derive: the largest part that may be bid for, and what it costs: the portfolio at a discount."""
    bm = mm + (mm - mtm) * buffer
    fraction = bm / (bm - mtm * discount - reserved * (1 - discount))
    return Share(fraction, fraction * mtm * discount, fraction * mtm)


def insolvent_auction(mtm: float, mm: float, progress: float) -> float:
    """Derive: what a liquidator is paid to take an account that is worth less than nothing."""
    return -(mtm + (mm - mtm) * min(max(progress, 0.0), 1.0))


def panoptic_bonus(balance: float, required: float) -> float:
    """Half of what is there, but no more than is missing."""
    return min(balance / 2, required - balance)
