"""Urns on the very edge: nobody is missed by the screen, also at supposed prices; triggers turn to the unit.

What is unsafe is computed here from the vat's own comparison, with integers and none of the adapter's.
"""

from random import Random

import numpy as np
from msgspec.structs import replace

from keeper.core.book import Book
from keeper.core.outlook import TriggerKind
from keeper.core.units import RAD, RAY, WAD, ZERO_ADDRESS, Address, Timestamp
from keeper.protocols.maker_clip.adapter import MakerClip
from keeper.protocols.maker_clip.facts import Limits, Oracle, Terms, Token, urn_account
from keeper.protocols.maker_clip.maths import dripped, spot_price
from keeper.screen.screen import Screen

NOW = Timestamp(1_800_000_000)
ILKS = ("ETH-A", "ETH-B", "WBTC-A", "LINK-A", "DUST-A")
DUE = NOW + 1_000


def address(number: int) -> Address:
    return Address(f"0x{number:040x}")


def market(draw: Random) -> tuple[MakerClip, Book]:
    """Collaterals with rates and prices of every kind: behind an OSM that may be poked or not, and not behind one."""
    book = Book()
    book.learn("limits", "", Limits(live=True, hole=RAD, dirt=0, par=RAY * draw.randrange(98, 103) // 100, base=0))
    for number, ilk in enumerate(ILKS):
        price = draw.randrange(WAD // 100, 10**5 * WAD)
        oracle = Oracle(
            price, late=draw.random() < 0.7, coming=price * draw.randrange(80, 120) // 100,
            due=draw.choice([NOW - 5, DUE]),
        )  # fmt: skip
        ratio = draw.randrange(101, 300) * RAY // 100
        told = spot_price(price * draw.randrange(95, 106) // 100, RAY, ratio)
        book.learn("ilk", ilk, number)
        book.learn("oracle", address(700 + number), oracle)
        book.learn("token", ilk, Token(address(800 + number), address(900 + max(number, 1)), 18))  # two share a token
        book.learn("terms", ilk, Terms(
            rate=RAY + draw.randrange(RAY), spot=told, dust=0, duty=RAY + draw.randrange(10**19), dripped=NOW - 9_999,
            pip=address(700 + number), ratio=ratio, clip=ZERO_ADDRESS, chop=WAD, hole=RAD, dirt=0,
        ))  # fmt: skip
    return MakerClip(address(1)), book


def worst(book: Book, ilk: str, price: int | None = None) -> tuple[int, int]:
    """Lowest price and highest rate, from the facts."""
    terms, par = book.fact("terms", ilk), book.fact("limits").par
    oracle = book.fact("oracle", terms.pip)
    rate = max(terms.rate, dripped(terms.rate, terms.duty, NOW - terms.dripped))
    if price is not None:
        return spot_price(price, par, terms.ratio), rate
    values = [oracle.value, *([oracle.coming] if oracle.late and oracle.due <= NOW else [])]
    return min(terms.spot, *(spot_price(value, par, terms.ratio) for value in values)), rate


def on_the_edge(book: Book, draw: Random, count: int) -> list[int]:
    """Half of them owe one unit too much, half of them as much as they may."""
    rows = []
    for number in range(count):
        ilk = draw.choice(ILKS)
        column, (spot, rate) = book.fact("ilk", ilk) << 2, worst(book, ilk)
        ink = draw.randrange(1, 10 ** draw.randrange(10, 27))
        row = book.open(urn_account(address(10_000 + number), ilk))
        book.set_amount(row, column, ink)
        book.set_amount(row, column | 1, ink * spot // rate + draw.choice([0, 1]))
        rows.append(row)
    return rows


def unsafe(book: Book, row: int, price: int | None = None) -> bool:
    ilk = book.account(row).partition(":")[2]
    column, (spot, rate) = book.fact("ilk", ilk) << 2, worst(book, ilk, price)
    return book.amount(row, column) * spot < book.amount(row, column | 1) * rate


def test_no_urn_on_the_edge_is_missed(seed: int) -> None:
    for turn in range(8):
        adapter, book = market(draw := Random(f"{seed} {turn}"))
        rows = on_the_edge(book, draw, 2_000)
        below = {row for row in rows if unsafe(book, row)}
        assert 700 < len(below) < 1_300, "not on the edge"
        screen = Screen(adapter)
        screen.load(book)
        assert below <= set(screen.sweep(screen.weigh(book, NOW)).tolist()), f"seed {seed}, turn {turn}"
        assert set(adapter.liquidatable(book, rows, NOW)) == below
        assert {row for row in rows if adapter.health(book, row, NOW).health_factor < WAD} == below  # type: ignore[union-attr]


def test_weights_are_a_bound_at_supposed_prices(seed: int) -> None:
    adapter, book = market(draw := Random(seed))
    rows = on_the_edge(book, draw, 1_000)
    gems = adapter.assets(book)
    for gem in {book.fact("token", ilk).gem for ilk in ILKS}:
        for factor in (0.5, 0.999, 1.0, 1.001, 2.0):
            price = max(int(gems[gem].price * factor), 1)
            concerned = [row for row in rows if book.fact("token", book.account(row).partition(":")[2]).gem == gem]
            below = {row for row in concerned if unsafe(book, row, price)}
            assert set(adapter.liquidatable(book, concerned, NOW, {gem: price})) == below
            for row in below:
                line = adapter.exposures(book, row)
                assert line is not None
                weights = adapter.weights(book, NOW, [column for column, _ in line])
                prices = [price if asset == gem else weights.prices.get(asset, 1) for asset in weights.assets]
                terms = np.array([amount for _, amount in line], float) * weights.factors * prices
                assert terms.sum() < weights.slack * len(line) + abs(terms).sum() * 2.0**-49


def test_lines_are_the_exposures_of_everybody(seed: int) -> None:
    adapter, book = market(draw := Random(seed))
    rows = on_the_edge(book, draw, 300)
    idle = book.open(urn_account(address(5), "ETH-A"))
    book.set_amount(idle, 0, WAD)
    sale = book.open(Address(f"{address(6)}:1"))
    book.set_amount(sale, 2, WAD)
    found = adapter.lines(book)
    assert list(found.unclear) == [sale]
    assert adapter.exposures(book, sale) is None
    assert adapter.exposures(book, idle) == ()
    told = {(row, column): amount for row, column, amount in zip(found.rows, found.columns, found.amounts, strict=True)}
    exact = {(row, column): amount for row in rows for column, amount in adapter.exposures(book, row) or ()}
    assert told.keys() == exact.keys()
    assert all(abs(told[key] - amount) <= abs(amount) * 2.0**-51 for key, amount in exact.items())


def test_triggers_turn_to_the_unit_and_to_the_second(seed: int) -> None:
    adapter, book = market(draw := Random(seed))
    kinds = dict.fromkeys(TriggerKind, 0)
    for row in on_the_edge(book, draw, 120):
        triggers = adapter.triggers(book, row, NOW)
        assert not (triggers and unsafe(book, row))
        for trigger in triggers:
            kinds[trigger.kind] += 1
            if trigger.kind is TriggerKind.TIME:
                assert not adapter.liquidatable(book, [row], Timestamp(trigger.at - 1))
                assert adapter.liquidatable(book, [row], Timestamp(trigger.at))
            else:
                gem = Address(trigger.what)
                assert not adapter.liquidatable(book, [row], NOW, {gem: trigger.at + 1})
                assert adapter.liquidatable(book, [row], NOW, {gem: trigger.at})
    assert min(kinds[TriggerKind.TIME], kinds[TriggerKind.PRICE]) > 5, kinds


def test_the_next_price_is_known_an_hour_ahead(seed: int) -> None:
    """An urn that the price in the OSM will make unsafe is told with the second at which it may be poked in."""
    adapter, book = market(Random(seed))
    terms = book.fact("terms", "LINK-A")
    told = spot_price(2_000 * WAD, book.fact("limits").par, terms.ratio)
    book.learn("terms", "LINK-A", replace(terms, spot=told))
    book.learn("oracle", terms.pip, Oracle(2_000 * WAD, late=True, coming=1_000 * WAD, due=DUE))
    spot, rate = worst(book, "LINK-A")
    row = book.open(urn_account(address(77), "LINK-A"))
    column = book.fact("ilk", "LINK-A") << 2
    book.set_amount(row, column, 10 * WAD)
    book.set_amount(row, column | 1, 10 * WAD * spot // rate * 8 // 10)
    assert not adapter.liquidatable(book, [row], Timestamp(NOW))
    assert [(trigger.kind, trigger.at) for trigger in adapter.triggers(book, row, NOW)] == [(TriggerKind.TIME, DUE)]
    screen = Screen(adapter)
    screen.load(book)
    assert row in screen.sweep(screen.weigh(book, NOW)).tolist(), "watched before it is unsafe"
