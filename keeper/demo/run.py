"""``keeper demo``: the whole keeper on a local world, from a calm start through a crash to a summary.

Laws
- It ends by itself, and exits 0 only if everything went right: nothing public, nothing reverted, nobody left who could
  have been liquidated at a profit, and a ledger that equals what the chain says.
- Every process and file it made is gone afterwards, also on Ctrl-C.
"""

import asyncio
import contextlib
import tempfile
from argparse import Namespace
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import msgspec
from rich.console import Console

from keeper.commands.amounts import Amounts, amounts
from keeper.commands.tables import show
from keeper.core.events import Log
from keeper.core.journal import JUDGED, OPEN, State
from keeper.core.ports import Quarantine
from keeper.core.units import WAD, Address
from keeper.daemon import Keeper
from keeper.daemon import Moment as Decided
from keeper.demo.script import Actors, Moment, story
from keeper.demo.show import Scene, Show, svg
from keeper.demo.stage import Stage, stage
from keeper.devnet.rpc import Tx
from keeper.errors import DevnetError, Exit
from keeper.executor.lifecycle import Change
from keeper.executor.signer import LocalSigner
from keeper.indexer.audit import audit, live_rows
from keeper.log import configure, get_logger
from keeper.reports.run_report import Liquidated, RunReport, landed, liquidated

DRAIN: Final = 12  # more slots at most, until nothing is in flight
READY_WITHIN: Final = 60.0
CAUGHT_UP_WITHIN: Final = 20.0
PATIENCE: Final = 10  # times the pace that a slot waits for the keeper
KEYS: Final = (  # accounts 1, 2, 3 and 5 of the publicly known test mnemonic
    "59c6995e998f97a5a0044966f0945389dc9e86dae88c7a8412f4603b6b78690d",
    "5de4111afa1a4b94908f83103eb1f1706367c2e68ca870fc3fb9a804cdab365a",
    "7c852118294e51e653712a81e05800f419141751be58f605c371e15141b007a6",
    "8b3a350cf5c34c9194ca85829a2df0ec3153be0318b5e2d3348e872092edffba",
)
COLUMNS: Final = (
    ("market", "left"),
    ("account", "left"),
    *((name, "right") for name in ("repaid", "seized", "predicted ETH", "realised ETH", "gas", "block")),
)
log = get_logger()


async def demo(args: Namespace) -> int:
    """Set the stage, play the story, tell what came of it."""
    with tempfile.TemporaryDirectory(prefix="keeper-demo-") as name:
        folder = Path(name)
        signer = LocalSigner([bytes.fromhex(key) for key in KEYS])
        async with stage(folder, args.accounts, args.seed, signer.addresses, markets=args.markets) as at:
            scene = Scene()
            with Show(scene) as view, _quiet(_log_of(args, folder), live=view.live):
                async with Keeper(at.settings, signer) as keeper:
                    play = Play(at, keeper, scene, view, signer.addresses)
                    report = await play.run(args.seed, args.pace)
                    problems = await play.problems(report)
                    named = await amounts(keeper.pool, await keeper.pool.head(), report.assets)
    if args.report is not None:
        report.write(args.report)
    if args.picture is not None:
        args.picture.write_text(svg(scene), encoding="utf-8")
    _tell(report, named, play.lost(), problems, args, watched=view.live)
    return Exit.NO if problems else Exit.DONE


@contextlib.contextmanager
def _quiet(log_file: Path, *, live: bool) -> Iterator[None]:
    """While somebody watches the live view, log lines go to a file."""
    if not live:
        yield
        return
    with log_file.open("w", encoding="utf-8") as file:
        configure("info", stream=file, human=False)
        yield
    configure("info")


def _log_of(args: Namespace, folder: Path) -> Path:
    """Beside the report, if there is to be one."""
    report: Path | None = args.report
    return report.with_suffix(".log") if report else folder / "keeper.log"


