"""``keeper demo`` as a newcomer runs it: it ends by itself, everything goes right, and nothing is left behind."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from keeper.core.units import WAD
from keeper.demo import MARKETS
from keeper.demo.stage import KINDS, TREASURY, factories
from keeper.devnet.world import World
from keeper.settings import load
from tests.edge.served import DEMO, flags, served

KEEPER = [sys.executable, "-m", "keeper"]


def run(folder: Path, *words: str) -> "subprocess.Popen[str]":
    """The real script, with a temporary folder of its own."""
    environ = os.environ | {"TMPDIR": str(folder)}
    return subprocess.Popen(
        [*KEEPER, "demo", *words], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environ
    )


def children(pid: int) -> set[int]:
    """Processes that a process has started."""
    task = Path(f"/proc/{pid}/task")
    found = {int(child) for one in task.glob("*/children") for child in one.read_text().split()}
    return found | {deeper for child in found for deeper in children(child)}


def test_it_ends_by_itself_and_everything_goes_right(tmp_path: Path) -> None:
    scratch, report, picture = tmp_path / "tmp", tmp_path / "report.json", tmp_path / "demo.svg"
    scratch.mkdir()
    saved = ("--report", str(report), "--picture", str(picture))
    aave = ("--markets", "aave_v3")  # where a plan that lands a slot late is worth nearly the same
    demo = run(scratch, "--pace", "0.35", "--accounts", "30", "--seed", "11", *aave, *saved)
    out, err = demo.communicate(timeout=120)
    assert demo.returncode == 0, out + err[-3000:]
    assert "everything went right" in out
    record = json.loads(report.read_text())
    totals, done = record["totals"], record["liquidations"]
    assert len(done) == int(totals["liquidated"]) >= 3
    assert totals["reverted"] == totals["public_broadcasts"] == "0"
    assert sum(int(one["realised_net_wei"]) for one in done) == int(totals["realised_net_wei"]) > 0
    assert all(int(one["block"]) > int(record["shock_block"]) for one in done)
    predicted, realised = int(totals["predicted_net_wei"]), int(totals["realised_net_wei"])
    assert abs(realised - predicted) * 1000 <= abs(predicted), f"{predicted / WAD} against {realised / WAD}"
    assert "indexer.reorg" in err
    assert "blocks&#160;were&#160;replaced" in picture.read_text()
    assert not list(scratch.iterdir())


@pytest.mark.slow
def test_every_market_has_its_part(tmp_path: Path) -> None:
    report = tmp_path / "report.json"
    demo = run(tmp_path, "--pace", "0.6", "--accounts", "12", "--markets", ",".join(MARKETS), "--report", str(report))
    out, err = demo.communicate(timeout=200)
    assert demo.returncode == 0, out + err[-3000:]
    record = json.loads(report.read_text())
    assert {one["protocol"] for one in record["liquidations"]} == set(MARKETS)
    assert record["totals"]["reverted"] == record["totals"]["public_broadcasts"] == "0"
    assert '"opportunity.awaited"' in err, "an auction that falls is waited for"


def test_interrupted_it_leaves_nothing_behind(tmp_path: Path) -> None:
    demo = run(tmp_path, "--pace", "0.5")
    assert demo.stderr is not None
    for line in demo.stderr:
        if "indexer.caught_up" in line:
            break
    started = children(demo.pid)
    assert started
    demo.send_signal(signal.SIGINT)
    demo.communicate(timeout=30)
    assert demo.returncode == 130
    time.sleep(0.2)
    assert not [pid for pid in started if Path(f"/proc/{pid}").exists()]
    assert not list(tmp_path.iterdir())


def test_the_local_profile_is_of_the_local_chain(make_world: Callable[..., World]) -> None:
    world, profile = make_world(), load(DEMO, environ={})
    assert (profile.chain.id, profile.chain.block_time) == (world.anvil.options.chain_id, world.anvil.options.interval)
    assert profile.markets[0].address == world.layout.aave.provider
    assert profile.chain.wrapped_native == world.asset("WETH")
    made_of = [(KINDS[one.kind], one.deployer, "0x" + one.init_hash.hex()) for one in factories(world)]
    assert [(one.kind, one.address, one.init_code_hash) for one in profile.venues] == made_of, "in the executor's order"
    assert (profile.executor.address, profile.executor.profit_recipient) == (None, TREASURY)
    assert not profile.signer.configured


def test_the_chain_is_served_until_it_is_told_to_end(tmp_path: Path) -> None:
    with served("--accounts", "6") as url:
        where = [*KEEPER, "accounts", "--config", str(DEMO), "--json", *flags(url, tmp_path)]
        done = subprocess.run(where, capture_output=True, text=True, check=True)
        assert len(done.stdout.splitlines()) == 6 + 1, "the borrowers and who lends to them"
    gone = subprocess.run(where, capture_output=True, text=True, check=False)
    assert gone.returncode == 5
