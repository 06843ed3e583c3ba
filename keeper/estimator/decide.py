"""One account: the best plan, or why there is none.

Laws
- Every pair the market would accept is considered, in every way it can be funded and sold. All of them are glanced
  at; those that may be best are sized exactly; the best estimate wins.
- The refusal reported is that of the pair that came closest, so that it explains what would have to change.
"""

from collections.abc import Iterator
from operator import attrgetter
from typing import Final, NamedTuple

from keeper.core.actions import CALLING_BACK, Style
from keeper.core.plans import FundingKind, Plan, VenueKind
from keeper.core.ports import Loan
from keeper.core.refusals import Reason, Skip
from keeper.core.units import MAX_U256, ZERO_ADDRESS, Address, Wei
from keeper.core.venues import Pool
from keeper.estimator import size
from keeper.estimator.deals import Deal, ForwardDeal, SaleDeal, SwapDeal
from keeper.estimator.desk import Desk
from keeper.estimator.estimate import Part, estimate
from keeper.estimator.funding import own_balance, ranked
from keeper.estimator.gas import Shape, funding_prior, hops_prior
from keeper.estimator.guards import Refusal
from keeper.estimator.terms import Terms
from keeper.estimator.vet import vet_moment, vet_pair, vet_stake
from keeper.estimator.world import Candidate, World
from keeper.estimator.worth import Prices, readable
from keeper.venues.route.path import Path

_FINALISTS: Final = 3  # deals sized exactly, at most
_CLOSE: Final = 50  # a deal within one part in so many of the best glance may still win
_LENDERS: Final = 2
_SURPLUS: Final = 20  # a surplus is about one part in so many of what flows
_ONE_ASSET: Final = (Style.BOUNTY, Style.TAKEOVER)  # what is received is what is repaid


class Glance(NamedTuple):
    """A deal and what it is worth at a good amount, after gas."""

    net: int  # wei
    repay: int
    deal: Deal


class Considered(NamedTuple):
    """The best liquidation of an account, and the plan it would be alone (or why it would be none)."""

    part: Part
    alone: Plan | Refusal
    margin: Wei  # what it adds to a transaction that is sent anyway: profit less its own gas
    deal: Deal


def decide(world: World, candidate: Candidate) -> Plan | Skip:
    """The best plan for one account."""
    refusal = vet_moment(world)
    if refusal:
        return refusal.skip(candidate.who)
    found = consider(world, Desk.of(world.liquidity, world.policy.routing), candidate)
    answer = found.alone if isinstance(found, Considered) else found
    return answer.skip(candidate.who) if isinstance(answer, Refusal) else answer


def consider(world: World, desk: Desk, candidate: Candidate, finalists: int = _FINALISTS) -> Considered | Refusal:
    """The best single liquidation of the account on these pools; ``finalists`` deals are sized exactly."""
    glances: list[Glance] = []
    refusals: list[Refusal] = []
    if candidate.prices.native not in candidate.prices:
        return Refusal(Reason.ORACLE_INVALID, "nobody says what the native token is worth here")
    for action in candidate.actions:
        if isinstance(action, Reason):
            refusals.append(Refusal(action, "by the market"))
            continue
        terms = Terms.of(action, candidate.prices, _token(world), candidate.market)
        refusal = vet_pair(world, action, candidate.prices)
        found = [] if refusal else list(_glance_at(world, desk, terms))
        glances += found
        if not found:
            refusals.append(refusal or _no_way(world, desk, terms))
    if not glances:
        return refusals[-1] if refusals else Refusal(Reason.QUARANTINED, "no pair")
    return _best(world, glances, finalists)


def deals(world: World, desk: Desk, terms: Terms) -> Iterator[Deal]:
    """Every way to fund and sell one action."""
    action, profit = terms.action, terms.profit_token
    most = terms.most
    sold, debt = action.collateral_asset, action.debt_asset
    received = terms.stock(action.settle(most)) if terms.intervals else 0
    if received <= 0:
        return
    lenders = _lenders(world, terms, most)
    out = _exit(desk, debt, profit, most or _SURPLUS * received)  # of a bounty all is surplus
    if out is not None or debt == profit:
        curves = desk.curves(sold, debt, received) if sold != debt else (None,)
        yield from (SaleDeal(terms, lender, curve, out) for lender in lenders for curve in curves)
    if action.style in _ONE_ASSET:
        return
    for pay in dict.fromkeys((profit, sold)):
        if pay != debt:
            yield from _swap_deals(desk, terms, pay, most, received, lenders[:1])
    if (
        action.style not in CALLING_BACK
        and debt == profit != sold
        and (pool := _seller(desk, sold, debt, most, VenueKind.UNISWAP_V3))
    ):
        yield ForwardDeal(terms, pool)


def _swap_deals(
    desk: Desk, terms: Terms, pay: Address, most: int, received: int, lenders: list[Loan]
) -> Iterator[Deal]:
    sold, debt, profit = terms.action.collateral_asset, terms.action.debt_asset, terms.profit_token
    out = _exit(desk, pay, profit, received)
    if out is None and pay != profit:
        return
    calls_back = terms.action.style in CALLING_BACK
    flash = None if calls_back else _seller(desk, pay, debt, most, VenueKind.UNISWAP_V3)
    if flash is not None:
        curves = desk.curves(sold, pay, received, frozenset({flash.address})) if sold != pay else (None,)
        yield from (SwapDeal(terms, pay, flash, curve, None, out) for curve in curves)
    pool = _seller(desk, pay, debt, most, VenueKind.UNISWAP_V3, VenueKind.UNISWAP_V2)  # whoever can sell exactly
    if pool is not None and pool is not flash:
        curves = desk.curves(sold, pay, received, frozenset({pool.address}))[:1] if sold != pay else (None,)
        yield from (SwapDeal(terms, pay, pool, curve, lender, out) for lender in lenders for curve in curves)


