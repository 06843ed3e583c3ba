"""Along four hundred steps of prices, crashes, interest, new parameters and moving accounts: who the screen and confirm
find is who the pool's own integers find among all."""

import random

import pytest

from keeper.bench.market import NOW, asset, market, populate
from keeper.core.book import Book, touched
from keeper.core.ports import Health
from keeper.core.units import WAD, Address, Timestamp
from keeper.protocols.aave_v3.adapter import AaveV3
from keeper.screen.screen import Screen
from keeper.screen.watch import Copy

STEPS = 400
ACCOUNTS = 300
RESERVES = 12


@pytest.mark.parametrize("version", ["3.0.2", "3.4", "3.7"])
def test_equal_to_brute_force_along_a_path(version: str, seed: int) -> None:
    rng = random.Random(f"{seed} {version}")
    book, adapter = market(version, RESERVES, seed), AaveV3(Address("0x" + "11" * 20))
    populate(book, ACCOUNTS, seed)
    book.take_changes()
    screen, making = Screen(adapter), None
    screen.load(book)
    found, by_lists, times = 0, 0, 0
    for step in range(STEPS):
        at = Timestamp(NOW + 12 * step)
        moved = move_prices(book, rng, step)
        if rng.random() < 0.2:
            move_accounts(book, rng)
        if rng.random() < 0.02:
            move_threshold(book, rng)
        undone = book.take_changes()
        if rng.random() < 0.1:
            book.undo(undone)
        screen.touch(book, touched(undone))
        now = screen.weigh(book, at)
        flagged = screen.flagged(now).tolist()
        below = brute_force(book, adapter, at)
        assert set(adapter.liquidatable(book, flagged, at)) == below, f"seed {seed}, step {step}"
        assert sorted(flagged) == sorted(screen.sweep(now).tolist())
        for one in moved:
            lines = {row: adapter.exposures(book, row) or () for row in below}
            holders = {row for row, line in lines.items() if any(column >> 2 & 0x3FFF == one for column, _ in line)}
            assert holders <= set(screen.flagged_for(asset(one), now).tolist()), f"seed {seed}, step {step}"
        found, times = found + len(below), times + 1
        by_lists += not screen.due(now)
        making = keep_lists(screen, book, at, making)
    print(f"seed {seed}: {found} found in {times} steps, lists were fresh in {by_lists}")  # noqa: T201
    assert found > STEPS
    assert by_lists > STEPS // 4


def keep_lists(screen: Screen, book: Book, at: Timestamp, making: Copy | None) -> Copy | None:
    """A list takes a step to make, as if in a thread."""
    if making is not None:
        screen.adopt(making.watch())
        return None
    now = screen.weigh(book, at)
    return screen.prepare(now) if screen.due(now) else None


def move_prices(book: Book, rng: random.Random, step: int) -> list[int]:
    """Mostly one asset ticks; every fiftieth step some crash, and recover later."""
    crash = step % 50 == 25
    chosen = rng.sample(range(RESERVES), rng.choice([1, 1, 1, RESERVES]) if not crash else 3)
    for number in chosen:
        factor = rng.uniform(0.55, 0.85) if crash else rng.gauss(1.0005, 0.004)
        book.learn("price", asset(number), max(1, int(book.fact("price", asset(number)) * factor)))
    return chosen


def move_accounts(book: Book, rng: random.Random) -> None:
    for _ in range(3):
        row = (
            book.open(Address(f"0x{rng.randrange(ACCOUNTS + 50):040x}"))
            if rng.random() < 0.2
            else rng.randrange(ACCOUNTS)
        )
        held = dict(book.positions(row))
        column = rng.choice([*held, rng.randrange(RESERVES) << 2 | rng.randrange(2)])
        typical = held.get(column) or rng.randrange(1, 10**18)
        book.set_amount(row, column, int(typical * rng.choice([0, 0.5, 0.9, 1.1, 2])))
        if rng.random() < 0.3:
            book.mark(row, book.flags(row) ^ 1 << rng.randrange(RESERVES), rng.randrange(4))


def move_threshold(book: Book, rng: random.Random) -> None:
    one = asset(rng.randrange(RESERVES))
    book.learn("config", one, book.fact("config", one) & ~(0xFFFF << 16) | rng.randrange(5000, 8600) << 16)


def brute_force(book: Book, adapter: AaveV3, at: Timestamp) -> set[int]:
    judged = [(row, adapter.health(book, row, at)) for row in range(len(book))]
    return {row for row, health in judged if isinstance(health, Health) and health.health_factor < WAD}
