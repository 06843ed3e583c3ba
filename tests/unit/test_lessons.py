"""What outcomes and simulations teach, and what headers say of a rollup's base fee."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from keeper.core.actions import Settlement
from keeper.core.journal import Entry, Fate, State, Variant
from keeper.core.plans import Estimate, Funding, FundingKind, Leg, Plan
from keeper.core.units import ZERO_ADDRESS, Address, Amount, BlockNumber, Bps, Hash, Wei
from keeper.estimator.bid import BidBook
from keeper.estimator.gas import ETHEREUM, FeeRule, Shape
from keeper.estimator.lessons import Lessons, bid_key
from keeper.store.journal import Journal

EOA, WETH, LINK = Address("0x" + "e0" * 20), Address("0x" + "e1" * 20), Address("0x" + "e2" * 20)


def leg(asset: Address, paid: int) -> Leg:
    taken = Settlement(Amount(paid), Amount(1), Amount(0))
    loan = Funding(FundingKind.OWN, ZERO_ADDRESS, Amount(paid), Amount(paid), Amount(0))
    return Leg("aave_v3", EOA, EOA, asset, WETH, Amount(paid), taken, receive_wrapped=False, funding=loan, swaps=())


def plan(name: str, *legs: Leg) -> Plan:
    money, block = Estimate(*[Wei(1)] * 9), BlockNumber(10)
    return Plan(name, block, block, legs, (), WETH, Amount(1), Bps(9), 1, Wei(1), Wei(1), money)


def ended(name: str, state: State, block: int = 11, **changes: Any) -> Entry:
    variant = Variant(Hash("0x" + name.encode().hex().zfill(64)), b"", BlockNumber(10), plan(name, leg(LINK, 5)))
    entry = Entry(name, EOA, block).to(State.SIMULATED).to(State.SIGNED, variants=(variant,)).to(State.SUBMITTED)
    return entry.to(state, fate=Fate(BlockNumber(block), Hash("0x" + "22" * 32)), **changes)


def test_the_largest_leg_decides_whose_share_is_learned() -> None:
    assert bid_key([leg(WETH, 3), leg(LINK, 4), leg(WETH, 2)], "titan") == ("aave_v3", LINK, "titan")


def test_losing_raises_the_share_winning_lowers_it_and_missing_says_nothing() -> None:
    key = bid_key([leg(LINK, 5)], "")
    start = Lessons()
    outbid, won = start.ended(ended("a", State.OUTBID)), start.ended(ended("a", State.LANDED))
    assert won.bids.beta(key) < start.bids.beta(key) < outbid.bids.beta(key)
    for state in (State.MISSED, State.REVERTED, State.SUPERSEDED):
        assert start.ended(ended("a", state)) == start
    assert start.ended(replace(ended("a", State.OUTBID), variants=())) == start


def test_simulations_teach_the_gas_of_a_shape() -> None:
    known = plan("a", leg(LINK, 5))
    lessons = Lessons().used(known, 500_000)
    assert lessons.gas.gas(Shape.of(known.legs)) == 500_000


def test_lessons_are_the_same_after_a_restart(tmp_path: Path) -> None:
    states = [State.OUTBID, State.LANDED, State.LANDED, State.OUTBID, State.MISSED, State.LANDED]
    entries = [ended(f"n{i}", state, 100 + i) for i, state in enumerate(states)]
    before = Lessons(bids=BidBook(start=Bps(3_000)))
    journal = Journal(tmp_path / "s", 1)
    for entry in entries:
        before = before.ended(entry)
        journal.write([entry.to(State.FINAL)])
    after = Lessons(bids=BidBook(start=Bps(3_000)))
    for entry in journal.ended(100):
        after = after.ended(entry)
    assert after == before
    assert [entry.id for entry in journal.ended(2)] == ["n4", "n5"]
    journal.close()


@pytest.mark.parametrize(
    ("extra", "rule"),
    [
        ("0x" + "00" + "000000fa" + "00000006", FeeRule(6, 250, in_header=True)),  # Holocene
        ("0x" + "01" + "00000032" + "00000003" + "00000000000f4240", FeeRule(3, 50, Wei(10**6), in_header=True)),
        ("0x" + "00" + "00000000" + "00000006", FeeRule(in_header=True)),  # zero: the chain's own
        ("0x" + "01" + "000000fa" + "00000006", FeeRule(in_header=True)),  # a version of another length
        ("0x", FeeRule(in_header=True)),
        ("", FeeRule(in_header=True)),
    ],
)
def test_an_op_stack_header_says_how_the_base_fee_moves(extra: str, rule: FeeRule) -> None:
    assert FeeRule(in_header=True).at(extra) == rule
    assert ETHEREUM.at(extra) == ETHEREUM
