"""BuilderNet: version 2 bundles, ordered by a sequence number, cancelled by an empty bundle."""

from dataclasses import dataclass

from keeper.core.submissions import Capability, Submission
from keeper.executor.relays.bundle import SEND, bundle
from keeper.executor.relays.call import Call, Speaker, rpc


@dataclass(frozen=True, slots=True)
class BuilderNet(Speaker):
    """A lower sequence than the last accepted is ignored, so a cancellation takes the odd number after its bundle."""

    capabilities = Capability.BUNDLE | Capability.CANCEL

    def submit(self, submission: Submission, uuid: str) -> Call:
        sequence = 2 * submission.revision
        return Call(rpc(SEND, {**bundle(submission, uuid), "version": "v2", "replacementNonce": sequence}))

    def cancel(self, submission: Submission, uuid: str) -> Call | None:
        sequence = 2 * submission.revision + 1
        empty = {**bundle(submission, uuid), "txs": [], "version": "v2", "replacementNonce": sequence}
        return Call(rpc(SEND, empty))
