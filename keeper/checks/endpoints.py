"""Endpoints: do they answer, on the right chain, at the same head.

Law: every endpoint is asked by itself, so that one that is well does not hide one that is not.
"""

import asyncio
from collections.abc import Sequence
from typing import Final

from keeper.chain import reads
from keeper.chain.endpoint import Endpoint, names
from keeper.chain.health import Fault
from keeper.chain.pool import Pool
from keeper.chain.socket import Subscription
from keeper.chain.wire import Header
from keeper.checks.finding import Finding
from keeper.core.events import Block
from keeper.errors import Exit, RpcError
from keeper.settings import Settings

WITHIN: Final = 6.0  # seconds for a websocket: its own time to connect, and a little
MAX_LAG: Final = 1  # blocks
OLD: Final = 600  # seconds between the newest block and the clock that want an explanation

Seen = tuple[int, Block] | str  # chain id and head, or why there is no answer


async def endpoints(settings: Settings, pool: Pool, now: float) -> list[Finding]:
    """One finding for each HTTP endpoint and each websocket."""
    seen, sockets = await asyncio.gather(
        asyncio.gather(*(_look(endpoint) for endpoint in pool.endpoints)),
        asyncio.gather(*(_socket(settings, i) for i in range(len(settings.chain.ws)))),
    )
    best = _best(seen, settings.chain.id)
    judged = [
        _judge(settings, i, endpoint.name, said, best)
        for i, (endpoint, said) in enumerate(zip(pool.endpoints, seen, strict=True))
    ]
    return [*judged, *_forked(pool), *_age(best, now), *sockets]


async def _look(endpoint: Endpoint) -> Seen:
    try:
        chain_id, head, _ = await reads.introduction(endpoint)
    except RpcError as error:
        return error.message
    return chain_id, head


def _best(seen: Sequence[Seen], chain_id: int) -> Block | None:
    heads = [said[1] for said in seen if not isinstance(said, str) and said[0] == chain_id]
    return max(heads, key=lambda head: head.number, default=None)


def _judge(settings: Settings, i: int, name: str, seen: Seen, best: Block | None) -> Finding:
    subject, key = f"endpoint {name}", settings.place("chain", "rpc", i)
    if isinstance(seen, str):
        return Finding(subject, f"no answer: {seen}", f"start it, or correct {key}", Exit.UNAVAILABLE)
    chain_id, head = seen
    if chain_id != settings.chain.id:
        says = f"is on chain {chain_id}, chain.id says {settings.chain.id}"
        return Finding(subject, says, f"correct {settings.place('chain', 'id')} or {key}", Exit.WRONG_CHAIN)
    lag = best.number - head.number if best else 0
    if lag > MAX_LAG:
        says = f"is {lag} blocks behind"
        return Finding(subject, says, f"let it catch up, or take it out of {key}", Exit.UNAVAILABLE)
    return Finding(subject, f"chain {chain_id}, block {head.number}")


def _forked(pool: Pool) -> list[Finding]:
    return [
        Finding(
            f"endpoint {name}",
            "contradicts the others about a finalised block",
            "find out who is right before anything is sent",
            Exit.UNAVAILABLE,
        )
        for name, fault in pool.faults.items()
        if fault == Fault.FORKED.value
    ]


def _age(best: Block | None, now: float) -> list[Finding]:
    if best is None or abs(now - best.timestamp) <= OLD:
        return []
    hours = round(now - best.timestamp) / 3_600
    says = f"the newest block is {abs(hours):.1f} hours {'old' if hours > 0 else 'ahead of the clock'}"
    return [Finding("endpoints", says, "look whether the nodes are in sync and this machine's clock is right")]


async def _socket(settings: Settings, i: int) -> Finding:
    """Connect, subscribe to new heads, and leave."""
    url = settings.chain.ws[i]
    subject, key = f"websocket {names([url])[0]}", settings.place("chain", "ws", i)
    subscription = Subscription([url], Header, ("newHeads",), chain_id=settings.chain.id)
    async with subscription as told:
        for _ in range(int(WITHIN * 50)):
            if told.live:
                return Finding(subject, "subscribed to new heads")
            if told.trouble:
                break
            await asyncio.sleep(0.02)
    wrong = told.trouble == Fault.WRONG_CHAIN.value
    return Finding(
        subject,
        f"is not on chain {settings.chain.id}" if wrong else f"no subscription: {told.trouble or 'no answer'}",
        f"correct {key}; without a websocket heads are asked for",
        Exit.WRONG_CHAIN if wrong else Exit.UNAVAILABLE,
    )
