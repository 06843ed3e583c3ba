"""What transactions would do in a block that does not exist yet, as a node's EVM says.

Law: what is simulated is what will be signed, field by field, on the state of exactly the parent named, with the target
block's number, time, base fee and fee recipient. The growth of the fee recipient's balance is measured, not computed:
eight bytes of code at an address nobody uses return ``balance(coinbase)`` before and after. A simulated failure is a
value; a simulation that could not be run is a ``SimulationError``, and then nothing may be sent.
"""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from types import MappingProxyType
from typing import Any, Final, Protocol

import msgspec
from eth_hash.auto import keccak

from keeper.core.events import Block, Log, word
from keeper.core.units import Address, BlockNumber, Timestamp, Wei
from keeper.errors import DecodeError, EndpointsUnavailable, RpcError, SimulationError
from keeper.executor.relays.call import hexed
from keeper.executor.transaction import Transaction

WITHIN: Final = 2.0  # seconds; later the slot is lost anyway
NO_SUCH_METHOD: Final = -32601
PROBE: Final = Address("0x" + keccak(b"keeper: reads the fee recipient's balance")[-20:].hex())
PROBE_CODE: Final = "0x41315f5260205ff3"  # COINBASE BALANCE PUSH0 MSTORE 0x20 PUSH0 RETURN
PROBE_GAS: Final = 30_000
WORD_DIGITS: Final = 66  # of a word in hex, with its 0x
ASKER: Final = Address("0x" + keccak(b"keeper: asks the probe")[-20:].hex())

Answers = Mapping[Address, int]
NO_ANSWERS: Final[Answers] = MappingProxyType({})


class Node(Protocol):
    """``chain.Pool``, as far as a simulation needs it."""

    async def request(self, method: str, params: Sequence[object]) -> Any: ...  # noqa: ANN401 - what JSON-RPC says


@dataclass(frozen=True, slots=True)
class Target:
    """The block a transaction is meant for."""

    parent: Block
    number: BlockNumber
    timestamp: Timestamp
    base_fee: Wei
    fee_recipient: Address


@dataclass(frozen=True, slots=True)
class Simulation:
    """What a transaction did."""

    ok: bool
    gas: int  # used, after refunds; zero when no block could hold the transaction
    delta: Wei  # growth of the fee recipient's balance
    output: str  # what the call returned, or the revert data
    reason: str  # why not ok, in the node's words; empty otherwise
    logs: tuple[Log, ...]


class _Call(msgspec.Struct, frozen=True, rename="camel"):
    status: str
    gas_used: str
    return_data: str
    logs: tuple[Log, ...] = ()
    error: dict[str, Any] | None = None


class _Block(msgspec.Struct, frozen=True):
    calls: tuple[_Call, ...]


async def simulate(
    node: Node,
    txs: Sequence[tuple[Address, Transaction]],
    target: Target,
    within: float = WITHIN,
    answers: Answers = NO_ANSWERS,
) -> tuple[Simulation, ...]:
    """Run transactions, each with its sender, one after the other at the top of the target block.

    ``answers``: contracts that answer a number to whatever they are asked, as price sources will once another
    transaction landed. When the node refuses to run the sequence (a sender who cannot pay), all of it fails with that
    reason.
    """
    refusals = [unsendable(tx, target) for _, tx in txs]
    runnable = [one for one, refusal in zip(txs, refusals, strict=True) if refusal is None]
    results = iter(await _run(node, runnable, target, within, answers) if runnable else ())
    return tuple(next(results) if refusal is None else _failed(refusal) for refusal in refusals)


def unsendable(tx: Transaction, target: Target) -> str | None:
    """Why no block like the target could hold the transaction; a node does not check all of it in a simulation."""
    if tx.tip > tx.max_fee:
        return "the tip is above the fee cap"
    if tx.max_fee < target.base_fee:
        return "the fee cap is below the base fee"
    if tx.gas > target.parent.gas_limit:
        return "asks for more gas than a block has"
    if tx.gas < intrinsic_gas(tx):
        return "asks for less gas than its own bytes cost"
    return None


