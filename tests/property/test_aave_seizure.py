"""Intervals against trying every amount; seizure against exact rational arithmetic."""

from dataclasses import replace
from fractions import Fraction
from itertools import pairwise

from hypothesis import given, settings
from hypothesis import strategies as st

from keeper.core.units import BPS, RAY
from keeper.protocols.aave_v3 import seizure as s
from keeper.protocols.aave_v3.intervals import accepted_intervals, accepts, first_cover_seizing
from keeper.protocols.aave_v3.profiles import PROFILES, Profile
from keeper.protocols.aave_v3.seizure import LiquidationTerms

ALL = list(PROFILES.values())
PROFILE = st.sampled_from(ALL)


@st.composite
def small_terms(draw: st.DrawFn) -> LiquidationTerms:
    """Accounts of a few hundred units, worth thousands of dollars each at most, so that every rule is in play."""
    collateral, debt = draw(st.integers(0, 400)), draw(st.integers(1, 400))
    cp, dp = (draw(st.integers(1, 60) | st.integers(10**8, 5 * 10**11)) for _ in range(2))
    cu, du = (draw(st.sampled_from([1, 10])) for _ in range(2))
    index = st.integers(RAY, 5 * RAY)
    terms = LiquidationTerms(
        collateral_scaled=collateral,
        collateral_index=draw(index),
        collateral_price=cp,
        collateral_unit=cu,
        bonus=draw(st.sampled_from([10001, 10500, 11500, 20000])),
        protocol_fee=draw(st.sampled_from([0, 1000, 10000])),
        debt_scaled=debt,
        debt_index=draw(index),
        debt_price=dp,
        debt_unit=du,
        total_collateral=0,
        total_debt=draw(st.integers(0, 10**15)),
        health_factor=draw(st.sampled_from([0, 95 * 10**16, 95 * 10**16 + 1, 10**18 - 1])),
        liquidity=draw(st.sampled_from([0, 1, 10, 150, 10**9])),
        stable_debt=0,
    )
    own = max(p.collateral_balance(collateral, terms.collateral_index) * cp // cu for p in ALL)
    return replace(terms, total_collateral=own + draw(st.sampled_from([0, 0, 1, 10**12])))


@given(terms=small_terms(), stable=st.integers(0, 100), profile=PROFILE, wrapped=st.booleans())
@settings(max_examples=300, deadline=None)
def test_intervals_are_exactly_the_accepted_amounts(
    terms: LiquidationTerms, stable: int, profile: Profile, *, wrapped: bool
) -> None:
    if profile.stable_debt:
        terms = replace(terms, stable_debt=stable, debt_scaled=terms.debt_scaled if stable % 2 else 0)
    found = accepted_intervals(profile, terms, wrapped=wrapped)
    inside = {x for low, high in found for x in range(low, high + 1)}
    tried = {x for x in range(1, s.max_cover(profile, terms) + 1) if accepts(profile, terms, x, wrapped=wrapped)}
    assert inside == tried
    assert all(high + 1 < low for (_, high), (low, _) in pairwise(found))


@st.composite
def any_terms(draw: st.DrawFn) -> LiquidationTerms:
    """Accounts of every size, decimals from 0 to 24."""
    amount, price, index = st.integers(1, 10**30), st.integers(1, 10**14), st.integers(RAY, 100 * RAY)
    unit = st.integers(0, 24).map(lambda decimals: 10**decimals)
    return LiquidationTerms(
        collateral_scaled=draw(amount),
        collateral_index=draw(index),
        collateral_price=draw(price),
        collateral_unit=draw(unit),
        bonus=draw(st.integers(10001, 20000)),
        protocol_fee=draw(st.integers(0, 10000)),
        debt_scaled=draw(amount),
        debt_index=draw(index),
        debt_price=draw(price),
        debt_unit=draw(unit),
        total_collateral=draw(st.integers(0, 10**40)),
        total_debt=draw(st.integers(0, 10**40)),
        health_factor=draw(st.integers(0, 10**18 - 1)),
        liquidity=draw(st.integers(0, 10**33)),
    )


@given(terms=any_terms(), profile=PROFILE, share=st.fractions(0, 1))
@settings(deadline=None)
def test_the_account_never_loses_more_than_the_rounding_allows(
    terms: LiquidationTerms, profile: Profile, share: Fraction
) -> None:
    cover = int(share * s.max_cover(profile, terms))
    taken = s.seizure(profile, terms, cover)
    balance = s.collateral_balance(profile, terms)
    assert 0 <= taken.repaid <= cover
    assert taken.fee >= 0
    assert taken.received >= 0
    assert taken.seized <= balance
    per_debt = Fraction(
        terms.debt_price * terms.collateral_unit * terms.bonus, terms.collateral_price * terms.debt_unit
    )
    if taken.seized < balance:
        exact = per_debt * taken.repaid / BPS
        assert taken.seized <= exact + (0 if profile.version == "3.7" else Fraction(1, 2))
    bonus_part = taken.seized - Fraction(taken.seized * BPS, terms.bonus)
    assert taken.fee <= bonus_part + 2


@given(terms=any_terms(), profile=PROFILE, low=st.fractions(0, 1), high=st.fractions(0, 1))
@settings(deadline=None)
def test_a_larger_cover_never_seizes_less(
    terms: LiquidationTerms, profile: Profile, low: Fraction, high: Fraction
) -> None:
    top = s.max_cover(profile, terms)
    small, large = (s.seizure(profile, terms, int(share * top)) for share in sorted((low, high)))
    assert small.seized <= large.seized
    assert small.received <= large.received
    assert small.fee <= large.fee


@given(terms=any_terms(), profile=PROFILE, target=st.integers(1, 10**36))
@settings(deadline=None)
def test_the_inverse_of_wanting_is_the_first_amount(terms: LiquidationTerms, profile: Profile, target: int) -> None:
    first = first_cover_seizing(profile, terms, target)
    assert s.wanted_collateral(profile, terms, first) >= target > s.wanted_collateral(profile, terms, first - 1)


@given(terms=any_terms(), profile=PROFILE, wrapped=st.booleans())
@settings(deadline=None)
def test_ends_of_intervals_are_accepted_and_their_neighbours_are_not(
    terms: LiquidationTerms, profile: Profile, *, wrapped: bool
) -> None:
    top = s.max_cover(profile, terms)
    found = accepted_intervals(profile, terms, wrapped=wrapped)
    for low, high in found:
        assert 1 <= low <= high <= top
        assert accepts(profile, terms, low, wrapped=wrapped)
        assert accepts(profile, terms, high, wrapped=wrapped)
        assert low == 1 or not accepts(profile, terms, low - 1, wrapped=wrapped)
        assert high == top or not accepts(profile, terms, high + 1, wrapped=wrapped)


@given(terms=any_terms(), profile=PROFILE)
@settings(deadline=None)
def test_what_is_settled_fits_in_the_account(terms: LiquidationTerms, profile: Profile) -> None:
    settled = s.settle(profile, terms, 10**60)
    used = sum(
        profile.collateral_scaled(part, terms.collateral_index) for part in (settled.received, settled.protocol_fee)
    )
    assert used <= terms.collateral_scaled
    assert settled.paid + settled.bad_debt <= s.debt_balance(profile, terms)