def _tell(
    report: RunReport, named: Amounts, lost: Mapping[str, int], problems: Sequence[str], args: Namespace,
    *, watched: bool,
) -> None:  # fmt: skip
    """The summary."""
    out = Console(soft_wrap=True)
    show(
        f"{len(report.liquidations)} liquidations, seed {args.seed}",
        COLUMNS,
        [_row(one, named) for one in report.liquidations],
    )
    for reason, count in Counter(skip.reason.value for skip in report.skips).items():
        out.print(f"refused: {count} x {reason}")
    for reason, count in lost.items():
        out.print(f"not landed: {count} x {reason}")
    out.print(f"gas {sum(one.gas_used for one in report.liquidations):,}")
    out.print(
        f"predicted {report.predicted / WAD:+.6f} ETH, realised {report.realised / WAD:+.6f} ETH after gas and bids"
    )
    out.print(f"reverted {report.reverted}, public {report.public_broadcasts}, shock in block {report.shock_block}")
    if args.report is not None:
        out.print(f"report: {args.report}" + (f", log: {_log_of(args, Path())}" if watched else ""))
    elif watched:
        out.print("--report FILE keeps the report, and the log beside it")
    for problem in problems:
        out.print(f"problem: {problem}", style="red")
    out.print("everything went right" if not problems else "not everything went right")


def _row(one: Liquidated, named: Amounts) -> tuple[str, ...]:
    return (
        one.protocol,
        one.account,
        named(one.debt_asset, one.repaid),
        named(one.collateral_asset, one.seized),
        f"{one.predicted_net_wei / WAD:+.6f}",
        f"{one.realised_net_wei / WAD:+.6f}",
        f"{one.gas_used:,}",
        str(one.block),
    )


def _word(state: State) -> str:
    """A state as the view says it."""
    return "landed" if state is State.LANDED else state.value


def _logs(receipt: Mapping[str, Any]) -> list[Log]:
    return msgspec.convert(receipt["logs"], list[Log], strict=False)


