"""What the exchange is asked about traders: the accumulators at their last settlement, and a whole account anew.

Law: a settlement that pays nothing leaves no event of its own, but it can only change what is due to somebody to whom
nothing is due: makers of a market that was settled, for whom that is so, are read again. What is left is a hidden
settlement of a taker with a position of less than about a thousand wei: nobody would ever liquidate it.
"""

from collections.abc import Sequence

from keeper.core.book import Book
from keeper.core.calls import integer, size
from keeper.core.events import Read, signed_word, word
from keeper.core.ports import Answers, Inquiry
from keeper.core.units import Address
from keeper.protocols.perp_curie.account import funding_due
from keeper.protocols.perp_curie.apply import keep_orders
from keeper.protocols.perp_curie.calls import call
from keeper.protocols.perp_curie.facts import (
    BALANCE,
    NOTIONAL,
    OWED,
    SIZE,
    Order,
    Orders,
    Parts,
    bits,
    pair_key,
    signed,
    write,
)

_ORDER = 9  # words of an order
_INFO = 3  # words of an account's info

Pair = tuple[str, str]  # account, base


def everybody(book: Book) -> list[Pair]:
    """Every account in every market where it has anything."""
    names = {entry.number: base for base, entry in book.facts("listing").items()}
    pairs: dict[Pair, None] = {}
    for row in range(len(book)):
        numbers = {column >> 2 for column, _ in book.positions(row)} | set(bits(book.flags(row)))
        pairs.update(((book.account(row), names[number]), None) for number in sorted(numbers) if number in names)
    return list(pairs)


def doubted(book: Book, settled: Sequence[str]) -> list[Pair]:
    """Whose settlements a block's events moved, or may have moved unseen."""
    pairs = dict.fromkeys(_pair(key) for key in book.facts("doubt"))
    for key in book.facts("orders"):
        account, base = _pair(key)
        if base in settled and not funding_due(book, account, base):
            pairs[account, base] = None
    return list(pairs)


def _pair(key: str) -> Pair:
    account, _, base = key.rpartition(":")
    return account, base


def settlements(book: Book, pairs: Sequence[Pair]) -> Inquiry:
    """The accumulators at the last settlement of some accounts and of their orders."""
    parts: Parts = book.fact("parts")
    infos = {pair: _info(parts, *pair) for pair in pairs}
    orders = {
        (pair, order.lower, order.upper): call(
            parts.order_book,
            "getOpenOrder(address,address,int24,int24)",
            Address(pair[0]),
            Address(pair[1]),
            order.lower,
            order.upper,
        )
        for pair in pairs
        for order in orders_of(book, *pair)
    }
    answers = yield [*infos.values(), *orders.values()]
    for pair, read in infos.items():
        _learn_since(book, pair, answers[read])
    for pair in pairs:
        found = [answers[read] for (of, _, _), read in orders.items() if of == pair]
        keep_orders(
            book, book.open(Address(pair[0])), pair[1], [_order(data) for data in found if size(data) >= _ORDER]
        )


def orders_of(book: Book, account: str, base: str) -> tuple[Order, ...]:
    """What a maker has open in a market."""
    known: Orders | None = book.fact("orders", pair_key(account, base))
    return known.open if known else ()


def _info(parts: Parts, account: str, base: str) -> Read:
    return call(parts.account_balance, "getAccountInfo(address,address)", Address(account), Address(base))


def _learn_since(book: Book, pair: Pair, info: str | None) -> None:
    row, number = book.open(Address(pair[0])), book.fact("listing", pair[1]).number
    held = signed(book, row, number, SIZE) or signed(book, row, number, NOTIONAL) or book.flags(row) >> number & 1
    known = held and info is not None and size(info) >= _INFO
    book.learn("since", pair_key(*pair), signed_word(info, 2) if known and info is not None else None)


def _order(data: str) -> Order:
    lower, upper, inside, below, by_sqrt = (signed_word(data, at) for at in (1, 2, 4, 5, 6))
    liquidity, fee, base_debt, quote_debt = (word(data, at) for at in (0, 3, 7, 8))
    return Order(lower, upper, liquidity, base_debt, quote_debt, fee, inside, below, by_sqrt)


# a whole account anew ----------------------------------------------------------------------------------------------


def reread(book: Book, rows: Sequence[int]) -> Inquiry:
    """Replace what the book holds of some accounts by what the chain says."""
    for row in rows:
        yield from _cash(book, row)
    pairs = [(book.account(row), base) for row in rows for base in book.facts("listing")]
    yield from _positions(book, pairs)
    yield from _orders(book, pairs)
    yield from settlements(book, pairs)


def _cash(book: Book, row: int) -> Inquiry:
    parts: Parts = book.fact("parts")
    account = book.account(row)
    realised = call(parts.account_balance, "getPnlAndPendingFee(address)", account)
    places = {parts.settlement: (0, BALANCE)} | {
        Address(token): (entry.number, 0) for token, entry in book.facts("collateral").items()
    }
    reads = {token: call(parts.vault, "getBalanceByToken(address,address)", account, token) for token in places}
    answers = yield [realised, *reads.values()]
    if size(answers[realised]):
        write(book, row, 0, OWED, signed_word(answers[realised], 0))
    for token, read in reads.items():
        number, quantity = places[token]
        write(book, row, number, quantity, signed_word(answers[read], 0))


def _positions(book: Book, pairs: Sequence[Pair]) -> Inquiry:
    parts: Parts = book.fact("parts")
    reads = {pair: _info(parts, *pair) for pair in pairs}
    answers = yield list(reads.values())
    for (account, base), read in reads.items():
        row, number = book.open(Address(account)), book.fact("listing", base).number
        for place, quantity in enumerate((SIZE, NOTIONAL)):
            write(book, row, number, quantity, signed_word(answers[read], place))


def _orders(book: Book, pairs: Sequence[Pair]) -> Inquiry:
    book_of_orders = book.fact("parts").order_book
    lists = {pair: call(book_of_orders, "getOpenOrderIds(address,address)", *map(Address, pair)) for pair in pairs}
    answers = yield list(lists.values())
    ids = {pair: _ids(answers, read) for pair, read in lists.items()}
    reads = {one: call(book_of_orders, "getOpenOrderById(bytes32)", one) for known in ids.values() for one in known}
    found = yield list(reads.values())
    for (account, base), known in ids.items():
        keep_orders(book, book.open(Address(account)), base, [_order(found[reads[one]]) for one in known])


def _ids(answers: Answers, read: Read) -> list[int]:
    return [word(answers[read], 2 + at) for at in range(integer(answers, read, 1) or 0)]
