"""What several paths give together, when every amount is split so that no path is cheaper than another.

Law: the best split leaves all paths that are used at one marginal price. With u = 1/√(price out per in), a constant
product with reserves d and e takes r·u - d and gives e - r/u, where r = √(d·e): sums of paths are as simple as one.
A stage is a stretch of u in which no path changes its liquidity; stages are found once, as far as amounts ask.
The split is computed from virtual reserves; what it brings is then quoted by the pools, exactly.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import isqrt
from typing import Final, NamedTuple

from keeper.core.venues import Q96
from keeper.venues.route.path import Fill, Path

MAX_STAGES: Final = 1_024  # changes of liquidity that an amount may cross, over all paths
DUST_BITS: Final = 8  # how far beyond what should bring one unit something must come out


class _Lane(NamedTuple):
    """One path in one stage: what it has taken and given before its present range, and that range."""

    taken: int
    given: int
    d: int  # Q96
    e: int  # Q96
    r: int  # Q96; zero while the path is not used

    def amount_in(self, level: int) -> int:
        return self.taken + (max(self.r * level // Q96 - self.d, 0) // Q96 if self.r else 0)

    def amount_out(self, level: int) -> int:
        return self.given + (max(self.e - self.r * Q96 // level, 0) // Q96 if self.r else 0)


@dataclass(slots=True)
class _Cursor:
    """How far along its ranges a path has been followed."""

    path: Path  # as it was in the beginning
    taken: int = 0
    given: int = 0
    d: int = 0
    e: int = 0
    r: int = 0
    end: int = 0  # d where the range ends
    capacity: int = 0
    used: bool = False

    def lane(self) -> _Lane:
        return _Lane(self.taken, self.given, self.d, self.e, self.r if self.used else 0)

    def next_level(self) -> int:
        """Where the path's price begins, or where its present range ends."""
        return (self.end if self.used else self.d) * Q96 // self.r

    def look(self, ahead: Path, level: int = 0) -> None:
        """Take up the range that begins here, at once if its price is that of the level. Without depth a path ends."""
        depth = ahead.depth()
        self.d, self.e = depth.reserve_in, depth.reserve_out
        self.end, self.capacity = depth.end, depth.capacity
        self.r = isqrt(self.d * self.e) if self.capacity else 0
        self.used = self.r > 0 and self.d * Q96 <= level * self.r

    def turn(self, level: int) -> None:
        """Begin to use the range, or go on to the one after it."""
        if not self.used:
            self.used = True
            return
        taken = self.taken + self.capacity
        fill, worth_one = self.path.quote_exact_in(taken), taken + self.d // self.e
        while fill is None and not self.given and taken < worth_one << DUST_BITS:
            taken *= 2  # the range was so small that it gave nothing: on, until something comes out
            fill = self.path.quote_exact_in(taken)
        if fill is None:
            self._finish(self.taken + self.capacity + 1)
        else:
            self.taken, self.given = taken, fill.amount_out
            self.look(fill.after, level)

    def _finish(self, too_much: int) -> None:
        """The path ends inside its range, before ``too_much``: find its last unit, looking near the end first."""
        step = 1
        while too_much - step > self.taken and not self.path.quote_exact_in(too_much - step):
            step *= 2
        low, high = max(too_much - step, self.taken), too_much - step // 2
        while high - low > 1:
            middle = (low + high) // 2
            low, high = (middle, high) if self.path.quote_exact_in(middle) else (low, middle)
        fill = self.path.quote_exact_in(low)
        if fill:
            self.taken, self.given = low, fill.amount_out
        self.r, self.used = 0, False


