"""The ways to carry out one liquidation, each a function from the repay amount to profit, and each as a plan's leg.

Laws
- A deal prices everything by the pools' own maths, in the order in which the executor will do it.
- ``value`` is in the profit token and before gas, which does not depend on the amount. What cannot be sold has no
  value; a deal that brings less than it owes is worth minus what is missing, at oracle prices.
- ``done`` is ``value`` spelled out: the leg, what it leaves over, and the pools as it leaves them.

| deal         | funded by                  | sells                                                     | leaves over |
|--------------|----------------------------|-----------------------------------------------------------|-------------|
| ``SaleDeal`` | a loan, or own balance     | all collateral for the debt asset                         | debt asset  |
| ``SwapDeal`` | the pool itself, or a loan | all collateral for ``pay``; of that, for debt, just enough | ``pay``    |
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Final, NamedTuple, Protocol

from keeper.core.plans import Action, Funding, FundingKind, Leg, Settlement, SwapLeg, VenueKind, Witness
from keeper.core.units import BPS, Address, Amount, Bps, mul_div_down
from keeper.core.venues import PIPS, Pool, Quote
from keeper.estimator.funding import Lender
from keeper.estimator.gas import LegShape
from keeper.estimator.worth import Prices
from keeper.venues.route.curve import Curve
from keeper.venues.route.path import Fill, Path

_WITNESS_ROOM: Final = 100  # one part in so many of the debt may be gone


class Done(NamedTuple):
    """One liquidation, carried out on paper."""

    leg: Leg
    left_token: Address
    left: int
    moved: tuple[Pool, ...]
    fee_pips: int  # pool fees, as a share of what was received (of PIPS)


class Deal(Protocol):
    """One way to carry out one action."""

    @property
    def terms(self) -> "Terms": ...
    @property
    def lattice(self) -> int: ...
    @property
    def grain(self) -> int: ...
    @property
    def shape(self) -> LegShape:
        """What it costs in gas depends on."""
        ...

    @property
    def exit(self) -> Path | None:
        """How the left-over becomes the profit token."""
        ...

    def received(self, repay: int) -> int: ...
    def value(self, repay: int) -> int | None: ...
    def intervals(self) -> tuple[tuple[int, int], ...]:
        """The action's, as far as funding reaches."""
        ...

    def guesses(self, repay: int) -> list[int]:
        """Where the best amount may be, from the terms of a large one."""
        ...

    def done(self, repay: int, slippage: Bps) -> Done | None: ...


@dataclass(frozen=True, slots=True)
class Terms:
    """What every deal of an action shares."""

    action: Action
    prices: Prices
    profit_token: Address

    @property
    def grain(self) -> int:
        """A unit of debt in the profit token."""
        return max(self.prices.convert_up(1, self.action.debt_asset, self.profit_token), 1)

    def worth(self, left: int, token: Address, exit_path: Path | None, moved: Iterable[Pool]) -> int:
        """A left-over in the profit token; a lack of it as a negative worth at oracle prices."""
        if left <= 0:
            return -self.prices.convert_up(-left, token, self.profit_token)
        if exit_path is None:
            return left
        fill = moved_path(exit_path, moved).quote_exact_in(left)
        return fill.amount_out if fill else 0

    def leg(self, repay: int, settlement: Settlement, funding: Funding, swaps: Sequence[SwapLeg]) -> Leg:
        """The deal as a plan's leg."""
        action = self.action
        return Leg(
            action.protocol,
            action.market,
            action.account,
            action.collateral_asset,
            action.debt_asset,
            Amount(repay),
            settlement,
            action.receive_wrapped,
            funding,
            tuple(swaps),
            _roomy(action.witness),
        )


