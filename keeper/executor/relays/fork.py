"""A dry run's way in: straight to the fork node.

Law: a fork proves that it is one before the first transaction leaves, so that a dry run pointed at a real endpoint by
mistake broadcasts nothing.
"""

from dataclasses import dataclass

from keeper.core.submissions import Submission
from keeper.executor.relays.call import Call, Speaker, rpc
from keeper.executor.relays.raw_sequencer import send_raw


@dataclass(frozen=True, slots=True)
class Fork(Speaker):
    """An anvil; no real node answers ``anvil_nodeInfo``."""

    identified = False
    must_prove = True

    def submit(self, submission: Submission, uuid: str) -> Call:  # noqa: ARG002 - nothing can be replaced
        return send_raw(submission)

    def probe(self) -> Call:
        return Call(rpc("anvil_nodeInfo"))
