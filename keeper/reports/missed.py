"""Every liquidation in a range, and what became of our part in it.

Laws
- A liquidation is counted once, in the block that the chain kept: a transaction that a reorganisation moved is one.
- The verdict follows from what was written down when it happened: ledger, journal, stored reasons. Nothing is guessed;
  what nothing speaks of was unseen.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import Final

from keeper.core.journal import Entry, Line, State
from keeper.core.outlook import Liquidated
from keeper.core.refusals import Reason
from keeper.core.units import Address, Hash, Who


class Verdict(Enum):
    """What became of it for us. The value is what records show."""

    OURS = "ours"
    OUTBID = "outbid"  # something of ours was on its way, and another was first
    UNPROFITABLE = "unprofitable"  # looked at, and not worth it
    REFUSED = "refused"  # looked at, and not allowed: a guard, a cap, a halt, nobody to sign
    LATE = "late"  # looked at only when it was gone
    UNSEEN = "unseen"  # nothing was written down


ECONOMIC: Final = frozenset(
    reason.value
    for reason in (
        Reason.UNPROFITABLE, Reason.BELOW_MIN_PROFIT, Reason.NO_ROUTE, Reason.NO_FUNDING, Reason.DUST,
        Reason.VOLATILITY, Reason.GAS_PRICE, Reason.WAITING,
    )
)  # fmt: skip
_LOST: Final = frozenset({State.OUTBID, State.MISSED, State.REVERTED, State.SUPERSEDED, State.SIGNED, State.SUBMITTED})


@dataclass(frozen=True, slots=True)
class Seen:
    """A liquidation on the chain, where, and in which market."""

    what: Liquidated
    hash: Hash
    protocol: str
    market: Address
    bonus: int | None = None  # what was seized less what was repaid, in base units, at the snapshot's prices

    @property
    def who(self) -> Who:
        """Whom it was about."""
        return self.market, self.what.account


@dataclass(frozen=True, slots=True)
class Refusal:
    """A stored reason and the blocks it was true for, first and last."""

    reason: str
    term: str
    since: int
    until: int


@dataclass(frozen=True, slots=True)
class Known:
    """What was written down."""

    executor: Address | None = None
    lines: Sequence[Line] = ()
    entries: Sequence[Entry] = ()
    refusals: Mapping[Who, Refusal] = field(default_factory=dict)

    @property
    def landed(self) -> dict[Hash, int]:
        """Transactions of ours that stayed, with what each brought."""
        found: dict[Hash, int] = {}
        for line in self.lines:
            found[line.tx] = found.get(line.tx, 0) + (-1 if line.reversal else 1)
        return {line.tx: line.net for line in self.lines if found[line.tx] > 0 and not line.reversal}


@dataclass(frozen=True, slots=True)
class Judged:
    """One liquidation with its verdict."""

    seen: Seen
    verdict: Verdict
    reason: str
    net: int | None  # wei: realised where it is ours, predicted where it was planned


def once(found: Iterable[Seen], canonical: Mapping[int, Hash] | None = None) -> list[Seen]:
    """Each liquidation once, in order; of blocks that were replaced, none."""
    kept: dict[tuple[object, ...], Seen] = {}
    count: dict[tuple[object, ...], int] = {}
    for seen in found:
        what = seen.what
        if canonical is not None and canonical.get(what.block) != seen.hash:
            continue
        inside = (seen.hash, what.tx, seen.market, what.account, what.collateral_asset, what.debt_asset)
        count[inside] = number = count.get(inside, 0) + 1
        kept[(*inside[1:], number)] = seen
    return sorted(kept.values(), key=lambda seen: seen.what.block)


def judged(found: Iterable[Seen], known: Known) -> list[Judged]:
    """Every liquidation with its verdict."""
    landed = known.landed
    return [_judged(seen, known, landed) for seen in found]


def capture(found: Sequence[Judged]) -> float | None:
    """The share that is ours; ``None`` when there were none."""
    return sum(one.verdict is Verdict.OURS for one in found) / len(found) if found else None


def _judged(seen: Seen, known: Known, landed: Mapping[Hash, int]) -> Judged:
    what = seen.what
    if what.tx in landed or (known.executor is not None and what.liquidator == known.executor):
        return Judged(seen, Verdict.OURS, "", landed.get(what.tx))
    about = [entry for entry in known.entries if seen.who in entry.accounts]
    plans = [(entry, one.plan) for entry in about for one in entry.variants if one.plan is not None]
    before = [(entry, plan) for entry, plan in plans if plan.block <= what.block]
    if before:
        entry, plan = max(before, key=lambda pair: pair[1].block)
        state = entry.outcome or entry.state
        if state in _LOST:
            return Judged(seen, Verdict.OUTBID, entry.reason or state.value, plan.estimate.net)
    refusal = known.refusals.get(seen.who)
    if refusal is not None and refusal.since < what.block <= refusal.until + 1:
        economic = refusal.reason in ECONOMIC
        said = f"{refusal.reason}: {refusal.term}"
        return Judged(seen, Verdict.UNPROFITABLE if economic else Verdict.REFUSED, said, None)
    later = [plan.block for _, plan in plans] + ([refusal.since] if refusal is not None else [])
    if any(block >= what.block for block in later):
        return Judged(seen, Verdict.LATE, f"first looked at in block {min(later)}", None)
    return Judged(seen, Verdict.UNSEEN, "nothing was written down about it", None)
