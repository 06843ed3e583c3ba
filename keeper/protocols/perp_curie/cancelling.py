"""An account and the pools as they are once its orders are cancelled, which has to come before a liquidation.

Law: amounts are those of ``OrderBook.removeLiquidity``: what the pool pays out, less what was minted for the order,
becomes the maker's own position; fees earned are realised. Nothing of it moves a price.
"""

from collections.abc import Iterable

from keeper.core.units import WAD
from keeper.protocols.perp_curie import funding
from keeper.protocols.perp_curie.account import Account, Position
from keeper.protocols.perp_curie.facts import Order
from keeper.protocols.perp_curie.maths import DUST, mul_div
from keeper.venues.uniswap_v3.pool import UniswapV3Pool
from keeper.venues.uniswap_v3.venue import provided


def cancelled(account: Account) -> Account:
    """The account without orders: fees and funding are in its cash already, realised or not."""
    kept, cash = [], account.cash
    for position in account.positions:
        after, realised = _cancelled(position)
        cash += realised
        if after is not None:
            kept.append(after)
    return Account(cash, account.tokens, tuple(kept))


def _cancelled(position: Position) -> tuple[Position | None, int]:
    """A position with what its orders leave, and profit that this realises; dust is forgotten."""
    if not position.orders or not position.terms.open:
        return position, 0
    bases, quotes = zip(*(funding.amounts(order, position.terms.place) for order in position.orders), strict=True)
    base_debt, quote_debt = funding.debts(position.orders)
    base, quote = sum(bases) - base_debt, sum(quotes) - quote_debt
    realised = realised_by(position.size, position.notional, base, quote)
    size, notional = position.size + base, position.notional + quote - realised
    if abs(size) < DUST and abs(notional) < DUST:
        return None, realised
    return position._replace(size=size, notional=notional, orders=(), since=position.terms.growth.premium), realised


def realised_by(size: int, notional: int, base: int, quote: int) -> int:
    """Profit that a change of a position realises: none when it grows."""
    if not size or not base or (size < 0) == (base < 0):
        return 0
    ratio = abs(base) * WAD // abs(size)
    if ratio <= WAD:
        return quote + mul_div(notional, ratio, WAD)
    return notional + mul_div(quote, WAD, ratio)


def without(pool: UniswapV3Pool, orders: Iterable[Order]) -> UniswapV3Pool | None:
    """The pool without the liquidity of some orders."""
    for order in orders:
        after = provided(pool, order.lower, order.upper, -order.liquidity)
        if after is None:
            return None
        pool = after
    return pool
