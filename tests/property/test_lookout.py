"""Whatever happens to a book between two blocks, whoever is below 1 is found, and nobody else."""

import asyncio
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule

from keeper.bench.market import NOW, asset, market
from keeper.core.book import Book, Change
from keeper.core.ports import Quarantine
from keeper.core.units import WAD, Address, Timestamp
from keeper.lookout import Post
from keeper.protocols.aave_v3.adapter import AaveV3
from tests.property.test_screen_incremental import RESERVES, changes, play

AT = Timestamp(NOW + 12)


def below(adapter: AaveV3, book: Book) -> set[int]:
    """By asking everybody."""
    found = ((row, adapter.health(book, row, AT)) for row in range(len(book)))
    return {row for row, health in found if not isinstance(health, Quarantine) and health.health_factor < WAD}


class Looking(RuleBasedStateMachine):
    """A book that is moved in every way there is, and who looks at it now and then."""

    @initialize(version=st.sampled_from(["3.0.2", "3.2", "3.7"]))
    def begin(self, version: str) -> None:
        self.runner = asyncio.Runner()
        self.book: Book = market(version, RESERVES)
        for number in range(RESERVES):
            self.book.learn("price", asset(number), 10**12)
        self.book.take_changes()
        self.adapter = AaveV3(Address("0x" + "11" * 20))
        self.post = Post(self.adapter, self.book)
        self.blocks: list[list[Change]] = []

    def teardown(self) -> None:
        if hasattr(self, "runner"):
            self.runner.close()

    @rule(steps=changes)
    def block(self, steps: list[tuple[Any, ...]]) -> None:
        for step in steps:
            play(self.book, step)
        self.blocks.append(self.book.take_changes())

    @precondition(lambda self: self.blocks)
    @rule()
    def undo_block(self) -> None:
        self.book.undo(self.blocks.pop())

    @rule(steps=changes)
    def fail_within_a_block(self, steps: list[tuple[Any, ...]]) -> None:
        for step in steps:
            play(self.book, step)
        self.book.undo(self.book.take_changes())

    @precondition(lambda self: self.blocks)
    @rule()
    def lose_a_step(self) -> None:
        """What the book said was heard by somebody who then failed."""
        self.book.moved()
        self.post._followed = False

    @rule()
    def look(self) -> None:
        found = self.runner.run(self.post.below(AT))
        assert len(found) == len(set(found))
        assert set(found) == below(self.adapter, self.book)

    @rule()
    def tend(self) -> None:
        async def tended() -> None:
            await self.post.below(AT)
            self.post.tend(AT)
            await self.post.made()
            self.post.tend(AT)

        self.runner.run(tended())


Looking.TestCase.settings = settings(max_examples=60, stateful_step_count=30, deadline=None)
TestLooking = Looking.TestCase


def test_too_many_to_name_is_everybody(seed: int) -> None:
    """More rows than a book remembers: the whole book is read, and memory stays bounded."""
    book = market("3.6", RESERVES)
    assert book.moved() is None
    for number in range(70_000):
        book.open(Address(f"0x{number:040x}"))
    book.take_changes()
    assert book.moved() is None
    assert book.moved() == set()
    book.open(Address(f"0x{seed:040x}"))
    assert book.moved() == {70_000}
