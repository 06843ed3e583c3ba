"""Roundings against exact rational arithmetic."""

from collections.abc import Callable
from fractions import Fraction
from math import ceil, floor

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keeper.core.units import BPS, RAY, WAD
from keeper.protocols.aave_v3 import maths

AMOUNT = st.integers(0, 2**128 - 1)
FACTOR = st.integers(1, 2**128 - 1)
RATE = st.integers(0, 10 * RAY)
SECONDS = st.integers(0, 10 * maths.SECONDS_PER_YEAR)


def half_up(x: Fraction) -> int:
    return floor(x + Fraction(1, 2))


PRODUCTS: list[tuple[Callable[[int, int], int], int, Callable[[Fraction], int]]] = [
    (maths.ray_mul_half_up, RAY, half_up),
    (maths.ray_mul_floor, RAY, floor),
    (maths.ray_mul_ceil, RAY, ceil),
    (maths.percent_mul_half_up, BPS, half_up),
    (maths.percent_mul_floor, BPS, floor),
    (maths.percent_mul_ceil, BPS, ceil),
]


# A half over an odd divisor does not exist, so that half a divisor cut to an integer is still an exact half-up.
QUOTIENTS: list[tuple[Callable[[int, int], int], int, Callable[[Fraction], int]]] = [
    (maths.ray_div_half_up, RAY, half_up),
    (maths.ray_div_floor, RAY, floor),
    (maths.ray_div_ceil, RAY, ceil),
    (maths.wad_div_half_up, WAD, half_up),
    (maths.percent_div_half_up, BPS, half_up),
    (maths.percent_div_floor, BPS, floor),
    (maths.percent_div_ceil, BPS, ceil),
]


@pytest.mark.parametrize(("function", "one", "rounded"), PRODUCTS, ids=lambda x: getattr(x, "__name__", ""))
@given(a=AMOUNT, b=FACTOR)
def test_products(
    function: Callable[[int, int], int], one: int, rounded: Callable[[Fraction], int], a: int, b: int
) -> None:
    assert function(a, b) == rounded(Fraction(a * b, one))


@pytest.mark.parametrize(("function", "one", "rounded"), QUOTIENTS, ids=lambda x: getattr(x, "__name__", ""))
@given(a=AMOUNT, b=FACTOR)
def test_quotients(
    function: Callable[[int, int], int], one: int, rounded: Callable[[Fraction], int], a: int, b: int
) -> None:
    assert function(a, b) == rounded(Fraction(a * one, b))


@given(amount=AMOUNT, price=FACTOR, decimals=st.integers(0, 24))
def test_values(amount: int, price: int, decimals: int) -> None:
    exact = Fraction(amount * price, 10**decimals)
    assert maths.value_floor(amount, price, 10**decimals) == floor(exact)
    assert maths.value_ceil(amount, price, 10**decimals) == ceil(exact)


@given(rate=RATE, early=SECONDS, late=SECONDS)
def test_interest_never_shrinks_a_debt_and_grows_with_time(rate: int, early: int, late: int) -> None:
    early, late = sorted((early, late))
    for factor in (maths.linear_factor, maths.compound_factor_taylor, maths.compound_factor_x):
        assert RAY == factor(rate, 0) <= factor(rate, early) <= factor(rate, late)


@given(rate=st.integers(0, RAY), seconds=SECONDS)
def test_both_compound_factors_lie_between_simple_interest_and_the_exponential_series(rate: int, seconds: int) -> None:
    x = Fraction(rate * seconds, RAY * maths.SECONDS_PER_YEAR)
    series = 1 + x + x * x / 2 + x * x * x / 6
    for factor in (maths.compound_factor_taylor, maths.compound_factor_x):
        assert maths.linear_factor(rate, seconds) <= factor(rate, seconds) <= ceil(series * RAY) + 2 * (1 + ceil(x))
