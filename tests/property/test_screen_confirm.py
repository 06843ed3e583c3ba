"""Many accounts confirmed at once, with the oracle's prices or with supposed ones, are what ``health`` says of each."""

import random
from itertools import pairwise

import pytest

from keeper.bench.edge import DECIMALS, NOW, Edge
from keeper.core.book import Book
from keeper.core.ports import Health
from keeper.core.units import WAD, Address, Timestamp
from keeper.protocols.aave_v3.adapter import AaveV3
from keeper.protocols.aave_v3.facts import STABLE
from keeper.protocols.aave_v3.profiles import PROFILES

SOURCE = Address("0x" + "50" * 20)
AT = Timestamp(NOW + 5)


def asset(number: int) -> Address:
    return Address(f"0x{0xA5 << 32 | number:040x}")


def by_health(adapter: AaveV3, book: Book, rows: list[int]) -> set[int]:
    """One by one; and the many must come with the largest debts first."""
    judged = {row: adapter.health(book, row, AT) for row in rows}
    below = {row: h.debt for row, h in judged.items() if isinstance(h, Health) and h.health_factor < WAD}
    debts = [below[row] for row in adapter.liquidatable(book, rows, AT)]
    assert all(later <= earlier + earlier // 10**12 for earlier, later in pairwise(debts))
    return set(below)


@pytest.mark.parametrize("version", list(PROFILES))
def test_confirming_many_is_asking_each(version: str, seed: int) -> None:
    rng = random.Random(f"confirm {seed} {version}")
    edge, adapter = Edge(version, f"confirm {seed} {version}"), AaveV3(Address("0x" + "11" * 20))
    book, rows = edge.book, list(edge.accounts(600))
    for row in rng.sample(rows, 40):
        book.set_amount(row, rng.randrange(len(DECIMALS)) << 2 | STABLE, rng.randrange(1, 10**12), (10**25, NOW - 9))
        book.mark(row, book.flags(row) | 1 << rng.randrange(len(DECIMALS)), rng.randrange(5))
    book.take_changes()
    parts = (rows, rows[:5], rows[100:150])
    for step in range(12):
        if step == 4:
            book.learn("price", asset(2), None)
        if step == 8 and not edge.profile.bitmap_emodes:
            book.learn("price", SOURCE, None)
        known = [one for one in (*map(asset, range(len(DECIMALS))), SOURCE) if book.fact("price", one) is not None]
        chosen = rng.sample(known, rng.choice([0, 1, 3, len(known)]))
        prices = {one: max(1, int(book.fact("price", one) * rng.uniform(0.97, 1.03))) for one in chosen}
        book.take_changes()
        supposed = [set(adapter.liquidatable(book, part, AT, prices)) for part in parts]
        for one, price in prices.items():
            book.learn("price", one, price)
        learnt = [set(adapter.liquidatable(book, part, AT)) for part in parts]
        asked = [by_health(adapter, book, part) for part in parts]
        assert supposed == learnt == asked, f"seed {seed}, step {step}"
        assert asked[0]
        book.undo(book.take_changes())


def test_a_pool_of_an_unknown_release_has_nobody(seed: int) -> None:
    edge, adapter = Edge("3.6", f"unknown {seed}"), AaveV3(Address("0x" + "11" * 20))
    rows = list(edge.accounts(50))
    assert adapter.liquidatable(edge.book, rows, AT)
    edge.book.learn("code", "0x01", "unknown")
    assert not adapter.liquidatable(edge.book, rows, AT)
