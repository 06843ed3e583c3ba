"""The demonstration's stage, with the real script as a process of its own on it."""

import asyncio
import contextlib
import json
import os
import signal
import subprocess
import time
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import aiohttp

from keeper.demo.run import KEYS
from keeper.demo.script import Actors, Moment
from keeper.demo.stage import Stage, stage
from keeper.executor.signer import LocalSigner
from keeper.log_events import problems
from tests.edge.command import SCRIPT

PATIENCE: Final = 60.0  # seconds; for what must happen, not how fast
SIGNERS: Final = tuple(LocalSigner([bytes.fromhex(key) for key in KEYS]).addresses)
ENVIRON: Final = {"TEST_KEYS": ",".join(KEYS)}
Line = dict[str, Any]


def configuration(
    at: Stage,
    *,
    signer: bool = True,
    extra: str = "",
    risk: str = "",
    policy: str = "",
    chain: str = "",
    store: Path | None = None,
    node: tuple[str, str] | None = None,
) -> str:
    """The file that an operator of the stage's world would write. ``node``: another way to it, HTTP and websocket."""
    settings = at.settings
    rpc, ws = node or (at.relay.rpc, at.relay.ws)
    venues = "\n".join(
        f'[[venues]]\nkind = "{one.kind}"\naddress = "{one.address}"\ninit_code_hash = "{one.init_code_hash}"'
        for one in settings.venues
    )
    hands = f"""
[signer]
env = "TEST_KEYS"
[[relays]]
kind = "flashbots"
url = "{at.relay.url}"
"""
    return f"""
[chain]
id = {settings.chain.id}
rpc = ["{rpc}"]
ws = ["{ws}"]
block_time = {settings.chain.block_time}
{chain}
wrapped_native = "{settings.chain.wrapped_native}"
[[markets]]
protocol = "aave_v3"
address = "{settings.markets[0].address}"
from_block = 0
{venues}
[executor]
address = "{at.executor}"
profit_recipient = "{settings.executor.profit_recipient}"
{hands if signer else ""}
[policy]
{policy}
[risk]
{risk}
[store]
path = "{store or settings.store.path}"
[ops]
port = 0
audit_every = 10
{extra}
"""


@dataclass
class Service:
    """One ``keeper run``."""

    process: "subprocess.Popen[bytes]"
    log: Path

    @property
    def lines(self) -> list[Line]:
        """Everything it has logged so far."""
        text = self.log.read_text(encoding="utf-8")
        return [
            json.loads(line) for line in text.splitlines(keepends=True) if line.startswith("{") and line[-1] == "\n"
        ]

    def of(self, event: str) -> list[Line]:
        return [line for line in self.lines if line["event"] == event]

    async def until(self, event: str, count: int = 1, beat: Callable[[], Any] | None = None) -> list[Line]:
        """Wait for an event; ``beat`` is awaited between two looks."""
        end = time.monotonic() + PATIENCE
        while len(found := self.of(event)) < count:
            assert self.process.poll() is None, self.log.read_text(encoding="utf-8")[-4_000:]
            assert time.monotonic() < end, f"no {event}: " + self.log.read_text(encoding="utf-8")[-4_000:]
            if beat is not None:
                await beat()
            await asyncio.sleep(0.2)
        return found

    async def ended(self) -> int:
        """Its exit code, once it has ended."""
        return await asyncio.to_thread(self.process.wait, PATIENCE)

    def tell(self, number: signal.Signals) -> None:
        self.process.send_signal(number)

    async def get(self, path: str) -> tuple[int, str]:
        """What it answers over HTTP."""
        (where,) = await self.until("ops.listening")
        async with aiohttp.ClientSession() as session, session.get(f"http://127.0.0.1:{where['port']}{path}") as reply:
            return reply.status, await reply.text()

    async def ready(self) -> None:
        """Wait for /readyz to say yes."""
        end = time.monotonic() + PATIENCE
        while (answer := await self.get("/readyz"))[0] != 200:
            assert time.monotonic() < end, answer
            await asyncio.sleep(0.2)

    async def unready(self, reasons: Sequence[str], beat: Callable[[], Any]) -> None:
        """Wait for /readyz to say no for these reasons alone; a busy machine may have others for a while."""
        end = time.monotonic() + PATIENCE
        while True:
            status, text = await self.get("/readyz")
            found = [one["reason"] for one in json.loads(text)["reasons"]]
            if (status, found) == (503, list(reasons)):
                return
            assert time.monotonic() < end, text
            await beat()
            await asyncio.sleep(0.2)

    def check_lines(self) -> None:
        """Every line keeps to the schema."""
        assert [said for line in self.lines for said in problems(line)] == []


