"""What is waited for: accounts that can be liquidated and are not worth it yet, and when that may change by itself.

Laws
- An account that was refused is decided on anew in every block anyhow; what is kept here is told when it changes.
- Only what time alone brings is waited for: an auction that falls, a price known ahead, interest.
- Of an auction the block is told in which it pays for the first time, should nothing else move: the exact estimate is
  asked about that block and the one before, in every block, and the search begins anew when either answers otherwise.
"""

from collections.abc import Callable, Collection, Sequence
from functools import partial
from itertools import islice
from typing import Final

from keeper.core.outlook import Trigger, TriggerKind
from keeper.core.units import Address, Timestamp, Who
from keeper.estimator.timing import first_worth
from keeper.indexer.market import Market
from keeper.log import get_logger

ASKED: Final = 50  # accounts asked about in one block
FORESEEN: Final = 4  # auctions that the estimate is asked about in one block
OURS: Final = "our cost"
IN_TIME: Final = (TriggerKind.TIME, TriggerKind.AUCTION)

log = get_logger()
Pays = Callable[[Market, int, Timestamp], bool]


class Agenda:
    """The next moment of every refused account."""

    def __init__(self) -> None:
        self.awaited: dict[Who, Trigger] = {}

    def ask(self, markets: Sequence[Market], refused: Collection[Who], at: Timestamp, step: int, pays: Pays) -> None:
        """Of those that are refused now; whoever is not is forgotten. ``step``: seconds from block to block."""
        known = {market.adapter.market: market for market in markets}
        before, self.awaited = self.awaited, {}
        foreseen = 0
        for key in islice(refused, ASKED):
            name, account = key
            market = known.get(name)
            row = market.book.row(account) if market else None
            if market is None or row is None:
                continue
            found = [one for one in market.adapter.triggers(market.book, row, at) if one.kind in IN_TIME]
            if not found:
                continue
            trigger = min(found, key=lambda one: one.at)
            if trigger.kind is TriggerKind.AUCTION and foreseen < FORESEEN:
                foreseen += 1
                until = max(one.at for one in found)
                ours = _foresee(before.get(key), partial(pays, market, row), range(at + step, until, step))
                trigger = ours or trigger
            self.awaited[key] = trigger
            if before.get(key) != trigger:
                _told(market, account, trigger)


def _foresee(before: Trigger | None, pays: Callable[[Timestamp], bool], blocks: range) -> Trigger | None:
    """The first block in which an auction pays; the last answer serves as long as it is right."""
    if before is not None and before.what == OURS and before.at in blocks:
        earlier = Timestamp(before.at - blocks.step)
        if pays(Timestamp(before.at)) and not (earlier in blocks and pays(earlier)):
            return before
    found = first_worth([Timestamp(block) for block in blocks], lambda at: True if pays(at) else None)
    return None if found is None else Trigger(TriggerKind.AUCTION, found[0], OURS)


def _told(market: Market, account: Address, trigger: Trigger) -> None:
    log.info(
        "opportunity.awaited", protocol=market.adapter.name, market=market.adapter.market, account=account,
        kind=trigger.kind.value, at=trigger.at, what=trigger.what,
    )  # fmt: skip
