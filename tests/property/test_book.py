"""Undo is the inverse of apply; grouping does not matter; what is stored is what was written."""

from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from keeper.core.book import Book
from keeper.core.events import Block
from keeper.core.units import MAX_U128, Address, BlockNumber, Hash, Timestamp, Wei
from keeper.store.store import Entry, Store


class Fact(msgspec.Struct, frozen=True):
    """A fact of the kind adapters keep."""

    value: int
    name: str | None = None


TYPES: dict[str, type] = {"index": Fact, "price": int}

accounts = st.integers(0, 12).map(lambda i: Address(f"0x{i:040x}"))
columns = st.integers(0, 5)
amounts = st.one_of(st.just(0), st.integers(0, 3), st.integers(0, MAX_U128))
steps = st.one_of(
    st.tuples(st.just("amount"), accounts, columns, amounts, st.lists(amounts, max_size=2)),
    st.tuples(st.just("mark"), accounts, amounts, st.integers(0, 255)),
    st.tuples(st.just("learn"), st.sampled_from(["index", "price"]), st.sampled_from("ab"), st.none() | amounts),
)
blocks = st.lists(st.lists(steps, max_size=8), max_size=12)


def play(book: Book, step: tuple) -> None:  # type: ignore[type-arg]
    """One change, as an adapter would make it."""
    match step:
        case ("amount", account, column, amount, []):
            row = book.open(account)
            book.replace(row, column, book.look(row, column), amount)
        case ("amount", account, column, amount, annex):
            book.set_amount(book.open(account), column, amount, tuple(annex) if amount else ())
        case ("mark", account, flags, mode):
            book.mark(book.open(account), flags, mode)
        case ("learn", "index", key, value):
            book.learn("index", key, None if value is None else Fact(value, key))
        case ("learn", kind, key, value):
            book.learn(kind, key, value)


def header(number: int) -> Block:
    """A block whose hash follows from its number."""
    return Block(
        BlockNumber(number), Hash(f"0x{number:064x}"), Hash(f"0x{number - 1:064x}"), Timestamp(number), Wei(0), 0, 0
    )


@given(blocks)
def test_undo_is_the_inverse_of_apply(history: list) -> None:  # type: ignore[type-arg]
    book = Book()
    digests, records = [book.digest()], []
    for block in history:
        for step in block:
            play(book, step)
        records.append(book.take_changes())
        digests.append(book.digest())
    while records:
        assert book.digest() == digests.pop()
        book.undo(records.pop())
    assert book.digest() == digests.pop() == Book().digest()
    assert len(book) == 0


@given(blocks)
def test_one_go_or_one_at_a_time(history: list) -> None:  # type: ignore[type-arg]
    together, single = Book(), Book()
    for block in history:
        for step in block:
            play(together, step)
            play(single, step)
        single.take_changes()
    assert together.digest() == single.digest()
    record = together.take_changes()
    together.undo(record)
    assert together.digest() == Book().digest()


@given(blocks, st.integers(0, 12))
def test_stored_and_reloaded_at_every_block_then_reverted(
    tmp_path_factory: pytest.TempPathFactory,
    history: list,  # type: ignore[type-arg]
    back: int,
) -> None:
    path: Path = tmp_path_factory.mktemp("store") / "state.sqlite"
    store = Store(path, 1)
    market = store.market("aave_v3", Address("0x" + "11" * 20))
    book, digests = Book(), []
    store.commit_bulk(market, 0, book, [])
    store.anchor(header(0))
    digests.append(book.digest())
    for number, block in enumerate(history, start=1):
        for step in block:
            play(book, step)
        store.commit(header(number), {market: Entry(book, book.take_changes(), None)})
        digests.append(book.digest())
    store.close()
    store = Store(path, 1)
    book = store.load(market, TYPES)
    assert book.digest() == digests[-1]
    for number in range(len(history), max(0, len(history) - back), -1):
        undone = store.undo(number, {market: TYPES})
        for record in undone.values():
            book.undo(record)
        store.revert(number, {market: Entry(book, record, None) for market, record in undone.items()})
        assert store.load(market, TYPES).digest() == book.digest() == digests[number - 1]
        assert store.tail()[0].number == number - 1
    store.close()