class Theatre:
    """A stage, its actors, and services on it."""

    def __init__(self, at: Stage, folder: Path) -> None:
        self.at, self.folder = at, folder
        self.config = folder / "keeper.toml"
        self.actors = Actors(at.world)
        self.actors.prepare()
        self._services: list[Service] = []

    def configure(self, **how: Any) -> None:
        self.config.write_text(configuration(self.at, **how), encoding="utf-8")

    def start(self, *words: str, under: Sequence[str] = (), **environ: str) -> Service:
        """A service, which is ended with the theatre at the latest. ``under``: a command that becomes it."""
        log = self.folder / f"log-{len(self._services)}.jsonl"
        inherited = {name: value for name, value in os.environ.items() if not name.startswith("KEEPER_")}
        with log.open("wb") as out:
            process = subprocess.Popen(
                [*under, SCRIPT, "run", "--config", str(self.config), *words],
                stderr=out,
                stdout=subprocess.DEVNULL,
                env=inherited | ENVIRON | environ,
            )
        self._services.append(Service(process, log))
        return self._services[-1]

    async def command(self, *words: str) -> "subprocess.CompletedProcess[str]":
        """Another command of the same configuration."""
        environ = {name: value for name, value in os.environ.items() if not name.startswith("KEEPER_")} | ENVIRON
        full = [str(SCRIPT), *words, "--config", str(self.config)]
        return await asyncio.to_thread(
            lambda: subprocess.run(full, env=environ, capture_output=True, text=True, timeout=PATIENCE, check=False)
        )

    async def slot(self, factor: float = 1.0) -> None:
        """One slot, in which the market may move."""
        if factor != 1.0:
            self.actors.stage([*self.actors.move(Moment(factor)), *self.actors.follow()])
        await self.at.relay.slot()

    async def crash(self, factors: Sequence[float] = (0.93, 0.93, 0.93)) -> None:
        for factor in factors:
            await self.slot(factor)
            await asyncio.sleep(0.3)

    async def stopped(self, service: Service) -> int:
        """Ask a service to stop; blocks go on until it has."""
        service.tell(signal.SIGTERM)
        return await self.played_out(service)

    async def played_out(self, service: Service) -> int:
        """Blocks until a service has ended; its exit code."""
        end = time.monotonic() + PATIENCE
        while service.process.poll() is None:
            assert time.monotonic() < end, service.lines[-5:]
            await self.slot()
            await asyncio.sleep(0.2)
        return service.process.wait()

    def spent(self) -> int:
        """Transactions of the keeper's own accounts that are on the chain."""
        world = self.at.world
        return sum(int(world.rpc.rpc("eth_getTransactionCount", one, "latest"), 16) for one in SIGNERS)

    def close(self) -> None:
        for service in self._services:
            if service.process.poll() is None:
                service.process.kill()
                service.process.wait()


@contextlib.asynccontextmanager
async def theatre(folder: Path, seed: int, accounts: int = 25, slot_seconds: int = 12) -> AsyncIterator[Theatre]:
    """A stage with its curtain up."""
    async with stage(folder, accounts, seed, SIGNERS, slot_seconds) as at:
        place = Theatre(at, folder)
        try:
            yield place
        finally:
            place.close()
