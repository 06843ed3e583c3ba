"""Chances and distances in a driftless market: the closed forms that several reports share.

Law: time is in years, volatility is yearly; the price is a martingale: its logarithm drifts by minus half the variance.
"""

from math import erf, exp, inf, log, sqrt
from typing import Final

import numpy as np

from keeper.screen.kernels import Floats

YEAR: Final = 365 * 86_400  # seconds
_TERMS: Final = (0.254829592, -0.284496736, 1.421413741, -1.453152027, 1.061405429)


def normal(x: float) -> float:
    """The standard normal distribution."""
    return 0.5 * (1 + erf(x / sqrt(2)))


def normals(x: Floats) -> Floats:
    """The same of many, within 1e-7 (Abramowitz and Stegun 7.1.26)."""
    z = np.abs(x) / sqrt(2)
    t = 1 / (1 + 0.3275911 * z)
    tail = sum(c * t ** (i + 1) for i, c in enumerate(_TERMS)) * np.exp(-z * z) / 2
    return np.where(x >= 0, 1 - tail, tail)


def touched(factor: Floats, sigma: float, years: float) -> Floats:
    """The chance that a price reaches a factor on today's, above 1 or below, at some time until then."""
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        a = np.log(factor)
        drift, spread = -sigma * sigma / 2, sigma * sqrt(years)
        side = np.where(a > 0, -1.0, 1.0)
        first = normals(side * (a - drift * years) / spread)
        second = np.exp(2 * drift * a / sigma**2) * normals(side * (a + drift * years) / spread)
    return np.where(factor > 0, np.clip(first + second, 0, 1), 0.0)


def chance(now: float, barrier: float, sigma: float, years: float) -> float:
    """The same of one price, exactly."""
    drift, a, spread = -sigma * sigma / 2, log(barrier / now), sigma * sqrt(years)
    side = 1 if a <= 0 else -1
    reflected = exp(2 * drift * a / sigma**2) * normal(side * (a + drift * years) / spread)
    return min(1.0, normal(side * (a - drift * years) / spread) + reflected)


def spread(sigma: float, seconds: float) -> float:
    """One standard deviation of a price over a time, as a share."""
    return sigma * sqrt(seconds / YEAR)


def accrual_days(health: float, borrow_rate: float, supply_rate: float) -> float:
    """Days until interest alone brings a health to 1; rates are yearly, compounded all the time."""
    pace = borrow_rate - supply_rate
    return 365 * log(health) / pace if pace > 0 else inf
