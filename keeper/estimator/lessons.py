"""What the keeper has learned: the gas of shapes of plans, shares of profit that win, and when rivals buy.

Law: lessons are a value. Simulations teach gas, outcomes teach shares; what a reorganisation takes back was a lesson
all the same. The same outcomes in the same order give the same lessons, so a restart learns them again.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

from keeper.core.journal import Entry, State
from keeper.core.plans import Leg, Plan
from keeper.estimator.bid import BidBook, Ended, Key
from keeper.estimator.gas import GasBook, Shape
from keeper.estimator.rivals import Offered, RivalBook

_ENDED: Final[Mapping[State, Ended]] = {
    State.LANDED: Ended.WON,
    State.OUTBID: Ended.OUTBID,
    State.MISSED: Ended.MISSED,
}


def bid_key(legs: Sequence[Leg], channel: str) -> Key:
    """Where a plan's share applies: its largest leg decides."""
    largest = max(legs, key=lambda leg: leg.settlement.paid)
    return Key(largest.protocol, largest.collateral_asset, channel)


@dataclass(frozen=True, slots=True)
class Lessons:
    """All books."""

    gas: GasBook = field(default_factory=GasBook)
    bids: BidBook = field(default_factory=BidBook)
    rivals: RivalBook = field(default_factory=RivalBook)
    channel: str = ""  # where bids are made

    def used(self, plan: Plan, gas: int) -> "Lessons":
        """After a simulation of the plan that passed."""
        return replace(self, gas=self.gas.learn(Shape.of(plan.legs, plan.conversions), gas))

    def ran_out(self, plan: Plan) -> "Lessons":
        """After a simulation that failed without a word, as one does that has too little gas."""
        return replace(self, gas=self.gas.forget(Shape.of(plan.legs, plan.conversions)))

    def outdone(self, what: Offered, margin: int) -> "Lessons":
        """After an auction that ended at this margin, and not with us."""
        return replace(self, rivals=self.rivals.learn(what, margin))

    def ended(self, entry: Entry) -> "Lessons":
        """After an outcome. What was given up for another reason than a rival says nothing about shares."""
        ended, plan = _ENDED.get(entry.outcome or entry.state), entry.plan
        if ended is None or plan is None:
            return self
        return replace(self, bids=self.bids.learn(bid_key(plan.legs, self.channel), ended))
