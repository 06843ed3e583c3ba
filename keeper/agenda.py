"""What is waited for: accounts that can be liquidated and are not worth it yet, and when that may change by itself.

Law: an account that was refused is decided on anew in every block anyhow; what is kept here is told, once, when it
changes. Only what time alone brings is waited for: an auction that falls, a price known ahead, interest.
"""

from collections.abc import Collection, Sequence
from itertools import islice
from typing import Final

from keeper.core.outlook import Trigger, TriggerKind
from keeper.core.units import Address, Timestamp
from keeper.indexer.market import Market
from keeper.log import get_logger

ASKED: Final = 50  # accounts asked about in one block
IN_TIME: Final = (TriggerKind.TIME, TriggerKind.AUCTION)

log = get_logger()


class Agenda:
    """The next moment of every refused account."""

    def __init__(self) -> None:
        self.awaited: dict[tuple[int, Address], Trigger] = {}

    def ask(self, markets: Sequence[Market], refused: Collection[tuple[int, Address]], at: Timestamp) -> None:
        """Of those that are refused now; whoever is not is forgotten."""
        known = {market.id: market for market in markets}
        before, self.awaited = self.awaited, {}
        for key in islice(refused, ASKED):
            number, account = key
            market = known.get(number)
            row = market.book.row(account) if market else None
            if market is None or row is None:
                continue
            found = [one for one in market.adapter.triggers(market.book, row, at) if one.kind in IN_TIME]
            if found:
                self.awaited[key] = trigger = min(found, key=lambda one: one.at)
                if before.get(key) != trigger:
                    _told(market, account, trigger)


def _told(market: Market, account: Address, trigger: Trigger) -> None:
    log.info(
        "opportunity.awaited", protocol=market.adapter.name, market=market.adapter.market, account=account,
        kind=trigger.kind.value, at=trigger.at, what=trigger.what,
    )  # fmt: skip
