"""Nobody is missed: accounts on the very edge of every release, judged by the pool's own integers."""

import pytest

from keeper.bench.edge import NOW, Edge
from keeper.core.book import Book
from keeper.core.ports import Health
from keeper.core.units import BPS, RAY, WAD, Address
from keeper.protocols.aave_v3.adapter import AaveV3
from keeper.protocols.aave_v3.facts import DEBT
from keeper.protocols.aave_v3.profiles import PROFILES
from keeper.protocols.aave_v3.view import View
from keeper.screen.screen import Screen

ACCOUNTS = 20_000


@pytest.mark.parametrize("version", list(PROFILES))
def test_no_account_on_the_edge_is_missed(version: str, seed: int) -> None:
    edge, adapter, at = Edge(version, f"{seed} {version}"), AaveV3(Address("0x" + "11" * 20)), NOW
    rows, book = list(edge.accounts(ACCOUNTS)), edge.book
    judged = {row: adapter.health(book, row, at) for row in rows}
    assert all(isinstance(health, Health) for health in judged.values())
    below = {row for row, health in judged.items() if health.health_factor < WAD}  # type: ignore[union-attr]
    assert 0.4 * ACCOUNTS < len(below) < 0.6 * ACCOUNTS, "not on the edge"
    screen = Screen(adapter)
    screen.load(book)
    table = screen.weigh(book, at)
    flagged = set(screen.sweep(table).tolist())
    assert not below - flagged, f"seed {seed}: {len(below - flagged)} of {len(below)} missed"
    assert set(adapter.liquidatable(book, sorted(flagged), at)) == below
    plain = {row for row in rows if plain_margin(book, adapter.view(book, at), row) < 0}
    assert len(below - plain) > 1_000, "any float would have found them: the accounts are not on the edge"


def plain_margin(book: Book, view: View, row: int) -> float:
    """A margin in floating point without any of the precautions."""
    margin, mode = 0.0, book.mode(row)
    for column, amount in book.positions(row):
        number = column >> 2
        terms = view.terms[number]
        value = amount * view.price(mode, number) / terms.unit / RAY
        if column & 3 == DEBT:
            margin -= value * terms.borrow_index
        elif view.profile is not None and (view.profile.counts_zero_threshold or terms.config.threshold):
            margin += value * terms.liquidity_index * view.threshold(mode, number) / BPS
    return margin
