"""The chain as it was at one block.

Law: nothing newer than the pinned block is ever seen, so an indexer on it stops there.
"""

from typing import Any, Self

from keeper.core.events import Block
from keeper.core.ports import Chain
from keeper.errors import ConfigError


class PinnedChain:
    """A view of a chain whose head is a past block."""

    def __init__(self, chain: Chain, block: Block) -> None:
        self._chain = chain
        self._block = block

    @classmethod
    async def at(cls, chain: Chain, number: int) -> Self:
        """The view at a block, which must exist."""
        block = await chain.block(number)
        if block is None:
            head = await chain.head()
            raise ConfigError(f"--block {number}: there is no such block; the head is {head.number}")
        return cls(chain, block)

    async def head(self) -> Block:
        return self._block

    async def finalized(self) -> Block | None:
        return None

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 - everything else is the chain's own
        return getattr(self._chain, name)
