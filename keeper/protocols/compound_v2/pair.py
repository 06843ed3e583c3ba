"""One (seized, borrowed) pair of one account as an action.

Law: exact and pure. Whether the account may be liquidated is the caller's business. Amounts of collateral are vTokens:
turning them into the underlying is a hop of its own.

At the vToken itself a refusal is a number returned, not a revert: its calls are *coded*. Through Venus's Liquidator it
is a revert. ``settle`` is what the contracts compute in the block that is aimed for, where the pair has been accrued.
"""

from dataclasses import dataclass
from typing import Final

from keeper.core.actions import Call, Settlement, Style, Witness
from keeper.core.calls import view_call
from keeper.core.units import WAD, Address, Amount
from keeper.protocols.compound_v2 import maths

_AT_MARKET: Final = "0xf5e3c462"  # liquidateBorrow(address,uint256,address)
_OWED: Final = "0x95dd9193"  # borrowBalanceStored(address)
_VAI_OWED: Final = "0x78c2f922"  # getVAIRepayAmount(address)
_AT_CONTROLLER: Final = "0x11b3d5e7"  # liquidateVAI(address,uint256,address)
_AT_LIQUIDATOR: Final = "0x64fd7078"  # liquidateBorrow(address,address,uint256,address)


@dataclass(frozen=True, slots=True)
class Seizure:
    """What the amounts of a liquidation depend on, at one time."""

    most: int  # that may be repaid
    tokens: int  # vTokens the account has
    ratio: int  # vTokens seized for 1e18 units repaid
    incentive: int
    treasury_percent: int = 0  # of the bonus, kept by the Liquidator
    seize_share: int = 0  # of everything seized, kept by the market
    vai: tuple[int, int, int] | None = None  # minted, past interest and debt, where VAI is repaid


@dataclass(frozen=True, slots=True)
class LiquidationPair:
    """``liquidateBorrow`` on one pair. Implements ``core.actions.Action``."""

    market: Address  # the contract that is called: the Liquidator, or the borrowed vToken
    account: Address
    borrowed: Address  # the vToken, or VAI's controller
    collateral_asset: Address  # the seized vToken
    debt_asset: Address
    seizure: Seizure
    owed: int  # as the market has stored it
    cash: int  # underlying that the seized market can pay out
    liquidator: bool
    protocol: str = "compound_v2"
    style: Style = Style.PREFUND
    receive_wrapped: bool = False

    @property
    def spender(self) -> Address:
        return self.market

    @property
    def witness(self) -> Witness:
        """What the borrower owes as stored: an earlier liquidation has made it less, interest only makes it more."""
        selector = _VAI_OWED if self.seizure.vai is not None else _OWED
        question = view_call(self.borrowed, selector, self.account)
        return Witness(self.borrowed, Amount(self.owed), bytes.fromhex(question.data[2:]))

    @property
    def withdrawable(self) -> int:
        """Underlying in the seized market."""
        return self.cash

    def intervals(self) -> tuple[tuple[int, int], ...]:
        """From one unit to what the close factor allows, and no more than there are vTokens for."""
        terms = self.seizure
        enough = ((terms.tokens + 1) * WAD - 1) // terms.ratio if terms.ratio else terms.most
        most = min(terms.most, enough) if terms.vai is None else self._most_vai()
        return ((1, most),) if most > 0 else ()

    def _most_vai(self) -> int:
        """What is really taken of a repayment grows with it, but not by one unit at a time."""
        low, high = 0, self.seizure.most
        while low < high:
            middle = (low + high + 1) // 2
            low, high = (middle, high) if self._seized(middle) <= self.seizure.tokens else (low, middle - 1)
        return low

    def settle(self, repay: int) -> Settlement:
        """What the call does with a repay amount taken from ``intervals``."""
        terms, seized = self.seizure, self._seized(repay)
        paid = repay if self.liquidator else self._taken(repay)  # the Liquidator keeps what VAI's controller leaves
        kept = seized * terms.seize_share // WAD
        if terms.treasury_percent:
            kept += maths.treasury_share(seized, terms.incentive, terms.treasury_percent)
        return Settlement(paid=Amount(paid), received=Amount(seized - kept), protocol_fee=Amount(kept))

    def _taken(self, repay: int) -> int:
        return repay if self.seizure.vai is None else maths.vai_repaid(*self.seizure.vai, repay)

    def _seized(self, repay: int) -> int:
        return self.seizure.ratio * self._taken(repay) // WAD

    def calls(self, repay: int) -> tuple[Call, ...]:
        """The one call."""
        arguments = (self.account, repay, self.collateral_asset)
        if self.liquidator:
            read = view_call(self.market, _AT_LIQUIDATOR, self.borrowed, *arguments)
        else:
            read = view_call(self.market, _AT_MARKET if self.seizure.vai is None else _AT_CONTROLLER, *arguments)
        coded = not self.liquidator and self.seizure.vai is None  # VAI's controller answers with two numbers
        return (Call(self.market, bytes.fromhex(read.data[2:]), coded=coded),)
