"""Dutch auctions by hand: the published vectors, the clipper's two corrections, and the dog's partial barks."""

from dataclasses import replace
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace as changed

from keeper.core.refusals import Reason
from keeper.core.units import RAD, RAY, WAD, Address, Timestamp
from keeper.protocols.maker_clip import maths
from keeper.protocols.maker_clip.auction import Auction, Rules, Sale, Taken, reward
from keeper.protocols.maker_clip.bark import Barked, Kennel, bark
from keeper.protocols.maker_clip.curve import Curve, Shape

CALC = Address("0x" + "ca" * 20)
CURVE = Curve(Shape.STAIRSTEP, cut=99 * RAY // 100, step=90)
RULES = Rules(
    calc=CALC, curve=CURVE, buf=13 * RAY // 10, tail=10_800, cusp=4 * RAY // 10, chip=WAD // 1000, tip=250 * RAD,
    chost=7_500 * 113 * RAD // 100, stopped=0,
)  # fmt: skip
DEBT = 16_800
SALE = Sale(tab=DEBT * 113 * RAD // 100, usr=CALC, tic=1_000, top=2_000 * 13 * RAY // 10)
KENNEL = Kennel(
    live=True, rate=RAY, spot=1_000 * RAY, dust=7_500 * RAD, chop=113 * WAD // 100, hole=10**6 * RAD, dirt=0,
    total_hole=10**7 * RAD, total_dirt=0,
)  # fmt: skip


def auction(after: int, *, lot: int = 10 * WAD, sale: Sale = SALE, rules: Rules = RULES) -> Auction:
    return Auction(rules, sale, lot, Timestamp(sale.tic + after))


def test_the_published_price_curve() -> None:
    assert auction(900).price == 2_600 * pow(99, 10) * RAY // 100**10
    assert round(Decimal(auction(900).price) / RAY, 2) == Decimal("2351.39")
    assert auction(0).first_at(1_990 * RAY) == SALE.tic + 27 * 90
    assert auction(2_429).price > 1_990 * RAY >= auction(2_430).price
    assert round(Decimal(auction(2_430).price) / RAY, 2) == Decimal("1982.09")


def test_the_published_reset() -> None:
    assert not auction(8_279).needs_reset
    assert auction(8_280).needs_reset
    assert auction(0).reset_at() == SALE.tic + 8_280
    assert auction(0, rules=changed(RULES, cusp=0)).reset_at() == SALE.tic + 10_801


def test_the_published_reward_and_purchase() -> None:
    assert reward(RULES, SALE.tab) == 250 * RAD + 18_984 * RAD // 1000
    taken = auction(2_430).take(5 * WAD)
    assert isinstance(taken, Taken)
    assert (taken.bought, round(Decimal(taken.owe) / RAD, 2)) == (5 * WAD, Decimal("9910.46"))
    left = SALE.tab - taken.owe
    assert round(Decimal(left) / RAD, 2) == Decimal("9073.54")
    assert left >= RULES.chost == 8_475 * RAD


def test_no_more_is_paid_than_the_tab() -> None:
    taken = auction(2_430).take(10 * WAD)
    assert taken == Taken(SALE.tab // auction(2_430).price, SALE.tab)


def test_a_purchase_leaves_enough_for_an_auction() -> None:
    at = auction(2_430)
    taken = at.take(6 * WAD)
    assert taken == Taken((SALE.tab - RULES.chost) // at.price, SALE.tab - RULES.chost)
    small = changed(SALE, tab=RULES.chost)
    assert auction(2_430, sale=small).take(WAD) is Reason.DUST
    assert auction(2_430, sale=small, lot=WAD).take(WAD) == Taken(WAD, WAD * at.price)


@pytest.mark.parametrize(
    ("stopped", "after", "reason"), [(3, 0, Reason.PAUSED), (2, 8_280, Reason.RESET), (0, 10_801, Reason.RESET)]
)
def test_when_nothing_can_be_bought(stopped: int, after: int, reason: Reason) -> None:
    assert auction(after, rules=changed(RULES, stopped=stopped)).take(WAD) is reason


def test_a_reset_of_dust_pays_nothing() -> None:
    feed = 1_500 * RAY
    assert auction(8_280).reward(feed) == reward(RULES, SALE.tab)
    assert auction(8_280, lot=WAD).reward(feed) == 0
    assert auction(8_280, sale=changed(SALE, tab=RULES.chost - 1)).reward(feed) == 0


def test_all_of_an_urn_is_taken_when_there_is_room() -> None:
    due = DEBT * RAD
    assert bark(KENNEL, 10 * WAD, DEBT * WAD) == Barked(10 * WAD, DEBT * WAD, due, due * 113 // 100)


def test_a_part_of_an_urn_when_there_is_little_room() -> None:
    small = replace(KENNEL, hole=9_000 * RAD)
    part = 9_000 * RAD * WAD // RAY // KENNEL.chop
    found = bark(small, 10 * WAD, DEBT * WAD)
    assert found == Barked(10 * WAD * part // (DEBT * WAD), part, part * RAY, part * RAY * KENNEL.chop // WAD)
    assert bark(replace(small, dirt=9_000 * RAD), WAD, WAD) is Reason.FULL
    assert bark(replace(KENNEL, hole=8_000 * RAD), 10 * WAD, DEBT * WAD) is Reason.DUST
    assert isinstance(whole := bark(replace(KENNEL, hole=8_000 * RAD), 10 * WAD, 14_000 * WAD), Barked)
    assert whole.art == 14_000 * WAD, "what would be left is dust: all of it is taken"
    assert bark(replace(KENNEL, live=False), WAD, WAD) is Reason.INACTIVE


@given(st.integers(0, RAY), st.integers(1, 400))
def test_a_power_is_close_to_the_real_one(base: int, exponent: int) -> None:
    exact = base**exponent // RAY ** (exponent - 1)
    assert abs(maths.rpow_half_up(base, exponent) - exact) <= exponent, "half a unit a multiplication, and its echoes"


@given(st.integers(0, RAY))
def test_the_smallest_powers(base: int) -> None:
    assert maths.rpow_half_up(base, 0) == RAY
    assert maths.rpow_half_up(base, 1) == base
    assert maths.rpow_half_up(base, 2) == (base * base + RAY // 2) // RAY


CURVES = st.one_of(
    st.builds(lambda tau: Curve(Shape.LINEAR, tau=tau), st.integers(1, 20_000)),
    st.builds(
        lambda cut, step: Curve(Shape.STAIRSTEP, cut=cut, step=step),
        st.integers(RAY // 2, RAY - RAY // 10**6), st.integers(1, 600),
    ),
    st.builds(lambda cut: Curve(Shape.EXPONENTIAL, cut=cut), st.integers(RAY - RAY // 100, RAY - RAY // 10**6)),
)  # fmt: skip


@given(CURVES, st.integers(RAY, 10**5 * RAY), st.integers(0, 10**5 * RAY), st.integers(1, 20_000))
def test_the_first_second_that_is_cheap_enough(curve: Curve, top: int, most: int, within: int) -> None:
    found = curve.first(top, most, within)
    if found is None:
        assert curve.price(top, within) > most
    else:
        assert curve.price(top, found) <= most
        assert found == 0 or curve.price(top, found - 1) > most


@given(CURVES, st.integers(1, 10**4), st.integers(0, RAY), st.integers(1, 20_000))
def test_a_reset_is_due_from_its_first_second_on(curve: Curve, top: int, cusp: int, tail: int) -> None:
    rules = changed(RULES, curve=curve, cusp=cusp, tail=tail)
    it = auction(0, rules=rules, sale=changed(SALE, top=top * RAY))
    due = it.reset_at()
    assert replace(it, at=due).needs_reset
    assert due == SALE.tic or not replace(it, at=Timestamp(due - 1)).needs_reset
