"""`keeper accounts` and `keeper audit` as a script runs them, against what the real pool answers."""

import contextlib
import fcntl
import json
import os
import sqlite3
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from keeper.core.units import MAX_U256, WAD, Address
from keeper.devnet.build import make_world
from keeper.devnet.crowd import Borrower
from keeper.devnet.world import World
from tests.edge.command import SCRIPT, configured, keeper, records, said, script

CROWD = 24
AMOUNTS = ("health_factor", "collateral_base", "debt_base")
LAW = ("protocol", "market", "account", *AMOUNTS, "liquidatable", "block", "timestamp")


@pytest.fixture(scope="module")
def crowded(seed: int) -> Iterator[tuple[World, list[Borrower]]]:
    """A market with borrowers, which the tests of this page read and never move."""
    with make_world() as world:
        yield world, world.borrowers(CROWD, seed)


@pytest.fixture(scope="module")
def config(crowded: tuple[World, list[Borrower]], tmp_path_factory: pytest.TempPathFactory) -> Path:
    return configured(tmp_path_factory.mktemp("commands"), crowded[0])


def agrees(world: World, record: dict[str, str], block: int | str = "latest") -> bool:
    """Whether a line is what the pool itself answers about the account."""
    chain = world.account_data(Address(record["account"]), block=block)
    ours = tuple(int(record[name]) for name in AMOUNTS)
    return ours == (chain.health_factor, chain.collateral_base, chain.debt_base)


def test_accounts_are_the_pool_s_own_numbers(crowded: tuple[World, list[Borrower]], config: Path) -> None:
    world, borrowers = crowded
    done = script("accounts", "--config", str(config), "--json")
    found = records(done)
    assert done.returncode == 0
    assert {borrower.account for borrower in borrowers} <= {record["account"] for record in found}
    for record in found:
        assert tuple(record) == LAW
        assert agrees(world, record)
        assert record["liquidatable"] is (int(record["health_factor"]) < WAD)
        assert (record["protocol"], record["market"]) == ("aave_v3", world.layout.aave.provider)
        assert (record["block"], record["timestamp"]) == (str(world.block_number()), str(world.timestamp()))
    factors = [int(record["health_factor"]) for record in found]
    assert factors == sorted(factors)
    assert factors[-1] == MAX_U256


def test_prices_that_turn_accounts_are_those_of_the_pool(seed: int, tmp_path: Path) -> None:
    """At each price told the pool calls the account liquidatable, and a unit before it does not."""
    with make_world() as world:
        world.borrowers(CROWD, seed)
        words = ("accounts", "--config", str(configured(tmp_path, world)), "--json", "--asset", "WETH")
        found = records(keeper(*words, "--sort", "price"))
        assert len(found) >= 5
        assert [int(one["away_bps"]) for one in found] == sorted(int(one["away_bps"]) for one in found)
        now = world.price("WETH")
        assert {one["price"] for one in found} == {str(now)}
        first = found[:6]
        proxy = world.layout.feeds["WETH"].proxy
        code = world.anvil.rpc.rpc("eth_getCode", proxy, "latest")
        for one in first:
            turn, step = int(one["liquidation_price"]), 1 if one["falling"] else -1
            for price, below in ((turn, True), (turn + step, False)):
                world.anvil.rpc.rpc("anvil_setCode", proxy, f"0x7f{price:064x}5f5260205ff3")  # answers so, from now on
                assert (world.account_data(Address(one["account"])).health_factor < WAD) is below
        world.anvil.rpc.rpc("anvil_setCode", proxy, code)
        nearest = int(first[0]["liquidation_price"])
        whole = f"{nearest // 10**8}.{nearest % 10**8:08d}"
        flips = {one["account"] for one in records(keeper(*words, "--price", whole))}
        assert first[0]["account"] in flips
        assert flips == {
            one["account"]
            for one in found
            if (
                int(one["liquidation_price"]) >= nearest if one["falling"] else int(one["liquidation_price"]) <= nearest
            )
        }
        lost = keeper(*words[:3], "--sort", "price")
        assert lost.returncode == 2
        assert "--asset" in said(lost)[0]
        assert "no market has it" in said(keeper(*words[:3], "--asset", "NONE", "--sort", "price"))[0]


def test_the_table_has_the_same_accounts_in_full(config: Path) -> None:
    lines = script("accounts", "--config", str(config), "--limit", "5").stdout.splitlines()
    exact = records(keeper("accounts", "--config", str(config), "--limit", "5", "--json", "--sort", "health"))
    assert [record["account"] for record in exact] == [line.split()[1] for line in lines[2:]]
    for record, line in zip(exact, lines[2:], strict=True):
        assert line.split()[0] == f"{int(record['health_factor']) // 10**12 / 10**6:.6f}"
        assert record["market"] in line


def test_audit_finds_nothing_and_then_the_one_unit_that_was_changed(
    crowded: tuple[World, list[Borrower]], config: Path, tmp_path: Path
) -> None:
    done = keeper("audit", "--config", str(config), "--all", "--json")
    assert (done.returncode, records(done)[-1]["differences"]) == (0, "0")
    assert int(records(done)[-1]["audited"]) > CROWD
    spoilt = configured(tmp_path, crowded[0])
    assert keeper("accounts", "--config", str(spoilt)).returncode == 0
    with sqlite3.connect(tmp_path / "state.sqlite") as state:
        account, blob = state.execute(
            "SELECT account, positions FROM account WHERE account = ?", (crowded[1][0].account,)
        ).fetchone()
        amount = int.from_bytes(blob[2:10], "little") + 10**9
        spoilt_blob = blob[:2] + amount.to_bytes(8, "little") + blob[10:]
        state.execute("UPDATE account SET positions = ? WHERE account = ?", (spoilt_blob, account))
    state.close()
    told = script("audit", "--config", str(spoilt), "--json")
    *drifts, total = records(told)
    assert told.returncode == 1
    assert (len(drifts), total["differences"]) == (1, "1")
    assert drifts[0]["account"] == account
    assert drifts[0]["book"] != drifts[0]["chain"]
    people = keeper("audit", "--config", str(spoilt))
    assert people.returncode == 1
    assert f"{account} of {crowded[0].layout.aave.provider}" in people.stdout
    assert "differences" in people.stdout


