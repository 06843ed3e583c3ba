"""The screen's parts by example: bounds, codes, groups, watch lists, and the worked numbers of liquidation prices."""

# ruff: noqa: ARG002 - the fake has the port's signatures

import random
from collections.abc import Mapping, Sequence

import numpy as np
import pytest

from keeper.core.book import Book
from keeper.core.margin import Exposures, Lines, Weights
from keeper.core.units import RAY, ZERO_ADDRESS, Address, Timestamp
from keeper.protocols.aave_v3 import facts
from keeper.protocols.aave_v3.adapter import AaveV3
from keeper.protocols.aave_v3.health import Rates
from keeper.screen.columns import LEAST_CAPACITY
from keeper.screen.groups import WIDEST, Group, Groups, Sparse, towards_ruin
from keeper.screen.kernels import BLOCK, MIXED
from keeper.screen.prices import liquidation_price, turning_points, who_flips
from keeper.screen.screen import LATELY, Screen

AT = Timestamp(1_750_000_000)
ETH, BTC, USD = (Address(f"0x{number:040x}") for number in (0xE, 0xB, 0xD))


class Given:
    """Accounts given as lines, every weight given; ``book`` only counts rows."""

    def __init__(self, lines: Sequence[Exposures | None], factors: Mapping[int, float], slack: float = 1.0) -> None:
        self.lines_of = list(lines)
        self.factors = factors
        self.slack = slack
        self.assets: dict[int, Address] = {}
        self.prices: dict[Address, int] = {}

    def book(self) -> Book:
        book = Book()
        for row in range(len(self.lines_of)):
            book.open(Address(f"0x{row:040x}"))
        return book

    def exposures(self, book: Book, row: int) -> Exposures | None:
        return self.lines_of[row]

    def lines(self, book: Book) -> Lines:
        entries = [(row, key, amount) for row, line in enumerate(self.lines_of) for key, amount in line or ()]
        rows, keys, amounts = (np.array([entry[i] for entry in entries]) for i in range(3))
        unclear = [row for row, line in enumerate(self.lines_of) if line is None]
        return Lines(rows.astype(np.int64), keys.astype(np.int64), amounts.astype(np.float64), unclear)

    def weights(self, book: Book, at: Timestamp, columns: Sequence[int]) -> Weights:
        assets = [self.assets.get(column, ZERO_ADDRESS) for column in columns]
        return Weights([self.factors.get(column, 1.0) for column in columns], assets, self.prices, self.slack)

    def liquidatable(
        self, book: Book, rows: Sequence[int], at: Timestamp, prices: Mapping[Address, int] | None = None
    ) -> Sequence[int]:
        raise AssertionError("not asked here")


def flagged(lines: Given) -> list[int]:
    screen, book = Screen(lines), lines.book()
    screen.load(book)
    by_sweep = sorted(screen.sweep(screen.weigh(book, AT)).tolist())
    watch(screen, book)
    assert sorted(screen.flagged(screen.weigh(book, AT)).tolist()) == by_sweep
    return by_sweep


def watch(screen: Screen, book: Book) -> None:
    assert screen.adopt(screen.prepare(screen.weigh(book, AT)).watch())


# bounds --------------------------------------------------------------------------------------------------------------


def test_amounts_are_stored_below_what_they_are_whatever_their_size() -> None:
    draw = random.Random(1)
    exact = [sign * draw.getrandbits(bits) | 1 for bits in range(1, 129) for sign in (1, -1) for _ in range(20)]
    exact += [sign * (2**bits + more) for bits in range(2, 128) for more in (-1, 0, 1) for sign in (1, -1)]
    stored = towards_ruin(np.array([float(amount) for amount in exact]))
    for amount, bound in zip(exact, stored.tolist(), strict=True):
        assert bound == -np.inf or int(bound * 2**30) <= amount * 2**30 - abs(amount) * 2**5
        assert bound > amount - abs(amount) / 2**21


def test_what_is_too_large_is_bounded_or_ruin() -> None:
    assert towards_ruin(np.array([float(2**128 - 1), 1e300, -1e300])).tolist()[1:] == [
        np.finfo(np.float32).max,
        -np.inf,
    ]


def test_nan_and_overflow_are_flagged_and_what_cannot_be_confirmed_rests() -> None:
    lines = Given(
        [
            [(1, 10), (2, -1)],  # healthy
            [(3, 10), (2, -1)],  # a column without a bound
            [(1, 2**127), (2, -(2**129))],  # a debt too large for a float32
            [(4, 1), (2, -100)],  # set aside
            [(4, 1), (3, -100)],  # set aside, but without a bound: flagged
            [(1, 10), (5, -(10**30))],  # set aside
        ],
        {3: np.nan, 4: np.inf, 5: 0.0},
    )
    assert flagged(lines) == [1, 2, 4]


