"""What each Aave v3 release does differently, as one frozen value a release.

Law: maths and rules read the profile and never ask for a version. Which profile a pool runs is found by ``probe``.
A pool and its tokens are upgraded separately; this page is about the pool, ``tokens`` is about the tokens.

| since | what changes here                                                                                            |
|-------|--------------------------------------------------------------------------------------------------------------|
| 3.0.2 | stable debt counts; one e-mode category an asset, with an optional price source; close factor a reserve      |
| 3.1   | grace period a reserve; virtual balance                                                                      |
| 3.2   | stable debt and e-mode price sources are gone; e-modes are bitmaps                                           |
| 3.3   | deficit; close factor of the whole position; small positions close in full; no dust may be left              |
| 3.4   | the compounding of the borrow index; no self-liquidation; custom errors                                      |
| 3.5   | balances and values round against the user; health factor without the basis-point floor                      |
| 3.6   | an enabled collateral counts although its threshold is zero; aTokens received stay disabled as collateral    |
| 3.7   | no sentinel; seizure rounds down, down, up; "no collateral left" is asked of scaled balances                 |
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final

from keeper.protocols.aave_v3 import maths

Rounded = Callable[[int, int], int]


@dataclass(frozen=True, slots=True)
class Profile:
    """The rules of one release of the pool and its logic libraries."""

    version: str
    # what counts
    stable_debt: bool  # debt includes the stable debt token's balance
    bitmap_emodes: bool  # False: one category id an asset, and a category may have a price source
    counts_zero_threshold: bool  # an enabled collateral with threshold 0 is part of total collateral, and seizable
    # interest and balances
    compound: Rounded  # (rate, seconds) -> factor of the borrow index
    collateral_balance: Rounded  # (scaled, index) -> aToken balance
    debt_balance: Rounded  # (scaled, index) -> variable debt balance
    collateral_scaled: Rounded  # (amount, index) -> scaled amount that a burn or transfer takes from the account
    debt_scaled: Rounded  # (amount, index) -> scaled amount that a repayment burns
    debt_value: Callable[[int, int, int], int]  # (amount, price, unit) -> base value
    # health
    threshold_floored: bool  # the average threshold is cut to whole basis points before it is used
    # may it be liquidated
    sentinel: bool  # a price oracle sentinel can forbid it
    grace_period: bool  # a reserve can forbid it for a while
    self_liquidation: bool  # the borrower may liquidate himself
    # amounts
    position_close_factor: bool  # close factor of the whole position, small positions, dust rule and deficit
    seize_mul: Rounded  # collateral = base * bonus
    repay_div: Rounded  # debt = value of all collateral / bonus
    bonus_div: Rounded  # what of the collateral is not bonus
    fee_mul: Rounded  # protocol fee = bonus part * fee
    deficit_on_scaled: bool  # "all collateral gone" is asked after scaled rounding
    # the rest
    flash_premium_up: bool  # the price of a flash loan rounds up; otherwise to nearest
    custom_errors: bool  # reverts carry selectors instead of decimal strings


V3_0_2: Final = Profile(
    version="3.0.2",
    stable_debt=True,
    bitmap_emodes=False,
    counts_zero_threshold=False,
    compound=maths.compound_factor_taylor,
    collateral_balance=maths.ray_mul_half_up,
    debt_balance=maths.ray_mul_half_up,
    collateral_scaled=maths.ray_div_half_up,
    debt_scaled=maths.ray_div_half_up,
    debt_value=maths.value_floor,
    threshold_floored=True,
    sentinel=True,
    grace_period=False,
    self_liquidation=True,
    position_close_factor=False,
    seize_mul=maths.percent_mul_half_up,
    repay_div=maths.percent_div_half_up,
    bonus_div=maths.percent_div_half_up,
    fee_mul=maths.percent_mul_half_up,
    deficit_on_scaled=False,
    flash_premium_up=False,
    custom_errors=False,
)
V3_1: Final = replace(V3_0_2, version="3.1", grace_period=True)
V3_2: Final = replace(V3_1, version="3.2", stable_debt=False, bitmap_emodes=True)
V3_3: Final = replace(V3_2, version="3.3", position_close_factor=True)
V3_4: Final = replace(
    V3_3,
    version="3.4",
    compound=maths.compound_factor_x,
    self_liquidation=False,
    custom_errors=True,
)
V3_5: Final = replace(
    V3_4,
    version="3.5",
    collateral_balance=maths.ray_mul_floor,
    debt_balance=maths.ray_mul_ceil,
    collateral_scaled=maths.ray_div_ceil,
    debt_scaled=maths.ray_div_floor,
    debt_value=maths.value_ceil,
    threshold_floored=False,
    repay_div=maths.percent_div_ceil,
    flash_premium_up=True,
)
V3_6: Final = replace(V3_5, version="3.6", counts_zero_threshold=True)
V3_7: Final = replace(
    V3_6,
    version="3.7",
    sentinel=False,
    seize_mul=maths.percent_mul_floor,
    bonus_div=maths.percent_div_floor,
    fee_mul=maths.percent_mul_ceil,
    deficit_on_scaled=True,
)

PROFILES: Final = {p.version: p for p in (V3_0_2, V3_1, V3_2, V3_3, V3_4, V3_5, V3_6, V3_7)}
