"""A market of every style, honest until told otherwise, and legs on it."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

from keeper.core.actions import SELF, Call, Stage, Style, Witness
from keeper.core.plans import Funding, FundingKind, Leg, Role, SwapLeg
from keeper.core.units import WAD, ZERO_ADDRESS, Address, Amount
from keeper.devnet.contract import Contract
from tests.contracts.executor_hostile import hostile
from tests.contracts.executor_world import STRANGER, UNSETTLED, Rig

BORROWER: Final = Address("0x" + "b0" * 20)
GIVES: Final = WAD  # of WETH
OWED: Final = 1_700 * 10**6  # of USDC, which is less than it is worth
DATA: Final = b"\x01"
EACH: Final = (Style.PREFUND, Style.CALLBACK, Style.CLIP, Style.BOUNTY, Style.TAKEOVER)


@dataclass
class Market:
    """The contract, what it holds, and how it behaves."""

    rig: Rig
    contract: Contract
    ledger: Contract

    @classmethod
    def deploy(cls, rig: Rig, **changes: Any) -> "Market":
        """Listed, and rich enough to keep every promise."""
        contract, ledger = (hostile(rig, "lying_market") for _ in range(2))
        market = cls(rig, contract, ledger)
        rig.allow(contract.address, ledger.address, role=Role.CALLED)
        rig.world.token("WETH").send("mint(address,uint256)", contract.address, 100 * WAD, sender=STRANGER)
        market.behave(**changes)
        return market

    @property
    def address(self) -> Address:
        return self.contract.address

    def behave(self, **changes: Any) -> None:
        """As agreed, but for the changes."""
        agreed = {
            "collateral": self.rig.executor.weth,
            "debt": self.rig.world.asset("USDC"),
            "gives": GIVES,
            "asks": OWED,
            "takes": OWED,
            "calls_back": 1,
            "code": 0,
            "by": ZERO_ADDRESS,
            "ally": ZERO_ADDRESS,
            "ledger": self.ledger.address,
        }
        self.contract.send("behave", tuple((agreed | changes).values()), sender=STRANGER)

    @property
    def trusts(self) -> bool:
        """Whether the executor trusts an auction still."""
        return bool(self.ledger.call("trusted", self.rig.address))

    def call(self, name: str, *arguments: Any, stage: Stage = Stage.FIRST, coded: bool = False) -> Call:
        return Call(self.address, bytes.fromhex(self.contract.fn(name, *arguments)[2:]), coded, stage)

    def calls(self, style: Style) -> tuple[Call, ...]:
        """How a leg of that style is said."""
        if style is Style.CALLBACK:
            return (self.call("liquidate", BORROWER, DATA),)
        if style is Style.CLIP:
            return (
                replace(self.call("hope", self.address), target=self.ledger.address),
                self.call("take", 7, GIVES, 0, SELF, DATA),
                self.call("exit", SELF, GIVES, stage=Stage.SEIZED),
                self.call("join", SELF, 0, stage=Stage.SOLD),
                replace(self.call("nope", self.address, stage=Stage.LAST), target=self.ledger.address),
            )
        if style is Style.BOUNTY:
            return (self.call("bark", SELF),)
        return (self.call("liquidateBorrow", BORROWER, OWED, self.rig.executor.weth, coded=True),)

    def leg(self, style: Style, kind: FundingKind | None = None, **changes: Any) -> Leg:
        """An honest leg; it is sold so that just what is owed is bought."""
        weth, usdc = self.rig.executor.weth, self.rig.world.asset("USDC")
        one_asset = {Style.BOUNTY: weth, Style.TAKEOVER: weth}
        repay = 0 if style is Style.BOUNTY else GIVES // 2 if style is Style.TAKEOVER else OWED
        calls_back = style in (Style.CALLBACK, Style.CLIP)
        kind = kind or (FundingKind.PROTOCOL_CALLBACK if calls_back else FundingKind.OWN)
        swaps: tuple[SwapLeg, ...] = ()
        if style not in one_asset:
            swaps = (self.rig.sale("WETH/USDC/500", exact_out=True),)
        leg = Leg(
            "any",
            self.address,
            BORROWER,
            weth,
            one_asset.get(style, usdc),
            Amount(repay),
            UNSETTLED,
            receive_wrapped=False,
            funding=Funding(kind, ZERO_ADDRESS, Amount(repay), Amount(0), Amount(0)),
            swaps=swaps,
            style=style,
            spender=ZERO_ADDRESS if style is Style.BOUNTY else self.address,
            calls=self.calls(style),
        )
        return replace(leg, **changes)

    def agree(self, style: Style) -> None:
        """Behave as a leg of that style expects."""
        if style is Style.TAKEOVER:  # half of what comes back was put in
            self.behave(debt=self.rig.executor.weth, takes=GIVES // 2)
        else:
            self.behave()

    def witness(self, floor: int) -> Witness:
        """The second word of a position."""
        question = bytes.fromhex(self.contract.fn("position", 3, BORROWER)[2:])
        return Witness(self.address, Amount(floor), question, place=1)


def least_gain(style: Style) -> int:
    """What an honest leg brings at least, at 1,900 or 2,000 dollars."""
    known: Mapping[Style, int] = {Style.BOUNTY: GIVES, Style.TAKEOVER: GIVES // 2}
    return known.get(style, WAD // 20)
