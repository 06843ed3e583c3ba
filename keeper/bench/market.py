"""A synthetic lending market of any size, as a book: what benchmarks of the screen run on.

Shape of the study: 60 reserves, 8 e-modes, 3.5 positions an account, the most popular asset in two accounts of five,
12 % of accounts below a health factor of 1.05, some hundreds in a million below 1. A pure function of its seed.
"""

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from keeper.core.book import Book, Table
from keeper.core.units import BPS, RAY, ZERO_ADDRESS, Address, Timestamp
from keeper.protocols.aave_v3 import facts
from keeper.protocols.aave_v3.health import Rates
from keeper.protocols.aave_v3.profiles import PROFILES

RESERVES: Final = 60
MODES: Final = 8
NOW: Final = Timestamp(1_750_000_000)
_COLLATERALS: Final = (0.45, 0.30, 0.17, 0.08)  # accounts with one, two, … of them
_DEBTS: Final = (0.52, 0.33, 0.15)
_POPULARITY: Final = 0.75  # exponent: the tenth asset is held by a sixth of the first one's accounts
_IN_MODE: Final = 0.15
_NEAR: Final = 0.12  # accounts between 1 and 1.05
_BELOW: Final = 0.000263
_DECIMALS: Final = (18, 18, 6, 8, 6, 18)
_NONE: Final = ZERO_ADDRESS
_POOL: Final = Address("0x" + "90" * 20)

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


def asset(number: int) -> Address:
    """The address of a reserve."""
    return Address(f"0x{0xA55E7 << 32 | number:040x}")


def market(version: str = "3.6", reserves: int = RESERVES, seed: int = 1) -> Book:
    """Facts alone: reserves, e-modes and prices of a release."""
    draw = np.random.default_rng(seed)
    book = Book()
    book.learn("market", "", facts.MarketParts(_POOL, _NONE, _NONE, _NONE, _NONE, _NONE, 10**8, 5))
    book.learn("impl", _POOL, "0x01")
    book.learn("code", "0x01", version)
    bitmaps = PROFILES[version].bitmap_emodes
    for number in range(reserves):
        _list(book, number, draw, category=0 if bitmaps else _category(number))
    for mode in range(1, MODES + 1):
        members = sum(1 << number for number in range(reserves) if _category(number) == mode)
        book.learn("emode", str(mode), facts.EMode(9300, 10_200, ZERO_ADDRESS, members if bitmaps else 0))
    return book


def _category(number: int) -> int:
    """Every reserve belongs to one e-mode, popular ones to the first two."""
    return number // 2 % MODES + 1


