"""One position of one account as an action: inherited at the mark price less a share of the penalty, closed at once.

Law: exact and pure. The account is as it is once its orders are cancelled. ``repay`` is margin: it is deposited, lets
so much of the position be inherited, and comes back with the profit. Everything ends in the settlement token, and the
liquidator, who had nothing in this market before, has nothing in it afterwards. What is inherited is what the margin
allows for, never more than the exchange lets go, than can be closed in this block, or than the insurance fund covers.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, NamedTuple

from keeper.core.actions import Call, Settlement, Style, Witness
from keeper.core.units import MAX_U256, WAD, Address, Amount, div_up
from keeper.protocols.perp_curie.calls import SELECTORS
from keeper.protocols.perp_curie.closing import Exit
from keeper.protocols.perp_curie.facts import Parts, Risk
from keeper.protocols.perp_curie.maths import DUST, RATIO, mul_div

CLOSE: Final = "closePosition((address,uint160,uint256,uint256,bytes32))"
_WIDEST: Final = (1 << 24) - 1  # a larger ratio does not fit: the exchange reverts for a small one of many positions
SMALL: Final = 100 * WAD  # a position of at most so much is liquidated whole


class Share(NamedTuple):
    """A part of a position, in wei of a dollar."""

    size: int
    notional: int  # at the mark price, with the sign of the size
    penalty: int
    to_liquidator: int
    to_fund: int


@dataclass(frozen=True, slots=True)
class Target:
    """A position to be taken: its size as a taker, what the exchange says of its account, and the way out."""

    size: int
    price: int  # mark
    value: int  # of the account, floored to the settlement token's unit
    required: int
    absolute: int  # of all its positions
    rest: int  # the account's exact value without this position's
    capacity: int  # of the insurance fund
    unit: int
    risk: Risk
    exit: Exit

    @property
    def allowed(self) -> int:
        """The most that the exchange lets a liquidator take, with the sign of the position."""
        if self.value >= self.required:
            return 0
        worth = abs(mul_div(self.size, self.price, WAD))
        if worth <= SMALL or self.value < self.required // 2:
            return self.size
        ratio = self.absolute * RATIO // (2 * worth)
        return 0 if ratio > _WIDEST else mul_div(self.size, min(ratio, RATIO), RATIO)

    def share(self, size: int) -> Share:
        """The penalty of taking so much, and who gets it: all of it the liquidator when the account is bankrupt."""
        notional = mul_div(size, self.price, WAD)
        penalty = abs(notional) * self.risk.penalty // RATIO
        mine = penalty if self.value < 0 else penalty // 2
        return Share(size, notional, penalty, mine, penalty - mine)

    def missing(self, size: int) -> int:
        """What the account owes afterwards beyond its margin, and the insurance fund has to cover."""
        share = self.share(size)
        value = self.rest + mul_div(self.size - size, self.price, WAD) + share.notional - share.penalty
        return max(-(value // self.unit * self.unit), 0)

    def covered(self, size: int) -> bool:
        """Whether the insurance fund can; else the call reverts."""
        missing, fund = self.missing(size), self.capacity + self.share(size).to_fund
        return not missing or fund // self.unit * self.unit >= missing

    def profit(self, size: int) -> int | None:
        """What inheriting and closing leaves, in wei of a dollar; ``None``: it cannot be closed."""
        closed = self.exit.quote(size)
        share = self.share(size)
        return None if closed is None else closed - share.notional + share.to_liquidator

    def margin(self, size: int) -> int:
        """What the liquidator must have in the vault while he holds it, in units of the settlement token."""
        share = self.share(size)
        debt = share.notional - share.to_liquidator if size > 0 else -share.notional
        return div_up(max(debt, 0) * self.risk.initial // RATIO, self.unit)

    def possible(self, size: int) -> bool:
        """Whether the exchange would let so much be taken, and given away again for less than the margin it takes."""
        profit = self.profit(size)
        return profit is not None and self.margin(size) * self.unit + profit >= 0 and self.covered(size)

    def most(self) -> int:
        """The largest size that is possible; what is possible for a size is so for a smaller one."""
        whole = self.allowed
        return whole if self.possible(whole) else _largest(whole, self.possible)

    def for_margin(self, most: int, margin: int) -> int:
        """The largest size that so much margin carries."""
        return most if self.margin(most) <= margin else _largest(most, lambda size: self.margin(size) <= margin)


def _largest(bound: int, holds: Callable[[int], bool]) -> int:
    """The largest size of a sign below a bound for which something holds that holds for all smaller ones; or 0."""
    sign, low, high = (1 if bound > 0 else -1), 0, abs(bound)
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if holds(sign * middle) else (low, middle)
    return sign * low


@dataclass(frozen=True, slots=True)
class Takeover:
    """``liquidate`` and ``closePosition`` in one. Implements ``core.actions.Action``."""

    market: Address  # the clearing house
    account: Address
    base: Address
    parts: Parts
    target: Target
    size: int  # the most that is possible
    room: int  # settlement tokens that the vault still accepts
    orders: tuple[Address, ...]  # base tokens of the markets in which the account has orders
    protocol: str = "perp_curie"
    style: Style = Style.TAKEOVER
    receive_wrapped: bool = False
    withdrawable: int = 0
    witness: Witness | None = None

    @property
    def collateral_asset(self) -> Address:
        return self.parts.settlement

    @property
    def debt_asset(self) -> Address:
        return self.parts.settlement

    @property
    def spender(self) -> Address:
        return self.parts.vault

    def intervals(self) -> tuple[tuple[int, int], ...]:
        """From the margin for what is just no dust to what the whole of it needs."""
        least, most = (
            self.target.margin(DUST if self.size > 0 else -DUST),
            min(self.target.margin(self.size), self.room),
        )
        return ((least, most),) if least <= most and abs(self.size) >= DUST else ()

    def taken(self, repay: int) -> int:
        """The size that a margin lets be inherited."""
        return self.target.for_margin(self.size, repay)

    def settle(self, repay: int) -> Settlement:
        """The margin that goes in, and what comes back."""
        size, unit = self.taken(repay), self.target.unit
        profit = self.target.profit(size) if size else 0
        share = self.target.share(size)
        return Settlement(
            paid=Amount(repay),
            received=Amount(max(repay + (profit or 0) // unit, 0)),
            protocol_fee=Amount(share.to_fund // unit),
            bad_debt=Amount(self.target.missing(size) // unit),
        )

    def calls(self, repay: int) -> tuple[Call, ...]:
        """Cancel the orders, bring margin, inherit, close, and take out what was brought and earned."""
        house, vault, token = self.market, self.parts.vault, self.parts.settlement
        no_bound = no_limit = no_referral = 0
        cancels = [(house, "cancelAllExcessOrders(address,address)", (self.account, base)) for base in self.orders]
        steps: list[tuple[Address, str, tuple[Address | int, ...]]] = [
            *cancels,
            (vault, "deposit(address,uint256)", (token, repay)),
            (house, "liquidate(address,address,int256)", (self.account, self.base, self.taken(repay))),
            (house, CLOSE, (self.base, no_limit, no_bound, MAX_U256, no_referral)),
            (vault, "withdraw(address,uint256)", (token, self.settle(repay).received)),
        ]
        return tuple(Call(target, encoded(signature, *arguments)) for target, signature, arguments in steps)


def encoded(signature: str, *arguments: Address | int) -> bytes:
    """Calldata of a call whose arguments are all static."""
    words = (int(word, 16) if isinstance(word, str) else word & MAX_U256 for word in arguments)
    return bytes.fromhex(SELECTORS[signature][2:]) + b"".join(word.to_bytes(32, "big") for word in words)
