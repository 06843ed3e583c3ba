"""A sequencer or a private RPC endpoint: one raw transaction, first come first served, not bound to a block.

Law: what is handed over here cannot be taken back and may land reverted. The deadline in the calldata is the only one.
"""

from dataclasses import dataclass

from keeper.core.submissions import Capability, Submission
from keeper.executor.relays.call import Call, Speaker, hexed, rpc


def send_raw(submission: Submission) -> Call:
    """The one transaction, alone: the capabilities of these channels let no bundle through."""
    (raw,) = submission.raw_txs
    return Call(rpc("eth_sendRawTransaction", hexed(raw)))


@dataclass(frozen=True, slots=True)
class RawSequencer(Speaker):
    """Its operator promises to show the transaction to nobody."""

    capabilities = Capability.NONE
    identified = False

    def submit(self, submission: Submission, uuid: str) -> Call:  # noqa: ARG002 - nothing can be replaced
        return send_raw(submission)

    def probe(self) -> Call:
        return Call(rpc("eth_chainId"))
