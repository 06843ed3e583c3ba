"""Liquidations that happened, from the logs of Morpho and of the offers made in it.

Law: one liquidation, one line. A pre-liquidation is told by its own contract; what Morpho says of it is a repayment and
a withdrawal like any other.
"""

from collections.abc import Iterator, Sequence

from keeper.core.book import Book
from keeper.core.events import Log
from keeper.core.outlook import Liquidated
from keeper.core.units import Address
from keeper.protocols.morpho_blue.decode import decode
from keeper.protocols.morpho_blue.events import Liquidate, PreLiquidate
from keeper.protocols.morpho_blue.facts import Listing


def outcomes(book: Book, morpho: Address, logs: Sequence[Log]) -> list[Liquidated]:
    """In order; of markets that the book does not know, nothing can be said."""
    return [found for log in logs for found in _told(book, morpho, log)]


def _told(book: Book, morpho: Address, log: Log) -> Iterator[Liquidated]:
    match decode(log):
        case Liquidate(market, liquidator, who, repaid, _, seized) if log.address == morpho:
            pocket = market
        case PreLiquidate(market, liquidator, who, repaid, _, seized) if book.fact("offer", log.address) is not None:
            pocket = log.address
        case _:
            return
    listing: Listing | None = book.fact("listing", market)
    if listing is not None:
        yield Liquidated(
            Address(f"{who}:{pocket}"), listing.collateral, listing.loan, repaid, seized, liquidator,
            log.transaction_hash, log.block,
        )  # fmt: skip
