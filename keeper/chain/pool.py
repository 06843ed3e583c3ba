"""Chain access as the rest of the keeper sees it: several endpoints that look like one reliable node.

Law: only reads are retried, only on transient errors, with jitter and an end. An answer is pinned to the block it was
asked for, or it is an error. An RPC error is never an empty answer. With nobody left: ``EndpointsUnavailable``; the
next question looks again, so the pool recovers by itself.
"""

import asyncio
from collections.abc import Collection, Sequence
from functools import partial
from types import TracebackType
from typing import Any, Final, Self

from keeper.chain import reads, verify
from keeper.chain.endpoint import Call, Endpoint, Limits, names
from keeper.chain.health import Rules
from keeper.chain.probe import Prober
from keeper.chain.ranges import Piece
from keeper.chain.reads import Topics
from keeper.chain.retry import Patience, Retry
from keeper.chain.roster import Roster
from keeper.chain.wire import ANY
from keeper.core.events import Block, Log, Read
from keeper.core.units import Address, Hash
from keeper.errors import BlockUnknown, EndpointsUnavailable, RpcError

READS: Final = ("eth_", "net_", "web3_", "debug_", "trace_", "txpool_")
RULES: Final = Rules()
LIMITS: Final = Limits()
PATIENCE: Final = Patience()
WRITES: Final = ("eth_send", "eth_sign", "eth_submit")


