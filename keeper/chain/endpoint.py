"""One HTTP endpoint: its connection, its bounds, its way of taking batches.

Law: every ask has a deadline and a place among a bounded number in flight. Whatever goes wrong leaves as an
``RpcError``: never an aiohttp error, and never with the URL in it, for URLs carry keys. Nothing is retried here: the
pool does that, for reads.
"""

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, TypeVar

import aiohttp
from yarl import URL

from keeper.chain import wire
from keeper.chain.health import Record
from keeper.chain.ranges import Width
from keeper.chain.wire import Request, Shape
from keeper.errors import RpcError, RpcTimeout, TooMuch

T = TypeVar("T")
Call = tuple[str, Sequence[object]]  # a method and its parameters

MAX_REST: Final = 10.0  # seconds; a longer Retry-After is asked about again by then: a block may hang on it
TOO_MANY_REQUESTS: Final = 429
SERVICE_UNAVAILABLE: Final = 503


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds on what one endpoint is asked. Seconds, calls and bytes."""

    timeout: float = 5.0  # one request
    long_timeout: float = 10.0  # logs of a range, which nodes answer slowly
    in_flight: int = 32  # requests
    batch: int = 100  # calls in one request, until the endpoint says less
    body: int = 64 << 20  # a longer answer is refused as too large


class Endpoint:
    """Asks one URL, and knows what it takes and how it fared."""

    def __init__(self, url: str, name: str, limits: Limits) -> None:
        self.name = name  # the host: what logs and errors show
        self.limits = limits
        self.batch = limits.batch
        self.width = Width()
        self.record = Record()
        self.by_hash: bool | None = None  # takes a block hash where a block is meant (EIP-1898); learned by asking
        self._url = URL(url)
        self._slots = asyncio.Semaphore(limits.in_flight)
        self._session: aiohttp.ClientSession | None = None
        self.under_way = 0  # requests that are not answered yet

    async def close(self) -> None:
        if self._session is not None:
            await self._session.close()
            self._session = None

    async def ask(self, shape: Shape[T], method: str, params: Sequence[object], seconds: float | None = None) -> T:
        """One call, once."""
        body, status = await self._post(wire.encode(Request(0, method, params)), seconds)
        return wire.one(body, shape, status)

    async def ask_all(self, shape: Shape[T], calls: Sequence[Call], seconds: float | None = None) -> list[T | RpcError]:
        """Calls in as few requests as the endpoint takes, answered in order, each with its result or its error."""
        answers: list[T | RpcError] = []
        while len(answers) < len(calls):
            chunk = calls[len(answers) : len(answers) + self.batch]
            try:
                found = await self._ask_chunk(shape, chunk, seconds)
            except RpcError as error:
                if len(chunk) == 1 or not _about_batches(error):
                    raise
                self.batch = max(1, len(chunk) // 2)
            else:
                answers.extend(found)
        return answers

    async def _ask_chunk(self, shape: Shape[T], calls: Sequence[Call], seconds: float | None) -> list[T | RpcError]:
        if len(calls) == 1:
            return [await self._ask_or_error(shape, calls[0], seconds)]
        requests = [Request(i, method, params) for i, (method, params) in enumerate(calls)]
        body, status = await self._post(wire.encode(requests), seconds)
        answers = wire.many(body, shape, len(calls), status)
        for answer in answers:
            if isinstance(answer, RpcError) and _names_batches(answer):
                raise answer
        return answers

    async def _ask_or_error(self, shape: Shape[T], call: Call, seconds: float | None) -> T | RpcError:
        try:
            answer = await self.ask(shape, *call, seconds)
        except RpcTimeout:
            raise
        except RpcError as error:
            return error
        return answer

    async def _post(self, body: bytes, seconds: float | None) -> tuple[bytes, int]:
        """Send bytes, receive bytes: the one place where aiohttp's errors become ours."""
        if self._session is None:
            self._session = aiohttp.ClientSession(
                timeout=aiohttp.ClientTimeout(total=None),  # ours is asyncio.timeout, which counts the queue too
                connector=aiohttp.TCPConnector(limit=self.limits.in_flight),
                headers={"Content-Type": "application/json"},
            )
        seconds = seconds or self.limits.timeout
        self.under_way += 1
        try:
            async with (
                asyncio.timeout(seconds),
                self._slots,
                self._session.post(self._url, data=body, allow_redirects=False) as response,
            ):
                self._rest(response)
                return await self._read(response), response.status
        except TimeoutError:
            raise RpcTimeout(f"{self.name}: no answer in {seconds:g} s", transient=True) from None
        except (aiohttp.ClientError, OSError) as error:  # from None: their texts quote the URL
            raise RpcError(f"{self.name}: {type(error).__name__}", transient=True) from None
        finally:
            self.under_way -= 1

    async def _read(self, response: aiohttp.ClientResponse) -> bytes:
        body = bytearray()
        async for chunk in response.content.iter_any():
            body += chunk
            if len(body) > self.limits.body:
                response.close()
                raise TooMuch(f"{self.name}: an answer of more than {self.limits.body} bytes")
        return bytes(body)

    def _rest(self, response: aiohttp.ClientResponse) -> None:
        """An endpoint that asks to be left alone is left alone."""
        said = response.headers.get("Retry-After", "")
        if response.status == TOO_MANY_REQUESTS:
            seconds = float(said) if said.isdigit() else 1.0
        elif response.status == SERVICE_UNAVAILABLE and said.isdigit():
            seconds = float(said)
        else:
            return
        self.record.rests_until = time.monotonic() + min(seconds, MAX_REST)


def _names_batches(error: RpcError) -> bool:
    return "batch" in error.message.lower()


def _about_batches(error: RpcError) -> bool:
    """Whether less at once could help: anything permanent that is said of the batch as a whole."""
    return isinstance(error, TooMuch) or not error.transient or _names_batches(error)


def names(urls: Sequence[str]) -> list[str]:
    """What endpoints are called in logs: host and port, numbered where they share it. Never the path: it is a key."""
    hosts = [url.authority.rpartition("@")[2] for url in map(URL, urls)]
    return [f"{host}#{i}" if hosts.count(host) > 1 else host for i, host in enumerate(hosts, 1)]
