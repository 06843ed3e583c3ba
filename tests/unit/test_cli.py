"""The command line as a script sees it: the real console script, its exit codes, its two streams."""

import inspect
import json
import os
import signal
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest

import keeper
from keeper.cli import COMMANDS, INTERRUPTED, READER_GONE, Command, main
from keeper.errors import Exit

SCRIPT = Path(sys.executable).with_name("keeper")
OPERANDS = {
    "why": ("0x00000000000000000000000000000000000000aa",),
    "report": ("ladder",),
    "record": ("--from", "1", "--to", "2", "--out", "nowhere"),
}  # what a command cannot do without
LEAST = {"KEEPER_CHAIN__ID": "1", "KEEPER_CHAIN__RPC": "http://127.0.0.1:1"}

# The real dispatcher with commands that end in every way a command can end.
ENDS = """
import asyncio, sys, types
from keeper import cli, errors
from keeper.cli import Command
from keeper.output import emit

async def raises(args):
    error = getattr(errors, args.error)
    raise error("it is so, says https://me:hunter22@node/" if args.error != "KeyError" else "x")

async def answers(args):
    return int(args.error)

async def many(args):
    for number in range(100_000):
        emit({"number": number})
    return 0

async def waits(args):
    print("waiting", flush=True)
    await asyncio.sleep(60)
    return 0

async def broken(args):
    return {}["hunter22 at wss://me:hunter22@node"]

async def chain_id(settings, args):
    emit({"chain": settings.chain.id, "timeout": settings.chain.timeout})
    return 0

here = types.ModuleType("ends")
vars(here).update(raises=raises, answers=answers, many=many, waits=waits, broken=broken, chain_id=chain_id)
sys.modules["ends"] = here
one = lambda parser: parser.add_argument("error")
none = lambda parser: None
cli.COMMANDS = (
    Command("raises", "raises", "ends", "raises", one, configured=False),
    Command("answers", "answers", "ends", "answers", one, configured=False),
    Command("many", "many", "ends", "many", none, configured=False),
    Command("waits", "waits", "ends", "waits", none, configured=False),
    Command("broken", "broken", "ends", "broken", none, configured=False),
    Command("chain-id", "chain id", "ends", "chain_id", none),
)
sys.exit(cli.main())
"""


def environment(**more: str) -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if not name.startswith("KEEPER_")} | more


