"""Channels against real HTTP servers: what leaves, what is concluded, how one failure leaves the others alone."""

import asyncio
import io
import json
import logging
import socket
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from uuid import UUID

import pytest
import structlog
from aiohttp import web
from aiohttp.test_utils import TestServer
from eth_account import Account
from eth_account.messages import encode_defunct
from eth_utils.crypto import keccak
from structlog.testing import capture_logs

from keeper import log
from keeper.core.submissions import (
    Ack,
    AckStatus,
    BestEffort,
    Bid,
    Capability,
    Simulated,
    Submission,
    Window,
    Withdrawal,
)
from keeper.core.units import Address, Amount, BlockNumber, Bps, Hash, Wei
from keeper.errors import ConfigError
from keeper.executor.fanout import Fanout
from keeper.executor.relays.channel import HttpChannel
from keeper.executor.relays.identity import Identity
from keeper.executor.relays.registry import KINDS, RelayConfig, channels
from keeper.executor.relays.transport import Silence, Transport
from keeper.log_events import problems

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
IDENTITY = Identity(b"\x22" * 32)
ACCEPTS = '{"result":{"bundleHash":"0xabc"}}'


def submission() -> Submission:
    return Submission(
        id="opportunity",
        chain=1,
        eoa=Address("0x" + "11" * 20),
        nonce=7,
        raw_txs=(b"\x02\xf8\x01",),
        tx_hashes=(Hash("0x" + "aa" * 32),),
        target_block=BlockNumber(100),
        window=Window(BlockNumber(100), BlockNumber(103)),
        deadline_ts=time.monotonic() + 5,
        bid=Bid(Wei(1), Bps(9000), Wei(10**15)),
        sim=Simulated(BlockNumber(99), 400_000, Wei(10**15), Amount(10**16)),
    )


class Server:
    """Answers with what it was told and remembers what it was sent."""

    def __init__(self, text: str = ACCEPTS, status: int = 200) -> None:
        self.text, self.status = text, status
        self.bodies: list[bytes] = []
        self.headers: list[dict[str, str]] = []
        self.connections: set[object] = set()
        self.gate = asyncio.Event()
        self.gate.set()

    async def handle(self, request: web.Request) -> web.StreamResponse:
        self.bodies.append(await request.read())
        self.headers.append(dict(request.headers))
        self.connections.add(request.transport)
        await self.gate.wait()
        return web.Response(text=self.text, status=self.status, headers={"Location": "http://127.0.0.1:1/"})


@asynccontextmanager
async def serving(handler: Handler) -> AsyncIterator[str]:
    app = web.Application()
    app.router.add_post("/{tail:.*}", handler)
    server = TestServer(app, host="127.0.0.1")
    await server.start_server(shutdown_timeout=0.1)
    try:
        yield str(server.make_url("/"))
    finally:
        await server.close()


@pytest.fixture
async def transport() -> AsyncIterator[Transport]:
    async with Transport(connect=0.3, total=0.6) as made:
        yield made


def channel(kind: str, url: str, transport: Transport, name: str = "") -> HttpChannel:
    account = "token" if kind == "bloxroute" else ""
    config = RelayConfig(kind, url, name, authorization=account)
    return channels([config], transport, IDENTITY, (), allow_public=True)[0]


def unused_url() -> str:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{probe.getsockname()[1]}/"


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "fork"])
async def test_the_signed_bytes_are_the_posted_bytes(kind: str, transport: Transport) -> None:
    server = Server()
    async with serving(server.handle) as url:
        ack = await channel(kind, url, transport).submit(submission())
    assert (ack.status, ack.http, ack.remote_id, ack.channel) == (AckStatus.ACCEPTED, 200, "0xabc", kind)
    (headers,) = server.headers
    assert headers["Content-Type"] == "application/json"
    if kind in {"flashbots", "buildernet", "titan"}:
        address, signature = headers["X-Flashbots-Signature"].split(":")
        text = "0x" + keccak(server.bodies[0]).hex()
        assert Account.recover_message(encode_defunct(text=text), signature=signature).lower() == address
        assert address == IDENTITY.address
    else:
        assert "X-Flashbots-Signature" not in headers
    assert headers.get("Authorization") == ("token" if kind == "bloxroute" else None)


