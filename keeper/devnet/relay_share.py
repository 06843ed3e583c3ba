"""Order flow others may build upon: hints out, backruns in. The part of MEV-Share that a keeper meets.

Law: the rules are the node's: a range of at most 30 blocks that starts within 5 of the head, one hash and only at the
front, one transaction behind it, no hints and no refunds of one's own beside a hash. What is shown of a transaction is
what its originator allowed, under the digest of its hash. The refund to the originator is not paid out here.
"""

import asyncio
from collections.abc import Mapping
from typing import Any, Final

from eth_utils.crypto import keccak

from keeper.core.units import Address, BlockNumber, Hash
from keeper.devnet.relay_book import Bundle
from keeper.devnet.relay_requests import Problem, Refused, block_number, bundle_hash, signed_txs
from keeper.devnet.relay_tx import Tx

VERSIONS: Final = {"v0.1", "beta-1"}
HINTS: Final = {"calldata", "contract_address", "function_selector", "hash", "tx_hash"}
LONGEST_RANGE: Final = 30
FURTHEST: Final = 5
MOST_ELEMENTS: Final = 50
REMEMBERED: Final = 1_000  # events others may still build upon
SELECTOR: Final = 10  # characters


class Share:
    """Events of one builder and who listens to them."""

    def __init__(self) -> None:
        self._origins: dict[Hash, Bundle] = {}
        self._listeners: set[asyncio.Queue[dict[str, Any]]] = set()

    def subscribe(self) -> asyncio.Queue[dict[str, Any]]:
        """Hints from now on. A listener who does not keep up loses the newest."""
        queue: asyncio.Queue[dict[str, Any]] = asyncio.Queue(REMEMBERED)
        self._listeners.add(queue)
        return queue

    def unsubscribe(self, queue: asyncio.Queue[dict[str, Any]]) -> None:
        self._listeners.discard(queue)

    def publish(self, origin: Bundle, hints: set[str]) -> None:
        """Show what the originator allows."""
        if not hints <= HINTS:
            raise Refused(Problem.BAD_BUNDLE, "invalid bundle privacy")
        if origin.event is None or not hints:
            return
        self._origins[origin.event] = origin
        if len(self._origins) > REMEMBERED:
            del self._origins[next(iter(self._origins))]
        shown = [_shown(tx, hints) for tx in origin.txs] if hints - {"hash"} else None
        for queue in self._listeners:
            if not queue.full():
                queue.put_nowait({"hash": origin.event, "logs": None, "txs": shown})

    def bundle_of(self, fields: object, signer: Address | None, chain: int, head: BlockNumber) -> Bundle:
        """A bundle from the object of ``mev_sendBundle``."""
        if not isinstance(fields, dict) or fields.get("version") not in VERSIONS:
            raise Refused(Problem.BAD_BUNDLE, "unsupported bundle version")
        first, last = _range(fields.get("inclusion"), head)
        body = fields.get("body")
        if not isinstance(body, list) or not 0 < len(body) <= MOST_ELEMENTS:
            raise Refused(Problem.BAD_BUNDLE, "invalid bundle body size")
        uuid = fields.get("replacementUuid")
        origin = self._origin(body, fields)
        own = _own(body[1:] if origin else body, chain)
        txs = (*origin.txs, *(tx for tx, _ in own)) if origin else tuple(tx for tx, _ in own)
        if origin:
            first, last = BlockNumber(max(first, origin.first)), BlockNumber(min(last, origin.last))
            if first > last:
                raise Refused(Problem.BAD_BUNDLE, "backrun invalid inclusion")
        return Bundle(
            hash=own[0][0].hash if len(txs) == 1 else bundle_hash(txs),
            signer=signer,
            txs=txs,
            first=first,
            last=last,
            reverting=frozenset(tx.hash for tx, may_revert in own if may_revert),
            uuid=str(uuid) if uuid is not None else None,
            event=None if origin else event_of(own[0][0].hash if len(txs) == 1 else bundle_hash(txs)),
            backruns=origin.event if origin else None,
        )

    def _origin(self, body: list[object], fields: Mapping[str, Any]) -> Bundle | None:
        """The bundle behind a hash at the front, if there is one."""
        at = [i for i, element in enumerate(body) if isinstance(element, dict) and "hash" in element]
        if not at:
            return None
        if at != [0] or len(body) != 2:  # noqa: PLR2004 - one hash, one transaction
            raise Refused(Problem.BAD_BUNDLE, "invalid bundle body")
        if (fields.get("validity") or {}).get("refund"):
            raise Refused(Problem.BAD_BUNDLE, "invalid bundle constraints")
        if (fields.get("privacy") or {}).get("hints"):
            raise Refused(Problem.BAD_BUNDLE, "invalid bundle privacy")
        front = body[0]
        origin = self._origins.get(front["hash"]) if isinstance(front, dict) else None
        if origin is None:
            raise Refused(Problem.BAD_BUNDLE, "backrun not found")
        return origin


def event_of(name: Hash) -> Hash:
    """Under which hash an order is shown: the digest of its own."""
    return Hash("0x" + keccak(bytes.fromhex(name[2:])).hex())


def _range(inclusion: object, head: BlockNumber) -> tuple[BlockNumber, BlockNumber]:
    if not isinstance(inclusion, dict) or "block" not in inclusion:
        raise Refused(Problem.BAD_BUNDLE, "invalid inclusion")
    first = block_number(inclusion["block"], head)
    last = block_number(inclusion.get("maxBlock", inclusion["block"]), head)
    if not (0 <= last - first <= LONGEST_RANGE and first <= head + FURTHEST and last > head):
        raise Refused(Problem.BAD_BUNDLE, "invalid inclusion")
    return first, last


def _own(body: list[Any], chain: int) -> list[tuple[Tx, bool]]:
    own: list[tuple[Tx, bool]] = []
    for element in body:
        if not isinstance(element, dict) or not element.keys() <= {"tx", "canRevert"} or "tx" not in element:
            raise Refused(Problem.BAD_BUNDLE, "invalid bundle body")
        (tx,) = signed_txs([element["tx"]], chain)
        own.append((tx, bool(element.get("canRevert", False))))
    return own


def _shown(tx: Tx, hints: set[str]) -> dict[str, Any]:
    shown: dict[str, Any] = {}
    if "tx_hash" in hints:
        shown["hash"] = tx.hash
    if "contract_address" in hints:
        shown["to"] = tx.to
    if "function_selector" in hints:
        shown["functionSelector"] = tx.data[:SELECTOR]
    if "calldata" in hints:
        shown["callData"] = tx.data
    return shown
