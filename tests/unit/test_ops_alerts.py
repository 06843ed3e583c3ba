"""What a person hears, and what not; carried by apprise itself to a real HTTP service."""

import asyncio
import random
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import replace

import pytest
from aiohttp import web
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr

from keeper.core.units import BlockNumber, Wei
from keeper.errors import ConfigError
from keeper.ops.alarms import ENOUGH, alarms, estimate_error
from keeper.ops.alerts import Alerts
from keeper.ops.courier import WAITING, Courier, services
from keeper.ops.digest import digest
from keeper.ops.notices import LIMIT, SETTLE, Alert, Message, Notices, Quiet, Rules, Severity, span
from keeper.ops.status import Status
from keeper.ops.values import Feeds, Mode, Opportunity, Outcome, Peer, Purse, Settlement, TaskState
from keeper.settings import Ops
from tests.unit.ops_world import ALICE, ASSET, ETHER, SIGNER, Clock, block, healthy, logging_to_memory, until

pytestmark = pytest.mark.filterwarnings("ignore:'imghdr' is deprecated:DeprecationWarning")  # apprise's own import

HOUR = 3_600.0
DAY = 24 * HOUR
LOUD = Rules(least=Severity.INFO, digest=0)
LAG = Alert("lag", Severity.WARNING, "behind")
DEAD = Alert("dead", Severity.CRITICAL, "dead")
Logged = Callable[[], list[dict[str, object]]]


def titles(notices: Notices, now: float) -> list[str]:
    return [message.title for message in notices.due(now, lambda: "")]


# --- alarms and events --------------------------------------------------------------------------------------------


def test_a_lasting_alarm_is_said_at_once_every_hour_and_when_it_is_over() -> None:
    notices, said = Notices(LOUD), list[tuple[float, str]]()
    for now in range(0, int(3 * HOUR), 5):
        notices.alarms([LAG] if now < 2.5 * HOUR else [], now)
        said += [(now, title) for title in titles(notices, now)]
    assert said == [
        (0, "behind"),
        (HOUR, "still: behind (for 60 min)"),
        (2 * HOUR, "still: behind (for 2 h)"),
        (2.5 * HOUR + SETTLE, "over: behind (after 2 h)"),
    ]


def test_what_does_not_last_as_long_as_it_must_is_nothing() -> None:
    notices = Notices(LOUD)
    patient = replace(LAG, patience=30)
    for now in (0, 10, 29):
        notices.alarms([patient], now)
    notices.alarms([], 31)
    notices.alarms([patient], 32)
    assert titles(notices, 33) == []
    notices.alarms([patient], 62)
    assert titles(notices, 62) == ["behind"]


def test_what_comes_and_goes_is_one_alarm() -> None:
    notices, said = Notices(LOUD), list[str]()
    for now in range(0, int(2 * HOUR), 10):
        notices.alarms([LAG] if now % 40 < 20 else [], now)
        said += titles(notices, now)
    assert said == ["behind", "still: behind (for 60 min)"]


def test_the_more_often_it_comes_back_the_longer_it_must_be_gone() -> None:
    notices, said = Notices(LOUD), list[str]()
    for now in range(0, int(HOUR), 10):
        notices.alarms([LAG] if now % 200 < 100 else [], now)  # gone for longer than it takes to be over at first
        said += titles(notices, now)
    assert said.count("behind") == said.count("over: behind (after 100 s)") == 18
    quick, said = Notices(LOUD), []
    for now in range(0, int(HOUR), 10):
        quick.alarms([LAG] if now < 100 and now % 20 == 0 else [], now)
        said += [f"{now} {title}" for title in titles(quick, now)]
    assert said == ["0 behind", f"{90 + SETTLE * 16:.0f} over: behind (after 90 s)"]


def test_an_alarm_that_gets_worse_is_said_again_at_once() -> None:
    notices = Notices(LOUD)
    notices.alarms([LAG], 0)
    assert titles(notices, 0) == ["behind"]
    notices.alarms([replace(LAG, severity=Severity.CRITICAL)], 5)
    assert titles(notices, 5) == ["still: behind (for 5 s)"]
    notices.alarms([LAG], 10)
    assert titles(notices, 10) == []


def test_the_same_event_again_is_counted_not_said() -> None:
    notices = Notices(LOUD)
    for now in (0, 1, 2):
        notices.happened(LAG, now)
    assert titles(notices, 2) == ["behind"]
    notices.happened(LAG, HOUR)
    assert titles(notices, HOUR) == ["behind (2 more since the last time)"]


