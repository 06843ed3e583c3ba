"""What a liquidation call does with a repay amount.

Law: ``settle`` is the contract's own arithmetic, in its order and with its roundings: paid, received and protocol fee
equal the transfers to the last unit. Whether the call is accepted at all is the page ``intervals``.

The call is asked for ``cover`` of debt. It repays at most ``max_cover``, seizes collateral worth that plus the bonus,
and when the account has less collateral, takes all of it and repays accordingly less.
"""

from dataclasses import dataclass
from typing import Final

from keeper.core.actions import Settlement
from keeper.core.units import Amount
from keeper.protocols.aave_v3 import maths
from keeper.protocols.aave_v3.profiles import Profile

CLOSE_FACTOR_BPS: Final = 5_000
CLOSE_FACTOR_HEALTH: Final = 95 * 10**16  # at or below, everything may be repaid
SMALL_POSITION: Final = 2_000 * 10**8  # base value; the contract has dollars of 8 decimals in mind, whatever the market
MIN_LEFTOVER: Final = SMALL_POSITION // 2


@dataclass(frozen=True, slots=True)
class LiquidationTerms:
    """All that a call reads of one collateral, one debt and their owner, at the time of its block."""

    collateral_scaled: int
    collateral_index: int
    collateral_price: int
    collateral_unit: int  # 10 ** decimals
    bonus: int  # basis points above 10000, e-mode applied
    protocol_fee: int  # basis points of the bonus
    debt_scaled: int  # variable debt
    debt_index: int
    debt_price: int
    debt_unit: int
    total_collateral: int  # base value of the account
    total_debt: int  # base value of the account
    health_factor: int
    liquidity: int  # underlying of the collateral that can leave the pool
    stable_debt: int = 0  # of the same debt asset, up to 3.1


@dataclass(frozen=True, slots=True)
class Seizure:
    """The amounts of a call before scaled rounding."""

    repaid: int
    received: int
    fee: int

    @property
    def seized(self) -> int:
        """Collateral taken from the account."""
        return self.received + self.fee


def collateral_balance(profile: Profile, terms: LiquidationTerms) -> int:
    """The account's collateral in the asset's own units."""
    return profile.collateral_balance(terms.collateral_scaled, terms.collateral_index)


def variable_balance(profile: Profile, terms: LiquidationTerms) -> int:
    """The account's variable debt in the asset's own units."""
    return profile.debt_balance(terms.debt_scaled, terms.debt_index)


def debt_balance(profile: Profile, terms: LiquidationTerms) -> int:
    """The account's whole debt in the asset."""
    return variable_balance(profile, terms) + terms.stable_debt


def max_cover(profile: Profile, terms: LiquidationTerms) -> int:
    """The most that one call repays, before collateral runs out."""
    debt = debt_balance(profile, terms)
    capped = terms.health_factor > CLOSE_FACTOR_HEALTH
    if not profile.position_close_factor:
        return maths.percent_mul_half_up(debt, CLOSE_FACTOR_BPS) if capped else debt
    collateral = collateral_balance(profile, terms)
    debt_value = profile.debt_value(debt, terms.debt_price, terms.debt_unit)
    collateral_value = maths.value_floor(collateral, terms.collateral_price, terms.collateral_unit)
    if not capped or min(debt_value, collateral_value) < SMALL_POSITION:
        return debt
    share = maths.percent_mul_half_up(terms.total_debt, CLOSE_FACTOR_BPS)
    return share * terms.debt_unit // terms.debt_price if debt_value > share else debt


def wanted_collateral(profile: Profile, terms: LiquidationTerms, cover: int) -> int:
    """Collateral worth ``cover`` of debt plus the bonus, whether the account has it or not."""
    base = terms.debt_price * cover * terms.collateral_unit // (terms.collateral_price * terms.debt_unit)
    return profile.seize_mul(base, terms.bonus)


def protocol_fee(profile: Profile, terms: LiquidationTerms, seized: int) -> int:
    """The protocol's part of some seized collateral."""
    if terms.protocol_fee == 0:
        return 0
    return profile.fee_mul(seized - profile.bonus_div(seized, terms.bonus), terms.protocol_fee)


def seizure(profile: Profile, terms: LiquidationTerms, cover: int) -> Seizure:
    """Amounts for a cover of at most ``max_cover``."""
    seized = wanted_collateral(profile, terms, cover)
    balance = collateral_balance(profile, terms)
    if seized > balance:
        worth = terms.collateral_price * balance * terms.debt_unit // (terms.debt_price * terms.collateral_unit)
        seized, cover = balance, profile.repay_div(worth, terms.bonus)
    fee = protocol_fee(profile, terms, seized)
    return Seizure(cover, seized - fee, fee)


def no_collateral_left(profile: Profile, terms: LiquidationTerms, taken: Seizure) -> bool:
    """Whether the call writes off what debt remains. Worthless leftovers do not count as collateral."""
    if not profile.position_close_factor:
        return False
    consumed = taken.seized
    if profile.deficit_on_scaled:
        scaled = sum(profile.collateral_scaled(part, terms.collateral_index) for part in (taken.received, taken.fee))
        consumed = profile.collateral_balance(min(scaled, terms.collateral_scaled), terms.collateral_index)
    value = maths.value_floor(consumed, terms.collateral_price, terms.collateral_unit)
    return value == terms.total_collateral


def settle(profile: Profile, terms: LiquidationTerms, cover: int) -> Settlement:
    """What the call moves. An amount above ``max_cover`` is cut to it, as the contract does."""
    taken = seizure(profile, terms, min(cover, max_cover(profile, terms)))
    gone = no_collateral_left(profile, terms, taken)
    return Settlement(
        paid=Amount(taken.repaid),
        received=Amount(taken.received),
        protocol_fee=Amount(_paid_fee(profile, terms, taken)),
        bad_debt=Amount(debt_balance(profile, terms) - taken.repaid if gone else 0),
    )


def _paid_fee(profile: Profile, terms: LiquidationTerms, taken: Seizure) -> int:
    """The fee as transferred: at most what is left after the liquidator's part, in scaled units."""
    if taken.fee == 0:
        return 0
    index = terms.collateral_index
    left = terms.collateral_scaled - profile.collateral_scaled(taken.received, index)
    return taken.fee if profile.collateral_scaled(taken.fee, index) <= left else profile.collateral_balance(left, index)
