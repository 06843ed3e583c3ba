"""Dutch auctions and bids: when a falling price is worth taking, what is owed for a part, what to bid for inclusion."""

# ruff: noqa: PLR0913, PLR0917 - a bid has many terms

from math import ceil, log
from typing import Final, NamedTuple

from keeper.core.units import BPS, Bps, Wei
from keeper.estimator.bid import BidPolicy, expected, per_gas

MICRO: Final = 10**6  # money is counted in millionths where the estimator's integers are asked
GWEI: Final = 10**9
WAD: Final = 10**18


class Dutch(NamedTuple):
    """An auction whose price falls by a share each step."""

    top: float
    cut: float
    step: float
    cusp: float  # of the top: below, it has to be started anew
    tail: float  # seconds after which it has to be started anew

    def price(self, seconds: float) -> float:
        """At a time after the start."""
        return float(self.top * self.cut ** int(seconds // self.step))

    def first(self, limit: float) -> int:
        """Steps until the price is at most a limit."""
        return max(ceil(log(limit / self.top) / log(self.cut)), 0)

    def ends(self) -> float:
        """Seconds after which nobody can take any more."""
        return min(ceil(log(self.cusp) / log(self.cut)) * self.step, self.tail)


class Take(NamedTuple):
    """A part of an auction taken."""

    owed: float
    left: float
    allowed: bool  # what is left is nothing, or not too little


def take(price: float, amount: float, tab: float, least: float) -> Take:
    """What an amount of collateral costs; less than ``least`` of the debt must not be left."""
    owed = min(price * amount, tab)
    left = tab - owed
    return Take(owed, left, not left or left >= least)


class Bid(NamedTuple):
    """A bid for inclusion, in money, per gas in gwei, and what it is expected to bring."""

    amount: float
    gwei: float
    expected: float | None


def bid(
    value: float, bidders: int, gamma: float, least: float, gas: int, native: float, wins: float | None, miss: float
) -> Bid | None:
    """What the estimator would offer for an opportunity of this value; ``wins``: the share of tries that win."""
    policy = BidPolicy(min_profit=Wei(round(least * MICRO)), gamma=Bps(round(gamma * BPS)), bidders=bidders)
    worth = round(value * MICRO)
    offer = policy.offer(worth, Bps(0))
    if offer is None:
        return None
    fee = per_gas(round(offer / MICRO / native * WAD), gas) / GWEI
    brings = None if wins is None else expected(worth, offer, round(wins * BPS), BPS, round(miss * MICRO)) / MICRO
    return Bid(offer / MICRO, fee, brings)