class Curve:
    """Paths that share no pool, seen as one market."""

    def __init__(self, paths: Sequence[Path]) -> None:
        self.paths = tuple(paths)
        self._cursors = [_Cursor(path) for path in paths]
        for cursor in self._cursors:
            cursor.look(cursor.path)
        self._levels = [0]
        self._stages: list[tuple[_Lane, ...]] = [tuple(cursor.lane() for cursor in self._cursors)]
        self._taken = [0]  # amount in before stage k
        self._given = [0]  # amount out before stage k

    def proceeds(self, amount: int) -> int | None:
        """What selling ``amount`` brings, exactly; ``None`` when it cannot be sold whole."""
        fills = self.sell(amount)
        return sum(fill.amount_out for fill in fills) if fills else None

    def cost(self, amount: int) -> int | None:
        """What buying ``amount`` costs, exactly; ``None`` when it cannot be bought whole."""
        fills = self.buy(amount)
        return sum(fill.amount_in for fill in fills) if fills else None

    def sell(self, amount: int) -> tuple[Fill, ...] | None:
        """The best split of a sale, quoted."""
        parts = self._split(amount, self._taken)
        return _quoted(parts, [path.quote_exact_in for path in self.paths]) if parts else None

    def buy(self, amount: int) -> tuple[Fill, ...] | None:
        """The best split of a purchase, quoted."""
        parts = self._split(amount, self._given)
        return _quoted(parts, [path.quote_exact_out for path in self.paths]) if parts else None

    def amount_at(self, out: int, per_in: int) -> int:
        """How much can be sold before the marginal price, fees included, falls to ``out/per_in``.

        Whoever values a unit of the sold token at that price earns most by selling exactly this much.
        """
        level = isqrt((per_in << 192) // out)
        while self._levels[-1] < level and self._extend():
            pass
        at = bisect_right(self._levels, level) - 1
        return sum(lane.amount_in(level) for lane in self._stages[at])

    def _split(self, amount: int, sums: list[int]) -> list[int] | None:
        while sums[-1] < amount:
            if not self._extend():
                return None
        at = bisect_left(sums, amount) - 1
        if at < 0:
            return None
        lanes = self._stages[at]
        if sums is self._taken:
            level = _level_in(lanes, amount)
            parts = [lane.amount_in(level) for lane in lanes]
        else:
            level = _level_out(lanes, amount)
            parts = [lane.amount_out(level) for lane in lanes]
        widest = max(range(len(lanes)), key=lambda i: lanes[i].r)
        parts[widest] += amount - sum(parts)  # what rounding left over
        return parts

    def _extend(self) -> bool:
        """Go on to where the next path begins, or changes its liquidity; ``False`` when all have ended."""
        ahead = [(cursor.next_level(), i) for i, cursor in enumerate(self._cursors) if cursor.r]
        if not ahead or len(self._stages) == MAX_STAGES:
            return False
        level, i = min(ahead)
        level = max(level, self._levels[-1])
        self._cursors[i].turn(level)
        lanes = tuple(cursor.lane() for cursor in self._cursors)
        self._levels.append(level)
        self._stages.append(lanes)
        self._taken.append(max(self._taken[-1], sum(lane.amount_in(level) for lane in lanes)))
        self._given.append(max(self._given[-1], sum(lane.amount_out(level) for lane in lanes)))
        return True


def _level_in(lanes: tuple[_Lane, ...], amount: int) -> int:
    """The level at which the lanes have taken an amount."""
    used = [lane for lane in lanes if lane.r]
    rest = amount - sum(lane.taken for lane in lanes)
    return (rest * Q96 + sum(lane.d for lane in used)) * Q96 // sum(lane.r for lane in used)


def _level_out(lanes: tuple[_Lane, ...], amount: int) -> int:
    """The level at which the lanes have given an amount."""
    used = [lane for lane in lanes if lane.r]
    rest = amount - sum(lane.given for lane in lanes)
    return sum(lane.r for lane in used) * Q96 // (sum(lane.e for lane in used) - rest * Q96)


def _quoted(parts: Sequence[int], quotes: Sequence[Callable[[int], Fill | None]]) -> tuple[Fill, ...] | None:
    """The parts as the pools price them. A part too small to bring anything goes to the largest one."""
    fills = [quote(part) if part else None for part, quote in zip(parts, quotes, strict=True)]
    lost = sum(part for part, fill in zip(parts, fills, strict=True) if fill is None)
    if lost:
        largest = max(range(len(parts)), key=parts.__getitem__)
        fills[largest] = quotes[largest](parts[largest] + lost) if fills[largest] else None
        if fills[largest] is None:
            return None
    return tuple(fill for fill in fills if fill)
