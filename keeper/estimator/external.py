"""A plan with an external quote in it, where that is better than what local pools give.

Laws
- A quote is for one amount: the repay amount stays as it was sized.
- A router may go through anything: it is not combined with a pool or vault that funding holds locked, and what is
  left over is converted on pools as they were before (the simulation tells, and nothing is sent without one).
"""

from dataclasses import replace

from keeper.core.plans import Hop, Plan, Reason, SwapLeg, VenueKind
from keeper.core.quoting import ExternalQuote
from keeper.core.units import BPS, Amount, mul_div_down
from keeper.estimator.desk import Desk
from keeper.estimator.estimate import Part, estimate
from keeper.estimator.funding import conflicts, lend, loan_fee, ranked
from keeper.estimator.guards import Refusal
from keeper.estimator.terms import Done
from keeper.estimator.world import World
from keeper.estimator.worth import Prices


def with_quote(world: World, plan: Plan, prices: Prices, quote: ExternalQuote) -> Plan | Refusal:
    """The plan's only leg sold through the quote's router, if that earns more; else the plan as it was."""
    part = _routed(world, plan, prices, quote)
    if isinstance(part, Refusal):
        return part
    priced = estimate(world, (part,))
    if isinstance(priced, Refusal):
        return priced
    routed, _ = priced
    return routed if routed.estimate.net > plan.estimate.net else plan


def _routed(world: World, plan: Plan, prices: Prices, quote: ExternalQuote) -> Part | Refusal:
    leg = plan.legs[0]
    asked = (leg.collateral_asset, leg.debt_asset, leg.settlement.received)
    if len(plan.legs) > 1 or (quote.request.sold, quote.request.bought, quote.request.amount) != asked:
        return Refusal(Reason.NO_ROUTE, f"a quote of {quote.source} for another amount than {asked[2]}")
    hop = Hop(VenueKind.ROUTER, quote.router, leg.collateral_asset, leg.debt_asset, 0, quote.data)
    least = Amount(mul_div_down(quote.amount_out, BPS - world.policy.slippage, BPS))
    swap = SwapLeg(leg.settlement.received, quote.amount_out, least, (hop,), rest=True)
    able = (
        loan
        for loan in ranked(world.lenders, leg.debt_asset, leg.repay, lambda _: 0)
        if loan.available >= leg.repay and not conflicts(loan.kind, loan.source, (swap,))
    )
    loan = next(able, None)
    if loan is None:
        return Refusal(Reason.NO_FUNDING, f"nobody lends {leg.repay} of {leg.debt_asset} beside a router")
    left = quote.amount_out - leg.settlement.paid - loan_fee(loan, leg.repay)
    token = world.policy.profit_token
    if left <= 0:
        return Refusal(Reason.UNPROFITABLE, f"{quote.source} brings {left} of the debt after what is owed")
    desk = Desk.of(world.liquidity, world.policy.routing)
    out = None if leg.debt_asset == token else desk.path(leg.debt_asset, token, left)
    routed = replace(leg, funding=lend(loan, leg.repay), swaps=(swap,))
    return Part(Done(routed, leg.debt_asset, left, (), 0), prices, out)
