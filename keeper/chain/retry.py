"""How a read is tried: best endpoint first, then the others, then again after a moment, until patience ends.

Law: retried are reads, on transient errors, with jitter and an end. A revert, a missing block and a refusal are answers
of a healthy endpoint; anything else counts against it.
"""

import asyncio
import time
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import islice
from typing import Any, Final, TypeVar

from tenacity import AsyncRetrying, RetryCallState, retry_if_exception, wait_random_exponential

from keeper.chain.endpoint import Endpoint
from keeper.chain.probe import Prober
from keeper.chain.race import Act, race, together
from keeper.chain.roster import Roster
from keeper.errors import BlockUnknown, EndpointsUnavailable, Reverted, RpcError, TooMuch

T = TypeVar("T")
Q = TypeVar("Q")
HTTP_ERROR: Final = 400
ABREAST: Final = 8  # batches of one question in flight


@dataclass(frozen=True, slots=True)
class Patience:
    """How long a read is tried. Seconds."""

    total: float = 10.0  # transient errors
    history: float = 60.0  # the same for logs of a range, whose size is being found out
    unknown: float = 1.0  # a block that no endpoint has: it may be new to them, or gone from the chain
    hedge: float = 0.25  # a silent endpoint gets a competitor after this, or after four times its usual latency
    probe: float = 2.0  # between two looks at all endpoints


class Retry:
    """Tries reads on the endpoints of a roster."""

    def __init__(self, roster: Roster, prober: Prober, patience: Patience, batch: int) -> None:
        self._roster = roster
        self._prober = prober
        self._patience = patience
        self._batch = batch

    async def read(
        self,
        act: Act[T],
        *,
        hedged: bool = True,
        total: float | None = None,
        unknown: float | None = None,
        turn: int = 0,
    ) -> T:
        """Round after round over the usable endpoints, until one answers or patience ends.

        ``turn``: begin with a later endpoint, for a second opinion.
        """
        long = self._patience.total if total is None else total
        short = self._patience.unknown if unknown is None else unknown

        def enough(state: RetryCallState) -> bool:
            error = state.outcome.exception() if state.outcome else None
            return (state.seconds_since_start or 0.0) >= (short if isinstance(error, BlockUnknown) else long)

        retrying = AsyncRetrying(
            retry=retry_if_exception(_may_pass),
            wait=wait_random_exponential(multiplier=0.05, max=1.0),
            stop=enough,
            reraise=True,
        )
        try:
            return await retrying(partial(self._round, act, hedged=hedged, turn=turn))
        except RpcError as error:
            if error.transient and not isinstance(error, BlockUnknown):
                raise EndpointsUnavailable(error.message) from error
            raise

    async def in_batches(
        self, act: Callable[[Endpoint, Sequence[Q]], Coroutine[Any, Any, list[T]]], asked: Sequence[Q]
    ) -> list[T]:
        """A large question in parts, a few at a time, each failing over alone."""
        rest = iter(asked)
        parts = iter(lambda: list(islice(rest, self._batch)), [])
        found: list[T] = []
        while group := list(islice(parts, ABREAST)):
            for answers in await together([self.read(partial(_part, act, part)) for part in group]):
                found += answers
        return found

    async def _round(self, act: Act[T], *, hedged: bool, turn: int) -> T:
        """Every usable endpoint once, best first."""
        self._prober.sound()
        if not self._roster.well:
            await self._prober.probe()
        ranked = self._roster.ranked()
        ranked = ranked[turn:] + ranked[:turn]
        after = max(self._patience.hedge, 4 * ranked[0].record.latency) if hedged else None
        return await race(lambda endpoint: self.measured(act, endpoint, comparable=hedged), ranked, after)

    async def measured(self, act: Act[T], endpoint: Endpoint, *, comparable: bool = True) -> T:
        """Ask once, and keep the endpoint's record. ``comparable``: its time says something about the next ask."""
        started = time.monotonic()
        try:
            result = await act(endpoint)
        except asyncio.CancelledError:
            endpoint.record.outrun(time.monotonic() - started)
            raise
        except (Reverted, BlockUnknown, TooMuch):
            raise
        except RpcError as error:
            if error.transient or (error.code or 0) >= HTTP_ERROR:
                self._roster.failed(endpoint, error)
            raise
        endpoint.record.succeeded(time.monotonic() - started if comparable else None)
        return result


async def _part(
    act: Callable[[Endpoint, Sequence[Q]], Coroutine[Any, Any, list[T]]], part: Sequence[Q], endpoint: Endpoint
) -> list[T]:
    return await act(endpoint, part)


def _may_pass(error: BaseException) -> bool:
    return isinstance(error, EndpointsUnavailable) or (isinstance(error, RpcError) and error.transient)
