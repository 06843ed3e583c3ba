"""A range played again: what keeper would have decided, against who in fact won.

Law: the same recording gives the same replay to the byte: no clock, no chance, no order of a set.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from keeper.core.plans import Plan
from keeper.core.units import Who
from keeper.estimator.pack import Packed
from keeper.reports.missed import Seen


@dataclass(frozen=True, slots=True)
class Decision:
    """What was decided about an account for a block."""

    block: int  # that it was decided for
    who: Who
    plan: Plan | None
    reason: str = ""
    term: str = ""


@dataclass(frozen=True, slots=True)
class Contest:
    """A liquidation that happened, and what would have been tried for its block and before it."""

    seen: Seen
    decided: Decision | None  # for that very block
    first: int | None  # the first block it would have been planned for

    @property
    def verdict(self) -> str:
        """In words that do not change."""
        if self.decided is None:
            return "not liquidatable before that block"
        return "planned" if self.decided.plan else f"refused: {self.decided.reason}"


@dataclass(slots=True)
class Play:
    """Collects a replay, block after block."""

    decisions: dict[tuple[int, Who], Decision] = field(default_factory=dict)
    seen: list[Seen] = field(default_factory=list)
    first: dict[Who, int] = field(default_factory=dict)

    def decide(self, block: int, packed: Packed) -> None:
        """What is decided for a block."""
        for plan in packed.plans:
            for leg in plan.legs:
                self.decisions[block, leg.who] = Decision(block, leg.who, plan)
                self.first.setdefault(leg.who, block)
        for skip in packed.skips:
            found = Decision(block, skip.who, None, skip.reason.value, skip.term)
            self.decisions.setdefault((block, skip.who), found)

    def happened(self, found: Iterable[Seen]) -> None:
        """What a block held."""
        self.seen += found

    def contests(self) -> list[Contest]:
        """Every liquidation of the range with what was decided about it."""
        return [
            Contest(seen, self.decisions.get((seen.what.block, seen.who)), self.first.get(seen.who))
            for seen in sorted(
                self.seen, key=lambda seen: (seen.what.block, seen.what.tx, seen.what.account, seen.market)
            )
        ]

    def alone(self) -> list[Decision]:
        """Plans for accounts that nobody liquidated in the range, the first of each."""
        taken = {seen.who for seen in self.seen}
        return [self.decisions[block, who] for who, block in sorted(self.first.items()) if who not in taken]


def reached(found: Sequence[Contest]) -> float | None:
    """The share of liquidations that would have been planned in time; ``None`` when there were none."""
    hits = sum(one.decided is not None and one.decided.plan is not None for one in found)
    return hits / len(found) if found else None


def promised(found: Sequence[Contest]) -> Mapping[str, int]:
    """Net of the plans for liquidations that happened, by opportunity, in wei."""
    plans = {one.decided.plan.opportunity_id: one.decided.plan for one in found if one.decided and one.decided.plan}
    return {name: plan.estimate.net for name, plan in sorted(plans.items())}
