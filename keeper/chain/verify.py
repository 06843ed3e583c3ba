"""Whether a list of logs can be true. Pure.

Law: what leaves here is ascending by (block, index), without duplicates or removed logs, inside the blocks and the
addresses that were asked for, with one hash per block. Disorder is repaired; a contradiction is an endpoint's error.
"""

from collections.abc import Collection, Iterable
from itertools import islice, pairwise
from operator import itemgetter, lt

from keeper.core.events import Block, Log
from keeper.core.units import Address, Hash
from keeper.errors import RpcError


def ordered(logs: list[Log], first: int, last: int, addresses: Collection[Address] | None) -> list[Log]:
    """Put logs in chain order. Pass ``addresses`` as a set: it is looked up once for each that answered."""
    if any(log.removed for log in logs):
        logs = [log for log in logs if not log.removed]
    blocks = _blocks({(log.block_number, log.block_hash) for log in logs}, first, last)
    strangers = set() if addresses is None else {log.address for log in logs}.difference(addresses)
    if strangers:
        raise _lie(f"a log of {min(strangers)}, which was not asked for")
    places = [(blocks[log.block_number], int(log.log_index, 16)) for log in logs]
    in_order = all(map(lt, places, islice(places, 1, None)))
    return logs if in_order else _repaired(places, logs)


def _blocks(named: set[tuple[str, Hash]], first: int, last: int) -> dict[str, int]:
    """The numbers of the blocks that logs name, each once a block."""
    numbers = {text: int(text, 16) for text, _ in named}
    if outside := [number for number in numbers.values() if not first <= number <= last]:
        raise _lie(f"a log of block {outside[0]} for the range {first}-{last}")
    if len(named) != len(set(numbers.values())):
        raise _lie(f"two hashes for one block in the range {first}-{last}")
    return numbers


def _repaired(places: Iterable[tuple[int, int]], logs: Iterable[Log]) -> list[Log]:
    """Sorted; a log that came twice stays once, two different logs in one place are a contradiction."""
    unique: dict[tuple[int, int], Log] = {}
    for place, log in zip(places, logs, strict=True):
        if unique.setdefault(place, log) != log:
            raise _lie(f"two logs at index {place[1]} of block {place[0]}")
    return [log for _, log in sorted(unique.items(), key=itemgetter(0))]


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
