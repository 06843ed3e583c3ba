"""Positions one share around the edge, in markets of any size: the screen has all whom the contract would liquidate.

The proof is in ``exposure``; here is what would show that it is wrong.
"""

import random

import numpy as np

from keeper.core.book import Book
from keeper.core.outlook import TriggerKind
from keeper.core.ports import Health
from keeper.core.units import WAD, ZERO_ADDRESS, Address, Timestamp
from keeper.protocols.morpho_blue import maths
from keeper.protocols.morpho_blue.adapter import MorphoBlue
from keeper.protocols.morpho_blue.facts import COLLATERAL, DEBT, UNMODELLED, VIEWED, Listing, State
from keeper.screen.screen import Screen

MORPHO = Address("0x" + "11" * 20)
MODEL = Address("0x" + "22" * 20)
NOW = Timestamp(1_800_000_000)
MARKETS = 60
POSITIONS = 3_000
LIMITS = (385, 625, 770, 860, 915, 945, 965, 980)


def token(number: int) -> Address:
    return Address(f"0x{0xA0000 + number:040x}")


def market(book: Book, draw: random.Random, number: int) -> tuple[str, int, State]:
    """One of twelve tokens lent against another, at any price and any worth of a share; its id, price and totals."""
    key, oracle = f"0x{number:064x}", Address(f"0x{0xC0000 + number:040x}")
    model = draw.choice([ZERO_ADDRESS, MODEL])
    loan, collateral = (token(one) for one in draw.sample(range(12), 2))
    lltv = draw.choice(LIMITS) * WAD // 1000
    book.learn("listing", key, Listing(number, loan, collateral, oracle, model, lltv))
    assets = int(10 ** draw.uniform(6, 30))
    state = State(2 * assets, 2 * assets * 10**6, assets, int(assets * 10 ** draw.uniform(4, 6.1)), NOW - 86_400, 0)
    book.learn("state", key, state)
    book.learn("rate", key, int(WAD * 0.1 / 31_536_000))
    book.learn("oracle", oracle, UNMODELLED)
    price = int(10 ** draw.uniform(24, 48))
    book.learn("price", oracle, price)
    return key, price, state


def edge_shares(adapter: MorphoBlue, book: Book, number: int, collateral: int) -> int:
    """The most shares of debt that are healthy against this collateral, by bisection on the contract's own sums."""
    terms = adapter.view(book, NOW).terms(number)
    assert not hasattr(terms, "reason")
    low, high = 0, 2**127
    while high - low > 1:
        middle = (low + high) // 2
        debt = maths.assets_up(middle, terms.total_assets, terms.total_shares)
        if maths.limit(collateral, terms.price, terms.lltv) >= debt:
            low = middle
        else:
            high = middle
    return low


def edge_book(draw: random.Random) -> tuple[MorphoBlue, Book]:
    """Half of all positions are the last healthy one, half the first that is not."""
    book, adapter = Book(), MorphoBlue(MORPHO)
    book.learn("irm", MODEL, VIEWED)
    for one in range(12):
        book.learn("decimals", token(one), draw.choice([0, 6, 8, 18, 24]))
    markets = [market(book, draw, number) for number in range(MARKETS)]
    for at in range(POSITIONS):
        number = draw.randrange(MARKETS)
        key, price, _ = markets[number]
        worth = 10 ** draw.uniform(0, 24)  # from dust to a fortune, in units of the loan
        collateral = min(max(int(worth * 10**36 / price), 1), 2**127)
        shares = edge_shares(adapter, book, number, collateral) + draw.randint(0, 1)
        row = book.open(Address(f"0x{at:040x}:{key}"))
        book.set_amount(row, number << 1 | COLLATERAL, collateral)
        if shares:
            book.set_amount(row, number << 1 | DEBT, shares)
    return adapter, book


def unhealthy(adapter: MorphoBlue, book: Book) -> set[int]:
    judged = {row: adapter.health(book, row, NOW) for row in range(len(book))}
    assert all(isinstance(health, Health) for health in judged.values())
    return {row for row, health in judged.items() if health.health_factor < WAD}  # type: ignore[union-attr]


