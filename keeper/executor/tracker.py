"""What became of transactions: receipts in blocks of the canonical chain, as of a head.

Law: a receipt counts only when its block is on the chain that ends in the head. Nothing here decides; no answer is not
an answer: what is missing may be missing only at the node that was asked.
"""

import asyncio
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from keeper.core.events import Block, Log
from keeper.core.journal import Fate
from keeper.core.units import Address, BlockNumber, Hash, Wei
from keeper.errors import BlockUnknown
from keeper.executor.node import Call, Node


@dataclass(frozen=True, slots=True)
class Inclusion:
    """A transaction in a block."""

    fate: Fate
    ok: bool
    gas_used: int
    cost: Wei  # gas and fees, paid by the sender
    logs: tuple[Log, ...]


class Tracker:
    """Looks transactions up."""

    def __init__(self, node: Node) -> None:
        self._node = node

    async def included(self, txs: Iterable[Hash], head: Block) -> dict[Hash, Inclusion]:
        """Those of the transactions that are in the chain up to the head."""
        calls: list[Call] = [("eth_getTransactionReceipt", (tx,)) for tx in dict.fromkeys(txs)]
        receipts = [receipt for receipt in await self._node.request_many(calls) if receipt is not None]
        found = [_inclusion(receipt) for receipt in receipts]
        found = [one for one in found if one.fate.block <= head.number]
        gone = await self.gone((one.fate for one in found), head)
        return {one.fate.tx: one for one in found if one.fate.tx is not None and one.fate.hash not in gone}

    async def gone(self, fates: Iterable[Fate], head: Block) -> set[Hash]:
        """Hashes of blocks that are not on the chain up to the head."""
        hashes = {fate.hash for fate in fates if fate.hash != head.hash}
        answers = await asyncio.gather(*(self._node.block(one) for one in hashes))
        blocks = dict(zip(hashes, answers, strict=True))
        return {one for one, block in blocks.items() if block is None or block.number >= head.number}

    async def lost(self, hashes: Iterable[Hash]) -> set[Hash]:
        """Those of the blocks that are on the chain no more."""
        wanted = tuple(hashes)
        answers = await asyncio.gather(*(self._node.block(one) for one in wanted))
        return {one for one, block in zip(wanted, answers, strict=True) if block is None}

    async def kept(self, holder: Address, fate: Fate) -> Wei:
        """Growth of an account's native balance in one block; zero where the state of that block is gone."""
        block = await self._node.block(fate.hash)
        parent = None if block is None else await self._node.block(block.parent)
        if block is None or parent is None:
            return Wei(0)
        try:
            reads = (self._node.state_many([("eth_getBalance", (holder,))], at) for at in (parent, block))
            before, after = [int(word or "0x0", 16) for (word,) in await asyncio.gather(*reads)]
        except BlockUnknown:
            return Wei(0)
        return Wei(after - before)


def _inclusion(receipt: Mapping[str, Any]) -> Inclusion:
    gas_used = int(receipt["gasUsed"], 16)
    cost = gas_used * int(receipt["effectiveGasPrice"], 16) + int(receipt.get("l1Fee") or "0x0", 16)
    fate = Fate(
        BlockNumber(int(receipt["blockNumber"], 16)), Hash(receipt["blockHash"]), Hash(receipt["transactionHash"])
    )
    return Inclusion(fate, receipt["status"] == "0x1", gas_used, Wei(cost), tuple(map(_log_of, receipt["logs"])))


def _log_of(log: Mapping[str, Any]) -> Log:
    return Log(
        Address(log["address"].lower()),
        tuple(log["topics"]),
        log["data"],
        log["blockNumber"],
        Hash(log["blockHash"]),
        Hash(log["transactionHash"]),
        log["transactionIndex"],
        log["logIndex"],
    )
