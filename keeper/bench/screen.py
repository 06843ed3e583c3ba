"""Who is liquidatable, when every price moves: against merely reading the data, and against tuned Python integers.

Law: one tick is everything from prices to exactly confirmed accounts: weights, sweep, integers. All sides take turns in
one process. Misses are counted over accounts on the very edge of every release, and along a path with crashes.
"""

import random
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from keeper.bench.edge import NOW as EDGE_NOW
from keeper.bench.edge import Edge
from keeper.bench.market import NOW, asset, market, populate
from keeper.bench.timing import medians
from keeper.core.book import Book
from keeper.core.compiled import kernel
from keeper.core.ports import Quarantine
from keeper.core.units import BPS, RAY, WAD, Address, Timestamp
from keeper.protocols.aave_v3.adapter import AaveV3
from keeper.protocols.aave_v3.facts import DEBT
from keeper.protocols.aave_v3.profiles import PROFILES
from keeper.screen.columns import Table
from keeper.screen.groups import Groups
from keeper.screen.kernels import BINS
from keeper.screen.screen import Screen
from keeper.screen.watch import ALL

VERSION: Final = "3.6"
ROUNDS: Final = 31
EDGE_ACCOUNTS: Final = 20_000
PATH_STEPS: Final = 400
PATH_ACCOUNTS: Final = 200
PLAIN: Final = 20_000  # accounts of the Python loop: it costs the same for each
SPREAD: Final = 0.0235  # of prices up and down: just within what watch lists bear
POPULAR: Final = asset(0)
AT: Final = Timestamp(NOW + 12)
Words = NDArray[np.uint64]


