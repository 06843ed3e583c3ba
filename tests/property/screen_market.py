"""A small market of any release with everything that makes health awkward, and accounts placed on its edge."""

import random
from collections.abc import Iterator
from typing import Final

from keeper.core.book import Book
from keeper.core.units import BPS, RAY, WAD, ZERO_ADDRESS, Address, Timestamp
from keeper.protocols.aave_v3 import facts
from keeper.protocols.aave_v3.health import Rates
from keeper.protocols.aave_v3.profiles import PROFILES, Profile
from keeper.protocols.aave_v3.view import View

NOW: Final = Timestamp(1_750_000_000)
POOL: Final = Address("0x" + "90" * 20)
SOURCE: Final = Address("0x" + "50" * 20)  # prices e-mode 2, up to 3.1
DECIMALS: Final = (18, 6, 8, 18, 24, 0, 2, 18, 12, 18, 6, 8)
MEMBERS: Final = {1: (0, 3, 5, 7), 2: (1, 4, 8), 3: (2, 6, 9, 10)}  # reserve 7 has no threshold of its own
NO_THRESHOLD: Final = 7


def asset(number: int) -> Address:
    return Address(f"0x{0xA5 << 32 | number:040x}")


def market(version: str, rng: random.Random) -> Book:
    """Reserves with every number of decimals, old and young indexes, three e-modes."""
    book, profile = Book(), PROFILES[version]
    parts = (ZERO_ADDRESS,) * 5
    book.learn("market", "", facts.MarketParts(POOL, parts[0], parts[1], parts[2], parts[3], parts[4], 10**8, 5))
    book.learn("impl", POOL, "0x01")
    book.learn("code", "0x01", version)
    for number, decimals in enumerate(DECIMALS):
        category = 0 if profile.bitmap_emodes else next((m for m, held in MEMBERS.items() if number in held), 0)
        threshold = 0 if number == NO_THRESHOLD else rng.choice([1, 4000, rng.randint(1, 9800), 8250])
        word = threshold << 16 | 10_500 << 32 | decimals << 48 | 1 << 56 | category << 168
        tokens = [Address(f"0x{number << 4 | side:040x}") for side in (1, 2)]
        book.learn("listing", asset(number), facts.Listing(number, tokens[0], tokens[1], ZERO_ADDRESS, decimals))
        book.learn("config", asset(number), word)
        low, high = sorted(RAY + rng.choice([0, 1, rng.randint(0, RAY), rng.randint(0, 4 * RAY)]) for _ in range(2))
        rates = Rates(low, high, rng.randint(0, RAY // 3), rng.randint(0, RAY), NOW - rng.choice([0, 1, 12, 86_400]))
        book.learn("rates", asset(number), rates)
        book.learn("price", asset(number), int(10 ** rng.uniform(4, 13)))
    for mode, held in MEMBERS.items():
        source = SOURCE if mode == 2 and not profile.bitmap_emodes else ZERO_ADDRESS
        bitmap = sum(1 << number for number in held) if profile.bitmap_emodes else 0
        book.learn("emode", str(mode), facts.EMode(rng.randint(9000, 9900), 10_100, source, bitmap))
    if not profile.bitmap_emodes:
        book.learn("price", SOURCE, int(10 ** rng.uniform(4, 13)))
    return book


def account(number: int) -> Address:
    return Address(f"0x{number:040x}")


def place_on_the_edge(book: Book, view: View, row: int, rng: random.Random) -> bool:
    """Give an empty account collaterals and debts so that one more unit of one debt makes it liquidatable, or did."""
    profile = view.profile
    assert profile is not None
    mode = rng.choice([0, 0, 0, 1, 2, 3])
    size = 10 ** rng.uniform(2, 18)  # of a collateral, in base units
    owned = rng.sample(range(len(DECIMALS)), rng.choice([1, 1, 2, 2, 3, 5]))
    owed = rng.sample(range(len(DECIMALS)), rng.choice([1, 1, 2, 3]))
    flags = sum(1 << number for number in owned)
    total = weighted = 0
    for number in owned:
        unit_value = view.price(mode, number) / view.terms[number].unit
        scaled = max(1, int(size * rng.uniform(0.1, 1) / unit_value))
        if scaled >= 2**127:
            return False
        book.set_amount(row, number << 2 | facts.COLLATERAL, scaled)
        value, counted = collateral_value(view, profile, mode, number, scaled)
        total, weighted = total + counted * value, weighted + counted * value * view.threshold(mode, number)
    book.mark(row, flags, mode)
    room = most_debt(profile, total, weighted)
    for number in owed[1:]:
        part = least_over(view, profile, mode, number, int(room * rng.uniform(0, 0.5))) - 1
        if 0 < part < 2**127:
            book.set_amount(row, number << 2 | facts.DEBT, part)
            room -= debt_value(view, profile, mode, number, part)
    last = least_over(view, profile, mode, owed[0], room) - rng.randint(0, 1)
    if not 0 < last < 2**127:
        return False
    book.set_amount(row, owed[0] << 2 | facts.DEBT, last)
    return True


def collateral_value(view: View, profile: Profile, mode: int, number: int, scaled: int) -> tuple[int, bool]:
    """Base value, and whether it counts."""
    terms = view.terms[number]
    balance = profile.collateral_balance(scaled, terms.liquidity_index)
    return balance * view.price(mode, number) // terms.unit, profile.counts_zero_threshold or bool(
        terms.config.threshold
    )


def debt_value(view: View, profile: Profile, mode: int, number: int, scaled: int) -> int:
    terms = view.terms[number]
    return profile.debt_value(profile.debt_balance(scaled, terms.borrow_index), view.price(mode, number), terms.unit)


def most_debt(profile: Profile, total: int, weighted: int) -> int:
    """The largest debt with which such collateral is at 1 or above: half a unit of the quotient rounds up."""
    if profile.threshold_floored:
        capacity = (total * (weighted // total if total else 0) + BPS // 2) // BPS
        near = 2 * WAD * capacity // (2 * WAD - 1)
        return max(debt for debt in range(near - 2, near + 3) if capacity * WAD + debt // 2 >= debt * WAD)
    near = 2 * WAD * weighted // (2 * WAD * BPS - 1)
    return max(debt for debt in range(near - 2, near + 3) if weighted * WAD + debt // 2 >= debt * WAD * BPS)


def least_over(view: View, profile: Profile, mode: int, number: int, value: int) -> int:
    """The smallest scaled debt that is worth more."""
    terms = view.terms[number]
    near = value * terms.unit * RAY // (view.price(mode, number) * terms.borrow_index)
    low, high = near, near + 1
    step = 1
    while low > 0 and debt_value(view, profile, mode, number, low) > value:
        low, step = max(low - step, 0), step * 2
    step = 1
    while debt_value(view, profile, mode, number, high) <= value:
        high, step = high + step, step * 2
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if debt_value(view, profile, mode, number, middle) <= value else (low, middle)
    return high


def edge_accounts(book: Book, view: View, count: int, rng: random.Random) -> Iterator[int]:
    """Rows of so many accounts on the edge."""
    number = placed = 0
    while placed < count:
        number += 1
        row = book.open(account(number))
        if place_on_the_edge(book, view, row, rng):
            placed += 1
            yield row
        else:
            for column, _ in list(book.positions(row)):
                book.set_amount(row, column, 0)
            book.mark(row, 0, 0)
