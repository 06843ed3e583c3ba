"""Golden vectors of seizure, close factors, dust and deficits, for every release."""

from dataclasses import replace

import pytest

from keeper.core.actions import Action, Settlement, Witness
from keeper.core.refusals import Reason
from keeper.core.units import RAY, WAD, Address, Amount, Timestamp
from keeper.protocols.aave_v3.intervals import accepted_intervals
from keeper.protocols.aave_v3.pair import Gate, LiquidationPair, blocked
from keeper.protocols.aave_v3.profiles import PROFILES, Profile
from keeper.protocols.aave_v3.seizure import LiquidationTerms, max_cover, seizure, settle

ALL = list(PROFILES.values())
HUGE = 10**40


def terms(**fields: int) -> LiquidationTerms:
    """An account with one WETH at $2,000 and much more USDC debt, at indexes of one."""
    base = LiquidationTerms(
        collateral_scaled=10**18,
        collateral_index=RAY,
        collateral_price=2000 * 10**8,
        collateral_unit=10**18,
        bonus=10500,
        protocol_fee=1000,
        debt_scaled=10**12,
        debt_index=RAY,
        debt_price=10**8,
        debt_unit=10**6,
        total_collateral=2000 * 10**8,
        total_debt=10**14,
        health_factor=9 * 10**17,
        liquidity=HUGE,
    )
    return replace(base, **fields)


# cp, cu, dp, du, cover, balance, bonus, fee; then (received, paid, fee) up to 3.4, in 3.5 and 3.6, and in 3.7
GOLDEN = [
    (
        (333312345678, 10**18, 99990000, 10**6, 1000000001, 5 * 10**18, 10500, 1000),
        (313488388472213420, 1000000001, 1499944442450782),
        (313488388472213420, 1000000001, 1499944442450782),
        (313488388472213420, 1000000001, 1499944442450782),
    ),
    (
        (333312345678, 10**18, 99990000, 10**6, 1000000001, 100000000000000007, 10500, 1000),
        (99523809523809531, 317472076, 476190476190476),
        (99523809523809531, 317472077, 476190476190476),
        (99523809523809530, 317472077, 476190476190477),
    ),
    (
        (9876543210000, 10**8, 100012345, 10**6, 12345678901, 10**9, 10650, 2000),
        (13151623, 12345678901, 162520),
        (13151623, 12345678901, 162520),
        (13151622, 12345678901, 162521),
    ),
    (
        (100000000, 10**6, 333312345678, 10**18, 777000000000000003, 10**12, 10450, 0),
        (2706379587, 777000000000000003, 0),
        (2706379587, 777000000000000003, 0),
        (2706379586, 777000000000000003, 0),
    ),
]


@pytest.mark.parametrize("profile", ALL, ids=lambda p: p.version)
@pytest.mark.parametrize("case", GOLDEN)
def test_seizure_golden(profile: Profile, case: tuple[tuple[int, ...], ...]) -> None:
    inputs, half_up, ceiled, floored = case
    cp, cu, dp, du, cover, balance, bonus, fee = inputs
    taken = seizure(
        profile,
        terms(
            collateral_scaled=balance,
            collateral_price=cp,
            collateral_unit=cu,
            debt_price=dp,
            debt_unit=du,
            bonus=bonus,
            protocol_fee=fee,
        ),
        cover,
    )
    expected = half_up if profile.version <= "3.4" else ceiled if profile.version <= "3.6" else floored
    assert (taken.received, taken.repaid, taken.fee) == expected


@pytest.mark.parametrize("profile", ALL, ids=lambda p: p.version)
def test_close_factor_of_a_large_position(profile: Profile) -> None:
    large = terms(
        collateral_scaled=10**22,
        total_collateral=2 * 10**15,
        total_debt=16 * 10**13,  # this debt is $1,000,000 of $1,600,000
        health_factor=CLOSE + 1,
    )
    assert max_cover(profile, large) == (8 * 10**11 if profile.position_close_factor else 5 * 10**11)
    assert max_cover(profile, replace(large, health_factor=CLOSE)) == 10**12
    minor = replace(large, total_debt=3 * 10**14)  # less than half of all debt: no cap, since 3.3
    assert max_cover(profile, minor) == (10**12 if profile.position_close_factor else 5 * 10**11)


CLOSE = 95 * 10**16


