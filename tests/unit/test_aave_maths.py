"""Golden vectors of interest and health, produced outside this repository from compiled libraries."""

import pytest

from keeper.core.units import MAX_U256, RAY, WAD
from keeper.protocols.aave_v3 import maths
from keeper.protocols.aave_v3.health import Account, Position, Rates, account_data, indexes
from keeper.protocols.aave_v3.profiles import PROFILES, Profile

ALL = list(PROFILES.values())
FLOORED = [p for p in ALL if p.version <= "3.4"]
EXACT = [p for p in ALL if p.version >= "3.5"]

COMPOUND = [
    (50000000000000000000000000, 12, 1000000019025875356168052316, 1000000019025875371250716427),
    (50000000000000000000000000, 86400, 1000136995684207123907444230, 1000136995684421674802557900),
    (300000000000000000000000000, 31536000, 1349495384486012758327936000, 1349500000000000000000000000),
    (35000000000000000000000000, 3, 1000000003329528161990534166, 1000000003329528163838160467),
    (123456789012345678901234567, 1, 1000000003914789098564994891, 1000000003914789106227781744),
    (10**27, 0, RAY, RAY),
]


@pytest.mark.parametrize("profile", ALL, ids=lambda p: p.version)
@pytest.mark.parametrize(("rate", "seconds", "taylor", "x"), COMPOUND)
def test_compound_factor(profile: Profile, rate: int, seconds: int, taylor: int, x: int) -> None:
    assert profile.compound(rate, seconds) == (taylor if profile.version <= "3.3" else x)


HEALTH = [
    ([(123456789012, 8300), (98765432109, 7800)], 181000000001, 991651314906123473, 991746806209879851),
    ([(250000000000, 8300), (1, 7800)], 207500000003, 999879518062652344, 999999999989301204),
]


@pytest.mark.parametrize("profile", ALL, ids=lambda p: p.version)
@pytest.mark.parametrize(("collaterals", "debt", "floored", "exact"), HEALTH)
def test_health_factor(
    profile: Profile, collaterals: list[tuple[int, int]], debt: int, floored: int, exact: int
) -> None:
    positions = [Position(value, 0, 1, 1, threshold, threshold) for value, threshold in collaterals]
    account = account_data(profile, [*positions, Position(0, debt, 1, 1, 0, 0)])
    assert account.collateral == sum(value for value, _ in collaterals)
    assert account.debt == debt
    assert account.health_factor == (exact if profile in EXACT else floored)


@pytest.mark.parametrize("profile", ALL, ids=lambda p: p.version)
def test_no_debt_is_infinite_health(profile: Profile) -> None:
    assert account_data(profile, []) == Account(0, 0, 0, MAX_U256)
    assert account_data(profile, [Position(10, 0, 3, 1, 8000, 8000)]) == Account(30, 0, 8000, MAX_U256)


@pytest.mark.parametrize("profile", ALL, ids=lambda p: p.version)
def test_debt_without_collateral_is_zero_health(profile: Profile) -> None:
    assert account_data(profile, [Position(0, 5, 3, 1, 8000, 8000)]) == Account(0, 15, 0, 0)


def test_a_zero_threshold_counts_as_collateral_since_3_6() -> None:
    positions = [Position(100, 0, 1, 1, 0, 0), Position(100, 0, 1, 1, 8000, 8000), Position(0, 80, 1, 1, 0, 0)]
    for profile in ALL:
        account = account_data(profile, positions)
        if profile.version >= "3.6":
            assert (account.collateral, account.threshold, account.health_factor) == (200, 4000, WAD)
        else:
            assert (account.collateral, account.threshold, account.health_factor) == (100, 8000, WAD)


def test_an_emode_threshold_does_not_revive_a_zero_base_threshold_before_3_6() -> None:
    positions = [Position(100, 0, 1, 1, 9000, 0), Position(0, 90, 1, 1, 0, 0)]
    assert {p.version: account_data(p, positions).health_factor for p in ALL} == {
        p.version: WAD if p.version >= "3.6" else 0 for p in ALL
    }


def test_a_wei_of_debt_is_worth_a_base_unit_since_3_5() -> None:
    for profile in ALL:
        assert account_data(profile, [Position(0, 1, 10**8, 10**18, 0, 0)]).debt == (profile in EXACT)


@pytest.mark.parametrize("profile", ALL, ids=lambda p: p.version)
def test_indexes_are_the_stored_ones_in_their_own_block_and_grow_after(profile: Profile) -> None:
    rates = Rates(RAY + 5, RAY + 7, 10**25, 10**26, 1000)
    assert indexes(profile, rates, 1000) == (RAY + 5, RAY + 7)
    liquidity, borrow = indexes(profile, rates, 1012)
    assert liquidity == maths.ray_mul_half_up(RAY + 10**25 * 12 // 31536000, RAY + 5)
    assert borrow == maths.ray_mul_half_up(profile.compound(10**26, 12), RAY + 7)


def test_flash_premium_rounds_up_since_3_5() -> None:
    assert [p for p in ALL if p.flash_premium_up] == EXACT
