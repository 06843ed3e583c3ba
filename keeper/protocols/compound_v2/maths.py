"""Compound v2's integers, in the order in which the contracts truncate.

Law: every division rounds down, and there is no other rounding. Prices are scaled by 1e(36 - decimals), so that an
amount times a price over 1e18 is a value in 1e-18 dollars.
"""

from keeper.core.units import WAD
from keeper.protocols.compound_v2.facts import Accrual, Stablecoin


def accrue(market: Accrual, at: int) -> Accrual:
    """The market once interest was added in the block (or second) ``at``: simple interest at the stored rate."""
    elapsed = at - market.at
    if elapsed <= 0:
        return market
    factor = market.rate * elapsed
    interest = factor * market.borrows // WAD
    return Accrual(
        index=market.index + factor * market.index // WAD,
        borrows=market.borrows + interest,
        reserves=market.reserves + market.reserve_factor * interest // WAD,
        supply=market.supply,
        cash=market.cash,
        rate=market.rate,
        reserve_factor=market.reserve_factor,
        at=at,
    )


def exchange_rate(market: Accrual) -> int:
    """Underlying for 1e18 vTokens; 0 while there are none."""
    return (market.cash + market.borrows - market.reserves) * WAD // market.supply if market.supply else 0


def borrow_balance(principal: int, index: int, own_index: int) -> int:
    """What an account owes that owed ``principal`` when the index was ``own_index``."""
    return principal * index // own_index if principal else 0


def unit_value(factor: int, rate: int, price: int) -> int:
    """What 1e18 vTokens count as collateral; both products are truncated."""
    return factor * rate // WAD * price // WAD


def seize_ratio(incentive: int, debt_price: int, collateral_price: int, rate: int) -> int:
    """VTokens for 1e18 units repaid: the quotient of two truncated products, truncated."""
    numerator, denominator = incentive * debt_price // WAD, collateral_price * rate // WAD
    return numerator * WAD // denominator if denominator else 0


def treasury_share(seized: int, incentive: int, percent: int) -> int:
    """What Venus's Liquidator keeps of seized vTokens: a share of the bonus."""
    return seized * (incentive - WAD) // incentive * percent // WAD


def vai_index(stablecoin: Stablecoin, at: int) -> int:
    """VAI's interest index in block ``at``: it grows by addition."""
    return stablecoin.index + stablecoin.rate * max(at - stablecoin.at, 0)


def vai_debt(minted: int, past_interest: int, index: int, own_index: int) -> int:
    """What an account owes in VAI."""
    return minted + (index - own_index) * (minted - past_interest) // WAD


def vai_repaid(minted: int, past_interest: int, debt: int, repay: int) -> int:
    """What a repayment of VAI really takes: it is split into principal and interest, each rounded down."""
    interest = past_interest + debt - minted
    if repay >= debt:
        return debt
    part = repay * WAD // debt
    return (debt - interest) * part // WAD + interest * part // WAD
