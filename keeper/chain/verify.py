"""Whether a list of logs can be true. Pure.

Law: what leaves here is ascending by (block, index), without duplicates or removed logs, inside the blocks and the
addresses that were asked for, with one hash per block. Disorder is repaired; a contradiction is an endpoint's error.
"""

from collections.abc import Collection, Iterable
from itertools import pairwise

from keeper.core.events import Block, Log
from keeper.core.units import Address, Hash
from keeper.errors import RpcError


def ordered(logs: list[Log], first: int, last: int, addresses: Collection[Address] | None) -> list[Log]:
    """Put logs in chain order. Pass ``addresses`` as a set: it is looked up once a log."""
    keyed: list[tuple[tuple[int, int], Log]] = [((log.block, log.index), log) for log in logs if not log.removed]
    if any(left[0] >= right[0] for left, right in pairwise(keyed)):
        keyed = _distinct(keyed)
    hashes: dict[str, Hash] = {}
    for (number, _), log in keyed:
        if not first <= number <= last:
            raise _lie(f"a log of block {number} for the range {first}-{last}")
        if hashes.setdefault(log.block_number, log.block_hash) != log.block_hash:
            raise _lie(f"two hashes for block {number}")
        if addresses is not None and log.address not in addresses:
            raise _lie(f"a log of {log.address}, which was not asked for")
    return [log for _, log in keyed]


def _distinct(keyed: list[tuple[tuple[int, int], Log]]) -> list[tuple[tuple[int, int], Log]]:
    """Sorted; a log that came twice stays once, two different logs in one place are a contradiction."""
    unique: dict[tuple[int, int], Log] = {}
    for key, log in keyed:
        if unique.setdefault(key, log) != log:
            raise _lie(f"two logs at index {key[1]} of block {key[0]}")
    return sorted(unique.items())


def linked(blocks: Iterable[Block]) -> None:
    """Blocks that follow each other must name each other."""
    for parent, child in pairwise(blocks):
        if child.number == parent.number + 1 and child.parent != parent.hash:
            raise _lie(f"block {child.number} does not follow block {parent.number}")


def of_blocks(logs: Iterable[Log], blocks: Iterable[Block]) -> None:
    """Every log must come from one of these very blocks."""
    hashes = {block.number: block.hash for block in blocks}
    for log in logs:
        if hashes.get(log.block) != log.block_hash:
            raise _lie(f"a log of block {log.block} with another hash than its header")


def _lie(what: str) -> RpcError:
    """Transient: another endpoint, or the same one after a reorg, will say something that holds together."""
    return RpcError(f"inconsistent answer: {what}", transient=True)
