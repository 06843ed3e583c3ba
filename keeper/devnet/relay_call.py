"""``eth_callBundle``: a bundle tried out for its sender, told as Flashbots tells it.

Law: amounts of wei are decimal strings, gas and block numbers are JSON integers; a transaction that fails says so in
its own result and is no error of the call.
"""

from collections.abc import Mapping
from typing import Any, Final

from keeper.core.units import Address, BlockNumber, Timestamp, Wei
from keeper.devnet.relay_block import Room
from keeper.devnet.relay_node import Node
from keeper.devnet.relay_requests import Problem, Refused, block_number, bundle_hash, signed_txs
from keeper.devnet.relay_simulate import GroupResult, Impossible, Slate, simulate
from keeper.devnet.relay_tx import Tx

FIELDS: Final = {"txs", "blockNumber", "stateBlockNumber", "timestamp", "coinbase"}
SLOT: Final = 12


async def call_bundle(node: Node, chain: int, fields: Mapping[str, Any]) -> dict[str, Any]:
    """The result of simulating one bundle."""
    if not fields.keys() <= FIELDS or not {"txs", "blockNumber", "stateBlockNumber"} <= fields.keys():
        raise Refused(Problem.BAD_BUNDLE)
    txs = signed_txs(fields["txs"], chain)
    slate = await _slate(node, fields)
    await _check_nonces(node, slate, txs, fields["stateBlockNumber"])
    results = await simulate(node, slate, [(tx,) for tx in txs], fields["stateBlockNumber"])
    if isinstance(results, Impossible):
        raise Refused(Problem.BAD_BUNDLE, f"err: {results.reason}")
    tips = [min(tx.tip, tx.max_fee - slate.base_fee) for tx in txs]
    told = [_told(tx, result, Wei(tip)) for tx, result, tip in zip(txs, results, tips, strict=True)]
    total_gas, total = sum(one.gas for one in results), sum(one.delta for one in results)
    fees = sum(one.gas * tip for one, tip in zip(results, tips, strict=True))
    return {
        "bundleGasPrice": str(total // max(total_gas, 1)),
        "bundleHash": bundle_hash(txs),
        "coinbaseDiff": str(total),
        "ethSentToCoinbase": str(total - fees),
        "gasFees": str(fees),
        "results": told,
        "stateBlockNumber": slate.number - 1,
        "totalGasUsed": total_gas,
    }


async def _slate(node: Node, fields: Mapping[str, Any]) -> Slate:
    parent = await node.rpc("eth_getBlockByNumber", fields["stateBlockNumber"], False)
    head = int(parent["number"], 16)
    child = await node.rpc("eth_getBlockByNumber", hex(head + 1), False)
    child = child or await node.rpc("eth_getBlockByNumber", "pending", False)
    return Slate(
        number=block_number(fields["blockNumber"], BlockNumber(head)),
        parent_hash=parent["hash"],
        timestamp=Timestamp(fields.get("timestamp") or int(parent["timestamp"], 16) + SLOT),
        base_fee=Wei(int(child["baseFeePerGas"], 16)),
        fee_recipient=Address(fields.get("coinbase") or parent["miner"]),
        gas_limit=int(parent["gasLimit"], 16),
    )


async def _check_nonces(node: Node, slate: Slate, txs: tuple[Tx, ...], state: str) -> None:
    senders = list({tx.sender for tx in txs})
    counts = await node.batch([("eth_getTransactionCount", (sender, state)) for sender in senders])
    room = Room(slate, {sender: int(count, 16) for sender, count in zip(senders, counts, strict=True)})
    for tx in txs:
        if problem := room.admit([tx], [tx.gas]):
            raise Refused(Problem.BAD_BUNDLE, f"err: {problem}; address {tx.sender}; txhash {tx.hash}")


def _told(tx: Tx, result: GroupResult, tip: Wei) -> dict[str, Any]:
    (did,) = result.txs
    told = {
        "coinbaseDiff": str(result.delta),
        "ethSentToCoinbase": str(result.delta - did.gas * tip),
        "fromAddress": tx.sender,
        "gasFees": str(did.gas * tip),
        "gasPrice": str(result.delta // max(did.gas, 1)),
        "gasUsed": did.gas,
        "toAddress": tx.to,
        "txHash": tx.hash,
    }
    return told | ({"value": did.output} if did.ok else {"error": did.error, "revert": did.output})
