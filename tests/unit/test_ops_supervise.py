"""Tasks that fail, a loop that hangs, a file that appears; signals in processes of their own."""

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Coroutine, Iterator, Mapping
from contextlib import suppress
from pathlib import Path

import pytest

from keeper.errors import Exit, RpcError, StateCorrupt, TaskFailed
from keeper.ops.ready import obstacles
from keeper.ops.signals import Signals
from keeper.ops.status import Status
from keeper.ops.supervise import Budget, Supervisor, Work
from keeper.ops.switch import KillSwitch
from keeper.ops.values import Mode, TaskState
from keeper.ops.watchdog import Pace, Watchdog
from tests.unit.ops_world import Clock, healthy, logging_to_memory, until

QUICK = Budget(restarts=3, window=60.0, pause=0.001, longest=0.01)
Logged = Callable[[], list[dict[str, object]]]


@pytest.fixture
def logged() -> Iterator[Logged]:
    with logging_to_memory() as lines:
        yield lines


async def forever() -> None:
    await asyncio.Event().wait()


class Failing:
    """Work that fails so many times, in some way, and then runs."""

    def __init__(self, times: int, error: BaseException | None = None) -> None:
        self.runs, self._times, self._error = 0, times, error

    async def __call__(self) -> None:
        self.runs += 1
        if self.runs > self._times:
            await forever()
        if self._error is not None:
            raise self._error


async def supervised(status: Status, works: Mapping[str, Work]) -> None:
    """All of them, until one fails for good."""
    async with Supervisor(status, budget=QUICK) as tasks:
        for name, work in works.items():
            tasks.start(name, work)
        await tasks.until(asyncio.Event())


# --- the supervisor -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("error", [RpcError("gone"), ValueError("a bug"), asyncio.CancelledError(), None])
async def test_a_task_that_ends_in_any_way_is_started_again(error: BaseException | None, logged: Logged) -> None:
    status, work = healthy(), Failing(3, error)
    async with Supervisor(status, budget=QUICK) as tasks:
        tasks.start("indexer", work)
        await until(lambda: work.runs == 4)
        task = status.tasks["indexer"]
        assert (task.state, task.restarts) == (TaskState.RUNNING, 3)
        assert obstacles(status) == []
    assert status.tasks["indexer"].state is TaskState.DONE
    assert [(line["event"], line["restarts"]) for line in logged()] == [("task.restarted", str(n)) for n in (1, 2, 3)]


async def test_more_failures_than_the_budget_stop_the_daemon_and_say_why(logged: Logged) -> None:
    status, work = healthy(), Failing(99, RpcError("gone"))
    with pytest.raises(TaskFailed, match="task indexer failed after 3 restarts: RpcError: gone") as failed:
        await supervised(status, {"other": forever, "indexer": work})
    assert (work.runs, failed.value.exit_code) == (4, Exit.UNAVAILABLE)
    assert isinstance(failed.value.__cause__, RpcError)
    assert {name: task.state for name, task in status.tasks.items()} == {
        "other": TaskState.DONE,
        "indexer": TaskState.FAILED,
    }
    assert [line["event"] for line in logged()] == ["task.restarted"] * 3 + ["task.failed"]
    assert "RpcError: gone" in str(logged()[-1]["exception"])


async def test_what_no_restart_cures_is_not_restarted() -> None:
    work = Failing(99, StateCorrupt("damaged"))
    with pytest.raises(TaskFailed) as failed:
        await supervised(healthy(), {"indexer": work})
    assert (work.runs, failed.value.exit_code) == (1, Exit.STATE_CORRUPT)


async def test_work_that_cannot_even_be_made_is_a_failure_too() -> None:
    def unmade() -> Coroutine[None, None, None]:
        raise TypeError("a missing argument")

    with pytest.raises(TaskFailed, match="a missing argument"):
        await supervised(healthy(), {"indexer": unmade})


async def test_old_failures_are_forgiven() -> None:
    work = Failing(12, RpcError("gone"))
    async with Supervisor(healthy(), budget=Budget(restarts=2, window=0.01, pause=0.02, longest=0.02)) as tasks:
        tasks.start("indexer", work)
        await until(lambda: work.runs == 13)


async def test_a_request_to_stop_ends_all_in_reverse_order() -> None:
    ended, stop = list[str](), asyncio.Event()

    def work(name: str) -> Callable[[], Coroutine[None, None, None]]:
        async def run() -> None:
            try:
                await forever()
            finally:
                await asyncio.sleep(0.01)
                ended.append(name)

        return run

    async with Supervisor(healthy()) as tasks:
        for name in ("store", "indexer", "sender"):
            tasks.start(name, work(name))
        asyncio.get_running_loop().call_later(0.01, stop.set)
        await tasks.until(stop)
        assert ended == []
    assert ended == ["sender", "indexer", "store"]


