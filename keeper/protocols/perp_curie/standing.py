"""The exchange as a whole: what its assets are worth, what stands behind it, what an operator should know."""

from collections.abc import Mapping

from keeper.core.book import Book
from keeper.core.outlook import Backing
from keeper.core.ports import Quarantine, Valued
from keeper.core.units import WAD, ZERO_ADDRESS, Address, Timestamp
from keeper.protocols.perp_curie.account import read
from keeper.protocols.perp_curie.view import View


def known_until(book: Book) -> Timestamp:
    """The latest time that any fact is of."""
    settled = [growth.settled for growth in book.facts("growth").values()]
    observed = [track.at[-1] for track in book.facts("track").values()]
    return Timestamp(max([*settled, *observed], default=0))


def fund_capacity(view: View, book: Book) -> int | None:
    """What the insurance fund can pay, in wei of a dollar: what it has in the vault and in its own hands."""
    if view.parts is None:
        return None
    row, own = book.row(view.parts.insurance_fund), book.fact("fund")
    fund = None if row is None else read(view, book, row)
    if own is None or isinstance(fund, Quarantine):
        return None
    return int(own * view.unit) + (fund.cash + fund.profit if fund else 0)


def backing(view: View, book: Book) -> list[Backing]:
    """The insurance fund, and what accounts that are worth less than nothing would cost it if it all ended now."""
    capacity = fund_capacity(view, book)
    if view.parts is None or capacity is None:
        return []
    lacking = 0
    for row in range(len(book)):
        account = read(view, book, row)
        if not isinstance(account, Quarantine) and book.account(row) != view.parts.insurance_fund:
            lacking -= min(account.value, 0)
    unit = view.unit
    return [Backing(view.parts.settlement, fund=max(capacity, 0) // unit, deficit=lacking // unit)]


def assets(view: View) -> dict[Address, Valued]:
    """Prices in wei of a dollar; the settlement token counts as one."""
    if view.parts is None:
        return {}
    found = {view.parts.settlement: Valued(WAD, 10**view.parts.decimals)}
    for terms in view.terms.values():
        if terms.price:
            found[terms.base] = Valued(terms.price, WAD)
    for token, entry in view.collaterals.values():
        if entry.price:
            found[token] = Valued(entry.price * WAD // 10**entry.price_decimals, 10**entry.decimals)
    return found


def describe(view: View, book: Book) -> Mapping[str, object]:
    """Markets; and what is viewed once a block because it cannot be followed."""
    feeds = book.facts("feed").items()
    return {
        "version": "curie" if view.parts and view.parts.understood else "unknown",
        "base_unit": WAD,
        "markets": len(book.facts("listing")),
        "viewed_sources": sorted(
            [base for base, feed in feeds if feed.source == ZERO_ADDRESS] + list(book.facts("collateral"))
        ),
    }