def test_what_is_not_severe_enough_is_not_said() -> None:
    notices = Notices(replace(LOUD, least=Severity.CRITICAL))
    notices.alarms([LAG, DEAD], 0)
    notices.happened(LAG, 0)
    assert titles(notices, 0) == ["dead"]


def test_floods_are_bounded_and_the_newest_are_kept() -> None:
    notices = Notices(LOUD)
    for number in range(3 * LIMIT):
        notices.happened(Alert(str(number), Severity.WARNING, str(number)), 0)
        notices.alarms([Alert(str(place), Severity.WARNING, "x") for place in range(number)], 0)
    assert titles(notices, 0)[-1] == str(3 * LIMIT - 1)
    assert len(notices._events) <= LIMIT
    assert len(notices._alarms) <= LIMIT


# --- quiet hours --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "inside", "outside"),
    [("22:00-07:00", (22, 23.99, 0, 6.99), (7, 12, 21.99)), ("01:30-02:00", (1.5, 1.99), (1.49, 2, 13, 25.49))],
)
def test_quiet_hours_may_go_over_midnight(text: str, inside: tuple[float, ...], outside: tuple[float, ...]) -> None:
    quiet = Quiet.parse(text)
    assert quiet is not None
    assert all(quiet.at(20_000 * DAY + hour * HOUR) for hour in inside)
    assert not any(quiet.at(20_000 * DAY + hour * HOUR) for hour in outside)


def test_equal_hours_are_none() -> None:
    quiet = Quiet.parse("07:00-07:00")
    assert quiet is not None
    assert not any(quiet.at(hour * HOUR) for hour in range(24))


def test_at_night_only_what_is_critical_is_heard_and_the_rest_in_the_morning() -> None:
    notices = Notices(replace(LOUD, quiet=Quiet.parse("22:00-07:00")))
    notices.happened(LAG, 23 * HOUR)
    notices.happened(DEAD, 23 * HOUR)
    assert titles(notices, 23 * HOUR) == ["dead"]
    notices.happened(replace(LAG, key="other", title="other"), DAY + HOUR)
    assert titles(notices, DAY + 6.9 * HOUR) == []
    (message,) = notices.due(DAY + 7 * HOUR, lambda: "")
    expected = ("2 messages of the quiet hours", "behind\nother", Severity.WARNING)
    assert (message.title, message.text, message.severity) == expected


EVENTS = st.lists(st.tuples(st.integers(1, 3_000), st.sampled_from(list(Severity)), st.integers(0, 3)), max_size=60)


