"""A day in the life of the daemon, at speed: a market that wanders, people who come and go, what the process weighs.

Prices follow a random walk that comes back; people borrow to the edge, supply and repay, so that accounts keep falling
and recovering for as long as it goes on. The walk is a function of its seed.
"""

import asyncio
import math
import random
import re
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Final

import aiohttp

from keeper.demo.script import VOLATILE, Moment
from keeper.devnet.actions import VARIABLE_RATE
from keeper.devnet.crowd import borrower_address
from keeper.devnet.layout import LENDER
from keeper.devnet.rpc import Tx
from tests.chain.service_stage import Service, Theatre

BACK: Final = 0.98  # share of its distance from the start that the market keeps from one move to the next
STEP: Final = 0.012  # standard deviation of a move
MOVES_EVERY: Final = 3  # slots
STABLES_EVERY: Final = 300  # slots
PEOPLE: Final = 3  # who do something in a slot
PATIENCE: Final = 60.0  # seconds for one block
TOLD: Final = 20  # samples of a run
EVERY: Final = 10  # blocks between two looks at the process
STABLE: Final = "USDC"
_GAUGE: Final = re.compile(r'^(\w+)(?:\{\w+="([^"]*)"\})? ([-+.\w]+)$', re.MULTILINE)


class Walk:
    """What happens in the market."""

    def __init__(self, at: Theatre, accounts: int, seed: int) -> None:
        self._at, self._draw = at, random.Random(seed)
        self._people = [borrower_address(seed, index) for index in range(accounts)]
        self._level, self._turn = 0.0, 0

    def txs(self) -> list[Tx]:
        """Of one slot."""
        self._turn += 1
        moved = self._moved() if self._turn % MOVES_EVERY == 0 else []
        return moved + [tx for _ in range(PEOPLE) for tx in self._person()]

    def _moved(self) -> list[Tx]:
        level = BACK * self._level + self._draw.gauss(0.0, STEP)
        factor, self._level = math.exp(level - self._level), level
        actors = self._at.actors
        told = self._stables() if self._turn % STABLES_EVERY == 0 else []
        return [*actors.move(Moment(factor)), *actors.follow(), *told]

    def _stables(self) -> list[Tx]:
        """Their feeds keep their promise of an answer a day, though nothing has changed."""
        world = self._at.at.world
        rest = [symbol for symbol in world.layout.feeds if symbol not in VOLATILE]
        return [world.set_price_tx(symbol, world.feed_price(symbol)) for symbol in rest]

    def _person(self) -> list[Tx]:
        world, who = self._at.at.world, self._draw.choice(self._people)
        kind = self._draw.choices(("borrow", "supply", "repay"), weights=(5, 2, 2))[0]
        symbol = self._draw.choice(VOLATILE) if kind == "supply" else STABLE
        if kind == "borrow":
            free = world.account_data(who).available_base
            amount = free * world.layout.tokens[symbol].unit * 98 // 100 // world.price(symbol)
            return [world.borrow_tx(who, symbol, amount)] if amount else []
        worth = self._draw.randrange(50, 500) * 10**8  # dollars
        amount = worth * world.layout.tokens[symbol].unit // world.price(symbol)
        args = (world.asset(symbol), amount, *((who, 0) if kind == "supply" else (VARIABLE_RATE, who)))
        return [world.pool.tx(kind, *args, sender=LENDER)]


@dataclass(frozen=True, slots=True)
class Sample:
    """The process at one block."""

    block: int
    memory: float
    files: float
    queues: Mapping[str, float]
    restarts: float
    metrics: Mapping[tuple[str, str], float]

    def __str__(self) -> str:
        queues = ", ".join(f"{name} {size:.0f}" for name, size in self.queues.items())
        return f"block {self.block}: {self.memory / 2**20:.2f} MiB, {self.files:.0f} files, {queues}"

    def of(self, name: str, label: str = "") -> float:
        return self.metrics[(name, label)]


class Soak:
    """One daemon, watched while blocks pass."""

    def __init__(self, at: Theatre, service: Service, walk: Walk, port: int) -> None:
        self.at, self.service, self.walk = at, service, walk
        self.samples: list[Sample] = []
        self._url = f"http://127.0.0.1:{port}"

    async def run(self, blocks: int) -> None:
        """So many blocks, each decided on before the next."""
        async with aiohttp.ClientSession() as session:
            for turn in range(blocks):
                self.at.actors.stage(self.walk.txs())
                slot = await self.at.at.relay.slot()
                await self._reached(session, slot.number)
                if turn % EVERY == 0:
                    async with session.get(f"{self._url}/metrics") as reply:
                        self.samples.append(_sample(slot.number, await reply.text()))
                    if len(self.samples) % max(1, blocks // TOLD // EVERY) == 0:
                        sys.stderr.write(f"{self.samples[-1]}\n")  # a day takes a while

    async def _reached(self, session: aiohttp.ClientSession, number: int) -> None:
        end = time.monotonic() + PATIENCE
        while True:
            async with session.get(f"{self._url}/readyz") as reply:
                seen = await reply.json()
            if int(seen["block"]) >= number:
                return
            assert time.monotonic() < end, (number, seen)
            assert self.service.process.poll() is None, self.service.lines[-5:]
            await asyncio.sleep(0.01)


def _sample(block: int, text: str) -> Sample:
    found = {(name, label): float(value) for name, label, value in _GAUGE.findall(text)}
    return Sample(
        block,
        memory=found[("process_resident_memory_bytes", "")],
        files=found[("process_open_fds", "")],
        queues={label: value for (name, label), value in found.items() if name == "keeper_queue_size"},
        restarts=sum(value for (name, _), value in found.items() if name == "keeper_task_restarts_total"),
        metrics=found,
    )


def halves(samples: Sequence[Sample]) -> tuple[Sequence[Sample], Sequence[Sample]]:
    """What is compared: after the first half, in which caches fill up, the third and the fourth quarter."""
    quarter = len(samples) // 4
    return samples[2 * quarter : 3 * quarter], samples[3 * quarter :]


def growth(samples: Sequence[Sample]) -> float:
    """Of memory, between the medians of the two."""
    before, after = halves(samples)
    return median(one.memory for one in after) / median(one.memory for one in before) - 1
