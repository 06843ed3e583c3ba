"""The ladder against asking every account at every price, and the laws it keeps."""

from collections.abc import Collection

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from keeper.bench.market import NOW, market, populate
from keeper.core.book import Book
from keeper.core.ports import Quarantine
from keeper.core.units import WAD, Address, BlockNumber, Timestamp
from keeper.protocols.aave_v3.adapter import AaveV3
from keeper.reports.cascade import cascade
from keeper.reports.ladder import falls, ladder
from keeper.reports.snapshot import Snapshot
from tests.unit.report_world import WETH, Market, depth

AT = Timestamp(NOW + 12)


def snapshot(version: str, seed: int) -> Snapshot:
    book = market(version, 12, seed)
    populate(book, 250, seed)
    book.take_changes()
    return Snapshot.of(AaveV3(Address("0x" + "11" * 20)), book, BlockNumber(1), AT)


def asked(book: Book, adapter: AaveV3, assets: Collection[Address], snap: Snapshot, factor: float) -> set[int]:
    """Everybody's health, with the oracle's answers replaced."""
    for asset, price in snap.supposed(assets, factor).items():
        book.learn("price", asset, price)
    found = {
        row: health for row in range(len(book)) if not isinstance(health := adapter.health(book, row, AT), Quarantine)
    }
    book.undo(book.take_changes())
    return {row for row, health in found.items() if health.health_factor < WAD}


@pytest.mark.parametrize("version", ["3.0.2", "3.4", "3.7"])
def test_every_step_is_what_brute_force_says(version: str, seed: int) -> None:
    snap, other = snapshot(version, seed), AaveV3(Address("0x" + "11" * 20))
    assets = sorted(snap.numbers)
    turned = 0
    for moving in (assets, assets[:1], assets[::2]):
        found = ladder(snap, moving, falls(24, 0.6))
        for step, factor in enumerate(found.factors.tolist()):
            below = asked(snap.book, other, moving, snap, factor)
            assert found.rows(step) == below, f"seed {seed}, {version}, step {step}"
            assert found.accounts[step] == len(below)
            turned += len(below)
    assert turned > 24 * 5


@settings(max_examples=25)
@given(
    turns=st.lists(st.tuples(st.floats(500, 1_999), st.floats(0.1, 500)), min_size=1, max_size=8),
    first=st.floats(0.5, 0.99),
    further=st.floats(0.5, 0.99),
)
def test_deeper_is_never_less(turns: list[tuple[float, float]], first: float, further: float) -> None:
    world = Market()
    for number, (price, whole) in enumerate(turns, start=1):
        world.turning_at(number, price, whole)
    found = ladder(world.snapshot(), [WETH.address], np.array([1.0, first, first * further]))
    for amounts in (found.accounts, found.collateral.sum(axis=0), found.debt.sum(axis=0)):
        assert (np.diff(amounts) >= 0).all()
    played = [
        cascade(world.snapshot(depth(2_000)), {WETH.address: factor}, whole=True) for factor in (first, first * further)
    ]
    last = [one.path(WETH.address)[-1] for one in played]
    assert last[1] <= last[0] <= first * 2_000 * 10**8 + 1
    thin = cascade(world.snapshot(depth(1_000)), {WETH.address: first}, whole=True)
    assert thin.path(WETH.address)[-1] <= last[0]
