"""The oracles of all markets, as an operator wants to know them.

Law: pure; judged with the guards that decisions are judged with, at the time of the block that was decided on.
"""

from keeper.core.units import Timestamp
from keeper.estimator.guards import fresh, sequencer_up
from keeper.estimator.world import Oracles
from keeper.ops.values import Feeds


def judged(oracles: Oracles, total: int, now: Timestamp, grace: int, sequencer_grace: int) -> Feeds:
    """Which of so many prices cannot be used, and whether the rollup's sequencer forbids everything."""
    stale = {asset: now - one.updated_at for asset, one in oracles.readings.items() if fresh(one, now, grace)}
    refusal = sequencer_up(oracles.sequencer, now, sequencer_grace) if oracles.sequencer else None
    return Feeds(total, stale, f"the sequencer is {refusal.term}" if refusal else "")