def run(accounts: int = 1_000_000) -> dict[str, Any]:
    """All figures of the benchmark."""
    large, small = World(accounts), World(max(accounts // 10, 1))
    figures = _ticks(large) | _watched(large)
    figures["linear_cost_per_account_large_over_small"] = round(_per_account(large) / _per_account(small), 2)
    figures["bytes_an_account_beyond_the_book"] = round(large.screen.nbytes / accounts, 1)
    return figures | _misses()


class World:
    """A market, its screen, and prices to move between."""

    def __init__(self, accounts: int) -> None:
        self.accounts = accounts
        self.adapter = AaveV3(Address("0x" + "11" * 20))
        self.book = market(VERSION)
        populate(self.book, accounts)
        self.screen = Screen(self.adapter)
        self.screen.load(self.book)
        self.now = self.screen.weigh(self.book, AT)
        draw = np.random.default_rng(3)
        self.prices = [
            {key: max(1, round(price * draw.uniform(0.9998, 1.0002))) for key, price in self.now.prices.items()}
            for _ in range(8)
        ]
        self._turn = 0

    def next_prices(self) -> Mapping[Address, int]:
        """Every price a little different from the last time."""
        self._turn += 1
        return self.prices[self._turn % len(self.prices)]

    def tick(self, look: Callable[[Table], NDArray[np.uint32]] | None = None) -> Sequence[int]:
        """From prices to exactly confirmed accounts."""
        prices = self.next_prices()
        rows = (look or self.screen.sweep)(self.now.repriced(prices))
        return self.adapter.liquidatable(self.book, rows.tolist(), AT, prices)


# all accounts --------------------------------------------------------------------------------------------------------


def _ticks(world: World) -> dict[str, Any]:
    plain = _plain(world)
    words = _words(world.screen.groups)
    seen = medians(
        {
            "floor": lambda: [_read(part) for part in words],
            "sweep": lambda: world.screen.sweep(world.now),
            "tick": world.tick,
            "plain": plain,
        },
        ROUNDS,
    )
    python = seen["plain"] * world.accounts / min(world.accounts, PLAIN)
    return {
        "accounts": world.accounts,
        "positions_an_account": round(
            sum(group.width * group.count for group in world.screen.groups) / world.accounts, 2
        ),
        "flagged": len(world.screen.sweep(world.now)),
        "liquidatable": len(world.screen.candidates(world.book, AT)),
        "read_floor_us": round(seen["floor"] * 1e6),
        "sweep_us": round(seen["sweep"] * 1e6),
        "all_prices_move_confirmed_us": round(seen["tick"] * 1e6),
        "ratio_sweep_to_read_floor": round(seen["sweep"] / seen["floor"], 2),
        "ratio_to_read_floor": round(seen["tick"] / seen["floor"], 2),
        "ratio_python_ints_to_this": round(python / seen["tick"]),
    }


@kernel("u8(u8[::1])")
def _read(words: Words) -> int:
    """Touch every byte."""
    found = np.uint64(0)
    for i in range(words.size):
        found ^= words[i]
    return int(found)


def _words(groups: Groups) -> list[Words]:
    """The six bytes of every position, as they lie in memory."""
    arrays = [array[:, : group.count] for group in groups for array in (group.codes, group.amounts)]
    flat = [np.ascontiguousarray(array).view(np.uint8).ravel() for array in arrays]
    return [part[: len(part) // 8 * 8].view(np.uint64) for part in flat]


def _plain(world: World) -> Callable[[], int]:
    """Exact health of every account in Python integers, everything that can be looked up before looked up."""
    view, book = world.adapter.view(world.book, AT), world.book
    accounts = [
        [
            _column(view.terms[column >> 2], view.threshold(book.mode(row), column >> 2), column, amount)
            for column, amount in book.positions(row)
        ]
        for row in range(min(world.accounts, PLAIN))
    ]

    def judge() -> int:
        below = 0
        for positions in accounts:
            weighted = debt = 0
            for owed, amount, index, up, price, value_up, unit, threshold in positions:
                value = ((amount * index + up) // RAY * price + value_up) // unit
                if owed:
                    debt += value
                else:
                    weighted += value * threshold
            below += weighted * WAD + debt // 2 < debt * WAD * BPS
        return below

    return judge


def _column(terms: Any, threshold: int, column: int, amount: int) -> tuple[int, ...]:  # noqa: ANN401
    if column & 3 == DEBT:
        return 1, amount, terms.borrow_index, RAY - 1, terms.price, terms.unit - 1, terms.unit, 0
    return 0, amount, terms.liquidity_index, 0, terms.price, 0, terms.unit, threshold


def _per_account(world: World) -> float:
    return medians({"sweep": lambda: world.screen.sweep(world.now)}, ROUNDS)["sweep"] / world.accounts


# watch lists ---------------------------------------------------------------------------------------------------------


def _watched(world: World) -> dict[str, Any]:
    """Whole watch lists, and the part of one that half a percent of the most popular asset concerns."""
    screen, now = world.screen, world.now
    watch = screen.prepare(now).watch()
    screen.adopt(watch)
    odd = (1 - SPREAD, 1 + SPREAD)
    far = now.repriced({key: round(price * odd[at % 2]) for at, (key, price) in enumerate(now.prices.items())})
    popular, out = watch.number(POPULAR, now), np.empty(2**16, np.uint32)
    fresh = np.zeros(world.accounts, np.uint8)
    near = now.repriced({POPULAR: round(now.prices[POPULAR] * 0.995)})
    words = _words(screen.groups)
    seen = medians(
        {
            "floor": lambda: [_read(part) for part in words],
            "all": lambda: watch.flagged(ALL, BINS - 1, now, fresh, out),
            "popular": lambda: watch.flagged(popular, BINS - 1, now, fresh, out),
            "tick": lambda: screen.flagged_for(POPULAR, near),
        },
        ROUNDS,
    )
    return {
        "watched_share": round(watch.size(ALL) / world.accounts, 3),
        "holders_of_the_popular_asset": round(_holders(screen, now) / world.accounts, 3),
        "watch_all_over_floor": round(seen["all"] / seen["floor"], 3),
        "watch_popular_over_floor": round(seen["popular"] / seen["floor"], 3),
        "half_percent_of_popular_over_floor": round(seen["tick"] / seen["floor"], 3),
        "half_percent_of_popular_us": round(seen["tick"] * 1e6, 1),
        "prices_moved_percent": 100 * SPREAD,
        "watch_differs_from_sweep": len(set(screen.flagged(far).tolist()) ^ set(screen.sweep(far).tolist())),
    }


def _holders(screen: Screen, now: Table) -> int:
    codes = now.assets.members[POPULAR]
    return sum(int(np.isin(group.codes[:, : group.count], codes).any(axis=0).sum()) for group in screen.groups)


# misses --------------------------------------------------------------------------------------------------------------


def _misses() -> dict[str, Any]:
    found = [_edge(version) for version in PROFILES]
    return {
        "edge_accounts": EDGE_ACCOUNTS * len(found),
        "edge_liquidatable": sum(below for below, _ in found),
        "path_steps": PATH_STEPS,
        "path_differences": _path(),
        "false_negatives": sum(missed for _, missed in found),
    }


def _edge(version: str) -> tuple[int, int]:
    """Of accounts on the edge of a release: how many are liquidatable, how many of those are not flagged."""
    edge, adapter = Edge(version, f"bench {version}"), AaveV3(Address("0x" + "11" * 20))
    below = _brute(adapter, edge.book, list(edge.accounts(EDGE_ACCOUNTS)), EDGE_NOW)
    screen = Screen(adapter)
    screen.load(edge.book)
    return len(below), len(below - set(screen.sweep(screen.weigh(edge.book, EDGE_NOW)).tolist()))


def _path() -> int:
    """Steps on which screen and confirm differ from asking every account, while prices walk and crash."""
    rng = random.Random(5)  # noqa: S311 - drawn from a seed
    book, adapter = market(VERSION), AaveV3(Address("0x" + "11" * 20))
    populate(book, PATH_ACCOUNTS)
    screen, differences = Screen(adapter), 0
    screen.load(book)
    for step in range(PATH_STEPS):
        for number in rng.sample(range(len(book.facts("listing"))), 6):
            factor = rng.uniform(0.6, 0.9) if step % 50 == 0 else rng.gauss(1.001, 0.004)
            book.learn("price", asset(number), int(book.fact("price", asset(number)) * factor))
        at = Timestamp(NOW + 12 * step)
        differences += set(screen.candidates(book, at)) != _brute(adapter, book, range(len(book)), at)
        if screen.due(now := screen.weigh(book, at)):
            screen.adopt(screen.prepare(now).watch())
    return differences


def _brute(adapter: AaveV3, book: Book, rows: Sequence[int], at: Timestamp) -> set[int]:
    judged = ((row, adapter.health(book, row, at)) for row in rows)
    return {row for row, health in judged if not isinstance(health, Quarantine) and health.health_factor < WAD}
