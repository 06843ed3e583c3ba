"""Positions read from the chain: where events could not tell, and where an audit found a difference."""

from collections.abc import Sequence

from keeper.core.book import Book
from keeper.core.calls import integer
from keeper.core.events import Read
from keeper.core.ports import Ask, Inquiry
from keeper.core.units import Address, owner, pocket
from keeper.protocols.morpho_blue.apply import put
from keeper.protocols.morpho_blue.calls import call, of_market
from keeper.protocols.morpho_blue.facts import COLLATERAL, DEBT


def doubts(book: Book, morpho: Address) -> Inquiry:
    """Positions that events could not tell."""
    rows = [book.open(Address(account)) for account in book.facts("doubt")]
    yield from reread(book, morpho, rows)
    for account in list(book.facts("doubt")):
        book.learn("doubt", account, None)


def reread(book: Book, morpho: Address, rows: Sequence[int]) -> Inquiry:
    """Take some positions from the chain; of an offer: nothing, unless it is consented to."""
    reads: dict[int, tuple[Read, Read | None, int]] = {}
    for row in rows:
        account = book.account(row)
        where, who = pocket(account), owner(account)
        offer = book.fact("offer", where)
        number = book.fact("listing", where).number if offer is None else offer.number
        market = where if offer is None else offer.market
        asked = None if offer is None else call(morpho, "isAuthorized(address,address)", who, Address(where))
        reads[row] = of_market(morpho, "position(bytes32,address)", market, who), asked, number
    asks: list[Ask] = [read for group in reads.values() for read in group[:2] if read is not None]
    answers = yield asks
    for row, (read, asked, number) in reads.items():
        held = asked is None or bool(integer(answers, asked))
        put(book, row, number << 1 | COLLATERAL, (integer(answers, read, 2) or 0) * held)
        put(book, row, number << 1 | DEBT, (integer(answers, read, 1) or 0) * held)
