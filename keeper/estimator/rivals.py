"""What others did with offers that get better by themselves, as far as it was seen.

Laws
- An offer teaches the margin at which it ended: what it gave away when a rival took it; of one that nobody wanted, the
  most it gave away. What we took ourselves says nothing of others.
- The newest endings of each asset of each market are kept, and so many assets: the table is bounded.
- The same endings in the same order make the same book.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import NamedTuple

from keeper.core.units import BPS, Address
from keeper.estimator.bid import kept
from keeper.estimator.timing import Rivals

LARGEST = 10 * BPS  # a margin beyond is as good as this one: nearly for nothing


class Offered(NamedTuple):
    """What is learned together."""

    market: Address  # as it is configured
    asset: Address  # that is sold


@dataclass(frozen=True, slots=True)
class RivalBook:
    """The margins at which offers ended, oldest first, in basis points of what was asked for."""

    ended: Mapping[Offered, tuple[int, ...]] = field(default_factory=dict)
    newest: int = 32  # endings of an asset
    size: int = 1024  # assets

    def learn(self, what: Offered, margin: int) -> "RivalBook":
        """The book after one more ending."""
        margins = (*self.ended.get(what, ()), min(max(margin, 0), LARGEST))[-self.newest :]
        return replace(self, ended=kept(self.ended, what, margins, self.size))

    def of(self, what: Offered) -> Rivals:
        """What is known of who else wants it."""
        margins = self.ended.get(what, ())
        return Rivals(margins, taken=len(margins))
