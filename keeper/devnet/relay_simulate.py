"""What bundles would do in the next block, one after the other, as the node's own EVM says.

Law: every group of transactions runs on the state its predecessors left, with the next block's number, time, base fee
and fee recipient. The fee recipient's growth is read between the groups by a probe: eight bytes of code at an unused
address that return ``balance(coinbase)``. What the node does not check in a simulation (nonces, fee caps, gas left in
the block) is checked here.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from keeper.core.units import Address, BlockNumber, Timestamp, Wei
from keeper.devnet.relay_node import Node
from keeper.devnet.relay_tx import Tx
from keeper.errors import RpcError

PROBE: Final = Address("0x000000000000000000000000000000000bca1ace")
PROBE_CODE: Final = "0x41315f5260205ff3"  # COINBASE BALANCE PUSH0 MSTORE 0x20 PUSH0 RETURN
PROBE_GAS: Final = 30_000


@dataclass(frozen=True, slots=True)
class Slate:
    """The block that is about to be built."""

    number: BlockNumber
    parent_hash: str
    timestamp: Timestamp
    base_fee: Wei
    fee_recipient: Address
    gas_limit: int


@dataclass(frozen=True, slots=True)
class TxResult:
    """One transaction's part."""

    ok: bool
    gas: int
    output: str
    error: str  # empty when ok
    logs: tuple[dict[str, Any], ...]


@dataclass(frozen=True, slots=True)
class GroupResult:
    """What a group of transactions did."""

    txs: tuple[TxResult, ...]
    delta: Wei  # growth of the fee recipient's balance

    @property
    def gas(self) -> int:
        return sum(tx.gas for tx in self.txs)

    @property
    def price(self) -> float:
        """Wei for each unit of gas, to sort by."""
        return self.delta / max(self.gas, 1)


@dataclass(frozen=True, slots=True)
class Impossible:
    """The node refuses to run the sequence at all (a sender who cannot pay, too little gas to begin)."""

    reason: str


async def simulate(
    node: Node, slate: Slate, groups: Sequence[Sequence[Tx]], state: str = "latest"
) -> list[GroupResult] | Impossible:
    """Run the groups in order on top of the parent."""
    probe = {"to": PROBE, "gas": hex(PROBE_GAS)}
    calls: list[dict[str, Any]] = [probe]
    for group in groups:
        calls += [tx.as_call() for tx in group]
        calls.append(probe)
    block = {
        "blockOverrides": {
            "number": hex(slate.number),
            "time": hex(slate.timestamp),
            "baseFeePerGas": hex(slate.base_fee),
            "feeRecipient": slate.fee_recipient,
            "gasLimit": hex(slate.gas_limit + PROBE_GAS * (len(groups) + 1)),
        },
        "stateOverrides": {PROBE: {"code": PROBE_CODE}},
        "calls": calls,
    }
    try:
        (answer,) = await node.rpc("eth_simulateV1", {"blockStateCalls": [block], "validation": True}, state)
    except RpcError as error:
        return Impossible(error.message.removeprefix("eth_simulateV1: "))
    return _grouped(answer["calls"], [len(group) for group in groups])


def _grouped(results: Sequence[dict[str, Any]], sizes: Sequence[int]) -> list[GroupResult]:
    groups: list[GroupResult] = []
    at, balance = 1, _balance(results[0])
    for size in sizes:
        after = _balance(results[at + size])
        groups.append(GroupResult(tuple(map(_result, results[at : at + size])), Wei(after - balance)))
        at, balance = at + size + 1, after
    return groups


def _balance(probe: dict[str, Any]) -> int:
    return int(probe["returnData"], 16)


def _result(call: dict[str, Any]) -> TxResult:
    ok = call["status"] == "0x1"
    error = call.get("error") or {}
    return TxResult(
        ok=ok,
        gas=int(call["gasUsed"], 16),
        output=call["returnData"],
        error="" if ok else str(error.get("message") or "execution reverted"),
        logs=tuple(call["logs"]),
    )
