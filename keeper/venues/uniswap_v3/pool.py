"""A Uniswap v3 pool as a value.

Law: a quote equals what the pool's own ``swap`` does, to the last unit, or there is none. Ticks are shared between
the states that quotes leave behind; only price, tick and liquidity are new.
"""

from dataclasses import dataclass, field

from keeper.core.plans import VenueKind
from keeper.core.units import Address, Amount
from keeper.core.venues import NO_DEPTH, PIPS, Depth, PoolKey, Quote
from keeper.venues.uniswap_v3.ticks import MAX_TICK, MIN_TICK
from keeper.venues.uniswap_v3.walk import HIGHEST_PRICE, LOWEST_PRICE, Place, Swap, Ticks, Walk


@dataclass(frozen=True, slots=True)
class UniswapV3Pool:
    """Price, liquidity and ticks of one pool. A pool without a price is not initialised and quotes nothing."""

    key: PoolKey
    place: Place
    ticks: Ticks
    _walks: list[Walk | None] = field(init=False, default_factory=lambda: [None, None], compare=False, repr=False)

    @property
    def kind(self) -> VenueKind:
        return VenueKind.UNISWAP_V3

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
        """Close to an end of the ticks that were read, unless nothing lies beyond."""
        tick, ticks = self.place.tick, self.ticks
        return (ticks.low > MIN_TICK and tick < ticks.low + ticks.margin) or (
            ticks.high < MAX_TICK and tick > ticks.high - ticks.margin
        )

    def quote_exact_in(self, token_in: Address, amount: int) -> Quote | None:
        """Sell exactly ``amount``; ``None`` when ticks run out before it is sold or it would bring nothing."""
        swap = self.swap(amount, down=self._is_token0(token_in), exact_in=True)
        return self._quote(swap) if swap and swap.amount_in == amount and swap.amount_out else None

    def quote_exact_out(self, token_out: Address, amount: int) -> Quote | None:
        """Buy exactly ``amount``; ``None`` when the pool does not hold it within the known ticks."""
        swap = self.swap(amount, down=not self._is_token0(token_out), exact_in=False)
        return self._quote(swap) if swap and swap.amount_out == amount else None

    def swap(self, amount: int, limit: int | None = None, *, down: bool, exact_in: bool) -> Swap | None:
        """The pool's own ``swap``, partial fills and price limit included. ``None`` where it would revert.

        Also ``None`` where the walk leaves the ticks that were read.
        """
        price = self.place.sqrt_price
        if amount <= 0 or not price:
            return None
        if limit is not None and not (LOWEST_PRICE <= limit < price if down else price < limit <= HIGHEST_PRICE):
            return None
        return self._walk(down=down).swap(amount, limit, exact_in=exact_in)

    def price(self, token_in: Address) -> tuple[int, int] | None:
        """Marginal price after the fee; ``None`` without a price or without liquidity in range."""
        down, square = self._is_token0(token_in), self.place.sqrt_price**2
        if not square or not self.place.liquidity:
            return None
        rate = (square, 1 << 192) if down else (1 << 192, square)
        return rate[0] * (PIPS - self.key.fee), rate[1] * PIPS

    def depth(self, token_in: Address) -> Depth:
        """The virtual reserves of the first range that has liquidity, L/√P and L·√P, good until its end."""
        down = self._is_token0(token_in)
        found = self._walk(down=down).next_range() if self.place.sqrt_price else None
        if found is None:
            return NO_DEPTH
        (price, _, liquidity), target, capacity = found
        token0, token1, gross = (liquidity << 192) // price, liquidity * price, PIPS - self.key.fee
        if down:
            return Depth(token0 * PIPS // gross, token1, (liquidity << 192) // target * PIPS // gross, capacity)
        return Depth(token1 * PIPS // gross, token0, liquidity * target * PIPS // gross, capacity)

    def _walk(self, *, down: bool) -> Walk:
        walk = self._walks[down]
        if walk is None:
            walk = self._walks[down] = Walk(self.place, self.ticks, self.key.fee, down=down)
        return walk

    def _quote(self, swap: Swap) -> Quote:
        after = UniswapV3Pool(self.key, swap.place, self.ticks)
        return Quote(Amount(swap.amount_in), Amount(swap.amount_out), after)

    def _is_token0(self, token: Address) -> bool:
        if token == self.key.token0:
            return True
        if token == self.key.token1:
            return False
        raise ValueError(f"{token} is not a token of pool {self.key.address}")
