"""The running daemon on its bad days: it says what is wrong, is not ready while it cannot act, and recovers by itself.

Blocks come every half second and are a second apart, so that what takes minutes on a chain takes seconds here.
"""

import asyncio
import contextlib
import json
import os
import signal
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Final

import pytest

from tests.chain.service_stage import PATIENCE, Service, Theatre, theatre
from tests.chaos.proxy import FaultProxy

SLOT: Final = 0.5  # seconds
DISK: Final = 24  # MiB
OWN_MOUNTS: Final = ("unshare", "--mount", *(() if os.geteuid() == 0 else ("--map-root-user",)))
READER: Final = """
file=$1; shift
exec "$@" 2> >(while IFS= read -r line; do
    printf '%s\\n' "$line" >> "$file"; case $line in *indexer.caught_up*) break;; esac
done)
"""
OWN_CLOCK: Final = """
import os, time
real, file = time.time, os.environ["TEST_CLOCK"]
def moved():
    with open(file) as text:
        return real() + float(text.read())
time.time = moved
"""

pytestmark = pytest.mark.slow


@contextlib.asynccontextmanager
async def ticking(at: Theatre) -> AsyncIterator[asyncio.Event]:
    """Blocks go on, except while the event is set."""
    paused = asyncio.Event()

    async def tick() -> None:
        while True:
            await asyncio.sleep(SLOT)
            if not paused.is_set():
                await at.slot()

    task = asyncio.create_task(tick())
    try:
        yield paused
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def reasons(service: Service) -> dict[str, str]:
    """Why it is not ready; empty when it is."""
    status, text = await service.get("/readyz")
    found = {one["reason"]: one["detail"] for one in json.loads(text)["reasons"]}
    assert (status == 200) is (not found)
    return found


async def until(true: Callable[[], Awaitable[bool]]) -> None:
    end = time.monotonic() + PATIENCE
    while not await true():
        assert time.monotonic() < end
        await asyncio.sleep(0.1)


async def not_ready(service: Service, reason: str, words: str) -> None:
    """Wait until it says why it cannot act."""

    async def told() -> bool:
        return words in (await reasons(service)).get(reason, "")

    await until(told)


async def metric(service: Service, name: str) -> float:
    lines = (await service.get("/metrics"))[1].splitlines()
    return float(next(line.split()[1] for line in lines if line.startswith(f"{name} ")))


async def works_again(at: Theatre, service: Service) -> None:
    """Ready, whoever falls is liquidated, the books are right, no task was started anew, and it stops in order."""
    await service.ready()
    before = len(service.of("liquidation.included"))
    await at.crash((0.9, 0.9))
    await service.until("liquidation.included", before + 1)
    assert await metric(service, "keeper_drifts_total") == 0
    assert not service.of("task.restarted")
    assert await at.stopped(service) == 0


async def test_an_endpoint_that_froze_and_answers_all_the_same(tmp_path: Path, seed: int) -> None:
    async with theatre(tmp_path, seed, slot_seconds=1) as at, FaultProxy(at.at.relay.rpc, seed=seed) as proxy:
        at.configure(node=(proxy.url, proxy.ws), chain="stall = 3")
        service = at.start()
        async with ticking(at):
            await service.ready()
            frozen = await proxy.freeze()
            await not_ready(service, "endpoint", "frozen")
            assert any(line["reason"] == "frozen" for line in service.of("rpc.degraded"))
            await at.crash((0.95,))
            assert await metric(service, "keeper_tip_block") <= frozen
            proxy.clear()
            await works_again(at, service)
        service.check_lines()


