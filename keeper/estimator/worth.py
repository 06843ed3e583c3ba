"""What token amounts are worth in the chain's native token, at one market's own oracle prices.

Law: what comes in is rounded down and what goes out is rounded up, so no sum is ever better than the truth.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from keeper.core.ports import Valued
from keeper.core.units import WAD, Address, Amount, Wei, div_up, mul_div_down, mul_div_up
from keeper.core.venues import Liquidity
from keeper.estimator.guards import median

RATE: Final = 10**36  # scale of a rate between two tokens' smallest units


@dataclass(frozen=True, slots=True)
class Prices:
    """One market's prices. Without one of the wrapped native token nothing can be valued in it."""

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


def complete(
    assets: Mapping[Address, Valued], native: Address, others: Iterable[Mapping[Address, Valued]], pools: Liquidity
) -> Prices:
    """A market's prices and one of the native token: its own; else what other markets, else what pools say of it.

    Of other markets' words the dearest counts: what is earned is then worth least, and what is paid most. Of pools'
    words it is the median: anybody can open a pool.
    """
    if native in assets:
        return Prices(assets, native)
    told = [price for other in others for price in _as_another_sees_it(assets, native, other)]
    seen = [price for asset in assets for price in _as_pools_see_it(assets[asset], asset, native, pools)]
    said = max(told) if told else median(seen) if seen else 0
    return Prices({**assets, native: Valued(said, WAD)} if said else assets, native)


def _as_another_sees_it(
    assets: Mapping[Address, Valued], native: Address, other: Mapping[Address, Valued]
) -> Iterator[int]:
    """The native token in units of this market, by each asset that both know."""
    if native in other:
        for asset in assets.keys() & other.keys():
            if other[asset].price:
                yield div_up(other[native].price * assets[asset].price, other[asset].price)


def _as_pools_see_it(known: Valued, asset: Address, native: Address, pools: Liquidity) -> Iterator[int]:
    for pool in pools.between(native, asset):
        price = pool.price(asset)  # of the native token for an asset, after the fee: a little too dear
        if price is not None and price[0]:
            yield div_up(WAD * price[1] * known.price, price[0] * known.unit)


def readable(wei: int) -> str:
    """An amount of the native token for people: nine decimals, the rest cut off."""
    whole, part = divmod(abs(wei), WAD)
    return f"{'-' if wei < 0 else ''}{whole}.{part // 10**9:09d}"
