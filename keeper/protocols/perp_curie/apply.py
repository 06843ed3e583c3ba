"""Events into the book.

Laws
- Positions, open notionals, orders, margin and what is realised come from events alone; so do the pool's price, its
  ticks and its observations, in a live block.
- Accumulators are in no event. Whose settlement an event moved is put in doubt, what of a market moved is stale; the
  block's refresh reads both. Until the first survey nothing is marked: it reads everything.
"""

from collections.abc import Iterable

from keeper.core.book import Book
from keeper.core.events import Block, Log, signed_word, word
from keeper.core.units import Address
from keeper.protocols.perp_curie import averages, facts
from keeper.protocols.perp_curie import events as e
from keeper.protocols.perp_curie.decode import decode
from keeper.protocols.perp_curie.facts import BALANCE, NOTIONAL, OWED, SIZE, Order, Orders, pair_key
from keeper.protocols.perp_curie.maths import DUST
from keeper.protocols.perp_curie.pools import move
from keeper.protocols.perp_curie.topics import POOL_MINT, POOL_SWAP
from keeper.venues.uniswap_v3.walk import Place


def apply(book: Book, logs: Iterable[Log], block: Block | None) -> None:
    """Fold logs in, in order."""
    live = block if book.fact("risk") is not None else None
    for log in logs:
        event = decode(log)
        if isinstance(event, e.PoolEvent):
            if live is not None:
                _pool(book, event.pool, log, live)
        elif event is not None:
            _fold(book, event)
            if live is not None:
                _mark(book, event)


def _fold(book: Book, event: e.Event) -> None:
    match event:
        case e.PositionChanged(trader, base, size, open_notional):
            _position(book, trader, base, size, open_notional)
        case e.PositionClosed(trader, base):
            _forget(book, trader, base)
        case e.LiquidityChanged():
            _liquidity(book, event)
        case e.PnlRealized(trader, amount):
            _add(book, trader, 0, OWED, amount)
        case e.Paused(contract, paused):
            book.learn("paused", contract, paused or None)
        case _:
            _cash(book, event)


def _cash(book: Book, event: e.Event) -> None:
    parts: facts.Parts = book.fact("parts")
    match event:
        case e.Deposited(token, trader, amount):
            _add(book, trader, *_held(book, token), amount)
        case e.Withdrawn(token, trader, amount):
            if token == parts.settlement:
                row = book.open(trader)
                amount -= facts.signed(book, row, 0, OWED) // parts.unit
                facts.write(book, row, 0, OWED, 0)
            _add(book, trader, *_held(book, token), -amount)
        case e.CollateralLiquidated(trader, token, amount, repaid, fund_fee):
            _add(book, trader, *_held(book, token), -amount)
            _add(book, trader, 0, BALANCE, repaid)
            _add(book, parts.insurance_fund, 0, BALANCE, fund_fee)
        case e.BadDebtSettled(trader, amount):
            _add(book, trader, 0, BALANCE, amount)
            _add(book, parts.insurance_fund, 0, BALANCE, -amount)


def _held(book: Book, token: Address) -> tuple[int, int]:
    """Where a token of the margin is counted."""
    if token == book.fact("parts").settlement:
        return 0, BALANCE
    return book.fact("collateral", token).number, 0


def _add(book: Book, trader: Address, number: int, quantity: int, change: int) -> None:
    row = book.open(trader)
    facts.write(book, row, number, quantity, facts.signed(book, row, number, quantity) + change)


# positions ---------------------------------------------------------------------------------------------------------


def _position(book: Book, trader: Address, base: Address, size: int, open_notional: int) -> None:
    number, row = book.fact("listing", base).number, book.open(trader)
    facts.write(book, row, number, SIZE, facts.signed(book, row, number, SIZE) + size)
    facts.write(book, row, number, NOTIONAL, open_notional)
    _settle_dust(book, row, base)


def _settle_dust(book: Book, row: int, base: Address) -> None:
    """A position of next to nothing, without orders, is forgotten by the exchange."""
    number = book.fact("listing", base).number
    rest = (facts.signed(book, row, number, quantity) for quantity in (SIZE, NOTIONAL))
    if all(abs(amount) < DUST for amount in rest) and book.fact("orders", pair_key(book.account(row), base)) is None:
        _forget(book, book.account(row), base)


