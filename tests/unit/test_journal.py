"""The journal and the ledger: what is written, when it is on disk, and what never touches it."""

import ast
import asyncio
import sqlite3
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path

import pytest
from coincurve import PrivateKey

import keeper
from keeper.core.book import Book
from keeper.core.events import Block
from keeper.core.journal import JUDGED, OPEN, OUTCOMES, SPENT, TRANSITIONS, Entry, Fate, Line, State, Variant
from keeper.core.plans import Estimate, Plan
from keeper.core.submissions import Simulated, Window
from keeper.core.units import ZERO_ADDRESS, Address, Amount, BlockNumber, Bps, Hash, Timestamp, Wei
from keeper.errors import SignerError, StateCorrupt, StateUnwritable
from keeper.executor import simulate
from keeper.executor.records import Records
from keeper.executor.simulate import Passed
from keeper.executor.transaction import Transaction, address_of, sign
from keeper.store.journal import Journal
from keeper.store.store import Store

CHAIN = 31337
EOA = Address("0x" + "e0" * 20)
WEI = 10**30  # more than any column of SQLite holds as a number


def plan(name: str = "x") -> Plan:
    money = Estimate(*(Wei(sign * WEI + i) for i, sign in enumerate((1, 1, 1, -1, 1, 1, 1, 1, -1))))
    end = BlockNumber(103)
    return Plan(name, BlockNumber(101), end, (), (), ZERO_ADDRESS, Amount(WEI), Bps(9), 1, Wei(WEI), Wei(1), money)


def entry(name: str = "one", nonce: int = 7) -> Entry:
    variant = Variant(Hash("0x" + name.encode().hex().zfill(64)), b"\x02raw", BlockNumber(103), plan(name))
    return Entry(name, EOA, nonce).to(State.SIMULATED).to(State.SIGNED, variants=(variant,))


def line(name: str = "one", net: int = 5) -> Line:
    tx, at = Hash("0x" + "11" * 32), Hash("0x" + "22" * 32)
    return Line(name, tx, BlockNumber(101), at, Wei(WEI + net), Wei(-WEI), 400_000, Wei(3), Wei(4))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "state.sqlite"


@pytest.fixture
def journal(path: Path) -> Iterator[Journal]:
    made = Journal(path, CHAIN)
    yield made
    made.close()


# --- states --------------------------------------------------------------------------------------------------------


def test_the_table_is_the_story() -> None:
    assert set(TRANSITIONS) == set(State)
    assert TRANSITIONS[State.FINAL] == frozenset()
    assert OPEN | JUDGED | SPENT | {State.PLANNED, State.SIMULATED, State.FINAL} == set(State)
    for outcome in OUTCOMES:
        assert State.FINAL in TRANSITIONS[outcome]
        assert State.SUBMITTED in TRANSITIONS[outcome]  # a reorganisation undoes every outcome
        assert outcome in TRANSITIONS[State.SUBMITTED]
        assert outcome in TRANSITIONS[State.SIGNED]  # who dies after signing does not know what left
    assert {state for state, after in TRANSITIONS.items() if State.SIGNED in after} == {
        State.SIMULATED,
        State.SUBMITTED,
    }


@pytest.mark.parametrize("start", list(State))
def test_nothing_goes_where_the_table_does_not_lead(start: State) -> None:
    at = replace(entry(), state=start)
    for state in State:
        if state in TRANSITIONS[start]:
            assert at.to(state).state is state
        else:
            with pytest.raises(ValueError, match="cannot go"):
                at.to(state)


def test_the_outcome_survives_the_end_and_not_an_undoing() -> None:
    landed = entry().to(State.SUBMITTED).to(State.LANDED)
    assert landed.to(State.FINAL).outcome is State.LANDED
    assert landed.to(State.SUBMITTED).outcome is None


def test_an_entry_lives_until_two_blocks_after_its_last_one() -> None:
    one = entry()
    assert [one.alive(BlockNumber(n)) for n in (103, 105, 106)] == [True, True, False]


# --- disk ----------------------------------------------------------------------------------------------------------


