"""From a position in the book to the liquidation the contract would accept.

Law: there is one call for each pocket, sized by what is repaid, and it is exactly what the contract does at the view's
time. It is asked for by the collateral to seize where all collateral is worth less than the debt with its incentive,
else by the shares to repay: the other way would revert at the largest amount.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

from keeper.core.actions import Call, Settlement, Style, Witness
from keeper.core.book import Book
from keeper.core.ports import Quarantine
from keeper.core.refusals import Reason
from keeper.core.units import WAD, Address, Amount, mul_div_down, mul_div_up, owner
from keeper.protocols.morpho_blue import liquidation, maths
from keeper.protocols.morpho_blue.facts import Offer
from keeper.protocols.morpho_blue.liquidation import Outcome, Position
from keeper.protocols.morpho_blue.view import Pocket, Terms, View, health, position

LIQUIDATE = "d8eabcb8"  # liquidate((address,address,address,address,uint256),address,uint256,uint256,bytes)
PRE_LIQUIDATE = "3078f50a"  # preLiquidate(address,uint256,uint256,bytes)
POSITION = "93c52062"  # position(bytes32,address)
_CALLED_BACK = b"\x01".ljust(32, b"\0")  # any data at all makes the market call back


def actions(view: View, book: Book, row: int, morpho: Address) -> Sequence["Liquidation | Reason"]:
    """What can be done about a position below 1; nothing for a healthy one."""
    number, collateral, shares = position(book, row)
    if not shares:
        return []
    terms = view.terms(number)
    judged = terms if isinstance(terms, Quarantine) else health(terms, collateral, shares)
    if isinstance(terms, Quarantine) or isinstance(judged, Quarantine):
        return [Reason.QUARANTINED]
    if judged.health_factor >= WAD:
        return []
    if not terms.price:
        return [Reason.ORACLE_INVALID]
    return _of_pocket(view, terms, book.account(row), collateral, shares, morpho)


def _of_pocket(
    view: View, terms: Terms, account: Address, collateral: int, shares: int, morpho: Address
) -> Sequence["Liquidation | Reason"]:
    pocket = terms.pocket
    if pocket.offer is None:
        factor = maths.incentive(pocket.listing.lltv)
        held = Position(
            collateral, shares, terms.price, factor, terms.total_assets, terms.total_shares, shares, writes_off=True
        )
        return [Liquidation(morpho, account, pocket, held, morpho)]
    own, held_by_offer = view.terms(pocket.listing.number), offered(terms, pocket.offer, collateral, shares)
    if isinstance(own, Quarantine):
        return [Reason.QUARANTINED]
    if held_by_offer is None:
        return [Reason.INACTIVE]
    return [Liquidation(pocket.contract, account, pocket, held_by_offer, morpho, own)]


def offered(terms: Terms, offer: Offer, collateral: int, shares: int) -> Position | None:
    """A position as its pre-liquidation contract sees it; ``None``: it is beyond the market's own limit already.

    Both the incentive and the share of the debt that may be repaid grow from the offer's limit to the market's.
    """
    limit = terms.pocket.listing.lltv
    value = maths.quoted(collateral, terms.price)
    debt = maths.assets_up(shares, terms.total_assets, terms.total_shares)
    if debt > mul_div_down(value, limit, WAD):
        return None
    ratio = mul_div_up(debt, WAD, value)
    along = mul_div_down(ratio - offer.lltv, WAD, limit - offer.lltv)
    factor, close = (
        mul_div_down(along, last - first, WAD) + first for first, last in (offer.incentive, offer.close_factor)
    )
    most = min(mul_div_down(shares, close, WAD), shares)
    return Position(collateral, shares, terms.price, factor, terms.total_assets, terms.total_shares, most, False)


def keeps_healthy(own: Terms, held: Position, found: Outcome) -> bool:
    """Whether Morpho lets the collateral go: what is left of the position must be healthy by the market's oracle."""
    left, kept = held.shares - found.shares, held.collateral - found.seized
    if not left:
        return True
    assets = max(own.total_assets - found.paid, 0)
    debt = maths.assets_up(left, assets, own.total_shares - found.shares)
    return maths.limit(kept, own.price, own.lltv) >= debt


