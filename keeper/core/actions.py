"""What can be done about an account: one call of a market, and what it does, to the unit."""

from dataclasses import dataclass
from enum import IntEnum
from typing import Final, Protocol

from keeper.core.units import Address, Amount

SELF: Final = Address("0x5e1f5e1f5e1f5e1f5e1f5e1f5e1f5e1f5e1f5e1f")  # in a call's data: the executor, whoever it is

_SCALED_BALANCE_OF: Final = bytes.fromhex("1da24f3e")


class Style(IntEnum):
    """How a market is liquidated. The numbers are part of the executor contract's calldata."""

    AAVE = 0  # ``liquidationCall``: the executor makes the call itself
    PREFUND = 1  # the repay amount is there first: ``spender`` takes it by approval while the calls run
    CALLBACK = 2  # the market sends collateral, calls back, then takes what it is owed by ``spender``'s approval
    CLIP = 3  # an auction hands collateral over inside its own ledger, calls back, then takes what it is owed there
    BOUNTY = 4  # nothing is repaid: the calls bring a reward, the collateral asset
    TAKEOVER = 5  # ``repay`` is margin that ``spender`` takes; the calls inherit a position, close it, give margin back


CALLING_BACK: Final = frozenset({Style.CALLBACK, Style.CLIP})  # the market pays first: nobody else has to lend


class Stage(IntEnum):
    """When a call is made. The numbers are part of the executor contract's calldata."""

    FIRST = 0  # in order; a call to the leg's market is the one that calls back, where the style has a callback
    SEIZED = 1  # in the callback, before the collateral is sold: brings it out of the market's ledger
    SOLD = 2  # in the callback, once it is sold: ``spender`` takes the debt asset. Its last word is set to what is owed
    LAST = 3  # when the market is done


@dataclass(frozen=True, slots=True)
class Call:
    """One call of a leg, with exact amounts: they agree with ``settle`` of the same repay amount to the unit."""

    target: Address  # whom the executor's owner has listed as ``Role.CALLED``
    data: bytes  # the word of ``SELF`` stands for the executor's own address
    coded: bool = False  # it returns an error number, which must be zero
    stage: Stage = Stage.FIRST


@dataclass(frozen=True, slots=True)
class Settlement:
    """What one liquidation call does with a repay amount, exactly as the contract computes it."""

    paid: Amount  # debt asset taken from the liquidator
    received: Amount  # collateral asset sent to the liquidator
    protocol_fee: Amount  # collateral kept by the protocol
    bad_debt: Amount = Amount(0)  # debt written off by this call, in the debt asset


@dataclass(frozen=True, slots=True)
class Witness:
    """A cheap sign that nobody was here first: a number of the account, as a rule its debt, and the least it may be.

    An action names it as it is; a leg leaves room for a borrower who repays a little to be in the way.
    """

    token: Address  # who is asked
    floor: Amount
    data: bytes = b""  # what: up to 100 bytes; empty: ``scaledBalanceOf(account)``
    place: int = 0  # of the word in the answer

    def question(self, holder: Address) -> bytes:
        """The calldata of what is asked."""
        return self.data or _SCALED_BALANCE_OF + bytes.fromhex(holder[2:].rjust(64, "0"))


class Action(Protocol):
    """One (collateral, debt) pair of one account that could be liquidated now. Pure and exact."""

    @property
    def protocol(self) -> str: ...
    @property
    def market(self) -> Address: ...
    @property
    def account(self) -> Address:
        """With its pocket, as the book names it."""
        ...

    @property
    def collateral_asset(self) -> Address:
        """What the market sends: an asset, or a receipt that ``Adapter.receipts`` tells how to redeem."""
        ...

    @property
    def debt_asset(self) -> Address:
        """What is repaid. Of a bounty and of a takeover: the collateral asset."""
        ...

    @property
    def style(self) -> Style: ...
    @property
    def spender(self) -> Address:
        """Who takes the repay amount by approval; zero where nobody does."""
        ...

    @property
    def receive_wrapped(self) -> bool:
        """The market has too little underlying: the collateral comes as its receipt token."""
        ...

    @property
    def withdrawable(self) -> int:
        """Underlying of the collateral that the market can pay out: of receipts, what can be turned into it at once."""
        ...

    @property
    def witness(self) -> Witness | None:
        """The account's debt token and its scaled debt in it, where the market has such a thing."""
        ...

    def intervals(self) -> tuple[tuple[int, int], ...]:
        """Closed intervals of repay amounts that the contract accepts, ascending and disjoint; a bounty's: (0, 0)."""
        ...

    def settle(self, repay: int) -> Settlement:
        """What the call does with a repay amount taken from ``intervals``."""
        ...

    def calls(self, repay: int) -> tuple[Call, ...]:
        """What is called for that; nothing where the executor makes the call itself."""
        ...
