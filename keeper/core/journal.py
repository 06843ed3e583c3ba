"""What is remembered of every opportunity that was signed: its states, its variants, what it brought.

Laws
- States change only along ``TRANSITIONS``; anything else is a fault of the program and raises.
- All variants of an entry are signed with one nonce of one account: at most one of them can land.
- An outcome is provisional until the block that decided it is final. A reorganisation undoes it, and its ledger line
  is reversed by its own negative: lines are only ever added, and their sum is what balances changed by.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import Enum
from typing import Any, Final

from keeper.core.plans import Plan
from keeper.core.units import Address, BlockNumber, Hash, Wei, Who

GRACE: Final = 2  # blocks after its last one in which a transaction may still turn up in a replaced block


class State(Enum):
    """Where an opportunity stands. The value is what the journal and the logs show."""

    PLANNED = "planned"
    SIMULATED = "simulated"
    SIGNED = "signed"  # in the journal; bytes may have left
    SUBMITTED = "submitted"
    LANDED = "landed_provisional"
    OUTBID = "outbid"  # somebody else was first
    MISSED = "missed"  # nothing of ours was included, or it was not worth sending any more
    REVERTED = "reverted"  # included, and failed
    SUPERSEDED = "superseded"  # another transaction took the nonce
    FINAL = "final"


TRANSITIONS: Final[Mapping[State, frozenset[State]]] = {
    State.PLANNED: frozenset({State.SIMULATED}),
    State.SIMULATED: frozenset({State.SIGNED}),
    State.SIGNED: frozenset(
        {State.SUBMITTED, State.LANDED, State.OUTBID, State.MISSED, State.REVERTED, State.SUPERSEDED}
    ),
    State.SUBMITTED: frozenset(
        {State.SIGNED, State.LANDED, State.OUTBID, State.MISSED, State.REVERTED, State.SUPERSEDED}
    ),
    State.LANDED: frozenset({State.SUBMITTED, State.FINAL}),
    State.OUTBID: frozenset({State.SUBMITTED, State.LANDED, State.REVERTED, State.FINAL}),
    State.MISSED: frozenset({State.SUBMITTED, State.LANDED, State.REVERTED, State.FINAL}),
    State.REVERTED: frozenset({State.SUBMITTED, State.FINAL}),
    State.SUPERSEDED: frozenset({State.SUBMITTED, State.FINAL}),
    State.FINAL: frozenset(),
}
OPEN: Final = frozenset({State.SIGNED, State.SUBMITTED})  # may land, and nothing was decided
JUDGED: Final = frozenset({State.OUTBID, State.MISSED})  # given up by us; the chain may still say otherwise
SPENT: Final = frozenset({State.LANDED, State.REVERTED, State.SUPERSEDED})  # the nonce is gone
OUTCOMES: Final = JUDGED | SPENT


@dataclass(frozen=True, slots=True)
class Variant:
    """One signed transaction. ``plan``: none for a transaction that only takes a nonce away."""

    tx: Hash
    raw: bytes = field(repr=False)  # never in a log
    until: BlockNumber  # the last block in which it can do anything
    plan: Plan | None


@dataclass(frozen=True, slots=True)
class Fate:
    """The block that decided an outcome, and our transaction in it, if any."""

    block: BlockNumber
    hash: Hash
    tx: Hash | None = None


@dataclass(frozen=True, slots=True)
class Entry:
    """One opportunity."""

    id: str
    eoa: Address
    nonce: int
    state: State = State.PLANNED
    variants: tuple[Variant, ...] = ()
    fate: Fate | None = None
    outcome: State | None = None  # kept when the state is final
    reason: str = ""  # why it is not pursued any more; empty while it is

    def to(self, state: State, **changes: Any) -> "Entry":  # noqa: ANN401 - fields, checked by ``replace``
        """The entry in another state."""
        if state not in TRANSITIONS[self.state]:
            raise ValueError(f"opportunity {self.id} cannot go from {self.state.value} to {state.value}")
        outcome = state if state in OUTCOMES else self.outcome if state is State.FINAL else None
        return replace(self, state=state, outcome=outcome, **changes)

    @property
    def plan(self) -> Plan | None:
        """The newest one."""
        return self.variants[-1].plan if self.variants else None

    @property
    def until(self) -> BlockNumber:
        """The last block in which any variant can do anything."""
        return max((variant.until for variant in self.variants), default=BlockNumber(0))

    @property
    def accounts(self) -> frozenset[Who]:
        """Everyone whom any variant would liquidate."""
        plans = (variant.plan for variant in self.variants if variant.plan)
        return frozenset(leg.who for plan in plans for leg in plan.legs)

    def variant(self, tx: Hash | None) -> Variant | None:
        """The one with that hash."""
        return next((variant for variant in self.variants if variant.tx == tx), None)

    def alive(self, head: BlockNumber) -> bool:
        """Whether something of it may still turn up in a block, as far as time tells."""
        return self.state is not State.FINAL and head <= self.until + GRACE


@dataclass(frozen=True, slots=True)
class Line:
    """One line of the ledger: what an included transaction changed, or the negative of such a line."""

    opportunity: str
    tx: Hash
    block: BlockNumber
    hash: Hash
    executor: Wei  # growth of the executor's balances: of the profit token, and of the native one it is worth
    eoa: Wei  # growth of the signing account's balance: minus gas and fees
    gas_used: int
    bid: Wei  # paid to the block's fee recipient out of profit
    predicted: Wei  # what the plan promised
    reversal: bool = False

    @property
    def net(self) -> Wei:
        """Profit after everything."""
        return Wei(self.executor + self.eoa)

    def reversed(self) -> "Line":
        """The line that takes this one back."""
        gone = (Wei(-self.executor), Wei(-self.eoa), -self.gas_used, Wei(-self.bid), Wei(-self.predicted))
        return Line(self.opportunity, self.tx, self.block, self.hash, *gone, reversal=True)
