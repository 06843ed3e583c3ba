"""A stored reason for every account not liquidated, in a real state file, read by another process while keeper runs."""

import random
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest

from keeper.core.refusals import Reason, Skip
from keeper.core.units import Address, Who
from keeper.errors import StateCorrupt
from keeper.store.reasons import PLANNED, RECOVERED, Reasons, Why, why
from keeper.store.store import Store
from tests.unit.ops_world import ALICE, ASSET, BOB, MARKET, block, logging_to_memory

ASK = """
import sys
from pathlib import Path
from keeper.store.reasons import why
print(*(one.reason for one in why(Path(sys.argv[1]), sys.argv[2])))
"""


@pytest.fixture
def logged() -> Iterator[Callable[[], list[dict[str, object]]]]:
    with logging_to_memory() as lines:
        yield lines


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "keeper.sqlite"


@pytest.fixture
def store(path: Path) -> Iterator[Store]:
    with closing(Store(path, 1)) as made:
        yield made


def skip(
    account: Address, reason: Reason = Reason.UNPROFITABLE, term: str = "net -1 < 0", market: Address = MARKET
) -> Skip:
    return Skip(account, reason, term, market)


def known(found: list[Why]) -> tuple[str, str, int, int, str]:
    (why,) = found
    return why.reason, why.term, why.since, why.block, why.ended


def test_a_reason_lasts_changes_and_ends(store: Store, path: Path) -> None:
    reasons = Reasons(store)
    reasons.update(block(10), [skip(ALICE)])
    reasons.update(block(11), [skip(ALICE, term="net -2 < 0")])
    assert known(reasons.of(ALICE)) == ("unprofitable", "net -2 < 0", 10, 11, "")
    reasons.update(block(12), [skip(ALICE, Reason.NO_ROUTE, "WETH to TIX")])
    assert known(why(path, ALICE)) == ("no_route", "WETH to TIX", 12, 12, "")
    reasons.update(block(13), [])
    assert known(why(path, ALICE)) == known(reasons.of(ALICE)) == ("no_route", "WETH to TIX", 12, 13, RECOVERED)
    assert list(reasons.held()) == []


def test_who_was_planned_did_not_recover(store: Store) -> None:
    reasons = Reasons(store)
    reasons.update(block(10), [skip(ALICE), skip(BOB)])
    reasons.update(block(11), [], planned={(MARKET, BOB)})
    assert known(reasons.of(ALICE))[-1] == RECOVERED
    assert known(reasons.of(BOB))[-1] == PLANNED


def test_what_is_counted_and_listed_is_what_holds(store: Store) -> None:
    reasons = Reasons(store)
    reasons.update(block(9), [skip(BOB)])
    reasons.update(block(10), [skip(BOB), skip(ALICE, Reason.DUST)])
    assert reasons.counts() == {"unprofitable": 1, "dust": 1}
    assert [one.account for one in reasons.held()] == [BOB, ALICE]


def test_a_lasting_reason_is_written_now_and_then_and_at_the_end(store: Store, path: Path) -> None:
    reasons = Reasons(store, refresh=4)
    seen = []
    for number in range(10, 20):
        reasons.update(block(number), [skip(ALICE, term=str(number))])
        seen.append(known(why(path, ALICE))[1])
    assert seen == ["10"] * 4 + ["14"] * 4 + ["18"] * 2
    reasons.close()
    assert known(why(path, ALICE)) == ("unprofitable", "19", 10, 19, "")


def test_a_restart_goes_on_where_it_was(path: Path) -> None:
    with closing(Store(path, 1)) as first:
        Reasons(first).update(block(10), [skip(ALICE), skip(BOB)])
    with closing(Store(path, 1)) as again:
        reasons = Reasons(again)
        reasons.update(block(12), [skip(ALICE)])
        assert known(reasons.of(ALICE)) == ("unprofitable", "net -1 < 0", 10, 12, "")
        assert known(reasons.of(BOB))[-1] == RECOVERED


def test_the_file_agrees_with_a_plain_model_whatever_happens(store: Store, path: Path, seed: int) -> None:
    draw = random.Random(seed)
    everyone = [(market, Address(f"0x{place:040x}")) for place in range(6) for market in (MARKET, ASSET)]
    reasons, model = Reasons(store, refresh=1), dict[Who, tuple[str, int, int, str]]()
    for number in range(1, 120):
        refused = {
            who: draw.choice([Reason.DUST, Reason.NO_ROUTE]) for who in draw.sample(everyone, draw.randrange(12))
        }
        planned = set(draw.sample(everyone, 3)) - set(refused)
        skips = [skip(account, reason, market=market) for (market, account), reason in refused.items()]
        reasons.update(block(number), skips, planned)
        for who, (reason, since, _, ended) in list(model.items()):
            if who not in refused and not ended:
                model[who] = (reason, since, number, PLANNED if who in planned else RECOVERED)
        for who, now in refused.items():
            before = model.get(who)
            lasts = before is not None and before[0] == now.value and not before[3]
            model[who] = (now.value, before[1] if before is not None and lasts else number, number, "")
    found = {one.who: one for _, account in everyone for one in why(path, account)}
    assert {who: (one.reason, one.since, one.block, one.ended) for who, one in found.items()} == model
    assert all(reasons.of(account) == why(path, account) for _, account in everyone)


