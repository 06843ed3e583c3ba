"""How late the event loop is while watch lists of a million accounts are made, against a loop that has nothing else.

Law: both states take turns in one process. The loop does what it does between blocks: it wakes up for something small,
again and again; how late it wakes is what is measured. Lists are made one after the other in a thread, as after a block
that wore them, and swapped in on the loop.
"""

import asyncio
import gc
import statistics
import time
from typing import Any, Final

import numpy as np
import uvloop

from keeper.bench.screen import World
from keeper.lookout import LISTS
from keeper.nearby import make_lists

PHASES: Final = 12  # of each state, in turns
PHASE: Final = 0.6  # seconds
EVERY: Final = 0.001  # seconds between two things to do
P99: Final = 99


def run(accounts: int = 1_000_000) -> dict[str, Any]:
    """All figures of the benchmark."""
    world = World(accounts)
    gc.collect()
    gc.freeze()
    return uvloop.run(_measured(world))


async def _measured(world: World) -> dict[str, Any]:
    late: dict[bool, list[float]] = {False: [], True: []}
    made: list[float] = []
    for _ in range(PHASES):
        late[False] += await _lateness()
        maker = asyncio.create_task(_making(world, made))
        late[True] += await _lateness()
        maker.cancel()
        await asyncio.wait([maker])
    idle, busy = (_percentile(late[state]) for state in (False, True))
    return {
        "accounts": world.accounts,
        "lists_made": len(made),
        "making_ms": round(statistics.median(made) * 1e3, 1),
        "idle_median_us": round(statistics.median(late[False]) * 1e6),
        "idle_p99_us": round(idle * 1e6),
        "making_median_us": round(statistics.median(late[True]) * 1e6),
        "making_p99_us": round(busy * 1e6),
        "ratio_p99_making_to_idle": round(busy / idle, 2),
    }


async def _lateness() -> list[float]:
    """How late the loop was each time, in seconds, for one phase."""
    seen: list[float] = []
    end = time.perf_counter() + PHASE
    while (started := time.perf_counter()) < end:
        await asyncio.sleep(EVERY)
        seen.append(time.perf_counter() - started - EVERY)
    return seen


async def _making(world: World, made: list[float]) -> None:
    """Lists, one after the other."""
    loop, near = asyncio.get_running_loop(), np.zeros(world.accounts, np.bool_)
    while True:
        started = time.perf_counter()
        lists = await loop.run_in_executor(LISTS, make_lists, world.screen.prepare(world.now), near, world.accounts)
        old, near = [world.screen.watch], lists.near
        world.screen.adopt(lists.watch)
        LISTS.submit(old.clear)
        made.append(time.perf_counter() - started)


def _percentile(seen: list[float]) -> float:
    return sorted(seen)[len(seen) * P99 // 100]