def test_the_slack_is_granted_for_every_column() -> None:
    lines = Given([[(1, 120), (2, -100)], [(1, 121), (2, -100)]], {}, slack=10.0)
    assert flagged(lines) == [0]


def test_accounts_without_debt_are_not_looked_at_and_those_without_a_line_always() -> None:
    assert flagged(Given([(), None, [(1, 5), (2, -1)]], {})) == [1]


def test_an_account_with_too_many_columns_is_always_flagged() -> None:
    wide = [(column, 10**6) for column in range(WIDEST)]
    assert flagged(Given([[*wide, (999, -1)], wide], {})) == [0]


# columns -------------------------------------------------------------------------------------------------------------


def test_a_table_older_than_the_columns_is_refused_and_a_column_unknown_to_it_is_flagged() -> None:
    lines = Given([[(1, 10), (2, -1)]], {})
    screen, book = Screen(lines), lines.book()
    screen.load(book)
    old = screen.weigh(book, AT)
    lines.lines_of[0] = [(1, 10), (3, -1)]
    screen.touch(book, [0])
    assert screen.sweep(old).tolist() == [0]
    assert screen.sweep(screen.weigh(book, AT)).tolist() == []
    for column in range(4, LEAST_CAPACITY + 1):
        lines.lines_of[0] = [(1, 10), (column, -1)]
        screen.touch(book, [0])
    with pytest.raises(ValueError, match="weigh again"):
        screen.sweep(old)
    assert screen.sweep(screen.weigh(book, AT)).tolist() == []


def test_more_columns_than_codes_leave_accounts_always_flagged() -> None:
    many = [[(2 * row, 10**6), (2 * row + 1, -1)] for row in range(2**15)]
    assert flagged(Given(many, {})) == [2**15 - 1]


def test_repricing_changes_a_copy_and_only_the_columns_of_the_asset() -> None:
    lines = Given([[(1, 10), (2, -20)], [(3, 10), (2, -20)]], {})
    lines.assets, lines.prices = {1: ETH, 3: BTC}, {ETH: 3, BTC: 3}
    screen, book = Screen(lines), lines.book()
    screen.load(book)
    now = screen.weigh(book, AT)
    then = now.repriced({ETH: 2, USD: 7})
    assert (screen.sweep(now).tolist(), screen.sweep(then).tolist()) == ([], [0])
    assert (now.prices[ETH], then.prices[ETH]) == (3, 2)
    with pytest.raises(ValueError, match="price of 0"):
        now.repriced({ETH: 0})


# groups --------------------------------------------------------------------------------------------------------------


