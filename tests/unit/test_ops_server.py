"""The endpoints, asked by a real client over loopback."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import closing
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from prometheus_client.parser import text_string_to_metric_families

from keeper.core.ports import Health
from keeper.core.refusals import Reason, Skip
from keeper.core.units import MAX_U256, WAD, Address, BaseValue, BlockNumber, Timestamp, Wad, Wei
from keeper.errors import ConfigError
from keeper.ops.census import Taker
from keeper.ops.ready import Hurdle
from keeper.ops.server import MAX_LIMIT, Server
from keeper.ops.status import Status
from keeper.ops.values import Mode, Opportunity, Outcome, Peer, TaskState
from keeper.store.reasons import Reasons
from keeper.store.store import Store
from tests.unit.ops_world import ALICE, BOB, MARKET, block, healthy

Reply = tuple[int, Any]


class Asker:
    """A server over a healthy status, and a client."""

    def __init__(self, status: Status, reasons: Reasons, client: aiohttp.ClientSession, url: str) -> None:
        self.status, self.reasons, self._client, self.url = status, reasons, client, url

    async def json(self, path: str) -> Reply:
        async with self._client.get(self.url + path) as answer:
            assert answer.content_type == "application/json"
            assert answer.headers["Cache-Control"] == "no-store"
            return answer.status, await answer.json()

    async def text(self, path: str, method: str = "GET") -> tuple[int, str, str]:
        async with self._client.request(method, self.url + path) as answer:
            return answer.status, answer.content_type, await answer.text()


@pytest.fixture
async def asker(tmp_path: Path) -> AsyncIterator[Asker]:
    with closing(Store(tmp_path / "keeper.sqlite", 1)) as store:
        status, reasons = healthy(), Reasons(store)
        async with (
            Server(status, reasons, host="127.0.0.1", port=0) as server,
            aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(10)) as client,
        ):
            yield Asker(status, reasons, client, f"http://127.0.0.1:{server.port}")


async def test_alive_until_a_task_is_given_up(asker: Asker) -> None:
    asker.status.task("indexer", TaskState.RUNNING)
    assert await asker.json("/healthz") == (200, {"alive": True, "reasons": [], "tasks": {"indexer": "running"}})
    asker.status.task("indexer", TaskState.RESTARTING, "RpcError: gone")
    assert (await asker.json("/healthz"))[0] == 200
    asker.status.task("indexer", TaskState.FAILED, "RpcError: gone")
    code, said = await asker.json("/healthz")
    assert (code, said["alive"], said["reasons"]) == (503, False, ["indexer: RpcError: gone"])


async def test_ready_until_something_is_in_the_way(asker: Asker) -> None:
    code, said = await asker.json("/readyz")
    assert (code, said) == (200, {"ready": True, "reasons": [], "mode": "live", "block": "100", "head": "100"})
    asker.status.caught_up = False
    asker.status.endpoints = {"own": Peer("frozen")}
    asker.status.halted["kill_switch"] = "keeper.stop exists"
    code, said = await asker.json("/readyz")
    assert (code, said["ready"]) == (503, False)
    found = {one["reason"]: one["detail"] for one in said["reasons"]}
    assert found.keys() == {hurdle.value for hurdle in (Hurdle.BEHIND, Hurdle.ENDPOINT, Hurdle.HALTED)}
    assert found["endpoint"] == "own: frozen"
    assert found["halted"] == "kill_switch: keeper.stop exists"


async def test_metrics_are_prometheus(asker: Asker) -> None:
    code, kind, text = await asker.text("/metrics")
    assert (code, kind) == (200, "text/plain")
    values = {family.name: family.samples[0].value for family in text_string_to_metric_families(text) if family.samples}
    assert values["keeper_ready"] == 1
    assert values["keeper_tip_block"] == 100


async def test_the_least_healthy_accounts_come_first_and_exact(asker: Asker) -> None:
    taker = Taker()
    for account, factor in ((BOB, WAD), (ALICE, WAD - 1), (MARKET, MAX_U256)):
        taker.add("aave_v3", MARKET, account, Health(Wad(factor), BaseValue(10**30), BaseValue(7)))
    asker.status.census = taker.done(BlockNumber(100), Timestamp(1_200))
    code, said = await asker.json("/accounts")
    assert code == 200
    first, second = said["accounts"]
    assert first == {
        "protocol": "aave_v3",
        "market": MARKET,
        "account": ALICE,
        "health_factor": "999999999999999999",
        "collateral_base": "1" + "0" * 30,
        "debt_base": "7",
        "liquidatable": True,
        "block": "100",
        "timestamp": "1200",
    }
    assert (second["account"], second["liquidatable"]) == (BOB, False)
    assert (said["total"], said["health"]["no debt"], said["block"]) == ("3", "1", "100")
    assert [one["account"] for one in (await asker.json("/accounts?limit=1"))[1]["accounts"]] == [ALICE]


async def test_opportunities_and_refusals(asker: Asker) -> None:
    for number, who in enumerate((ALICE, BOB)):
        outcome = Outcome.INCLUDED if who == ALICE else Outcome.OUTBID
        one = Opportunity(f"o{number}", (who,), outcome, BlockNumber(99), Wei(10**18), Wei(-3), tx=None)
        asker.status.became(one)
    asker.reasons.update(
        block(100), [Skip(BOB, Reason.NO_ROUTE, "TIX", MARKET), Skip(MARKET, Reason.DUST, "0", MARKET)]
    )
    code, said = await asker.json("/opportunities")
    assert code == 200
    assert [one["id"] for one in said["opportunities"]] == ["o1", "o0"]
    assert said["opportunities"][1] == {
        "id": "o0",
        "accounts": [ALICE],
        "outcome": "included",
        "block": "99",
        "predicted_net": "1" + "0" * 18,
        "realised_net": "-3",
        "reason": "",
        "tx": None,
    }
    assert (said["outcomes"], said["refused"]) == ({"included": "1", "outbid": "1"}, {"no_route": "1", "dust": "1"})
    _, mine = await asker.json(f"/opportunities?account={BOB.upper().replace('0X', '0x')}")
    assert [one["id"] for one in mine["opportunities"]] == ["o1"]
    assert [(one["account"], one["reason"], one["since"]) for one in mine["skips"]] == [(BOB, "no_route", "100")]
    _, unknown = await asker.json("/opportunities?account=0x" + "12" * 20)
    assert (unknown["opportunities"], unknown["skips"]) == ([], [])


async def test_answers_are_bounded_whatever_is_asked(asker: Asker) -> None:
    crowd = [Address(f"0x{place:040x}") for place in range(MAX_LIMIT + 500)]
    asker.reasons.update(block(1), [Skip(one, Reason.DUST, "0", MARKET) for one in crowd])
    assert len((await asker.json("/opportunities?limit=999999"))[1]["skips"]) == MAX_LIMIT
    assert len((await asker.json("/opportunities"))[1]["skips"]) == 100
    assert (await asker.json("/opportunities?limit=0"))[1]["skips"] == []


@pytest.mark.parametrize(
    "path", ["/accounts?limit=-1", "/accounts?limit=x", "/accounts?limit=٣", "/opportunities?limit=" + "9" * 30]
)
async def test_a_senseless_limit_is_refused(asker: Asker, path: str) -> None:
    assert await asker.json(path) == (400, {"error": "limit is a whole number"})


@pytest.mark.parametrize("account", ["", "0x12", "x" * 42, "0x" + "g" * 40])
async def test_a_senseless_account_is_refused(asker: Asker, account: str) -> None:
    code, said = await asker.json(f"/opportunities?account={account}")
    assert (code, said) == (400, {"error": "account is 0x and 40 hex digits, and after a colon the pocket it is in"})


async def test_nothing_can_be_changed_and_nothing_else_is_there(asker: Asker) -> None:
    for path in ("/healthz", "/readyz", "/metrics", "/accounts", "/opportunities"):
        for method in ("POST", "PUT", "DELETE", "PATCH"):
            assert (await asker.text(path, method))[0] == 405
        assert (await asker.text(path, "HEAD"))[0] == 200
    assert (await asker.text("/"))[0] == 404
    assert (await asker.text("/../etc/passwd"))[0] == 404


async def test_many_at_once(asker: Asker) -> None:
    paths = ["/healthz", "/readyz", "/accounts", "/opportunities"] * 25
    answers = await asyncio.gather(*(asker.json(path) for path in paths))
    assert {code for code, _ in answers} == {200}


async def test_a_taken_port_is_a_matter_of_configuration(asker: Asker) -> None:
    port = int(asker.url.rpartition(":")[2])
    second = Server(healthy(mode=Mode.READ_ONLY), asker.reasons, host="127.0.0.1", port=port)
    with pytest.raises(ConfigError, match=rf"ops\.host, ops\.port: cannot listen on 127\.0\.0\.1:{port}"):
        async with second:
            pytest.fail("it listens twice")
    assert (await asker.json("/healthz"))[0] == 200


async def test_it_is_gone_when_it_is_left(asker: Asker) -> None:
    async with Server(asker.status, asker.reasons, host="127.0.0.1", port=0) as other:
        url = f"http://127.0.0.1:{other.port}/healthz"
        async with aiohttp.ClientSession() as client, client.get(url) as answer:
            assert answer.status == 200
    async with aiohttp.ClientSession() as client:
        with pytest.raises(aiohttp.ClientConnectorError):
            await client.get(url)
