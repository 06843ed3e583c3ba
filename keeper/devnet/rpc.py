"""A synchronous JSON-RPC client for setting the stage: one kept connection, batches, mined transactions.

Law: for set-up and tests only. What keeper does in earnest goes through ``keeper.chain``; here nothing is retried, a
JSON-RPC error is an ``RpcError``, and a transaction that reverts is a ``Reverted`` that tells its reason in words.
Senders need no key: the node impersonates whoever is named.
"""

import http.client
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final, TypeAlias
from urllib.parse import urlsplit

import msgspec

from keeper.core.units import Address
from keeper.devnet.abi import describe_revert
from keeper.errors import DevnetError, RpcError

Receipt: TypeAlias = dict[str, Any]

GAS: Final = 6_000_000  # enough for any call of the world's protocols; estimating would cost a round trip
BATCH: Final = 500  # requests in one HTTP body
_TIMEOUT: Final = 120.0
_MINED_WITHIN: Final = 30.0  # seconds; a busy machine is no finding


class Reverted(DevnetError):
    """A call or a transaction reverted. ``data`` is what the contract returned."""

    def __init__(self, what: str, data: str) -> None:
        self.reason = describe_revert(data)
        self.data = data
        super().__init__(f"{what} reverted: {self.reason}")


@dataclass(frozen=True, slots=True)
class Tx:
    """A transaction to be sent. ``to=None`` creates a contract."""

    sender: Address
    to: Address | None
    data: str = "0x"
    value: int = 0
    gas: int = GAS
    nonce: int | None = None

    def params(self) -> dict[str, str]:
        fields = {"from": self.sender, "data": self.data, "value": hex(self.value), "gas": hex(self.gas)}
        if self.to is not None:
            fields["to"] = self.to
        if self.nonce is not None:
            fields["nonce"] = hex(self.nonce)
        return fields