def test_nobody_on_the_edge_is_missed(seed: int) -> None:
    adapter, book = edge_book(random.Random(f"{seed} edge"))
    below = unhealthy(adapter, book)
    assert 0.3 * POSITIONS < len(below) < 0.6 * POSITIONS, "not on the edge"
    screen = Screen(adapter)
    screen.load(book)
    table = screen.weigh(book, NOW)
    flagged = set(screen.sweep(table).tolist())
    assert not below - flagged, f"seed {seed}: {len(below - flagged)} of {len(below)} missed"
    assert set(adapter.liquidatable(book, range(len(book)), NOW)) == below
    plain = {row for row in range(len(book)) if plain_margin(adapter, book, row) < 0}
    assert len(below - plain) > POSITIONS // 20, "any float would have found them: they are not on the edge"


def plain_margin(adapter: MorphoBlue, book: Book, row: int) -> float:
    """In floating point, without any of the precautions."""
    held = dict(book.positions(row))
    number = next(iter(held)) >> 1
    terms = adapter.view(book, NOW).terms(number)
    limit = held.get(number << 1, 0) * (terms.price / 1e36) * (terms.lltv / 1e18)  # type: ignore[union-attr]
    rate = (terms.total_assets + 1) / (terms.total_shares + 10**6)  # type: ignore[union-attr]
    return limit - held.get(number << 1 | DEBT, 0) * rate


def test_nobody_is_missed_at_supposed_prices(seed: int) -> None:
    """Every token up to ten times as dear, or down to a tenth, one or several at once."""
    draw = random.Random(f"{seed} supposed")
    adapter, book = edge_book(draw)
    screen = Screen(adapter)
    screen.load(book)
    table, assets = screen.weigh(book, NOW), adapter.assets(book)
    rows, moved = range(len(book)), 0
    assert len(assets) > 6
    for _ in range(12):
        chosen = draw.sample(sorted(assets), draw.randint(1, 3))
        prices = {one: max(int(assets[one].price * 10 ** draw.uniform(-1, 1)), 1) for one in chosen}
        below = set(adapter.liquidatable(book, rows, NOW, prices))
        flagged = screen.sweep(table.repriced(prices))
        assert below <= set(flagged.tolist()), f"seed {seed}, prices {prices}"
        moved += len(below ^ set(adapter.liquidatable(book, rows, NOW)))
    assert moved > POSITIONS


def test_lines_at_once_are_the_exposures_one_by_one(seed: int) -> None:
    adapter, book = edge_book(random.Random(f"{seed} lines"))
    lines = adapter.lines(book)
    told: dict[int, dict[int, float]] = {}
    for row, column, amount in zip(lines.rows, lines.columns, lines.amounts, strict=True):
        told.setdefault(int(row), {})[int(column)] = float(amount)
    for row in range(len(book)):
        line = adapter.exposures(book, row)
        assert line is not None
        assert set(dict(line)) == set(told.get(row, {}))
        assert all(np.isclose(told[row][column], amount, rtol=2**-51, atol=0) for column, amount in line)


def test_a_trigger_is_the_first_price_and_the_first_second(seed: int) -> None:
    """At it the position is below 1, one unit before it is not."""
    draw = random.Random(f"{seed} triggers")
    adapter, book = edge_book(draw)
    healthy = sorted(set(range(len(book))) - unhealthy(adapter, book))
    kinds: set[TriggerKind] = set()
    for row in draw.sample(healthy, 25):
        for trigger in adapter.triggers(book, row, NOW):
            kinds.add(trigger.kind)
            if trigger.kind is TriggerKind.TIME:
                assert adapter.liquidatable(book, [row], Timestamp(trigger.at)) == [row]
                assert not adapter.liquidatable(book, [row], Timestamp(trigger.at - 1))
            else:
                asset, before = Address(trigger.what), trigger.at - (1 if trigger.rising else -1)
                assert adapter.liquidatable(book, [row], NOW, {asset: trigger.at}) == [row]
                assert not adapter.liquidatable(book, [row], NOW, {asset: before})
    assert kinds == {TriggerKind.TIME, TriggerKind.PRICE}
