"""What the executor asks of the chain. ``keeper.chain.Pool`` answers it; nothing here can send a transaction."""

from collections.abc import Sequence
from typing import Any, Protocol

from keeper.core.events import Block, Read

Call = tuple[str, Sequence[object]]  # a method and its parameters


class Node(Protocol):
    """Reads, retried and failed over below."""

    async def head(self) -> Block: ...

    async def block(self, at: int | str, /) -> Block | None:
        """A canonical header by number or hash; None: there is no such block on the chain."""
        ...

    async def call_many(self, asked: Sequence[Read], block: Block) -> list[str | None]:
        """Return data at exactly this block. None: reverted."""
        ...

    async def state_many(self, calls: Sequence[Call], block: Block) -> list[str | None]:
        """Calls of any method that takes a block last, without it, at exactly this block."""
        ...

    async def request(self, method: str, params: Sequence[object]) -> Any:  # noqa: ANN401 - what JSON-RPC says
        """One read of any kind, or ``RpcError``."""
        ...

    async def request_many(self, calls: Sequence[Call]) -> list[Any]:
        """Reads of any kind, in order."""
        ...
