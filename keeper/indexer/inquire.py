"""Answer what an adapter asks, pinned to one block.

Law: an inquiry gets real answers or an error, never a guess. All reads of one round go out together.
"""

import asyncio
from collections.abc import Sequence
from typing import Any

from keeper.core.events import Block, Read
from keeper.core.ports import Ask, Chain, CodeOf, HeaderOf, InquiryOf, LogsOf, Result, SlotOf


async def inquire(chain: Chain, inquiry: InquiryOf[Result], block: Block, first: int) -> Result:
    """Drive an inquiry to its end at a block. ``first`` is where the market's logs begin."""
    try:
        asks = next(inquiry)
        while True:
            asks = inquiry.send(await _answer(chain, asks, block, first))
    except StopIteration as stop:
        result: Result = stop.value
        return result


async def _answer(chain: Chain, asks: Sequence[Ask], block: Block, first: int) -> dict[Ask, Any]:
    reads = list(dict.fromkeys([ask for ask in asks if isinstance(ask, Read)]))
    others = list(dict.fromkeys([ask for ask in asks if not isinstance(ask, Read)]))
    data, rest = await asyncio.gather(
        chain.call_many(reads, block),
        asyncio.gather(*(_other(chain, ask, block, first) for ask in others)),
    )
    answers: dict[Ask, Any] = dict(zip(reads, data, strict=True))
    answers.update(zip(others, rest, strict=True))
    return answers


async def _other(chain: Chain, ask: CodeOf | SlotOf | LogsOf | HeaderOf, block: Block, first: int) -> object:
    if isinstance(ask, HeaderOf):
        return block
    if isinstance(ask, CodeOf):
        return await chain.code(ask.address, block)
    if isinstance(ask, SlotOf):
        return await chain.storage(ask.address, ask.slot, block)
    return await chain.logs(ask.addresses, first, block.number, [sorted(ask.topics)])
