"""The calculators by name: what ``keeper calc`` can be asked.

Law: a function here names its parameters and its answers; how a number is made is told in ``reports.calculators``.
"""

# ruff: noqa: PLR0913, PLR0917 - a calculator takes what its rule needs: its parameters are the command's words

from collections.abc import Callable, Mapping, Sequence
from typing import Final, Literal

from keeper.reports.calculators import auctions, options, perps
from keeper.reports.calculators.perps import Tier
from keeper.reports.odds import accrual_days, chance, spread
from keeper.reports.sides import toxic_bound

Side = Literal["long", "short"]
Kind = Literal["call", "put"]
Venue = Literal["binance", "bybit", "bybit-inverse", "hyperliquid", "cross"]
Answer = Mapping[str, object]


def liquidation(
    venue: Venue,
    side: Side,
    size: float,
    entry: float,
    margin: float,
    mmr: float,
    cum: float = 0.0,
    funding: float = 0.0,
) -> Answer:
    """Liquidation price of a perpetual; size in contracts of one quote unit where inverse, margin in coins there."""
    sign, left = _sign(side), margin - funding
    rules: Mapping[str, Callable[[], float]] = {
        "binance": lambda: perps.binance(sign, size, entry, left, mmr, cum),
        "bybit": lambda: perps.bybit_linear(sign, size, entry, left, mmr),
        "bybit-inverse": lambda: perps.bybit_inverse(sign, size, entry, left, mmr),
        "hyperliquid": lambda: perps.hyperliquid(sign, size, entry, left - size * entry * mmr, mmr),
        "cross": lambda: perps.hyperliquid(sign, size, entry, left - cum, mmr),
    }
    price = rules[venue]()
    return {"liquidation_price": price, "distance": abs(price / entry - 1)}


def tiers(side: Side, size: float, entry: float, margin: float, table: str) -> Answer:
    """Liquidation price under margin tiers; table as limit:rate,limit:rate, the last limit may be inf."""
    steps = [Tier(float(limit), float(rate)) for limit, _, rate in (part.partition(":") for part in table.split(","))]
    price, tier = perps.binance_tiers(_sign(side), size, entry, margin, steps)
    return {
        "liquidation_price": price,
        "rate": tier.mmr,
        "maintenance_margin": perps.maintenance(price * size, steps),
    }


def bankruptcy(
    side: Side, size: float, notional: float, collateral: float, mmr: float, spread: float = 0.1,
    total_mmr: float = 0.0, adjustment: float = 1.0,
) -> Answer:  # fmt: skip
    """Bankruptcy and fillable price by dYdX's rule; collateral and mmr are of the whole account, in money."""
    sign, whole = _sign(side), total_mmr or mmr
    return {
        "bankruptcy_price": perps.bankruptcy(sign, size, notional, collateral, mmr, whole),
        "fillable_price": perps.fillable(sign, size, notional, collateral, whole, spread, adjustment),
    }


def mark(index: float, funding: float, hours: float, basis: float, last: float) -> Answer:
    """Mark price: the middle of index with funding, index with mean basis, and the last trade."""
    return {"mark_price": perps.mark(index, funding, hours, basis, last)}


def leverage(collateral: float, debt: float) -> Answer:
    """What is held for a unit of one's own."""
    return {"leverage": perps.leverage(collateral, debt)}


def deleveraging(price: float, entry: float, notional: float, equity: float) -> Answer:
    """Rank in auto-deleveraging: the larger, the sooner."""
    return {"rank": perps.deleveraging(price, entry, notional, equity)}


def option(kind: Kind, spot: float, strike: float, days: float, vol: float, size: float = 1.0) -> Answer:
    """An option by Black-76: price and Greeks."""
    found = options.black76(spot, strike, days / 365, vol, _call(kind))
    return {"price": found.price, "value": size * found.price, "delta": found.delta, "gamma": found.gamma,
            "vega_per_point": found.vega / 100, "theta_per_day": found.theta / 365}  # fmt: skip


def option_margin(
    system: Literal["gamma", "deribit", "panoptic"], spot: float, strike: float = 0.0, shock: float = 0.75,
    upper: float = 0.15, price: float = 0.0, balance: float = 0.0, required: float = 0.0,
) -> Answer:  # fmt: skip
    """What a short option needs (gamma: a put, deribit: a call), or the bonus for liquidating one (panoptic)."""
    if system == "gamma":
        return {"required": options.naked_put(strike, spot, shock, upper)}
    if system == "deribit":
        initial, least = options.deribit_short_call(spot, strike, price)
        return {"initial_margin": initial, "maintenance_margin": least}
    return {"bonus": options.panoptic_bonus(balance, required)}


