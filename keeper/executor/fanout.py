"""One submission to many channels at once.

Law: every channel that can keep what is handed over gets it, all at the same time, under the submission's one deadline;
the failure of one never stops another, and every one ends as an ``Ack``. A channel that keeps failing is left alone for
a while, but never all of them: when every breaker is open, all are tried. Each channel has a bounded number of
requests in flight. Nothing is sent twice.
"""

import asyncio
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import Final

from keeper.core.submissions import Ack, AckStatus, BestEffort, Channel, Submission, Withdrawal, refusal
from keeper.executor.breaker import Breaker, State
from keeper.log import get_logger

FAILURES: Final = 3
COOLDOWN: Final = 12.0  # seconds; one slot
IN_FLIGHT: Final = 10  # requests to one channel
CANCEL_WITHIN: Final = 2.5  # seconds; a little more than a transport allows itself
LOCKED_OUT: Final = (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN, HTTPStatus.TOO_MANY_REQUESTS)

_log = get_logger()


@dataclass(frozen=True, slots=True)
class _Lane:
    """A channel with what limits its use."""

    channel: Channel
    breaker: Breaker
    slots: asyncio.Semaphore


class Fanout:
    """All channels of a chain as one."""

    def __init__(
        self,
        channels: Sequence[Channel],
        *,
        failures: int = FAILURES,
        cooldown: float = COOLDOWN,
        in_flight: int = IN_FLIGHT,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self._lanes = tuple(_Lane(c, Breaker(failures, cooldown), asyncio.Semaphore(in_flight)) for c in channels)
        self._now = now

    async def submit(self, submission: Submission) -> tuple[Ack, ...]:
        """Hand a submission to every channel; their answers, in the order of the configuration."""
        able = [lane for lane in self._lanes if refusal(lane.channel.capabilities, submission) is None]
        now = self._now()
        willing = [lane for lane in able if lane.breaker.allows(now)]
        lanes = willing or able
        done = await asyncio.gather(*(self._hand_over(lane, submission) for lane in lanes), return_exceptions=True)
        return tuple(_settled(lane.channel, submission, one) for lane, one in zip(lanes, done, strict=True))

    async def cancel(self, submission: Submission) -> tuple[BestEffort, ...]:
        """Ask every channel that may hold a submission to forget it. It may land all the same."""
        able = [lane for lane in self._lanes if refusal(lane.channel.capabilities, submission) is None]
        return tuple(await asyncio.gather(*(_withdraw(lane.channel, submission) for lane in able)))

    async def _hand_over(self, lane: _Lane, submission: Submission) -> Ack:
        """One channel's part. It waits for its turn no longer than the deadline allows."""
        handed, started = False, time.perf_counter()
        try:
            async with asyncio.timeout(max(0.0, submission.deadline_ts - self._now())), lane.slots:
                handed = True
                ack = await lane.channel.submit(submission)
        except TimeoutError:
            status = AckStatus.UNKNOWN if handed else AckStatus.REJECTED
            latency = time.perf_counter() - started
            detail = "no answer before the deadline" if handed else "not handed over before the deadline"
            ack = Ack(lane.channel.name, None, status, None, latency, detail)
        if handed:
            self._count(lane, ack)
        return ack

    def _count(self, lane: _Lane, ack: Ack) -> None:
        """Whether the channel works is one question, whether it liked the submission another."""
        was_closed = lane.breaker.state is State.CLOSED
        unreached = ack.status is AckStatus.REJECTED and ack.http is None
        lane.breaker.record(
            ok=not (unreached or ack.status is AckStatus.UNKNOWN or ack.http in LOCKED_OUT), now=self._now()
        )
        is_closed = lane.breaker.state is State.CLOSED
        if was_closed and not is_closed:
            _log.warning("risk.breaker_opened", breaker=f"relay {lane.channel.name}", reason=ack.detail)
        elif is_closed and not was_closed:
            _log.info("risk.breaker_closed", breaker=f"relay {lane.channel.name}")


async def _withdraw(channel: Channel, submission: Submission) -> BestEffort:
    try:
        async with asyncio.timeout(CANCEL_WITHIN):
            return await channel.cancel(submission)
    except TimeoutError:
        return BestEffort(channel.name, Withdrawal.ASKED, "no answer")


def _settled(channel: Channel, submission: Submission, result: Ack | BaseException) -> Ack:
    """The answer, logged. A channel that raises is broken code: its bytes may have left, and the others count."""
    if isinstance(result, Ack):
        ack = result
    elif isinstance(result, Exception):
        ack = Ack(channel.name, None, AckStatus.UNKNOWN, None, 0.0, f"raised {type(result).__name__}")
    else:
        raise result
    if ack.status is AckStatus.ACCEPTED:
        _log.info(
            "submission.sent",
            opportunity_id=submission.id,
            relay=ack.channel,
            tx=submission.tx_hashes[-1],
            nonce=submission.nonce,
            target_block=submission.target_block,
            answer=ack.status.value,
            latency_s=round(ack.latency, 6),
        )
    else:
        _log.warning(
            "submission.rejected",
            opportunity_id=submission.id,
            reason=ack.status.value,
            relay=ack.channel,
            tx=submission.tx_hashes[-1],
            target_block=submission.target_block,
            error=ack.detail,
            latency_s=round(ack.latency, 6),
            exc_info=result if isinstance(result, Exception) else None,
            **({} if ack.http is None else {"code": ack.http}),
        )
    return ack