async def test_a_task_that_lingers_is_named_and_the_others_still_end(logged: Logged) -> None:
    done = asyncio.Event()

    async def stubborn() -> None:
        while not done.is_set():
            with suppress(asyncio.CancelledError):
                await done.wait()

    status = healthy()
    try:
        async with Supervisor(status, grace=0.05) as tasks:
            tasks.start("first", forever)
            tasks.start("stubborn", stubborn)
            await asyncio.sleep(0.01)
    finally:
        done.set()
    (line,) = logged()
    assert (line["event"], line["task"]) == ("task.lingering", "stubborn")
    assert status.tasks["stubborn"].state is TaskState.RUNNING
    await until(lambda: all(task.done() for task in asyncio.all_tasks() - {asyncio.current_task()}))


async def test_an_error_while_ending_is_said(logged: Logged) -> None:
    async def work() -> None:
        try:
            await forever()
        finally:
            raise RpcError("could not unsubscribe")

    async with Supervisor(healthy()) as tasks:
        tasks.start("heads", work)
        await asyncio.sleep(0.01)
    (line,) = logged()
    assert (line["event"], line["reason"]) == ("task.failed", "while ending: could not unsubscribe")


async def test_two_tasks_of_one_name_are_a_mistake() -> None:
    async with Supervisor(healthy()) as tasks:
        tasks.start("indexer", forever)
        with pytest.raises(ValueError, match="indexer"):
            tasks.start("indexer", forever)


# --- the kill switch ----------------------------------------------------------------------------------------------


async def test_a_file_that_comes_and_goes(tmp_path: Path, logged: Logged) -> None:
    status, file = healthy(), tmp_path / "keeper.stop"
    switch = KillSwitch(status, file, every=0.01)
    watching = asyncio.create_task(switch.run())
    assert not switch.engaged
    file.touch()
    await until(lambda: switch.engaged)
    assert status.halted == {"kill_switch": f"{file} exists"}
    assert [one.why for one in obstacles(status)] == [f"kill_switch: {file} exists"]
    file.unlink()
    await until(lambda: not switch.engaged)
    assert obstacles(status) == []
    watching.cancel()
    assert [line["event"] for line in logged()] == ["risk.breaker_opened", "risk.breaker_closed"]


def test_it_is_seen_before_the_next_look_by_whoever_asks(tmp_path: Path) -> None:
    switch = KillSwitch(healthy(), tmp_path / "keeper.stop")
    (tmp_path / "keeper.stop").symlink_to(tmp_path / "nowhere")
    assert switch.look()
    assert switch.engaged


def test_a_file_that_is_there_at_the_start_counts_at_once(tmp_path: Path) -> None:
    (tmp_path / "keeper.stop").touch()
    assert KillSwitch(healthy(), tmp_path / "keeper.stop").engaged


def test_doubt_stops(tmp_path: Path) -> None:
    status = healthy()
    assert KillSwitch(status, tmp_path / ("x" * 300)).engaged
    assert "cannot be looked at: File name too long" in status.halted["kill_switch"]
    assert not KillSwitch(healthy(), tmp_path / "no folder" / "keeper.stop").engaged
    assert not KillSwitch(healthy(), None).look()


# --- the watchdog -------------------------------------------------------------------------------------------------


async def test_a_late_loop_is_told_by_itself(logged: Logged) -> None:
    status = healthy()
    watching = asyncio.create_task(Watchdog(status, pace=Pace(every=0.01, slow=0.05, stuck=60)).run())
    await asyncio.sleep(0.05)
    time.sleep(0.2)  # noqa: ASYNC251 - that is what is wrong here
    await until(lambda: status.loop_lag > 0.15)
    watching.cancel()
    told = [float(str(line["lag_s"])) for line in logged() if line["event"] == "daemon.lagging"]
    assert max(told) == pytest.approx(status.loop_lag, abs=0.001)


async def test_a_loop_that_hangs_is_told_by_the_thread_with_where_it_hangs(logged: Logged) -> None:
    clock = Clock()
    watching = asyncio.create_task(Watchdog(healthy(), pace=Pace(every=0.01), clock=clock).run())

    def stuck() -> list[dict[str, object]]:
        return [line for line in logged() if line["event"] == "daemon.stuck"]

    for times in (1, 2):
        await asyncio.sleep(0.1)
        clock.at += 20
        hang_until(lambda: len(stuck()) == times)  # noqa: B023 - called at once
        time.sleep(0.1)  # noqa: ASYNC251 - hangs on, and is not told again
    watching.cancel()
    first, second = stuck()
    assert (first["silent_s"], second["silent_s"]) == (20.0, 20.0)
    assert "hang_until" in str(first["where"])


def hang_until(true: Callable[[], bool]) -> None:
    end = time.monotonic() + 10
    while not true() and time.monotonic() < end:
        time.sleep(0.01)