@given(EVENTS)
def test_quiet_hours_delay_but_never_lose_nor_leak(events: list[tuple[int, Severity, int]]) -> None:
    quiet = Quiet(22 * 3_600, 7 * 3_600)
    notices = Notices(Rules(least=Severity.WARNING, repeat=1, quiet=quiet, digest=0))
    now, expected, heard = 0.0, set[str](), list[str]()
    for number, (pause, severity, _) in enumerate(events):
        now += pause
        notices.happened(Alert(str(number), severity, f"<{number}>"), now)
        if severity >= Severity.WARNING:
            expected.add(f"<{number}>")
        for message in notices.due(now, lambda: ""):
            assert not quiet.at(now) or message.severity is Severity.CRITICAL
            heard.append(message.title + message.text)
    heard += [message.title + message.text for message in notices.due(now // DAY * DAY + DAY + 12 * HOUR, lambda: "")]
    text = "".join(heard)
    missing = {title for title in expected if title not in text}
    assert len(missing) == 0 or f"and {len(missing)} before" in text


# --- still alive --------------------------------------------------------------------------------------------------


def test_silence_is_never_ambiguous() -> None:
    notices = Notices(Rules(least=Severity.CRITICAL, digest=DAY))
    said = [(now / DAY, title) for now in range(0, int(3 * DAY), 60) for title in titles(notices, now)]
    assert said == [(0, "keeper started"), (1, "keeper is alive"), (2, "keeper is alive")]


def test_a_digest_waits_for_the_morning_and_is_of_the_morning() -> None:
    notices = Notices(Rules(digest=DAY, quiet=Quiet.parse("22:00-07:00")))
    assert notices.due(2 * HOUR, lambda: "at night") == []
    (message,) = notices.due(7 * HOUR, lambda: "in the morning")
    assert message.text.startswith("in the morning\n")


def test_a_digest_counts_what_was_said_before_it() -> None:
    notices = Notices(Rules(digest=DAY))
    notices.due(0, lambda: "")
    notices.alarms([LAG, DEAD], 1)
    (*_, message) = notices.due(DAY, lambda: "")
    assert message.text.endswith("2 messages since the last one like this")


def test_no_digest_when_none_is_wanted() -> None:
    assert titles(Notices(Rules(digest=0)), DAY) == []


def test_a_digest_says_first_whether_keeper_can_act() -> None:
    clock = Clock()
    status = healthy(clock)
    clock.at += 3 * HOUR
    assert digest(status).startswith("NOT READY: no new block for 10800 s\n")
    status.saw(101)
    status.became(Opportunity("o", (ALICE,), Outcome.INCLUDED, BlockNumber(1), Wei(1)))
    status.settle(Settlement(Wei(ETHER), Wei(ETHER // 2), Wei(ETHER // 4), Wei(0)))
    status.refused = lambda: {"dust": 3, "no_route": 1}
    assert digest(status).splitlines() == [
        "ready",
        "live on chain 1, block 100, 1 behind, up 3 h, keeper 1.2.3",
        "accounts 0: 0 below 1, 0 below 1.05",
        "included 1, outbid 0, missed 0, reverted 0, simulation_failed 0, refused now 4",
        "net 0.500000 (predicted 1.000000), gas 0.250000, bids 0.000000",
        f"{SIGNER} has 1.000000",
    ]


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0 s"), (119, "119 s"), (120, "2 min"), (7_199, "119 min"), (7_200, "2 h"), (DAY * 2, "2 d")],
)
def test_spans(seconds: float, text: str) -> None:
    assert span(seconds) == text


# --- what is wrong ------------------------------------------------------------------------------------------------


def keys(status: Status) -> set[str]:
    return {alert.key for alert in alarms(status)}


def test_nothing_is_wrong_with_a_healthy_keeper() -> None:
    assert alarms(healthy()) == []


def test_each_alarm_alone() -> None:
    status = healthy()
    status.saw(103)
    assert keys(status) == set()
    status.saw(104)
    assert keys(status) == {"lag"}
    status = healthy()
    status.endpoints = {"own": Peer("frozen"), "other": Peer()}
    assert keys(status) == {"endpoints"}
    status.endpoints = {"own": Peer("frozen"), "other": Peer("behind")}
    assert keys(status) == {"endpoint"}
    status.endpoints = {"own": Peer()}
    assert keys(status) == set()  # whoever has only one endpoint knows that
    status.feeds = Feeds(2, {ASSET: 4_000})
    assert keys(status) == {"feeds"}
    status.feeds = Feeds(1, {ASSET: 4_000})
    assert keys(status) == {"oracle"}
    status = healthy()
    status.relays = {"flashbots": Peer("no answer"), "titan": Peer()}
    assert keys(status) == {"relay flashbots"}
    status = healthy()
    status.purses = {SIGNER: Purse(Wei(1), Wei(2)), ALICE: Purse(Wei(2), Wei(2))}
    assert keys(status) == {f"purse {SIGNER}"}
    status = healthy()
    status.halted["loss cap"] = "lost 1 > 0"
    assert keys(status) == {"halted loss cap"}
    status = healthy()
    status.task("indexer", TaskState.RESTARTING, "it broke")
    assert keys(status) == {"task indexer"}
    status.task("indexer", TaskState.FAILED, "it broke")
    assert keys(status) == {"task"}
    status = healthy()
    status.caught_up = False
    assert keys(status) == {"behind"}


def resolved(*counts: tuple[Outcome, int]) -> Status:
    status, number = healthy(), 0
    for outcome, count in counts:
        for _ in range(count):
            number += 1
            status.became(Opportunity(str(number), (ALICE,), outcome, BlockNumber(1), Wei(1)))
    return status


def test_shares_are_judged_by_enough_of_the_latest() -> None:
    assert keys(resolved((Outcome.REVERTED, ENOUGH - 1))) == set()
    assert keys(resolved((Outcome.INCLUDED, 18), (Outcome.REVERTED, 2))) == set()  # exactly a tenth
    assert keys(resolved((Outcome.INCLUDED, 18), (Outcome.REVERTED, 3))) == {"reverts"}
    assert keys(resolved((Outcome.INCLUDED, 10), (Outcome.OUTBID, 10))) == set()
    assert keys(resolved((Outcome.INCLUDED, 10), (Outcome.OUTBID, 6), (Outcome.MISSED, 5))) == {"capture"}
    assert keys(resolved((Outcome.OUTBID, 300), (Outcome.INCLUDED, 200))) == set()  # that was long ago


def test_estimates_are_judged_by_their_worst_twentieth() -> None:
    def off(*errors: int) -> Status:
        status = healthy()
        for error in errors:
            status.settle(Settlement(Wei(10_000), Wei(10_000 - error), Wei(0), Wei(0)))
        return status

    assert estimate_error(healthy()) == 0
    assert estimate_error(off(*[100] * 19, 900)) == 100
    assert keys(off(*[100] * 19, 900)) == set()
    assert keys(off(*[200] * 18, 900, 900)) == {"estimates"}
    assert keys(off(*[900] * 19)) == set()


# --- carried ------------------------------------------------------------------------------------------------------


class Phone:
    """A service that takes what apprise posts to it, or refuses."""

    def __init__(self) -> None:
        self.heard: list[dict[str, str]] = []
        self.refuses = 0
        self.hold = asyncio.Event()
        self.hold.set()
        self.port = 0

    @property
    def url(self) -> str:
        return f"json://127.0.0.1:{self.port}/a-path-nobody-should-read?method=POST"

    async def take(self, request: web.Request) -> web.Response:
        body = await request.json()
        await self.hold.wait()
        if self.refuses:
            self.refuses -= 1
            return web.Response(status=500)
        self.heard.append(body)
        return web.Response()


@pytest.fixture
async def phone() -> AsyncIterator[Phone]:
    made, app = Phone(), web.Application()
    app.router.add_post("/{any:.*}", made.take)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    made.port = runner.addresses[0][1]
    yield made
    made.hold.set()
    await runner.cleanup()


@pytest.fixture
def logged() -> Iterator[Logged]:
    with logging_to_memory() as lines:
        yield lines


async def couriers(phone: Phone, *more: str) -> Courier:
    return Courier(await asyncio.to_thread(services, [phone.url, *more]), pauses=(0.01, 0.01))


async def test_a_message_arrives_with_its_severity(phone: Phone, logged: Logged) -> None:
    courier = await couriers(phone)
    for severity in Severity:
        assert courier.send(Message(severity, f"title {severity}", "the text"))
    await asyncio.to_thread(courier.close, 10)
    assert [(one["title"], one["message"], one["type"]) for one in phone.heard] == [
        ("title 10", "the text", "info"),
        ("title 20", "the text", "warning"),
        ("title 30", "the text", "failure"),
    ]
    assert (courier.taken, courier.lost) == (3, 0)
    assert [(line["event"], line["service"]) for line in logged()] == [("alert.sent", "json://")] * 3


async def test_a_refused_message_is_tried_again(phone: Phone, logged: Logged) -> None:
    phone.refuses = 2
    courier = await couriers(phone)
    courier.send(Message(Severity.WARNING, "twice refused"))
    await until(lambda: courier.taken == 1)
    await asyncio.to_thread(courier.close, 10)
    assert [one["message"] for one in phone.heard] == ["twice refused"]
    assert [line["event"] for line in logged() if line["event"] != "library.message"] == ["alert.sent"]


async def test_the_failure_of_one_service_never_keeps_it_from_another(phone: Phone, logged: Logged) -> None:
    nobody = "json://127.0.0.1:9/a-path-nobody-should-read"
    courier = Courier(await asyncio.to_thread(services, [nobody, phone.url]), pauses=(0.01,))
    courier.send(Message(Severity.CRITICAL, "help"))
    await until(lambda: courier.taken == 1)
    await asyncio.to_thread(courier.close, 10)
    assert (len(phone.heard), courier.taken, courier.lost) == (1, 1, 1)
    (failed,) = [line for line in logged() if line["event"] == "alert.failed"]
    assert (failed["title"], failed["severity"], failed["tries"]) == ("help", "critical", "2")
    assert "a-path-nobody-should-read" not in str(logged())


async def test_a_service_that_hangs_holds_up_nothing_but_its_queue(phone: Phone, logged: Logged) -> None:
    phone.hold.clear()
    courier = await couriers(phone)
    sent = [courier.send(Message(Severity.WARNING, f"message {number}")) for number in range(WAITING + 20)]
    assert sent.count(False) in (19, 20)  # one may be on its way
    assert sum(line["event"] == "alert.dropped" for line in logged()) == sent.count(False)
    assert courier.waiting >= WAITING - 1
    phone.hold.set()
    await until(lambda: courier.waiting == 0)
    await asyncio.to_thread(courier.close, 10)
    assert len(phone.heard) == sent.count(True)


async def test_a_service_that_hangs_does_not_hold_up_the_end(phone: Phone) -> None:
    phone.hold.clear()
    courier = await couriers(phone)
    courier.send(Message(Severity.WARNING, "hangs"))
    await asyncio.to_thread(courier.close, 0.2)
    assert [thread.daemon for thread in threading.enumerate() if thread.name == "alerts"].count(False) == 0
    phone.hold.set()
    await until(lambda: len(phone.heard) == 1)


async def test_secrets_are_masked_on_their_way_out(phone: Phone) -> None:
    courier = await couriers(phone)
    key = "4c0883a69102937d6231471b5dbb6204fe512961708279bfaa1b2c3d4e5f6a7b"
    courier.send(Message(Severity.WARNING, "at https://user:hunter22@node.example/v2", f"raw 0x{key * 2}"))
    await asyncio.to_thread(courier.close, 10)
    (heard,) = phone.heard
    assert "hunter22" not in str(heard)
    assert key not in str(heard)


def test_what_apprise_does_not_know_is_named_by_its_key_and_not_shown() -> None:
    with pytest.raises(ConfigError) as refused:
        services(["json://127.0.0.1:9/x", "slak://secret-token-1234", "secret-token-1234"])
    assert len(refused.value.problems) == 2
    assert refused.value.problems[0].startswith("ops.alerts.1: slak:// ")
    assert "secret-token-1234" not in str(refused.value)


def test_a_plugin_that_raises_is_a_service_that_failed() -> None:
    def broken(*_: object, **__: object) -> bool:
        raise KeyError("a bug of a plugin")

    (service,) = services(["json://127.0.0.1:9/x"])
    service._box[0].send = broken  # type: ignore[method-assign]
    assert not service.deliver(Message(Severity.INFO, "title"))


# --- all together -------------------------------------------------------------------------------------------------


async def alerts(status: Status, phone: Phone, **options: object) -> Alerts:
    ops = Ops(alerts=(SecretStr(phone.url),), **options)  # type: ignore[arg-type]
    made = await Alerts.configured(status, ops)
    made._now = status.now
    return made


async def test_a_day_of_a_keeper(phone: Phone) -> None:
    clock = Clock(20_000 * DAY)
    status = healthy(clock)
    lost = 0
    status.log_lost = lambda: lost
    told = await alerts(status, phone)
    for minute in range(24 * 60):
        clock.at += 60
        status.saw(101 + minute)
        status.stands(block(101 + minute - (9 if 600 <= minute < 640 else 0)), caught_up=True)
        status.drifts = 1 if minute > 700 else 0
        lost = 7 if minute > 800 else 0
        told.look()
    await told.close()
    assert [one["title"] for one in phone.heard] == [
        "keeper started",
        "the books are more than 3 blocks behind",
        "over: the books are more than 3 blocks behind (after 40 min)",
        "the books differed from the chain",
        "log lines are lost",
        "keeper stops",
    ]
    assert (status.alerts_sent(), status.alerts_lost(), status.queues["alerts"]()) == (6, 0, 0)


async def test_the_task_looks_again_and_again(phone: Phone) -> None:
    status = healthy()
    told = await alerts(status, phone, digest=0)
    told._every = 0.01
    running = asyncio.create_task(told.run())
    status.halted["kill_switch"] = "there"
    await until(lambda: len(phone.heard) == 1)
    running.cancel()
    told.happened(Alert("bad debt", Severity.WARNING, "bad debt", "0xa1"))
    await told.close()
    expected = ["sending is stopped by kill_switch", "bad debt", "keeper stops"]
    assert [one["title"] for one in phone.heard] == expected


async def test_the_settings_decide_what_is_heard(phone: Phone) -> None:
    clock = Clock(20_000 * DAY + 23 * HOUR)
    told = await alerts(healthy(clock), phone, alert_level="critical", quiet_hours="22:00-07:00", digest=60)
    told.happened(LAG)
    told.happened(DEAD)
    told.look()
    clock.at += 9 * HOUR
    told.look()
    await asyncio.to_thread(told._courier.close, 10)  # type: ignore[union-attr]
    assert [one["title"] for one in phone.heard] == ["dead", "no new blocks", "keeper started"]


async def test_without_services_nothing_is_done() -> None:
    before = threading.active_count()
    status = healthy(mode=Mode.READ_ONLY)
    told = await Alerts.configured(status, Ops())
    told.happened(DEAD)
    told.look()
    await told.close()
    assert (threading.active_count(), status.alerts_sent(), status.queues) == (before, 0, {})


def test_storms_of_alarms_never_say_more_than_a_few_an_hour(seed: int) -> None:
    draw = random.Random(seed)
    notices, said = Notices(Rules(digest=0)), 0
    for now in range(0, int(DAY), 5):
        notices.alarms([LAG] if draw.random() < 0.5 else [], now)
        said += len(titles(notices, now))
    assert 24 <= said <= 26
