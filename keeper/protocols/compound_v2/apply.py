"""Events into the book.

Laws
- Amounts, membership and pools come from events alone. A borrow or a repayment names what is owed from now on; the
  index it is counted by is the one that the market's last ``AccrueInterest`` named, in the same history.
- Other facts are not inferred: whatever a market, the comptroller or an oracle says marks it stale, and the refresh
  reads it.
- VAI's events do not tell what is owed: such an amount is in doubt and read.
"""

from collections.abc import Iterable
from typing import Final

from keeper.core.book import Book
from keeper.core.events import Block, Log
from keeper.core.units import WAD, ZERO_ADDRESS, Address
from keeper.protocols.compound_v2 import events as e
from keeper.protocols.compound_v2.decode import decode
from keeper.protocols.compound_v2.facts import COLLATERAL, DEBT, FORCED, WAYS, Clock

VAI_DOUBT: Final = "vai"  # the place of the vToken in a doubt about VAI


class Applier:
    """Folds the logs of one market into its book."""

    def __init__(self, comptroller: Address) -> None:
        self._comptroller = comptroller
        self._numbers: dict[Address, int] = {}
        self._feeds: dict[Address, list[tuple[str, int]]] = {}
        self._oracles: frozenset[Address] = frozenset()
        self._versions: tuple[int, ...] = ()
        self._live = False  # in history nothing is marked: everything is read at its end

    def apply(self, book: Book, logs: Iterable[Log], block: Block | None) -> None:
        """Fold logs in, in order."""
        self._derive(book)
        self._live = block is not None
        for log in logs:
            self._fold(book, log, decode(log))
        if block is not None:
            book.learn("clock", "", Clock(block.number, block.timestamp))

    def _fold(self, book: Book, log: Log, event: e.Event) -> None:
        if log.address in self._oracles:
            book.learn("stale", WAYS, value=True)
            return
        if log.address in self._feeds:
            self._answered(book, event)
            return
        number = self._numbers.get(log.address)
        if number is not None:
            self._market(book, number, event)
            return
        match event:
            case e.Other() | e.MarketListed():
                book.learn("stale", "market", value=True)
                self._derive(book)
            case _:
                self._account(book, event)

    def _answered(self, book: Book, event: e.Event) -> None:
        """Of what feeds say beside answers, rounds and configurations, nothing counts: prices are read anyhow."""
        match event:
            case e.FeedAnswered(feed, answer) if answer > 0:
                for v_token, scale in self._feeds[feed]:
                    book.learn("price", v_token, answer * scale)

    def _account(self, book: Book, event: e.Event) -> None:
        """What the comptroller and its helpers say of one account."""
        match event:
            case e.Membership():
                self._membership(book, event)
            case e.PoolSelected(account, pool):
                row = book.open(account)
                book.mark(row, book.flags(row), pool)
            case e.ForcedForUser():
                self._forced(book, event)
            case e.Restricted(account, restricted):
                book.learn("restricted", account, restricted or None)
            case e.StablecoinMoved(account):
                book.open(account)
                book.learn("doubt", f"{VAI_DOUBT}:{account}", value=True)

    # a market ------------------------------------------------------------------------------------------------------

    def _market(self, book: Book, number: int, event: e.Event) -> None:
        match event:
            case e.Transfer():
                self._transferred(book, number, event)
            case e.Accrued(v_token, index):
                book.learn("index", v_token, index)
                self._touched(book, v_token)
            case e.Owed(v_token, account, amount):
                index = book.fact("index", v_token) or WAD
                book.set_amount(book.open(account), number << 2 | DEBT, amount, (index,) if amount else ())
                self._touched(book, v_token)
            case e.Other(v_token):
                self._touched(book, v_token)
                book.learn("stale", f"config:{v_token}", value=True)

    def _transferred(self, book: Book, number: int, event: e.Transfer) -> None:
        """Also a mint and a redemption: the vToken itself, or nobody, is at the other end and holds nothing."""
        column, outside = number << 2 | COLLATERAL, (event.v_token, ZERO_ADDRESS)
        self._touched(book, event.v_token)
        for account, change in ((event.sender, -event.amount), (event.recipient, event.amount)):
            if account in outside:
                continue
            row = book.open(account)
            found = book.look(row, column)
            after = found[1] + change
            if after < 0 or book.fact("doubt", f"{event.v_token}:{account}"):
                book.learn("doubt", f"{event.v_token}:{account}", value=True)
            elif change:
                book.replace(row, column, found, after)

    def _touched(self, book: Book, v_token: Address) -> None:
        if self._live:
            book.learn("stale", f"accrual:{v_token}", value=True)

    # an account ----------------------------------------------------------------------------------------------------

    def _membership(self, book: Book, event: e.Membership) -> None:
        number = self._numbers.get(event.v_token)
        if number is None:
            return
        row = book.open(event.account)
        old = book.flags(row)
        new = old | 1 << number if event.inside else old & ~(1 << number)
        if new != old:
            book.mark(row, new, book.mode(row))

    def _forced(self, book: Book, event: e.ForcedForUser) -> None:
        book.learn("forced", f"{event.account}:{event.v_token}", event.enabled or None)
        row = book.open(event.account)
        some = any(book.fact("forced", f"{event.account}:{v_token}") for v_token in self._numbers)
        flags = book.flags(row) & ~FORCED | FORCED * some
        if flags != book.flags(row):
            book.mark(row, flags, book.mode(row))

    # derived tables ------------------------------------------------------------------------------------------------

    def _derive(self, book: Book) -> None:
        """Tables that follow from facts, made again only when those facts moved."""
        versions = tuple(book.version(kind) for kind in ("listing", "feed", "market", "way"))
        if versions == self._versions:
            return
        self._versions = versions
        self._numbers = {Address(v_token): entry.number for v_token, entry in book.facts("listing").items()}
        parts = book.fact("market")
        named = [way.oracle for way in book.facts("way").values()]
        self._oracles = frozenset([*named, *([] if parts is None else [parts.oracle])]) - {self._comptroller}
        self._feeds = {}
        for v_token, feed in book.facts("feed").items():
            self._feeds.setdefault(feed.aggregator, []).append((v_token, feed.scale))
