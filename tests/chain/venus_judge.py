"""What a liquidation in the next block would see and do, asked of the real contracts, beside what the adapter says.

Each question is one simulation of the next block on the node's own state: nothing is mined. The liquidator is rich and
has approved everything, so that a refusal is the protocol's.
"""

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from keeper.core.book import Book
from keeper.core.events import Block, Log
from keeper.core.ports import Health
from keeper.core.refusals import Reason
from keeper.core.units import MAX_U256, WAD, ZERO_ADDRESS, Address, Hash, Timestamp
from keeper.devnet.abi import describe_revert
from keeper.devnet.rpc import Tx
from keeper.devnet.stage import ETHER
from keeper.devnet.venus import Venus
from keeper.protocols.compound_v2.adapter import CompoundV2
from keeper.protocols.compound_v2.decode import failure
from keeper.protocols.compound_v2.errors import name
from keeper.protocols.compound_v2.pair import LiquidationPair
from keeper.protocols.compound_v2.view import VAI_DEBT, View

RICH = Address("0x" + "71c4" * 10)
AHEAD = 12


@dataclass
class Judge:
    """Asks; ``seen`` counts what was compared."""

    venus: Venus
    every: int = 1  # blocks from one look to the next
    seen: Counter[str] = field(default_factory=Counter)

    def __post_init__(self) -> None:
        """VAI is minted by nobody but its controller; everything else is minted where it is needed."""
        rpc, vai, layout = self.venus.world.rpc, self.venus.vai, self.venus.layout
        self.venus.world.fund(RICH, wei=10**9 * ETHER)
        if layout.vai == ZERO_ADDRESS:
            return
        rpc.rpc("anvil_dealERC20", RICH, vai.address, hex(10**30))
        for spender in (layout.liquidator, layout.vai_controller):
            vai.send("approve", spender, MAX_U256, sender=RICH)

    def _rich(self, asset: Address, spender: Address) -> list[Tx]:
        if asset == self.venus.layout.vai:
            return []
        token = self.venus.world.token("WETH").at(asset)
        return [
            token.tx("mint(address,uint256)", RICH, 10**30, sender=RICH),
            token.tx("approve", spender, MAX_U256, sender=RICH),
        ]

    def look(self, adapter: CompoundV2, book: Book, block: Block) -> None:
        """At who is liquidatable in the next block, and at one who is close."""
        if block.number % self.every:
            return
        at = Timestamp(block.timestamp + AHEAD)
        healths = {row: adapter.health(book, row, at) for row in range(len(book))}
        factors = {row: health.health_factor for row, health in healths.items() if isinstance(health, Health)}
        nearest = sorted(factors, key=factors.__getitem__)
        weak = [row for row in nearest if factors[row] < WAD]
        for row in [*weak[:2], *weak[-1:], *[row for row in nearest if row not in weak][:1]]:
            self.sums(adapter, book, row, block)
            self.liquidations(adapter, book, row, block)

    def simulate(self, block: Block, *calls: Tx) -> list[dict[str, Any]]:
        """The results of calls in the next block."""
        overrides = {"time": hex(block.timestamp + AHEAD), "number": hex(block.number + 1)}
        request = {
            "blockStateCalls": [{"blockOverrides": overrides, "calls": [call.params() for call in calls]}],
            "validation": False,
        }
        answer = self.venus.world.rpc.rpc("eth_simulateV1", request, hex(block.number))
        results: list[dict[str, Any]] = answer[0]["calls"]
        return results

    # what it sees --------------------------------------------------------------------------------------------------

    def sums(self, adapter: CompoundV2, book: Book, row: int, block: Block) -> None:
        """Of every pair: the comptroller's view right after the two accruals, and VAI's where there is a Liquidator."""
        view = adapter.view(book, Timestamp(block.timestamp + AHEAD))
        if view.blocked(book, row) is not None:
            return
        for sums in view.pairs(book, row, view.positions(book, row)):
            borrowed, seized = sums.pair or (0, 0)
            calls = [self._accrue(view, number) for number in {borrowed, seized}]
            if borrowed != VAI_DEBT and view.parts is not None and view.parts.liquidator != ZERO_ADDRESS:
                calls.append(self._accrue(view, VAI_DEBT))
            comptroller = self.venus.comptroller
            calls.append(comptroller.tx("getAccountLiquidity", book.account(row), sender=RICH))
            results = self.simulate(block, *calls)
            assert all(result["status"] == "0x1" for result in results), (sums, results)
            answer = results[-1]["returnData"]
            error, liquidity, shortfall = comptroller.abi.decode("getAccountLiquidity", answer)
            assert (error, liquidity - shortfall) == (0, sums.collateral - sums.debt), (book.account(row), sums)
            self.seen["sums"] += 1

    def _accrue(self, view: View, number: int) -> Tx:
        if number == VAI_DEBT:
            return self.venus.vai_controller.tx("accrueVAIInterest", sender=RICH)
        return self.venus.v_token("WETH").at(view.terms[number].v_token).tx("accrueInterest", sender=RICH)

    # what it does --------------------------------------------------------------------------------------------------

    def liquidations(self, adapter: CompoundV2, book: Book, row: int, block: Block) -> None:
        """Every pair at both ends of what is accepted, and one unit beyond; and that what is not offered is refused."""
        at = Timestamp(block.timestamp + AHEAD)
        offered = adapter.actions(book, row, at)
        pairs = [pair for pair in offered if isinstance(pair, LiquidationPair)]
        for pair in pairs:
            for low, high in pair.intervals():
                for repay in {low, (low + high) // 3 or low, high}:
                    self._exact(pair, repay, block)
                self._too_much(pair, high + 1, block)
        self.seen["pairs"] += len(pairs)
        self.seen.update(reason.value for reason in offered if isinstance(reason, Reason))
        known = {(pair.borrowed, pair.collateral_asset) for pair in pairs}
        self._others(adapter.view(book, at), book, row, known, block)

    def _exact(self, pair: LiquidationPair, repay: int, block: Block) -> None:
        settled = pair.settle(repay)
        v_token, debt = (self.venus.vai.at(token) for token in (pair.collateral_asset, pair.debt_asset))
        before = [token.tx("balanceOf", RICH, sender=RICH) for token in (v_token, debt)]
        *_, had, owned, done, has, owns = self.simulate(
            block, *self._rich(pair.debt_asset, pair.spender), *before, *_calls(pair, repay), *before
        )
        assert not refusal(done), (pair, repay, refusal(done))
        assert _number(has) - _number(had) == settled.received, (pair, repay)
        assert _number(owned) - _number(owns) == settled.paid, (pair, repay)
        self.seen["settled"] += 1

    def _too_much(self, pair: LiquidationPair, repay: int, block: Block) -> None:
        said = refusal(self.simulate(block, *self._rich(pair.debt_asset, pair.spender), *_calls(pair, repay))[-1])
        assert said, (pair, repay)
        self.seen[said] += 1

    def _others(self, view: View, book: Book, row: int, known: set[tuple[Address, Address]], block: Block) -> None:
        """A unit repaid on each pair that is not offered."""
        positions = view.positions(book, row) if view.blocked(book, row) is None else []
        for borrowed in (position for position in positions if position.borrowed):
            for seized in (position for position in positions if position.tokens):
                pair = view.terms[borrowed.number].v_token, view.terms[seized.number].v_token
                asset = view.terms[borrowed.number].listing.underlying
                if pair in known or ZERO_ADDRESS in (asset, view.terms[seized.number].listing.underlying):
                    continue
                attempt = self._attempt(view, book.account(row), *pair)
                said = refusal(self.simulate(block, *self._rich(asset, attempt.to or pair[0]), attempt)[-1])
                assert said, (book.account(row), pair)
                assert "ERC20" not in said
                self.seen[said] += 1

    def _attempt(self, view: View, account: Address, borrowed: Address, seized: Address) -> Tx:
        if view.parts is not None and view.parts.liquidator != ZERO_ADDRESS:
            return self.venus.liquidator.tx("liquidateBorrow", borrowed, account, 1, seized, sender=RICH)
        return self.venus.v_token("WETH").at(borrowed).tx("liquidateBorrow", account, 1, seized, sender=RICH)


def _calls(pair: LiquidationPair, repay: int) -> list[Tx]:
    return [Tx(RICH, call.target, "0x" + call.data.hex()) for call in pair.calls(repay)]


def _number(result: dict[str, Any]) -> int:
    return int(result["returnData"], 16)


def refusal(result: dict[str, Any]) -> str:
    """What a liquidation was refused with: the comptroller's number, another number, or the revert; empty: nothing."""
    if result["status"] != "0x1":
        return describe_revert(result["error"].get("data") or result["returnData"])
    for entry in result.get("logs", ()):
        nowhere = Hash("0x")
        log = Log(entry["address"], tuple(entry["topics"]), entry["data"], "0x0", nowhere, nowhere, "0x0", "0x0")
        if (found := failure(log)) is not None:
            return name(found)
    returned = result["returnData"]
    return "" if returned == "0x" or not int(returned[:66], 16) else f"number {int(returned[:66], 16)}"
