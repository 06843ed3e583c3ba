"""Events into the book.

Laws
- Urns and auctions come from events alone. A clock that starts in a block of which only the logs are known is put in
  doubt and read from the chain, never guessed.
- Other facts are not inferred: an event that may have moved one marks it stale, and the block's refresh reads it.
- A collateral's number is the order in which it was first seen.
"""

from collections.abc import Callable, Iterable
from typing import Final

import msgspec

from keeper.core.book import Book
from keeper.core.events import Block, Log
from keeper.core.units import MAX_U128, ZERO_ADDRESS, Address
from keeper.protocols.maker_clip import decode
from keeper.protocols.maker_clip import events as e
from keeper.protocols.maker_clip.auction import Sale
from keeper.protocols.maker_clip.facts import ART, INK, LOT, sale_account, urn_account

KINDS: Final = ("market", "clip", "rules", "terms")
Decode = Callable[[Log], tuple[e.Event, ...]]


class Applier:
    """Folds the logs of one market into its book."""

    def __init__(self) -> None:
        self._decoders: dict[Address, Decode] = {}
        self._stale: dict[Address, set[str]] = {}  # what any log of a contract makes stale
        self._versions: tuple[int, ...] = ()

    def apply(self, book: Book, logs: Iterable[Log], block: Block | None) -> None:
        """Fold logs in, in order."""
        self._derive(book)
        for log in logs:
            if block is not None:
                for subject in self._stale.get(log.address, ()):
                    book.learn("stale", subject, value=True)
            decoder = self._decoders.get(log.address)
            for event in decoder(log) if decoder else ():
                self._fold(book, event, block)

    def _fold(self, book: Book, event: e.Event, block: Block | None) -> None:
        match event:
            case e.Moved(ilk, urn, ink, art):
                _move(book, ilk, urn, ink, art)
            case e.Listed(ilk):
                number(book, ilk)
            case e.Started():
                _start(book, event, block)
            case e.Bought(clip, which, _, _, tab, lot):
                _sell(book, sale_account(clip, which), tab, lot)
            case e.Ended(clip, which):
                _sell(book, sale_account(clip, which), 0, 0)
            case e.Clipped(ilk, clip):
                book.learn("clip", clip, ilk)
                self._derive(book)
            case e.IlkTouched(ilk) if block is not None:
                book.learn("stale", f"ilk:{ilk}", value=True)

    def _derive(self, book: Book) -> None:
        """Whose logs say what: made again only when the contracts changed."""
        versions = tuple(book.version(kind) for kind in KINDS)
        if versions == self._versions:
            return
        self._versions = versions
        parts = book.fact("market")
        self._stale = {}
        self._decoders = dict.fromkeys(map(Address, book.facts("clip")), decode.of_clip)
        if parts is not None:
            neighbours = dict.fromkeys((parts.jug, parts.spotter), decode.of_neighbour)
            self._decoders |= neighbours | {parts.vat: decode.of_vat, parts.dog: decode.of_dog}
            self._add(parts.registry, "market")
        for terms in book.facts("terms").values():
            self._add(terms.pip, f"oracle:{terms.pip}")
        for clip, rules in book.facts("rules").items():
            self._add(rules.calc, f"clip:{clip}")
        for clip in book.facts("clip"):
            self._add(Address(clip), f"clip:{clip}")

    def _add(self, address: Address, subject: str) -> None:
        if address != ZERO_ADDRESS:
            self._stale.setdefault(address, set()).add(subject)


def number(book: Book, ilk: str) -> int:
    """A collateral's number; a new one's is the next."""
    known: int | None = book.fact("ilk", ilk)
    if known is None:
        known = len(book.facts("ilk"))
        book.learn("ilk", ilk, known)
    return known


def _move(book: Book, ilk: str, urn: Address, ink: int, art: int) -> None:
    account, column = urn_account(urn, ilk), number(book, ilk) << 2
    row = book.open(account)
    for side, change in ((INK, ink), (ART, art)):
        after = book.amount(row, column | side) + change
        if not 0 <= after <= MAX_U128:
            book.learn("doubt", account, value=True)
        elif change:
            book.set_amount(row, column | side, after)


def _start(book: Book, event: e.Started, block: Block | None) -> None:
    account = sale_account(event.clip, event.number)
    set_lot(book, account, event.lot)
    sale = None if block is None else Sale(event.tab, event.usr, block.timestamp, event.top)
    book.learn("sale", account, sale)
    book.learn("doubt", account, True if sale is None else None)


def _sell(book: Book, account: Address, tab: int, lot: int) -> None:
    sale = book.fact("sale", account)
    if not (tab and lot):
        set_lot(book, account, 0)
        book.learn("sale", account, None)
        book.learn("doubt", account, None)
        return
    set_lot(book, account, lot)
    if sale is not None:
        book.learn("sale", account, msgspec.structs.replace(sale, tab=tab))


def set_lot(book: Book, account: Address, lot: int) -> None:
    """What an auction has left to sell."""
    clip, _, _ = account.partition(":")
    ilk = book.fact("clip", clip)
    if ilk is not None:
        book.set_amount(book.open(account), number(book, ilk) << 2 | LOT, lot)
