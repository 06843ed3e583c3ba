"""The walk over ticks that a swap makes, remembered so that the next quote is a bisection.

Law: the walk stops where the contract's loop stops: at initialised ticks *and* at the ends of the words of its bitmap,
because every stop rounds. A stretch that is passed as a whole costs the same whatever the amount, so the sums up to
each stop are exact, and only the last stretch is computed anew. Beyond the ticks that were read nothing is known,
and nothing is quoted.
"""

from bisect import bisect_left, bisect_right
from dataclasses import dataclass, replace
from typing import Final, NamedTuple

from keeper.venues.uniswap_v3.maths import full_step, step_in, step_out
from keeper.venues.uniswap_v3.ticks import MAX_SQRT_RATIO, MAX_TICK, MIN_SQRT_RATIO, MIN_TICK, sqrt_ratio, tick_of

LOWEST_PRICE: Final = MIN_SQRT_RATIO + 1  # the pool's own limits
HIGHEST_PRICE: Final = MAX_SQRT_RATIO - 1
WORD: Final = 256  # ticks in a word of the bitmap


@dataclass(frozen=True, slots=True)
class Ticks:
    """The initialised ticks between ``low`` and ``high``, ascending."""

    spacing: int
    low: int  # the first tick of a word of the bitmap
    high: int  # the last tick of one
    margin: int = 0  # a price nearer than this to an end of what is known should have more read
    index: tuple[int, ...] = ()
    gross: tuple[int, ...] = ()  # liquidity that ends here: zero means not initialised
    net: tuple[int, ...] = ()  # liquidity that comes in when the price rises through

    def moved(self, tick: int, gross: int, net: int) -> "Ticks | None":
        """The same after liquidity was put on a tick or taken off; ``None`` when more was taken than was there."""
        if not self.low <= tick <= self.high:
            return self
        at = bisect_left(self.index, tick)
        found = at < len(self.index) and self.index[at] == tick
        gross, net = (gross + self.gross[at], net + self.net[at]) if found else (gross, net)
        if gross < 0:
            return None
        put = slice(at, at + found)
        return replace(
            self,
            index=_spliced(self.index, put, (tick,) if gross else ()),
            gross=_spliced(self.gross, put, (gross,) if gross else ()),
            net=_spliced(self.net, put, (net,) if gross else ()),
        )


def _spliced(values: tuple[int, ...], at: slice, put: tuple[int, ...]) -> tuple[int, ...]:
    return values[: at.start] + put + values[at.stop :]


class Place(NamedTuple):
    """Where the price stands: a tick on a boundary may be the one below it, so the price alone does not say."""

    sqrt_price: int
    tick: int
    liquidity: int


class Swap(NamedTuple):
    """What a swap moved and where it left the price. It may be partial: the price can run into its limit."""

    amount_in: int
    amount_out: int
    place: Place


