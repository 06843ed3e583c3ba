"""Whose word counts, and what is not understood: logs that nobody should believe, and positions that do not add up."""

from collections.abc import Sequence

import msgspec
import pytest
from eth_abi.abi import encode

from keeper.core.book import Book
from keeper.core.events import Block, Log
from keeper.core.units import Address, BlockNumber, Hash, Timestamp, Wei
from keeper.protocols.morpho_blue import irm, topics
from keeper.protocols.morpho_blue.adapter import MorphoBlue
from keeper.protocols.morpho_blue.facts import ADAPTIVE, COLLATERAL, DEBT, VIEWED, Listing, State

MORPHO, MODEL, FEED, OTHER, LOAN, HELD, ORACLE, OWNER = (Address("0x" + f"{n:02x}" * 20) for n in range(0xA1, 0xA9))
ID = "0x" + "1d" * 32
BLOCK = Block(BlockNumber(9), Hash("0x"), Hash("0x"), Timestamp(2_000), Wei(0), 0, 0)
STATE = State(10**12, 10**18, 8 * 10**11, 8 * 10**17, 1_000, 0)
TARGET = 10**9


def log(speaker: Address, topic: str, *rest: object, marks: Sequence[str] = (ID,)) -> Log:
    """A log of words; addresses and integers."""
    data = encode(["uint256"] * len(rest), [int(one, 16) if isinstance(one, str) else one for one in rest])
    return Log(speaker, (topic, *marks), "0x" + data.hex(), "0x9", Hash("0x"), Hash("0x"), "0x0", "0x0")


def word(address: Address) -> str:
    return f"0x{address[2:]:0>64}"


def pledged(speaker: Address, assets: int, topic: str = topics.SUPPLY_COLLATERAL) -> Log:
    if topic == topics.SUPPLY_COLLATERAL:
        return log(speaker, topic, assets, marks=(ID, word(OTHER), word(OWNER)))
    return log(speaker, topic, OTHER, assets, marks=(ID, word(OWNER), word(OTHER)))


@pytest.fixture
def market() -> tuple[MorphoBlue, Book]:
    """A market that was surveyed, followed by an adaptive rate model."""
    book = Book()
    book.learn("listing", ID, Listing(0, LOAN, HELD, ORACLE, MODEL, 86 * 10**16))
    book.learn("state", ID, STATE)
    book.learn("target", ID, TARGET)
    book.learn("irm", MODEL, ADAPTIVE)
    book.learn("feed", OTHER, FEED)
    return MorphoBlue(MORPHO, []), book


def test_only_morpho_tells_of_positions(market: tuple[MorphoBlue, Book]) -> None:
    adapter, book = market
    before = book.digest()
    for speaker in (FEED, MODEL, OTHER):
        adapter.apply(book, [pledged(speaker, 10**18), log(speaker, topics.SET_FEE, 10**17)], BLOCK)
    assert book.digest() == before
    adapter.apply(book, [pledged(MORPHO, 10**18)], BLOCK)
    row = book.row(Address(f"{OWNER}:{ID}"))
    assert row is not None
    assert book.amount(row, COLLATERAL) == 10**18


def test_only_the_markets_own_model_tells_its_rate(market: tuple[MorphoBlue, Book]) -> None:
    adapter, book = market
    rate, end = irm.borrow_rate(STATE, TARGET, 1_000)
    adapter.apply(book, [log(OTHER, topics.BORROW_RATE_UPDATE, 1, 2)], BLOCK)
    assert (book.fact("target", ID), book.fact("irm", MODEL)) == (TARGET, ADAPTIVE)
    adapter.apply(book, [log(MODEL, topics.BORROW_RATE_UPDATE, rate, end)], BLOCK)
    assert (book.fact("target", ID), book.fact("irm", MODEL)) == (end, ADAPTIVE)


@pytest.mark.parametrize(("off_rate", "off_target"), [(1, 0), (0, 1)])
def test_a_model_that_says_otherwise_is_viewed(market: tuple[MorphoBlue, Book], off_rate: int, off_target: int) -> None:
    adapter, book = market
    rate, end = irm.borrow_rate(STATE, TARGET, 1_000)
    adapter.apply(book, [log(MODEL, topics.BORROW_RATE_UPDATE, rate + off_rate, end + off_target)], BLOCK)
    assert book.fact("irm", MODEL) == VIEWED


def test_a_position_that_does_not_add_up_is_in_doubt(market: tuple[MorphoBlue, Book]) -> None:
    adapter, book = market
    adapter.apply(book, [pledged(MORPHO, 5), pledged(MORPHO, 6, topics.WITHDRAW_COLLATERAL)], BLOCK)
    row = book.row(Address(f"{OWNER}:{ID}"))
    assert row is not None
    assert book.amount(row, COLLATERAL) == 5
    assert set(book.facts("doubt")) == {f"{OWNER}:{ID}"}


def test_a_market_from_before_the_first_block_is_named(market: tuple[MorphoBlue, Book]) -> None:
    adapter, book = market
    unknown = "0x" + "ee" * 32
    stray = pledged(MORPHO, 5)
    topic, _, *rest = stray.topics
    adapter.apply(book, [msgspec.structs.replace(stray, topics=(topic, unknown, *rest))], BLOCK)
    assert "created before" in {one.subject: one.reason for one in adapter.quarantined(book)}[unknown]
    assert not len(book)


def test_a_liquidation_moves_position_and_totals(market: tuple[MorphoBlue, Book]) -> None:
    """Repaid one more than there is, as the contract may say, and the rest written off."""
    adapter, book = market
    row = book.open(Address(f"{OWNER}:{ID}"))
    book.set_amount(row, COLLATERAL, 100)
    book.set_amount(row, DEBT, STATE.borrow_shares)
    amounts = (STATE.borrow_assets + 1, STATE.borrow_shares - 7, 100, 0, 7)
    adapter.apply(book, [log(MORPHO, topics.LIQUIDATE, *amounts, marks=(ID, word(OTHER), word(OWNER)))], BLOCK)
    state = book.fact("state", ID)
    assert dict(book.positions(row)) == {}
    assert (state.borrow_assets, state.borrow_shares, state.supply_assets) == (0, 0, STATE.supply_assets)
