"""One builder's front desk: who may ask for what, and what becomes of it.

Law: an acknowledgement promises nothing; the faults decide what it is worth. What the desk says, it says in the words
of the builder it stands in for.
"""

import time
from collections import deque
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final, TypeAlias

import msgspec

from keeper.core.units import Address, BlockNumber, Hash
from keeper.devnet.relay_book import Bundle, BundleBook, next_arrival
from keeper.devnet.relay_call import call_bundle
from keeper.devnet.relay_faults import SENDING, Fault, Faults
from keeper.devnet.relay_node import Node
from keeper.devnet.relay_requests import HOUSES, Problem, Refused, bundle_of, from_bloxroute, signed_txs, signer_of
from keeper.devnet.relay_share import Share, event_of
from keeper.devnet.relay_tx import Tx

RAW_BLOCKS: Final = 5  # a raw transaction is tried for so many
PRIVATE_BLOCKS: Final = 25
SEQUENCER_BLOCKS: Final = 10_000
REMEMBERED: Final = 10_000
Method: TypeAlias = Callable[[list[Any], Address | None], Awaitable[object]]


@dataclass(frozen=True, slots=True)
class Received:
    """One request that was understood, and what was done with it."""

    at: float  # monotonic
    method: str
    signer: Address | None
    tx_hashes: tuple[Hash, ...]
    fault: Fault | None


