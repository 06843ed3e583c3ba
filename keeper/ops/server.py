"""What can be asked over HTTP: is it alive, is it ready, its metrics, its accounts, its opportunities.

    /healthz        200 while the loop answers and no task was given up; else 503 with what was
    /readyz         200 when nothing is in the way of a liquidation; else 503 with everything that is
    /metrics        Prometheus
    /accounts       the least healthy accounts: ?limit=
    /opportunities  what became of plans, and why accounts are refused: ?limit= and ?account=

Laws
- Reads only; on loopback unless told otherwise. Every answer is bounded and is of one moment.
- JSON has integers as decimal strings, as everywhere else.
"""

import re
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import asdict
from itertools import islice
from types import TracebackType
from typing import Final, Protocol, Self

import msgspec
from aiohttp import web
from prometheus_client import CONTENT_TYPE_LATEST

from keeper.core.units import ADDRESS_DIGITS, WAD, Address
from keeper.errors import ConfigError
from keeper.log import get_logger
from keeper.ops.census import Account, Census
from keeper.ops.metrics import Metrics
from keeper.ops.ready import alive, obstacles
from keeper.ops.status import Status
from keeper.output import decimal
from keeper.store.reasons import Why

DEFAULT_LIMIT: Final = 100
MAX_LIMIT: Final = 1_000
HEADERS: Final = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"}

_log = get_logger()


class Refusals(Protocol):
    """``store.reasons.Reasons``, as far as it is shown."""

    def of(self, account: Address) -> Sequence[Why]: ...
    def held(self) -> Iterable[Why]: ...
    def counts(self) -> Mapping[str, int]: ...


class Server:
    """An async context manager; listens inside of it."""

    def __init__(self, status: Status, refusals: Refusals, *, host: str, port: int) -> None:
        self._status, self._refusals = status, refusals
        self._metrics = Metrics(status)
        self._host, self.port = host, port
        self._runner = web.AppRunner(self._app(), access_log=None, shutdown_timeout=1.0)

    async def __aenter__(self) -> Self:
        await self._runner.setup()
        site = web.TCPSite(self._runner, self._host, self.port)
        try:
            await site.start()
        except OSError as error:
            await self._runner.cleanup()
            raise ConfigError(
                f"ops.host, ops.port: cannot listen on {self._host}:{self.port}: {error.strerror}"
            ) from error
        self.port = int(self._runner.addresses[0][1])
        _log.info("ops.listening", host=self._host, port=self.port)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._runner.cleanup()

    def _app(self) -> web.Application:
        app = web.Application()
        routes: Mapping[str, Callable[[web.Request], Awaitable[web.Response]]] = {
            "/healthz": self._healthz,
            "/readyz": self._readyz,
            "/metrics": self._scrape,
            "/accounts": self._accounts,
            "/opportunities": self._opportunities,
        }
        for path, handler in routes.items():
            app.router.add_get(path, handler)
        return app

    async def _healthz(self, _: web.Request) -> web.Response:
        dead = alive(self._status)
        tasks = {name: task.state for name, task in self._status.tasks.items()}
        return _json({"alive": not dead, "reasons": dead, "tasks": tasks}, 503 if dead else 200)

    async def _readyz(self, _: web.Request) -> web.Response:
        found = obstacles(self._status)
        reasons = [{"reason": one.hurdle, "detail": one.why} for one in found]
        where = {"mode": self._status.mode, "block": self._status.tip, "head": self._status.head}
        return _json({"ready": not found, "reasons": reasons} | where, 503 if found else 200)

    async def _scrape(self, _: web.Request) -> web.Response:
        return web.Response(body=self._metrics.scrape(), headers=HEADERS | {"Content-Type": CONTENT_TYPE_LATEST})

    async def _accounts(self, request: web.Request) -> web.Response:
        limit, census = _limit(request), self._status.census
        shown = [_account(one, census) for one in census.riskiest[:limit]]
        totals = {"block": census.block, "timestamp": census.timestamp, "total": census.accounts}
        return _json(totals | {"health": census.bands, "accounts": shown})

    async def _opportunities(self, request: web.Request) -> web.Response:
        limit, account = _limit(request), _wanted(request)
        recent = (one for one in reversed(self._status.recent.values()) if account in (None, *one.accounts))
        held = self._refusals.held() if account is None else self._refusals.of(account)
        return _json(
            {
                "outcomes": {outcome.value: count for outcome, count in self._status.outcomes.items()},
                "refused": self._refusals.counts(),
                "opportunities": [asdict(one) for one in islice(recent, limit)],
                "skips": [asdict(one) for one in islice(held, limit)],
            }
        )


def _account(one: Account, census: Census) -> Mapping[str, object]:
    """The fields of ``keeper accounts --json``."""
    health = one.health
    return {
        "protocol": one.protocol,
        "market": one.market,
        "account": one.account,
        "health_factor": health.health_factor,
        "collateral_base": health.collateral,
        "debt_base": health.debt,
        "liquidatable": health.health_factor < WAD,
        "block": census.block,
        "timestamp": census.timestamp,
    }


def _limit(request: web.Request) -> int:
    text = request.query.get("limit", str(DEFAULT_LIMIT))
    if not re.fullmatch(r"\d{1,9}", text, re.ASCII):
        raise _refused("limit is a whole number")
    return min(int(text), MAX_LIMIT)


def _wanted(request: web.Request) -> Address | None:
    text = request.query.get("account")
    if text is None:
        return None
    if not re.fullmatch(r"0x[0-9a-fA-F]{40}(:\S+)?", text):
        raise _refused("account is 0x and 40 hex digits, and after a colon the pocket it is in")
    return Address(text[:ADDRESS_DIGITS].lower() + text[ADDRESS_DIGITS:])


def _refused(why: str) -> web.HTTPBadRequest:
    text = msgspec.json.encode({"error": why}).decode()
    return web.HTTPBadRequest(text=text, content_type="application/json", headers=HEADERS)


def _json(record: Mapping[str, object], code: int = 200) -> web.Response:
    body = msgspec.json.encode(decimal(record))
    return web.Response(body=body, status=code, content_type="application/json", headers=HEADERS)
