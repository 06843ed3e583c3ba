"""What the README says is so: its commands run, its options exist, its files are there."""

import json
import re
import shlex
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from keeper.bench import names
from keeper.bench._readme import BEGIN, END, EVENTS, events, table, written
from keeper.cli import COMMANDS
from keeper.devnet.world import World
from keeper.errors import Exit
from keeper.settings import load
from tests.edge.command import keeper, records, script
from tests.edge.served import ROOT, flags, served

README = (ROOT / "README.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```(\w*)\n(.*?)^```", README, flags=re.DOTALL | re.MULTILINE)
SHOWN = [line.partition("#")[0].strip() for _, block in BLOCKS for line in block.splitlines()]
ROWS = re.findall(r"^\| `keeper ([\w-]+)[^`]*` \| (.*) \|$", README, flags=re.MULTILINE)


@pytest.fixture(scope="module")
def chain() -> Iterator[str]:
    with served("--accounts", "6") as url:
        yield url


def test_every_line_shown_is_one_that_is_tried_somewhere() -> None:
    """Here, or by a test of its own: the image's, the demonstration's."""
    unfenced = [line for kind, block in BLOCKS if kind == "" for line in block.splitlines()]
    shown = [words for line in unfenced if (words := shlex.split(line, comments=True))]
    first = {words[0] for words in shown if not words[0].endswith("/")}
    assert {"make", "keeper"} <= first
    known = {"make", "keeper", "docker", "source", "export", "net"}  # the last is a formula
    assert first - known == {word for word in first - known if (ROOT / "keeper" / word).exists()}


@pytest.mark.parametrize("line", [line for line in SHOWN if line.startswith("keeper ") and "demo.toml" in line])
def test_the_commands_of_the_local_chain_run(line: str, tmp_path: Path, chain: str) -> None:
    done = script(*shlex.split(line)[1:], *flags(chain, tmp_path), cwd=ROOT)
    assert done.returncode == 0, done.stderr
    assert done.stdout


def test_the_commands_of_another_chain_are_whole(world: World, tmp_path: Path) -> None:
    """Against its profile, with a node of another chain: said, and nothing else is wrong."""
    lines = [line for line in SHOWN if line.startswith("keeper ") and "demo.toml" not in line]
    assert len(lines) == 2
    for line in lines:
        words = [*shlex.split(line)[1:], *flags(world.anvil.url, tmp_path)]
        done = script(*words, cwd=ROOT)
        assert done.returncode == Exit.WRONG_CHAIN, f"{line}: {done.stderr}"


def test_its_examples_of_profit_are_those_that_are_proven() -> None:
    proven = (ROOT / "docs" / "profit.md").read_text(encoding="utf-8").replace("](img/", "](docs/img/")
    for title in ("An example", "More is not always better"):
        (theirs,) = re.findall(rf"^## {title}\n(.*?)(?=^## )", proven, flags=re.DOTALL | re.MULTILINE)
        (ours,) = re.findall(rf"^### {title}\n(.*?)(?=^##)", README, flags=re.DOTALL | re.MULTILINE)
        assert ours == theirs


def test_its_events_are_those_of_the_schema() -> None:
    assert written(README, events(), *EVENTS) == README, "make events writes them anew"


def test_its_picture_is_of_a_demonstration_in_which_everything_happened() -> None:
    picture = (ROOT / "docs" / "img" / "demo.svg").read_text(encoding="utf-8").replace("&#160;", " ")
    for words in ("keeper demo: block", "landed", "undone", "were replaced", "websockets were cut", "profit"):
        assert words in picture
    assert "](docs/img/demo.svg)" in README


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
    named = [path.rstrip("/") for path in named if "NAME" not in path]  # a recipe's is the reader's
    assert [path for path in named if not list(ROOT.glob(path))] == []


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
