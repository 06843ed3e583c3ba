"""Bodies to servers, answers back.

Law: what comes in is posted byte for byte, once. Nothing is retried, redirected, proxied or kept in cookies: a redirect
would show a bundle to a stranger. A failure comes back as a value that says whether a byte can have left.
"""

import asyncio
import time
from collections.abc import Mapping
from dataclasses import dataclass
from types import TracebackType
from typing import Final, Self

import aiohttp
from yarl import URL

CONNECT: Final = 0.8  # seconds to a socket
TOTAL: Final = 2.0  # seconds for the whole exchange
LIMIT: Final = 2**20  # bytes of an answer that are read; a remote signer hands whole transactions back
CONNECTIONS: Final = 10  # per host; BuilderNet allows no more


@dataclass(frozen=True, slots=True)
class Reply:
    """An HTTP answer, whatever it says."""

    http: int
    body: bytes
    latency: float


@dataclass(frozen=True, slots=True)
class Silence:
    """No answer. ``sent``: the request may have been read all the same."""

    sent: bool
    detail: str
    latency: float


class Transport:
    """One keep-alive session per host."""

    def __init__(self, *, connect: float = CONNECT, total: float = TOTAL, connections: int = CONNECTIONS) -> None:
        self._connect = connect
        self._total = total
        self._connections = connections
        self._sessions: dict[URL, aiohttp.ClientSession] = {}

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Close every connection."""
        sessions, self._sessions = self._sessions, {}
        await asyncio.gather(*(session.close() for session in sessions.values()))

    async def post(self, url: str, body: bytes, headers: Mapping[str, str], budget: float) -> Reply | Silence:
        """Post within ``budget`` seconds, at most the transport's own limit."""
        started = time.perf_counter()
        timeout = aiohttp.ClientTimeout(total=min(budget, self._total), sock_connect=min(budget, self._connect))
        try:
            async with self._session(url).post(
                url,
                data=body,
                headers={"Content-Type": "application/json", **headers},
                timeout=timeout,
                allow_redirects=False,
            ) as response:
                return Reply(response.status, await _bounded(response), time.perf_counter() - started)
        except (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError) as error:
            return Silence(sent=False, detail=type(error).__name__, latency=time.perf_counter() - started)
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            return Silence(sent=True, detail=type(error).__name__, latency=time.perf_counter() - started)

    def _session(self, url: str) -> aiohttp.ClientSession:
        origin = URL(url).origin()
        session = self._sessions.get(origin)
        if session is None:
            session = self._sessions[origin] = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(limit=self._connections, ttl_dns_cache=300, keepalive_timeout=60),
                cookie_jar=aiohttp.DummyCookieJar(),
            )
        return session


async def _bounded(response: aiohttp.ClientResponse) -> bytes:
    body = bytearray()
    async for chunk in response.content.iter_chunked(LIMIT):
        body += chunk
        if len(body) > LIMIT:
            break
    return bytes(body[:LIMIT])
