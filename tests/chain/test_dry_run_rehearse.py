"""``keeper dry-run --rehearse``: everybody with debt is tried, one at a time, and who would fail is told why."""

import asyncio
import json
from collections.abc import Callable
from pathlib import Path

import pytest

from keeper.core.units import WAD, Address
from keeper.devnet.layout import USD, RiskSpec, TokenSpec
from keeper.devnet.world import World
from tests.chain.test_dry_run import configuration
from tests.chaos.proxy import FaultProxy
from tests.edge.command import script

UNROUTABLE = Address("0x00000000000000000000000000000000000b0001")
PAUSED = Address("0x00000000000000000000000000000000000b0002")
TOXIC = Address("0x00000000000000000000000000000000000b0004")
FREE = Address("0x00000000000000000000000000000000000b0003")  # no debt


@pytest.mark.slow
async def test_everybody_with_debt_is_tried(make_world: Callable[..., World], seed: int, tmp_path: Path) -> None:
    world = make_world("3.0.2")
    crowd = world.borrowers(5, seed)
    for token, spec in (("LONE", 3000), ("HELD", 5000)):
        world.add_token(TokenSpec(token, 18, 7 * USD))
        world.add_reserve(token, RiskSpec(spec, 6000, 11000, 2000))
    toxic = world.add_hostile_token(TokenSpec("TOXIC", 18, 7 * USD))
    world.add_reserve("TOXIC", RiskSpec(5000, 6000, 11000, 2000))
    for token in ("HELD", "TOXIC"):
        world.open_v3_pool(token, "USDC", 3000)
    world.fund(UNROUTABLE, PAUSED, TOXIC, FREE)
    world.supply(UNROUTABLE, "LONE", 1_000 * WAD)
    world.borrow(UNROUTABLE, "USDC", 1_000 * 10**6)
    world.supply(PAUSED, "HELD", 1_000 * WAD)
    world.borrow(PAUSED, "USDC", 1_000 * 10**6)
    world.supply(TOXIC, "TOXIC", 1_000 * WAD)
    world.borrow(TOXIC, "USDC", 1_000 * 10**6)
    toxic.send("set_fee", 5_000, sender=TOXIC)
    world.supply(FREE, "LONE", 1_000 * WAD)
    world.pause("HELD", paused=True)
    head, path = world.block_number(), tmp_path / "report.json"
    async with FaultProxy(world.anvil.url, seed=seed) as proxy:
        config = configuration(world, proxy.url, tmp_path)
        words = ("dry-run", "--config", str(config), "--rehearse", "--report", str(path))
        told = await asyncio.to_thread(script, *words)
        warned = json.loads(path.read_text())
        done = await asyncio.to_thread(script, *words, "--risk.transfer_loss", "10000")  # as if nobody had tried tokens
        assert not proxy.writes
    assert told.returncode == 0, told.stdout + told.stderr[-3000:]
    assert warned["failures"] == []
    assert {one["account"]: one["reason"] for one in warned["skips"]}[TOXIC] == "token.transfer_tax"
    report = json.loads(path.read_text())
    assert done.returncode == 1, done.stdout + done.stderr[-3000:]  # the toxic one was predicted to pay
    (failure,) = report["failures"]
    assert failure["accounts"] == [TOXIC]
    assert failure["reason"] != ""
    assert failure["reason"] in done.stdout
    skips = {one["account"]: one["reason"] for one in report["skips"]}
    assert skips[UNROUTABLE] == "no_route"
    assert skips[PAUSED] == "reserve.paused"
    tried = {one["account"] for one in report["liquidations"]} | skips.keys() | set(failure["accounts"])
    assert tried == {UNROUTABLE, PAUSED, TOXIC, *(borrower.account for borrower in crowd)}
    assert len(report["liquidations"]) >= 4
    assert {one["block"] for one in report["liquidations"]} == {str(int(report["shock_block"]) + 1)}
    for one in report["liquidations"]:
        assert 0.99 * WAD < int(one["health_before"]) < WAD
        assert int(one["realised_net_wei"]) > 0
    assert world.block_number() == head
