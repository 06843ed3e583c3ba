"""A screen that followed a book, block by block and back, is the screen of that book; lists change nothing."""

from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from keeper.bench.market import NOW, asset, market
from keeper.core.book import Book, Change, touched
from keeper.core.units import Address, Timestamp
from keeper.protocols.aave_v3.adapter import AaveV3
from keeper.protocols.aave_v3.facts import COLLATERAL, DEBT, STABLE
from keeper.screen.screen import Screen
from keeper.screen.watch import Copy, Watch

RESERVES = 4
AT = Timestamp(NOW + 12)

people = st.integers(0, 9).map(lambda i: Address(f"0x{i:040x}"))
numbers = st.integers(0, RESERVES - 1)
amounts = st.sampled_from([0, 1, 2, 2**120]) | st.integers(10**9, 10**10)  # alike: many are near 1 after a few ticks
factors = st.sampled_from([0.5, 0.93, 0.98, 0.999, 1.001, 1.02, 1.1, 2.0])
collateral = st.tuples(st.just("collateral"), people, numbers, amounts)
debt = st.tuples(st.just("debt"), people, numbers, amounts)
stable = st.tuples(st.just("stable"), people, numbers, st.sampled_from([0, 10**9]))
mark = st.tuples(st.just("mark"), people, numbers, st.integers(0, 3))
tick = st.tuples(st.just("tick"), numbers, factors)
lost = st.tuples(st.just("lost"), numbers)
changes = st.lists(st.one_of(collateral, collateral, debt, debt, stable, mark, tick, lost), min_size=1, max_size=6)


def play(book: Book, step: tuple[Any, ...]) -> None:
    """One change, as an adapter would make it."""
    match step:
        case ("collateral", who, number, amount):
            row = book.open(who)
            book.set_amount(row, number << 2 | COLLATERAL, amount)
            book.mark(row, book.flags(row) | bool(amount) << number, book.mode(row))
        case ("debt", who, number, amount):
            book.set_amount(book.open(who), number << 2 | DEBT, amount)
        case ("stable", who, number, amount):
            book.set_amount(book.open(who), number << 2 | STABLE, amount, (10**25, NOW - 100) if amount else ())
        case ("mark", who, number, mode):
            row = book.open(who)
            book.mark(row, book.flags(row) ^ 1 << number, mode)
        case ("tick", number, factor):
            price = book.fact("price", asset(number)) or 10**8
            book.learn("price", asset(number), max(1, int(price * factor)))
        case ("lost", number):
            book.learn("price", asset(number), None)


class Following(RuleBasedStateMachine):
    """A book that changes block by block, and a screen that hears of it."""

    @initialize(version=st.sampled_from(["3.0.2", "3.2", "3.7"]), steps=st.lists(collateral | debt, max_size=20))
    def begin(self, version: str, steps: list[tuple[Any, ...]]) -> None:
        self.book: Book = market(version, RESERVES)
        for number in range(RESERVES):
            self.book.learn("price", asset(number), 10**12)
        for step in steps:
            play(self.book, step)
        self.book.take_changes()
        self.adapter = AaveV3(Address("0x" + "11" * 20))
        self.screen = Screen(self.adapter)
        self.screen.load(self.book)
        self.blocks: list[list[Change]] = []
        self.making: Copy | None = None
        self.made: Watch | None = None

    @rule(steps=changes)
    def block(self, steps: list[tuple[Any, ...]]) -> None:
        for step in steps:
            play(self.book, step)
        self.blocks.append(self.book.take_changes())
        self.screen.touch(self.book, touched(self.blocks[-1]))

    @precondition(lambda self: self.blocks)
    @rule()
    def undo_block(self) -> None:
        undone = self.blocks.pop()
        self.book.undo(undone)
        self.screen.touch(self.book, touched(undone))

    @rule()
    def prepare(self) -> None:
        self.making, self.made = self.screen.prepare(self.screen.weigh(self.book, AT)), None

    @precondition(lambda self: self.making is not None)
    @rule()
    def make(self) -> None:
        assert self.making is not None
        self.made = self.making.watch()

    @precondition(lambda self: self.made is not None)
    @rule()
    def adopt(self) -> None:
        assert self.made is not None
        self.screen.adopt(self.made)
        self.making = self.made = None

    @invariant()
    def equal_to_a_fresh_one(self) -> None:
        fresh = Screen(self.adapter)
        fresh.load(self.book)
        assert content(self.screen, self.book) == content(fresh, self.book)
        now = self.screen.weigh(self.book, AT)
        flagged = sorted(fresh.sweep(fresh.weigh(self.book, AT)).tolist())
        assert sorted(self.screen.sweep(now).tolist()) == flagged
        assert sorted(self.screen.flagged(now).tolist()) == flagged
        for number in range(RESERVES):
            concerned = {row for row in flagged if moves(self.adapter, self.book, row, number)}
            assert concerned <= set(self.screen.flagged_for(asset(number), now).tolist()) <= set(flagged)


def content(screen: Screen, book: Book) -> list[dict[int, float] | None]:
    """What a screen holds of every row, by the adapter's columns."""
    found: list[dict[int, float] | None] = []
    for row in range(len(book)):
        stored = screen.groups.read(row)
        pairs = ([], []) if stored is None else (stored[0].tolist(), stored[1].tolist())
        held = {screen.columns.keys[code - 1]: amount for code, amount in zip(*pairs, strict=True)}
        found.append(None if row in screen._unclear else held)
    assert len(screen) == sum(1 for held in found if held or held is None)
    return found


def moves(adapter: AaveV3, book: Book, row: int, number: int) -> bool:
    line = adapter.exposures(book, row)
    return line is None or any(column >> 2 & 0x3FFF == number for column, _ in line)


Following.TestCase.settings = settings(max_examples=100, stateful_step_count=40, deadline=None)
TestFollowing = Following.TestCase