def test_what_is_read_is_what_was_written(path: Path, journal: Journal) -> None:
    first = entry().to(State.SUBMITTED).to(State.LANDED, fate=Fate(BlockNumber(102), Hash("0xb"), Hash("0xt")))
    second = replace(entry("two", 8), reason="Healthy")
    clearing = replace(entry("clear", 9), variants=(Variant(Hash("0xc"), b"\x02", BlockNumber(5), None),))
    journal.write([first, second, clearing], [line(), line().reversed()], {EOA: 8})
    again = Journal(path, CHAIN)
    assert {one.id: one for one in again.open()} == {one.id: one for one in (first, second, clearing)}
    assert again.find("two") == second
    assert again.find("three") is None
    assert again.sharing(EOA, 7) == [first]
    assert again.nonces() == {EOA: 8}
    assert again.lines() == [line(), line().reversed()]
    assert again.lines("two") == []
    assert again.total() == 0
    journal.write([first.to(State.FINAL)])
    assert {one.id for one in again.open()} == {"two", "clear"}
    assert again.find("one") == first.to(State.FINAL)
    again.close()


def test_variants_are_added_and_never_changed(journal: Journal) -> None:
    one = entry()
    journal.write([one])
    other = Variant(Hash("0xff"), b"\x02other", BlockNumber(104), None)
    journal.write([replace(one, variants=(replace(one.variants[0], raw=b"forged"), other))])
    found = journal.find("one")
    assert found is not None
    assert found.variants == (one.variants[0], other)


def test_a_write_is_whole_or_not_at_all(journal: Journal) -> None:
    journal.write([entry()], [line()], {EOA: 7})
    broken = replace(line(), gas_used=2**70)  # no column holds it
    with pytest.raises((StateCorrupt, OverflowError)):
        journal.write([entry("two")], [line("two"), broken], {EOA: 9})
    assert [one.id for one in journal.open()] == ["one"]
    assert journal.lines() == [line()]
    assert journal.nonces() == {EOA: 7}
    journal.write([entry("two")])  # and the next one works


def test_the_disk_is_waited_for_here_and_nowhere_else(path: Path, journal: Journal) -> None:
    """FULL is 2: every commit is fsynced. The books can be read again from the chain: NORMAL, 1."""
    store = Store(path, CHAIN)
    assert journal._db.execute("PRAGMA synchronous").fetchone() == (2,)
    assert store.db.execute("PRAGMA synchronous").fetchone() == (1,)
    store.close()


def test_rebuilding_books_touches_neither_journal_nor_ledger(path: Path, journal: Journal) -> None:
    store = Store(path, CHAIN)
    market = store.market("aave_v3", ZERO_ADDRESS)
    block = Block(BlockNumber(5), Hash("0x5"), Hash("0x4"), Timestamp(1), Wei(1), 1, 1)
    store.commit_bulk(market, 5, Book(), [], surveyed=5)
    store.anchor(block)
    store.save_checkpoint()
    journal.write([entry()], [line()], {EOA: 8})
    store.forget([market])
    store.restore_checkpoint(5)
    assert store.tail()[0].number == 5
    assert [one.id for one in journal.open()] == ["one"]
    assert journal.lines() == [line()]
    assert journal.nonces() == {EOA: 8}
    store.close()


def test_a_raw_transaction_is_in_no_repr() -> None:
    assert "raw" not in repr(entry())
    assert b"\x02raw".hex() not in repr(entry())


def test_bytes_of_long_ago_are_forgotten_and_nothing_else(journal: Journal) -> None:
    def done(name: str, block: int, state: State) -> Entry:
        one = entry(name)
        other = Variant(Hash(f"0x{block:064x}"), b"\x02newer", BlockNumber(104), plan("newer"))
        fate = Fate(BlockNumber(block), Hash("0xb"))
        return replace(one, variants=(*one.variants, other), state=state, outcome=State.MISSED, fate=fate)

    old, recent, pending = done("a", 10, State.FINAL), done("b", 99, State.FINAL), done("c", 10, State.MISSED)
    journal.write([old, recent, pending], [line("a")])
    journal.prune(50)
    first, last = old.variants
    found = journal.find("a")
    assert found == replace(old, variants=(replace(first, raw=b"", plan=None), replace(last, raw=b"")))
    assert (journal.find("b"), journal.find("c")) == (recent, pending)
    assert journal.lines() == [line("a")]


# --- memory before disk --------------------------------------------------------------------------------------------


class Counting(Journal):
    """Counts its writes."""

    writes = 0

    def write(self, entries: Iterable[Entry], lines: Iterable[Line] = (), nonces: Mapping[Address, int] = {}) -> None:
        self.writes += 1
        super().write(entries, lines, nonces)


