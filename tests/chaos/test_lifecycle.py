"""Seeded chaos: whatever relays, reorganisations and deaths do, nothing is sent twice, in public, or forgotten."""

import asyncio
import gc
import io
import json
import logging
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from keeper import log
from keeper.log_events import problems
from tests.chain.executor_stage import FINAL, KINDS
from tests.chaos.lifecycle import ROOT, Run, Theatre

pytestmark = pytest.mark.filterwarnings("ignore:unclosed:ResourceWarning")  # whoever dies closes nothing
CHILD = Path(__file__).with_name("executing.py")
RUNS = 100  # of a thousand, at a time


@pytest.fixture(autouse=True)
def buried() -> Iterator[None]:
    """What the dead left open is gone before the next test, which may not be as forgiving."""
    yield
    gc.collect()


@pytest.fixture
def lines() -> Iterator[io.StringIO]:
    """Everything that is logged."""
    out = io.StringIO()
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    log.configure("debug", stream=out)
    yield out
    root.handlers[:] = handlers
    root.setLevel(level)
    log.configure(stream=sys.stderr)


async def rage(folder: Path, first: int, runs: int, lines: io.StringIO) -> Counter[str]:
    theatre = Theatre.build(folder / "world")
    outcomes: Counter[str] = Counter()
    for seed in range(first, first + runs):
        run = await theatre.run(seed, folder)
        outcomes += run.outcomes
        outcomes["deaths"] += run.deaths
        told = lines.getvalue()
        assert not [secret for secret in run.secrets if secret in told], f"seed {seed}: a secret in the log"
        assert [said for line in told.splitlines() for said in problems(json.loads(line))] == [], f"seed {seed}"
        lines.seek(0)
        lines.truncate()
    return outcomes


async def test_ten_runs(tmp_path: Path, seed: int, lines: io.StringIO) -> None:
    outcomes = await rage(tmp_path, seed, 10, lines)
    assert outcomes["landed_provisional"] > 10, outcomes
    assert outcomes["deaths"] > 10, outcomes


@pytest.mark.slow
@pytest.mark.parametrize("part", range(10))
async def test_a_thousand_runs(tmp_path: Path, seed: int, lines: io.StringIO, part: int) -> None:
    outcomes = await rage(tmp_path, seed + 1_000 + part * RUNS, RUNS, lines)
    assert min(outcomes[one] for one in ("landed_provisional", "outbid", "missed", "reverted")) > 0, outcomes
    assert outcomes["deaths"] > RUNS, outcomes


# --- a process that is really killed -------------------------------------------------------------------------------


class Killed(Run):
    """The same run with a child process that gets ``kill -9``."""

    async def _a_life(self, slots: int) -> int:
        child = await asyncio.create_subprocess_exec(
            sys.executable, str(CHILD), str(self.folder), cwd=ROOT,
            stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.DEVNULL,
        )  # fmt: skip
        assert child.stdout is not None
        assert await child.stdout.readline() == b"ready\n"
        while slots > 0:
            head = self.stage.head()
            plans = self._plans(head, ())
            (self.folder / f"{head}.new").write_bytes(msgspec.json.encode(plans))
            (self.folder / f"{head}.new").rename(self.folder / f"{head}.plans")
            await asyncio.sleep(self.draw.uniform(0, 0.3))
            slots -= 1
            if self.draw.random() < self.kills:
                self.deaths += 1
                break
            await self._events()
            await self.relay.slot()
        assert child.returncode is None, "the executor ended before it was killed"
        child.kill()
        await child.wait()
        await self._events()
        await self.relay.slot()
        return slots

    def prepare(self) -> None:
        program = {
            "rpc": self.relay.rpc,
            "relays": {kind: self.relay.urls[kind] for kind in KINDS},
            "secrets": self.stage.secrets,
            "contract": self.stage.rig.executor,
            "confirmations": FINAL,
        }
        (self.folder / "play.json").write_bytes(msgspec.json.encode(program))


async def killed(folder: Path, first: int, runs: int) -> Counter[str]:
    theatre = Theatre.build(folder / "world")
    outcomes: Counter[str] = Counter()
    for seed in range(first, first + runs):
        own = folder / str(seed)
        own.mkdir()
        run = await theatre.run(seed, own, kind=Killed, state=own / "state.sqlite", slots=8)
        outcomes += run.outcomes
        outcomes["deaths"] += run.deaths
    return outcomes


async def test_a_process_is_killed(tmp_path: Path, seed: int) -> None:
    outcomes = await killed(tmp_path, seed, 2)
    assert outcomes["landed_provisional"] > 1, outcomes
    assert outcomes["deaths"] > 1, outcomes


@pytest.mark.slow
async def test_a_process_is_killed_many_times(tmp_path: Path, seed: int) -> None:
    outcomes = await killed(tmp_path, seed + 100, 40)
    assert outcomes["deaths"] >= 80, outcomes
