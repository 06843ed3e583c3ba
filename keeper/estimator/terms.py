"""What the ways to carry out a liquidation share: its terms, its leg, and what a left-over is worth.

Law: amounts here are those of one repay amount, already settled and quoted; nothing is searched for.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Final, NamedTuple

from keeper.core.actions import Action, Settlement, Witness
from keeper.core.plans import Funding, FundingKind, Leg, SwapLeg, VenueKind
from keeper.core.units import BPS, ZERO_ADDRESS, Address, Amount, Bps, mul_div_down
from keeper.core.venues import PIPS, Pool
from keeper.estimator.gas import LegShape
from keeper.estimator.worth import Prices
from keeper.venues.route.curve import Curve
from keeper.venues.route.path import Fill, Path

_WITNESS_ROOM: Final = 8  # one part in so many of the debt may be gone

Interval = tuple[int, int]


class Done(NamedTuple):
    """One liquidation, carried out on paper."""

    leg: Leg
    left_token: Address
    left: int
    moved: tuple[Pool, ...]
    fee_pips: int  # pool fees, as a share of what was received (of PIPS)


@dataclass(frozen=True, slots=True)
class Terms:
    """What every deal of an action shares."""

    action: Action
    prices: Prices
    profit_token: Address
    intervals: tuple[Interval, ...]
    home: Address = ZERO_ADDRESS  # the market as it is configured

    @classmethod
    def of(cls, action: Action, prices: Prices, profit_token: Address, home: Address = ZERO_ADDRESS) -> "Terms":
        """The terms of an action."""
        return cls(action, prices, profit_token, action.intervals(), home)

    @property
    def most(self) -> int:
        """The largest repayment, or zero."""
        return self.intervals[-1][1] if self.intervals else 0

    def within(self, most: int) -> tuple[Interval, ...]:
        """The intervals as far as ``most``."""
        return tuple((low, min(high, most)) for low, high in self.intervals if low <= most)

    def stock(self, settlement: Settlement) -> int:
        """What of the collateral can be sold: receipts as far as the market turns them into the asset at once.

        The rest of them stays with the executor and counts for nothing.
        """
        if not self.action.receive_wrapped:
            return settlement.received
        return min(settlement.received, self.action.withdrawable)

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

    def shape(self, funding: FundingKind, swaps: tuple[tuple[VenueKind, ...], ...], *, joins: bool = False) -> LegShape:
        """What its gas depends on."""
        action = self.action
        return LegShape(
            action.protocol,
            funding,
            action.receive_wrapped,
            bad_debt=False,
            swaps=swaps,
            style=action.style,
            joins=joins,
        )

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
            style=action.style,
            spender=action.spender,
            calls=action.calls(repay),
            home=self.home,
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


def moved_curve(curve: Curve | None, moved: Iterable[Pool]) -> Curve | None:
    """The curve on pools that have moved."""
    pools = tuple(moved)
    paths = tuple(moved_path(path, pools) for path in curve.paths) if curve else ()
    return Curve(paths) if curve and paths != curve.paths else curve


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


def venue_kinds(curve: Curve | None) -> tuple[tuple[VenueKind, ...], ...]:
    """The swaps of a curve, as far as gas is concerned."""
    return tuple(tuple(pool.kind for pool in path.pools) for path in curve.paths) if curve else ()
