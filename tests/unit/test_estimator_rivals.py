"""What is learned of rivals: how auctions ended for others, bounded, in order, and found again after a restart."""

import random
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

from keeper.core.actions import Style
from keeper.core.outlook import Liquidated
from keeper.core.refusals import Reason
from keeper.core.units import Address, BlockNumber, Hash, Timestamp, Wei
from keeper.estimator.guards import Refusal
from keeper.estimator.lessons import Lessons
from keeper.estimator.patience import weigh
from keeper.estimator.risk import Breaker, Phase
from keeper.estimator.rivals import LARGEST, Offered, RivalBook
from keeper.estimator.timing import Moment, Rivals, best_moment, expected
from keeper.estimator.world import Risk
from keeper.rivalry import Rivalry
from keeper.store.endings import Endings
from keeper.store.store import Store
from tests.unit.estimator_world import ACCOUNT, CAP, DEEP, MARKET, WBTC_TOKEN, WETH_TOKEN, Pair, candidate, world
from tests.unit.ops_world import logging_to_memory

WETH, WBTC = Offered(MARKET, WETH_TOKEN), Offered(MARKET, WBTC_TOKEN)
NOW = world().timestamp
US, THEM = Address("0x" + "05" * 20), Address("0x" + "06" * 20)


def test_worked_numbers_of_waiting() -> None:
    """R18: nothing is waited for where a rival breaks even earlier; a borrower's habit of topping up lowers the value.

    Nineteen that ended at 400, none before: of a hundred now and 160 in 90 s, 19 of 20 parts are left, 152.
    """
    book = RivalBook()
    for _ in range(19):
        book = book.learn(WETH, 400)
    now, later = Moment(Timestamp(0), Wei(100), 0), Moment(Timestamp(90), Wei(160), 50)
    assert expected(now, later, book.of(WETH)) == 152
    assert best_moment((now, later), book.of(WETH)) == later
    assert best_moment((now, later), book.of(WBTC)) == now, "of another asset nothing is known"
    assert best_moment((now, later), Rivals((400,) * 19, Timestamp(90), 19)) == now
    assert expected(now, later, Rivals((400,) * 19, None, 19, 20)) == 160 * 19 * 20 // (20 * 40)
    quick = book
    for _ in range(32):
        quick = quick.learn(WETH, 40)
    assert best_moment((now, later), quick.of(WETH)) == now, "the newest count"


def test_the_book_is_bounded_and_of_the_newest() -> None:
    book = RivalBook(newest=3, size=2)
    for margin in (-5, 1, 2, 10**9):
        book = book.learn(WETH, margin)
    assert book.ended == {WETH: (1, 2, LARGEST)}
    other = Offered(US, WETH_TOKEN)
    for what in (WBTC, WETH, other):
        book = book.learn(what, 7)
    assert book.ended == {WETH: (2, LARGEST, 7), other: (7,)}


def test_what_was_learned_is_found_again(tmp_path: Path, seed: int) -> None:
    draw, lessons = random.Random(seed), Lessons()
    with closing(Store(tmp_path / "s", 1)) as store:
        endings = Endings(store)
        for _ in range(100):
            what = draw.choice([WETH, WBTC])
            lessons = lessons.outdone(what, draw.randrange(20_000))
            endings.write({what: lessons.rivals.ended[what]})
    with closing(Store(tmp_path / "s", 1)) as store:
        assert Endings(store).load() == lessons.rivals.ended


def test_a_full_disk_is_said_and_no_more(tmp_path: Path) -> None:
    with closing(Store(tmp_path / "s", 1)) as store, logging_to_memory() as lines:
        endings = Endings(store)
        (pages,) = store.db.execute("PRAGMA page_count").fetchone()
        store.db.execute(f"PRAGMA max_page_count = {pages}")
        endings.write({Offered(MARKET, Address(f"0x{n:040x}")): (n,) * 32 for n in range(500)})
        (line,) = lines()
        assert (line["event"], line["table"]) == ("store.write_failed", "rival")
        assert endings.load() == {}


def told(account: Address, liquidator: Address) -> Liquidated:
    nobody = Hash("0x")
    return Liquidated(account, WETH_TOKEN, WBTC_TOKEN, 1, 1, liquidator, nobody, BlockNumber(1))


def falling(at: int) -> Pair:
    """An auction that gives ten basis points more away with every block."""
    return Pair(((CAP, CAP),), bonus=10_200 + 10 * ((at - NOW) // 12), fee=0, style=Style.CLIP)


def weighed(blocks: int = 40, **changes: Any) -> Refusal | None:
    """What is said at the first of some blocks, after auctions that ended as ``margins`` says."""
    book, margins = RivalBook(), changes.pop("margins")
    for margin in margins:
        book = book.learn(WETH, margin)
    policy = replace(world().policy, patience=changes.pop("patience", 8))
    here = world(DEEP, rivals=book, policy=policy, base_fee=Wei(10**9), **changes)
    steps = weigh(here, candidate(falling(NOW)), lambda at: [falling(at)], range(NOW + 12, NOW + 12 * blocks, 12))
    while True:
        try:
            next(steps)
        except StopIteration as stop:
            refusal: Refusal | None = stop.value
            return refusal


def test_an_auction_is_waited_for_when_rivals_leave_it_and_only_then() -> None:
    told = weighed(margins=(10_000,) * 19)
    assert told is not None
    assert told.reason is Reason.WAITING
    assert told.term.endswith(f"expected at {NOW + 12 * 39}"), "the last block that there is"
    told = weighed(margins=(400,) * 19)
    assert told is not None
    assert told.term.endswith(f"expected at {NOW + 12 * 19}"), "the last one below 400 basis points"
    assert weighed(margins=(200,) * 19) is None, "now is as much as anybody waited for"
    assert weighed(margins=(10_000,) * 7) is None, "seven are hardly a habit"
    assert weighed(margins=(10_000,) * 19, patience=0) is None
    assert weighed(margins=(10_000,) * 19, blocks=1) is None, "there is no later block"
    shut = Risk(breaker=Breaker(phase=Phase.OPEN, opened_at=Timestamp(NOW), wait=60))
    assert weighed(margins=(10_000,) * 19, risk=shut) is None, "the breaker is the reason, not patience"


def test_only_auctions_of_others_that_were_on_offer_teach() -> None:
    rivalry, auction, position = Rivalry(), candidate(falling(NOW)), candidate(account=THEM)
    rivalry.look([auction, position], {auction.who, position.who})
    done = [told(ACCOUNT, THEM), told(ACCOUNT, US), told(THEM, THEM), told(US, THEM)]
    assert list(rivalry.endings(MARKET, done, US)) == [(WETH, 200)]
    assert list(rivalry.endings(WETH_TOKEN, done, US)) == [], "the same key in another market is another"
    resting = replace(auction, actions=[Reason.RESET])
    rivalry.look([resting], {auction.who})
    assert list(rivalry.endings(MARKET, done[:1], US)) == [(WETH, 200)], "as it was before it had to be reset"
    rivalry.look([], set())
    assert list(rivalry.endings(MARKET, done, US)) == []