def run(*words: str, environ: dict[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [SCRIPT, *words], env=environment(**(environ or {})), capture_output=True, text=True, timeout=60, check=False
    )


def ends(*words: str, environ: dict[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", ENDS, *words],
        env=environment(**(environ or {})),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_version() -> None:
    for words in ([str(SCRIPT)], [sys.executable, "-m", "keeper"]):
        done = subprocess.run([*words, "--version"], capture_output=True, text=True, timeout=60, check=False)
        assert (done.returncode, done.stdout, done.stderr) == (0, f"keeper {keeper.__version__}\n", "")


def test_help_names_every_command_and_exit_code() -> None:
    done = run("--help")
    assert done.returncode == 0
    assert all(f"    {command.name} " in done.stdout for command in COMMANDS)
    assert all(f"{code} " in done.stdout.partition("Exit codes:")[2] for code in map(int, Exit))


@pytest.mark.parametrize("name", [command.name for command in COMMANDS])
def test_every_command_explains_itself(name: str) -> None:
    done = run(name, "--help")
    assert done.returncode == 0
    assert f"usage: keeper {name}" in done.stdout


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: command.name)
def test_every_command_is_there(command: Command) -> None:
    assert inspect.iscoroutinefunction(getattr(import_module(command.module), command.function))


@pytest.mark.parametrize(
    "words",
    [
        (),
        ("no-such-command",),
        ("accounts", "--no-such-flag"),
        ("accounts", "--block", "-1"),
        ("accounts", "--block", "x"),
        ("accounts", "--sort", "colour"),
        ("audit", "--all", "--sample", "5"),
        ("accounts", "--conf", "x"),
        ("accounts", "--chain.id"),
        ("accounts", "surplus"),
    ],
)
def test_bad_usage_exits_2_and_writes_nothing_to_stdout(words: tuple[str, ...]) -> None:
    done = run(*words)
    assert (done.returncode, done.stdout) == (Exit.USAGE, "")
    assert "usage: keeper" in done.stderr
    assert "Traceback" not in done.stderr


def test_bad_configuration_exits_2_with_a_line_for_each_problem(tmp_path: Path) -> None:
    file = tmp_path / "keeper.toml"
    file.write_text('[chain]\nid = "one"\n', encoding="utf-8")
    for command in COMMANDS:
        if command.configured:
            done = run(command.name, *OPERANDS.get(command.name, ()), "--config", str(file), "--ops.port=x")
            assert (done.returncode, done.stdout) == (Exit.USAGE, "")
            lines = done.stderr.splitlines()
            assert [line.split(" (")[0] for line in lines] == [
                f"keeper: {file}:2: chain.id = 'one': must be a valid integer, unable to parse string as an integer",
                f"keeper: {file}:1: chain.rpc: missing",
                (
                    "keeper: flag --ops.port: ops.port = 'x': must be a valid integer,"
                    " unable to parse string as an integer"
                ),
            ]


@pytest.mark.parametrize(
    ("error", "code"),
    [
        ("KeeperError", 1),
        ("ConfigError", 2),
        ("SignerError", 2),
        ("WrongChain", 3),
        ("StateCorrupt", 4),
        ("EndpointsUnavailable", 5),
        ("RpcError", 5),
        ("RpcTimeout", 5),
        ("DecodeError", 1),
        ("SimulationError", 1),
        ("DevnetError", 1),
    ],
)
def test_an_error_is_one_line_on_stderr_and_its_exit_code(error: str, code: int) -> None:
    done = ends("raises", error)
    assert (done.returncode, done.stdout) == (code, "")
    assert done.stderr == "keeper: it is so, says https://***:***@node/\n"
    loud = ends("raises", error, "--debug")
    assert loud.returncode == code
    assert "Traceback (most recent call last)" in loud.stderr
    assert "hunter22" not in loud.stderr


@pytest.mark.parametrize("code", [0, 1, 5])
def test_the_command_s_answer_is_the_exit_code(code: int) -> None:
    assert ends("answers", str(code)).returncode == code


def test_a_bug_is_named_and_its_traceback_shown_on_demand() -> None:
    done = ends("broken")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("keeper: a bug: KeyError: ")
    assert "Traceback" not in done.stderr
    loud = ends("broken", "--debug")
    assert "Traceback" in loud.stderr
    assert "me:hunter22" not in done.stderr + loud.stderr


def test_flags_are_keys_and_win_over_the_environment() -> None:
    done = ends("chain-id", "--chain.timeout", "7.5", "--log-level", "error", environ=LEAST)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == '{"chain":"1","timeout":7.5}\n'


def test_a_command_without_configuration_takes_no_keys() -> None:
    done = ends("waits", "--chain.id", "1")
    assert done.returncode == Exit.USAGE
    assert "waits has no configuration: --chain.id" in done.stderr


def test_logs_go_to_stderr_as_json_when_nobody_watches() -> None:
    done = ends("chain-id", environ=LEAST)
    (line,) = done.stderr.splitlines()
    assert json.loads(line)["event"] == "config.loaded"
    assert json.loads(line)["chain_id"] == "1"


def test_a_reader_that_wants_no_more_is_no_error() -> None:
    with subprocess.Popen(
        [sys.executable, "-c", ENDS, "many"],
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        assert process.stdout.readline() == '{"number":"0"}\n'
        process.stdout.close()
        assert process.stderr.read() == ""
        assert process.wait(timeout=60) == READER_GONE


def test_an_interrupt_is_silent() -> None:
    with subprocess.Popen(
        [sys.executable, "-c", ENDS, "waits"],
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        assert process.stdout.readline() == "waiting\n"
        process.send_signal(signal.SIGINT)
        assert process.wait(timeout=60) == INTERRUPTED
        assert process.stderr.read() == ""


def test_exit_codes_are_the_contract() -> None:
    assert {code.name: int(code) for code in Exit} == {
        "DONE": 0,
        "NO": 1,
        "USAGE": 2,
        "WRONG_CHAIN": 3,
        "STATE_CORRUPT": 4,
        "UNAVAILABLE": 5,
    }


def test_starting_is_fast_because_nothing_heavy_is_imported() -> None:
    code = "import sys; import keeper.cli; print({'numba', 'web3', 'pydantic', 'aiohttp', 'rich'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout == "set()\n"


def test_main_takes_words_too(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as left:
        main(["--version"])
    assert left.value.code == 0
    assert capsys.readouterr().out == f"keeper {keeper.__version__}\n"
