"""Whether this moment, this market and this pair may be acted upon at all. Cheap, and before anything is priced.

Law: the first guard that refuses decides; the order below is from the widest concern to the narrowest.
"""

from keeper.core.actions import Action
from keeper.core.refusals import Reason
from keeper.core.units import Address
from keeper.core.venues import PIPS, Q96
from keeper.estimator.guards import Refusal, agrees, cost_to_move, fresh, sequencer_up, tick_price, worth_manipulating
from keeper.estimator.world import World
from keeper.estimator.worth import RATE, Prices


def vet_moment(world: World) -> Refusal | None:
    """Breaker, sequencer, gas price."""
    refusal = world.risk.breaker.check(world.timestamp, world.risk.in_flight)
    feed = world.oracles.sequencer
    if refusal is None and feed is not None:
        refusal = sequencer_up(feed, world.timestamp, world.policy.sequencer_grace)
    ceiling = world.policy.max_base_fee
    if refusal is None and ceiling is not None and world.base_fee > ceiling:
        refusal = Refusal(Reason.GAS_PRICE, f"base fee {world.base_fee} > {ceiling} wei")
    return refusal


def vet_pair(world: World, action: Action, prices: Prices) -> Refusal | None:
    """Tokens, oracles, and the venues' opinion of the price."""
    sold, bought = action.collateral_asset, action.debt_asset
    for token in (sold, bought):
        if token not in prices:
            return Refusal(Reason.ORACLE_INVALID, f"no price of {token}")
        refusal = world.tokens.check(token) or _vet_reading(world, token)
        if refusal:
            return refusal
    if action.receive_wrapped and action.withdrawable == 0:
        return Refusal(Reason.NO_LIQUIDITY, f"the market pays in receipts of {sold}, and 0 of them can be redeemed")
    tolerance = world.policy.divergence
    if tolerance is None or sold == bought:
        return None
    return agrees(prices.rate(sold, bought), venue_rates(world, sold, bought), tolerance)


def vet_stake(world: World, action: Action, prices: Prices, profit: int) -> Refusal | None:
    """Moving the venues' price must cost more than a profit (in wei) that depends on it."""
    move, sold, bought = world.policy.manipulation, action.collateral_asset, action.debt_asset
    if move is None or sold == bought:
        return None
    depths = [pool.depth(sold) for pool in world.liquidity.between(sold, bought)]
    cost = sum(cost_to_move(depth.reserve_in, depth.reserve_out, depth.capacity * Q96, move) for depth in depths)
    wei = prices.wei_down(bought, cost // Q96)
    return worth_manipulating(wei, profit)


def venue_rates(world: World, sold: Address, bought: Address) -> dict[str, int]:
    """What each pool of the pair says: its time-weighted price where that was read, else its price now; without fee."""
    rates: dict[str, int] = {}
    for pool in world.liquidity.between(sold, bought):
        tick = world.oracles.mean_ticks.get(pool.address)
        if tick is not None:
            rates[pool.address] = tick_price(tick if sold == pool.token0 else -tick, RATE)
            continue
        price = pool.price(sold)
        if price is not None:
            rates[pool.address] = RATE * price[0] * PIPS // (price[1] * (PIPS - pool.fee))
    return rates


def _vet_reading(world: World, token: Address) -> Refusal | None:
    reading = world.oracles.readings.get(token)
    return fresh(reading, world.timestamp, world.policy.oracle_grace) if reading else None