@pytest.mark.parametrize("profile", ALL, ids=lambda p: p.version)
@pytest.mark.parametrize("side", ["collateral", "debt"])
def test_small_positions_close_in_full_since_3_3(profile: Profile, side: str) -> None:
    at = terms(
        collateral_scaled=10**18 if side == "collateral" else 10**20,
        debt_scaled=2000 * 10**6 if side == "debt" else 10**10,
        total_debt=10**12,
        health_factor=CLOSE + 1,
    )
    full = 2000 * 10**6 if side == "debt" else 10**10
    capped = full if profile.position_close_factor and side == "debt" else full // 2
    assert max_cover(profile, at) == capped  # exactly $2,000 is large; but this debt is not half of all debt
    below = replace(at, collateral_scaled=10**18 - 1) if side == "collateral" else replace(at, debt_scaled=full - 1)
    whole = full - (side == "debt")
    assert max_cover(profile, below) == (whole if profile.position_close_factor else (whole + 1) // 2)


@pytest.mark.parametrize("profile", ALL, ids=lambda p: p.version)
def test_taking_all_collateral_writes_the_rest_off_since_3_3(profile: Profile) -> None:
    settled = settle(profile, terms(), HUGE)
    assert settled.paid == 1904761905  # 1904761904.76…, to nearest as well as up
    assert settled.received + settled.protocol_fee == 10**18
    assert settled.bad_debt == (10**12 - settled.paid if profile.position_close_factor else 0)
    other = replace(terms(), total_collateral=2000 * 10**8 + 1)  # another collateral, worth one base unit
    assert settle(profile, other, HUGE).bad_debt == 0


@pytest.mark.parametrize("profile", ALL, ids=lambda p: p.version)
def test_the_fee_is_what_is_left_in_scaled_units(profile: Profile) -> None:
    """Both parts round up (3.5+) or to nearest on their own: together they may ask for more than there is."""
    index = 3 * RAY // 2
    for scaled in range(1, 400):
        taken = terms(collateral_scaled=scaled, collateral_index=index, total_collateral=0, protocol_fee=10000)
        balance = profile.collateral_balance(scaled, index)
        settled = settle(profile, replace(taken, collateral_unit=1), HUGE)
        used = profile.collateral_scaled(settled.received, index) + profile.collateral_scaled(
            settled.protocol_fee, index
        )
        assert used <= scaled, (scaled, balance)


@pytest.mark.parametrize("profile", ALL, ids=lambda p: p.version)
def test_dust_may_not_be_left_since_3_3(profile: Profile) -> None:
    """$3,000 of WETH against $2,700 of USDC: an interior amount would leave less than $1,000 of one of them."""
    account = terms(
        collateral_scaled=15 * 10**17,
        debt_scaled=2700 * 10**6,
        total_collateral=3000 * 10**8,
        total_debt=2700 * 10**8,
    )
    found = accepted_intervals(profile, account, wrapped=False)
    whole = 2700 * 10**6
    assert found == (((1, 1700 * 10**6), (whole, whole)) if profile.position_close_factor else ((1, whole),))


def test_a_leftover_whose_value_rounds_up_is_enough_since_3_5() -> None:
    """Ten units of this debt are one base unit, so that nine units less than $1,000 are still worth $1,000."""
    account = terms(collateral_scaled=10**19, debt_scaled=3 * 10**12, debt_unit=10**9, total_debt=3000 * 10**8)
    ends = {p.version: accepted_intervals(p, account, wrapped=False)[0][1] for p in ALL if p.position_close_factor}
    assert ends == {v: 2 * 10**12 + (9 if v >= "3.5" else 0) for v in ("3.3", "3.4", "3.5", "3.6", "3.7")}


def test_no_price_and_no_bonus_are_no_intervals() -> None:
    for profile in ALL:
        for nothing in (terms(bonus=0), terms(collateral_price=0), terms(debt_price=0)):
            assert accepted_intervals(profile, nothing, wrapped=True) == ()


@pytest.mark.parametrize("profile", ALL, ids=lambda p: p.version)
def test_an_empty_pool_pays_only_in_atokens(profile: Profile) -> None:
    empty = terms(liquidity=0)
    assert accepted_intervals(profile, empty, wrapped=False) == ()
    assert accepted_intervals(profile, empty, wrapped=True)


def test_a_pair_is_an_action() -> None:
    address = Address("0x" + "11" * 20)
    pair: Action = LiquidationPair(address, address, address, address, address, ALL[0], terms(), receive_wrapped=False)
    ((low, high),) = pair.intervals()
    assert (pair.protocol, low, high, pair.witness) == ("aave_v3", 1, 10**12, Witness(address, Amount(10**12)))
    assert pair.settle(high) == Settlement(paid=1904761905, received=995238095238095238, protocol_fee=4761904761904762)  # type: ignore[arg-type]


OPEN = Gate(active=True, paused=False)
NOW = Timestamp(1_000)


def why(profile: Profile, **changes: object) -> Reason | None:
    known = {"collateral": OPEN, "debt": OPEN, "health_factor": WAD - 1, "sentinel_allows": True, "own_account": False}
    return blocked(profile, at=NOW, **(known | changes))  # type: ignore[arg-type]


@pytest.mark.parametrize("profile", ALL, ids=lambda p: p.version)
def test_what_blocks_a_pair(profile: Profile) -> None:
    assert why(profile) is None
    for side in ("collateral", "debt"):
        assert why(profile, **{side: Gate(active=False, paused=False)}) is Reason.INACTIVE
        assert why(profile, **{side: Gate(active=True, paused=True)}) is Reason.PAUSED
        grace = Reason.GRACE if profile.grace_period else None
        assert why(profile, **{side: Gate(active=True, paused=False, grace_until=NOW)}) is grace
        assert why(profile, **{side: Gate(active=True, paused=False, grace_until=Timestamp(999))}) is None
    assert why(profile, own_account=True) is (None if profile.self_liquidation else Reason.SELF)
    assert why(profile, sentinel_allows=False) is (Reason.SEQUENCER if profile.sentinel else None)
    assert why(profile, sentinel_allows=False, health_factor=CLOSE) is (Reason.SEQUENCER if profile.sentinel else None)
    assert why(profile, sentinel_allows=False, health_factor=CLOSE - 1) is None