class Play:
    """One performance."""

    def __init__(self, at: Stage, keeper: Keeper, scene: Scene, show: Show, addresses: Sequence[Address]) -> None:
        self.at, self.keeper, self.scene, self.show, self.addresses = at, keeper, scene, show, addresses
        self.changes: list[Change] = []
        self.shock_block: int | None = None
        self._decided_on, self._turned = 0, asyncio.Event()  # the block that the keeper has decided on last
        keeper.listeners.append(self._done_with)
        if keeper.executor is None:
            raise DevnetError("the demonstration's keeper has no executor")
        self.executor = keeper.executor
        self.executor.listeners.append(self._changed)

    async def run(self, seed: int, pace: float) -> RunReport:
        """The story and what follows, with the keeper's own task beside it."""
        actors = Actors(self.at.world)
        actors.prepare()
        task = asyncio.create_task(self.keeper.run())
        try:
            await self._until_ready(task)
            for moment in story(seed):
                await self._slot(actors, moment, pace, task)
            for _ in range(DRAIN):
                await self._slot(actors, Moment(1.0, words="the end"), pace, task)
                if not any(entry.state in OPEN for entry in self.executor.entries) and not self._weak():
                    break
            await self._caught_up(task)
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
        return await self.report()

    async def _slot(self, actors: Actors, moment: Moment, pace: float, task: "asyncio.Task[None]") -> None:
        if moment.factor != 1.0:
            actors.stage([*actors.move(moment), *actors.follow(), *self._acted(moment)])
        if moment.drop_socket:
            self.at.relay.drop_sockets()
            self.scene.happened("all websockets were cut")
        await asyncio.sleep(pace)
        await self._decided(PATIENCE * pace)
        slot = await self.at.relay.slot()
        if moment.words == "the crash" and self.shock_block is None:
            self.shock_block = slot.number
        if moment.reorg:
            await asyncio.sleep(pace / 2)
            await self.at.relay.reorg(moment.reorg)
            self.scene.happened(f"the last {moment.reorg} blocks were replaced")
        self._draw(moment)
        if task.done():
            task.result()
            raise DevnetError("the keeper's task ended before the demonstration")

    async def _decided(self, most: float) -> None:
        """On a busy machine a slot waits for the keeper's decisions, as one of twelve seconds would; not for ever."""
        head = self.at.world.block_number()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(most):
                while self._decided_on < head:
                    self._turned.clear()
                    await self._turned.wait()

    def _acted(self, moment: Moment) -> Iterator[Tx]:
        for act in self.at.acts:
            yield from act.moves(moment)

    async def _until_ready(self, task: "asyncio.Task[None]") -> None:
        async with asyncio.timeout(READY_WITHIN):
            while not self.keeper.live.ready:
                if task.done():
                    task.result()
                await asyncio.sleep(0.05)

    async def _caught_up(self, task: "asyncio.Task[None]") -> None:
        async with asyncio.timeout(CAUGHT_UP_WITHIN):
            while self._behind() or not self.keeper.live.ready:
                if task.done():
                    task.result()
                await asyncio.sleep(0.05)

    def _behind(self) -> bool:
        tip = self.keeper.indexer.tip
        return tip is None or tip.number < self.at.world.block_number()

    # what is seen --------------------------------------------------------------------------------------------------

    def _done_with(self, moment: Decided) -> None:
        self._decided_on = moment.block.number
        self._turned.set()

    def _changed(self, change: Change) -> None:
        self.changes.append(change)
        profit = f", {change.line.net / WAD:+.6f} ETH" if change.line else ""
        what = "undone" if change.undone else _word(change.entry.state)
        self.scene.happened(f"{what}: {len(change.entry.accounts)} account(s){profit}")

    def _draw(self, moment: Moment) -> None:
        scene, world = self.scene, self.at.world
        scene.block, scene.words = world.block_number(), moment.words
        scene.prices = {symbol: world.price(symbol) for symbol in ("WETH", "WBTC", "LINK", "WSTETH")}
        scene.factors = self._factors()
        outcomes = Counter(
            _word(change.entry.state) for change in self.changes if change.entry.state is not State.FINAL
        )
        scene.outcomes = {"planned": self.keeper.pipeline.planned, **outcomes}
        scene.realised = self.executor.total
        self.show.draw()

    def _factors(self) -> list[int]:
        tip = self.keeper.indexer.tip
        if tip is None:
            return []
        found = [
            market.adapter.health(market.book, row, tip.timestamp)
            for market in self.keeper.indexer.markets
            for row in live_rows(market.book)
        ]
        return [health.health_factor for health in found if not isinstance(health, Quarantine)]

    def _weak(self) -> bool:
        """Whether somebody is liquidatable and was not refused with a reason."""
        watch = self.keeper.pipeline.watch
        return bool(watch.unhealthy - set(watch.skips))

    # what came of it -----------------------------------------------------------------------------------------------

    async def report(self) -> RunReport:
        """From the journal, the ledger and the chain."""
        done: list[Liquidated] = []
        reverted = 0
        contract = Address(self.at.settings.executor.address or "")
        for entry, line in landed(self.keeper.journal()):
            receipt = await self.keeper.pool.request("eth_getTransactionReceipt", (line.tx,))
            reverted += receipt["status"] != "0x1"
            done.extend(liquidated(entry, line, _logs(receipt), contract))
        skips = tuple(self.keeper.pipeline.watch.skips.values())
        public = len(self.at.relay.public.sent_by(self.addresses))
        return RunReport(tuple(done), skips, reverted, public, self.shock_block)

    def lost(self) -> Mapping[str, int]:
        """How often a transaction did not land, by why."""
        last = {change.entry.id: change.entry for change in self.changes}
        gone = (entry for entry in last.values() if (entry.outcome or entry.state) in JUDGED)
        return Counter(f"{_word(entry.outcome or entry.state)}, {entry.reason}" for entry in gone)

    async def problems(self, report: RunReport) -> list[str]:
        """Everything that did not go right."""
        shown = {one.protocol for one in report.liquidations}
        found = [f"nobody was liquidated on {name}" for name in self._played() if name not in shown]
        if report.reverted:
            found.append(f"{report.reverted} transactions reverted")
        if report.public_broadcasts:
            found.append(f"{report.public_broadcasts} transactions were public")
        if self._weak():
            found.append("liquidatable accounts were left without a reason")
        if report.realised != self.executor.total:
            found.append(f"the report says {report.realised} wei, the ledger {self.executor.total}")
        return found + await self._drifts()

    def _played(self) -> list[str]:
        return [market.adapter.name for market in self.keeper.indexer.markets]

    async def _drifts(self) -> list[str]:
        """The book against the chain, all of it."""
        tip = self.keeper.indexer.tip
        if tip is None:
            return ["nothing was indexed"]
        drifts = [
            drift
            for market in self.keeper.indexer.markets
            for drift in await audit(self.keeper.pool, market, live_rows(market.book), tip)
        ]
        return [f"the book differs from the chain on {len(drifts)} accounts"] if drifts else []
