"""The amount that earns most.

Laws
- The objective is an integer function that is concave but for rounding: every market here gives a constant or growing
  price for a growing repayment, every pool a falling one. Nothing else is assumed about it.
- The search is bounded and exact to the noise of rounding. Within that noise it looks where roundings fall well: at
  amounts whose funding fee is whole, at the first amount for which the market gives one unit more, and at all amounts
  where there are few. Of equal profits the one nearest to the first guess is taken, or the highest without one.
- Where the market rounds coarsely (few decimals of collateral), only the smallest repayment for each amount received
  is worth looking at, and the search is over amounts received.
- An amount that cannot be sold has no value (``None``), which is worse than any loss.
"""

from collections.abc import Iterable, Sequence
from heapq import nlargest
from typing import Final, NamedTuple, Protocol

from keeper.estimator.concave import Bracket, Peak

_NOISE: Final = 64  # units: what roundings may hide is small against it
_FEW: Final = 32  # amounts that are all looked at
_STAIRS: Final = 512  # the same where the market rounds so coarsely that there are no more
_SPREAD: Final = 5  # amounts looked at on either side of the top of a wider stretch
_ROUNDS: Final = 2
_PROBES: Final = 256  # amounts whose rounding is looked at
_FINAL: Final = 16  # of the best amounts, those moved down to the very edge of their stair
_GLANCES: Final = 6


class Objective(Protocol):
    """What is maximised."""

    @property
    def lattice(self) -> int:
        """Multiples of this many units have a whole funding fee."""
        ...

    @property
    def grain(self) -> int:
        """What one unit of repayment is worth in ``value``: the scale of its rounding."""
        ...

    def value(self, repay: int) -> int | None:
        """Profit of this repayment, in any one unit."""
        ...

    def received(self, repay: int) -> int:
        """What the market gives for it; never falls when ``repay`` grows."""
        ...


class Sized(NamedTuple):
    """The best amount found and what it earns."""

    repay: int
    value: int


def best(objective: Objective, intervals: Iterable[tuple[int, int]], guesses: Sequence[int] = ()) -> Sized | None:
    """The best amount within the intervals; ``guesses`` only make it faster."""
    peaks = [_Search(objective, low, high).run(guesses) for low, high in intervals]
    found = [peak for peak in peaks if peak is not None]
    return max(found, key=_rank, default=None)


def rough(
    objective: Objective, intervals: Iterable[tuple[int, int]], guesses: Sequence[int] = (), *, sure: bool = False
) -> Sized | None:
    """A good amount after a dozen looks, to rank what is worth sizing exactly; after one, if the guess is ``sure``."""
    peaks = [_Search(objective, low, high).glance(guesses, sure=sure) for low, high in intervals]
    found = [peak for peak in peaks if peak is not None]
    return max(found, key=_rank, default=None)


def first_receiving(objective: Objective, amount: int, low: int, high: int, slack: int = 0) -> int:
    """The smallest repayment in [low, high] that is given at least ``amount``, or up to ``slack`` more than it.

    ``high`` when none is given as much. Markets are nearly linear, so a proportional guess is a few stairs off.
    """
    at_low, at_high = objective.received(low), objective.received(high)
    if at_low >= amount or at_high <= at_low:
        return low if at_low >= amount else high
    stair = (high - low) // (at_high - at_low) + 1
    guess = low + (amount - at_low) * (high - low) // (at_high - at_low)
    below, above = max(guess - 4 * stair, low), min(guess + 4 * stair, high)
    low = below if objective.received(below) < amount else low
    high = above if objective.received(above) >= amount else high
    while high - low > 1 + slack:
        middle = (low + high) // 2
        if objective.received(middle) >= amount:
            high = middle
        else:
            low = middle
    return high


