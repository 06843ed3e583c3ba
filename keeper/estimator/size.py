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
from math import isqrt
from typing import Final, NamedTuple, Protocol

_NOISE: Final = 64  # units: what roundings may hide is small against it
_FEW: Final = 32  # amounts that are all looked at
_STAIRS: Final = 512  # the same where the market rounds so coarsely that there are no more
_SPREAD: Final = 5  # amounts looked at on either side of the top of a wider stretch
_ROUNDS: Final = 2
_PROBES: Final = 256  # amounts whose rounding is looked at
_FINAL: Final = 16  # of the best amounts, those moved down to the very edge of their stair
_GOLDEN: Final = 618  # of 1,000: where a stretch is cut when its shape says nothing
_GLANCES: Final = 6
_STEPS: Final = 200  # a golden section of 2**256 needs 370 / 2; a parabola a dozen


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


def constant_product_optimum(reserve_in: int, reserve_out: int, num: int, den: int) -> int:
    """Where the marginal price of ``e a / (d + a)`` has fallen to ``num / den``: sqrt(d e den / num) - d, or zero."""
    return max(isqrt(reserve_in * reserve_out * den // num) - reserve_in, 0)


def best(objective: Objective, intervals: Iterable[tuple[int, int]], guesses: Sequence[int] = ()) -> Sized | None:
    """The best amount within the intervals; ``guesses`` only make it faster."""
    peaks = [_Search(objective, low, high).run(guesses) for low, high in intervals]
    found = [peak for peak in peaks if peak is not None]
    return max(found, key=_rank, default=None)


def rough(objective: Objective, intervals: Iterable[tuple[int, int]], guesses: Sequence[int] = ()) -> Sized | None:
    """A good amount after a dozen looks, to rank what is worth sizing exactly."""
    peaks = [_Search(objective, low, high).glance(guesses) for low, high in intervals]
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
        self._least, self._most = objective.received(low), objective.received(high)
        stair = (high - low) // (self._most - self._least + 1)
        self._coarse = stair > 1
        self._slack = stair >> 10 if self._coarse else 0
        self._noise = objective.grain * (_NOISE + (4 * stair if self._coarse else 0))
        self._wish = high
        self._few = _STAIRS if self._coarse and self._most - self._least <= _STAIRS else _FEW

    def run(self, guesses: Sequence[int]) -> Sized | None:
        self._wish = min(max(guesses[0], self._ends[0]), self._ends[1]) if guesses else self._ends[1]
        low, high = (self._least, self._most) if self._coarse else self._ends
        if self._coarse:
            guesses = [self._objective.received(guess) for guess in guesses]
        low, high = self._climb(low, self._sellable(low, high))
        left, middle, right = self._bracket(low, high, guesses)
        self._look_around(left, middle, right)
        return self._pick()

    def glance(self, guesses: Sequence[int]) -> Sized | None:
        self._coarse = False  # edges of stairs do not matter yet
        low, high = self._ends
        self._try((low, *guesses))
        self._bracket(low, self._sellable(low, high), guesses, _GLANCES)
        sellable = (Sized(repay, value) for repay, value in self._seen.items() if value is not None)
        return max(sellable, key=_rank, default=None)

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

    def _sellable(self, low: int, high: int) -> int:
        """The highest position that has a value, when ``high`` has none: pools end somewhere."""
        if self._at(high) is not None:
            return high
        some = high
        while some > low and self._at(some) is None:
            some, high = max(some >> 1, low), some
        while high - some > 1:
            middle = (some + high) // 2
            if self._at(middle) is None:
                high = middle
            else:
                some = middle
        return some

    def _climb(self, low: int, high: int) -> tuple[int, int]:
        """Cut to the neighbourhood of an end while the objective still rises clearly towards it."""
        while high - low > self._few:
            step = max((high - low) >> 8, 1)
            if self._rises(high - step, high):
                low = high - step
            elif self._rises(low + step, low):
                high = low + step
            else:
                break
        return low, high

    def _rises(self, start: int, end: int) -> bool:
        before, after = self._at(start), self._at(end)
        return after is not None and (before is None or after - before > self._noise)

    def _bracket(self, low: int, high: int, guesses: Sequence[int], turns: int = _STEPS) -> tuple[int, int, int]:
        """Shrink (left, middle, right) around the top until the ends are as good as the middle but for noise."""
        left, right = low, high
        middle = left + (right - left) * _GOLDEN // 1000
        for guess in guesses:
            near = max((high - low) >> 20, 16)
            if low + near < guess < high - near and _higher(self._at(guess), self._at(middle)):
                left, middle, right = self._narrow(left, right, guess, near)
        for turn in range(turns):
            if right - left <= self._few or self._flat(left, middle, right):
                break
            probe = self._probe(left, middle, right, turn)
            if _higher(self._at(probe), self._at(middle)):
                left, middle, right = (middle, probe, right) if probe > middle else (left, probe, middle)
            elif probe > middle:
                right = probe
            else:
                left = probe
        return left, middle, right

    def _narrow(self, left: int, right: int, guess: int, near: int) -> tuple[int, int, int]:
        """Take a good guess's own neighbourhood for bracket, as far as the guess beats its ends."""
        if not _higher(self._at(guess - near), self._at(guess)):
            left = guess - near
        if not _higher(self._at(guess + near), self._at(guess)):
            right = guess + near
        return left, guess, right

    def _probe(self, left: int, middle: int, right: int, turn: int) -> int:
        """The top of the parabola through the three, or, every third time and when there is none, a golden cut.

        Never close to the middle: over a short distance roundings would decide.
        """
        vertex = self._vertex(left, middle, right) if turn % 3 else None
        apart = (right - left >> 4) + 1
        if vertex is not None and left + apart < vertex < right - apart:
            if abs(vertex - middle) >= apart:
                return vertex
            return middle + (apart if right - middle > middle - left else -apart)
        if right - middle > middle - left:
            return right - (right - middle) * _GOLDEN // 1000
        return left + (middle - left) * _GOLDEN // 1000

    def _vertex(self, left: int, middle: int, right: int) -> int | None:
        at_left, at_middle, at_right = self._at(left), self._at(middle), self._at(right)
        if at_left is None or at_middle is None or at_right is None:
            return None
        rise = (at_middle - at_left) * (right - middle)
        fall = (at_middle - at_right) * (middle - left)
        if rise + fall <= 0:
            return None
        return middle + (rise * (right - middle) - fall * (middle - left)) // (2 * (rise + fall))

    def _flat(self, left: int, middle: int, right: int) -> bool:
        top = self._at(middle)
        ends = self._at(left), self._at(right)
        return top is not None and all(end is not None and abs(top - end) <= self._noise for end in ends)

    def _look_around(self, left: int, middle: int, right: int) -> None:
        """Among equals but for rounding: all of a few; else where roundings fall well, nearer and nearer the top."""
        if right - left <= self._few:
            self._try(range(left, right + 1))
            return
        top = self._vertex(left, middle, right)
        centre = middle if top is None else min(max(top, left), right)
        step, reach = self._objective.lattice, (right - left) // 2
        for _ in range(_ROUNDS):
            if self._coarse:
                self._try(self._full_stairs(left, centre, right, reach))
                centre, reach = self._objective.received(self._best_so_far()), reach // 2
                continue
            self._try(range(centre - 2, centre + 3))
            self._try((centre + reach * k // _SPREAD) // step * step for k in range(-_SPREAD, _SPREAD + 1))
            reach //= _SPREAD // 2

    def _try(self, positions: Iterable[int]) -> None:
        low, high = (self._least, self._most) if self._coarse else self._ends
        for position in positions:
            if low <= position <= high:
                self._at(position)

    def _best_so_far(self) -> int:
        return max((value, -repay) for repay, value in self._seen.items() if value is not None)[1] * -1

    def _full_stairs(self, left: int, centre: int, right: int, reach: int) -> list[int]:
        """Amounts received that the market's roundings make cheapest, for their distance from the centre.

        How much more than its fair share an amount receives is seen without asking for a price.
        """
        first, last, top = self._repay(left), self._repay(right), self._repay(centre)
        least, most = self._objective.received(first), self._objective.received(last)
        reach = max(reach * (last - first) // (right - left), 1)
        ranked = []
        for k in range(_PROBES):
            repay = top - reach + 2 * reach * k // _PROBES
            if not self._ends[0] <= repay <= self._ends[1]:
                continue
            got = self._objective.received(repay)
            over = (got - least) * (last - first) - (repay - first) * (most - least)  # in stairs * (last - first)
            ranked.append((over - (last - first) * (repay - top) ** 2 // reach**2, got))
        return list({got: None for _, got in sorted(ranked, reverse=True)})[:_SPREAD]

    def _pick(self) -> Sized | None:
        """The best amount seen, moved down to where the market first gives as much."""
        seen = [Sized(repay, value) for repay, value in self._seen.items() if value is not None]
        top = nlargest(_FINAL, seen, key=self._rank)
        # Positions are known to within the slack: whoever that may have put behind is looked at too.
        close = [one for one in top if one.value >= top[0].value - self._slack * self._objective.grain]
        return max((self._lowered(*sized) for sized in close), default=None, key=self._rank)

    def _rank(self, sized: Sized) -> tuple[int, int]:
        return sized.value, -abs(sized.repay - self._wish)

    def _lowered(self, repay: int, value: int) -> Sized:
        low, _ = self._ends
        least = first_receiving(self._objective, self._objective.received(repay), low, repay)
        lower = self._objective.value(least)
        return Sized(repay, value) if lower is None or lower <= value else Sized(least, lower)


def _rank(sized: Sized) -> tuple[int, int]:
    return sized.value, sized.repay


def _higher(a: int | None, b: int | None) -> bool:
    return a is not None and (b is None or a > b)