def test_blocks_that_claim_to_be_uniform_are() -> None:
    draw = random.Random(2)
    groups = Groups(Sparse())
    held: dict[int, tuple[list[int], list[float]]] = {}
    for _ in range(20_000):
        row = draw.randrange(900)
        if draw.random() < 0.3:
            groups.drop(row)
            held.pop(row, None)
        else:
            width = draw.choice([1, 2, 2, 3])
            codes = ([1, 2, 3] if draw.random() < 0.999 else [4, 5, 6])[:width]
            amounts = [float(draw.randrange(1, 9)) for _ in codes]
            held[row] = codes, amounts
            groups.put(row, codes, np.array(amounts, np.float32))
    stored = {row: groups.read(row) for row in range(900)}
    assert {row: (found[0].tolist(), found[1].tolist()) for row, found in stored.items() if found is not None} == held
    uniform = 0
    for group in groups:
        for slot in range(group.count):
            said = group.uniform[:, slot // BLOCK]
            uniform += int((said != MIXED).sum())
            assert all(code in (MIXED, group.codes[j, slot]) for j, code in enumerate(said))
    assert uniform
    assert len(groups) == len(held)


def test_a_full_group_grows_into_new_arrays_and_leaves_the_old_ones_alone() -> None:
    group = Group(1)
    for row in range(BLOCK):
        group.append(row, [1], np.array([row], np.float32))
    old = group.amounts
    group.append(7, [2], np.array([7], np.float32))
    group.write(0, [2], np.array([9], np.float32))
    assert old[0, 0] == 0.0
    assert group.amounts[0, [0, 5, BLOCK]].tolist() == [9.0, 5.0, 7.0]


# watch lists ---------------------------------------------------------------------------------------------------------


def one_asset(count: int) -> tuple[Given, Screen, Book]:
    """Accounts that turn at ETH prices of 1000, 1001, …; the price is 2000."""
    lines = Given([[(1, 10**6), (2, -(10**6) * (1000 + row))] for row in range(count)], {})
    lines.assets, lines.prices = {1: ETH}, {ETH: 2000}
    screen, book = Screen(lines), lines.book()
    screen.load(book)
    return lines, screen, book


def test_lists_are_due_without_any_and_after_half_their_horizon() -> None:
    _, screen, book = one_asset(990)
    now = screen.weigh(book, AT)
    assert screen.due(now)
    watch(screen, book)
    assert not screen.due(now)
    assert not screen.due(now.repriced({ETH: 1960}))
    assert screen.due(now.repriced({ETH: 1940}))
    assert not screen.due(now.repriced({ETH: 2500})), "the price helped"
    for price in (1990, 1970, 1950, 1850, 1000, 900, 4000):
        then = now.repriced({ETH: price})
        assert sorted(screen.flagged(then).tolist()) == sorted(screen.sweep(then).tolist())
        assert sorted(screen.flagged_for(ETH, then).tolist()) == sorted(screen.sweep(then).tolist())


def test_what_changes_while_lists_are_made_is_not_lost() -> None:
    lines, screen, book = one_asset(400)
    copied = screen.prepare(screen.weigh(book, AT))
    lines.lines_of[5] = [(1, 10**6), (2, -(10**6) * 2001)]  # liquidatable now
    lines.lines_of[6] = ()
    book.open(Address("0x" + "77" * 20))
    lines.lines_of.append([(1, 10**6), (3, -(10**6) * 2002)])
    screen.touch(book, [5, 6, 400])
    assert screen.adopt(copied.watch())
    lines.lines_of[7] = [(1, 10**6), (2, -(10**6) * 2001)]
    screen.touch(book, [7])
    assert sorted(screen.flagged(screen.weigh(book, AT)).tolist()) == [5, 7, 400]
    assert sorted(screen.flagged_for(ETH, screen.weigh(book, AT)).tolist()) == [5, 7, 400]


def test_lists_made_in_the_memory_of_earlier_ones_show_what_is_there_now(seed: int) -> None:
    draw = random.Random(seed)
    lines, screen, book = one_asset(990)
    for _ in range(8):
        for row in draw.sample(range(990), 300):
            debt = 10**6 * draw.randrange(1000, 2100)
            lines.lines_of[row] = draw.choice([(), [(1, 10**6), (2, -debt)], [(1, 10**6), (2, -debt), (3, -1)]])
        screen.touch(book, range(990))
        watch(screen, book)
        fresh = Screen(lines)
        fresh.load(book)
        watch(fresh, book)
        now = screen.weigh(book, AT)
        for price in (2000, 1990, 1950):
            then = now.repriced({ETH: price})
            assert sorted(screen.flagged_for(ETH, then).tolist()) == sorted(fresh.sweep(then).tolist())
        assert set(screen.nearest(ETH, now, 990)) == set(fresh.nearest(ETH, now, 990))
    assert screen.nbytes < 2 * fresh.nbytes, "memory is used again"


def test_lists_of_another_preparation_are_not_adopted() -> None:
    _, screen, book = one_asset(10)
    first = screen.prepare(screen.weigh(book, AT)).watch()
    second = screen.prepare(screen.weigh(book, AT)).watch()
    assert not screen.adopt(first)
    assert screen.adopt(second)
    late = screen.prepare(screen.weigh(book, AT)).watch()
    screen.load(book)
    assert not screen.adopt(late)


def test_lists_are_given_up_when_too_much_has_changed() -> None:
    _, screen, book = one_asset(LATELY + 10)
    watch(screen, book)
    screen.touch(book, range(LATELY // 2 + 1))
    assert screen.due(screen.weigh(book, AT))
    screen.touch(book, range(LATELY + 1))
    now = screen.weigh(book, AT)
    assert sorted(screen.flagged(now).tolist()) == sorted(screen.sweep(now).tolist())


def test_a_column_that_changes_its_asset_is_still_found() -> None:
    """An e-mode gets a price source of its own."""
    lines, screen, book = one_asset(50)
    watch(screen, book)
    lines.assets, lines.prices = {1: BTC}, {BTC: 2000}
    now = screen.weigh(book, AT).repriced({BTC: 1020})
    assert set(screen.flagged_for(BTC, now).tolist()) >= set(range(20, 50))


def test_an_asset_that_is_set_aside_and_comes_back_is_looked_at_again() -> None:
    lines, screen, book = one_asset(50)
    lines.factors = {1: np.inf, 2: 0.0}
    watch(screen, book)
    assert screen.flagged(screen.weigh(book, AT)).tolist() == []
    lines.factors, lines.prices = {}, {ETH: 1020}
    assert sorted(screen.flagged(screen.weigh(book, AT)).tolist()) == list(range(20, 50))


# prices --------------------------------------------------------------------------------------------------------------


def aave(version: str, positions: dict[int, tuple[int, int]], prices: Sequence[int]) -> tuple[Screen, Book]:
    """One account with (collateral, debt) by reserve: ETH 18 decimals LT 82.5 %, BTC 8 LT 78 %, USD 6 LT 78 %."""
    book = Book()
    pool = Address("0x" + "90" * 20)
    zero = ZERO_ADDRESS
    book.learn("market", "", facts.MarketParts(pool, zero, zero, zero, zero, zero, 10**8, 5))
    book.learn("impl", pool, "0x01")
    book.learn("code", "0x01", version)
    reserves = [(ETH, 18, 8250), (BTC, 8, 7800), (USD, 6, 7800)]
    for number, ((asset, decimals, threshold), price) in enumerate(zip(reserves, prices, strict=True)):
        book.learn("listing", asset, facts.Listing(number, asset, asset, zero, decimals))
        book.learn("config", asset, threshold << 16 | decimals << 48 | 1 << 56)
        book.learn("rates", asset, Rates(RAY, RAY, 0, 0, AT))
        book.learn("price", asset, price)
    row = book.open(Address("0x" + "aa" * 20))
    for number, (collateral, debt) in positions.items():
        book.set_amount(row, number << 2 | facts.COLLATERAL, collateral)
        book.set_amount(row, number << 2 | facts.DEBT, debt)
        book.mark(row, book.flags(row) | bool(collateral) << number, 0)
    screen = Screen(AaveV3(Address("0x" + "11" * 20)))
    screen.load(book)
    return screen, book


@pytest.mark.parametrize("version", ["3.0.2", "3.6"])
@pytest.mark.parametrize(
    ("positions", "dollars"),
    [
        ({0: (10 * 10**18, 0), 2: (0, 16_800 * 10**6)}, 2036.36),
        ({0: (10 * 10**18, 0), 2: (0, 12_000 * 10**6)}, 1454.55),
        ({0: (5 * 10**18, 0), 1: (10**7, 0), 2: (0, 12_000 * 10**6)}, 1774.55),
    ],
)
def test_worked_liquidation_prices(version: str, positions: dict[int, tuple[int, int]], dollars: float) -> None:
    screen, book = aave(version, positions, [2000 * 10**8, 60_000 * 10**8, 10**8])
    now = screen.weigh(book, AT)
    exact = liquidation_price(screen, book, 0, ETH, AT, now)
    assert exact is not None
    assert exact / 1e8 == pytest.approx(dollars, abs=0.006 if version == "3.6" else 0.3)
    assert screen.margin.liquidatable(book, [0], AT, {ETH: exact}) == [0]
    assert screen.margin.liquidatable(book, [0], AT, {ETH: exact + 1}) == []
    early = turning_points(screen, ETH, now)
    assert (early.rows.tolist(), early.falling.tolist()) == ([0], [True])
    assert exact <= early.prices[0] <= exact * 1.0003
    assert (who_flips(screen, book, AT, ETH, exact) == [0]) == (exact < 2000 * 10**8)
    assert who_flips(screen, book, AT, ETH, exact + 1) == []


def test_a_short_position_turns_on_the_way_up_and_a_hopeless_or_safe_one_not_at_all() -> None:
    prices = [2000 * 10**8, 60_000 * 10**8, 10**8]
    screen, book = aave("3.6", {2: (10_000 * 10**6, 0), 0: (0, 3 * 10**18)}, prices)
    now = screen.weigh(book, AT)
    up = liquidation_price(screen, book, 0, ETH, AT, now)
    assert up is not None
    assert up / 1e8 == pytest.approx(2600, abs=0.01)
    assert screen.margin.liquidatable(book, [0], AT, {ETH: up}) == [0]
    assert screen.margin.liquidatable(book, [0], AT, {ETH: up - 1}) == []
    assert turning_points(screen, ETH, now).falling.tolist() == [False]
    assert who_flips(screen, book, AT, ETH, up) == [0]
    assert liquidation_price(screen, book, 0, BTC, AT, now) is None
    screen, book = aave("3.6", {0: (10**18, 0), 1: (10**8, 0), 2: (0, 1000 * 10**6)}, prices)
    assert liquidation_price(screen, book, 0, ETH, AT, screen.weigh(book, AT)) is None
    screen, book = aave("3.6", {0: (0, 10**18), 2: (0, 10**6)}, prices)
    assert liquidation_price(screen, book, 0, ETH, AT, screen.weigh(book, AT)) is None
