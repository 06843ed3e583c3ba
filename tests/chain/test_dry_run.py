"""``keeper dry-run`` on forks of a local world: real protocols upstream, the real command, nothing written upstream."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from keeper.demo.stage import KINDS, OWNER, factories
from keeper.devnet.anvil import Anvil, AnvilOptions
from keeper.devnet.world import World
from keeper.executor.deploy import CREATE2_FACTORY
from tests.chaos.proxy import FaultProxy
from tests.edge.command import Done, script

MakeWorld = Callable[..., World]


def configuration(world: World, rpc: str, folder: Path) -> Path:
    """What an operator of this world would write, without keys, relays or an executor."""
    venues = "\n".join(
        f'[[venues]]\nkind = "{KINDS[one.kind]}"\naddress = "{one.deployer}"\n'
        f'init_code_hash = "0x{one.init_hash.hex()}"'
        for one in factories(world)
    )
    path = folder / "keeper.toml"
    path.write_text(f"""
[chain]
id = {world.anvil.options.chain_id}
rpc = ["{rpc}"]
wrapped_native = "{world.asset("WETH")}"
[[markets]]
protocol = "aave_v3"
address = "{world.layout.aave.provider}"
from_block = 0
{venues}
[store]
path = "{folder / "keeper.sqlite"}"
""")
    return path


@contextlib.asynccontextmanager
async def no_fork() -> AsyncIterator[tuple[str, list[str]]]:
    """A node as all others: it has never heard of anvil. Also what it was asked."""
    asked: list[str] = []

    async def answer(request: web.Request) -> web.Response:
        body = await request.json()
        asked.append(body["method"])
        error = {"code": -32601, "message": "the method does not exist"}
        return web.json_response({"jsonrpc": "2.0", "id": body["id"], "error": error})

    app = web.Application()
    app.router.add_post("/", answer)
    async with TestServer(app) as server:
        yield str(server.make_url("/")), asked


class Upstream:
    """A world behind a proxy that counts, and the command that forks it."""

    def __init__(self, world: World, proxy: FaultProxy, folder: Path) -> None:
        self.world, self.proxy, self.folder = world, proxy, folder
        self.config = configuration(world, proxy.url, folder)

    async def dry_run(self, *words: str) -> Done:
        return await asyncio.to_thread(script, "dry-run", "--config", str(self.config), *words)

    async def report(self, name: str, *words: str) -> tuple[Done, Any]:
        path = self.folder / name
        done = await self.dry_run("--report", str(path), *words)
        return done, json.loads(path.read_text()) if path.exists() else None


@pytest.fixture
async def upstream(make_world: MakeWorld, seed: int, tmp_path: Path) -> AsyncIterator[Upstream]:
    world = make_world("3.0.2")
    world.borrowers(20, seed)
    async with FaultProxy(world.anvil.url, seed=seed) as proxy:
        yield Upstream(world, proxy, tmp_path)


async def test_a_shock_is_liquidated_as_predicted_twice_the_same_and_nothing_is_written_upstream(
    upstream: Upstream,
) -> None:
    world = upstream.world
    head = world.block_number()
    nonces = [world.rpc.rpc("eth_getTransactionCount", one, "latest") for one in (OWNER, CREATE2_FACTORY)]
    done, report = await upstream.report("one.json", "--shock", "WETH=-20%")
    assert done.returncode == 0, done.stdout + done.stderr[-3000:]
    made, totals = report["liquidations"], report["totals"]
    assert len(made) == int(totals["liquidated"]) > 0
    assert totals["reverted"] == totals["public_broadcasts"] == "0"
    assert report["failures"] == []
    for one in made:
        assert int(one["block"]) > int(report["shock_block"]) > head
        assert int(one["health_before"]) < 10**18
        assert int(one["health_before"]) != int(one["health_after"])
        predicted, realised = int(one["predicted_net_wei"]), int(one["realised_net_wei"])
        assert realised > 0
        assert abs(realised - predicted) * 1000 <= predicted
        assert one["account"] in done.stdout
    assert sum(int(one["realised_net_wei"]) for one in made) == int(totals["realised_net_wei"])

    again, _ = await upstream.report("two.json", "--shock", "WETH=-20%", "--block", str(head))
    assert again.returncode == 0
    assert (upstream.folder / "one.json").read_bytes() == (upstream.folder / "two.json").read_bytes()
    assert again.stdout == done.stdout

    assert not upstream.proxy.writes
    assert not [name for name in upstream.proxy.counts if name.startswith(("anvil_set", "evm_", "hardhat_"))]
    assert upstream.proxy.counts
    assert world.block_number() == head
    assert nonces == [world.rpc.rpc("eth_getTransactionCount", one, "latest") for one in (OWNER, CREATE2_FACTORY)]
    assert not (upstream.folder / "keeper.sqlite").exists()


async def test_json_is_one_object_a_line_and_a_calm_market_has_nothing_to_do(upstream: Upstream) -> None:
    done = await upstream.dry_run("--json")
    assert done.returncode == 0, done.stderr[-3000:]
    (totals,) = map(json.loads, done.stdout.splitlines())
    assert (totals["kind"], totals["liquidated"], totals["shock_block"]) == ("totals", "0", None)


async def test_what_cannot_be_is_said(upstream: Upstream) -> None:
    unknown = await upstream.dry_run("--shock", "NOPE=-20%")
    assert unknown.returncode == 2
    assert "--shock NOPE: no market has an asset with this symbol; there are " in unknown.stderr
    assert "WETH" in unknown.stderr
    for wrong in ("WETH", "WETH=-100%", "WETH=20"):
        refused = await upstream.dry_run("--shock", wrong)
        assert refused.returncode == 2
        assert "invalid shock (SYM=-20%) value" in refused.stderr
    itself = await upstream.dry_run("--fork", upstream.proxy.url)
    assert itself.returncode == 2
    assert "never writes to" in itself.stderr
    async with no_fork() as (url, asked):
        refused = await upstream.dry_run("--fork", url)
        assert refused.returncode == 2
        assert "--fork: not a fork" in refused.stderr
        assert asked == ["anvil_nodeInfo"]
    assert not upstream.proxy.writes


async def test_a_running_fork_is_used_and_put_back(upstream: Upstream) -> None:
    with Anvil(AnvilOptions(fork_url=upstream.world.anvil.url)) as fork:
        before = fork.rpc.rpc("eth_getBlockByNumber", "latest", False)
        done, report = await upstream.report("fork.json", "--fork", fork.url, "--shock", "WETH=-20%")
        assert done.returncode == 0, done.stderr[-3000:]
        assert report["liquidations"]
        assert fork.rpc.rpc("eth_getBlockByNumber", "latest", False) == before
        assert fork.rpc.rpc("anvil_getAutomine") is True
    assert not upstream.proxy.writes


@pytest.mark.slow
async def test_a_state_file_that_is_ahead_is_used_as_a_copy_and_stays_as_it_is(upstream: Upstream) -> None:
    world, state = upstream.world, upstream.folder / "keeper.sqlite"
    head = world.block_number()
    words = ("--shock", "WETH=-20%", "--block", str(head))
    _, without = await upstream.report("without.json", *words)
    for _ in range(3):
        world.advance(12)
    filled = await asyncio.to_thread(script, "accounts", "--config", str(upstream.config))
    assert filled.returncode == 0
    before = state.read_bytes()
    done, report = await upstream.report("with.json", *words)
    assert done.returncode == 0, done.stderr[-3000:]
    assert report["liquidations"]
    assert report == without
    assert state.read_bytes() == before
