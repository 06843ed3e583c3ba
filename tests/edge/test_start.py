"""Everything that can be wrong before a start, as a stranger would meet it: exit code and one clear line each."""

import json
import random
import socket
import sqlite3
import stat
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from keeper.devnet.build import make_world
from keeper.devnet.layout import ADMIN
from keeper.devnet.world import World
from keeper.protocols.aave_v3.calls import IMPLEMENTATION_SLOT
from keeper.registry import PROTOCOLS
from tests.edge.command import configured, keeper, records, said, script

PAGE = 4_096
DEAD = "http://127.0.0.1:9"  # the port of "discard": nobody listens


@pytest.fixture(scope="module")
def market(seed: int) -> Iterator[World]:
    """A market that the tests of this page only look at."""
    with make_world() as world:
        world.borrowers(3, seed)
        yield world


@pytest.fixture(scope="module")
def whole(market: World, tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """A state file as a run leaves it."""
    folder = tmp_path_factory.mktemp("whole")
    assert keeper("accounts", "--config", str(configured(folder, market))).returncode == 0
    return (folder / "state.sqlite").read_bytes()


# the chain -------------------------------------------------------------------------------------------------------


def test_an_endpoint_that_is_not_there(market: World, tmp_path: Path) -> None:
    config = configured(tmp_path, market)
    done = keeper("accounts", "--config", str(config), "--chain.rpc", DEAD, "--chain.timeout", "1")
    assert (done.returncode, done.stdout) == (5, "")
    assert said(done) == ["keeper: no endpoint can be used (127.0.0.1:9: unreachable)"]


def test_another_endpoint_is_enough(market: World, tmp_path: Path) -> None:
    config = configured(tmp_path, market)
    done = keeper("accounts", "--config", str(config), "--chain.rpc", f"{DEAD},{market.anvil.url}", "--json")
    assert done.returncode == 0
    assert records(done)


def test_the_wrong_chain(market: World, tmp_path: Path) -> None:
    for command in ("accounts", "audit"):
        done = keeper(command, "--config", str(configured(tmp_path, market)), "--chain.id", "1")
        assert (done.returncode, done.stdout) == (3, "")
        name = market.anvil.url.removeprefix("http://")
        assert said(done) == [f"keeper: {name} is on chain 31337, chain.id says 1: correct chain.id or chain.rpc"]
    assert not (tmp_path / "state.sqlite").exists()


# the market ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("address", "why"),
    [
        (lambda _: ADMIN, "there is no contract at this address"),
        (lambda world: world.layout.aave.pool, "this is a part of a market; its PoolAddressesProvider is {provider}"),
        (lambda world: world.layout.aave.oracle, "this is a part of a market; its PoolAddressesProvider is {provider}"),
        (
            lambda world: world.asset("WETH"),
            "this contract is not a PoolAddressesProvider: it names no pool and oracle",
        ),
    ],
    ids=["nothing", "pool", "oracle", "token"],
)
def test_an_address_that_is_no_market(market: World, tmp_path: Path, address: Callable[[World], str], why: str) -> None:
    config = configured(tmp_path, market, address=address(market))
    done = keeper("accounts", "--config", str(config))
    told = why.format(provider=market.layout.aave.provider)
    assert (done.returncode, done.stdout) == (2, "")
    assert said(done) == [f"keeper: {config}:6: markets.0.address = {address(market)}: {told}"]
    checked = keeper("check", "--config", str(config))
    assert checked.returncode == 2
    assert told in checked.stdout


def test_several_mistakes_about_markets_at_once(market: World, tmp_path: Path) -> None:
    unknown = (
        "[[markets]]\nprotocol = 'aave_v9'\naddress = '0x00000000000000000000000000000000000000aa'\nfrom_block = 0"
    )
    twice = f"[[markets]]\nprotocol = 'aave_v3'\naddress = '{market.layout.aave.provider}'\nfrom_block = 5"
    file = configured(tmp_path, market)
    file.write_text(f"{file.read_text()}{unknown}\n{twice}\n")
    done = keeper("accounts", "--config", str(file))
    assert (done.returncode, done.stdout) == (2, "")
    assert said(done) == [
        f"keeper: markets: {market.layout.aave.provider} is configured 2 times",
        f"keeper: {file}:11: markets.1.protocol = 'aave_v9': not known; one of: {', '.join(PROTOCOLS)}",
    ]


