"""An account key with a pocket goes through everything that shows or stores it, whole."""

import json
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from keeper.cli import main
from keeper.core.book import Book
from keeper.core.journal import Entry, State, Variant
from keeper.core.refusals import Reason, Skip
from keeper.core.units import Address, BlockNumber, Hash, owner, pocket
from keeper.errors import Exit
from keeper.log_events import problems
from keeper.redact import redact_text
from keeper.store.journal import Journal
from keeper.store.reasons import Reasons
from keeper.store.store import Store
from tests.unit.ops_world import ASSET, MARKET, block
from tests.unit.test_lessons import leg, plan

WHO = Address("0x" + "ab" * 20)
KEY = Address(f"{WHO}:0x{'c3' * 32}")
CONFIG = """
[chain]
id = 1
rpc = ["http://127.0.0.1:1"]
[store]
path = "{path}"
"""


def test_owner_and_pocket_of_a_key() -> None:
    assert (owner(KEY), pocket(KEY)) == (WHO, "0x" + "c3" * 32)
    assert (owner(WHO), pocket(WHO)) == (WHO, "")


def test_a_log_line_keeps_the_pocket() -> None:
    line = {"ts": "2026-01-01T00:00:00.000000Z", "level": "info", "event": "opportunity.skipped", "run_id": "r"}
    whole = line | {"account": KEY, "reason": "dust", "term": ""}
    assert not problems(whole)
    assert problems(whole | {"account": WHO + ":"})
    assert redact_text(KEY) == KEY


def test_a_book_restores_keys_whole(tmp_path: Path) -> None:
    book = Book()
    book.set_amount(book.open(KEY), 3, 7)
    book.set_amount(book.open(WHO), 3, 8)
    with closing(Store(tmp_path / "state.sqlite", 1)) as store:
        market = store.market("any", WHO)
        store.commit_bulk(market, 5, book, book.take_changes())
        again = store.load(market, {})
    assert [again.account(row) for row in range(len(again))] == [KEY, WHO]
    assert again.digest() == book.digest()


def test_keeper_why_finds_the_pocket_and_not_its_neighbour(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path, config = tmp_path / "state.sqlite", tmp_path / "keeper.toml"
    config.write_text(CONFIG.format(path=path))
    with closing(Store(path, 1)) as store:
        reasons = Reasons(store)
        reasons.update(
            block(10), [Skip(KEY, Reason.DUST, "too small", MARKET), Skip(WHO, Reason.NO_ROUTE, "nobody", MARKET)]
        )
        reasons.flush()
    asked = f"0x{'AB' * 20}:0x{'c3' * 32}"
    assert main(["why", asked, "--config", str(config)]) == Exit.DONE
    assert capsys.readouterr().out == f"{KEY}: refused: dust, too small, in block 10, market {MARKET}\n"
    assert main(["why", f"{WHO}:", "--config", str(config)]) == Exit.USAGE


def test_keeper_why_tells_every_market_of_an_address(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path, config = tmp_path / "state.sqlite", tmp_path / "keeper.toml"
    config.write_text(CONFIG.format(path=path))
    with closing(Store(path, 1)) as store:
        skips = [Skip(WHO, Reason.DUST, "too small", MARKET), Skip(WHO, Reason.NO_ROUTE, "nobody", ASSET)]
        Reasons(store).update(block(10), skips)
    asked = ["why", WHO, "--config", str(config)]
    assert main([*asked, "--json"]) == Exit.DONE
    told = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [(one["market"], one["verdict"], one["reason"]) for one in told] == [
        (MARKET, "refused", "dust"), (ASSET, "refused", "no_route"),
    ]  # fmt: skip
    sent = replace(leg(WHO, 5), account=WHO, home=MARKET)
    variant = Variant(Hash("0x01"), b"\x02", BlockNumber(12), plan("o1", sent))
    with closing(Journal(path, 1)) as journal:
        journal.write([Entry("o1", WHO, 0, State.SUBMITTED, (variant,))])
    assert main([*asked, "--json"]) == Exit.DONE
    told = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [(one["market"], one["verdict"]) for one in told] == [(MARKET, "in flight"), (ASSET, "refused")]
    assert main(asked) == Exit.DONE
    assert capsys.readouterr().out.splitlines() == [
        f"{WHO}: in flight: opportunity o1, until block 12, market {MARKET}",
        f"{WHO}: refused: no_route, nobody, in block 10, market {ASSET}",
    ]
