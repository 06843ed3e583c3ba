"""Integer arithmetic of Morpho Blue: shares, interest, incentive.

Law: the same operations in the same order of rounding as the contract. A virtual asset and 1e6 virtual shares belong to
nobody, so that an empty market has a rate too.
"""

from typing import Final

from keeper.core.units import WAD, mul_div_down, mul_div_up

VIRTUAL_ASSETS: Final = 1
VIRTUAL_SHARES: Final = 10**6
PRICE_SCALE: Final = 10**36
CURSOR: Final = 3 * WAD // 10
MOST_INCENTIVE: Final = 115 * WAD // 100


def shares_down(assets: int, total_assets: int, total_shares: int) -> int:
    """Assets in shares, rounded down."""
    return mul_div_down(assets, total_shares + VIRTUAL_SHARES, total_assets + VIRTUAL_ASSETS)


def shares_up(assets: int, total_assets: int, total_shares: int) -> int:
    """Assets in shares, rounded up."""
    return mul_div_up(assets, total_shares + VIRTUAL_SHARES, total_assets + VIRTUAL_ASSETS)


def assets_down(shares: int, total_assets: int, total_shares: int) -> int:
    """Shares in assets, rounded down."""
    return mul_div_down(shares, total_assets + VIRTUAL_ASSETS, total_shares + VIRTUAL_SHARES)


def assets_up(shares: int, total_assets: int, total_shares: int) -> int:
    """Shares in assets, rounded up."""
    return mul_div_up(shares, total_assets + VIRTUAL_ASSETS, total_shares + VIRTUAL_SHARES)


def compounded(rate: int, seconds: int) -> int:
    """``e^(rate*seconds) - 1`` as the first three terms of its series, a wad."""
    first = rate * seconds
    second = mul_div_down(first, first, 2 * WAD)
    third = mul_div_down(second, first, 3 * WAD)
    return first + second + third


def incentive(lltv: int) -> int:
    """What a liquidator gets for one of debt, a wad: the lower the limit of a market, the more."""
    return min(MOST_INCENTIVE, mul_div_down(WAD, WAD, WAD - mul_div_down(CURSOR, WAD - lltv, WAD)))


def quoted(collateral: int, price: int) -> int:
    """Collateral in the loan asset, rounded down."""
    return mul_div_down(collateral, price, PRICE_SCALE)


def limit(collateral: int, price: int, lltv: int) -> int:
    """The most that may be owed against a collateral."""
    return mul_div_down(quoted(collateral, price), lltv, WAD)
