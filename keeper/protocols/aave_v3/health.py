"""Health of an account, as the pool's own view computes it.

Law: the same integer operations in the same order of rounding as the contract, so that every result is equal to
``getUserAccountData`` to the last unit. Positions whose price would revert are not for this page to judge.

Who builds a position must have resolved, per account: the collateral flag, the e-mode threshold (bitmap or category
id), and, up to 3.1, the category's price source, which replaces the price of every asset of the user's own category.
"""

from collections.abc import Iterable
from typing import NamedTuple

from keeper.core.units import BPS, MAX_U256
from keeper.protocols.aave_v3 import maths
from keeper.protocols.aave_v3.profiles import Profile


class Position(NamedTuple):
    """One reserve of one account, at the evaluation time."""

    collateral: int  # aToken balance when it is enabled as collateral, else 0
    debt: int  # variable plus stable debt
    price: int  # in base currency
    unit: int  # 10 ** decimals
    threshold: int  # liquidation threshold in basis points, e-mode applied
    base_threshold: int  # the reserve's own threshold, e-mode not applied


class Account(NamedTuple):
    """What ``getUserAccountData`` says of liquidation."""

    collateral: int  # base value
    debt: int  # base value
    threshold: int  # average liquidation threshold, whole basis points
    health_factor: int  # wad; max uint256 without debt


class Rates(NamedTuple):
    """What ``ReserveDataUpdated`` says of a reserve, and when."""

    liquidity_index: int
    borrow_index: int
    liquidity_rate: int
    borrow_rate: int
    updated: int  # block time


def indexes(profile: Profile, reserve: Rates, at: int) -> tuple[int, int]:
    """Liquidity and borrow index at a block time, from the last stored ones."""
    seconds = at - reserve.updated
    if seconds == 0:
        return reserve.liquidity_index, reserve.borrow_index
    return (
        maths.ray_mul_half_up(maths.linear_factor(reserve.liquidity_rate, seconds), reserve.liquidity_index),
        maths.ray_mul_half_up(profile.compound(reserve.borrow_rate, seconds), reserve.borrow_index),
    )


def account_data(profile: Profile, positions: Iterable[Position]) -> Account:
    """Totals and health factor of an account, from its positions in any order."""
    collateral = debt = weighted = 0
    counts_all, debt_value = profile.counts_zero_threshold, profile.debt_value
    for position in positions:
        if position.collateral and (counts_all or position.base_threshold):
            value = position.collateral * position.price // position.unit
            collateral += value
            weighted += value * position.threshold
        if position.debt:
            debt += debt_value(position.debt, position.price, position.unit)
    threshold = weighted // collateral if collateral else 0
    return Account(collateral, debt, threshold, _health_factor(profile, collateral, debt, weighted))


def _health_factor(profile: Profile, collateral: int, debt: int, weighted: int) -> int:
    if debt == 0:
        return MAX_U256
    if profile.threshold_floored:
        threshold = weighted // collateral if collateral else 0
        return maths.wad_div_half_up(maths.percent_mul_half_up(collateral, threshold), debt)
    return maths.wad_div_half_up(weighted, debt) // BPS
