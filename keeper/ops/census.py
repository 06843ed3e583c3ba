"""Accounts counted by health, and those that are nearest to a liquidation.

Law: one pass, bounded memory; the counts are of all accounts, the list of the ``RISKIEST`` least healthy.
"""

from bisect import bisect_right
from dataclasses import dataclass, field
from heapq import heappush, heapreplace
from itertools import pairwise
from typing import Final

from keeper.core.ports import Health, Quarantine
from keeper.core.units import MAX_U256, WAD, Address, BlockNumber, Timestamp

RISKIEST: Final = 1_000
_PARTS: Final = (100, 102, 105, 110, 125, 150, 200)  # hundredths of a health factor
_BOUNDS: Final = (*(part * WAD // 100 for part in _PARTS), MAX_U256)
_EDGES: Final = ("0.00", *(f"{part // 100}.{part % 100:02}" for part in _PARTS))
BANDS: Final = (*(f"{low}-{high}" for low, high in pairwise(_EDGES)), f"{_EDGES[-1]}-", "no debt")
UNKNOWN: Final = "unknown"  # quarantined: nobody knows


@dataclass(frozen=True, slots=True)
class Account:
    """One account of one market."""

    protocol: str
    market: Address
    account: Address
    health: Health


@dataclass(frozen=True, slots=True)
class Census:
    """All accounts at one block."""

    block: BlockNumber = BlockNumber(0)
    timestamp: Timestamp = Timestamp(0)
    bands: dict[str, int] = field(default_factory=dict)
    riskiest: tuple[Account, ...] = ()  # least healthy first

    @property
    def accounts(self) -> int:
        return sum(self.bands.values())

    @property
    def liquidatable(self) -> int:
        return self.bands.get(BANDS[0], 0)


EMPTY: Final = Census()


def band(health_factor: int) -> str:
    """The band that a health factor falls in; a bound belongs to the band above it."""
    return BANDS[bisect_right(_BOUNDS, health_factor)]


class Taker:
    """Takes a census, an account at a time."""

    def __init__(self, riskiest: int = RISKIEST) -> None:
        self._limit = riskiest
        self._bands = [0] * len(BANDS)
        self._unknown = 0
        self._heap: list[tuple[int, int, Account]] = []  # the healthiest of the least healthy on top
        self._turn = 0

    def add(self, protocol: str, market: Address, account: Address, health: Health | Quarantine) -> None:
        """Count an account, and keep it when it is among the least healthy so far."""
        if isinstance(health, Quarantine):
            self._unknown += 1
            return
        factor = health.health_factor
        self._bands[bisect_right(_BOUNDS, factor)] += 1
        full = len(self._heap) >= self._limit
        if factor == MAX_U256 or (full and -factor <= self._heap[0][0]):
            return
        self._turn += 1
        entry = (-factor, -self._turn, Account(protocol, market, account, health))
        (heapreplace if full else heappush)(self._heap, entry)

    def done(self, block: BlockNumber, timestamp: Timestamp) -> Census:
        """The census, as of a block."""
        bands = dict(zip(BANDS, self._bands, strict=True)) | {UNKNOWN: self._unknown}
        return Census(block, timestamp, bands, tuple(one for _, _, one in sorted(self._heap, reverse=True)))