def vault_auction(
    posted: float, cash: float, spot: float, seconds: float, deviation: float = 0.0, whole: float = 3600.0
) -> Answer:
    """Gamma's auction of a vault: what an oToken brings after so many seconds."""
    return {"price": options.vault_auction(posted, cash, deviation, spot, seconds, whole)}


def portfolio_auction(
    mm: float, mtm: float, buffer: float = 0.05, discount: float = 0.9, reserved: float = 0.0, progress: float = 0.0
) -> Answer:
    """Derive's auction: the part that may be bid for and its price; below nothing, what a liquidator is paid."""
    if mtm <= 0:
        return {"paid_to_liquidator": options.insolvent_auction(mtm, mm, progress)}
    found = options.solvent_auction(mm, mtm, buffer, discount, reserved)
    return {"fraction": found.fraction, "pays": found.paid, "worth": found.worth, "gain": found.worth - found.paid}


def insolvency(buffer: float, delta: float, gamma: float, spot: float, vol: float) -> Answer:
    """How far the price is from eating a buffer, with gamma and without."""
    found = options.insolvency(buffer, delta, gamma, spot, vol)
    return {"insolvent": "at no price"} if found is None else dict(found._asdict())


def dutch(
    feed: float, buf: float = 1.3, cut: float = 0.99, step: float = 90.0, cusp: float = 0.4, tail: float = 8400.0,
    seconds: float = 0.0, limit: float = 0.0, tab: float = 0.0, take: float = 0.0, least: float = 0.0, tip: float = 0.0,
    chip: float = 0.0,
) -> Answer:  # fmt: skip
    """A falling-price auction: its price, when it meets a limit, when it must be started anew, what a part costs."""
    auction = auctions.Dutch(feed * buf, cut, step, cusp, tail)
    found: dict[str, object] = {"price": auction.price(seconds), "reset_after": auction.ends()}
    if limit > 0:
        steps = auction.first(limit)
        at = auction.price(steps * step)
        found |= {
            "met_at_step": steps,
            "met_after": steps * step,
            "price_then": at,
            "before_reset": steps * step < auction.ends(),
        }
        if take > 0:
            taken = auctions.take(at, take, tab, least)
            found |= {"owed": taken.owed, "left": taken.left, "allowed": taken.allowed}
    if tip or chip:
        found["kick_reward"] = tip + chip * tab
    return found


def bid(
    value: float, bidders: int = 0, gamma: float = 0.0, least: float = 0.0, gas: int = 600_000, native: float = 2000.0,
    wins: float | None = None, miss: float = 0.0,
) -> Answer:  # fmt: skip
    """What to bid for inclusion: first price against so many, at least gamma of the value, so much kept."""
    found = auctions.bid(value, bidders, gamma, least, gas, native, wins, miss)
    if found is None:
        return {"bid": "none: nothing is left for one"}
    return {"bid": found.amount, "gwei": found.gwei} | ({} if found.expected is None else {"expected": found.expected})


def eta(health: float, borrow: float, supply: float) -> Answer:
    """Days until interest alone brings a health factor to 1; rates are yearly."""
    return {"days": accrual_days(health, borrow, supply)}


def barrier(price: float, barrier: float, vol: float, days: float) -> Answer:
    """The chance that a price touches a barrier in so many days."""
    return {"probability": chance(price, barrier, vol, days / 365)}


def haircut(vol: float, minutes: float, z: float = 3.0, gas: float = 0.0, value: float = 1.0) -> Answer:
    """The margin that covers z standard deviations of price and the gas."""
    return {"share": z * spread(vol, minutes * 60) + gas / value}


def toxicity(ltv: float, remaining: float, reserve: float, bonus: float) -> Answer:
    """Whether liquidating improves an account: collateral left, the pool's reserve of it, the bonus."""
    bound = toxic_bound(remaining, reserve, bonus)
    return {"bound": bound, "toxic": ltv >= bound}


def _sign(side: str) -> int:
    return 1 if side == "long" else -1


def _call(kind: str) -> int:
    return 1 if kind == "call" else -1


_ALL: Final[Sequence[Callable[..., Answer]]] = (
    liquidation, tiers, bankruptcy, mark, leverage, deleveraging, option, option_margin, vault_auction,
    portfolio_auction, insolvency, dutch, bid, eta, barrier, haircut, toxicity,
)  # fmt: skip
CALCULATORS: Final = {function.__name__.replace("_", "-"): function for function in _ALL}