def intrinsic_gas(tx: Transaction) -> int:
    """What a call costs before it runs: EIP-2028 and EIP-2930, and at least the floor of EIP-7623."""
    zeros = tx.data.count(0)
    tokens = zeros + 4 * (len(tx.data) - zeros)
    listed = sum(2400 + 1900 * len(keys) for _, keys in tx.access_list)
    return 21_000 + max(4 * tokens + listed, 10 * tokens)


async def _run(
    node: Node, txs: Sequence[tuple[Address, Transaction]], target: Target, within: float, answers: Answers
) -> list[Simulation]:
    params = (
        {"blockStateCalls": [_block(txs, target, answers)], "validation": True},
        {"blockHash": target.parent.hash},
    )
    try:
        async with asyncio.timeout(within):
            answer = await node.request("eth_simulateV1", params)
        return _results(msgspec.convert(answer, tuple[_Block])[0], len(txs))
    except RpcError as error:
        if error.transient or error.code == NO_SUCH_METHOD:
            raise SimulationError(f"simulation of block {target.number}: {error.message}") from error
        return [_failed(error.message)] * len(txs)
    except (EndpointsUnavailable, TimeoutError, DecodeError, msgspec.ValidationError) as error:
        raise SimulationError(f"simulation of block {target.number}: {str(error) or 'no answer in time'}") from error


def _results(block: _Block, count: int) -> list[Simulation]:
    """The transactions' results, with the probes between them read."""
    probes = [call.return_data for call in block.calls[::2]]
    if len(block.calls) != 2 * count + 1 or any(len(data) != WORD_DIGITS for data in probes):
        raise DecodeError("not a result for every call, or a probe that says nothing")
    grown = [Wei(word(after, 0) - word(before, 0)) for before, after in pairwise(probes)]
    return [_result(call, delta) for call, delta in zip(block.calls[1::2], grown, strict=True)]


def _block(txs: Sequence[tuple[Address, Transaction]], target: Target, answers: Answers) -> dict[str, object]:
    """The target block with a probe before, between and after the transactions."""
    probe: dict[str, object] = {
        "from": ASKER,
        "to": PROBE,
        "gas": hex(PROBE_GAS),
        "maxFeePerGas": hex(target.base_fee),
        "maxPriorityFeePerGas": "0x0",
    }
    calls: list[dict[str, object]] = [probe]
    for sender, tx in txs:
        calls += [_call(sender, tx), probe]
    return {
        "blockOverrides": {
            "number": hex(target.number),
            "time": hex(target.timestamp),
            "baseFeePerGas": hex(target.base_fee),
            "feeRecipient": target.fee_recipient,
            "gasLimit": hex(target.parent.gas_limit + PROBE_GAS * (len(txs) + 1)),
        },
        "stateOverrides": {
            PROBE: {"code": PROBE_CODE},
            ASKER: {"balance": hex(2**96)},
            **{source: {"code": f"0x7f{answer:064x}5f5260205ff3"} for source, answer in answers.items()},
        },
        "calls": calls,
    }


def _call(sender: Address, tx: Transaction) -> dict[str, object]:
    fields: dict[str, object] = {
        "from": sender,
        "to": tx.to,
        "nonce": hex(tx.nonce),
        "gas": hex(tx.gas),
        "value": hex(tx.value),
        "input": hexed(tx.data),
        "maxFeePerGas": hex(tx.max_fee),
        "maxPriorityFeePerGas": hex(tx.tip),
    }
    if tx.access_list:
        fields["accessList"] = [{"address": address, "storageKeys": keys} for address, keys in tx.access_list]
    return fields


def _result(call: _Call, delta: Wei) -> Simulation:
    ok = call.status == "0x1"
    reason = "" if ok else str((call.error or {}).get("message", "execution reverted"))
    return Simulation(ok, int(call.gas_used, 16), delta, call.return_data, reason, call.logs)


def _failed(reason: str) -> Simulation:
    return Simulation(ok=False, gas=0, delta=Wei(0), output="0x", reason=reason, logs=())