def test_rows_are_bounded_and_those_that_hold_stay_longest(store: Store) -> None:
    reasons = Reasons(store, limit=10)
    crowd = [Address(f"0x{place:040x}") for place in range(30)]
    reasons.update(block(1), [skip(ALICE)])
    for number, one in enumerate(crowd, start=2):
        reasons.update(block(number), [skip(ALICE), skip(one)])
    rows = {account for (account,) in store.db.execute("SELECT account FROM refusal")}
    assert len(rows) == 10
    assert rows > {ALICE, *crowd[-8:]}


def test_a_full_disk_stops_nothing_and_loses_nothing(
    store: Store, path: Path, logged: Callable[[], list[dict[str, object]]]
) -> None:
    reasons = Reasons(store)
    reasons.update(block(1), [skip(BOB)])
    (pages,) = store.db.execute("PRAGMA page_count").fetchone()
    store.db.execute(f"PRAGMA max_page_count = {pages}")
    crowd = [Address(f"0x{place:040x}") for place in range(500)]
    reasons.update(block(2), [skip(one, term="x" * 100) for one in crowd])
    assert why(path, crowd[0]) == []
    assert known(reasons.of(crowd[0]))[2] == 2
    (line,) = logged()
    assert (line["event"], line["rows"]) == ("store.write_failed", "501")
    assert "database or disk is full" in str(line["error"])
    assert known(reasons.of(BOB))[-1] == RECOVERED
    store.db.execute("PRAGMA max_page_count = 100000")
    reasons.update(block(3), [skip(one, term="x" * 100) for one in crowd[1:]])
    assert known(why(path, crowd[0]))[-1] == RECOVERED
    assert known(why(path, crowd[499]))[2:] == (2, 3, "")
    assert known(why(path, BOB))[-1] == RECOVERED


def test_another_process_asks_while_keeper_runs(store: Store, path: Path) -> None:
    Reasons(store).update(block(10), [skip(ALICE, Reason.NO_ROUTE, "WETH to TIX")])
    asked = subprocess.run([sys.executable, "-c", ASK, str(path), ALICE], capture_output=True, text=True, check=True)
    assert asked.stdout == "no_route\n"


def test_nobody_knows_an_account_that_was_never_refused(store: Store, path: Path) -> None:
    assert why(path, ALICE) == []  # a file of a keeper that never decided anything
    assert Reasons(store).of(ALICE) == []
    assert why(path, ALICE) == []


def test_what_is_no_state_file_is_said_to_be_none(tmp_path: Path) -> None:
    with pytest.raises(StateCorrupt, match="does not exist"):
        why(tmp_path / "nothing", ALICE)
    (tmp_path / "text").write_text("this is not a database, whatever its name says", encoding="utf-8")
    with pytest.raises(StateCorrupt, match="cannot be read"):
        why(tmp_path / "text", ALICE)


def test_reasons_live_beside_the_books_and_survive_a_restored_checkpoint(store: Store) -> None:
    reasons = Reasons(store)
    store.anchor(block(1))
    number = store.save_checkpoint()
    reasons.update(block(2), [skip(ALICE)])
    store.restore_checkpoint(number)
    assert store.db.execute("SELECT count(*) FROM refusal").fetchone() == (1,)
    with pytest.raises(sqlite3.IntegrityError), store.transaction() as db:
        db.execute("INSERT INTO refusal (account) VALUES (?)", (BOB,))


def test_one_address_in_two_markets_has_a_reason_in_each(store: Store, path: Path) -> None:
    reasons = Reasons(store)
    both = [skip(ALICE, Reason.DUST, "0"), skip(ALICE, Reason.NO_ROUTE, "WETH to TIX", ASSET)]
    reasons.update(block(10), both)
    assert [(one.market, one.reason) for one in why(path, ALICE)] == [(MARKET, "dust"), (ASSET, "no_route")]
    assert reasons.counts() == {"dust": 1, "no_route": 1}
    reasons.update(block(11), both[1:], planned={(MARKET, ALICE)})
    assert [(one.market, one.ended) for one in reasons.of(ALICE)] == [(MARKET, PLANNED), (ASSET, "")]
    reasons.update(block(12), [], planned={(MARKET, ALICE)})
    assert [one.ended for one in why(path, ALICE)] == [PLANNED, RECOVERED]


def test_a_file_whose_reasons_name_no_market_is_read_and_taken_over(store: Store, path: Path) -> None:
    store.db.execute("CREATE TABLE reason (account TEXT PRIMARY KEY)")
    store.db.execute("INSERT INTO reason VALUES (?)", (ALICE,))
    assert why(path, ALICE) == []
    Reasons(store).update(block(10), [skip(ALICE, Reason.DUST)])
    assert known(why(path, ALICE))[0] == "dust"
    assert not store.db.execute("SELECT 1 FROM sqlite_master WHERE name = 'reason'").fetchone()
