"""Legs of one transaction that borrow the same asset of the same lender do so at once.

Laws
- The first leg that borrows takes a loan; later ones join it as far as the lender has what all of them need at once.
  Nobody joins whose collateral is the asset that is lent: the market could lack what it has lent.
- The legs of a loan follow each other. Whoever is moved for that is priced anew, as are all others, in the new order.
- The fee is the lender's, of the sum, rounded as the contract rounds it, and charged to the first leg: whatever the
  others owe is what they got. A loan that does not pay for its own moves is not shared.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import NamedTuple

from keeper.core.plans import LENT, FundingKind
from keeper.core.ports import Loan
from keeper.core.units import Address, Bps, Who
from keeper.core.venues import Liquidity, Pool
from keeper.estimator.deals import Deal, ForwardDeal, SaleDeal, SwapDeal
from keeper.estimator.estimate import Part
from keeper.estimator.terms import Done, moved_curve
from keeper.estimator.world import World

_Lender = tuple[FundingKind, Address, Address]  # and what it lends


class Open(NamedTuple):
    """A liquidation of the transaction that is being filled."""

    who: Who
    part: Part
    deal: Deal

    @property
    def repay(self) -> int:
        """What it repays, and borrows."""
        return self.part.done.leg.repay

    @property
    def loan(self) -> Loan | None:
        """What it borrows, where others may borrow with it."""
        loan, leg = _lender(self.deal), self.part.done.leg
        return loan if loan and loan.kind in LENT and leg.collateral_asset != leg.debt_asset else None

    @property
    def joins(self) -> bool:
        """It was priced as part of a loan that another takes."""
        return self.loan is not None and self.loan.joins


def joinable(world: World, opened: Sequence[Open]) -> World:
    """The world in which the loans of these liquidations can be joined, by whoever needs no more than is left there."""
    left: dict[_Lender, Loan] = {}
    for taken in _loans(opened):
        loan = taken[0].loan
        if loan is not None:
            rest = loan.available - sum(one.repay for one in taken)
            left.setdefault(_key(loan), replace(loan, available=rest, joins=True))
    return replace(world, lenders=(*world.lenders, *left.values())) if left else world


def together(world: World, before: Liquidity, opened: Sequence[Open]) -> list[Part] | None:
    """The liquidations with the legs of each loan in a row; nothing where nobody joins, or it cannot be done so.

    ``before``: the pools as they were before all of them.
    """
    if not any(one.joins for one in opened):
        return None
    touched = {pool.address: before.pools[pool.address] for one in opened for pool in one.part.done.moved}
    return _priced(world, touched, _shared(opened))


def apart(opened: Iterable[Open]) -> list[Part]:
    """The same in their own order, each with a loan of its own. Its fee is what it was priced with."""
    return [one.part._replace(done=_apart(one.part.done)) for one in opened]


def _apart(done: Done) -> Done:
    leg = done.leg
    return done._replace(leg=replace(leg, funding=replace(leg.funding, joins=False))) if leg.funding.joins else done


def _lender(deal: Deal) -> Loan | None:
    return deal.lender if isinstance(deal, SaleDeal | SwapDeal) else None


def _alone(deal: Deal) -> Loan | None:
    loan = _lender(deal)
    return replace(loan, joins=False) if loan else None


def _again(deal: Deal, loan: Loan | None, moved: Mapping[Address, Pool]) -> Deal:
    """The same deal by this loan, where it has one, on pools that have moved."""
    match deal:
        case SaleDeal() if loan:
            return replace(deal, lender=loan, curve=moved_curve(deal.curve, moved.values()))
        case SwapDeal(pool=pool):
            curve = moved_curve(deal.curve, moved.values())
            return replace(deal, lender=loan, curve=curve, pool=moved.get(pool.address, pool))
        case ForwardDeal(pool=pool):
            return replace(deal, pool=moved.get(pool.address, pool))
    return deal


def _loans(opened: Sequence[Open]) -> list[list[Open]]:
    """Who takes a loan together, in the order of their first ones; whoever borrows otherwise is alone."""
    found: list[list[Open]] = []
    for one in opened:
        mates = next((taken for taken in found if one.joins and _mates(taken[0], one)), None)
        if mates is None:
            found.append([one])
        else:
            mates.append(one)
    return found


def _mates(first: Open, other: Open) -> bool:
    one, two = first.loan, other.loan
    return one is not None and two is not None and _key(one) == _key(two)


def _key(loan: Loan) -> _Lender:
    return loan.kind, loan.source, loan.token


def _shared(opened: Sequence[Open]) -> Iterator[tuple[Open, Loan | None]]:
    """Each with its share of its loan: the first pays for all."""
    for first, *others in _loans(opened):
        loan = _alone(first.deal)
        yield first, replace(loan, beside=sum(one.repay for one in others)) if loan else None
        for one in others:
            yield one, replace(loan, fee=Bps(0), joins=True) if loan else None


def _priced(world: World, moved: dict[Address, Pool], opened: Iterable[tuple[Open, Loan | None]]) -> list[Part] | None:
    """Each on the pools as those before it leave them."""
    parts = []
    for one, loan in opened:
        done = _again(one.deal, loan, moved).done(one.repay, world.policy.slippage)
        if done is None or done.left <= 0:
            return None
        moved |= {pool.address: pool for pool in done.moved}
        parts.append(one.part._replace(done=done))
    return parts
