"""What stands behind a market is told when it changes, and exported: by real adapters, of facts that are ours."""

from collections.abc import Callable, Iterator

import pytest

from keeper.bench.market import asset, market
from keeper.core.units import RAD, Address
from keeper.indexer.market import Market
from keeper.ops.backing import Backings
from keeper.ops.metrics import Metrics
from keeper.protocols.aave_v3.adapter import AaveV3
from keeper.protocols.maker_clip.adapter import MakerClip
from keeper.protocols.maker_clip.facts import MarketParts, Vow
from tests.unit.ops_world import MARKET, healthy, logging_to_memory

DAI = Address("0x" + "da" * 20)
Logged = Callable[[], list[dict[str, object]]]


@pytest.fixture
def logged() -> Iterator[Logged]:
    with logging_to_memory() as lines:
        yield lines


@pytest.fixture
def lending() -> Market:
    return Market(AaveV3(MARKET), 0, 1, market("3.6", reserves=5), 9, 9, opened=True)


@pytest.fixture
def auctions(lending: Market) -> Market:
    book = type(lending.book)()
    book.learn("market", "", MarketParts(**dict.fromkeys(MarketParts.__struct_fields__, DAI)))
    return Market(MakerClip(MARKET), 0, 2, book, 9, 9, opened=True)


def told(lines: list[dict[str, object]], event: str) -> list[dict[str, object]]:
    return [line for line in lines if line["event"] == event]


def test_a_deficit_is_told_when_it_rises_and_when_it_is_paid(lending: Market, logged: Logged) -> None:
    backings, token = Backings(), asset(2)
    for amount in (None, 5 * 10**6, 5 * 10**6, 7 * 10**6, None):
        lending.book.learn("deficit", token, amount)
        backings.look([lending])
    lines = told(logged(), "market.backing")
    assert [line.get("deficit") for line in lines] == ["5000000", "7000000"]
    assert {line["asset"] for line in lines} == {token}
    assert [line["amount"] for line in told(logged(), "bad_debt.detected")] == ["2000000"]
    assert backings.now == {}


def test_a_fund_is_told_when_it_has_moved_by_a_hundredth(auctions: Market, logged: Logged) -> None:
    backings = Backings()
    for surplus in (1_000_000, 1_000_001, 1_009_999, 1_010_000, 1_000_000, 0):
        auctions.book.learn("vow", "", Vow(surplus * RAD, 0, 0, 0))
        backings.look([auctions])
    funds = [int(str(line["fund"])) // 10**18 for line in told(logged(), "market.backing")]
    assert funds == [1_000_000, 1_010_000, 0]


def test_a_market_that_was_not_surveyed_says_nothing(lending: Market, logged: Logged) -> None:
    lending.book.learn("deficit", asset(1), 9)
    lending.surveyed = None
    backings = Backings()
    backings.look([lending])
    assert (backings.now, backings.whole, logged()) == ({}, {}, [])


def test_lines_of_one_block_are_few_and_the_rest_follows(logged: Logged) -> None:
    many = Market(AaveV3(MARKET), 0, 1, market("3.6", reserves=45), 9, 9, opened=True)
    for number in range(45):
        many.book.learn("deficit", asset(number), 1 + number)
    backings = Backings()
    for lines in (20, 40, 45, 45):
        backings.look([many])
        assert len(told(logged(), "market.backing")) == lines


def test_whole_tokens_are_exported(lending: Market, logged: Logged) -> None:
    token = asset(2)
    unit = lending.adapter.assets(lending.book)[token].unit
    lending.book.learn("deficit", token, 5 * unit // 2)
    backings, status = Backings(), healthy()
    status.backing = lambda: backings.whole
    backings.look([lending])
    text = Metrics(status).scrape().decode()
    labels = f'asset="{token}",kind="deficit",market="{MARKET}",protocol="aave_v3"'
    assert f"keeper_market_backing{{{labels}}} 2.5" in text
    assert logged()
