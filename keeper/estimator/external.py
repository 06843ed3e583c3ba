"""A plan with an external quote in it: better than what local pools give, or where they give nothing.

Laws
- A quote is for one amount: the repay amount stays as it was sized.
- A router may go through anything: it is not combined with a pool or vault that funding holds locked, and what is
  left over is converted on pools as they were before (the simulation tells, and nothing is sent without one).
"""

from dataclasses import replace

from keeper.core.plans import Hop, Leg, Plan, SwapLeg, VenueKind
from keeper.core.quoting import ExternalQuote, QuoteRequest
from keeper.core.refusals import Reason
from keeper.core.units import BPS, Address, Amount, mul_div_down
from keeper.estimator.desk import Desk
from keeper.estimator.estimate import Part, estimate
from keeper.estimator.funding import conflicts, lend, loan_fee, own_balance, ranked
from keeper.estimator.guards import Refusal
from keeper.estimator.terms import Done, Terms
from keeper.estimator.vet import vet_pair
from keeper.estimator.world import Candidate, World
from keeper.estimator.worth import Prices


def with_quote(world: World, plan: Plan, prices: Prices, quote: ExternalQuote) -> Plan | Refusal:
    """The plan's only leg sold through the quote's router, if that earns more; else the plan as it was."""
    if len(plan.legs) > 1:
        return Refusal(Reason.NO_ROUTE, f"a quote of {quote.source} for one leg of {len(plan.legs)}")
    routed = from_quote(world, plan.legs[0], prices, quote)
    return plan if isinstance(routed, Plan) and routed.estimate.net <= plan.estimate.net else routed


def from_quote(world: World, leg: Leg, prices: Prices, quote: ExternalQuote) -> Plan | Refusal:
    """A plan of this leg alone, sold through the quote's router."""
    part = _routed(world, leg, prices, quote)
    priced = part if isinstance(part, Refusal) else estimate(world, (part,))
    return priced if isinstance(priced, Refusal) else priced[0]


def unsold(world: World, candidate: Candidate) -> Leg | None:
    """The account's most promising liquidation, before it is known who buys what it brings."""
    best, found = 0, None
    for action in candidate.actions:
        if isinstance(action, Reason) or action.receive_wrapped or vet_pair(world, action, candidate.prices):
            continue
        terms = Terms.of(action, candidate.prices, world.policy.profit_token, candidate.market)
        if terms.most and action.collateral_asset != action.debt_asset:
            settlement = action.settle(terms.most)
            paid = candidate.prices.wei_up(action.debt_asset, settlement.paid)
            bonus = candidate.prices.wei_down(action.collateral_asset, settlement.received) - paid
            if bonus > best:
                nobody = lend(own_balance(action.debt_asset, terms.most), terms.most)
                best, found = bonus, terms.leg(terms.most, settlement, nobody, ())
    return found


def request_of(leg: Leg, taker: Address) -> QuoteRequest:
    """What a quoter is asked for a leg."""
    return QuoteRequest(leg.collateral_asset, leg.debt_asset, leg.settlement.received, taker)


def _routed(world: World, leg: Leg, prices: Prices, quote: ExternalQuote) -> Part | Refusal:
    asked = (leg.collateral_asset, leg.debt_asset, leg.settlement.received)
    if (quote.request.sold, quote.request.bought, quote.request.amount) != asked:
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
