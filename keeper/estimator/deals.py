"""The ways to carry out one liquidation, each a function from the repay amount to profit, and each as a plan's leg.

Laws
- A deal prices everything by the pools' own maths, in the order in which the executor will do it.
- ``value`` is in the profit token and before gas, which does not depend on the amount. What cannot be sold has no
  value; a deal that brings less than it owes is worth minus what is missing, at oracle prices.
- ``done`` is ``value`` spelled out: the leg, what it leaves over, and the pools as it leaves them.

| deal            | funded by                  | sells all collateral for                          | leaves     |
|-----------------|----------------------------|---------------------------------------------------|------------|
| ``SaleDeal``    | a loan, or own balance     | the debt asset                                    | debt asset |
| ``SwapDeal``    | the pool itself, or a loan | ``pay``, and of that for debt just enough         | ``pay``    |
| ``ForwardDeal`` | the pool itself            | the debt asset, where that is the profit token    | debt asset |
"""

from dataclasses import dataclass
from typing import Protocol

from keeper.core.actions import Settlement
from keeper.core.plans import Funding, FundingKind, SwapLeg
from keeper.core.ports import Loan
from keeper.core.units import BPS, Address, Amount, Bps, mul_div_down
from keeper.core.venues import Pool, Quote
from keeper.estimator.funding import lend, loan_fee, loan_lattice
from keeper.estimator.gas import LegShape
from keeper.estimator.terms import Done, Interval, Terms, fills_pips, moved_by, swap_legs, venue_kinds
from keeper.venues.route.curve import Curve
from keeper.venues.route.path import Fill, Path


class Deal(Protocol):
    """One way to carry out one action."""

    @property
    def terms(self) -> Terms: ...
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
    def intervals(self) -> tuple[Interval, ...]:
        """The action's, as far as funding reaches."""
        ...

    def guesses(self, repay: int) -> list[int]:
        """Where the best amount may be, from the terms of a large one."""
        ...

    @property
    def sure(self) -> bool:
        """The guess is the optimum of the closed form, but for rounding and a little conversion."""
        ...

    def done(self, repay: int, slippage: Bps) -> Done | None: ...


@dataclass(frozen=True, slots=True)
class SaleDeal:
    """Borrow, liquidate, sell all collateral for the debt asset, pay back; the surplus is profit."""

    terms: Terms
    lender: Loan
    curve: Curve | None  # None: collateral and debt are one asset
    exit: Path | None = None

    @property
    def lattice(self) -> int:
        return loan_lattice(self.lender)

    @property
    def grain(self) -> int:
        return self.terms.grain if self.exit else 1

    @property
    def sure(self) -> bool:
        return self.curve is not None

    @property
    def shape(self) -> LegShape:
        return self.terms.shape(self.lender.kind, venue_kinds(self.curve), joins=self.lender.joins)

    def intervals(self) -> tuple[Interval, ...]:
        return self.terms.within(self.lender.available)

    def received(self, repay: int) -> int:
        return self.terms.stock(self.terms.action.settle(repay))

    def value(self, repay: int) -> int | None:
        settlement = self.terms.action.settle(repay)
        fills = self._fills(self.terms.stock(settlement))
        if fills is None:
            return None
        left = self._left(repay, settlement, fills)
        return self.terms.worth(left, self.terms.action.debt_asset, self.exit, moved_by(fills))

    def guesses(self, repay: int) -> list[int]:
        settlement = self.terms.action.settle(repay)
        if self.curve is None or not settlement.received:
            return []
        price = settlement.paid * BPS + settlement.paid * self.lender.fee
        best = self.curve.amount_at(price, settlement.received * BPS)
        return [mul_div_down(best, settlement.paid, settlement.received)]

    def done(self, repay: int, slippage: Bps) -> Done | None:
        settlement = self.terms.action.settle(repay)
        fills = self._fills(self.terms.stock(settlement))
        if fills is None:
            return None
        leg = self.terms.leg(repay, settlement, lend(self.lender, repay), swap_legs(fills, slippage))
        left = self._left(repay, settlement, fills)
        return Done(leg, self.terms.action.debt_asset, left, moved_by(fills), fills_pips(fills))

    def _fills(self, received: int) -> tuple[Fill, ...] | None:
        return self.curve.sell(received) if self.curve else ()

    def _left(self, repay: int, settlement: Settlement, fills: tuple[Fill, ...]) -> int:
        proceeds = sum(fill.amount_out for fill in fills) if self.curve else self.terms.stock(settlement)
        return proceeds - settlement.paid - loan_fee(self.lender, repay)


