"""The book against the chain's own view.

Law: both sides are asked about the same block and its timestamp, and equal means equal to the last unit. An account
the book sets aside must be one for which the chain's own view reverts.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice

from keeper.core.book import Book
from keeper.core.events import Block
from keeper.core.ports import Chain, Health, Quarantine
from keeper.core.units import Address
from keeper.indexer.inquire import inquire
from keeper.indexer.market import Market

BATCH = 500  # accounts asked together


@dataclass(frozen=True, slots=True)
class Drift:
    """An account on which the book and the chain disagree."""

    market: Address
    row: int
    account: Address
    ours: Health | Quarantine
    chain: Health | Quarantine


async def audit(chain: Chain, market: Market, rows: Sequence[int], block: Block) -> list[Drift]:
    """Compare some accounts at the block where the book stands."""
    drifts: list[Drift] = []
    remaining = iter(rows)
    while batch := list(islice(remaining, BATCH)):
        theirs = await inquire(chain, market.adapter.audit(market.book, batch), block, market.from_block)
        for row in batch:
            ours = market.adapter.health(market.book, row, block.timestamp)
            if not same(ours, theirs[row]):
                drifts.append(Drift(market.adapter.market, row, market.book.account(row), ours, theirs[row]))
    return drifts


def same(ours: Health | Quarantine, chain: Health | Quarantine) -> bool:
    """Equal to the last unit; or both sides give no number."""
    if isinstance(ours, Quarantine) or isinstance(chain, Quarantine):
        return isinstance(ours, Quarantine) and isinstance(chain, Quarantine)
    return ours == chain


def live_rows(book: Book) -> list[int]:
    """Accounts that hold anything."""
    return [row for row in range(len(book)) if next(book.positions(row), None) is not None]


async def repair(chain: Chain, market: Market, rows: Sequence[int], block: Block) -> None:
    """Take some accounts from the chain. The change belongs to the next block that is committed."""
    await inquire(chain, market.adapter.reread(market.book, rows), block, market.from_block)
