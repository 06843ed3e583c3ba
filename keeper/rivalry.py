"""Who else buys from auctions: their purchases, out of the market's own logs, against what was on offer then.

Laws
- What an auction gave away in a block is what was found when that block was decided for.
- Each ending teaches once: a purchase by somebody else the margin it was made at; a new start of an auction, which had
  become too old or too cheap, the most that nobody wanted.
- Only auctions that are open are remembered.
"""

from collections.abc import Collection, Iterator, Sequence

from keeper.core.outlook import Liquidated
from keeper.core.units import Address, Who
from keeper.estimator.patience import margin, offered
from keeper.estimator.rivals import Offered
from keeper.estimator.world import Candidate

Ending = tuple[Offered, int]  # what, and at which margin


class Rivalry:
    """The offers of the block that was decided for last."""

    def __init__(self) -> None:
        self._offers: dict[Who, Ending] = {}

    def look(self, candidates: Sequence[Candidate], liquidatable: Collection[Who]) -> None:
        """What is on offer now. One that waits for a new start is remembered as it was."""
        found = {one.who: (what, margin(one)) for one in candidates if (what := offered(one))}
        self._offers = {who: offer for who, offer in (self._offers | found).items() if who in liquidatable}

    def endings(self, market: Address, told: Sequence[Liquidated], ours: Address | None) -> Iterator[Ending]:
        """What these outcomes of a market teach."""
        for one in told:
            offer = self._offers.get((market, one.account))
            if offer is not None and one.liquidator != ours:
                yield offer
