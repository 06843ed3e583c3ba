"""A vault as a one-way pool: shares in, assets out, at a price that no amount moves.

Law: assets = ⌊shares · assets held / shares there are⌋, each with the virtual unit of the vault's own kind. Which kind
that is was found out by asking the vault; one that answers like none of them is not quoted. Receipts of lending markets
are the third kind, at the rate that their market tells.
"""

from dataclasses import dataclass, replace
from typing import Final

from keeper.core.outlook import Receipt
from keeper.core.plans import VenueKind
from keeper.core.units import Address, Amount, mul_div_down, mul_div_up
from keeper.core.venues import NO_DEPTH, Q96, Depth, PoolKey, Quote, sorted_pair

_STRAIGHT: Final = 1 << 64  # how much deeper than the vault its virtual constant product is


@dataclass(frozen=True, slots=True)
class Vault:
    """``worth`` assets for ``shares`` shares. ``fixed``: the vault keeps a rate of its own, which redeeming leaves."""

    key: PoolKey
    share: Address
    worth: int
    shares: int
    supply: int
    fixed: bool = False
    redeems: VenueKind = VenueKind.ERC4626

    @classmethod
    def of(cls, receipt: Receipt) -> "Vault":
        """What a market says of its own receipts, as a pool."""
        token, asset = receipt.token, receipt.asset
        most = mul_div_down(receipt.available, receipt.shares, receipt.worth) if receipt.worth else 0
        key = PoolKey(token, *sorted_pair(token, asset), 0)
        return cls(key, token, receipt.worth, receipt.shares, most, fixed=True, redeems=receipt.kind)

    @property
    def kind(self) -> VenueKind:
        return self.redeems

    @property
    def address(self) -> Address:
        return self.key.address

    @property
    def token0(self) -> Address:
        return self.key.token0

    @property
    def token1(self) -> Address:
        return self.key.token1

    @property
    def fee(self) -> int:
        return 0

    @property
    def narrow(self) -> bool:
        return True  # interest comes without events: read anew every block

    def quote_exact_in(self, token_in: Address, amount: int) -> Quote | None:
        """Redeem exactly ``amount`` shares; ``None`` the other way round."""
        self._known(token_in)
        if token_in != self.share or not 0 < amount <= self.supply:
            return None
        assets = mul_div_down(amount, self.worth, self.shares)
        return Quote(Amount(amount), Amount(assets), self._redeemed(amount, assets)) if assets else None

    def quote_exact_out(self, token_out: Address, amount: int) -> Quote | None:
        """The fewest shares that bring at least ``amount`` assets."""
        self._known(token_out)
        if token_out == self.share or amount <= 0 or not self.worth:
            return None
        shares = mul_div_up(amount, self.shares, self.worth)
        if shares > self.supply:
            return None
        assets = mul_div_down(shares, self.worth, self.shares)
        return Quote(Amount(shares), Amount(amount), self._redeemed(shares, assets))

    def price(self, token_in: Address) -> tuple[int, int] | None:
        """Assets per share."""
        self._known(token_in)
        return (self.worth, self.shares) if token_in == self.share and self.worth else None

    def depth(self, token_in: Address) -> Depth:
        """So deep that its price hardly moves, until the last share."""
        if self.price(token_in) is None:
            return NO_DEPTH
        shares = self.shares * _STRAIGHT * Q96
        return Depth(shares, self.worth * _STRAIGHT * Q96, shares + self.supply * Q96, self.supply)

    def _redeemed(self, shares: int, assets: int) -> "Vault":
        if self.fixed:
            return replace(self, supply=self.supply - shares)
        return Vault(self.key, self.share, self.worth - assets, self.shares - shares, self.supply - shares)

    def _known(self, token: Address) -> None:
        if token not in (self.key.token0, self.key.token1):
            raise ValueError(f"{token} is not a token of vault {self.key.address}")
