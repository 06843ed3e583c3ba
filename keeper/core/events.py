"""What the chain says, as typed messages.

Law: a ``Log`` is the node's own JSON, typed and untouched: hex stays hex until a decoder slices the words it
needs, because converting what nobody reads is most of the cost of ingestion.
"""

from dataclasses import dataclass

import msgspec

from keeper.core.units import Address, BlockNumber, Hash, Timestamp, Wei


class Log(msgspec.Struct, frozen=True, gc=False, rename="camel"):
    """One event log exactly as ``eth_getLogs`` returns it."""

    address: Address
    topics: tuple[str, ...]
    data: str
    block_number: str
    block_hash: Hash
    transaction_hash: Hash
    transaction_index: str
    log_index: str
    removed: bool = False

    @property
    def block(self) -> BlockNumber:
        """Height of the block that holds the log."""
        return BlockNumber(int(self.block_number, 16))

    @property
    def index(self) -> int:
        """Position of the log in its block."""
        return int(self.log_index, 16)


@dataclass(frozen=True, slots=True)
class Block:
    """A block header, reduced to what a decision needs."""

    number: BlockNumber
    hash: Hash
    parent: Hash
    timestamp: Timestamp
    base_fee: Wei
    gas_limit: int
    gas_used: int
    extra: str = ""  # hex; where a rollup's headers say how its base fee moves


@dataclass(frozen=True, slots=True)
class Read:
    """One ``eth_call``, to be answered at a pinned block. ``None`` as an answer means that the call reverted."""

    to: Address
    data: str  # 0x-prefixed calldata


def word(data: str, i: int) -> int:
    """The ``i``-th 32-byte word of 0x-prefixed data, unsigned."""
    at = 2 + 64 * i
    return int(data[at : at + 64], 16)


def signed_word(data: str, i: int) -> int:
    """The ``i``-th word as int256."""
    value = word(data, i)
    return value - (1 << 256) if value >> 255 else value


def word_address(data: str, i: int) -> Address:
    """The ``i``-th word as an address."""
    at = 2 + 64 * i
    return Address("0x" + data[at + 24 : at + 64])


def topic_address(topic: str) -> Address:
    """An indexed address."""
    return Address("0x" + topic[26:])
