"""The fields of ``eth_sendBundle`` that every builder reads the same way.

Law: one request names exactly one block. No transaction of a keeper's bundle may revert or be left out, so the fields
that would allow it are never sent. A ``uuid`` names one opportunity at one block: replacing the request for one block
can never remove the request for another.
"""

from keeper.core.submissions import Submission
from keeper.executor.relays.call import hexed

SEND = "eth_sendBundle"
CANCEL = "eth_cancelBundle"


def bundle(submission: Submission, uuid: str) -> dict[str, object]:
    """The bundle itself."""
    return {
        "txs": [hexed(raw) for raw in submission.raw_txs],
        "blockNumber": hex(submission.target_block),
        "replacementUuid": uuid,
    }
