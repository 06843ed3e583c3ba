"""The bloom filter of a block's logs. Pure.

Law: it may say yes in error and never no: an address that logged in the block is always in it.
"""

from collections.abc import Iterable
from functools import lru_cache
from typing import Final

from eth_hash.auto import keccak

from keeper.core.units import Address

BITS: Final = 2048
PAIRS: Final = 3  # an entry sets a bit for each of the first three 16-bit words of its hash


@lru_cache(maxsize=65_536)
def mask(address: Address) -> int:
    """The bits that an address sets."""
    digest = keccak(bytes.fromhex(address[2:]))
    words = (int.from_bytes(digest[2 * i : 2 * i + 2], "big") for i in range(PAIRS))
    bits = 0
    for word in words:
        bits |= 1 << (word % BITS)
    return bits


def may_hold(bloom: str, addresses: Iterable[Address] | None) -> bool:
    """Whether any of the addresses, or anybody at all, may have logged in the block."""
    bits = int(bloom, 16)
    if addresses is None:
        return bits != 0
    return any(bits & (own := mask(address)) == own for address in addresses)
