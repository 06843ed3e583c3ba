"""From an account in the book to every liquidation the exchange would accept.

Law: a position is offered with exactly what the calls would read at that time, or refused with the reason for which
they would revert. Nothing is left out: a refusal is in the list too.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence

from keeper.core.actions import Action
from keeper.core.book import Book
from keeper.core.ports import Quarantine
from keeper.core.refusals import Reason
from keeper.core.units import Address
from keeper.protocols.perp_curie.account import Account, Position, read, requirement, value_of
from keeper.protocols.perp_curie.cancelling import cancelled, without
from keeper.protocols.perp_curie.closing import Exit
from keeper.protocols.perp_curie.facts import Fees, Order, Parts, Risk
from keeper.protocols.perp_curie.maths import DUST
from keeper.protocols.perp_curie.pools import pool_value
from keeper.protocols.perp_curie.standing import fund_capacity
from keeper.protocols.perp_curie.takeover import Takeover, Target
from keeper.protocols.perp_curie.view import Moment, View

Orders = Mapping[Address, Sequence[Order]]
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
    offered = _Offers(view, view.parts, view.risk, house, book)
    return list(offered.of(row, account)) or [Reason.NOT_TAKABLE]


class _Offers:
    """The positions of one account while they are listed."""

    def __init__(self, view: View, parts: Parts, risk: Risk, house: Address, book: Book) -> None:
        self.view, self.parts, self.risk, self.house, self.book = view, parts, risk, house, book
        self.room = risk.balance_cap - (book.fact("held") or 0)

    def of(self, row: int, before: Account) -> Iterator[Action | Reason]:
        orders = {one.terms.base: one.orders for one in before.positions if one.orders and one.terms.open}
        for base in [one.terms.base for one in cancelled(before).positions if abs(one.size) >= DUST]:
            yield self._position(row, base, orders)

    def _position(self, row: int, base: Address, orders: Orders) -> Action | Reason:
        """A position as the exchange will find it: funding of its market was settled just before, as of the orders'."""
        after = self._settled(row, {*orders, base})
        position = next((one for one in after.positions if one.terms.base == base), None) if after else None
        if after is None or position is None:
            return Reason.QUARANTINED
        if not position.terms.open:
            return Reason.INACTIVE
        gate = after if not orders else self._settled(row, set(orders))
        if gate is None or (orders and value_of(self.view, gate) >= requirement(self.view, gate)):
            return Reason.NOT_TAKABLE
        target = self._target(position, after, orders.get(base, ()))
        return (
            Reason.NO_LIQUIDITY
            if target is None
            else self._offer(self.book.account(row), position, target, tuple(orders))
        )

    def _settled(self, row: int, bases: Collection[str]) -> Account | None:
        """The account without orders, once funding of these markets was settled in the block."""
        view = View(self.book, self.view.at, settled=bases)
        found = read(view, self.book, row)
        return None if isinstance(found, Quarantine) else cancelled(found)

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
        index = Moment(self.book, base, self.risk, self.view.at, settled=True).index_price(0)
        if pool is None or fees is None or not index:
            return None
        growth = position.terms.growth
        noted = self.view.at < growth.tick_at + TICK_INTERVAL
        return Exit(pool, fees, growth.tick if noted else pool.place.tick, index)
