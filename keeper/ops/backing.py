"""What stands behind every market: insurance funds, reserves, deficits and losses that were shared out.

Laws
- Read only: the books know it already. A line is written when a deficit or a shared loss changes at all, or when a fund
  has moved by a hundredth since it was last told; interest alone would write one a block.
- Amounts are in the smallest units of the asset, in whole tokens only for eyes.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Final, NamedTuple

from keeper.core.outlook import Backing
from keeper.core.units import Address
from keeper.indexer.market import Market
from keeper.log import get_logger

MOVED: Final = 100  # one part in so many of a fund is worth a line
TOLD: Final = 20  # lines in one block

log = get_logger()


class Where(NamedTuple):
    """Which market's, and in which asset."""

    protocol: str
    market: Address
    asset: Address


class Backings:
    """What was last told of every market."""

    def __init__(self) -> None:
        self.now: Mapping[Where, Backing] = {}
        self.whole: Mapping[tuple[str, ...], float] = {}  # with the kind of amount, in whole tokens
        self._told: dict[Where, Backing] = {}

    def look(self, markets: Sequence[Market]) -> None:
        """After a block."""
        surveyed = [market for market in markets if market.surveyed is not None]
        self.now = {where: found for market in surveyed for where, found in _of(market)}
        self.whole = {key: value for market in surveyed for key, value in _whole(market)}
        lines = 0
        for where, found in self.now.items():
            before = self._told.get(where)
            if lines < TOLD and (before is None or _moved(before, found)):
                self._tell(where, before, found)
                lines += 1

    def _tell(self, where: Where, before: Backing | None, found: Backing) -> None:
        self._told[where] = found
        known = {name: getattr(found, name) for name in ("fund", "deficit", "socialised")}
        first = {"first": found.ranks[0]} if found.ranks else {}
        log.info("market.backing", **where._asdict(), **{n: v for n, v in known.items() if v is not None}, **first)
        lost = _lost(found) - (_lost(before) if before else _lost(found))
        if lost > 0:
            log.warning("bad_debt.detected", **where._asdict(), amount=lost)


def _of(market: Market) -> Iterator[tuple[Where, Backing]]:
    for found in market.adapter.backing(market.book):
        yield Where(market.adapter.name, market.adapter.market, found.asset), found


def _whole(market: Market) -> Iterator[tuple[tuple[str, ...], float]]:
    assets = market.adapter.assets(market.book)
    for where, found in _of(market):
        unit = assets[where.asset].unit if where.asset in assets else 1
        for name in ("fund", "deficit", "socialised"):
            amount = getattr(found, name)
            if amount is not None:
                yield (*where, name), amount / unit


def _lost(found: Backing) -> int:
    return (found.deficit or 0) + (found.socialised or 0)


def _moved(before: Backing, now: Backing) -> bool:
    if (before.deficit, before.socialised, before.ranks[:1]) != (now.deficit, now.socialised, now.ranks[:1]):
        return True
    return before.fund != now.fund and abs((now.fund or 0) - (before.fund or 0)) * MOVED >= (before.fund or 0)
