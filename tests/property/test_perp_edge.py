"""Nobody is missed: accounts on the very edge, judged by the exchange's own integers; and the laws of small parts."""

from random import Random

from hypothesis import given
from hypothesis import strategies as st

from keeper.core.book import Book
from keeper.core.outlook import TriggerKind
from keeper.core.ports import Health, Quarantine
from keeper.core.units import WAD, Address, Timestamp
from keeper.protocols.perp_curie import facts
from keeper.protocols.perp_curie.account import read, requirement
from keeper.protocols.perp_curie.adapter import PerpCurie
from keeper.protocols.perp_curie.cancelling import realised_by
from keeper.protocols.perp_curie.facts import BALANCE, COLLATERALS, NOTIONAL, OWED, SIZE, pair_key, signed, write
from keeper.protocols.perp_curie.maths import divide, mul_div
from keeper.screen.screen import Screen
from keeper.venues.uniswap_v3.ticks import sqrt_ratio
from keeper.venues.uniswap_v3.walk import Place

ACCOUNTS = 4_000
NOW = Timestamp(1_800_000_000)
HOUSE, USDC, WBTC = (Address("0x" + f"{n:02x}" * 20) for n in (0x11, 0xC0, 0xBC))
BASES = tuple(Address("0x" + f"{n:02x}" * 20) for n in (0x21, 0x22, 0x23))
UNIT = 10**12


def exchange(draw: Random) -> Book:
    """Three markets with prices far apart and funding of either sign, and a token beside the settlement token."""
    book, none = Book(), Address("0x" + "00" * 20)
    parts = facts.Parts(none, none, none, none, none, none, none, none, none, none, USDC, 6, understood=True)
    book.learn("parts", "", parts)
    book.learn("risk", "", facts.Risk(100_000, 62_500, 25_000, 100_000, 900, 1_800, 900, 10**30))
    book.learn("collateral", WBTC, facts.Collateral(COLLATERALS, 700_000, 8, 8, draw.randint(10**12, 10**13)))
    for number, base in enumerate(BASES, start=1):
        tick = draw.randint(-60_000, 110_000)
        price = sqrt_ratio(tick) ** 2 * 10**8 >> 192
        book.learn("listing", base, facts.Listing(number, none, 3_000))
        book.learn("status", base, facts.Status(facts.OPEN, 0, 0, 0))
        book.learn("feed", base, facts.Feed(none, HOUSE, HOUSE, 8, 900))
        index = facts.Index(max(price, 1), NOW - 5_000, (NOW - 9_000,), (0,), (max(price, 1),), 0, 0)
        book.learn("index", base, index)
        book.learn("track", base, facts.Track((NOW - 9_000,), (0,), 0))
        book.learn("pool", base, Place(sqrt_ratio(tick), tick, 10**20))
        premium = draw.choice([-1, 1]) * draw.randint(0, price + 1) * draw.randint(1, 10**6) * 2**96 // 10**8
        book.learn("growth", base, facts.Growth(premium, 0, NOW - draw.randint(1, 10**6), 0, 1, tick, 0))
    return book


def on_the_edge(book: Book, adapter: PerpCurie, draw: Random, row: int) -> None:
    """A random account, with what is owed to it chosen so that a few units decide."""
    for number, base in enumerate(BASES, start=1):
        if number == 1 or draw.random() < 0.5:
            growth: facts.Growth = book.fact("growth", base)
            size = draw.choice([-1, 1]) * int(10 ** draw.uniform(1, 24))
            write(book, row, number, SIZE, size)
            write(book, row, number, NOTIONAL, draw.randint(-(10**24), 10**24))
            since = growth.premium - draw.randint(-(10**6), 10**6) * 2**96
            book.learn("since", pair_key(book.account(row), base), since)
    if draw.random() < 0.3:
        write(book, row, COLLATERALS, 0, draw.randint(1, 10**9))
    write(book, row, 0, BALANCE, draw.randint(-(10**12), 10**12))
    account = read(adapter.view(book, NOW), book, row)
    assert not isinstance(account, Quarantine)
    missing = requirement(adapter.view(book, NOW), account) - account.value
    write(book, row, 0, OWED, missing + draw.randint(-2 * UNIT, 2 * UNIT))


def test_no_account_on_the_edge_is_missed(seed: int) -> None:
    draw, adapter = Random(f"perp {seed}"), PerpCurie(HOUSE)
    book = exchange(draw)
    rows = [book.open(Address(f"0x{n + 1:040x}")) for n in range(ACCOUNTS)]
    for row in rows:
        on_the_edge(book, adapter, draw, row)
    judged = {row: adapter.health(book, row, NOW) for row in rows}
    assert all(isinstance(health, Health) for health in judged.values())
    below = {row for row, health in judged.items() if health.health_factor < WAD}  # type: ignore[union-attr]
    assert 0.4 * ACCOUNTS < len(below) < 0.9 * ACCOUNTS, "not on the edge"
    screen = Screen(adapter)
    screen.load(book)
    flagged = set(screen.sweep(screen.weigh(book, NOW)).tolist())
    assert not below - flagged, f"seed {seed}: {len(below - flagged)} of {len(below)} missed"
    assert set(adapter.liquidatable(book, sorted(flagged), NOW)) == below


def test_one_unit_before_a_trigger_nothing_happens(seed: int) -> None:
    draw, adapter = Random(f"triggers {seed}"), PerpCurie(HOUSE)
    book, found = exchange(draw), 0
    rows = [book.open(Address(f"0x{n + 1:040x}")) for n in range(60)]
    for row in rows:
        on_the_edge(book, adapter, draw, row)
        write(book, row, 0, OWED, signed(book, row, 0, OWED) + 10**22)
    below = set(adapter.liquidatable(book, rows, NOW))
    for row in [row for row in rows if row not in below][:10]:
        for trigger in adapter.triggers(book, row, NOW):
            if trigger.kind is TriggerKind.PRICE:
                asset, before = Address(trigger.what), trigger.at + (-1 if trigger.rising else 1)
                assert not adapter.liquidatable(book, [row], NOW, {asset: before})
                assert adapter.liquidatable(book, [row], NOW, {asset: trigger.at})
                found += 1
    assert found >= 5


@given(st.integers(-(10**60), 10**60), st.integers(-(10**60), 10**60), st.integers(1, 10**40))
def test_division_goes_toward_zero(a: int, b: int, c: int) -> None:
    assert abs(mul_div(a, b, c)) == abs(a) * abs(b) // c
    assert mul_div(a, b, c) * a * b >= 0
    assert abs(divide(a, c)) == abs(a) // c


@given(st.integers(1, 10**30), st.integers(-(10**30), 10**30), st.integers(1, 10**30), st.integers(-(10**30), 10**30))
def test_profit_is_realised_only_by_what_makes_a_position_smaller(
    size: int, notional: int, base: int, quote: int
) -> None:
    assert realised_by(size, notional, base, quote) == 0
    assert realised_by(-size, notional, -base, quote) == 0
    assert realised_by(0, notional, base, quote) == 0
    assert realised_by(size, notional, -size, quote) == notional + quote
