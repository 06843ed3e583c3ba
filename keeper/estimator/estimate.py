"""From liquidations carried out on paper to a plan with its price, or the reason why not.

Laws
- The cost identity holds to the wei: gross bonus = protocol fee + pool fees + impact + funding fee + gas + L1 fee + bid
  + net. Income is rounded down, cost up; what rounding and prices leave unexplained is impact.
- A plan's profit on chain is at least what covers gas, fees, bid and the policy's minimum: the same number is asserted
  there. No plan is made below it.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from hashlib import sha256
from typing import Final, NamedTuple

from keeper.core.actions import Call, Stage, Style
from keeper.core.plans import Estimate, Leg, Plan, SwapLeg
from keeper.core.refusals import Reason
from keeper.core.units import BPS, WAD, Address, Amount, BlockNumber, Bps, Wei, mul_div_up
from keeper.core.venues import PIPS, Pool
from keeper.estimator import gas
from keeper.estimator.bid import settle_bid
from keeper.estimator.guards import Refusal, haircut
from keeper.estimator.lessons import bid_key
from keeper.estimator.terms import Done, moved_path, path_pips, swap_leg
from keeper.estimator.world import World
from keeper.estimator.worth import Prices, readable
from keeper.venues.route.path import Path

_ZERO: Final = Wei(0)


class Part(NamedTuple):
    """One liquidation of a plan."""

    done: Done
    prices: Prices
    exit: Path | None  # from what it leaves over to the profit token; None: it is the profit token


class Cost(NamedTuple):
    """What is paid in native token, whatever the profit."""

    gas_used: int
    gas: Wei
    l1_fee: Wei

    @property
    def total(self) -> Wei:
        """Gas and fees."""
        return Wei(self.gas + self.l1_fee)


class _Sold(NamedTuple):
    """The left-overs, turned into the profit token."""

    profit: int
    conversions: tuple[SwapLeg, ...]
    moved: tuple[Pool, ...]
    fee: int  # pool fees, in the profit token


def estimate(world: World, parts: Sequence[Part]) -> tuple[Plan, tuple[Pool, ...]] | Refusal:
    """The plan of these liquidations in this order, with the pools as it leaves them."""
    sold = _convert(world, parts)
    if sold is None:
        return Refusal(Reason.NO_ROUTE, f"nobody buys what is left over for {world.policy.profit_token}")
    draft = _draft(world, parts, sold)
    cost = _cost(world, draft)
    if cost.gas_used > world.policy.tx_gas:
        return Refusal(Reason.GAS_LIMIT, f"gas {cost.gas_used} > {world.policy.tx_gas} per transaction")
    plan = _bid(world, draft, parts, sold, cost)
    return plan if isinstance(plan, Refusal) else (plan, sold.moved)


def _convert(world: World, parts: Sequence[Part]) -> _Sold | None:
    """What the legs leave over, token by token, through one path each."""
    token = world.policy.profit_token
    moved = {pool.address: pool for part in parts for pool in part.done.moved}
    left: dict[Address, int] = {}
    exits: dict[Address, Path | None] = {}
    for part in parts:
        left[part.done.left_token] = left.get(part.done.left_token, 0) + part.done.left
        exits.setdefault(part.done.left_token, part.exit)
    profit, fee = max(left.pop(token, 0), 0), 0
    conversions = []
    for sold, amount in left.items():
        path = exits[sold]
        fill = moved_path(path, moved.values()).quote_exact_in(amount) if path and amount > 0 else None
        if fill is None:
            return None
        moved |= {pool.address: pool for pool in fill.after.pools}
        conversions.append(swap_leg(fill, world.policy.slippage, rest=True))
        profit += fill.amount_out
        fee += mul_div_up(fill.amount_out, path_pips(fill.after), PIPS)
    return _Sold(profit, tuple(conversions), tuple(moved.values()), fee)


def _draft(world: World, parts: Sequence[Part], sold: _Sold) -> Plan:
    """The plan before its bid is known."""
    policy = world.policy
    legs = tuple(_limited(world, leg, alone=len(parts) == 1) for leg in _prepared_once(parts))
    return Plan(
        opportunity_id=_identify(world.block, legs),
        block=world.block,
        deadline=BlockNumber(world.block + policy.window - 1),
        legs=legs,
        conversions=sold.conversions,
        profit_token=policy.profit_token,
        min_profit=Amount(0),
        bid_bps=Bps(0),
        gas_limit=policy.tx_gas,
        max_fee=_ZERO,
        tip=_ZERO,
        estimate=Estimate(*[_ZERO] * 9),
    )


def _prepared_once(parts: Sequence[Part]) -> Iterator[Leg]:
    """Bounties often begin with what needs doing once, as bringing a price up to date: the first of them does it."""
    made: set[Call] = set()
    for leg in (part.done.leg for part in parts):
        known = made if leg.style is Style.BOUNTY else set()
        yield replace(leg, calls=tuple(c for c in leg.calls if c.stage is not Stage.FIRST or c not in known))
        made.update(leg.calls)


def _limited(world: World, leg: Leg, *, alone: bool) -> Leg:
    """A leg among others may not burn what the others need."""
    return leg if alone else replace(leg, gas_limit=world.gas.limit(world.gas.leg(gas.leg_shape(leg))))


def _identify(block: BlockNumber, legs: Iterable[Leg]) -> str:
    names = [f"{leg.protocol}:{leg.market}:{leg.account}:{leg.collateral_asset}:{leg.debt_asset}" for leg in legs]
    return sha256("|".join([str(block), *names]).encode()).hexdigest()[:16]


def _cost(world: World, draft: Plan) -> Cost:
    used = world.gas.gas(gas.Shape.of(draft.legs, draft.conversions))
    return Cost(used, Wei(used * world.base_fee), world.data_fee.fee(world.unsigned(draft), used))


def _keep(world: World, parts: Sequence[Part], cost: Cost) -> Wei:
    """What must be left after everything: the policy's minimum, and what prices may do until it is sold."""
    policy = world.policy
    paid = sum(part.prices.wei_up(part.done.leg.debt_asset, part.done.leg.settlement.paid) for part in parts)
    least = max(policy.bid.min_profit, mul_div_up(paid, policy.min_profit_bps, BPS))
    if policy.haircut_z == 0:
        return Wei(least)
    gas_share = cost.total // len(parts)
    return Wei(least + sum(_haircut(world, part, gas_share) for part in parts))


