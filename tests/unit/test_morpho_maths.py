"""Morpho's arithmetic against published vectors, and laws of choosing an amount."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from keeper.core.units import WAD
from keeper.protocols.morpho_blue import irm, liquidation, maths
from keeper.protocols.morpho_blue.facts import State
from keeper.protocols.morpho_blue.liquidation import Position

LIMITS = [
    (385, 1150000000000000000),
    (625, 1126760563380281690),
    (770, 1074113856068743286),
    (860, 1043841336116910229),
    (915, 1026167265264238070),
    (945, 1016776817488561260),
    (965, 1010611419909044972),
    (980, 1006036217303822937),
]


@pytest.mark.parametrize(("limit", "expected"), LIMITS)
def test_incentive(limit: int, expected: int) -> None:
    assert maths.incentive(limit * WAD // 1000) == expected


def test_compounding() -> None:
    assert maths.compounded(1_000_000_000, 86_400) == 86_403_732_587_495
    assert maths.compounded(3_170_979_198, 31_536_000) == 105_166_666_653_548_106


def test_exponential_is_close_and_clipped() -> None:
    """A second-order series within half a doubling: a few per cent off at worst."""
    for x, whole in ((0, 1.0), (WAD, 2.718281828), (-WAD, 0.367879441), (5 * WAD, 148.4131591)):
        assert abs(irm.exp(x) / WAD / whole - 1) < 0.01
    assert irm.exp(-42 * WAD) == 0
    assert irm.exp(94 * WAD) == irm.exp(200 * WAD)


@given(used=st.integers(0, WAD), target=st.integers(irm.LEAST, irm.MOST), seconds=st.integers(0, 400 * 86_400))
def test_rates_stay_within_their_bounds(used: int, target: int, seconds: int) -> None:
    state = State(WAD, WAD, used, used, 0, 0)
    mean, end = irm.borrow_rate(state, target, seconds)
    assert irm.LEAST <= end <= irm.MOST
    assert irm.LEAST // 4 - 1 <= mean <= 4 * irm.MOST
    assert (end - target) * (used - irm.TARGET) >= 0, "the rate moves toward what utilisation asks for"


@st.composite
def positions(draw: st.DrawFn) -> Position:
    """Positions below 1 in markets of any size and share price."""
    assets = draw(st.integers(1, 2**100))
    shares = draw(st.integers(max(assets * 10**3, 1), min(assets * 10**9, 2**127)))
    own = draw(st.integers(1, shares))
    collateral = draw(st.integers(1, 2**100))
    price = draw(st.integers(1, 2**120))
    factor = draw(st.sampled_from([maths.incentive(limit * WAD // 1000) for limit, _ in LIMITS]))
    return Position(collateral, own, price, factor, assets, shares, own, writes_off=True)


@settings(max_examples=60)
@given(position=positions(), share=st.fractions(0, 1))
def test_the_largest_call_for_a_payment(position: Position, share: float) -> None:
    """It costs no more than that, and asking for one unit more would cost more or revert."""
    seizing = liquidation.whole_by_seized(position)
    most = liquidation.most_paid(position, seizing=seizing)
    repay = int(most * share)
    found = liquidation.for_payment(position, repay, seizing=seizing)
    if found is None:
        return
    assert found.paid <= repay
    if seizing:
        more = liquidation.by_seized(position, found.seized + 1)
    else:
        more = liquidation.by_shares(position, found.shares + 1)
    assert more is None or more.paid > repay
    assert (more is None) <= (repay == most or found.seized == position.collateral or found.shares == position.shares)


@settings(max_examples=60)
@given(position=positions())
def test_the_whole_is_always_possible_one_way(position: Position) -> None:
    """Protocols.md D: the wrong choice reverts, the right one takes all collateral or clears all debt."""
    seizing = liquidation.whole_by_seized(position)
    if seizing:
        whole = liquidation.by_seized(position, position.collateral)
        assert whole is not None
        assert whole.seized == position.collateral
    else:
        whole = liquidation.by_shares(position, position.shares)
        assert whole is not None
        assert (whole.shares, whole.bad_debt) == (position.shares, 0)


@settings(max_examples=60)
@given(position=positions())
def test_the_least_payment_brings_something(position: Position) -> None:
    seizing = liquidation.whole_by_seized(position)
    most = liquidation.most_paid(position, seizing=seizing)
    least = liquidation.least_paid(position, most, seizing=seizing)
    if least <= most:
        found = liquidation.for_payment(position, least, seizing=seizing)
        before = liquidation.for_payment(position, least - 1, seizing=seizing)
        assert found is not None
        assert found.seized > 0
        assert before is None or before.seized == 0