def test_a_market_that_begins_in_the_future(market: World, tmp_path: Path) -> None:
    config = configured(tmp_path, market)
    done = keeper("accounts", "--config", str(config), "--markets.0.from_block", "1000000")
    assert (done.returncode, done.stdout) == (2, "")
    head = market.block_number()
    assert said(done) == [
        f"keeper: flag --markets.0.from_block: markets.0.from_block = 1000000: later than block {head}"
    ]


# the configuration -----------------------------------------------------------------------------------------------


def test_an_unknown_key_is_named_with_file_and_line(market: World, tmp_path: Path) -> None:
    config = configured(tmp_path, market)
    config.write_text(config.read_text() + "pathh = 'x'\n")
    for command in ("accounts", "audit", "check"):
        done = keeper(command, "--config", str(config))
        assert (done.returncode, done.stdout) == (2, "")
        (line,) = said(done)
        assert line.startswith(f"keeper: {config}:10: store.pathh: unknown key; did you mean path?")


def test_no_market_and_no_file(tmp_path: Path) -> None:
    done = keeper("accounts", "--chain.id", "1", "--chain.rpc", DEAD)
    assert done.returncode == 2
    assert said(done) == [
        "keeper: markets: none configured; add a [[markets]] section with protocol, address and from_block"
    ]
    missing = keeper("accounts", "--config", str(tmp_path / "none.toml"))
    assert missing.returncode == 2
    assert said(missing) == [f"keeper: {tmp_path / 'none.toml'}: cannot be read: No such file or directory"]