class Pool:
    """Reads from the best endpoint. An async context manager."""

    def __init__(
        self,
        urls: Sequence[str],
        *,
        rules: Rules = RULES,
        limits: Limits = LIMITS,
        patience: Patience = PATIENCE,
    ) -> None:
        pairs = zip(urls, names(urls), strict=True)
        self._roster = Roster([Endpoint(url, name, limits) for url, name in pairs], rules)
        self._prober = Prober(self._roster, rules)
        self._retry = Retry(self._roster, self._prober, patience, limits.batch)
        self._patience = patience

    async def __aenter__(self) -> Self:
        """Look once, then keep looking. Does not raise when nobody answers: the first question will."""
        await self._prober.probe()
        self._prober.watch(self._patience.probe)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._prober.close()
        await asyncio.gather(*(endpoint.close() for endpoint in self.endpoints))

    # --- health ----------------------------------------------------------------------------------------------

    @property
    def endpoints(self) -> tuple[Endpoint, ...]:
        return self._roster.endpoints

    @property
    def faults(self) -> dict[str, str]:
        """Endpoints that are set aside, and why."""
        return {name: fault.value for name, fault in self._roster.faults.items()}

    @property
    def under_way(self) -> int:
        """Requests that no endpoint has answered yet, those that wait for their turn included."""
        return sum(endpoint.under_way for endpoint in self.endpoints)

    @property
    def ready(self) -> bool:
        """Whether anybody can be asked."""
        return bool(self._roster.well)

    @property
    def newest(self) -> Block | None:
        """The highest head that the last look at all endpoints has found. A hint, for free."""
        return self._prober.newest

    def trust(self, block: Block) -> None:
        """A finalised block out of the keeper's own state: an endpoint that contradicts it is set aside."""
        self._prober.trust(block)

    async def probe(self) -> None:
        """Look at all endpoints now."""
        await self._prober.probe()

    # --- blocks ----------------------------------------------------------------------------------------------

    async def chain_id(self) -> int:
        return int(await self.request("eth_chainId", ()), 16)

    async def head(self) -> Block:
        """The newest block of the best endpoint."""
        return await self._retry.read(partial(_block, at="latest"))

    async def finalized(self) -> Block | None:
        """The last finalised block. None where the chain or the node has no such notion."""
        try:
            return await self.block("finalized")
        except RpcError:
            return None

    async def block(self, at: int | str) -> Block | None:
        """A block by number, hash or tag. None only when every usable endpoint says that there is none."""
        try:
            return await self._retry.read(partial(_block, at=at), unknown=0.0)
        except BlockUnknown:
            return None

    async def blocks(self, numbers: Sequence[int]) -> list[Block]:
        """Blocks by number, in order, linked where they are neighbours. Raises ``BlockUnknown`` when one is missing."""
        found = await self._retry.in_batches(reads.blocks, numbers)
        verify.linked(found)
        return found

    # --- logs ------------------------------------------------------------------------------------------------

    async def logs(
        self,
        addresses: Collection[Address] | None,
        first: int,
        last: int,
        topics: Topics | None = None,
        tip: Block | None = None,
    ) -> list[Log]:
        """Logs of the blocks ``first..last``, in chain order. ``tip``: the range must end in exactly this block.

        No addresses, no logs; None means any address. Ranges adapt to what the endpoint takes.
        """
        known = None if addresses is None else sorted(set(addresses))
        if first > last or known == []:
            return []
        todo = [Piece(first, last, 0, 1 if known is None else len(known))]
        found: list[Log] = []
        while todo:
            piece = todo.pop()
            act = partial(_some_logs, addresses=known, piece=piece, topics=topics, tip=tip)
            done, logs = await self._retry.read(act, hedged=False, total=self._patience.history)
            found += logs
            todo += reversed(piece.without(done))
        return verify.ordered(found, first, last, None)

    async def logs_at(
        self, block: Hash, addresses: Collection[Address] | None, topics: Topics | None = None
    ) -> list[Log]:
        """Logs of one block, by its hash. Raises ``BlockUnknown`` when no endpoint has it.

        A doubtful "none" is asked again, of another endpoint where there is one.
        """
        known = None if addresses is None else set(addresses)
        if known is not None and not known:
            return []
        act = partial(reads.logs_at, at=block, addresses=known, topics=topics)
        logs, certain = await self._retry.read(act)
        if not certain:
            logs, _ = await self._retry.read(act, turn=1)
        return logs

    # --- state at a block ------------------------------------------------------------------------------------

    async def call_many(self, asked: Sequence[Read], block: Block) -> list[str | None]:
        """Return data of calls at exactly this block, in order. None: that call reverted. Anything else raises."""
        return await self.state_many([reads.eth_call(read) for read in asked], block)

    async def state_many(self, calls: Sequence[Call], block: Block) -> list[str | None]:
        """Calls of any method that takes a block last, without it: at exactly this block. None: reverted."""
        return await self._retry.in_batches(lambda endpoint, part: reads.state(endpoint, part, block), calls)

    async def code(self, address: Address, block: Block) -> str:
        return await self._one_state(("eth_getCode", (address,)), block)

    async def storage(self, address: Address, slot: int, block: Block) -> str:
        return await self._one_state(("eth_getStorageAt", (address, hex(slot))), block)

    async def agree(self, asked: Sequence[Read], block: Block, n: int) -> list[str | None]:
        """As ``call_many``, said alike by at least ``n`` endpoints and contradicted by none."""
        calls = [reads.eth_call(read) for read in asked]
        results = await asyncio.gather(
            *(self._retry.measured(lambda each: reads.state(each, calls, block), one) for one in self._roster.ranked()),
            return_exceptions=True,
        )
        answers = [result for result in results if not isinstance(result, BaseException)]
        for result in results:
            if isinstance(result, BaseException) and not isinstance(result, RpcError):
                raise result
        if any(answer != answers[0] for answer in answers):
            raise RpcError(f"endpoints disagree on the state of block {block.number}")
        if len(answers) < n:
            raise EndpointsUnavailable(f"{len(answers)} endpoints answer where {n} must agree")
        return answers[0]

    async def request(self, method: str, params: Sequence[object]) -> Any:  # noqa: ANN401 - what JSON-RPC says
        """Any other call. Reads are retried; a method that may change something is sent once, to the best endpoint."""
        if method.startswith(READS) and not method.startswith(WRITES):
            return await self._retry.read(lambda endpoint: endpoint.ask(ANY, method, params))
        return await self._roster.ranked()[0].ask(ANY, method, params)

    async def request_many(self, calls: Sequence[Call]) -> list[Any]:
        """Reads of any kind, in order, in few requests."""
        if any(not method.startswith(READS) or method.startswith(WRITES) for method, _ in calls):
            raise ValueError("only reads are sent together")
        return await self._retry.in_batches(_all, calls)

    async def _one_state(self, call: Call, block: Block) -> str:
        (answer,) = await self._retry.read(lambda endpoint: reads.state(endpoint, [call], block))
        if not isinstance(answer, str):
            raise RpcError(f"{call[0]} reverted")
        return answer


async def _all(endpoint: Endpoint, calls: Sequence[Call]) -> list[Any]:
    answers = await endpoint.ask_all(ANY, calls)
    for answer in answers:
        if isinstance(answer, RpcError):
            raise answer
    return answers


async def _block(endpoint: Endpoint, at: int | str) -> Block:
    found = await reads.block(endpoint, at)
    if found is None:
        raise BlockUnknown(f"{endpoint.name}: no block {at}", transient=True)
    return found


async def _some_logs(
    endpoint: Endpoint, addresses: Sequence[Address] | None, piece: Piece, topics: Topics | None, tip: Block | None
) -> tuple[Piece, list[Log]]:
    done, logs, end = await reads.some_logs(endpoint, addresses, piece, topics)
    if tip is not None and end.number == tip.number and end.hash != tip.hash:
        raise BlockUnknown(f"{endpoint.name}: another block {tip.number}", transient=True)
    return done, logs
