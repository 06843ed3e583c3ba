"""When an account of an Aave market is next worth a look: at which price of an asset, and at which time.

Law: whether an account is below 1 is asked of the exact judge, never computed here; floats only say where to ask first.
A trigger is the first price, or the first second, at which it is; one unit before it is not. Interest is followed up to
``HORIZON``, at today's rates: somebody will have changed them by then.
"""

from collections.abc import Callable, Iterator
from math import isfinite
from typing import Final

from keeper.core.book import Book
from keeper.core.outlook import Trigger, TriggerKind
from keeper.core.units import MAX_U128, ZERO_ADDRESS, Address, Timestamp
from keeper.protocols.aave_v3.confirm import Confirm
from keeper.protocols.aave_v3.exposure import exposures, weights
from keeper.protocols.aave_v3.view import View

HORIZON: Final = 365 * 86_400  # seconds
_FIRST: Final = 1 << 30  # the first step away from a guess is one part in so many of it
Below = Callable[[int], bool]


def triggers(view: View, book: Book, row: int) -> Iterator[Trigger]:
    """Of an account above 1: the price of each asset that brings it below, and when interest does. Else nothing."""
    line, judge = exposures(book, row), Confirm(view)
    if not line or judge.below(book, [row], {}):
        return
    known = weights(view, [column for column, _ in line])
    terms = [amount * factor for (_, amount), factor in zip(line, known.factors, strict=True)]
    if not all(map(isfinite, terms)):
        return
    margin = sum(term * known.prices.get(asset, 1) for term, asset in zip(terms, known.assets, strict=True))
    slopes: dict[Address, float] = {}
    for term, asset in zip(terms, known.assets, strict=True):
        slopes[asset] = slopes.get(asset, 0.0) + term
    for asset, slope in slopes.items():
        if asset != ZERO_ADDRESS and slope and (price := known.prices.get(asset)):
            yield from _price(book, row, judge, asset, price, price - margin / slope, rising=slope < 0)
    at = _first(lambda after: bool(Confirm(View(book, Timestamp(view.at + after))).below(book, [row], {})), HORIZON)
    if at is not None:
        yield Trigger(TriggerKind.TIME, view.at + at, "interest")


def _price(
    book: Book, row: int, judge: Confirm, asset: Address, price: int, guess: float, *, rising: bool
) -> Iterator[Trigger]:
    """The price nearest to today's at which the judge says below; none where no price does."""

    def below(distance: int) -> bool:
        return bool(judge.below(book, [row], {asset: price + distance if rising else price - distance}))

    found = _first(below, MAX_U128 if rising else price, int(abs(guess - price)))
    if found is not None:
        yield Trigger(TriggerKind.PRICE, price + found if rising else price - found, asset, rising)


def _first(below: Below, most: int, guess: int = 1) -> int | None:
    """The smallest distance at which it is so, not at 0; ``None``: not as far as ``most``."""
    high, step = min(max(guess, 1), most), max(guess // _FIRST, 1)
    while not below(high):
        if high >= most:
            return None
        high, step = min(high + step, most), 2 * step
    low, step = high, max(guess // _FIRST, 1)
    while low > 0 and below(low):
        low, high, step = max(low - step, 0), low, 2 * step
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if below(middle) else (middle, high)
    return high