def test_a_place_where_no_state_can_be(market: World, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("a file where a folder is wanted")
    config = configured(tmp_path, market)
    done = keeper("accounts", "--config", str(config), "--store.path", str(tmp_path / "file" / "state.sqlite"))
    assert done.returncode == 2
    assert said(done) == [
        f"keeper: store.path = {tmp_path / 'file' / 'state.sqlite'}: cannot be written beside: File exists"
    ]
    checked = keeper("check", "--config", str(config), "--store.path", str(tmp_path / "file" / "state.sqlite"))
    assert checked.returncode == 2
    assert "cannot be written" in checked.stdout


# the state file --------------------------------------------------------------------------------------------------


def damaged(kind: str, whole: bytes, folder: Path) -> None:
    """Put a state file there that cannot be trusted."""
    state = folder / "state.sqlite"
    match kind:
        case "garbage":
            state.write_bytes(b"not a database, whatever its name says. " * 500)
        case "truncated":
            state.write_bytes(whole[: len(whole) // 2])
        case "cut by a byte":
            state.write_bytes(whole[:-1])
        case "newer":
            state.write_bytes(whole)
            with sqlite3.connect(state) as db:
                db.execute("PRAGMA user_version = 999")
            db.close()
        case "of another program":
            with sqlite3.connect(state) as db:
                db.execute("CREATE TABLE notes (text)")
            db.close()


@pytest.mark.parametrize("kind", ["garbage", "truncated", "cut by a byte", "newer", "of another program"])
def test_a_damaged_state_file_is_refused_and_left_alone(market: World, tmp_path: Path, whole: bytes, kind: str) -> None:
    config = configured(tmp_path, market)
    damaged(kind, whole, tmp_path)
    before = (tmp_path / "state.sqlite").read_bytes()
    for words in (("accounts",), ("accounts", "--block", str(market.block_number())), ("check",)):
        done = keeper(*words, "--config", str(config))
        assert done.returncode == 4
        told = done.stdout if words == ("check",) else "".join(said(done))
        assert str(tmp_path / "state.sqlite") in told
        assert "Traceback" not in done.stderr
    assert (tmp_path / "state.sqlite").read_bytes() == before


def test_overwritten_pages_are_found(market: World, tmp_path: Path, whole: bytes, seed: int) -> None:
    """Any page of a market's data: not a wrong number, not a bug."""
    config, draw = configured(tmp_path, market), random.Random(seed)
    good = keeper("accounts", "--config", str(config), "--json").stdout
    with sqlite3.connect(tmp_path / "state.sqlite") as db:
        wanted = {"account", "fact", "market", "cursor", "meta"}
        known = db.execute("SELECT name, rootpage FROM sqlite_master").fetchall()
    db.close()
    for page in (page for name, page in known if name in wanted):
        spoilt = whole[: (page - 1) * PAGE] + draw.randbytes(PAGE) + whole[page * PAGE :]
        (tmp_path / "state.sqlite").write_bytes(spoilt)
        done = keeper("accounts", "--config", str(config), "--json")
        assert (done.returncode, done.stdout) == (4, ""), f"seed {seed}, page {page}: {done.stderr}"
        assert "move it away to start again from the chain" in "".join(said(done))
    (tmp_path / "state.sqlite").write_bytes(whole)
    assert keeper("accounts", "--config", str(config), "--json").stdout == good


def test_a_state_file_of_another_chain(market: World, tmp_path: Path, whole: bytes) -> None:
    config = configured(tmp_path, market)
    (tmp_path / "state.sqlite").write_bytes(whole)
    with sqlite3.connect(tmp_path / "state.sqlite") as db:
        db.execute("UPDATE meta SET value = '1' WHERE key = 'chain_id'")
    db.close()
    for command in ("accounts", "check"):
        done = keeper(command, "--config", str(config))
        assert done.returncode == 3
        assert "belongs to chain 1, the configuration says 31337" in done.stdout + done.stderr


def test_an_empty_state_file_is_a_beginning(market: World, tmp_path: Path) -> None:
    (tmp_path / "state.sqlite").touch()
    assert keeper("accounts", "--config", str(configured(tmp_path, market))).returncode == 0


# check -----------------------------------------------------------------------------------------------------------


def test_all_is_well(market: World, tmp_path: Path) -> None:
    config = configured(tmp_path, market)
    done = script("check", "--config", str(config), "--chain.ws", market.anvil.ws, "--ops.port", "0")
    assert done.returncode == 0
    assert "no problems" in done.stdout
    for line in ("release 3.0.2, 8 reserves", "subscribed to new heads", "is not there yet", "block "):
        assert line in done.stdout
    assert list(tmp_path.iterdir()) == [config], "a check leaves nothing behind"


def test_everything_at_once(market: World, tmp_path: Path, whole: bytes) -> None:
    config = configured(tmp_path, market)
    (tmp_path / "state.sqlite").write_bytes(whole[:-PAGE])
    key = tmp_path / "keeper_executor__address"
    key.write_text("0x00000000000000000000000000000000000000ee")
    key.chmod(0o644)
    words = ("--chain.rpc", f"{market.anvil.url},{DEAD}", "--chain.ws", "ws://127.0.0.1:9")
    venue = ("--venues.0.kind", "uniswap_v9", "--venues.0.address", "0x00000000000000000000000000000000000000dd")
    relay = ("--relays.0.kind", "public", "--relays.0.url", "http://127.0.0.1:9")
    signer = ("--signer.env", "NOBODY", "--markets.0.address", "0x00000000000000000000000000000000000000cc")
    more = (*words, *venue, *relay, *signer, "--secrets", str(tmp_path), "--json")
    done = keeper("check", "--config", str(config), *more)
    found = records(done)
    problems = {record["subject"]: record for record in found if record["grade"] == "problem"}
    assert done.returncode == 4
    assert set(problems) == {
        "endpoint 127.0.0.1:9",
        "websocket 127.0.0.1:9",
        "market aave_v3 0x00000000000000000000000000000000000000cc",
        "state file",
        "relays",
        "signer",
        "sending",
        "executor",
        "venue uniswap_v9",
    }
    assert all(set(record) == {"grade", "subject", "says", "do"} for record in found)
    assert next(record for record in found if record["subject"] == "secrets")["grade"] == "note"
    assert keeper("check", "--config", str(config), *more, "--chain.id", "5").returncode == 3


def test_secrets_that_others_can_read_and_a_key_that_is_not_the_expected_one(market: World, tmp_path: Path) -> None:
    config = configured(tmp_path, market)
    identity = tmp_path / "identity"
    identity.write_text("0x" + "11" * 32)
    identity.chmod(0o640)
    words = ("--signer.env", "A_KEY", "--signer.address", "0x00000000000000000000000000000000000000ff")
    done = keeper(
        "check", "--config", str(config), *words, "--signer.identity_file", str(identity), A_KEY="0x" + "22" * 32
    )
    assert done.returncode == 2
    assert f"{identity}: others may read it (mode 640)" in done.stdout
    assert "signer.address says 0x00000000000000000000000000000000000000ff" in done.stdout
    assert "22" * 32 not in done.stdout + done.stderr
    assert stat.S_IMODE(identity.stat().st_mode) == 0o640


def test_a_port_in_use_and_a_node_that_lags(market: World, tmp_path: Path) -> None:
    config = configured(tmp_path, market)
    with make_world() as other, socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        for _ in range(market.block_number() + 5 - other.block_number()):
            other.advance(1)
        done = keeper(
            "check", "--config", str(config), "--ops.port", str(port),
            "--chain.rpc", f"{other.anvil.url},{market.anvil.url}", "--json",
        )  # fmt: skip
    found = {record["subject"]: record for record in records(done)}
    assert done.returncode == 5
    behind = found[f"endpoint {market.anvil.url.removeprefix('http://')}"]
    assert (behind["grade"], behind["says"]) == ("problem", "is 5 blocks behind")
    assert (found["ops"]["grade"], found["ops"]["says"]) == ("note", f"127.0.0.1:{port} is in use")


def test_logs_are_json_and_apart(market: World, tmp_path: Path) -> None:
    done = script("check", "--config", str(configured(tmp_path, market)), "--ops.port", "0")
    assert all(json.loads(line)["chain_id"] == "31337" for line in done.stderr.splitlines())


# markets that are not quite as expected --------------------------------------------------------------------------


def test_a_price_without_a_feed_to_follow_is_read_and_said(world: World, tmp_path: Path) -> None:
    world.set_source("LINK", world.layout.feeds["LINK"].aggregator)
    config = configured(tmp_path, world)
    done = keeper("check", "--config", str(config), "--ops.port", "0")
    assert done.returncode == 0
    assert f"1 prices have no feed that can be followed: {world.asset('LINK')}" in done.stdout
    assert keeper("audit", "--config", str(config)).returncode == 0


def test_a_release_that_nobody_knows_is_refused_before_a_start(world: World, tmp_path: Path) -> None:
    """Its code has one more function than any that is known; everything else answers as before."""
    pool, marker = world.layout.aave.pool, "63fd89dee5"
    implementation = "0x" + world.rpc.rpc("eth_getStorageAt", pool, hex(IMPLEMENTATION_SLOT), "latest")[-40:]
    code = world.rpc.rpc("eth_getCode", implementation, "latest")
    world.rpc.rpc("anvil_setCode", implementation, code + marker)
    config = configured(tmp_path, world)
    done = keeper("check", "--config", str(config), "--ops.port", "0")
    assert done.returncode == 2
    assert "is of a release that keeper does not know" in done.stdout
    lines = records(keeper("accounts", "--config", str(config), "--json"))
    assert any(line["health_factor"] is None and "not a known release" in line["reason"] for line in lines)
    assert not any(line["liquidatable"] for line in lines)