def _roomy(witness: Witness | None) -> Witness | None:
    """A borrower who repays a little to be in the way is not a rival."""
    return witness and replace(witness, floor=Amount(witness.floor - witness.floor // _WITNESS_ROOM))


def moved_path(path: Path, moved: Iterable[Pool]) -> Path:
    """The path on pools that have moved."""
    by_address = {pool.address: pool for pool in moved}
    if not any(pool.address in by_address for pool in path.pools):
        return path
    return Path(path.tokens, tuple(by_address.get(pool.address, pool) for pool in path.pools))


def swap_leg(fill: Fill, slippage: Bps, *, rest: bool) -> SwapLeg:
    """A fill as a plan names it."""
    least = Amount(mul_div_down(fill.amount_out, BPS - slippage, BPS))
    return SwapLeg(fill.amount_in, fill.amount_out, least, fill.after.hops(), rest)


def swap_legs(fills: Sequence[Fill], slippage: Bps) -> list[SwapLeg]:
    """Fills as a plan names them: the last one sells the rest."""
    return [swap_leg(fill, slippage, rest=at == len(fills) - 1) for at, fill in enumerate(fills)]


def path_pips(path: Path) -> int:
    """The fees of a path, of PIPS, rounded up."""
    kept = PIPS
    for pool in path.pools:
        kept = kept * (PIPS - pool.fee) // PIPS
    return PIPS - kept


def fills_pips(fills: Sequence[Fill]) -> int:
    """The fees of a split, weighted by amount."""
    total = sum(fill.amount_in for fill in fills)
    return sum(fill.amount_in * path_pips(fill.after) for fill in fills) // total if total else 0


def moved_by(fills: Iterable[Fill]) -> tuple[Pool, ...]:
    """The pools of a split, as it leaves them."""
    return tuple(pool for fill in fills for pool in fill.after.pools)


def _kinds(curve: Curve | None) -> tuple[tuple[VenueKind, ...], ...]:
    return tuple(tuple(pool.kind for pool in path.pools) for path in curve.paths) if curve else ()


def _within(intervals: Iterable[tuple[int, int]], most: int) -> tuple[tuple[int, int], ...]:
    return tuple((low, min(high, most)) for low, high in intervals if low <= most)


@dataclass(frozen=True, slots=True)
class SaleDeal:
    """Borrow, liquidate, sell all collateral for the debt asset, pay back; the surplus is profit."""

    terms: Terms
    lender: Lender
    curve: Curve | None  # None: collateral and debt are one asset
    exit: Path | None = None

    @property
    def action(self) -> Action:
        return self.terms.action

    @property
    def lattice(self) -> int:
        return self.lender.lattice

    @property
    def grain(self) -> int:
        return self.terms.grain if self.exit else 1

    @property
    def shape(self) -> LegShape:
        action = self.terms.action
        return LegShape(
            action.protocol, self.lender.kind, action.receive_wrapped, bad_debt=False, swaps=_kinds(self.curve)
        )

    def intervals(self) -> tuple[tuple[int, int], ...]:
        return _within(self.terms.action.intervals(), self.lender.available)

    def received(self, repay: int) -> int:
        return self.terms.action.settle(repay).received

    def value(self, repay: int) -> int | None:
        settlement = self.terms.action.settle(repay)
        fills = self._fills(settlement.received)
        if fills is None:
            return None
        left = self._left(repay, settlement, fills)
        return self.terms.worth(left, self.terms.action.debt_asset, self.exit, moved_by(fills))

    def guesses(self, repay: int) -> list[int]:
        settlement = self.terms.action.settle(repay)
        if self.curve is None or not settlement.received:
            return []
        price = settlement.paid * BPS + settlement.paid * self.lender.fee_bps
        best = self.curve.amount_at(price, settlement.received * BPS)
        return [mul_div_down(best, settlement.paid, settlement.received)]

    def done(self, repay: int, slippage: Bps) -> Done | None:
        settlement = self.terms.action.settle(repay)
        fills = self._fills(settlement.received)
        if fills is None:
            return None
        leg = self.terms.leg(repay, settlement, self.lender.lend(repay), swap_legs(fills, slippage))
        left = self._left(repay, settlement, fills)
        return Done(leg, self.terms.action.debt_asset, left, moved_by(fills), fills_pips(fills))

    def _fills(self, received: int) -> tuple[Fill, ...] | None:
        return self.curve.sell(received) if self.curve else ()

    def _left(self, repay: int, settlement: Settlement, fills: tuple[Fill, ...]) -> int:
        proceeds = sum(fill.amount_out for fill in fills) if self.curve else settlement.received
        return proceeds - settlement.paid - self.lender.fee(repay)


@dataclass(frozen=True, slots=True)
class SwapDeal:
    """Liquidate, turn the collateral into ``pay``, and buy with it just the debt that is owed; the rest is profit.

    Without a lender the pool sells the debt first and is paid afterwards (a flash swap).
    """

    terms: Terms
    pay: Address
    pool: Pool  # of pay and the debt asset
    curve: Curve | None  # collateral to pay; None: they are one
    lender: Lender | None = None
    exit: Path | None = None

    @property
    def action(self) -> Action:
        return self.terms.action

    @property
    def lattice(self) -> int:
        return self.lender.lattice if self.lender else 1

    @property
    def grain(self) -> int:
        return 1

    @property
    def shape(self) -> LegShape:
        action = self.terms.action
        swaps = _kinds(self.curve)
        if self.lender is None:
            kind = FundingKind.UNISWAP_V3_FLASH_SWAP
        else:
            kind, swaps = self.lender.kind, ((*(swaps[0] if swaps else ()), self.pool.kind),)
        return LegShape(action.protocol, kind, action.receive_wrapped, bad_debt=False, swaps=swaps)

    def intervals(self) -> tuple[tuple[int, int], ...]:
        intervals = self.terms.action.intervals()
        return _within(intervals, self.lender.available) if self.lender else intervals

    def received(self, repay: int) -> int:
        return self.terms.action.settle(repay).received

    def value(self, repay: int) -> int | None:
        settlement = self.terms.action.settle(repay)
        fills, bought = self._swaps(repay, settlement)
        if fills is None or bought is None:
            return None
        left = self._stock(settlement, fills) - bought.amount_in
        return self.terms.worth(left, self.pay, self.exit, (*moved_by(fills), bought.after))

    def guesses(self, repay: int) -> list[int]:
        settlement = self.terms.action.settle(repay)
        stock = self.curve.proceeds(settlement.received) if self.curve else settlement.received
        if not stock:
            return []
        paid = Curve((Path((self.pay, self.action.debt_asset), (self.pool,)),)).amount_at(settlement.paid, stock)
        return [mul_div_down(paid, settlement.paid, stock)]

    def done(self, repay: int, slippage: Bps) -> Done | None:
        settlement = self.terms.action.settle(repay)
        fills, bought = self._swaps(repay, settlement)
        if fills is None or bought is None:
            return None
        stock = self._stock(settlement, fills)
        if self.lender is None:
            owed = bought.amount_in
            kind = FundingKind.UNISWAP_V3_FLASH_SWAP
            funding = Funding(kind, self.pool.address, Amount(repay), owed, Amount(0), self.pool.fee)
            swaps = swap_legs(fills, slippage)
        else:
            funding = self.lender.lend(repay)
            swaps = [self._exact_out(settlement, fills, bought)]
        pips = fills_pips(fills) + (self.pool.fee * min(bought.amount_in, stock) // stock if stock else 0)
        leg = self.terms.leg(repay, settlement, funding, swaps)
        return Done(leg, self.pay, stock - bought.amount_in, (*moved_by(fills), bought.after), pips)

    def _swaps(self, repay: int, settlement: Settlement) -> tuple[tuple[Fill, ...] | None, Quote | None]:
        fills = self.curve.sell(settlement.received) if self.curve else ()
        owed = settlement.paid + self.lender.fee(repay) if self.lender else repay
        return fills, self.pool.quote_exact_out(self.action.debt_asset, owed)

    def _stock(self, settlement: Settlement, fills: tuple[Fill, ...]) -> int:
        return sum(fill.amount_out for fill in fills) if self.curve else settlement.received

    def _exact_out(self, settlement: Settlement, fills: tuple[Fill, ...], bought: Quote) -> SwapLeg:
        """All hops in one swap: the last one buys what is owed."""
        last = Path((self.pay, self.action.debt_asset), (self.pool,)).hops()
        hops = (*fills[0].after.hops(), *last) if fills else last
        cost = settlement.received if fills else bought.amount_in
        return SwapLeg(Amount(cost), bought.amount_out, bought.amount_out, hops, rest=True, exact_out=True)