@dataclass(frozen=True, slots=True)
class SwapDeal:
    """Liquidate, turn the collateral into ``pay``, and buy with it just the debt that is owed; the rest is profit.

    Without a lender the pool sells the debt first and is paid afterwards (a flash swap).
    """

    terms: Terms
    pay: Address
    pool: Pool  # of pay and the debt asset
    curve: Curve | None  # collateral to pay; None: they are one
    lender: Loan | None = None
    exit: Path | None = None

    @property
    def lattice(self) -> int:
        return loan_lattice(self.lender) if self.lender else 1

    @property
    def sure(self) -> bool:
        return self.curve is None  # with a sale before, two slopes meet

    @property
    def grain(self) -> int:
        return 1

    @property
    def shape(self) -> LegShape:
        swaps = venue_kinds(self.curve)
        if self.lender is None:
            kind = FundingKind.UNISWAP_V3_FLASH_SWAP
        else:
            kind, swaps = self.lender.kind, ((*(swaps[0] if swaps else ()), self.pool.kind),)
        return self.terms.shape(kind, swaps, joins=self.lender is not None and self.lender.joins)

    def intervals(self) -> tuple[Interval, ...]:
        return self.terms.within(self.lender.available) if self.lender else self.terms.intervals

    def received(self, repay: int) -> int:
        return self.terms.stock(self.terms.action.settle(repay))

    def value(self, repay: int) -> int | None:
        settlement = self.terms.action.settle(repay)
        fills, bought = self._swaps(repay, settlement)
        if fills is None or bought is None:
            return None
        left = self._stock(settlement, fills) - bought.amount_in
        return self.terms.worth(left, self.pay, self.exit, (*moved_by(fills), bought.after))

    def guesses(self, repay: int) -> list[int]:
        settlement = self.terms.action.settle(repay)
        sold = self.terms.stock(settlement)
        stock = self.curve.proceeds(sold) if self.curve else sold
        if not stock:
            return []
        paid = Curve((Path((self.pay, self.terms.action.debt_asset), (self.pool,)),)).amount_at(settlement.paid, stock)
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
            funding = lend(self.lender, repay)
            swaps = [self._exact_out(settlement, fills, bought)]
        pips = fills_pips(fills) + (self.pool.fee * min(bought.amount_in, stock) // stock if stock else 0)
        leg = self.terms.leg(repay, settlement, funding, swaps)
        return Done(leg, self.pay, stock - bought.amount_in, (*moved_by(fills), bought.after), pips)

    def _swaps(self, repay: int, settlement: Settlement) -> tuple[tuple[Fill, ...] | None, Quote | None]:
        fills = self.curve.sell(self.terms.stock(settlement)) if self.curve else ()
        owed = settlement.paid + loan_fee(self.lender, repay) if self.lender else repay
        return fills, self.pool.quote_exact_out(self.terms.action.debt_asset, owed)

    def _stock(self, settlement: Settlement, fills: tuple[Fill, ...]) -> int:
        return sum(fill.amount_out for fill in fills) if self.curve else self.terms.stock(settlement)

    def _exact_out(self, settlement: Settlement, fills: tuple[Fill, ...], bought: Quote) -> SwapLeg:
        """All hops in one swap: the last one buys what is owed."""
        last = Path((self.pay, self.terms.action.debt_asset), (self.pool,)).hops()
        hops = (*fills[0].after.hops(), *last) if fills else last
        cost = self.terms.stock(settlement) if fills else bought.amount_in
        return SwapLeg(Amount(cost), bought.amount_out, bought.amount_out, hops, rest=True, exact_out=True)


@dataclass(frozen=True, slots=True)
class ForwardDeal:
    """The pool sells the debt asset first: all that the collateral will be worth to it, not just what is repaid.

    Only where the debt asset is the profit token: what is not repaid is profit already.
    """

    terms: Terms
    pool: Pool

    @property
    def sure(self) -> bool:
        return True

    @property
    def lattice(self) -> int:
        return 1

    @property
    def grain(self) -> int:
        return 1

    @property
    def exit(self) -> Path | None:
        return None

    @property
    def shape(self) -> LegShape:
        return self.terms.shape(FundingKind.UNISWAP_V3_FLASH_SWAP, ())

    def intervals(self) -> tuple[Interval, ...]:
        return self.terms.intervals

    def received(self, repay: int) -> int:
        return self.terms.stock(self.terms.action.settle(repay))

    def value(self, repay: int) -> int | None:
        settlement = self.terms.action.settle(repay)
        sold = self._sold(repay, settlement)
        return sold.amount_out - settlement.paid if sold else None

    def guesses(self, repay: int) -> list[int]:
        settlement = self.terms.action.settle(repay)
        if not settlement.received:
            return []
        path = Path((self.terms.action.collateral_asset, self.terms.action.debt_asset), (self.pool,))
        best = Curve((path,)).amount_at(settlement.paid, settlement.received)
        return [mul_div_down(best, settlement.paid, settlement.received)]

    def done(self, repay: int, slippage: Bps) -> Done | None:
        del slippage  # the pool's price is exact or the transaction reverts
        settlement = self.terms.action.settle(repay)
        sold = self._sold(repay, settlement)
        bought = self.pool.quote_exact_out(self.terms.action.debt_asset, sold.amount_out) if sold else None
        if sold is None or bought is None:
            return None
        kind = FundingKind.UNISWAP_V3_FLASH_SWAP
        funding = Funding(kind, self.pool.address, sold.amount_out, bought.amount_in, Amount(0), self.pool.fee)
        leg = self.terms.leg(repay, settlement, funding, ())
        left = sold.amount_out - settlement.paid
        return Done(leg, self.terms.action.debt_asset, left, (bought.after,), self.pool.fee)

    def _sold(self, repay: int, settlement: Settlement) -> Quote | None:
        sold = self.pool.quote_exact_in(self.terms.action.collateral_asset, self.terms.stock(settlement))
        return sold if sold and sold.amount_out >= repay else None