def _haircut(world: World, part: Part, gas_cost: int) -> int:
    asset, policy = part.done.leg.collateral_asset, world.policy
    value = part.prices.wei_down(asset, part.done.leg.settlement.received)
    sigma = policy.sigmas.get(asset, policy.sigma)
    return mul_div_up(value, haircut(sigma, policy.hold, policy.haircut_z, gas_cost, value), WAD) if value else 0


def _bid(world: World, draft: Plan, parts: Sequence[Part], sold: _Sold, cost: Cost) -> Plan | Refusal:
    """The draft with its bid, and the profit that must be reached on chain for it."""
    policy, prices = world.policy, parts[0].prices
    profit = prices.wei_down(policy.profit_token, sold.profit)
    value, keep = profit - cost.total, _keep(world, parts, cost)
    beta = world.bids.share(bid_key(draft.legs, policy.channel), max(value, 0), policy.bid.miss)
    shared = policy.shared and policy.profit_token == prices.native
    offer = settle_bid(policy.bid, beta, profit, value, cost.gas_used, keep, shared=shared)
    if offer is None:
        net = value - policy.bid.tip * cost.gas_used
        need = f"{readable(keep)} and a bid of {readable(policy.bid.floor)}"
        terms = f"net {readable(net)} < {need}: profit {readable(profit)}, gas {readable(cost.total)}"
        return Refusal(Reason.UNPROFITABLE if net < 0 else Reason.BELOW_MIN_PROFIT, terms)
    least = prices.tokens_up(policy.profit_token, offer.least_profit(keep + cost.total + offer.tip * cost.gas_used))
    return replace(
        draft,
        min_profit=least,
        bid_bps=offer.bps,
        gas_limit=world.gas.limit(cost.gas_used, policy.tx_gas),
        max_fee=gas.max_fee(world.base_fee, offer.tip, policy.window - 1, world.gas_limit, world.fee_rule),
        tip=offer.tip,
        estimate=identity(parts, profit, prices.wei_up(policy.profit_token, sold.fee), cost, offer.total),
    )


def identity(parts: Sequence[Part], profit: int, conversion_fee: int, cost: Cost, bid: int) -> Estimate:
    """The cost identity of liquidations that leave so much profit (in wei; it may be a loss)."""
    gross = protocol = venue = funding = 0
    for done, prices, _ in parts:
        leg, took = done.leg, done.leg.settlement
        seized = prices.wei_down(leg.collateral_asset, took.received + took.protocol_fee)
        received = prices.wei_down(leg.collateral_asset, took.received)
        gross += seized - prices.wei_up(leg.debt_asset, took.paid)
        protocol += seized - received
        venue += mul_div_up(received, done.fee_pips, PIPS)
        funding += prices.wei_up(leg.debt_asset, leg.funding.fee)
    venue += conversion_fee
    impact = gross - protocol - venue - funding - profit
    net = profit - cost.total - bid
    terms = (gross, protocol, venue, impact, funding, cost.gas, cost.l1_fee, bid, net)
    return Estimate(*(Wei(term) for term in terms))
