"""Asking quoters, between what local pools say and what is sent. Off unless quoters are configured.

Laws
- A quote replaces the sale of a plan of one leg by one that earns more, or plans an account that no pool serves.
- All requests of a block go out at once and are few; whoever does not answer in time has no say.
- Nothing is believed: what comes out is simulated like every plan, and what it does not earn is not sent.
"""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

from keeper.core.plans import Leg, Plan
from keeper.core.quoting import ExternalQuote, Quoter, QuoteRequest
from keeper.core.refusals import Reason
from keeper.core.units import Address, Who
from keeper.estimator.external import from_quote, request_of, unsold, with_quote
from keeper.estimator.pack import Packed
from keeper.estimator.world import Candidate, World
from keeper.estimator.worth import Prices

MOST: Final = 8  # sales asked about in one block


class _Sale(NamedTuple):
    """What could be sold elsewhere: of a plan, or of an account without one."""

    leg: Leg
    plan: Plan | None


@dataclass(frozen=True, slots=True)
class Outside:
    """The quoters, and the executor that they quote for."""

    quoters: tuple[Quoter, ...]
    taker: Address

    async def improve(self, world: World, packed: Packed, candidates: Sequence[Candidate]) -> Packed:
        """The same plans and more, where somebody outside pays more."""
        prices = {candidate.who: candidate.prices for candidate in candidates}
        sales = [
            *(_Sale(plan.legs[0], plan) for plan in packed.plans if len(plan.legs) == 1 and plan.legs[0].swaps),
            *self._unsold(world, packed, candidates),
        ][:MOST]
        quotes = await asyncio.gather(*(self._best(request_of(sale.leg, self.taker)) for sale in sales))
        for sale, quote in zip(sales, quotes, strict=True):
            if quote is not None:
                packed = _with(packed, sale, _planned(world, sale, quote, prices))
        return packed

    def _unsold(self, world: World, packed: Packed, candidates: Sequence[Candidate]) -> Sequence[_Sale]:
        routeless = {skip.who for skip in packed.skips if skip.reason is Reason.NO_ROUTE}
        legs = (unsold(world, candidate) for candidate in candidates if candidate.who in routeless)
        return [_Sale(leg, None) for leg in legs if leg is not None]

    async def _best(self, request: QuoteRequest) -> ExternalQuote | None:
        answers = await asyncio.gather(*(quoter.quote(request) for quoter in self.quoters))
        quotes = [answer for answer in answers if isinstance(answer, ExternalQuote)]
        return max(quotes, key=lambda quote: quote.amount_out, default=None)


def _planned(world: World, sale: _Sale, quote: ExternalQuote, prices: Mapping[Who, Prices]) -> Plan | None:
    known = prices[sale.leg.who]
    if sale.plan is not None:
        found = with_quote(world, sale.plan, known, quote)
    else:
        found = from_quote(world, sale.leg, known, quote)
    return found if isinstance(found, Plan) and found is not sale.plan else None


def _with(packed: Packed, sale: _Sale, better: Plan | None) -> Packed:
    if better is None:
        return packed
    plans = tuple(plan for plan in packed.plans if plan is not sale.plan)
    skips = tuple(skip for skip in packed.skips if skip.who != sale.leg.who)
    return Packed((*plans, better), skips)