class Desk:
    """Takes bundles for one builder."""

    def __init__(self, name: str, kind: str, node: Node, chain: int, faults: Faults) -> None:
        self.name = name
        self.kind = kind
        self.book = BundleBook()
        self.late: list[Bundle] = []  # acknowledged, in the book only after the next slot
        self.share = Share()
        self.received: deque[Received] = deque(maxlen=REMEMBERED)
        self._house = HOUSES[kind]
        self._node = node
        self._chain = chain
        self._faults = faults
        self._methods = self._offered()

    async def answer(self, headers: Mapping[str, str], body: bytes) -> tuple[int, object]:
        """HTTP status and body for one request; None as a body is an empty one."""
        number: object = None
        try:
            request = _request(body)
            number = request.get("id")
            result = await self._perform(request, headers, body)
        except Refused as refused:
            return self._refusal(refused, number)
        extra = {"error": None} if self.kind == "titan" else {}
        return 200, {"jsonrpc": "2.0", "id": number, "result": result, **extra}

    async def _perform(self, request: dict[str, Any], headers: Mapping[str, str], body: bytes) -> object:
        if self._house.account and not headers.get("Authorization"):
            raise Refused(Problem.NO_ACCOUNT)
        signer = signer_of(headers.get("X-Flashbots-Signature"), body, required=self._house.signature)
        method = self._methods.get(request["method"])
        if method is None:
            raise Refused(Problem.NO_METHOD)
        params = request.get("params", [])
        return await method([params] if isinstance(params, dict) else params, signer)

    def after_slot(self, head: BlockNumber) -> None:
        """Time passes: what was late arrives, what is over goes."""
        late, self.late = self.late, []
        for bundle in late:
            self.book.add(bundle)
        self.book.expire(head)

    def _offered(self) -> dict[str, Method]:
        methods: dict[str, dict[str, Method]] = {
            "flashbots": {
                "eth_sendBundle": self._send_bundle,
                "eth_cancelBundle": self._cancel_bundle,
                "eth_callBundle": self._call_bundle,
                "mev_sendBundle": self._mev_send_bundle,
                "eth_sendPrivateTransaction": self._send_private,
                "eth_cancelPrivateTransaction": self._cancel_private,
            },
            "buildernet": {"eth_sendBundle": self._send_bundle, "eth_sendRawTransaction": self._send_raw},
            "titan": {
                "eth_sendBundle": self._send_bundle,
                "eth_cancelBundle": self._cancel_bundle,
                "eth_sendRawTransaction": self._send_raw,
            },
            "bloxroute": {"blxr_submit_bundle": self._submit_bundle},
            "sequencer": {"eth_sendRawTransaction": self._send_raw, "eth_chainId": self._chain_id},
        }
        return methods[self.kind]

    async def _send_bundle(self, params: list[Any], signer: Address | None) -> object:
        fields = _only(params)
        bundle = bundle_of(self._house, fields, signer, self._chain, await self._head())
        if not bundle.txs:
            self._forget(bundle.signer, str(bundle.uuid), bundle.sequence)
            return {"bundleHash": bundle.hash}
        self._take("eth_sendBundle", bundle)
        extra: dict[str, object] = {"smart": True} if "builders" in fields else {}
        if self.kind == "buildernet":
            extra = {"receivedTimestampMs": round(time.time() * 1000, 3)}
        return {"bundleHash": bundle.hash, **extra}

    async def _submit_bundle(self, params: list[Any], signer: Address | None) -> object:
        return await self._send_bundle([from_bloxroute(_only(params))], signer)

    async def _cancel_bundle(self, params: list[Any], signer: Address | None) -> object:
        uuid = _only(params).get("replacementUuid")
        if not isinstance(uuid, str):
            raise Refused(Problem.BAD_BUNDLE)
        self._forget(signer, uuid, None)
        return 200

    async def _mev_send_bundle(self, params: list[Any], signer: Address | None) -> object:
        fields = _only(params)
        bundle = self.share.bundle_of(fields, signer, self._chain, await self._head())
        self._take("mev_sendBundle", bundle)
        self.share.publish(bundle, set((fields.get("privacy") or {}).get("hints") or ()))
        return {"bundleHash": bundle.hash}

    async def _send_private(self, params: list[Any], signer: Address | None) -> object:
        fields = _only(params)
        (tx,) = signed_txs([fields.get("tx")], self._chain)
        bundle = replace(self._alone(tx, signer, await self._head(), PRIVATE_BLOCKS), event=event_of(tx.hash))
        self._take("eth_sendPrivateTransaction", bundle)
        privacy = (fields.get("preferences") or {}).get("privacy") or {}
        self.share.publish(bundle, set(privacy.get("hints") or {"hash"}))
        return tx.hash

    async def _cancel_private(self, params: list[Any], signer: Address | None) -> object:
        wanted = _only(params).get("txHash")
        mine = [one for one in self.book if one.signer == signer and [tx.hash for tx in one.txs] == [wanted]]
        if not self._faults.strikes(Fault.CANCEL_IGNORED):
            for bundle in mine:
                self.book.remove(bundle)
        return bool(mine)

    async def _send_raw(self, params: list[Any], signer: Address | None) -> object:
        (tx,) = signed_txs(params[:1], self._chain)
        if any(tx.hash == held.hash for bundle in self.book for held in bundle.txs):
            raise Refused(Problem.BAD_BUNDLE, "already known")
        if tx.nonce < int(await self._node.rpc("eth_getTransactionCount", tx.sender, "latest"), 16):
            raise Refused(Problem.BAD_BUNDLE, "nonce too low")
        sequencer = self.kind == "sequencer"
        blocks = SEQUENCER_BLOCKS if sequencer else RAW_BLOCKS
        bundle = self._alone(tx, signer, await self._head(), blocks)
        self._take("eth_sendRawTransaction", replace(bundle, fifo=sequencer))
        return tx.hash

    async def _call_bundle(self, params: list[Any], signer: Address | None) -> object:  # noqa: ARG002 - anyone's
        return await call_bundle(self._node, self._chain, _only(params))

    async def _chain_id(self, params: list[Any], signer: Address | None) -> object:  # noqa: ARG002 - asks nothing
        return hex(self._chain)

    async def _head(self) -> BlockNumber:
        return BlockNumber(int(await self._node.rpc("eth_blockNumber"), 16))

    def _alone(self, tx: Tx, signer: Address | None, head: BlockNumber, blocks: int) -> Bundle:
        return Bundle(tx.hash, signer, (tx,), BlockNumber(head + 1), BlockNumber(head + blocks))

    def _take(self, method: str, bundle: Bundle) -> None:
        fault = self._faults.first(SENDING)
        hashes = tuple(tx.hash for tx in bundle.txs)
        self.received.append(Received(time.monotonic(), method, bundle.signer, hashes, fault))
        if fault is Fault.DROPPED:
            return
        if fault is Fault.LATE:
            self.late.append(bundle)
            return
        self.book.add(bundle)
        if fault is Fault.TWICE:
            self.book.add(replace(bundle, uuid=None, arrival=next_arrival()))

    def _forget(self, signer: Address | None, uuid: str, sequence: int | None) -> None:
        ignored = self._faults.strikes(Fault.CANCEL_IGNORED)
        self.received.append(
            Received(time.monotonic(), "cancel", signer, (), Fault.CANCEL_IGNORED if ignored else None)
        )
        if not ignored:
            self.book.cancel(signer, uuid, sequence)

    def _refusal(self, refused: Refused, number: object) -> tuple[int, object]:
        http, code = self._house.refusals[refused.problem]
        text = refused.text or refused.problem.value
        if code is None:
            return http, {"error": text}
        return http, {"jsonrpc": "2.0", "id": number, "error": {"code": code, "message": text}}


def _request(body: bytes) -> dict[str, Any]:
    try:
        request = msgspec.json.decode(body)
    except msgspec.DecodeError:
        raise Refused(Problem.NO_JSON) from None
    if not isinstance(request, dict) or not isinstance(request.get("method"), str):
        raise Refused(Problem.NO_JSON)
    return request


def _only(params: list[Any]) -> dict[str, Any]:
    """The one object these methods take."""
    if len(params) != 1 or not isinstance(params[0], dict):
        raise Refused(Problem.BAD_BUNDLE)
    return params[0]
