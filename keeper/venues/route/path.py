"""A path of pools: what one hop gives, the next one takes.

Law: quotes are exact, hop after hop, and leave a new path behind. Depth composes: constant products in a row are one
constant product, with e = e₁e₂/(d₂+e₁) and d = d₁d₂/(d₂+e₁).
"""

from dataclasses import dataclass

import msgspec

from keeper.core.plans import Hop
from keeper.core.units import Address, Amount
from keeper.core.venues import Q96, Depth, Pool


class Fill(msgspec.Struct, frozen=True, gc=False):
    """An amount through a path, and the path afterwards."""

    amount_in: Amount
    amount_out: Amount
    after: "Path"


@dataclass(frozen=True, slots=True)
class Path:
    """Pools in order, and the tokens between them: one more than pools."""

    tokens: tuple[Address, ...]
    pools: tuple[Pool, ...]

    def quote_exact_in(self, amount: int) -> Fill | None:
        """Sell exactly ``amount`` of the first token."""
        moved, flow = [], Amount(amount)
        for token, pool in zip(self.tokens, self.pools, strict=False):
            quote = pool.quote_exact_in(token, flow)
            if quote is None:
                return None
            moved.append(quote.after)
            flow = quote.amount_out
        return Fill(Amount(amount), flow, Path(self.tokens, tuple(moved)))

    def quote_exact_out(self, amount: int) -> Fill | None:
        """Buy exactly ``amount`` of the last token."""
        moved, flow = [], Amount(amount)
        for token, pool in zip(reversed(self.tokens), reversed(self.pools), strict=False):
            quote = pool.quote_exact_out(token, flow)
            if quote is None:
                return None
            moved.append(quote.after)
            flow = quote.amount_in
        return Fill(flow, Amount(amount), Path(self.tokens, tuple(reversed(moved))))

    def depth(self) -> Depth:
        """The path as one constant product, good until the first of its pools changes liquidity."""
        d, e, capacity = Q96, 0, 0
        for hop, (token, pool) in enumerate(zip(self.tokens, self.pools, strict=False)):
            near = pool.depth(token)
            if not near.capacity:
                return Depth(0, 0, 0)
            if not hop:
                d, e, capacity = near.reserve_in, near.reserve_out, near.capacity
                continue
            limit = near.capacity * Q96
            if limit < e:
                capacity = min(capacity, d * limit // ((e - limit) * Q96) + 1)
            total = near.reserve_in + e
            d, e = d * near.reserve_in // total, e * near.reserve_out // total
        return Depth(d, e, capacity)

    def hops(self) -> tuple[Hop, ...]:
        """The path as a plan names it."""
        steps = zip(self.pools, self.tokens, self.tokens[1:], strict=False)
        return tuple(Hop(pool.kind, pool.address, sold, bought, pool.fee) for pool, sold, bought in steps)
