"""The adaptive-curve interest rate model, as its contract computes it.

Law: signed wads, every product and quotient rounded toward zero, in the contract's order. The rate at the target moves
exponentially with the distance from the target, and what a market is charged is the mean over the time since the last
update by a trapezoid of three points; ``exp`` is two halvings of a second-order series, bit for bit.
"""

from typing import Final

from keeper.core.units import WAD
from keeper.protocols.morpho_blue.facts import State

_YEAR: Final = 365 * 86_400
STEEPNESS: Final = 4 * WAD
SPEED: Final = 50 * WAD // _YEAR
TARGET: Final = 9 * WAD // 10
INITIAL: Final = 4 * WAD // 100 // _YEAR
LEAST: Final = WAD // 1000 // _YEAR
MOST: Final = 2 * WAD // _YEAR
_LN_2: Final = 693_147_180_559_945_309
_LN_WEI: Final = -41_446_531_673_892_822_312
_EXP_BOUND: Final = 93_859_467_695_000_404_319
_EXP_MOST: Final = 57_716_089_161_558_943_949_701_069_502_944_508_345_128_422_502_756_744_429_568


def borrow_rate(state: State, target: int, seconds: int) -> tuple[int, int]:
    """The mean rate a second since the last update, and the rate at the target now. ``target`` is the stored one."""
    error = _error(state)
    if target == 0:
        return _curve(INITIAL, error), INITIAL
    adaptation = _mul(SPEED, error) * seconds
    if adaptation == 0:
        return _curve(target, error), target
    end = _moved(target, adaptation)
    middle = _moved(target, _quotient(adaptation, 2))
    return _curve((target + end + 2 * middle) // 4, error), end


def exp(x: int) -> int:
    """``e^x`` of a wad."""
    if x < _LN_WEI:
        return 0
    if x >= _EXP_BOUND:
        return _EXP_MOST
    half = _LN_2 // 2
    power = _quotient(x - half if x < 0 else x + half, _LN_2)
    rest = x - power * _LN_2
    value = WAD + rest + rest * rest // WAD // 2
    return value << power if power >= 0 else value >> -power


def _error(state: State) -> int:
    """How far utilisation is from the target, in parts of the way there is on that side."""
    used = state.borrow_assets * WAD // state.supply_assets if state.supply_assets > 0 else 0
    return _quotient((used - TARGET) * WAD, WAD - TARGET if used > TARGET else TARGET)


def _curve(rate: int, error: int) -> int:
    steepness = WAD - _quotient(WAD * WAD, STEEPNESS) if error < 0 else STEEPNESS - WAD
    return _mul(_mul(steepness, error) + WAD, rate)


def _moved(rate: int, adaptation: int) -> int:
    return max(min(_mul(rate, exp(adaptation)), MOST), LEAST)


def _mul(a: int, b: int) -> int:
    return _quotient(a * b, WAD)


def _quotient(a: int, b: int) -> int:
    """``a/b`` toward zero, for positive ``b``."""
    return a // b if a >= 0 else -(-a // b)
