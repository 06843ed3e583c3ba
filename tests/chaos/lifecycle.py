"""Runs in which everything goes wrong at once, and what must hold after each of them.

One run: some accounts fall, an executor works on them through relays with random faults; prices recover and fall again,
rivals liquidate, blocks are replaced, and the executor dies in the middle of anything it does, to be started again on
the state file it left. Then the world calms down, and chain, journal and ledger are held against each other.
"""

import asyncio
import random
from collections import Counter
from collections.abc import Coroutine, Sequence
from contextlib import AsyncExitStack
from contextvars import ContextVar
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final
from weakref import WeakSet

from keeper.contracts.encode import Executor as Contract
from keeper.core.journal import GRACE, OUTCOMES, Entry, State
from keeper.core.plans import Plan
from keeper.core.units import Address
from keeper.devnet.anvil import AnvilOptions
from keeper.devnet.build import load_world, make_world, save_world
from keeper.devnet.relay_faults import Fault
from keeper.devnet.relay_public import Source
from keeper.store.journal import Journal
from tests.chain.executor_stage import ANVIL, CHAIN, FINAL, Play, Stage, keys, playing, relaying
from tests.contracts.executor_world import FALLEN, STRANGER, Rig

RECOVERED: Final = 2_100 * 10**8
WINDOW: Final = 3
ROOT: Final = Path(__file__).parents[2]
SIGNERS: Final = 6
RATES: Final = {
    Fault.DROPPED: 0.1,
    Fault.LATE: 0.1,
    Fault.SILENT: 0.01,
    Fault.RATE_LIMITED: 0.05,
    Fault.BROKEN: 0.05,
    Fault.BROKEN_AFTER: 0.05,
    Fault.HTML: 0.05,
    Fault.TWICE: 0.1,
    Fault.CANCEL_IGNORED: 0.5,
    Fault.MISSED: 0.1,
    Fault.UNBUNDLED: 0.1,
    Fault.REORG: 0.15,
}


class Dead(BaseException):
    """What a process meets that is killed: nothing after it happens, not even cleaning up."""


LIVING: ContextVar["Life | None"] = ContextVar("living", default=None)


@dataclass
class Life:
    """How many of its dealings with the world an executor survives."""

    left: int
    over: asyncio.Event = field(default_factory=asyncio.Event)
    tasks: WeakSet[asyncio.Task[Any]] = field(default_factory=WeakSet)

    async def live(self, work: Coroutine[Any, Any, None]) -> bool:
        """Do this; False when it was the last thing done."""
        LIVING.set(self)
        task, over = asyncio.create_task(work), asyncio.create_task(self.over.wait())
        await asyncio.wait({task, over}, return_when=asyncio.FIRST_COMPLETED)
        over.cancel()
        LIVING.set(None)
        if not self.over.is_set():
            await task
            return True
        while left := [one for one in self.tasks if not one.done()]:  # with a process goes all it had begun
            for one in left:
                one.cancel()
            await asyncio.gather(*left, return_exceptions=True)
        return False

    def tick(self) -> None:
        self.left -= 1
        if self.left <= 0:
            self.over.set()
            raise Dead


class Mortal:
    """Something of the world, reached through a life: it may end before each call, and after it, before the answer."""

    def __init__(self, real: Any, life: Life) -> None:
        self._real, self._life = real, life

    def __getattr__(self, name: str) -> Any:
        real, life = getattr(self._real, name), self._life
        if not callable(real):
            return real

        async def later(*args: Any, **named: Any) -> Any:
            life.tick()
            answer = await real(*args, **named)
            life.tick()
            return answer

        def at_once(*args: Any, **named: Any) -> Any:
            life.tick()
            answer = real(*args, **named)
            life.tick()
            return answer

        return later if asyncio.iscoroutinefunction(real) else at_once


def mortal(play: Play, life: Life) -> None:
    """From now on this executor can die."""
    executor = play.executor
    node: Any = Mortal(play.pool, life)
    journal: Any = Mortal(play.journal, life)
    executor._node = executor._nonces._node = executor._lifecycle._tracker._node = node
    executor._outbox._simulator._node = node
    executor._records.journal = journal
    for lane in play.fanout._lanes:
        object.__setattr__(lane, "channel", Mortal(lane.channel, life))