async def test_fifty_entries_are_one_write(path: Path) -> None:
    journal = Counting(path, CHAIN)
    records = Records(journal)

    async def one(i: int) -> bool:
        records.put(entry(f"n{i}", i))
        await records.saved()
        return journal.find(f"n{i}") is not None

    assert all(await asyncio.gather(*map(one, range(50))))
    assert journal.writes == 1
    await records.saved()
    assert journal.writes == 1  # nothing new
    journal.close()


async def test_a_waiter_that_is_cancelled_takes_nobody_along(path: Path) -> None:
    journal = Journal(path, CHAIN)
    records = Records(journal)
    records.put(entry())
    first, second = asyncio.create_task(records.saved()), asyncio.create_task(records.saved())
    await asyncio.sleep(0)
    first.cancel()
    await second
    assert journal.find("one") is not None
    journal.close()


async def test_a_full_disk_keeps_everybody_waiting_and_loses_nothing(path: Path) -> None:
    journal = Journal(path, CHAIN)
    records = Records(journal)
    (pages,) = journal._db.execute("PRAGMA page_count").fetchone()
    journal._db.execute(f"PRAGMA max_page_count = {pages}")
    for number in range(40):
        one = entry(f"{number}")
        records.put(replace(one, variants=(replace(one.variants[0], raw=bytes(4_000)),)))
    with pytest.raises(StateUnwritable, match="full"):
        await records.saved()
    assert journal.open() == []
    records.put(entry("late"))
    journal._db.execute("PRAGMA max_page_count = 100000")
    await records.saved()
    assert {one.id for one in journal.open()} == {*map(str, range(40)), "late"}
    journal.close()


async def test_a_journal_that_cannot_be_written_ends_it(path: Path) -> None:
    journal = Journal(path, CHAIN)
    records = Records(journal)
    with sqlite3.connect(path) as other:
        other.execute("DROP TABLE variant")
    records.put(entry())
    with pytest.raises(StateCorrupt, match="cannot be written"):
        await records.saved()
    with pytest.raises(StateCorrupt):
        await records.saved()
    journal.close()


def test_memory_starts_as_the_disk_ended(path: Path) -> None:
    journal = Journal(path, CHAIN)
    journal.write([entry(), entry("two", 8).to(State.MISSED).to(State.FINAL)], [line()], {EOA: 8})
    records = Records(journal)
    assert list(records.entries) == ["one"]
    assert (records.total, records.nonces) == (5, {EOA: 8})
    assert records.known("two")
    assert not records.known("three")
    assert records.standing(entry()) == line()
    records.put(entry(), line().reversed())
    assert records.standing(entry()) is None
    assert records.total == 0
    journal.close()


# --- nothing without a simulation ----------------------------------------------------------------------------------


def made_in(name: str) -> set[str]:
    """The modules of keeper that call something of that name."""
    package = Path(keeper.__file__).parent
    found = set()
    for source in package.rglob("*.py"):
        for node in ast.walk(ast.parse(source.read_text())):
            if isinstance(node, ast.Call) and getattr(node.func, "id", getattr(node.func, "attr", "")) == name:
                found.add(source.relative_to(package).as_posix())
    return found


def test_only_a_simulation_leads_to_a_submission() -> None:
    """Nobody else in the program makes any of the three."""
    assert made_in("Simulated") == made_in("Passed") == made_in("Submission") == {"executor/simulate.py"}


def passed() -> Passed:
    tx = Transaction(CHAIN, 7, Wei(1), Wei(2), 21_000, EOA, b"")
    sim = Simulated(BlockNumber(1), 1, Wei(1), Amount(1))
    return Passed(EOA, tx, BlockNumber(2), Bps(0), sim, Wei(1), (), seal=simulate._SEAL)


def test_a_pass_cannot_be_forged() -> None:
    with pytest.raises(TypeError, match="only a simulation"):
        Passed(EOA, passed().tx, BlockNumber(2), Bps(0), passed().sim, Wei(1), (), seal=object())
    with pytest.raises((TypeError, ValueError)):
        replace(passed(), tx=replace(passed().tx, gas=1))  # type: ignore[call-arg]


def test_what_leaves_is_what_passed() -> None:
    private = PrivateKey(b"\x01" * 32)
    sender, window = address_of(private.public_key), Window(BlockNumber(2), BlockNumber(3))
    good = sign(passed().tx, private, sender)
    assert passed().submission("one", good.raw, good.hash, window, 1.0, 1).raw_txs == (good.raw,)
    other = sign(replace(passed().tx, gas=22_000), private, sender)
    with pytest.raises(SignerError, match="not what was simulated"):
        passed().submission("one", other.raw, other.hash, window, 1.0, 1)
