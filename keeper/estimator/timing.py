"""When to act on what gets better by itself: a falling price, a growing bonus.

Laws
- The moment at which something pays for the first time is asked of the exact estimate, never computed beside it.
- Waiting earns what the later moment brings, times the chance that it is still there. The chance comes from what was
  seen: at which margins earlier ones were taken, and how often the borrower mended his account before anybody acted.
- Whoever could act already, or before the next moment, leaves nothing to wait for: then the first moment is the best.
- Chances are counts, and one rival as quick as we are is always added to those that were seen.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple, TypeVar

from keeper.core.units import Timestamp, Wei

T = TypeVar("T")


class Moment(NamedTuple):
    """A block in which we could act."""

    at: Timestamp
    value: Wei  # ours, after all costs
    margin: int  # what the offer itself gives away then, in a scale of the caller's: what a rival looks at


@dataclass(frozen=True, slots=True)
class Rivals:
    """What is known of the others."""

    margins: Sequence[int] = ()  # at which earlier offers were taken
    able_at: Timestamp | None = None  # when the first of them breaks even, where that can be told
    taken: int = 0  # offers that somebody took, whoever it was
    mended: int = 0  # offers that vanished before: the borrower topped up


def first_worth(moments: Sequence[Timestamp], worth: Callable[[Timestamp], T | None]) -> tuple[Timestamp, T] | None:
    """The first moment at which there is an answer; the offer only gets better. ``None``: at none of them."""
    low, high, found = 0, len(moments), None
    while low < high:
        middle = (low + high) // 2
        answer = worth(moments[middle])
        if answer is None:
            low = middle + 1
        else:
            high, found = middle, (moments[middle], answer)
    return found


def expected(now: Moment, later: Moment, rivals: Rivals) -> Wei:
    """What a moment is worth, seen from an earlier one; the same moment is worth what it brings. Rounded down."""
    if later.at == now.at:
        return later.value
    if rivals.able_at is not None and rivals.able_at <= later.at:
        return Wei(0)
    open_now = sum(margin > now.margin for margin in rivals.margins)
    open_then = sum(margin > later.margin for margin in rivals.margins)
    left = later.value * open_then * (rivals.taken + 1)
    return Wei(left // ((open_now + 1) * (rivals.taken + rivals.mended + 1)))


def best_moment(moments: Sequence[Moment], rivals: Rivals) -> Moment | None:
    """The moment to act at, from those in which it pays, in order; the earliest of equals. ``None``: it never pays."""
    paying = [moment for moment in moments if moment.value > 0]
    return max(paying, key=lambda moment: expected(paying[0], moment, rivals)) if paying else None