async def test_a_jump_of_the_wall_clock_is_told_once_and_a_slow_drift_is_not(logged: Logged) -> None:
    clock, status = Clock(), healthy()
    watching = asyncio.create_task(Watchdog(status, pace=Pace(every=0.001), now=clock, clock=lambda: 5.0).run())
    await asyncio.sleep(0.02)
    for _ in range(20):
        clock.at += 0.5
        await asyncio.sleep(0.005)
    assert status.clock_jumps == 0
    clock.at -= 3_600
    await until(lambda: status.clock_jumps == 1)
    await asyncio.sleep(0.02)
    watching.cancel()
    assert status.clock_jumps == 1
    (line,) = [line for line in logged() if line["event"] == "daemon.clock_jumped"]
    assert -3_600 <= float(str(line["jump_s"])) <= -3_589


# --- signals ------------------------------------------------------------------------------------------------------

CHILD = """
import asyncio, sys, time
import uvloop
from keeper.ops.signals import Signals

async def main():
    with Signals() as signals:
        print("ready", flush=True)
        while not signals.stop.is_set():
            tasks = {asyncio.create_task(event.wait()) for event in (signals.stop, signals.reload)}
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            for task in tasks:
                task.cancel()
            if signals.reload.is_set():
                signals.reload.clear()
                print("reload", flush=True)
        print("stop", signals.name, flush=True)
        if sys.argv[2] == "hang":
            while True:
                time.sleep(60)
        if sys.argv[2] == "wait":
            await asyncio.sleep(60)
    print("done", flush=True)

factory = uvloop.new_event_loop if sys.argv[1] == "uvloop" else asyncio.new_event_loop
with asyncio.Runner(loop_factory=factory) as runner:
    runner.run(main())
"""


class Child:
    """A process that waits for signals."""

    def __init__(self, loop: str, then: str) -> None:
        command = [sys.executable, "-c", CHILD, loop, then]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        assert self.line() == "ready"

    def line(self) -> str:
        assert self.process.stdout is not None
        return self.process.stdout.readline().strip()

    def send(self, number: signal.Signals) -> None:
        os.kill(self.process.pid, number)


@pytest.fixture
def child() -> Iterator[Callable[[str, str], Child]]:
    made: list[Child] = []

    def make(loop: str, then: str) -> Child:
        made.append(Child(loop, then))
        return made[-1]

    yield make
    for one in made:
        one.process.kill()
        one.process.communicate(timeout=10)


@pytest.mark.parametrize("loop", ["uvloop", "asyncio"])
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_the_first_signal_asks_to_stop(child: Callable[[str, str], Child], loop: str, number: signal.Signals) -> None:
    asked = child(loop, "end")
    asked.send(number)
    assert [asked.line(), asked.line()] == [f"stop {number.name}", "done"]
    assert asked.process.wait(10) == 0
    assert asked.process.stderr is not None
    assert asked.process.stderr.read() == ""


@pytest.mark.parametrize("loop", ["uvloop", "asyncio"])
@pytest.mark.parametrize("then", ["wait", "hang"])
@pytest.mark.parametrize("second", [signal.SIGTERM, signal.SIGINT])
def test_the_second_signal_ends_at_once_even_when_the_loop_hangs(
    child: Callable[[str, str], Child], loop: str, then: str, second: signal.Signals
) -> None:
    asked = child(loop, then)
    asked.send(signal.SIGTERM)
    assert asked.line() == "stop SIGTERM"
    asked.send(second)
    assert asked.process.wait(10) == -second


def test_hangup_asks_to_read_the_configuration_again_as_often_as_it_comes(child: Callable[[str, str], Child]) -> None:
    asked = child("uvloop", "end")
    for _ in range(3):
        asked.send(signal.SIGHUP)
        assert asked.line() == "reload"
    asked.send(signal.SIGTERM)
    assert asked.line() == "stop SIGTERM"
    assert asked.process.wait(10) == 0


async def test_outside_of_it_signals_are_what_they_were() -> None:
    def mine(*_: object) -> None: ...

    before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)}
    signal.signal(signal.SIGHUP, mine)
    try:
        with Signals() as signals:
            os.kill(os.getpid(), signal.SIGHUP)
            await asyncio.wait_for(signals.reload.wait(), 10)
        assert signal.getsignal(signal.SIGHUP) is mine
        assert signal.getsignal(signal.SIGTERM) == before[signal.SIGTERM]
        assert signal.getsignal(signal.SIGINT) == before[signal.SIGINT]
    finally:
        signal.signal(signal.SIGHUP, before[signal.SIGHUP])


def test_a_mode_that_only_reads_sends_nothing() -> None:
    assert [mode.sends for mode in (Mode.LIVE, Mode.DRY_RUN, Mode.READ_ONLY)] == [True, True, False]
    assert Status(version="0", mode=Mode.LIVE, chain_id=1, block_time=1).started > 0
