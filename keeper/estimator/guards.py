"""Reasons not to believe a price or a token, each as a value that names the number that decided.

Laws
- A guard answers ``None`` (nothing against it) or a ``Refusal``; it never raises and never changes an amount.
- Whatever is compared is an integer of one scale; shares are basis points, rounded against going on.
- Nothing here asks anyone: readings, observations and simulation results come in as values.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from math import isqrt
from typing import Final, NamedTuple

from keeper.core.refusals import Reason, Skip
from keeper.core.units import BPS, WAD, Address, Bps, Timestamp, Wad, Who, div_up, mul_div_down, mul_div_up

_YEAR: Final = 31_536_000
_Q128: Final = 1 << 128


class Refusal(NamedTuple):
    """A no, before it is known whose account it concerns."""

    reason: Reason
    term: str

    def skip(self, who: Who) -> Skip:
        """The refusal of this account of this market."""
        market, account = who
        return Skip(account, self.reason, self.term, market)


# --- oracle and sequencer ---------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Reading:
    """An oracle's answer as the chain shows it."""

    answer: int
    updated_at: Timestamp
    heartbeat: int  # seconds within which the feed promises an update


@dataclass(frozen=True, slots=True)
class Sequencer:
    """A rollup's uptime feed: ``answer`` 0 is up, and ``started_at`` since when."""

    answer: int
    started_at: Timestamp


def fresh(reading: Reading, now: Timestamp, grace: int) -> Refusal | None:
    """A positive answer, no older than heartbeat and grace."""
    if reading.answer <= 0:
        return Refusal(Reason.ORACLE_INVALID, f"answer {reading.answer} <= 0")
    age = now - reading.updated_at
    if age > reading.heartbeat + grace:
        return Refusal(Reason.ORACLE_STALE, f"age {age} s > {reading.heartbeat} + {grace} s")
    return None


def sequencer_up(feed: Sequencer, now: Timestamp, grace: int = 3600) -> Refusal | None:
    """The sequencer is up, and has been for longer than the grace period."""
    if feed.answer != 0:
        return Refusal(Reason.SEQUENCER, f"down since {feed.started_at}")
    up = now - feed.started_at
    if up <= grace:
        return Refusal(Reason.SEQUENCER, f"up for {up} s <= {grace} s")
    return None


# --- divergence and manipulation --------------------------------------------------------------------------------


def tick_price(tick: int, scale: int = WAD) -> int:
    """``1.0001 ** tick`` times ``scale``, rounded down: token1 per token0 in their smallest units."""
    power, base, n = _Q128 << 128, (10_001 << 256) // 10_000, abs(tick)
    while n:
        if n & 1:
            power = power * base >> 256
        base, n = base * base >> 256, n >> 1
    return scale * power >> 256 if tick >= 0 else (scale << 256) // power


def median(prices: Sequence[int]) -> int:
    """The middle price, or the mean of the two in the middle, rounded down."""
    ranked, half = sorted(prices), len(prices) // 2
    return ranked[half] if len(ranked) % 2 else (ranked[half - 1] + ranked[half]) // 2


def deviation(price: int, reference: int) -> Bps:
    """How far a price is from a reference, either way, rounded up; from nothing everything is all the way off."""
    return Bps(mul_div_up(abs(price - reference), BPS, reference) if reference > 0 else BPS)


class Consensus(NamedTuple):
    """What several sources say together."""

    price: int
    excluded: tuple[str, ...]  # sources too far from the median


def consensus(sources: Mapping[str, int], tolerance: Bps) -> Consensus:
    """The median of all sources, and those that deviate from it by more than the tolerance."""
    middle = median(list(sources.values()))
    far = (name for name, price in sources.items() if deviation(price, middle) > tolerance)
    return Consensus(middle, tuple(far))


def agrees(price: int, sources: Mapping[str, int], tolerance: Bps) -> Refusal | None:
    """The protocol's price is within the tolerance of the local venues' median."""
    if not sources:
        return None
    middle, excluded = consensus(sources, tolerance)
    off = deviation(price, middle)
    if off <= tolerance:
        return None
    apart = f", without {' '.join(excluded)}" if excluded else ""
    return Refusal(Reason.ORACLE_DIVERGENCE, f"{off} bps from the venues' median {middle}{apart} > {tolerance} bps")


def cost_to_move(reserve_in: int, reserve_out: int, capacity: int, move: Bps) -> int:
    """What it costs, in the output token, to push a constant product's price down by ``move`` and lose it again.

    Whoever sells ``d(s - 1)`` for a price lower by the factor s squared and is arbitraged back
    loses ``e(s + 1/s - 2)``.
    Beyond ``capacity`` nothing is known of the pool, so nothing is counted: the answer is a lower bound.
    """
    s = isqrt(BPS * WAD * WAD // (BPS - move))
    if reserve_in > 0:
        s = min(s, WAD + mul_div_down(capacity, WAD, reserve_in))
    return mul_div_down(reserve_out, (s - WAD) ** 2, s * WAD)


def worth_manipulating(cost: int, at_stake: int) -> Refusal | None:
    """Moving the price must cost more than what is at stake; both in one unit."""
    if cost < at_stake:
        return Refusal(Reason.MANIPULABLE, f"cost to move {cost} < at stake {at_stake}")
    return None


def haircut(sigma: Wad, seconds: int, z: int, gas: int, value: int) -> Wad:
    """Share of a value that may be gone by the sale: ``z * sigma * sqrt(tau)`` plus gas over value, rounded up."""
    drift = isqrt(mul_div_up((z * sigma) ** 2, seconds, _YEAR)) + 1
    return Wad(drift + mul_div_up(gas, WAD, value))


# --- tokens -----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class RoundTrip:
    """A simulated buy and sell of a token: what should have come back by the pools' maths, and what did."""

    expected: int
    returned: int
    reverted: bool = False


@dataclass(frozen=True, slots=True)
class TokenRules:
    """Which tokens may pass through our hands."""

    denied: frozenset[Address] = frozenset()
    trips: Mapping[Address, RoundTrip] = field(default_factory=dict)
    tolerance: Bps = Bps(10)

    def check(self, token: Address) -> Refusal | None:
        """Not denied, and nothing lost in its own simulated round trip."""
        if token in self.denied:
            return Refusal(Reason.DENIED_TOKEN, token)
        trip = self.trips.get(token)
        if trip is None:
            return None
        if trip.reverted:
            return Refusal(Reason.PAUSABLE_TOKEN, f"{token} cannot be moved")
        lost = div_up((trip.expected - trip.returned) * BPS, trip.expected) if trip.expected > 0 else BPS
        if lost > self.tolerance:
            return Refusal(Reason.TRANSFER_TAX, f"{token} loses {lost} bps > {self.tolerance} bps")
        return None