class Walk:
    """All stretches from one place in one direction, found as far as quotes have asked."""

    __slots__ = ("bought", "down", "fee", "places", "spent", "targets", "ticks")

    def __init__(self, place: Place, ticks: Ticks, fee: int, *, down: bool) -> None:
        self.ticks, self.fee, self.down = ticks, fee, down
        self.places = [place]
        self.targets: list[int] = []  # the price at which stretch k ends
        self.spent = [0]  # amount in, with fees, before stretch k
        self.bought = [0]  # amount out before stretch k

    def swap(self, amount: int, limit: int | None = None, *, exact_in: bool) -> Swap | None:
        """Swap up to ``amount`` without passing the limit. ``None`` where the ticks are not known."""
        sums = self.spent if exact_in else self.bought
        while sums[-1] < amount and self._extend():
            if limit is not None and self._passes(self.targets[-1], limit):
                break
        at = bisect_left(sums, amount) - 1 if limit is None else 0
        while sums[at] < amount and self.places[at].sqrt_price != limit:
            if at == len(self.targets):
                done = self.places[at].sqrt_price == (LOWEST_PRICE if self.down else HIGHEST_PRICE)
                return self._at(at) if done else None
            target = self.targets[at]
            if limit is not None and self._passes(target, limit):
                target = limit
            elif sums[at + 1] <= amount:
                at += 1
                continue
            return self._last(at, target, amount - sums[at], exact_in=exact_in)
        return self._at(at)

    def next_range(self) -> tuple[Place, int, int] | None:
        """The first place from here that has liquidity, the price at which it ends, and the amount in that ends it."""
        at = 0
        while at < len(self.targets) or self._extend():
            if self.spent[at + 1]:
                return self.places[at], self.targets[at], self.spent[at + 1]
            at += 1
        return None

    def _at(self, at: int) -> Swap:
        return Swap(self.spent[at], self.bought[at], self.places[at])

    def _last(self, at: int, target: int, remaining: int, *, exact_in: bool) -> Swap:
        start = self.places[at]
        step = (step_in if exact_in else step_out)(start.sqrt_price, target, start.liquidity, remaining, self.fee)
        place = self.places[at + 1] if step.sqrt_price == self.targets[at] else self._inside(start, step.sqrt_price)
        return Swap(self.spent[at] + step.amount_in, self.bought[at] + step.amount_out, place)

    def _inside(self, start: Place, price: int) -> Place:
        if price == start.sqrt_price:
            return start
        tick = tick_of(price)
        if self.down and price == sqrt_ratio(tick) and tick % (WORD * self.ticks.spacing) == 0:
            tick -= 1  # a limit on the end of a word, inside a gap that was crossed in one stride
        return Place(price, tick, start.liquidity)

    def _passes(self, price: int, limit: int) -> bool:
        return price < limit if self.down else price > limit

    def _extend(self) -> bool:
        """Walk to the next stop; ``False`` at the end of the price's range or of what is known."""
        price, tick, liquidity = self.places[-1]
        if price == (LOWEST_PRICE if self.down else HIGHEST_PRICE):
            return False
        stop, net = self._below(tick, liquidity) if self.down else self._above(tick, liquidity)
        if liquidity + net < 0 or not self.ticks.low <= stop <= self.ticks.high or (stop <= tick) != self.down:
            return False
        ratio = sqrt_ratio(stop)
        target = max(ratio, LOWEST_PRICE) if self.down else min(ratio, HIGHEST_PRICE)
        paid, bought = full_step(price, target, liquidity, self.fee)
        if target == ratio:
            self.places.append(Place(target, stop - self.down, liquidity + net))
        else:
            self.places.append(Place(target, tick_of(target), liquidity))
        self.targets.append(target)
        self.spent.append(self.spent[-1] + paid)
        self.bought.append(self.bought[-1] + bought)
        return True

    def _below(self, tick: int, liquidity: int) -> tuple[int, int]:
        """The next stop at or below a tick, and the liquidity that crossing it adds."""
        ticks = self.ticks
        word = ticks.spacing * WORD
        end = max(tick // word * word, MIN_TICK) if liquidity else max(ticks.low, MIN_TICK)
        at = bisect_right(ticks.index, tick) - 1
        return (ticks.index[at], -ticks.net[at]) if at >= 0 and ticks.index[at] >= end else (end, 0)

    def _above(self, tick: int, liquidity: int) -> tuple[int, int]:
        """The next stop above a tick, and the liquidity that crossing it adds."""
        ticks = self.ticks
        spacing, word = ticks.spacing, ticks.spacing * WORD
        end = (tick // spacing + 1) * spacing // word * word + word - spacing if liquidity else ticks.high
        end = min(end, MAX_TICK)
        at = bisect_right(ticks.index, tick)
        return (ticks.index[at], ticks.net[at]) if at < len(ticks.index) and ticks.index[at] <= end else (end, 0)
