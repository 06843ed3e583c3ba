"""A Uniswap v2 pair as a value.

Law: amounts are those of the library that every v2 router uses (``getAmountOut``, ``getAmountIn``), to the last unit;
a swap that the pair would refuse (nothing out, a reserve beyond 112 bits) is not quoted.
"""

from dataclasses import dataclass
from typing import Final

from keeper.core.plans import VenueKind
from keeper.core.units import Address, Amount
from keeper.core.venues import NO_DEPTH, PIPS, Q96, Depth, PoolKey, Quote

MAX_RESERVE: Final = 2**112 - 1


def amount_out(amount_in: int, reserve_in: int, reserve_out: int, fee: int) -> int:
    """What comes out, rounded down."""
    paid = amount_in * (PIPS - fee)
    return paid * reserve_out // (reserve_in * PIPS + paid)


def amount_in(amount_out: int, reserve_in: int, reserve_out: int, fee: int) -> int:
    """What must go in: rounded down and one more, as the library has it (so one too many when the division is even)."""
    return reserve_in * amount_out * PIPS // ((reserve_out - amount_out) * (PIPS - fee)) + 1


@dataclass(frozen=True, slots=True)
class UniswapV2Pool:
    """Two reserves and a fee."""

    key: PoolKey
    reserve0: int
    reserve1: int

    @property
    def kind(self) -> VenueKind:
        return VenueKind.UNISWAP_V2

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
        return self.key.fee

    @property
    def narrow(self) -> bool:
        return False  # a pair is loaded whole

    def quote_exact_in(self, token_in: Address, amount: int) -> Quote | None:
        """Sell exactly ``amount``."""
        zero_in, reserve_in, reserve_out = self._side(token_in)
        if amount <= 0 or not reserve_in or not reserve_out:
            return None
        bought = amount_out(amount, reserve_in, reserve_out, self.key.fee)
        return self._moved(amount, bought, zero_in=zero_in) if bought else None

    def quote_exact_out(self, token_out: Address, amount: int) -> Quote | None:
        """Buy exactly ``amount``; ``None`` when that is all of the reserve, or more."""
        zero_out, reserve_out, reserve_in = self._side(token_out)
        if amount <= 0 or not reserve_in or amount >= reserve_out:
            return None
        paid = amount_in(amount, reserve_in, reserve_out, self.key.fee)
        return self._moved(paid, amount, zero_in=not zero_out)

    def price(self, token_in: Address) -> tuple[int, int] | None:
        """Marginal price after the fee; ``None`` without reserves."""
        _, reserve_in, reserve_out = self._side(token_in)
        if not reserve_in or not reserve_out:
            return None
        return reserve_out * (PIPS - self.key.fee), reserve_in * PIPS

    def depth(self, token_in: Address) -> Depth:
        """The reserves themselves, good until the incoming one is full."""
        _, reserve_in, reserve_out = self._side(token_in)
        if not reserve_in or not reserve_out:
            return NO_DEPTH
        grossed_up, capacity = reserve_in * Q96 * PIPS // (PIPS - self.key.fee), MAX_RESERVE - reserve_in
        return Depth(grossed_up, reserve_out * Q96, grossed_up + capacity * Q96, capacity)

    def _moved(self, paid: int, bought: int, *, zero_in: bool) -> Quote | None:
        change0, change1 = (paid, -bought) if zero_in else (-bought, paid)
        reserve0, reserve1 = self.reserve0 + change0, self.reserve1 + change1
        if max(reserve0, reserve1) > MAX_RESERVE:
            return None
        return Quote(Amount(paid), Amount(bought), UniswapV2Pool(self.key, reserve0, reserve1))

    def _side(self, token: Address) -> tuple[bool, int, int]:
        """Whether it is token0, its reserve, the other reserve."""
        if token == self.key.token0:
            return True, self.reserve0, self.reserve1
        if token == self.key.token1:
            return False, self.reserve1, self.reserve0
        raise ValueError(f"{token} is not a token of pool {self.key.address}")
