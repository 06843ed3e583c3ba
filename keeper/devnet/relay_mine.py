"""Making a plan the next block, and unmaking blocks.

Law: the node gets only final lists. It must run with first-in-first-out order and without mining of its own; what it
mined must equal the plan in order, outcome, fee recipient, base fee and time, or the run ends loudly. Nobody reads the
node while a list is being handed over.
"""

import asyncio
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager
from itertools import zip_longest
from typing import Any

from keeper.core.units import Address, BlockNumber, Hash, Timestamp, Wei
from keeper.devnet.relay_block import BlockPlan
from keeper.devnet.relay_node import Node
from keeper.devnet.relay_simulate import Slate
from keeper.devnet.relay_tx import Tx, from_node
from keeper.errors import DevnetError

REORGED: Address = Address("0x" + "5ec0" * 10)  # fee recipient of blocks that replace others


class Miner:
    """Hands lists to the node."""

    def __init__(self, node: Node, slot_seconds: int) -> None:
        self.node = node
        self.open = asyncio.Event()
        self.open.set()
        self._slot_seconds = slot_seconds

    async def prepare(self) -> None:
        """See to it that nothing is mined behind our back."""
        info = await self.node.rpc("anvil_nodeInfo")
        if info["transactionOrder"] != "fifo":
            raise DevnetError("the stand-in relay needs an anvil started with --no-mining --order fifo")
        await self.node.rpc("evm_setAutomine", False)
        await self.node.rpc("evm_setIntervalMining", 0)

    async def slate(self, fee_recipient: Address, skipped: int) -> Slate:
        """The block to build next; ``skipped`` slots had none."""
        head, following = await self.node.batch(
            [("eth_getBlockByNumber", ("latest", False)), ("eth_getBlockByNumber", ("pending", False))]
        )  # the pending block's base fee is the next one's; eth_feeHistory lags behind a block just mined
        return Slate(
            number=BlockNumber(int(head["number"], 16) + 1),
            parent_hash=head["hash"],
            timestamp=Timestamp(int(head["timestamp"], 16) + self._slot_seconds * (1 + skipped)),
            base_fee=Wei(int(following["baseFeePerGas"], 16)),
            fee_recipient=fee_recipient,
            gas_limit=int(head["gasLimit"], 16),
        )

    async def nonces(self, senders: Iterable[Address]) -> dict[Address, int]:
        """Next nonces as of the head."""
        wanted = list(dict.fromkeys(senders))
        counts = await self.node.batch([("eth_getTransactionCount", (sender, "latest")) for sender in wanted])
        return {sender: int(count, 16) for sender, count in zip(wanted, counts, strict=True)}

    async def stage(self) -> tuple[Tx, ...]:
        """What waits in the node's own pool, in order: sent past the relay by the scenery of the local world."""
        if int((await self.node.rpc("txpool_status"))["pending"], 16) == 0:
            return ()
        block = await self.node.rpc("eth_getBlockByNumber", "pending", True)
        return await self._taken_apart(block["transactions"])

    async def mine(self, plan: BlockPlan) -> Hash:
        """Make the plan a block."""
        async with self._closed():
            await self._hand_over([tx for tx, _ in plan.txs], plan.slate)
            block = await self.node.rpc("eth_getBlockByNumber", "latest", False)
            await self._compare(block, plan)
        return Hash(block["hash"])

    async def unmake(self, depth: int) -> list[tuple[tuple[Tx, ...], Slate]]:
        """Take the last blocks away; what they held, oldest first, and the room they leave."""
        async with self._closed():
            head = int(await self.node.rpc("eth_blockNumber"), 16)
            heights = range(head - depth + 1, head + 1)
            blocks = await self.node.batch([("eth_getBlockByNumber", (hex(height), True)) for height in heights])
            held = [(await self._taken_apart(block["transactions"]), _slate_of(block)) for block in blocks]
            await self.node.rpc("anvil_rollback", depth)
        return held

    @asynccontextmanager
    async def _closed(self) -> AsyncIterator[None]:
        self.open.clear()
        try:
            yield
        finally:
            self.open.set()

    async def _hand_over(self, txs: Sequence[Tx], slate: Slate) -> None:
        """One request after the other: the node works on the parts of a batch at the same time."""
        await self.node.rpc("anvil_dropAllTransactions")
        await self.node.rpc("anvil_setCoinbase", slate.fee_recipient)
        await self.node.rpc("anvil_setNextBlockBaseFeePerGas", hex(slate.base_fee))
        await self.node.rpc("evm_setNextBlockTimestamp", hex(slate.timestamp))
        for tx in txs:
            if tx.raw is not None:
                await self.node.rpc("eth_sendRawTransaction", tx.raw)
            else:
                await self.node.rpc("eth_sendTransaction", tx.as_call())
        await self.node.rpc("evm_mine")

    async def _compare(self, block: dict[str, Any], plan: BlockPlan) -> None:
        slate = plan.slate
        planned = (slate.number, slate.parent_hash, slate.timestamp, slate.base_fee, slate.fee_recipient)
        mined = _slate_of(block)
        found = (mined.number, mined.parent_hash, mined.timestamp, mined.base_fee, mined.fee_recipient)
        if planned != found:
            raise DevnetError(f"the mined block is not the planned one: {found} instead of {planned}")
        receipts = await self.node.rpc("eth_getBlockReceipts", block["number"])
        outcomes = [(one["transactionHash"], one["status"] == "0x1") for one in receipts]
        wanted = [(tx.hash, ok) for tx, ok in plan.txs]
        for at, (found_one, wanted_one) in enumerate(zip_longest(outcomes, wanted)):
            if found_one != wanted_one:
                raise DevnetError(f"transaction {at} of the block is {found_one}, planned was {wanted_one}")

    async def _taken_apart(self, txs: Sequence[dict[str, Any]]) -> tuple[Tx, ...]:
        raws = await self.node.batch([("eth_getRawTransactionByHash", (tx["hash"],)) for tx in txs])
        return tuple(from_node(tx, raw) for tx, raw in zip(txs, raws, strict=True))


def _slate_of(block: dict[str, Any]) -> Slate:
    return Slate(
        number=BlockNumber(int(block["number"], 16)),
        parent_hash=block["parentHash"],
        timestamp=Timestamp(int(block["timestamp"], 16)),
        base_fee=Wei(int(block["baseFeePerGas"], 16)),
        fee_recipient=Address(block["miner"].lower()),
        gas_limit=int(block["gasLimit"], 16),
    )