async def test_one_connection_is_kept_and_reused(transport: Transport) -> None:
    server = Server()
    async with serving(server.handle) as url:
        titan = channel("titan", url, transport)
        for _ in range(4):
            await titan.submit(submission())
    assert len(server.bodies) == 4
    assert len(server.connections) == 1


async def test_nobody_listening_is_a_rejection_because_nothing_left(transport: Transport) -> None:
    ack = await channel("titan", unused_url(), transport).submit(submission())
    assert (ack.status, ack.http) == (AckStatus.REJECTED, None)


async def test_silence_after_sending_is_unknown_and_is_not_retried(transport: Transport) -> None:
    server = Server()
    server.gate.clear()
    async with serving(server.handle) as url:
        ack = await channel("titan", url, transport).submit(submission())
        server.gate.set()
    assert (ack.status, ack.http) == (AckStatus.UNKNOWN, None)
    assert len(server.bodies) == 1


async def test_a_connection_cut_in_the_answer_is_unknown_and_is_not_retried(transport: Transport) -> None:
    seen: list[bytes] = []

    async def cut(request: web.Request) -> web.StreamResponse:
        seen.append(await request.read())
        assert request.transport is not None
        request.transport.close()
        return web.Response()

    async with serving(cut) as url:
        ack = await channel("titan", url, transport).submit(submission())
    assert ack.status is AckStatus.UNKNOWN
    assert len(seen) == 1


async def test_a_redirect_is_not_followed(transport: Transport) -> None:
    server = Server("", 307)
    async with serving(server.handle) as url:
        ack = await channel("titan", url, transport).submit(submission())
    assert (ack.status, ack.http) == (AckStatus.REJECTED, 307)
    assert len(server.bodies) == 1


