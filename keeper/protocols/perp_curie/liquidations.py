"""From an account in the book to every liquidation the exchange would accept.

Law: a position is offered with exactly what the calls would read at that time, or refused with the reason for which
they would revert. Nothing is left out: a refusal is in the list too.
"""

from collections.abc import Iterator, Sequence

from keeper.core.book import Book
from keeper.core.plans import Action, Reason
from keeper.core.ports import Quarantine
from keeper.core.units import Address
from keeper.protocols.perp_curie.account import Account, Position, read, requirement, value_of
from keeper.protocols.perp_curie.cancelling import cancelled, without
from keeper.protocols.perp_curie.closing import Exit
from keeper.protocols.perp_curie.facts import Fees, Order, Parts, Risk
from keeper.protocols.perp_curie.maths import DUST
from keeper.protocols.perp_curie.pools import pool_value
from keeper.protocols.perp_curie.standing import fund_capacity
from keeper.protocols.perp_curie.takeover import Takeover, Target
from keeper.protocols.perp_curie.view import View, index_price

TICK_INTERVAL = 15  # seconds for which the tick that a block's cap counts from is kept


def actions(view: View, house: Address, book: Book, row: int) -> Sequence[Action | Reason]:
    """Every position of an account that can be liquidated; nothing for a healthy one."""
    account = read(view, book, row)
    if isinstance(account, Quarantine) or view.parts is None or view.risk is None:
        return [Reason.QUARANTINED]
    if value_of(view, account) >= requirement(view, account):
        return []
    if any(book.fact("paused", contract) for contract in (house, view.parts.vault)):
        return [Reason.PAUSED]
    rest = cancelled(account)
    if value_of(view, rest) >= requirement(view, rest):
        return [Reason.NOT_TAKABLE]
    offered = _Offers(view, view.parts, view.risk, house, book)
    return list(offered.of(book.account(row), account, rest)) or [Reason.NOT_TAKABLE]


class _Offers:
    """The positions of one account while they are listed."""

    def __init__(self, view: View, parts: Parts, risk: Risk, house: Address, book: Book) -> None:
        self.view, self.parts, self.risk, self.house, self.book = view, parts, risk, house, book
        self.room = risk.balance_cap - (book.fact("held") or 0)

    def of(self, name: Address, before: Account, after: Account) -> Iterator[Action | Reason]:
        orders = {one.terms.base: one.orders for one in before.positions if one.orders and one.terms.open}
        for position in after.positions:
            if abs(position.size) < DUST:
                continue
            if not position.terms.open:
                yield Reason.INACTIVE
                continue
            target = self._target(position, after, orders.get(position.terms.base, ()))
            yield Reason.NO_LIQUIDITY if target is None else self._offer(name, position, target, tuple(orders))

    def _offer(self, name: Address, position: Position, target: Target, orders: tuple[Address, ...]) -> Action | Reason:
        if self.room <= 0:
            return Reason.DEPOSITS_CAPPED
        if not target.allowed:
            return Reason.NOT_TAKABLE
        size = target.most()
        if not size:
            return Reason.NO_LIQUIDITY if target.covered(1 if target.size > 0 else -1) else Reason.FUND_SHORT
        return Takeover(self.house, name, position.terms.base, self.parts, target, size, self.room, orders)

    def _target(self, position: Position, account: Account, orders: Sequence[Order]) -> Target | None:
        exit_ = self._exit(position, orders)
        capacity = fund_capacity(self.view, self.book)
        if exit_ is None or capacity is None or position.terms.price is None:
            return None
        return Target(
            size=position.size,
            price=position.terms.price,
            value=value_of(self.view, account),
            required=requirement(self.view, account),
            absolute=account.absolute,
            rest=account.value - position.value,
            capacity=capacity,
            unit=self.view.unit,
            risk=self.risk,
            exit=exit_,
        )

    def _exit(self, position: Position, orders: Sequence[Order]) -> Exit | None:
        """The way out of the market, once the account's liquidity is gone."""
        base = position.terms.base
        pool = without(pool_value(self.book, base), orders)
        fees: Fees | None = self.book.fact("fees", base)
        index = index_price(self.book, base, self.view.at, 0)
        if pool is None or fees is None or not index:
            return None
        growth = position.terms.growth
        noted = self.view.at < growth.tick_at + TICK_INTERVAL
        return Exit(pool, fees, growth.tick if noted else pool.place.tick, index)
