"""``keeper run``: the whole keeper as a service that runs for months.

    check → lock → parts → tasks → … → stop asked for → drain → tasks end → checkpoint → 0

Laws
- It starts only when nothing that ``keeper check`` looks at is wrong, and says everything that is.
- A stop takes no new decisions and waits for what is in flight. A second signal ends at once; the state file bears it.
- SIGHUP changes [policy] and [risk], or nothing: a file with problems leaves everything as it was.
"""

import asyncio
import contextlib
import time
from argparse import Namespace
from collections.abc import AsyncIterator
from typing import Final

from keeper import __version__
from keeper.books import damage
from keeper.books import endpoints as connect
from keeper.chain.retry import Patience
from keeper.checks.finding import exit_code
from keeper.commands.check import examined
from keeper.core.submissions import Channel
from keeper.daemon import Keeper
from keeper.errors import ConfigError, Exit
from keeper.gate import Halts
from keeper.log import get_logger
from keeper.observer import Metered, Observer
from keeper.ops.alerts import Alerts
from keeper.ops.server import Server
from keeper.ops.signals import Signals
from keeper.ops.status import Status
from keeper.ops.supervise import Supervisor
from keeper.ops.switch import NAME, KillSwitch
from keeper.ops.values import Mode
from keeper.ops.watchdog import Watchdog
from keeper.settings import Settings, load
from keeper.store.reasons import Reasons

LOOK: Final = 1.0  # seconds between two looks at the kill switch
RELOADED: Final = ("policy", "risk")  # sections; all others need a restart
FIXED: Final = (("policy", "allow_public"), ("policy", "window"))  # built into channels and submissions

log = get_logger()


async def run(settings: Settings, args: Namespace) -> int:
    """Check, start, run until asked to stop."""
    await _fit(settings)
    async with Service(settings, args).opened() as service:
        await service.serve()
    log.info("daemon.stopped", exit_code=int(Exit.DONE))
    return Exit.DONE


async def _fit(settings: Settings) -> None:
    """Raise everything that is wrong at once, with the exit code of ``keeper check``."""
    async with connect(settings, Patience(total=settings.chain.timeout)) as pool:
        found = await examined(settings, pool)
    problems = [one for one in found if one.grade == "problem"]
    if problems:
        error = ConfigError(
            *(f"{one.subject}: {one.says}" + f" -> {one.remedy}" * bool(one.remedy) for one in problems)
        )
        error.exit_code = exit_code(found)
        raise error


class Service:
    """A keeper with everything that an operator needs around it."""

    def __init__(self, settings: Settings, args: Namespace) -> None:
        self._settings, self._args = settings, args
        self._read_only = args.read_only or not settings.signer.configured
        self.status = Status(
            version=__version__,
            mode=Mode.READ_ONLY if self._read_only else Mode.LIVE,
            chain_id=settings.chain.id,
            block_time=settings.chain.block_time,
            log_lost=lambda: args.sink.lost,
        )
        self._channels: list[Metered] = []
        self._switch = KillSwitch(self.status, settings.risk.kill_switch)
        self._signals = Signals()

    @contextlib.asynccontextmanager
    async def opened(self) -> AsyncIterator["Service"]:
        """All parts, closed in the reverse order."""
        settings = self._settings
        with self._signals:
            async with contextlib.AsyncExitStack() as opening:
                self._alerts = await Alerts.configured(self.status, settings.ops)
                opening.push_async_callback(self._alerts.close)
                keeper = Keeper(settings, read_only=self._read_only, halted=self._halted, meter=self._metered)
                self._keeper = await opening.enter_async_context(keeper)
                with damage(settings.store.path):
                    reasons = Reasons(keeper.store)
                opening.callback(reasons.close)
                self._observer = Observer(keeper, self.status, reasons, self._alerts)
                await opening.enter_async_context(
                    Server(self.status, reasons, host=settings.ops.host, port=settings.ops.port)
                )
                yield self

    async def serve(self) -> None:
        """Run all tasks until a stop is asked for; then settle what is in flight."""
        async with Supervisor(self.status) as supervisor:
            supervisor.start("pipeline", self._keeper.run)
            supervisor.start("observer", self._observer.run)
            supervisor.start("relays", lambda: self._observer.ask(self._channels))
            supervisor.start("alerts", self._alerts.run)
            supervisor.start("kill switch", self._looking)
            supervisor.start("reload", self._reloading)
            for name, source in self._keeper.sources().items():
                supervisor.start(name, source)
            supervisor.start("watchdog", Watchdog(self.status).run)
            self._started()
            await supervisor.until(self._signals.stop)
            await self._drain()
        await self._keeper.checkpoint()

    def _started(self) -> None:
        settings = self._settings
        facts = {"version": __version__, "mode": self.status.mode.value, "markets": len(settings.markets)}
        if self._read_only:
            why = "asked for with --read-only" if self._args.read_only else "no signer is configured"
            log.warning("daemon.started", reason=f"nothing will be sent: {why}", **facts)
        else:
            log.info("daemon.started", **facts, relays=len(settings.relays))

    async def _drain(self) -> None:
        self.status.stopping = True
        gate = self._keeper.gate
        log.info("daemon.stopping", signal=self._signals.name, in_flight=gate.in_flight if gate else 0)
        if not await self._keeper.drain(time.monotonic() + self._args.drain):
            left = gate.in_flight if gate else 0
            log.warning("daemon.drain_timeout", in_flight=left, waited_s=float(self._args.drain))

    # what stops sending ----------------------------------------------------------------------------------------------

    def _metered(self, channel: Channel) -> Channel:
        self._channels.append(metered := Metered(channel, self.status))
        return metered

    def _halted(self) -> Halts:
        """The kill switch, as of now: asked right before anything is sent."""
        return {NAME: self.status.halted[NAME]} if self._switch.look() else {}

    async def _looking(self) -> None:
        while True:
            self._switch.look()
            await asyncio.sleep(LOOK)

    # the configuration, read again -----------------------------------------------------------------------------------

    async def _reloading(self) -> None:
        while True:
            await self._signals.reload.wait()
            self._signals.reload.clear()
            self._reload()

    def _reload(self) -> None:
        """Take over what can be changed while running, say what cannot, keep everything if anything is wrong."""
        try:
            fresh = load(self._args.config, self._args.flags, secrets=self._args.secrets)
        except ConfigError as error:
            log.warning("config.rejected", problems=list(error.problems))
            return
        now = self._settings
        changed = [name for name in type(now).model_fields if getattr(now, name) != getattr(fresh, name)]
        late = [name for name in changed if name not in RELOADED]
        late += [f"{part}.{key}" for part, key in FIXED if _of(now, part, key) != _of(fresh, part, key)]
        kept = fresh.policy.model_copy(update={key: _of(now, part, key) for part, key in FIXED})
        self._settings = now.model_copy(update={"policy": kept, "risk": fresh.risk})
        self._switch = KillSwitch(self.status, fresh.risk.kill_switch)
        self._keeper.retune(self._settings)
        log.info(
            "config.loaded", markets=len(now.markets), endpoints=len(now.chain.rpc),
            reloaded=[name for name in changed if name in RELOADED], needs_restart=late,
        )  # fmt: skip


def _of(settings: Settings, part: str, key: str) -> object:
    return getattr(getattr(settings, part), key)
