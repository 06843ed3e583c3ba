"""How late the event loop answers while watch lists of a million accounts are made, against a loop with nothing else.

Law: both states take turns in one process. What arrives is sent by another process, as a node's messages are, about
every millisecond, with the moment of its sending; how late it is read is what is measured. (A timer of the loop's own
would measure its rounding to milliseconds.) Lists are made one after the other in a thread, as after a block that wore
them, and swapped in on the loop.
"""

import asyncio
import gc
import socket
import statistics
import struct
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

import numpy as np
import uvloop

from keeper.bench.screen import World
from keeper.lookout import LISTS
from keeper.nearby import make_lists

PHASES: Final = 24  # of each state, in turns
PHASE: Final = 0.5  # seconds
LOOKS: Final = 0.005  # seconds between two looks whether lists are made; the daemon looks once a block
P99: Final = 99
SENDER: Final = """
import socket, struct, sys, time
to = socket.socket(fileno=int(sys.argv[1]))
while True:
    time.sleep(0.001)
    to.send(struct.pack("d", time.perf_counter()))
"""


class Ear:
    """What arrives on the loop, and how late each was, in seconds, while somebody listens."""

    def __init__(self) -> None:
        self._socket, self._theirs = socket.socketpair()
        self._socket.setblocking(False)
        self._seen: list[float] | None = None

    @contextmanager
    def open(self) -> Iterator[None]:
        """With a process that sends."""
        loop, theirs = asyncio.get_running_loop(), self._theirs.fileno()
        command = [sys.executable, "-S", "-c", SENDER, str(theirs)]
        sender = subprocess.Popen(command, pass_fds=[theirs])  # noqa: S603 - our own words
        loop.add_reader(self._socket, self._heard)
        try:
            yield
        finally:
            loop.remove_reader(self._socket)
            sender.kill()
            sender.wait()
            self._socket.close()
            self._theirs.close()

    def _heard(self) -> None:
        (sent,) = struct.unpack("d", self._socket.recv(8))
        if self._seen is not None:
            self._seen.append(time.perf_counter() - sent)

    async def listen(self, seen: list[float]) -> None:
        """For one phase."""
        self._seen = seen
        await asyncio.sleep(PHASE)
        self._seen = None


def run(accounts: int = 1_000_000) -> dict[str, Any]:
    """All figures of the benchmark."""
    world = World(accounts)
    gc.collect()
    gc.freeze()
    return uvloop.run(_measured(world))


async def _measured(world: World) -> dict[str, Any]:
    late: dict[bool, list[float]] = {False: [], True: []}
    made: list[float] = []
    ear = Ear()
    with ear.open():
        await ear.listen([])
        for _ in range(PHASES):
            await ear.listen(late[False])
            maker = asyncio.create_task(_making(world, made))
            await ear.listen(late[True])
            maker.cancel()
            await asyncio.wait([maker])
            await asyncio.to_thread(LISTS.submit(int).result)  # the thread has ended its last ones too
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


async def _making(world: World, made: list[float]) -> None:
    """Lists, one after the other."""
    near, spare = np.zeros((2, world.accounts), np.bool_)
    while True:
        started = time.perf_counter()
        making = LISTS.submit(make_lists, world.screen.prepare(world.now), near, spare)
        while not making.done():  # noqa: ASYNC110 - as the daemon does
            await asyncio.sleep(LOOKS)
        lists = making.result()
        near, spare = lists.near, near
        world.screen.adopt(lists.watch)
        made.append(time.perf_counter() - started)


def _percentile(seen: list[float]) -> float:
    return sorted(seen)[len(seen) * P99 // 100]