@dataclass
class Run:
    """One run, drawn from one seed."""

    stage: Stage
    accounts: Sequence[Address]
    seed: int
    folder: Path
    kills: float = 0.3  # chance of a death in each slot
    slots: int = 10
    deaths: int = 0
    state: Path = Path()
    price: int = FALLEN
    secrets: set[str] = field(default_factory=set)
    outcomes: Counter[str] = field(default_factory=Counter)

    def __post_init__(self) -> None:
        self.draw = random.Random(self.seed)
        self.state = self.folder / f"{self.seed}.sqlite" if self.state == Path() else self.state
        self.before = self.stage.wealth()

    async def play(self) -> Counter[str]:
        """The whole run; what came of its opportunities."""
        self.stage.world.set_price("WETH", self.price)
        async with relaying(self.stage, self.seed, RATES) as relay:
            self.relay = relay
            self.prepare()
            left = self.slots
            while left > 0:
                left = await self._a_life(left)
            await self._calm()
            return self._check()

    def prepare(self) -> None:
        """Before the first life."""

    # while it rages --------------------------------------------------------------------------------------------------

    async def _a_life(self, slots: int) -> int:
        """One executor until it dies, or until the run's slots are over."""
        async with AsyncExitStack() as stack:
            play = await stack.enter_async_context(self._executor())
            life = Life(self.draw.randint(1, 150) if self.draw.random() < self.kills * 3 else 10**9)
            mortal(play, life)
            while slots > 0:
                if not await life.live(self._work(play)):
                    self.deaths += 1
                    return slots
                await self._events()
                await self.relay.slot()
                slots -= 1
        return slots

    def _executor(self) -> Any:
        return playing(self.stage, self.relay, self.state, total=0.15, hand_over=0.5)

    async def _work(self, play: Play) -> None:
        """What the pipeline does on a head: all that is worth doing, as it sees it."""
        head = await play.executor.reconcile()
        plans = self._plans(head.number, play.executor.entries)
        await play.executor.submit(plans, head)

    def _plans(self, head: int, entries: Sequence[Entry]) -> list[Plan]:
        weak = self.stage.fallen(self.accounts)
        self.draw.shuffle(weak)
        groups: list[list[Address]] = []
        while weak:
            size = self.draw.choice((1, 1, 2, 3))
            groups.append(weak[:size])
            weak = weak[size:]
        if entries and self.draw.random() < 0.2:
            return []
        return [self.stage.plan(*group, window=WINDOW, head=head) for group in groups]

    async def _events(self) -> None:
        """What others do between two blocks."""
        chance = self.draw.random()
        world = self.stage.world
        if chance < 0.08:
            self.price = RECOVERED if self.price == FALLEN else FALLEN
            world.set_price("WETH", self.price)
        elif chance < 0.12 and (weak := self.stage.fallen(self.accounts)):
            world.liquidate(STRANGER, "WETH", "USDC", self.draw.choice(weak))
        elif chance < 0.2:
            await self.relay.reorg(self.draw.randint(1, 3), self.draw.choice(("returned", "delayed", "lost")))

    # when it is over -------------------------------------------------------------------------------------------------

    async def _calm(self) -> None:
        """No more faults and no more deaths, until everything is final."""
        self.relay.faults.rates.clear()
        async with self._executor() as play:
            for _ in range(FINAL + WINDOW + GRACE + 3):
                await play.executor.reconcile()
                await self.relay.slot()
            await play.executor.reconcile()
            assert play.executor.entries == (), f"seed {self.seed}: never decided: {play.executor.entries}"

    def _check(self) -> Counter[str]:
        note = f"seed {self.seed}"
        receipts, journal = self.stage.receipts(), Journal(self.state, CHAIN)
        entries = [
            entry for row in journal._db.execute("SELECT id FROM opportunity") if (entry := journal.find(row[0]))
        ]
        hashes = {variant.tx for entry in entries for variant in entry.variants}
        raws = (variant.raw.hex() for entry in entries for variant in entry.variants)
        self.secrets = {key.hex() for key in self.stage.secrets} | {raw[-80:] for raw in raws}
        for entry in entries:
            mine = [variant.tx for variant in entry.variants if variant.tx in receipts]
            assert len(mine) <= 1, f"{note}: {entry.id} was included twice"
            assert entry.state is State.FINAL, note
            assert entry.outcome in OUTCOMES, note
            standing = sum(-1 if line.reversal else 1 for line in journal.lines(entry.id))
            assert standing == len(mine) == (entry.outcome in (State.LANDED, State.REVERTED)), f"{note}: {entry}"
        sent = {tx for desk in self.relay.desks.values() for one in desk.received for tx in one.tx_hashes}
        assert sent <= hashes, f"{note}: something left that the journal does not know"
        assert set(receipts) <= hashes, note
        leaked = {one.tx.hash for one in self.relay.public.broadcasts if one.source is not Source.STAGE}
        failed = {tx for tx, one in receipts.items() if one["status"] != "0x1"}
        assert failed <= leaked, f"{note}: reverted although nobody leaked it"
        assert self.relay.public.sent_by(self.stage.eoas) == (), f"{note}: broadcast"
        assert journal.total() == self.stage.wealth() - self.before, f"{note}: the ledger is not the balances"
        journal.close()
        return Counter(entry.outcome.value for entry in entries if entry.outcome)


@dataclass
class Theatre:
    """A stage that is set once, and anew for every run."""

    saved: Path
    contract: Contract
    accounts: Sequence[Address]

    @classmethod
    def build(cls, folder: Path) -> "Theatre":
        with make_world("3.0.2", AnvilOptions(**ANVIL)) as world:
            stage = Stage.build(world, signers=SIGNERS)
            accounts = [stage.rig.borrower(supplied=1, owed=1_599) for _ in range(5)]
            stage.rig.fall()
            world.set_price("WETH", RECOVERED)
            folder.mkdir()
            save_world(world, folder)
            return cls(folder, stage.rig.executor, accounts)

    async def run(self, seed: int, folder: Path, kind: type[Run] = Run, **options: Any) -> Run:
        """One run, on a node of its own."""
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(_ignore_death)
        loop.set_task_factory(_born)
        with load_world(self.saved, AnvilOptions(**ANVIL)) as world:
            world.rpc.rpc("anvil_mine", "0x4")  # there is no state of before: no reorganisation may reach back to it
            stage = Stage(world, Rig(world, self.contract), keys(SIGNERS))
            run = kind(stage, self.accounts, seed, folder, **options)
            run.outcomes = await run.play()
            return run


def _ignore_death(loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    if not isinstance(context.get("exception"), Dead):
        loop.default_exception_handler(context)


def _born(loop: asyncio.AbstractEventLoop, work: Any, **options: Any) -> asyncio.Task[Any]:
    task = asyncio.Task(work, loop=loop, **options)
    life = LIVING.get()
    if life is not None:
        life.tasks.add(task)
    return task