def test_a_sample_is_as_large_as_asked(config: Path) -> None:
    done = keeper("audit", "--config", str(config), "--sample", "5", "--json")
    assert (done.returncode, records(done)) == (
        0,
        [{"audited": "5", "differences": "0", "block": records(done)[-1]["block"]}],
    )


def test_whoever_holds_the_state_file_is_not_disturbed(crowded: tuple[World, list[Borrower]], tmp_path: Path) -> None:
    config = configured(tmp_path, crowded[0])
    first = keeper("accounts", "--config", str(config), "--json")
    state = tmp_path / "state.sqlite"
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    with (tmp_path / "state.sqlite.lock").open("a") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        second = keeper("accounts", "--config", str(config), "--json")
        watched = keeper("check", "--config", str(config))
    assert (second.returncode, second.stdout) == (0, first.stdout)
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before
    assert "another process moves it now" in watched.stdout
    assert state.stat().st_size > 0


def test_a_past_block_is_as_it_was_then(world: World, seed: int, tmp_path: Path) -> None:
    config = configured(tmp_path, world)
    crowd = world.borrowers(6, seed)
    assert keeper("audit", "--config", str(config)).returncode == 0
    past = world.block_number()
    then = {borrower.account: world.account_data(borrower.account) for borrower in crowd}
    world.set_price("WETH", world.price("WETH") * 6 // 10)
    world.set_price("WBTC", world.price("WBTC") * 6 // 10)
    world.advance(3_600)
    now = records(keeper("accounts", "--config", str(config), "--json"))
    assert any(record["liquidatable"] for record in now)
    assert all(agrees(world, record) for record in now)
    lines = records(keeper("accounts", "--config", str(config), "--block", str(past), "--json"))
    assert {record["block"] for record in lines} == {str(past)}
    found = {record["account"]: int(record["health_factor"]) for record in lines}
    assert {account: found[account] for account in then} == {
        account: data.health_factor for account, data in then.items()
    }
    audited = keeper("audit", "--config", str(config), "--block", str(past), "--json")
    assert (audited.returncode, records(audited)[-1]) == (
        0,
        {"audited": str(len(lines)), "differences": "0", "block": str(past)},
    )
    again = records(keeper("accounts", "--config", str(config), "--json"))
    assert again == now, "looking back has moved the state file"
    gone = keeper("accounts", "--config", str(config), "--block", "1")
    assert (gone.returncode, gone.stdout) == (5, "")
    assert "no endpoint has the state of this block" in said(gone)[0]
    future = keeper("accounts", "--config", str(config), "--block", "1000000")
    assert (future.returncode, future.stdout) == (2, "")
    assert f"the head is {world.block_number()}" in said(future)[0]


def test_who_depends_on_a_dead_feed_has_no_number_but_a_reason(world: World, tmp_path: Path) -> None:
    config = configured(tmp_path, world)
    alone, other = Address("0x" + "a1" * 20), Address("0x" + "a2" * 20)
    world.fund(alone, other)
    for account, symbol in ((alone, "LINK"), (other, "WETH")):
        world.supply(account, symbol, world.units(symbol, 100))
        world.borrow(account, "USDC", world.units("USDC", 100))
    world.set_source("LINK", Address("0x" + "de" * 20))
    done = keeper("accounts", "--config", str(config), "--json")
    found = {record["account"]: record for record in records(done)}
    assert (found[alone]["health_factor"], found[alone]["liquidatable"]) == (None, False)
    assert "the oracle gives no price" in found[alone]["reason"]
    assert agrees(world, found[other])
    assert keeper("audit", "--config", str(config)).returncode == 0, "the chain gives no number either"
    assert "unknown" in keeper("accounts", "--config", str(config)).stdout
    checked = keeper("check", "--config", str(config))
    assert checked.returncode == 0
    assert "the oracle gives no price" in checked.stdout


def test_a_person_sees_a_bar_and_a_script_sees_lines(config: Path, tmp_path: Path) -> None:
    words = ("accounts", "--config", str(config), "--json")
    watched = seen_on_a_terminal(*words, "--store.path", str(tmp_path / "one.sqlite"))
    assert "history of 0x" in watched
    assert "indexer.backfill_progress" not in watched
    logged = keeper(*words, "--store.path", str(tmp_path / "two.sqlite")).stderr
    lines = [json.loads(line) for line in logged.splitlines()]
    progress = [line for line in lines if line["event"] == "indexer.backfill_progress"]
    assert progress[-1]["done"] == 1.0
    assert {"block", "to_block", "logs", "accounts", "eta_s"} <= progress[-1].keys()


def seen_on_a_terminal(*words: str) -> str:
    """What a run writes to stderr when that is a terminal."""
    ours, theirs = os.openpty()
    environ = {name: value for name, value in os.environ.items() if not name.startswith("KEEPER_")}
    with subprocess.Popen([SCRIPT, *words], stdout=subprocess.DEVNULL, stderr=theirs, env=environ) as process:
        os.close(theirs)
        seen = b""
        with contextlib.suppress(OSError):  # how a terminal says that the other side is gone
            while part := os.read(ours, 4_096):
                seen += part
    os.close(ours)
    assert process.returncode == 0
    return seen.decode(errors="replace")
