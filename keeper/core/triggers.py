"""When an account that is a line is next worth a look: at which price of an asset, and at which time.

Law: whether an account is below 1 is asked of the exact judge, never computed here; floats only say where to ask first.
A trigger is the first price, or the first second, at which it is; one unit before it is not. Interest and funding are
followed up to ``HORIZON``, at today's rates: somebody will have changed them by then.
"""

from collections.abc import Callable, Iterator, Mapping
from functools import partial
from math import isfinite
from typing import Final

from keeper.core.book import Book
from keeper.core.margin import Margin
from keeper.core.outlook import Trigger, TriggerKind
from keeper.core.units import MAX_U128, ZERO_ADDRESS, Address, Timestamp

HORIZON: Final = 365 * 86_400  # seconds
_FIRST: Final = 1 << 30  # the first step away from a guess is one part in so many of it
Below = Callable[[int], bool]


def triggers(margin_of: Margin, book: Book, row: int, now: Timestamp, cost: str) -> Iterator[Trigger]:
    """Of an account above 1: the price of each asset that brings it below, and when ``cost`` does. Else nothing."""
    line, judge = margin_of.exposures(book, row), partial(_judged, margin_of, book, row)
    if not line or judge(now):
        return
    known = margin_of.weights(book, now, [column for column, _ in line])
    terms = [amount * factor for (_, amount), factor in zip(line, known.factors, strict=True)]
    if not all(map(isfinite, terms)):
        return
    margin = sum(term * known.prices.get(asset, 1) for term, asset in zip(terms, known.assets, strict=True))
    slopes: dict[Address, float] = {}
    for term, asset in zip(terms, known.assets, strict=True):
        slopes[asset] = slopes.get(asset, 0.0) + term
    for asset, slope in slopes.items():
        if asset != ZERO_ADDRESS and slope and (price := known.prices.get(asset)):
            yield from _price(partial(judge, now), asset, price, price - margin / slope, rising=slope < 0)
    after = _first(lambda after: judge(Timestamp(now + after)), HORIZON)
    if after is not None:
        yield Trigger(TriggerKind.TIME, now + after, cost)


def _judged(
    margin_of: Margin, book: Book, row: int, at: Timestamp, prices: Mapping[Address, int] | None = None
) -> bool:
    return bool(margin_of.liquidatable(book, [row], at, prices))


def _price(
    judge: Callable[[Mapping[Address, int]], bool], asset: Address, price: int, guess: float, *, rising: bool
) -> Iterator[Trigger]:
    """The price nearest to today's at which the judge says below; none where no price does."""

    def below(distance: int) -> bool:
        return judge({asset: price + distance if rising else price - distance})

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
