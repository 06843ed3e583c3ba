"""bloXroute: its own method with an object for parameters and transactions without 0x; an account, no signature."""

from dataclasses import dataclass, field

from keeper.core.submissions import Capability, Submission
from keeper.executor.relays.call import Call, Speaker, rpc, rpc_object


@dataclass(frozen=True, slots=True)
class Bloxroute(Speaker):
    """``builders``: whom bloXroute forwards to; everyone when none is named. A cancellation is an empty bundle."""

    authorization: str = field(repr=False)
    builders: tuple[str, ...] = ()

    capabilities = Capability.BUNDLE | Capability.CANCEL
    identified = False

    def submit(self, submission: Submission, uuid: str) -> Call:
        return self._send(submission, uuid, [raw.hex() for raw in submission.raw_txs])

    def cancel(self, submission: Submission, uuid: str) -> Call | None:
        return self._send(submission, uuid, [])

    def probe(self) -> Call:
        return Call(rpc("web3_clientVersion"), self._headers())

    def _send(self, submission: Submission, uuid: str, transactions: list[str]) -> Call:
        fields = {
            "transaction": transactions,
            "block_number": hex(submission.target_block),
            "uuid": uuid,
            "mev_builders": dict.fromkeys(self.builders or ("all",), ""),
        }
        return Call(rpc_object("blxr_submit_bundle", fields), self._headers())

    def _headers(self) -> tuple[tuple[str, str], ...]:
        return (("Authorization", self.authorization),)
