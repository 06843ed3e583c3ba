"""Time-weighted averages at any time from the last observation on.

Laws
- A pool's tick is constant between its observations, because every change of tick writes one first: its cumulative
  tick is known at every moment that the pool itself remembers, and nowhere else.
- A price feed's averages are those of its ``CumulativeTwap``: ``None`` where the feed reverts, the latest price where
  it does not remember far enough. What it cached in a block is the answer in that block. It reverts when it has two
  answers for one time, and, because it extends the last price it has noted beyond the latest answer, for long after a
  fall that nobody has made it note.
"""

from bisect import bisect_right

import msgspec

from keeper.protocols.perp_curie.facts import Index, Track
from keeper.protocols.perp_curie.maths import SHORTEST_AVERAGE, divide
from keeper.venues.uniswap_v3.ticks import sqrt_ratio
from keeper.venues.uniswap_v3.walk import Place


def cumulative_tick(track: Track, tick: int, at: int) -> int | None:
    """The cumulative tick at a time; ``None`` when the pool does not remember (it reverts with OLD)."""
    place = bisect_right(track.at, at) - 1
    if place < 0 or at < track.oldest:
        return None
    if place == len(track.at) - 1:
        return track.cumulative[-1] + tick * (at - track.at[-1])
    span = track.at[place + 1] - track.at[place]
    slope = divide(track.cumulative[place + 1] - track.cumulative[place], span)
    return track.cumulative[place] + slope * (at - track.at[place])


def sqrt_average(track: Track, place: Place, until: int, interval: int) -> int | None:
    """The square root of the pool's mean price over an interval; of its present price when that is too short."""
    if interval < SHORTEST_AVERAGE:
        return place.sqrt_price
    first, last = (cumulative_tick(track, place.tick, at) for at in (until - interval, until))
    if first is None or last is None:
        return None
    return sqrt_ratio(divide(last - first, interval))


def observed(track: Track, tick: int, at: int) -> Track:
    """The track after the pool has written an observation; only the first of a block is written."""
    if track.at[-1] == at:
        return track
    cumulative = track.cumulative[-1] + tick * (at - track.at[-1])
    return Track((*track.at, at), (*track.cumulative, cumulative), track.oldest)


def trimmed(track: Track, floor: int) -> Track:
    """What is needed to look back to a time."""
    first = max(bisect_right(track.at, floor) - 1, 0)
    return Track(track.at[first:], track.cumulative[first:], track.oldest)


def index_average(index: Index, at: int, interval: int, cache: int) -> int | None:
    """What ``getPrice(interval)`` of the feed answers in a block with that timestamp."""
    if not interval:
        return index.price
    if at == index.cached_at and interval == cache:
        return index.cached
    if not index.at:
        return index.price
    if index.at[-1] == index.updated and index.prices[-1] != index.price:
        return None  # two answers for one time
    now = (
        index.cumulative[-1]
        + index.prices[-1] * (index.updated - index.at[-1])
        + index.price * (at - index.updated)
    )  # fmt: skip
    then = _cumulative_price(index, at - interval)
    if then is None:
        return index.price
    return None if now < then else (now - then) // interval or index.price


def noted(index: Index, at: int, interval: int, cache: int) -> Index:
    """The feed once it was made to note its latest answer in a block with that timestamp; the same where it refuses."""
    known = index
    if index.at and (index.updated, index.price) != (index.at[-1], index.prices[-1]):
        if index.updated <= index.at[-1]:
            return index
        if index.price != index.prices[-1]:
            passed = index.cumulative[-1] + index.prices[-1] * (index.updated - index.at[-1])
            known = _with(index, (*index.at, index.updated), (*index.cumulative, passed), (*index.prices, index.price))
    elif not index.at:
        known = _with(index, (index.updated,), (0,), (index.price,))
    if interval != cache or at == index.cached_at:
        return known
    average = index_average(known, at, interval, cache)
    return index if average is None else msgspec.structs.replace(known, cached=average, cached_at=at)


def _with(index: Index, at: tuple[int, ...], cumulative: tuple[int, ...], prices: tuple[int, ...]) -> Index:
    return msgspec.structs.replace(index, at=at, cumulative=cumulative, prices=prices)


def _cumulative_price(index: Index, at: int) -> int | None:
    """``None`` before the first observation."""
    place = bisect_right(index.at, at) - 1
    if place < 0:
        return None
    if place == len(index.at) - 1:
        return index.cumulative[-1] + index.prices[-1] * (at - index.at[-1])
    if index.at[place] == at:
        return index.cumulative[place]
    span = index.at[place + 1] - index.at[place]
    return (
        index.cumulative[place]
        + (index.cumulative[place + 1] - index.cumulative[place]) * (at - index.at[place]) // span
    )