@dataclass(frozen=True)
class Liquidation:
    """``liquidate`` of one position, or ``preLiquidate`` of one offer. Implements ``core.actions.Action``."""

    market: Address  # the contract that is called, and that takes the repay amount by approval
    account: Address
    pocket: Pocket
    held: Position
    lender: Address  # Morpho, that knows the position
    own: Terms | None = None  # of an offer: the market that must find the rest healthy
    protocol: str = "morpho_blue"
    style: Style = Style.CALLBACK
    receive_wrapped: bool = False

    @property
    def collateral_asset(self) -> Address:
        return self.pocket.listing.collateral

    @property
    def debt_asset(self) -> Address:
        return self.pocket.listing.loan

    @property
    def spender(self) -> Address:
        return self.market

    @property
    def witness(self) -> Witness | None:
        """The shares of debt, the second word of a position."""
        question = f"{POSITION}{self.pocket.market[2:]}{owner(self.account)[2:]:0>64}"
        return Witness(self.lender, Amount(self.held.shares), bytes.fromhex(question), place=1)

    @property
    def withdrawable(self) -> int:
        """Morpho holds what is pledged to it: nobody can borrow it."""
        return self.held.collateral

    @cached_property
    def seizing(self) -> bool:
        """How it is asked for."""
        return liquidation.whole_by_seized(self.held)

    @cached_property
    def bounds(self) -> tuple[int, int]:
        """The smallest and the largest repayment; the first is larger where there is none.

        Of an offer the largest may leave the position unhealthy, if its oracle says less than the market's.
        """
        high = liquidation.most_paid(self.held, seizing=self.seizing)
        if self.own is not None and high and not self._accepted(high):
            high = self._turn(0, high)
        return liquidation.least_paid(self.held, high, seizing=self.seizing), high

    def _turn(self, low: int, high: int) -> int:
        """The last repayment that is accepted between one that is taken to be and one that is not."""
        while high - low > 1:
            middle = (low + high) // 2
            low, high = (middle, high) if self._accepted(middle) else (low, middle)
        return low

    def _accepted(self, repay: int) -> bool:
        found = liquidation.for_payment(self.held, repay, seizing=self.seizing)
        return found is None or self.own is None or keeps_healthy(self.own, self.held, found)

    def intervals(self) -> tuple[tuple[int, int], ...]:
        """Closed intervals of repay amounts that the contract accepts, ascending and disjoint."""
        low, high = self.bounds
        return ((low, high),) if low <= high else ()

    def outcome(self, repay: int) -> Outcome:
        """The largest call that costs no more."""
        found = liquidation.for_payment(self.held, repay, seizing=self.seizing)
        if found is None:
            raise ValueError(f"{repay} is not a repayment that {self.market} accepts of {self.account}")
        return found

    def settle(self, repay: int) -> Settlement:
        """What the call does with a repay amount taken from ``intervals``."""
        found = self.outcome(repay)
        return Settlement(Amount(found.paid), Amount(found.seized), Amount(0), Amount(found.bad_debt))

    def calls(self, repay: int) -> tuple[Call, ...]:
        """The one call: its data makes the market call back."""
        found = self.outcome(repay)
        amounts = (found.seized, 0) if self.seizing else (0, found.shares)
        head = "" if self.pocket.offer is not None else self.pocket.listing.words
        words = [int(owner(self.account), 16), *amounts]
        place = len(head) // 2 + 32 * (len(words) + 1)
        arguments = head + "".join(f"{value:064x}" for value in (*words, place, 1))
        selector = LIQUIDATE if self.pocket.offer is None else PRE_LIQUIDATE
        return (Call(self.market, bytes.fromhex(selector + arguments) + _CALLED_BACK),)