def _list(book: Book, number: int, draw: np.random.Generator, category: int) -> None:
    decimals = _DECIMALS[number % len(_DECIMALS)]
    threshold = int(draw.integers(6500, 8600))
    word = threshold << 16 | 10_500 << 32 | decimals << 48 | 1 << 56 | 1000 << 152 | category << 168
    tokens = [Address(f"0x{number << 4 | side:040x}") for side in (1, 2)]
    book.learn("listing", asset(number), facts.Listing(number, tokens[0], tokens[1], ZERO_ADDRESS, decimals))
    book.learn("config", asset(number), word)
    low, high = (RAY + int(draw.integers(0, 10**17)) * (10**9 * 3 + 1) for _ in range(2))
    rates = Rates(min(low, high), max(low, high), RAY // 50, RAY // 20, NOW - int(draw.integers(0, 7200)))
    book.learn("rates", asset(number), rates)
    book.learn("price", asset(number), int(10 ** draw.uniform(7.5, 12.5)))


def populate(book: Book, accounts: int, seed: int = 1) -> None:
    """Borrowers of a market, at once."""
    draw = np.random.default_rng(seed)
    modes = np.where(draw.random(accounts) < _IN_MODE, draw.integers(1, MODES + 1, accounts), 0)
    reserves = len(book.facts("listing"))
    collaterals = _sides(draw, accounts, _COLLATERALS, reserves)
    debts = _sides(draw, accounts, _DEBTS, reserves)
    weighted = np.zeros(accounts)
    parts: list[tuple[Ints, Ints, Floats]] = []
    size = np.exp(draw.normal(9, 1.6, accounts))
    for held in collaterals:
        rows = np.flatnonzero(held >= 0)
        value = size[rows] * draw.uniform(0.2, 1, len(rows))
        weighted[rows] += value * _thresholds(book)[modes[rows], held[rows]] / BPS
        parts.append((rows, held[rows] << 2 | facts.COLLATERAL, value / _worth(book, 0)[held[rows]]))
    owed = weighted / _health(draw, accounts)
    shares = np.where(np.array(debts) >= 0, draw.uniform(0.2, 1, (len(debts), accounts)), 0)
    shares *= owed / shares.sum(axis=0)
    for held, share in zip(debts, shares, strict=True):
        rows = np.flatnonzero(held >= 0)
        parts.append((rows, held[rows] << 2 | facts.DEBT, share[rows] / _worth(book, 1)[held[rows]]))
    book.fill(_table(draw, modes, parts))


def _sides(draw: np.random.Generator, accounts: int, counts: tuple[float, ...], reserves: int) -> list[Ints]:
    """Per place the reserve that each account holds there, -1 for none; no account holds one twice."""
    popularity = 1 / np.arange(1, reserves + 1) ** _POPULARITY
    odds = popularity / popularity.sum()
    many = draw.choice(len(counts), accounts, p=np.array(counts) / sum(counts)) + 1
    chosen: list[Ints] = []
    for place in range(len(counts)):
        held = draw.choice(reserves, accounts, p=odds)
        for _ in range(8):
            twice = np.logical_or.reduce([held == other for other in chosen]) if chosen else np.zeros(accounts, bool)
            held[twice] = draw.choice(reserves, int(twice.sum()), p=odds)
        twice = np.logical_or.reduce([held == other for other in chosen]) if chosen else np.zeros(accounts, bool)
        chosen.append(np.where((place < many) & ~twice, held, -1))
    return chosen


def _health(draw: np.random.Generator, accounts: int) -> Floats:
    which = draw.random(accounts)
    near = 1 + draw.random(accounts) * 0.05
    below = 1 - draw.random(accounts) * 0.01
    far = 1.05 + draw.lognormal(-0.7, 0.9, accounts)
    chosen: Floats = np.where(which < _BELOW, below, np.where(which < _NEAR, near, far))
    return chosen


def _thresholds(book: Book) -> Floats:
    """Per e-mode and reserve, in basis points."""
    own = np.array([facts.config(word).threshold for word in book.facts("config").values()], float)
    table = np.tile(own, (MODES + 1, 1))
    for number in range(len(own)):
        table[_category(number), number] = 9300
    return table


def _worth(book: Book, side: int) -> Floats:
    """Dollars of one smallest scaled unit of a reserve."""
    return np.array(
        [
            book.fact("price", key) / 1e8 * book.fact("rates", key)[side] / RAY / 10**listing.decimals
            for key, listing in book.facts("listing").items()
        ]
    )


def _table(draw: np.random.Generator, modes: Ints, parts: list[tuple[Ints, Ints, Floats]]) -> Table:
    """The columns of a book: slots in order of rows."""
    accounts = len(modes)
    rows, columns, amounts = (np.concatenate([part[i] for part in parts]) for i in range(3))
    order = np.argsort(rows, kind="stable")
    rows, columns, amounts = rows[order], columns[order], amounts[order]
    flags = np.zeros(accounts, np.uint64)
    owns = columns & 3 == facts.COLLATERAL
    np.bitwise_or.at(flags, rows[owns], np.uint64(1) << (columns[owns] >> 2).astype(np.uint64))
    high = np.floor(amounts / 2**64)
    low = (amounts - high * 2**64).astype(np.uint64)
    low ^= np.where(amounts > 2**48, draw.integers(0, 2**10, len(rows), dtype=np.uint64), 0)
    low = np.where((low == 0) & (high == 0), np.uint64(1), low)
    first = np.searchsorted(rows, np.arange(accounts))
    last = np.append(rows[1:] != rows[:-1], True)
    following = np.where(last, 0, np.arange(len(rows)) + 2)
    return Table(
        [Address(f"0x{row * 0x9E3779B97F4A7C15F39CC0605CEDC834 % 2**160:040x}") for row in range(accounts)],
        flags.tobytes(),
        bytes(8 * accounts),
        modes.astype(np.uint16).tobytes(),
        (first + 1).astype(np.uint32).tobytes(),
        _bytes(following, np.uint32),
        _bytes(columns, np.uint16),
        _bytes(low, np.uint64),
        _bytes(high, np.uint64),
        {},
    )


def _bytes(values: NDArray[Any], kind: type[Any]) -> bytes:
    return bytes(values.astype(kind).tobytes())
