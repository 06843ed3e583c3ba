"""A path of pools: what one hop gives, the next one takes.

Law: quotes are exact, hop after hop, and leave a new path behind. Depth composes: constant products in a row are one
constant product, with e = e₁e₂/(d₂+e₁) and d = d₁d₂/(d₂+e₁).
"""

from dataclasses import dataclass

import msgspec

from keeper.core.plans import Hop
from keeper.core.units import Address, Amount
from keeper.core.venues import NO_DEPTH, Q96, Depth, Pool


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
        whole: Depth | None = None
        for token, pool in zip(self.tokens, self.pools, strict=False):
            near = pool.depth(token)
            if not near.capacity:
                return NO_DEPTH
            whole = near if whole is None else _in_a_row(whole, near)
        return whole or NO_DEPTH

    def hops(self) -> tuple[Hop, ...]:
        """The path as a plan names it."""
        steps = zip(self.pools, self.tokens, self.tokens[1:], strict=False)
        return tuple(Hop(pool.kind, pool.address, sold, bought, pool.fee) for pool, sold, bought in steps)


def _in_a_row(first: Depth, then: Depth) -> Depth:
    """Two constant products as one, up to the first end of either."""
    total = then.reserve_in + first.reserve_out
    d, e = first.reserve_in * then.reserve_in // total, first.reserve_out * then.reserve_out // total
    end, capacity, room = d + first.end - first.reserve_in, first.capacity, then.end - then.reserve_in
    if room < first.reserve_out:
        taken = first.reserve_in * room // (first.reserve_out - room)  # what the first takes to give that much
        if d + taken < end:
            end, capacity = d + taken, taken // Q96 + 1
    return Depth(d, e, end, capacity)
