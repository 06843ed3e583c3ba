"""Titan: plain bundles, cancelled by uuid until about four seconds before the end of the slot."""

from dataclasses import dataclass

from keeper.core.submissions import Capability, Submission
from keeper.executor.relays.bundle import CANCEL, SEND, bundle
from keeper.executor.relays.call import Call, Speaker, rpc


@dataclass(frozen=True, slots=True)
class Titan(Speaker):
    """Also the dialect of Quasar, Eureka, BTCS and others that read the common fields."""

    capabilities = Capability.BUNDLE | Capability.CANCEL

    def submit(self, submission: Submission, uuid: str) -> Call:
        return Call(rpc(SEND, bundle(submission, uuid)))

    def cancel(self, submission: Submission, uuid: str) -> Call | None:  # noqa: ARG002 - the uuid says it all
        return Call(rpc(CANCEL, {"replacementUuid": uuid}))
