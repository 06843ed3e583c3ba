"""Time-weighted mean ticks, from the pools' own observations.

Law: a mean is rounded toward minus infinity, as the oracle library rounds it. A pool that does not remember that far
back has no mean; it is left out, never guessed.
"""

from collections.abc import Generator, Iterable, Mapping, Sequence
from typing import Final

from keeper.core.events import signed_word, word
from keeper.core.plans import VenueKind
from keeper.core.ports import Answers, Ask
from keeper.core.units import Address
from keeper.core.venues import Pool, answered, view

OBSERVE: Final = "0x883bdbfd"  # observe(uint32[])
_ARRAY: Final = 0x20  # where the array of moments starts


def mean_ticks(pools: Iterable[Pool], seconds: int) -> Generator[Sequence[Ask], Answers, Mapping[Address, int]]:
    """The mean tick of each v3 pool over the last ``seconds``, at the pinned block."""
    reads = {
        pool.address: view(pool.address, OBSERVE, _ARRAY, 2, seconds, 0)
        for pool in pools
        if pool.kind is VenueKind.UNISWAP_V3
    }
    answers = yield tuple(reads.values())
    found = {address: answered(answers, read, 5) for address, read in reads.items()}
    return {address: _mean(data, seconds) for address, data in found.items() if data}


def _mean(data: str, seconds: int) -> int:
    first = word(data, 0) // 32 + 1  # the returned cumulative ticks: an array of two
    return mean_tick(signed_word(data, first), signed_word(data, first + 1), seconds)


def mean_tick(cumulative_before: int, cumulative_after: int, seconds: int) -> int:
    """The mean between two observations."""
    return (cumulative_after - cumulative_before) // seconds
