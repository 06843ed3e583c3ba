"""Reports on every protocol through the port alone: what they count is what the protocol's own health says."""

from pathlib import Path

import numpy as np

from keeper.chain.pool import Pool
from keeper.core.ports import Quarantine
from keeper.core.units import WAD
from keeper.devnet.world import World
from keeper.reports.eta import etas
from keeper.reports.greeks import Greeks, greeks
from keeper.reports.ladder import falls, ladder
from keeper.reports.sides import exposures
from keeper.reports.snapshot import Snapshot
from tests.chain.scenes import MakeScene, first_quick

CLOSE = 1e-6


@first_quick
async def test_what_reports_count_is_what_health_says(make: MakeScene, world: World, tmp_path: Path, seed: int) -> None:
    scene = make(world, seed, 16)
    async with Pool([world.anvil.url]) as chain:
        indexer = scene.indexer(chain, tmp_path / "state.sqlite")
        world.fund(*scene.walk.accounts)
        for _ in range(30):
            scene.walk.play_block()
        block = await indexer.advance()
        market = indexer.markets[0]
        snap = Snapshot.of(market.adapter, market.book, block.number, block.timestamp)
        if scene.protocol != "perp_curie":  # there the two sides of a health are account value and requirement
            sums_are_healths(snap, weighed=scene.protocol == "maker_clip")
        ladders_are_healths(snap)
        found = etas(snap, 0.8)
        assert ((found.odds >= 0) & (found.odds <= 1)).all()
        assert len(exposures(snap).accounts) == len(found.rows) == len(snap.screen.groups)
        for one in greeks(snap, sorted(snap.loose), 5):
            if one.distance:
                states = [below(snap, one, share) for share in (0.999 * one.distance, one.distance)]
                assert states == [False, True]
        indexer.store.close()


def sums_are_healths(snap: Snapshot, *, weighed: bool) -> None:
    """Collateral and debt of every line, in base units; ``weighed``: health counts collateral as far as it secures."""
    held = snap.held()
    sums = held.sums(held.worth > 0), -held.sums(held.worth < 0)
    compared = 0
    for row, owned, owed in zip(held.rows.tolist(), *(side.tolist() for side in sums), strict=True):
        health = snap.adapter.health(snap.book, row, snap.at)
        if isinstance(health, Quarantine) or health.debt < 10**6:
            continue
        assert abs(owed - health.debt) <= CLOSE * health.debt + units(snap), (row, owed, health)
        assert weighed or abs(owned - health.collateral) <= CLOSE * health.collateral + units(snap), (
            row,
            owned,
            health,
        )
        assert owned >= health.collateral * (1 - CLOSE) - units(snap)
        compared += 1
    assert compared > 0


def below(snap: Snapshot, one: Greeks, change: float) -> bool:
    """Whether the account may be liquidated when its price has moved so far."""
    return bool(snap.adapter.liquidatable(snap.book, [one.row], snap.at, snap.supposed([one.asset], 1 + change)))


def units(snap: Snapshot) -> float:
    """One smallest unit of everything: a line is that much on the careful side, and leaves out what is no more."""
    return 10 + sum(valued.price / valued.unit for valued in snap.assets.values())


def ladders_are_healths(snap: Snapshot) -> None:
    """Nobody more and nobody less than is liquidatable now stands on the first step."""
    now = {
        row
        for row in range(len(snap.book))
        if not isinstance(health := snap.adapter.health(snap.book, row, snap.at), Quarantine)
        and health.health_factor < WAD
    }
    found = ladder(snap, snap.loose, falls(10, 0.9))
    assert found.rows(0) == now
    assert found.accounts[0] == len(now)
    assert (found.collateral >= -1).all()
    assert np.isfinite(found.debt).all()
