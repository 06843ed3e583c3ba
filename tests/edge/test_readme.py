"""What the README says is so: its commands run, its options exist, its files are there."""

import json
import re
import shlex
import subprocess
from pathlib import Path

import pytest

from keeper.bench import names
from keeper.bench._readme import BEGIN, END, table, written
from keeper.cli import COMMANDS
from keeper.devnet.world import World
from keeper.errors import Exit
from keeper.settings import load
from tests.edge.command import configured, keeper, records, script

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```(\w*)\n(.*?)^```", README, flags=re.DOTALL | re.MULTILINE)
SHOWN = [line.partition("#")[0].strip() for _, block in BLOCKS for line in block.splitlines()]
ROWS = re.findall(r"^\| `keeper ([\w-]+)[^`]*` \| (.*) \|$", README, flags=re.MULTILINE)


def test_the_commands_shown_run(world: World, tmp_path: Path) -> None:
    config = configured(tmp_path, world)
    lines = [line for line in SHOWN if line.startswith("keeper ")]
    assert len(lines) == 3
    for line in lines:
        done = script(*shlex.split(line.replace("keeper.toml", str(config)))[1:])
        assert done.returncode == 0, f"{line}: {done.stderr}"
        assert done.stdout


def test_every_command_has_a_row_and_every_row_a_command() -> None:
    assert {name for name, _ in ROWS} == {command.name for command in COMMANDS}


@pytest.mark.parametrize(("name", "row"), ROWS)
def test_every_option_of_a_row_exists(name: str, row: str) -> None:
    known = keeper(name, "--help").stdout
    for option in re.findall(r"`(--[a-z-]+)", row):
        assert option in known


def test_exit_codes_are_the_contract() -> None:
    assert [int(code) for code in re.findall(r"^\| (\d) \|", README, flags=re.MULTILINE)] == list(map(int, Exit))


def test_make_knows_every_target_that_is_named() -> None:
    targets = set(re.findall(r"\bmake ([a-z-]+)", README))
    assert {"test", "demo", "check", "bench", "setup", "test-slow", "wheel"} <= targets
    done = subprocess.run(["make", "--dry-run", *targets], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_every_file_that_is_named_is_there() -> None:
    named = re.findall(r"`((?:tests|keeper|config|\.ci)/[\w./*-]+)`", README)
    named += [path for path in re.findall(r"\]\(([^)]*)\)", README) if not path.startswith("http")]
    assert len(named) > 10
    assert [path for path in named if not list(ROOT.glob(path.rstrip("/")))] == []


def test_every_line_of_the_layout_is_there() -> None:
    block = next(block for _, block in BLOCKS if block.startswith("keeper/\n"))
    shown = [re.split(r" {3,}", line.strip())[0] for line in block.splitlines()]
    places = [name for group in shown for name in group.split()]
    assert len(places) > 15
    assert [name for name in places if not any((folder / name).exists() for folder in (ROOT, ROOT / "keeper"))] == []


def test_the_configuration_shown_is_whole(tmp_path: Path) -> None:
    (tmp_path / "keeper.toml").write_text(next(block for kind, block in BLOCKS if kind == "toml"), encoding="utf-8")
    settings = load(tmp_path / "keeper.toml", environ={})
    assert (settings.chain.id, settings.markets[0].protocol) == (1, "aave_v3")


def test_figures_go_between_the_markers_and_nowhere_else() -> None:
    figures = table([{"benchmark": "ingest", "ratio_of_two": 55.5, "accounts": "1000"}])
    text = written(README, figures)
    assert "| ingest | ratio of two | 55.5 |" in text
    assert text.replace(figures, "") == written(README, "x").replace(f"{BEGIN}\nx\n{END}", f"{BEGIN}\n\n{END}")
    with pytest.raises(SystemExit, match="found them 0 times"):
        written("no markers", figures)


def test_an_unknown_benchmark_is_refused_with_those_there_are() -> None:
    done = keeper("bench", "no-such-benchmark")
    assert (done.returncode, done.stdout) == (2, "")
    assert all(name in done.stderr for name in names())


@pytest.mark.slow
@pytest.mark.parametrize("name", names())
def test_every_benchmark_has_figures(name: str) -> None:
    """Whether they are good shows on a quiet machine, by `make bench`; that there are any shows here."""
    done = script("bench", name, "--accounts", "200", "--json")
    (record,) = records(done)
    assert done.returncode == 0
    assert record.pop("benchmark") == name
    assert len(record) > 2
    assert json.dumps(record)
