"""What closing an inherited position brings: a swap through the base/quote pool, with the exchange's own fees.

Law: amounts are those of ``Exchange.swap`` and ``OrderBook.replaySwap`` to the last unit. The pool's fee is scaled away
and the exchange's charged instead, a step at a time, always on the quote. A close that the price limit of a block or
the price band would stop half-way is ``None``: nobody inherits what he cannot give away at once.
"""

from dataclasses import dataclass
from itertools import pairwise

from keeper.core.units import div_up
from keeper.protocols.perp_curie.facts import Fees
from keeper.protocols.perp_curie.maths import DUST, RATIO, mul_div, scaled_down, scaled_up, wad_price
from keeper.venues.uniswap_v3.pool import UniswapV3Pool
from keeper.venues.uniswap_v3.ticks import MAX_TICK, MIN_TICK, sqrt_ratio
from keeper.venues.uniswap_v3.walk import Swap, Walk


@dataclass(frozen=True, slots=True)
class Exit:
    """The way out of positions in one market, in one block."""

    pool: UniswapV3Pool
    fees: Fees
    tick: int  # from which the cap of the block counts
    index: int  # in wei

    def quote(self, size: int) -> int | None:
        """Quote that closing a position of this size (negative: a short) brings, less fees; ``None``: it cannot be."""
        if abs(size) < DUST:
            return None
        return self._sold(size) if size > 0 else self._bought(-size)

    def _sold(self, size: int) -> int | None:
        """Exactly so much base for quote; the fee is a share of what each step pays out."""
        walk = self._walk(self.pool.fee, down=True)
        amount = scaled_up(size, self.pool.fee)
        swap = walk.swap(amount, exact_in=True)
        if swap is None or swap.amount_in != amount or not self._allowed(swap):
            return None
        steps = _steps(walk.bought, swap.amount_out)
        return swap.amount_out - sum(div_up(step * self.fees.exchange, RATIO) for step in steps)

    def _bought(self, size: int) -> int | None:
        """Exactly so much base for quote; the fee is on top of what each step takes in."""
        charged, free = (self._walk(fee, down=False) for fee in (self.pool.fee, 0))
        swap, bare = charged.swap(size, exact_in=False), free.swap(size, exact_in=False)
        if swap is None or bare is None or swap.amount_out != size or not self._allowed(swap):
            return None
        fee = sum(
            div_up(step * self.fees.exchange, RATIO - self.fees.exchange) for step in _steps(free.spent, bare.amount_in)
        )
        return -(scaled_down(swap.amount_in, self.pool.fee) + fee)

    def _walk(self, fee: int, *, down: bool) -> Walk:
        return Walk(self.pool.place, self.pool.ticks, fee, down=down)

    def _allowed(self, swap: Swap) -> bool:
        """Within the ticks of a block, not at its limit, and within the band around the index."""
        cap = self.fees.tick_cap
        low, high = (max(self.tick - cap, MIN_TICK + 1), min(self.tick + cap, MAX_TICK - 1))
        price = swap.place.sqrt_price
        if not cap or not low <= swap.place.tick <= high or not sqrt_ratio(low) <= price <= sqrt_ratio(high):
            return False
        before, after = (self._spread(square) for square in (self.pool.place.sqrt_price, price))
        return min(before, -self.fees.spread) <= after <= max(before, self.fees.spread)

    def _spread(self, square: int) -> int:
        """How far a price is from the index, in millionths of it."""
        return mul_div(wad_price(square) - self.index, RATIO, self.index)


def _steps(sums: list[int], total: int) -> list[int]:
    """What each stretch of a walk moved, from the sums before each stretch and the total."""
    passed = [amount for amount in sums if amount <= total]
    return [after - before for before, after in pairwise([*passed, total]) if after > before]