def _forget(book: Book, trader: Address, base: Address) -> None:
    number, row = book.fact("listing", base).number, book.open(trader)
    for quantity in (SIZE, NOTIONAL):
        facts.write(book, row, number, quantity, 0)
    book.learn("since", pair_key(trader, base), None)


def _liquidity(book: Book, event: e.LiquidityChanged) -> None:
    key, row = pair_key(event.maker, event.base), book.open(event.maker)
    known = book.fact("orders", key)
    orders = {(order.lower, order.upper): order for order in (known.open if known else ())}
    place = event.lower, event.upper
    order = _changed(orders.get(place, Order(*place, 0, 0, 0)), event)
    if order.liquidity:
        orders[place] = order
    else:
        orders.pop(place, None)
    keep_orders(book, row, event.base, orders.values())
    if event.liquidity < 0:
        _settle_dust(book, row, event.base)


def _changed(order: Order, event: e.LiquidityChanged) -> Order:
    """An order after liquidity came or went; a share of its debts goes with it, rounded down."""
    if event.liquidity < 0:
        base, quote = (debt * -event.liquidity // order.liquidity for debt in (order.base_debt, order.quote_debt))
    else:
        base, quote = -event.amount_base, -event.amount_quote
    return Order(
        order.lower,
        order.upper,
        order.liquidity + event.liquidity,
        order.base_debt - base,
        order.quote_debt - quote,
        order.fee,
        order.premium_inside,
        order.premium_below,
        order.premium_by_sqrt,
    )


def keep_orders(book: Book, row: int, base: str, orders: Iterable[Order]) -> None:
    """Replace an account's orders in a market; its flag of the market's number says whether there are any."""
    kept = tuple(sorted(orders, key=lambda order: (order.lower, order.upper)))
    book.learn("orders", pair_key(book.account(row), base), Orders(kept) if kept else None)
    bit = 1 << book.fact("listing", base).number
    flags = book.flags(row) | bit if kept else book.flags(row) & ~bit
    if flags != book.flags(row):
        book.mark(row, flags, 0)


# what has to be read again -----------------------------------------------------------------------------------------


def _mark(book: Book, event: e.Event) -> None:
    match event:
        case e.PositionChanged(trader, base) | e.FundingPaymentSettled(trader, base):
            book.learn("doubt", pair_key(trader, base), value=True)
            book.learn("stale", f"market:{base}", value=True)
        case e.LiquidityChanged(maker, base, lower, upper):
            book.learn("doubt", pair_key(maker, base), value=True)
            for subject in (f"market:{base}", f"tick:{base}:{lower}", f"tick:{base}:{upper}"):
                book.learn("stale", subject, value=True)
        case e.FundingUpdated(base):
            book.learn("stale", f"market:{base}", value=True)
            book.learn("stale", f"makers:{base}", value=True)
        case e.PoolAdded(base):
            book.learn("stale", f"listing:{base}", value=True)
        case e.CollateralAdded(token):
            book.learn("stale", f"collateral:{token}", value=True)
        case e.Touched(kind, subject):
            book.learn("stale", f"{kind}:{subject}", value=True)


def _pool(book: Book, address: Address, log: Log, block: Block) -> None:
    """A pool's own events: price, ticks and observations follow; crossed ticks are stale."""
    base = next((base for base, entry in book.facts("listing").items() if entry.pool == address), None)
    place: Place | None = None if base is None else book.fact("pool", base)
    if base is None or place is None:
        return
    if log.topics[0] == POOL_SWAP:
        after = signed_word(log.data, 4)
        written = after != place.tick
        for tick in _crossed(book, base, place.tick, after):
            book.learn("stale", f"tick:{base}:{tick}", value=True)
    else:
        lower, upper = (signed_word(topic, 0) for topic in log.topics[2:4])
        written = lower <= place.tick < upper and bool(word(log.data, log.topics[0] == POOL_MINT))
    if written:
        track = averages.observed(book.fact("track", base), place.tick, block.timestamp)
        book.learn("track", base, averages.trimmed(track, facts.floor(book, base, track.at[-1])))
    book.learn("stale", f"market:{base}", value=True)
    move(book, base, log)


def _crossed(book: Book, base: str, before: int, after: int) -> Iterable[int]:
    low, high = min(before, after), max(before, after)
    return [tick for tick in book.fact("ticks", base).index if low < tick <= high]
