"""The top of an integer function that is concave but for rounding.

Law: the function is only looked at, never assumed to be smooth. Where it has no value (``None``) it is worse than any
number. Differences below ``noise`` say nothing, so the search ends where both ends are as good as the middle but for
noise; who needs the best integer looks around there.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

_GOLDEN: Final = 618  # of 1,000: where a stretch is cut when its shape says nothing
_STEPS: Final = 200  # a golden section of 2**256 needs 370 / 2; a parabola a dozen

Value = Callable[[int], int | None]


class Bracket(NamedTuple):
    """A stretch that holds the top, and its best point so far."""

    left: int
    middle: int
    right: int

    @property
    def width(self) -> int:
        return self.right - self.left


@dataclass(frozen=True, slots=True)
class Peak:
    """One function. ``few``: a stretch of so many points is not worth narrowing."""

    at: Value
    noise: int
    few: int

    def search(self, low: int, high: int, guesses: Sequence[int] = (), steps: int = _STEPS) -> Bracket:
        """Narrow [low, high] down to the top."""
        high = self._defined(low, high)
        if steps == _STEPS:
            low, high = self._climb(low, high)
        here = self._guessed(Bracket(low, low + (high - low) * _GOLDEN // 1000, high), guesses)
        for step in range(steps):
            if here.width <= self.few or self._flat(here):
                break
            here = self._narrowed(here, self._probe(here, step))
        return here

    def vertex(self, here: Bracket) -> int | None:
        """The top of the parabola through the three points; ``None`` where they bend the other way."""
        left, middle, right = here
        at_left, at_middle, at_right = (self.at(point) for point in here)
        if at_left is None or at_middle is None or at_right is None:
            return None
        rise = (at_middle - at_left) * (right - middle)
        fall = (at_middle - at_right) * (middle - left)
        if rise + fall <= 0:
            return None
        return middle + (rise * (right - middle) - fall * (middle - left)) // (2 * (rise + fall))

    def _defined(self, low: int, high: int) -> int:
        """The highest point that has a value, when ``high`` has none."""
        if self.at(high) is not None:
            return high
        some = high
        while some > low and self.at(some) is None:
            some, high = max(some >> 1, low), some
        while high - some > 1:
            middle = (some + high) // 2
            if self.at(middle) is None:
                high = middle
            else:
                some = middle
        return some

    def _climb(self, low: int, high: int) -> tuple[int, int]:
        """Cut to the neighbourhood of an end while the function still rises clearly towards it."""
        while high - low > self.few:
            step = max((high - low) >> 8, 1)
            if self._rises(high - step, high):
                low = high - step
            elif self._rises(low + step, low):
                high = low + step
            else:
                break
        return low, high

    def _rises(self, start: int, end: int) -> bool:
        before, after = self.at(start), self.at(end)
        return after is not None and (before is None or after - before > self.noise)

    def _guessed(self, here: Bracket, guesses: Sequence[int]) -> Bracket:
        """Take a good guess's own neighbourhood, as far as the guess beats its ends."""
        near = max(here.width >> 20, 16)
        for guess in guesses:
            if here.left + near < guess < here.right - near and self._better(guess, here.middle):
                left = here.left if self._better(guess - near, guess) else guess - near
                right = here.right if self._better(guess + near, guess) else guess + near
                here = Bracket(left, guess, right)
        return here

    def _narrowed(self, here: Bracket, probe: int) -> Bracket:
        left, middle, right = here
        if self._better(probe, middle):
            return Bracket(middle, probe, right) if probe > middle else Bracket(left, probe, middle)
        return Bracket(left, middle, probe) if probe > middle else Bracket(probe, middle, right)

    def _probe(self, here: Bracket, step: int) -> int:
        """The parabola's top, or, every third time and when there is none, a golden cut of the longer side.

        Never close to the middle: over a short distance roundings would decide.
        """
        left, middle, right = here
        longer_right = right - middle > middle - left
        vertex = self.vertex(here) if step % 3 else None
        apart = (here.width >> 4) + 1
        if vertex is not None and left + apart < vertex < right - apart:
            if abs(vertex - middle) >= apart:
                return vertex
            return middle + (apart if longer_right else -apart)
        if longer_right:
            return right - (right - middle) * _GOLDEN // 1000
        return left + (middle - left) * _GOLDEN // 1000

    def _flat(self, here: Bracket) -> bool:
        top, ends = self.at(here.middle), (self.at(here.left), self.at(here.right))
        return top is not None and all(end is not None and abs(top - end) <= self.noise for end in ends)

    def _better(self, point: int, than: int) -> bool:
        a, b = self.at(point), self.at(than)
        return a is not None and (b is None or a > b)
