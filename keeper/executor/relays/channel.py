"""A dialect, a server and an identity, joined to the port the executor knows.

Law: the body is serialised once; the bytes that are signed are the bytes that are posted. After the deadline nothing
leaves. The URL may hold a credential, so only the channel's name is ever shown.
"""

import time
from collections.abc import Callable
from http import HTTPStatus
from typing import Final

from keeper.core.submissions import Ack, AckStatus, BestEffort, Capability, ChannelStatus, Submission, Withdrawal
from keeper.executor.relays.answer import read
from keeper.executor.relays.call import Call, Dialect
from keeper.executor.relays.identity import HEADER, Identity
from keeper.executor.relays.transport import TOTAL, Reply, Silence, Transport

LOCKED_OUT: Final = (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN, HTTPStatus.TOO_MANY_REQUESTS)


class HttpChannel:
    """Implements ``core.submissions.Channel`` for every dialect."""

    def __init__(
        self,
        name: str,
        url: str,
        dialect: Dialect,
        transport: Transport,
        identity: Identity,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self.name = name
        self._url = url
        self._dialect = dialect
        self._transport = transport
        self._identity = identity
        self._now = now
        self._proven = not dialect.must_prove

    def __repr__(self) -> str:
        return f"HttpChannel({self.name})"

    @property
    def capabilities(self) -> Capability:
        return self._dialect.capabilities

    async def submit(self, submission: Submission) -> Ack:
        """Hand a submission over."""
        if not self._proven and not (await self.health()).alive:
            return self._ack(Silence(sent=False, detail="not proven to be what it is used as", latency=0.0))
        budget = submission.deadline_ts - self._now()
        if budget <= 0:
            return self._ack(Silence(sent=False, detail="past the deadline", latency=0.0))
        call = self._dialect.submit(submission, self._identity.replacement_uuid(submission))
        return self._ack(await self._post(call, budget))

    async def cancel(self, submission: Submission) -> BestEffort:
        """Ask to forget a submission. It may land all the same."""
        call = self._dialect.cancel(submission, self._identity.replacement_uuid(submission))
        if call is None:
            return BestEffort(self.name, Withdrawal.UNSUPPORTED, "")
        ack = self._ack(await self._post(call, TOTAL))
        refused = ack.status is AckStatus.REJECTED
        return BestEffort(self.name, Withdrawal.REFUSED if refused else Withdrawal.ASKED, ack.detail)

    async def health(self) -> ChannelStatus:
        """Whether the server answers us; for a dialect that must prove itself, whether it did."""
        reply = await self._post(self._dialect.probe(), TOTAL)
        if isinstance(reply, Silence):
            return ChannelStatus(self.name, alive=False, latency=reply.latency, detail=reply.detail)
        verdict = read(reply.http, reply.body)
        alive = reply.http < HTTPStatus.INTERNAL_SERVER_ERROR and reply.http not in LOCKED_OUT
        if self._dialect.must_prove:
            alive = self._proven = verdict.status is AckStatus.ACCEPTED
        return ChannelStatus(self.name, alive=alive, latency=reply.latency, detail=verdict.detail)

    async def _post(self, call: Call, budget: float) -> Reply | Silence:
        headers = dict(call.headers)
        if self._dialect.identified:
            headers[HEADER] = self._identity.header(call.body)
        return await self._transport.post(self._url, call.body, headers, budget)

    def _ack(self, reply: Reply | Silence) -> Ack:
        if isinstance(reply, Silence):
            status = AckStatus.UNKNOWN if reply.sent else AckStatus.REJECTED
            return Ack(self.name, None, status, None, reply.latency, reply.detail)
        verdict = read(reply.http, reply.body)
        return Ack(self.name, reply.http, verdict.status, verdict.remote_id, reply.latency, verdict.detail)
