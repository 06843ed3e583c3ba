"""What ``liquidate`` and ``preLiquidate`` do with a position, as the contracts compute it.

Law: pure, equal to the contract for every input, ``None`` where it reverts. Either the collateral to be seized is given
or the shares of debt to be repaid, never both; the other follows, and what is paid follows from the shares.
"""

from typing import NamedTuple

from keeper.core.units import MAX_U256, WAD, div_up, mul_div_down, mul_div_up
from keeper.protocols.morpho_blue import maths
from keeper.protocols.morpho_blue.maths import PRICE_SCALE


class Position(NamedTuple):
    """A position in its market, everything at the time of the call."""

    collateral: int
    shares: int  # of debt
    price: int  # of the collateral in the loan asset, times 1e36
    factor: int  # the incentive, a wad
    total_assets: int  # the market's debt
    total_shares: int
    most_shares: int  # that may be repaid at once
    writes_off: bool  # what is left of the debt when the collateral is gone


class Outcome(NamedTuple):
    """What one call does."""

    paid: int
    shares: int
    seized: int
    bad_debt: int = 0
    bad_shares: int = 0


def by_seized(position: Position, seized: int) -> Outcome | None:
    """So much collateral is asked for."""
    value = seized * position.price
    if not 0 < seized <= position.collateral or value + PRICE_SCALE - 1 > MAX_U256:
        return None
    quoted = div_up(value, PRICE_SCALE)
    if quoted * WAD + position.factor - 1 > MAX_U256:
        return None
    owed = mul_div_up(quoted, WAD, position.factor)
    return _outcome(position, seized, maths.shares_up(owed, position.total_assets, position.total_shares))


def by_shares(position: Position, shares: int) -> Outcome | None:
    """So many shares of the debt are to be repaid."""
    if not 0 < shares <= position.most_shares or position.price == 0:
        return None
    owed = maths.assets_down(shares, position.total_assets, position.total_shares)
    seized = mul_div_down(mul_div_down(owed, position.factor, WAD), PRICE_SCALE, position.price)
    return _outcome(position, seized, shares)


def _outcome(position: Position, seized: int, shares: int) -> Outcome | None:
    if shares > position.most_shares or seized > position.collateral:
        return None
    paid = maths.assets_up(shares, position.total_assets, position.total_shares)
    if seized < position.collateral or not position.writes_off:
        return Outcome(paid, shares, seized)
    left, assets = position.shares - shares, max(position.total_assets - paid, 0)
    bad = min(assets, maths.assets_up(left, assets, position.total_shares - shares))
    return Outcome(paid, shares, seized, bad, left)


def whole_by_seized(position: Position) -> bool:
    """Whether all collateral is worth less than the debt with its incentive, so that taking it is the most there is.

    Where it is not, repaying all shares is. One of the two always fits: whatever seizing for all shares would take
    beyond the collateral, the shares that the collateral costs are no more than all.
    """
    all_shares = by_shares(position, position.most_shares)
    return all_shares is None or all_shares.seized > position.collateral


def most_paid(position: Position, *, seizing: bool) -> int:
    """What the largest call of that mode costs; 0 when there is none."""
    whole = by_seized(position, position.collateral) if seizing else by_shares(position, position.most_shares)
    return 0 if whole is None else whole.paid


def for_payment(position: Position, repay: int, *, seizing: bool) -> Outcome | None:
    """The largest call of a mode that costs at most ``repay``.

    Every step of the contract's own is undone by the one rounding that is its exact inverse, so that the next unit of
    what is asked for would cost more.
    """
    shares = maths.shares_down(repay, position.total_assets, position.total_shares)
    if not seizing:
        return by_shares(position, min(shares, position.most_shares))
    if position.price == 0:
        return None
    owed = maths.assets_down(min(shares, position.most_shares), position.total_assets, position.total_shares)
    quoted = mul_div_down(owed, position.factor, WAD)
    return by_seized(position, min(mul_div_down(quoted, PRICE_SCALE, position.price), position.collateral))


def least_paid(position: Position, most: int, *, seizing: bool) -> int:
    """The smallest repayment for which the call brings anything; beyond ``most`` when there is none."""
    low, high = 0, most + 1
    while high - low > 1:
        middle = (low + high) // 2
        found = for_payment(position, middle, seizing=seizing)
        low, high = (low, middle) if found is not None and found.seized > 0 else (middle, high)
    return high
