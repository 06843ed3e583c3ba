"""The Flashbots relay: bundles, optionally multiplexed to other builders; backruns through MEV-Share."""

from dataclasses import dataclass

from keeper.core.submissions import Capability, Submission
from keeper.executor.relays.bundle import CANCEL, SEND, bundle
from keeper.executor.relays.call import Call, Speaker, hexed, rpc


@dataclass(frozen=True, slots=True)
class Flashbots(Speaker):
    """``builders``: registered names the relay may forward to when it expects to lose the block."""

    builders: tuple[str, ...] = ()

    capabilities = Capability.BUNDLE | Capability.BACKRUN | Capability.CANCEL

    def submit(self, submission: Submission, uuid: str) -> Call:
        if submission.trigger is not None:
            return Call(rpc("mev_sendBundle", self._backrun(submission, uuid)))
        fields = bundle(submission, uuid)
        if self.builders:
            fields["builders"] = list(self.builders)
        return Call(rpc(SEND, fields))

    def cancel(self, submission: Submission, uuid: str) -> Call | None:  # noqa: ARG002 - the uuid says it all
        return Call(rpc(CANCEL, {"replacementUuid": uuid}))

    def _backrun(self, submission: Submission, uuid: str) -> dict[str, object]:
        """One backrun of one hash. Refunds and hints belong to the originator: with a hash they are an error."""
        block = hex(submission.target_block)
        (raw,) = submission.raw_txs
        fields: dict[str, object] = {
            "version": "v0.1",
            "inclusion": {"block": block, "maxBlock": block},
            "body": [{"hash": submission.trigger}, {"tx": hexed(raw), "canRevert": False}],
        }
        if self.builders:
            fields["privacy"] = {"builders": list(self.builders)}
        return {**fields, "replacementUuid": uuid}