class Rpc:
    """One connection to one node. Not for use from two threads at once."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        if parts.hostname is None:
            msg = f"not an endpoint: {url}"
            raise DevnetError(msg)
        self.url = url
        self._path = parts.path or "/"
        self._http = http.client.HTTPConnection(parts.hostname, parts.port, timeout=_TIMEOUT)
        self._id = 0

    def close(self) -> None:
        self._http.close()

    def rpc(self, method: str, *params: object) -> Any:  # noqa: ANN401 - whatever the node answers
        """One request's result."""
        return self._result(method, self._post(self._request(method, params)))

    def batch(self, calls: Iterable[tuple[str, Sequence[object]]]) -> list[Any]:
        """Results in the order of the calls; the first error raises."""
        return list(self._batch(calls))

    def _batch(self, calls: Iterable[tuple[str, Sequence[object]]]) -> Iterator[Any]:
        todo = list(calls)
        for start in range(0, len(todo), BATCH):
            part = todo[start : start + BATCH]
            answers = self._post([self._request(method, params) for method, params in part])
            if isinstance(answers, dict):
                self._result("batch", answers)  # refused as a whole
            for (method, _), answer in zip(part, sorted(answers, key=lambda one: int(one["id"])), strict=True):
                yield self._result(method, answer)

    def _request(self, method: str, params: Sequence[object]) -> dict[str, object]:
        self._id += 1
        return {"jsonrpc": "2.0", "id": self._id, "method": method, "params": params}

    def _post(self, body: object) -> Any:  # noqa: ANN401 - whatever the node answers
        headers = {"Content-Type": "application/json"}
        try:
            self._http.request("POST", self._path, msgspec.json.encode(body), headers)
            answer = self._http.getresponse().read()
        except (OSError, http.client.HTTPException) as error:
            self._http.close()
            raise RpcError(f"{self.url}: {error}", transient=True) from error
        return msgspec.json.decode(answer)

    @staticmethod
    def _result(method: str, answer: dict[str, Any]) -> Any:  # noqa: ANN401 - whatever the node answers
        if (error := answer.get("error")) is None:
            return answer["result"]
        data = error.get("data")
        if isinstance(data, str) and data.startswith("0x"):
            raise Reverted(method, data)
        raise RpcError(f"{method}: {error['message']}", code=error["code"])

    def call(self, to: Address, data: str, block: str | int = "latest", sender: Address | None = None) -> str:
        """``eth_call``; raises ``Reverted``."""
        fields = {"to": to, "data": data} | ({"from": sender} if sender else {})
        return str(self.rpc("eth_call", fields, hex(block) if isinstance(block, int) else block))

    def send(self, sender: Address, to: Address | None, data: str = "0x", value: int = 0, gas: int = GAS) -> Receipt:
        """Sends as ``sender``, sees to it that it is mined, and returns the receipt; raises ``Reverted``."""
        tx = Tx(sender, to, data, value, gas)
        tx_hash = self.rpc("eth_sendTransaction", tx.params())
        receipt = self.rpc("eth_getTransactionReceipt", tx_hash)
        if receipt is None and not self.rpc("anvil_getAutomine"):
            self.rpc("evm_mine")
        return self._checked(tx, receipt or self.wait(tx_hash))

    def send_all(self, txs: Iterable[Tx]) -> list[Receipt]:
        """Sends many in as few blocks as they fit in, in order for each sender, and returns their receipts."""
        txs = list(txs)
        automine = self.rpc("anvil_getAutomine")
        if automine:
            self.rpc("evm_setAutomine", False)
        hashes = self.batch([("eth_sendTransaction", (tx.params(),)) for tx in self._lined_up(txs)])
        waiting = hashes
        while waiting:
            self.rpc("evm_mine")
            found = self.batch([("eth_getTransactionReceipt", (one,)) for one in waiting])
            left = [one for one, receipt in zip(waiting, found, strict=True) if receipt is None]
            if len(left) == len(waiting):
                raise DevnetError(f"{len(left)} transactions are not mined: first {left[0]}; is a nonce missing?")
            waiting = left
        if automine:
            self.rpc("evm_setAutomine", True)
        receipts = self.batch([("eth_getTransactionReceipt", (one,)) for one in hashes])
        return [self._checked(tx, receipt) for tx, receipt in zip(txs, receipts, strict=True)]

    def wait(self, tx_hash: str) -> Receipt:
        """The receipt of a transaction that is about to be mined."""
        deadline = time.monotonic() + _MINED_WITHIN
        while time.monotonic() < deadline:
            receipt: Receipt | None = self.rpc("eth_getTransactionReceipt", tx_hash)
            if receipt is not None:
                return receipt
            time.sleep(0.002)
        raise DevnetError(f"transaction {tx_hash} was not mined within {_MINED_WITHIN:.0f} s")

    def _lined_up(self, txs: Sequence[Tx]) -> Iterator[Tx]:
        """The same with nonces, and with one gas limit for all.

        When a transaction does not fit into the rest of a block, anvil goes on with smaller ones, meets a nonce gap and
        drops them for good. With equal limits nothing is smaller.
        """
        gas = max((tx.gas for tx in txs), default=GAS)
        senders = list({tx.sender for tx in txs})
        counts = self.batch([("eth_getTransactionCount", (sender, "pending")) for sender in senders])
        nonces = {sender: int(count, 16) for sender, count in zip(senders, counts, strict=True)}
        for tx in txs:
            yield replace(tx, nonce=nonces[tx.sender], gas=gas)
            nonces[tx.sender] += 1

    def _checked(self, tx: Tx, receipt: Receipt) -> Receipt:
        if receipt["status"] != "0x1":
            trace = self.rpc("debug_traceTransaction", receipt["transactionHash"], {"tracer": "callTracer"})
            raise Reverted(f"{tx.data[:10]} to {tx.to} from {tx.sender}", trace.get("output", "0x"))
        return receipt