def _seller(desk: Desk, pay: Address, debt: Address, most: int, *kinds: VenueKind) -> Pool | None:
    return desk.seller(pay, debt, most, *kinds) or desk.seller(pay, debt, max(most >> 3, 1), *kinds)


def _exit(desk: Desk, token: Address, profit: Address, flow: int) -> Path | None:
    """How a surplus, about a twentieth of the flow, becomes the profit token."""
    return None if token == profit else desk.path(token, profit, max(flow // _SURPLUS, 1))


def _lenders(world: World, terms: Terms, most: int) -> list[Loan]:
    """Who has the repayment, cheapest first. A market that pays first lends it; for a bounty nothing is needed."""
    debt, prices, style = terms.action.debt_asset, terms.prices, terms.action.style
    if style in CALLING_BACK:
        return [Loan(FundingKind.PROTOCOL_CALLBACK, ZERO_ADDRESS, debt, MAX_U256)]
    if style is Style.BOUNTY:
        return [own_balance(debt, MAX_U256)]

    def gas(loan: Loan) -> int:
        return prices.tokens_up(debt, funding_prior(loan.kind, joins=loan.joins) * world.base_fee)

    lenders = (one for one in world.lenders if not one.joins or terms.action.collateral_asset != debt)
    able = ranked(lenders, debt, most, gas)
    whole = [lender for lender in able if lender.available >= most][:1]
    return (whole + [lender for lender in able if lender.available < most])[:_LENDERS]


def _glance_at(world: World, desk: Desk, terms: Terms) -> Iterator[Glance]:
    for deal in deals(world, desk, terms):
        intervals = deal.intervals()
        if not intervals:
            continue
        sized = size.rough(deal, intervals, deal.guesses(intervals[-1][1]), sure=deal.sure)
        if sized is not None:
            yield Glance(_net(world, deal, terms.prices, sized.value), sized.repay, deal)


def _net(world: World, deal: Deal, prices: Prices, value: int) -> Wei:
    gas = world.gas.gas(_shape(deal)) * world.base_fee
    worth = prices.wei_down(world.policy.profit_token, value) if value > 0 else -prices.wei_up(_token(world), -value)
    return Wei(worth - gas)


def _shape(deal: Deal) -> Shape:
    return Shape((deal.shape,), (tuple(pool.kind for pool in deal.exit.pools),) if deal.exit else ())


def _best(world: World, glances: list[Glance], finalists: int) -> Considered | Refusal:
    ranking = sorted(glances, key=attrgetter("net"), reverse=True)
    close = ranking[0].net - abs(ranking[0].net) // _CLOSE
    finals = [_final(world, glance) for glance in ranking[:finalists] if glance.net >= close]
    found = [final for final in finals if isinstance(final, Considered)]
    return max(found, key=_rank) if found else next(final for final in finals if isinstance(final, Refusal))


def _rank(found: Considered) -> tuple[bool, int]:
    alone = found.alone
    return (False, found.margin) if isinstance(alone, Refusal) else (True, alone.estimate.net)


def _final(world: World, glance: Glance) -> Considered | Refusal:
    """Sized exactly, and estimated as a plan of its own."""
    deal = glance.deal
    prices, intervals = deal.terms.prices, deal.intervals()
    sized = size.best(deal, intervals, [*deal.guesses(intervals[-1][1]), glance.repay])
    done = deal.done(sized.repay, world.policy.slippage) if sized else None
    if sized is None or done is None:
        return Refusal(Reason.NO_ROUTE, "no amount can be sold")
    if done.left <= 0:
        net = _net(world, deal, prices, sized.value)
        return Refusal(Reason.UNPROFITABLE, f"net {readable(net)} < 0 at the best amount, {sized.repay}")
    profit = prices.wei_down(_token(world), sized.value)
    refusal = vet_stake(world, deal.terms.action, prices, profit)
    if refusal:
        return refusal
    part = Part(done, prices, deal.exit)
    priced = estimate(world, (part,))
    alone = priced if isinstance(priced, Refusal) else vet_losses(world, priced[0]) or priced[0]
    own_gas = world.gas.leg(deal.shape) + hops_prior(_shape(deal).conversions)
    return Considered(part, alone, Wei(profit - own_gas * world.base_fee), deal)


def vet_losses(world: World, plan: Plan) -> Refusal | None:
    """What a failing transaction would burn must stay within the loss caps."""
    if world.risk.caps is None:
        return None
    at_risk = plan.gas_limit * plan.max_fee if world.risk.reverts_cost else 0
    asset = plan.legs[0].collateral_asset
    return world.risk.losses.check(world.risk.caps, asset, at_risk, world.timestamp)


def _no_way(world: World, desk: Desk, terms: Terms) -> Refusal:
    """Why an action has no deal."""
    sold, debt = terms.action.collateral_asset, terms.action.debt_asset
    if not terms.intervals:
        return Refusal(Reason.DUST, f"no amount of {debt} is accepted for {sold}")
    received = terms.action.settle(terms.most).received
    if not received:
        return Refusal(Reason.DUST, f"{terms.most} of {debt} bring nothing")
    if sold != debt and not desk.curves(sold, debt, received):
        return Refusal(Reason.NO_ROUTE, f"nobody buys {sold} for {debt}")
    if not _lenders(world, terms, terms.most):
        return Refusal(Reason.NO_FUNDING, f"nobody lends {debt}")
    return Refusal(Reason.NO_ROUTE, f"nobody buys {debt} for {_token(world)}")


def _token(world: World) -> Address:
    return world.policy.profit_token
