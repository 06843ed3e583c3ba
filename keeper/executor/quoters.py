"""External quotes over HTTP. Off unless configured; one implementation for every service that answers JSON.

Laws
- A quote is a wish to be simulated: the router must be allow-listed, the calldata must fit the executor, and nothing
  the service says is used for anything else.
- One deadline, no retry: a late quote is no quote. Every failure is a value with a reason that holds no credential.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import aiohttp
import msgspec

from keeper.core.quoting import ExternalQuote, NoQuote, QuoteRequest
from keeper.core.units import MAX_U128, Address, Amount

MAX_BODY: Final = 256 * 1024
MAX_CALLDATA: Final = 60 * 32  # bytes: what one route of the executor can carry beside its hop
_HEX: Final = re.compile(r"0x(?:[0-9a-fA-F]{2})+")


@dataclass(frozen=True, slots=True)
class Fields:
    """Where in the answer things are, as dotted paths."""

    router: str = "transaction.to"
    data: str = "transaction.data"
    amount_out: str = "buyAmount"


ZERO_X: Final = Fields()
ONE_INCH: Final = Fields(router="tx.to", data="tx.data", amount_out="dstAmount")
DIALECTS: Final[Mapping[str, Fields]] = {"0x": ZERO_X, "1inch": ONE_INCH}


@dataclass(frozen=True, slots=True)
class HttpQuoter:
    """One service. ``url`` is a template with ``{sold} {bought} {amount} {taker}``."""

    name: str
    session: aiohttp.ClientSession
    url: str
    routers: frozenset[Address]
    fields: Fields = ZERO_X
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)  # may hold a key
    timeout: float = 0.8  # seconds, for all of it

    async def quote(self, request: QuoteRequest) -> ExternalQuote | NoQuote:
        """Ask once."""
        url = self.url.format(sold=request.sold, bought=request.bought, amount=request.amount, taker=request.taker)
        limit = aiohttp.ClientTimeout(total=self.timeout)
        try:
            async with self.session.get(url, headers=self.headers, timeout=limit, allow_redirects=False) as response:
                body = await _bounded(response)
                status = response.status
        except TimeoutError:
            return NoQuote(self.name, f"no answer within {self.timeout} s")
        except aiohttp.ClientError as error:
            return NoQuote(self.name, type(error).__name__)
        if status != 200:  # noqa: PLR2004 - OK
            return NoQuote(self.name, f"HTTP {status}")
        if len(body) > MAX_BODY:
            return NoQuote(self.name, f"more than {MAX_BODY} bytes")
        return self._read(request, body)

    def _read(self, request: QuoteRequest, body: bytes) -> ExternalQuote | NoQuote:
        try:
            answer = msgspec.json.decode(body)
        except msgspec.DecodeError:
            return NoQuote(self.name, "not JSON")
        router, data, out = (
            _find(answer, path) for path in (self.fields.router, self.fields.data, self.fields.amount_out)
        )
        if not isinstance(router, str) or Address(router.lower()) not in self.routers:
            return NoQuote(self.name, "a router that is not allow-listed")
        if not isinstance(data, str) or not _HEX.fullmatch(data) or len(data) // 2 - 1 > MAX_CALLDATA:
            return NoQuote(self.name, "calldata that cannot be carried")
        amount = _integer(out)
        if amount is None or not 0 < amount <= MAX_U128:
            return NoQuote(self.name, "no amount")
        return ExternalQuote(self.name, request, Amount(amount), Address(router.lower()), data.lower())


async def _bounded(response: aiohttp.ClientResponse) -> bytes:
    """The body, or a little more than is allowed of it."""
    body = b""
    async for part in response.content.iter_any():
        body += part
        if len(body) > MAX_BODY:
            break
    return body


def _find(answer: Any, path: str) -> Any:  # noqa: ANN401 - whatever the service sent
    for key in path.split("."):
        answer = answer.get(key) if isinstance(answer, dict) else None
    return answer


def _integer(value: object) -> int | None:
    """Amounts come as decimal strings, or as numbers."""
    if isinstance(value, bool):
        return None
    if isinstance(value, int):
        return value
    return int(value) if isinstance(value, str) and value.isascii() and value.isdigit() else None