async def test_a_full_disk(tmp_path: Path, seed: int) -> None:
    """The daemon has a small disk of its own, which is filled up under it."""
    async with theatre(tmp_path, seed, slot_seconds=1) as at:
        disk = tmp_path / "disk"
        disk.mkdir()
        at.configure(store=disk / "keeper.sqlite")
        mount = f'mount -t tmpfs -o size={DISK}m tmpfs "{disk}" && exec "$@"'
        service = at.start(under=(*OWN_MOUNTS, "sh", "-c", mount, "sh"))
        async with ticking(at):
            await service.ready()
            ballast = Path(f"/proc/{service.process.pid}/root{disk}/ballast")
            fill(ballast)
            await not_ready(service, "behind", "database or disk is full")
            sent = len(service.of("submission.sent"))
            assert service.of("indexer.interrupted")
            await at.crash((0.95,))
            assert (await service.get("/healthz"))[0] == 200
            assert len(service.of("submission.sent")) == sent
            os.unlink(ballast)  # noqa: PTH108 - a moment
            await works_again(at, service)
        service.check_lines()


def fill(ballast: Path) -> None:
    """Until nothing more fits."""
    with contextlib.suppress(OSError), ballast.open("wb", buffering=0) as out:
        while True:
            out.write(bytes(4_096))


async def test_a_wall_clock_that_jumps(tmp_path: Path, seed: int) -> None:
    """The daemon has a wall clock of its own, which is put forward and back."""
    (tmp_path / "sitecustomize.py").write_text(OWN_CLOCK, encoding="utf-8")
    clock = tmp_path / "clock"
    clock.write_text("0")
    async with theatre(tmp_path, seed, slot_seconds=1) as at:
        at.configure()
        service = at.start(PYTHONPATH=str(tmp_path), TEST_CLOCK=str(clock))
        async with ticking(at):
            await service.ready()
            for times, jump in enumerate((7_200, -86_400), start=1):
                clock.write_text(str(jump))
                told = await service.until("daemon.clock_jumped", times)
                assert round(float(told[-1]["jump_s"])) == (jump if times == 1 else jump - 7_200)
                await service.ready()  # blocks have clocks of their own
                landed = len(service.of("liquidation.included"))
                await at.crash((0.92,))
                await service.until("liquidation.included", landed + 1)
            assert await metric(service, "keeper_clock_jumps_total") == 2
            await works_again(at, service)
        service.check_lines()


async def test_a_process_that_was_stopped_for_a_while(tmp_path: Path, seed: int) -> None:
    async with theatre(tmp_path, seed, slot_seconds=1) as at:
        at.configure()
        service = at.start()
        async with ticking(at) as paused:
            await service.ready()
            paused.set()
            service.tell(signal.SIGSTOP)
            asked = asyncio.create_task(service.get("/readyz"))  # is answered by a process that has just woken up
            for _ in range(14):
                await asyncio.sleep(SLOT)
                await at.slot()
            service.tell(signal.SIGCONT)
            status, text = await asked
            assert (status, json.loads(text)["reasons"][0]["reason"]) == (503, "behind")
            assert "stood still for" in text
            paused.clear()
            await service.until("daemon.lagging")
            await works_again(at, service)
        service.check_lines()


async def test_whoever_reads_the_log_is_gone(tmp_path: Path, seed: int) -> None:
    """Its reader leaves once the books are built; how the daemon fares is asked over HTTP from then on."""
    async with theatre(tmp_path, seed, slot_seconds=1) as at:
        at.configure()
        service = at.start(under=("bash", "-c", READER, "bash", str(tmp_path / "read.jsonl")))
        service.log = tmp_path / "read.jsonl"
        service.log.touch()
        async with ticking(at):
            await service.until("indexer.caught_up")
            await service.ready()
            await at.crash((0.9, 0.9))

            async def landed() -> bool:
                return int(json.loads((await service.get("/opportunities"))[1])["outcomes"].get("included", 0)) > 0

            await until(landed)
            assert await metric(service, "keeper_log_lines_lost_total") > 0
            await service.ready()
            assert await metric(service, "keeper_drifts_total") == 0
            assert await at.stopped(service) == 0
        assert service.lines[-1]["event"] == "indexer.caught_up"
        service.check_lines()