async def test_an_endless_answer_is_cut(transport: Transport) -> None:
    async def flood(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        with suppress(ConnectionError):
            while True:
                await response.write(b"x" * 65_536)
        return response

    async with serving(flood) as url:
        ack = await channel("titan", url, transport).submit(submission())
    assert ack.status is AckStatus.UNKNOWN


async def test_after_the_deadline_nothing_leaves(transport: Transport) -> None:
    server = Server()
    late = replace(submission(), deadline_ts=time.monotonic() - 0.001)
    async with serving(server.handle) as url:
        ack = await channel("titan", url, transport).submit(late)
        (fanned,) = await Fanout([channel("titan", url, transport)]).submit(late)
    assert ack.status is fanned.status is AckStatus.REJECTED
    assert server.bodies == []


async def test_the_deadline_ends_the_exchange_before_the_transport_does() -> None:
    server = Server()
    server.gate.clear()
    async with Transport(total=60) as patient, serving(server.handle) as url:
        soon = replace(submission(), deadline_ts=time.monotonic() + 0.2)
        ack = await channel("titan", url, patient).submit(soon)
        server.gate.set()
    assert ack.status is AckStatus.UNKNOWN


async def test_cancellation(transport: Transport) -> None:
    server = Server('{"result":200}')
    async with serving(server.handle) as url:
        asked = await channel("titan", url, transport).cancel(submission())
        cannot = await channel("raw_sequencer", url, transport).cancel(submission())
        server.text = '{"error":{"code":-32601,"message":"method not found"}}'
        refused = await channel("flashbots", url, transport).cancel(submission())
    assert asked == BestEffort("titan", Withdrawal.ASKED, "")
    assert cannot == BestEffort("raw_sequencer", Withdrawal.UNSUPPORTED, "")
    assert refused.withdrawal is Withdrawal.REFUSED
    uuid = IDENTITY.replacement_uuid(submission())
    assert uuid.encode() in server.bodies[0]
    assert UUID(uuid).version == 4


@pytest.mark.parametrize(("status", "alive"), [(200, True), (400, True), (403, False), (429, False), (500, False)])
async def test_health(status: int, *, alive: bool, transport: Transport) -> None:
    server = Server('{"error":{"code":-32601,"message":"method not found"}}', status)
    async with serving(server.handle) as url:
        assert (await channel("titan", url, transport).health()).alive is alive
    assert not (await channel("titan", unused_url(), transport).health()).alive


async def test_a_fork_that_is_none_is_sent_nothing(transport: Transport) -> None:
    """A dry run pointed at a real node must not broadcast: real nodes do not know ``anvil_nodeInfo``."""
    server = Server('{"error":{"code":-32601,"message":"method not found"}}')
    async with serving(server.handle) as url:
        fork = channel("fork", url, transport)
        ack = await fork.submit(submission())
        assert ack.status is AckStatus.REJECTED
        assert [b"eth_sendRawTransaction" in body for body in server.bodies] == [False]
        server.text = '{"result":{"currentBlockNumber":"0x1"}}'
        await fork.submit(submission())
        await fork.submit(submission())
    assert [b"eth_sendRawTransaction" in body for body in server.bodies] == [False, False, True, True]


# --- fan-out -----------------------------------------------------------------------------------------------------


async def test_channels_are_asked_at_the_same_time(transport: Transport) -> None:
    """Each server answers only after the other was asked: one after the other would end in silence."""
    first, second = Server(), Server()
    first.gate.clear()
    second.gate.clear()

    async def one(request: web.Request) -> web.StreamResponse:
        second.gate.set()
        return await first.handle(request)

    async def two(request: web.Request) -> web.StreamResponse:
        first.gate.set()
        return await second.handle(request)

    async with serving(one) as a, serving(two) as b:
        acks = await Fanout([channel("titan", a, transport), channel("flashbots", b, transport)]).submit(submission())
    assert [ack.status for ack in acks] == [AckStatus.ACCEPTED] * 2


async def test_equal_bodies_carry_one_signature(transport: Transport) -> None:
    server = Server()
    async with serving(server.handle) as url:
        await Fanout([channel("titan", url, transport), channel("flashbots", url, transport)]).submit(submission())
    assert server.bodies[0] == server.bodies[1]
    assert server.headers[0]["X-Flashbots-Signature"] == server.headers[1]["X-Flashbots-Signature"]


async def test_a_failing_sibling_changes_nothing(transport: Transport) -> None:
    good, broken, hanging = Server(), Server("oops", 500), Server()
    hanging.gate.clear()
    async with serving(good.handle) as a, serving(broken.handle) as b, serving(hanging.handle) as c:
        made = [
            channel("titan", unused_url(), transport, "nobody"),
            channel("titan", b, transport, "broken"),
            channel("titan", c, transport, "hanging"),
            channel("titan", a, transport, "good"),
        ]
        acks = await Fanout(made).submit(submission())
        hanging.gate.set()
    assert [(ack.channel, ack.status.value) for ack in acks] == [
        ("nobody", "rejected"),
        ("broken", "unknown"),
        ("hanging", "unknown"),
        ("good", "accepted"),
    ]


async def test_a_channel_whose_code_breaks_is_unknown_and_the_others_count(transport: Transport) -> None:
    class Broken(HttpChannel):
        async def submit(self, submission: Submission) -> Ack:
            raise KeyError(submission.id)

    server = Server()
    async with serving(server.handle) as url:
        good = channel("titan", url, transport)
        broken = Broken("broken", url, KINDS["titan"].make(RelayConfig("titan", url)), transport, IDENTITY)
        with capture_logs() as logs:
            acks = await Fanout([broken, good]).submit(submission())
    assert [ack.status for ack in acks] == [AckStatus.UNKNOWN, AckStatus.ACCEPTED]
    assert [(line["event"], line["error"]) for line in logs if line["relay"] == "broken"] == [
        ("submission.rejected", "raised KeyError")
    ]
    assert isinstance(next(line["exc_info"] for line in logs if line["relay"] == "broken"), KeyError)


async def test_a_breaker_opens_is_logged_and_lets_one_trial_through(transport: Transport) -> None:
    good, bad = Server(), Server("oops", 500)
    clock = [1_000.0]

    def fresh() -> Submission:
        return replace(submission(), deadline_ts=clock[0] + 5)

    async with serving(good.handle) as a, serving(bad.handle) as b:
        config = [RelayConfig("titan", a, "good"), RelayConfig("titan", b, "bad")]
        made = [
            HttpChannel(c.name, c.url, KINDS[c.kind].make(c), transport, IDENTITY, lambda: clock[0]) for c in config
        ]
        fanout = Fanout(made, failures=2, cooldown=10.0, now=lambda: clock[0])
        with capture_logs() as logs:
            for _ in range(5):
                await fanout.submit(fresh())
            assert (len(good.bodies), len(bad.bodies)) == (5, 2)
            clock[0] += 10
            await fanout.submit(fresh())  # the trial fails
            await fanout.submit(fresh())
            assert (len(good.bodies), len(bad.bodies)) == (7, 3)
            clock[0] += 10
            bad.text, bad.status = ACCEPTS, 200
            await fanout.submit(fresh())  # the trial works
            await fanout.submit(fresh())
            assert (len(good.bodies), len(bad.bodies)) == (9, 5)
    breaker = [(line["event"], line["breaker"]) for line in logs if line["event"].startswith("risk.")]
    assert breaker == [("risk.breaker_opened", "relay bad"), ("risk.breaker_closed", "relay bad")]


async def test_a_refused_submission_does_not_open_a_breaker(transport: Transport) -> None:
    """Forty submissions a relay understood and did not like say nothing against the relay."""
    server = Server('{"error":{"code":-32000,"message":"nonce too low"}}')
    other = Server()
    async with serving(server.handle) as a, serving(other.handle) as b:
        fanout = Fanout([channel("titan", a, transport), channel("flashbots", b, transport)], failures=2)
        for _ in range(40):
            await fanout.submit(submission())
    assert len(server.bodies) == 40


async def test_when_every_breaker_is_open_all_are_tried(transport: Transport) -> None:
    one, two = Server("oops", 500), Server("oops", 503)
    async with serving(one.handle) as a, serving(two.handle) as b:
        fanout = Fanout([channel("titan", a, transport), channel("flashbots", b, transport)], failures=1, cooldown=1e9)
        for _ in range(4):
            assert len(await fanout.submit(submission())) == 2
    assert (len(one.bodies), len(two.bodies)) == (4, 4)


async def test_requests_in_flight_are_bounded(transport: Transport) -> None:
    at_once, most = 0, 0

    async def slow(_request: web.Request) -> web.StreamResponse:
        nonlocal at_once, most
        at_once += 1
        most = max(most, at_once)
        await asyncio.sleep(0.005)
        at_once -= 1
        return web.Response(text=ACCEPTS)

    async with serving(slow) as url:
        fanout = Fanout([channel("titan", url, transport)], in_flight=3)
        acks = await asyncio.gather(*(fanout.submit(submission()) for _ in range(30)))
    assert most == 3
    assert {ack.status for (ack,) in acks} == {AckStatus.ACCEPTED}


async def test_what_a_channel_cannot_keep_is_not_handed_over(transport: Transport) -> None:
    server = Server()
    pair = replace(submission(), raw_txs=(b"1", b"2"))
    async with serving(server.handle) as url:
        fanout = Fanout([channel("raw_sequencer", url, transport), channel("titan", url, transport)])
        acks = await fanout.submit(pair)
        backrun = await fanout.submit(replace(submission(), trigger=Hash("0x" + "ee" * 32)))
    assert [ack.channel for ack in acks] == ["titan"]
    assert backrun == ()
    assert len(server.bodies) == 1


async def test_cancel_asks_all_and_waits_for_none_too_long(transport: Transport) -> None:
    server = Server('{"result":200}')
    async with serving(server.handle) as url:
        made = [
            channel("titan", url, transport),
            channel("raw_sequencer", url, transport),
            channel("flashbots", unused_url(), transport),
        ]
        answers = await Fanout(made).cancel(submission())
    assert [answer.withdrawal for answer in answers] == [Withdrawal.ASKED, Withdrawal.UNSUPPORTED, Withdrawal.REFUSED]


async def test_every_answer_is_one_log_line_without_transactions_or_urls(transport: Transport) -> None:
    good = Server()
    bad = Server('{"error":"unable to decode txs: 0x02f801' + "ab" * 80 + '"}', 400)
    async with serving(good.handle) as a, serving(bad.handle) as b:
        made = [
            channel("titan", a + "very-secret-path", transport),
            channel("flashbots", b + "very-secret-path", transport),
        ]
        with capture_logs() as logs:
            await Fanout(made).submit(submission())
    assert [(line["event"], line["relay"], line["opportunity_id"]) for line in logs] == [
        ("submission.sent", "titan", "opportunity"),
        ("submission.rejected", "flashbots", "opportunity"),
    ]
    assert "very-secret-path" not in str(logs)
    assert "very-secret-path" not in repr(made)
    assert "02f801" not in str(logs)
    assert (logs[1]["reason"], logs[1]["code"]) == ("rejected", 400)


@pytest.fixture
def written() -> Iterator[io.StringIO]:
    """What the real log writes."""
    root, out = logging.getLogger(), io.StringIO()
    handlers, level = list(root.handlers), root.level
    log.configure(stream=out)
    yield out
    root.handlers[:] = handlers
    root.setLevel(level)
    structlog.reset_defaults()


async def test_the_lines_keep_to_the_schema(transport: Transport, written: io.StringIO) -> None:
    class Broken(HttpChannel):
        async def submit(self, submission: Submission) -> Ack:
            raise KeyError(submission.id)

    good, bad = Server(), Server("oops", 500)
    async with serving(good.handle) as a, serving(bad.handle) as b:
        broken = Broken("broken", b, KINDS["titan"].make(RelayConfig("titan", b)), transport, IDENTITY)
        made = [
            channel("titan", a, transport, "good"),
            channel("titan", b, transport, "bad"),
            channel("titan", unused_url(), transport, "nobody"),
            broken,
        ]
        await Fanout(made, failures=1).submit(submission())
    lines = [json.loads(line) for line in written.getvalue().splitlines()]
    assert [found for line in lines for found in problems(line)] == []
    assert Counter(line["event"] for line in lines) == Counter(
        {"submission.sent": 1, "submission.rejected": 3, "risk.breaker_opened": 2}
    )
    assert "KeyError" in next(line["exception"] for line in lines if line.get("relay") == "broken")


# --- configuration -----------------------------------------------------------------------------------------------


def test_every_kind_is_built_by_name() -> None:
    configs = [
        RelayConfig(kind, "http://127.0.0.1:1/", authorization="token" if kind == "bloxroute" else "") for kind in KINDS
    ]
    made = channels(configs, Transport(), IDENTITY, (), allow_public=True)
    assert [one.name for one in made] == list(KINDS)
    public = [one.name for one in made if Capability.PUBLIC in one.capabilities]
    assert public == ["public"]


def test_all_that_is_wrong_is_said_at_once() -> None:
    configs = [
        RelayConfig("public", "http://127.0.0.1:1/"),
        RelayConfig("nonesuch", "http://127.0.0.1:1/"),
        RelayConfig("titan", "http://127.0.0.1:1/", builders=("Quasar",)),
        RelayConfig("titan", "titanbuilder.xyz", authorization="token"),
        RelayConfig("bloxroute", "ws://127.0.0.1:1/"),
    ]
    with pytest.raises(ConfigError) as caught:
        channels(configs, Transport(), IDENTITY, [IDENTITY.address], allow_public=False)
    text = str(caught.value)
    assert len(caught.value.problems) == 9
    for part in (
        "allow_public",
        "unknown kind 'nonesuch'",
        "builders means nothing to titan",
        "authorization means nothing to titan",
        "url of titan",
        "bloxroute needs authorization",
        "url of bloxroute",
        "two are named titan",
        "identity's key holds funds",
    ):
        assert part in text


async def test_silence_before_the_socket_differs_from_silence_after() -> None:
    async with Transport(connect=0.2, total=0.3) as made:
        answer = await made.post(unused_url(), b"{}", {}, 1.0)
    assert isinstance(answer, Silence)
    assert not answer.sent
