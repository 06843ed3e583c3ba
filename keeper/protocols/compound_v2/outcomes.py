"""Liquidations that happened, from the market's own logs.

Law: a liquidation through Venus's Liquidator is told twice, by both. The Liquidator's word names who was
paid, so the vToken's is passed over. Amounts of collateral are vTokens.
"""

from collections.abc import Sequence

from keeper.core.book import Book
from keeper.core.events import Log
from keeper.core.outlook import Liquidated
from keeper.core.units import ZERO_ADDRESS, Address
from keeper.protocols.compound_v2.decode import liquidation
from keeper.protocols.compound_v2.facts import Parts


def outcomes(book: Book, logs: Sequence[Log]) -> list[Liquidated]:
    """In order."""
    parts: Parts = book.fact("market")
    ours = {*book.facts("listing"), parts.liquidator, parts.vai_controller} - {ZERO_ADDRESS}
    told = [(log, liquidation(log)) for log in logs if log.address in ours]
    return [
        Liquidated(
            event.account, event.collateral, _asset(book, parts, event.v_token), event.repaid, event.seized,
            event.liquidator, log.transaction_hash, log.block,
        )
        for log, event in told
        if event is not None and event.liquidator != parts.liquidator
    ]  # fmt: skip


def _asset(book: Book, parts: Parts, borrowed: Address) -> Address:
    """What was repaid; the vToken stands for the chain's own coin."""
    if borrowed == parts.vai_controller:
        return parts.vai
    underlying = book.fact("listing", borrowed).underlying
    return borrowed if underlying == ZERO_ADDRESS else underlying
