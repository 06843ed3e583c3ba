"""The public mempool. Everyone reads along; the registry builds it only when ``allow_public`` says so."""

from dataclasses import dataclass

from keeper.core.submissions import Capability, Submission
from keeper.executor.relays.call import Call, Speaker, rpc
from keeper.executor.relays.raw_sequencer import send_raw


@dataclass(frozen=True, slots=True)
class Public(Speaker):
    """For chains whose only way in is public, and for nothing else."""

    capabilities = Capability.PUBLIC
    identified = False

    def submit(self, submission: Submission, uuid: str) -> Call:  # noqa: ARG002 - nothing can be replaced
        return send_raw(submission)

    def probe(self) -> Call:
        return Call(rpc("eth_chainId"))
