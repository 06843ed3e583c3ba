"""Whether tokens arrive: each is moved out of a pool and back, in a simulation that nobody sees.

Law: half of what arrived is sent back, so that a token that keeps a share loses it twice here as it would in a plan. A
token that cannot be moved is reverted; one that no pool holds, or that could not be tried, has no trip at all.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Final

import msgspec
from eth_hash.auto import keccak

from keeper.core.events import Block, Read, word
from keeper.core.units import Address
from keeper.core.venues import Pool
from keeper.errors import SimulationError
from keeper.estimator.guards import RoundTrip
from keeper.executor.node import Node

TRAVELLER: Final = Address("0x" + keccak(b"keeper: carries tokens out of pools and back")[-20:].hex())
BALANCE_OF: Final = "0x70a08231"
TRANSFER: Final = "0xa9059cbb"
SHARE: Final = 1_000  # of what a pool holds, one part is moved
STEPS: Final = 5  # calls of one trip


class _Call(msgspec.Struct, frozen=True, rename="camel"):
    status: str
    return_data: str


class _Block(msgspec.Struct, frozen=True):
    calls: tuple[_Call, ...]


async def round_trips(
    node: Node, tokens: Iterable[Address], pools: Iterable[Pool], head: Block
) -> Mapping[Address, RoundTrip]:
    """A trip of each token that a pool holds, on the state of the head."""
    holders = await _holders(node, frozenset(tokens), pools, head)
    amounts = {token: held // SHARE for token, (_, held) in holders.items() if held >= 2 * SHARE}
    calls = [call for token, amount in amounts.items() for call in _trip(token, holders[token][0], amount)]
    if not calls:
        return {}
    params = ({"blockStateCalls": [{"calls": calls}], "validation": False}, {"blockHash": head.hash})
    answer = await node.request("eth_simulateV1", params)
    try:
        done = msgspec.convert(answer, tuple[_Block])[0].calls
    except msgspec.ValidationError as error:
        raise SimulationError(f"round trips: {error}") from error
    parts = [done[at : at + STEPS] for at in range(0, len(done), STEPS)]
    return {token: _told(amount, part) for (token, amount), part in zip(amounts.items(), parts, strict=True)}


async def _holders(
    node: Node, tokens: frozenset[Address], pools: Iterable[Pool], head: Block
) -> dict[Address, tuple[Address, int]]:
    """The pool that holds most of each token, and how much."""
    pairs = [(token, pool.address) for pool in pools for token in (pool.token0, pool.token1) if token in tokens]
    answers = await node.call_many([Read(token, f"{BALANCE_OF}{pool[2:]:0>64}") for token, pool in pairs], head)
    held = [
        (token, pool, word(data, 0)) for (token, pool), data in zip(pairs, answers, strict=True) if data and _word(data)
    ]
    return {token: (pool, amount) for token, pool, amount in sorted(held, key=lambda one: one[2])}


def _trip(token: Address, pool: Address, amount: int) -> list[dict[str, str]]:
    """Out, what arrived, what the pool has, half of it back, what the pool has then."""
    pool_has = {"from": TRAVELLER, "to": token, "input": f"{BALANCE_OF}{pool[2:]:0>64}"}
    return [
        {"from": pool, "to": token, "input": f"{TRANSFER}{TRAVELLER[2:]:0>64}{amount:064x}"},
        {"from": TRAVELLER, "to": token, "input": f"{BALANCE_OF}{TRAVELLER[2:]:0>64}"},
        pool_has,
        {"from": TRAVELLER, "to": token, "input": f"{TRANSFER}{pool[2:]:0>64}{amount // 2:064x}"},
        pool_has,
    ]


def _told(amount: int, calls: Sequence[_Call]) -> RoundTrip:
    out, arrived, before, back, after = calls
    moved = all(_moved(call) for call in (out, back)) and all(_word(call.return_data) for call in (arrived, after))
    if not moved:
        return RoundTrip(amount, 0, reverted=True)
    returned = word(after.return_data, 0) - word(before.return_data, 0)
    return RoundTrip(amount, word(arrived.return_data, 0) * returned // (amount // 2))


def _moved(call: _Call) -> bool:
    """A transfer that neither failed nor answered false."""
    said = call.return_data
    return call.status == "0x1" and (not _word(said) or word(said, 0) != 0)


def _word(data: str) -> bool:
    return len(data) >= len("0x") + 64
