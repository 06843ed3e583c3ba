"""A status as a healthy, live keeper has it, with clocks that a test moves, and the log as it would be written."""

import asyncio
import io
import json
import logging
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from keeper import log
from keeper.core.events import Block
from keeper.core.units import Address, Wei
from keeper.log_events import problems
from keeper.ops.status import Status
from keeper.ops.values import Feeds, Mode, Peer, Purse

ALICE, BOB, MARKET, ASSET = (Address(f"0x{byte * 20}") for byte in ("a1", "b0", "11", "55"))
SIGNER = Address("0x" + "99" * 20)
ETHER = 10**18


@dataclass
class Clock:
    """Both clocks, in step until a test says otherwise."""

    at: float = 1_000_000.0

    def __call__(self) -> float:
        return self.at


def block(number: int, timestamp: int | None = None) -> Block:
    word = f"0x{number:064x}"
    return Block(number, word, word, timestamp or number * 12, 0, 30_000_000, 0)  # type: ignore[arg-type]


def healthy(clock: Clock | None = None, mode: Mode = Mode.LIVE) -> Status:
    at = clock or Clock()
    status = Status(version="1.2.3", mode=mode, chain_id=1, block_time=12, now=at, clock=at)
    status.stands(block(100), caught_up=True)
    status.endpoints = {"own": Peer(), "other": Peer(latency=0.2)}
    status.relays = {"flashbots": Peer(), "titan": Peer()}
    status.purses = {SIGNER: Purse(Wei(ETHER), Wei(ETHER // 20))}
    status.feeds = Feeds(total=3)
    return status


@contextmanager
def logging_to_memory() -> Iterator[Callable[[], list[dict[str, object]]]]:
    """Every line that is logged, decoded and held to the schema."""
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    stream = io.StringIO()
    log.configure(stream=stream)

    def lines() -> list[dict[str, object]]:
        found = [json.loads(line) for line in stream.getvalue().splitlines()]
        assert [said for line in found for said in problems(line)] == []
        return found

    try:
        yield lines
        lines()
    finally:
        root.handlers[:] = handlers
        root.setLevel(level)
        log.configure(stream=sys.stderr)


async def until(true: Callable[[], bool]) -> None:
    """Wait for what another thread or task does."""
    async with asyncio.timeout(10):
        while not true():  # noqa: ASYNC110 - a thread sets no event of ours
            await asyncio.sleep(0.01)
