"""What token amounts are worth in the chain's native token, at one market's own oracle prices.

Law: what comes in is rounded down and what goes out is rounded up, so no sum is ever better than the truth.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from keeper.core.ports import Valued
from keeper.core.units import WAD, Address, Amount, Wei, div_up, mul_div_down, mul_div_up

RATE: Final = 10**36  # scale of a rate between two tokens' smallest units


@dataclass(frozen=True, slots=True)
class Prices:
    """One market's prices. The wrapped native token must be among them."""

    assets: Mapping[Address, Valued]
    native: Address

    def __contains__(self, token: Address) -> bool:
        return token in self.assets

    def wei_down(self, token: Address, amount: int) -> Wei:
        """At most what the amount is worth."""
        asset = self.assets[token]
        return Wei(mul_div_down(amount * asset.price, WAD, asset.unit * self.assets[self.native].price))

    def wei_up(self, token: Address, amount: int) -> Wei:
        """At least what the amount is worth."""
        asset = self.assets[token]
        return Wei(mul_div_up(amount * asset.price, WAD, asset.unit * self.assets[self.native].price))

    def tokens_up(self, token: Address, wei: int) -> Amount:
        """The smallest amount that is worth at least so much."""
        asset = self.assets[token]
        return Amount(div_up(wei * asset.unit * self.assets[self.native].price, asset.price * WAD))

    def convert_up(self, amount: int, sold: Address, bought: Address) -> int:
        """At least what an amount of one token is worth in another."""
        one, other = self.assets[sold], self.assets[bought]
        return mul_div_up(amount * one.price, other.unit, one.unit * other.price)

    def rate(self, sold: Address, bought: Address) -> int:
        """Smallest units of ``bought`` for one of ``sold``, times ``RATE``, rounded down."""
        one, other = self.assets[sold], self.assets[bought]
        return mul_div_down(RATE * one.price, other.unit, one.unit * other.price)


def readable(wei: int) -> str:
    """An amount of the native token for people: nine decimals, the rest cut off."""
    whole, part = divmod(abs(wei), WAD)
    return f"{'-' if wei < 0 else ''}{whole}.{part // 10**9:09d}"