class _Search:
    """One interval. Works on positions: repayments, or, where the market rounds coarsely, amounts received."""

    def __init__(self, objective: Objective, low: int, high: int) -> None:
        self._objective = objective
        self._ends = low, high
        self._seen: dict[int, int | None] = {}  # by repayment
        self._edges: dict[int, int] = {}  # repayment by amount received
        least, most = objective.received(low), objective.received(high)
        stair = (high - low) // (most - least + 1)
        self._level = most == least  # nothing more is given for more
        self._coarse = stair > 1
        self._positions = (least, most) if self._coarse else (low, high)
        self._slack = stair >> 10 if self._coarse else 0
        few = _STAIRS if self._coarse and most - least <= _STAIRS else _FEW
        self._peak = Peak(self._at, objective.grain * (_NOISE + (4 * stair if self._coarse else 0)), few)
        self._wish = high

    def run(self, guesses: Sequence[int]) -> Sized | None:
        """The best amount."""
        low, high = self._ends
        wish = low if self._level else guesses[0] if guesses else high
        self._wish = min(max(wish, low), high)
        if self._coarse:
            guesses = [self._objective.received(guess) for guess in guesses]
        for end in self._ends:
            self._seen[end] = self._objective.value(end)
        self._look_around(self._peak.search(*self._positions, guesses))
        return self._pick()

    def glance(self, guesses: Sequence[int], *, sure: bool) -> Sized | None:
        """A good amount."""
        self._coarse, self._positions = False, self._ends  # edges of stairs do not matter yet
        low, high = self._ends
        self._try((low,) if self._level else (min(max(guess, low), high) for guess in guesses))
        if not ((sure or self._level) and self._sellable()):
            self._try((low,))
            self._peak.search(low, high, guesses, _GLANCES)
        return max(self._sellable(), key=_rank, default=None)

    def _at(self, position: int) -> int | None:
        """The objective, remembered by repayment."""
        repay = self._repay(position)
        if repay not in self._seen:
            self._seen[repay] = self._objective.value(repay)
        return self._seen[repay]

    def _repay(self, position: int) -> int:
        if not self._coarse:
            return position
        if position not in self._edges:
            self._edges[position] = first_receiving(self._objective, position, *self._ends, self._slack)
        return self._edges[position]

    def _try(self, positions: Iterable[int]) -> None:
        low, high = self._positions
        for position in positions:
            if low <= position <= high:
                self._at(position)

    def _sellable(self) -> list[Sized]:
        return [Sized(repay, value) for repay, value in self._seen.items() if value is not None]

    def _look_around(self, here: Bracket) -> None:
        """Among equals but for rounding: all of a few; else where roundings fall well, nearer and nearer the top."""
        if here.width <= self._peak.few:
            self._try(range(here.left, here.right + 1))
            return
        top = self._peak.vertex(here)
        centre = here.middle if top is None else min(max(top, here.left), here.right)
        step, reach = self._objective.lattice, here.width // 2
        for _ in range(_ROUNDS):
            if self._coarse:
                self._try(self._full_stairs(here, centre, reach))
                best = max(self._sellable(), key=_rank, default=Sized(self._repay(centre), 0))
                centre, reach = self._objective.received(best.repay), reach // 2
                continue
            self._try(range(centre - 2, centre + 3))
            self._try((centre + reach * k // _SPREAD) // step * step for k in range(-_SPREAD, _SPREAD + 1))
            reach //= _SPREAD // 2

    def _full_stairs(self, here: Bracket, centre: int, reach: int) -> list[int]:
        """Amounts received that the market's roundings make cheapest, for their distance from the centre.

        How much more than its fair share an amount receives is seen without asking for a price.
        """
        first, last, top = self._repay(here.left), self._repay(here.right), self._repay(centre)
        least, most = self._objective.received(first), self._objective.received(last)
        reach = max(reach * (last - first) // here.width, 1)
        ranked = []
        for k in range(_PROBES):
            repay = top - reach + 2 * reach * k // _PROBES
            if self._ends[0] <= repay <= self._ends[1]:
                got = self._objective.received(repay)
                over = (got - least) * (last - first) - (repay - first) * (most - least)  # in stairs * (last - first)
                ranked.append((over - (last - first) * (repay - top) ** 2 // reach**2, got))
        return list({got: None for _, got in sorted(ranked, reverse=True)})[:_SPREAD]

    def _pick(self) -> Sized | None:
        """The best amount seen, moved down to where the market first gives as much."""
        top = nlargest(_FINAL, self._sellable(), key=self._preferred)
        # Positions are known to within the slack: whoever that may have put behind is looked at too.
        close = [one for one in top if one.value >= top[0].value - self._slack * self._objective.grain]
        return max((self._lowered(*sized) for sized in close), default=None, key=self._preferred)

    def _preferred(self, sized: Sized) -> tuple[int, int]:
        return sized.value, -abs(sized.repay - self._wish)

    def _lowered(self, repay: int, value: int) -> Sized:
        least = first_receiving(self._objective, self._objective.received(repay), self._ends[0], repay)
        lower = self._objective.value(least)
        return Sized(repay, value) if lower is None or lower <= value else Sized(least, lower)


def _rank(sized: Sized) -> tuple[int, int]:
    return sized.value, sized.repay
