"""Medians of variants that take turns in one process.

Law: what is compared is measured in the same rounds, in CPU time of its own thread, so that neither a busy machine nor
the order of variants decides.
"""

import gc
import statistics
import time
from collections.abc import Callable, Mapping

Work = Callable[[], object]


def medians(variants: Mapping[str, Work], rounds: int, least: float = 2e-4) -> dict[str, float]:
    """Seconds of each variant; what takes less than ``least`` is repeated until it does not, at every measurement."""
    repeats = {name: _repeats(work, least) for name, work in variants.items()}
    seen: dict[str, list[float]] = {name: [] for name in variants}
    gc.collect()
    gc.disable()
    try:
        for _ in range(rounds):
            for name, work in variants.items():
                seen[name].append(_seconds(work, repeats[name]))
    finally:
        gc.enable()
    return {name: statistics.median(times) for name, times in seen.items()}


def _repeats(work: Work, least: float) -> int:
    work()
    repeats = 1
    while repeats < 10_000 and _seconds(work, repeats) * repeats < least:  # noqa: PLR2004 - enough for any clock
        repeats *= 2
    return repeats


def _seconds(work: Work, repeats: int) -> float:
    """Of one run, when it is run so often."""
    started = time.thread_time()
    for _ in range(repeats):
        work()
    return (time.thread_time() - started) / repeats
