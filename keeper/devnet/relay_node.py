"""The stand-in relay's own line to the node: asynchronous, because the keeper under test runs in the same loop.

Law: this is the stage, not the play: nothing is retried, a JSON-RPC error is an ``RpcError`` with the node's own words.
"""

from collections.abc import Sequence
from typing import Any, TypeAlias

import aiohttp
import msgspec

from keeper.errors import RpcError

Call: TypeAlias = tuple[str, Sequence[object]]


class Node:
    """JSON-RPC over one kept connection."""

    def __init__(self, url: str) -> None:
        self.url = url
        self._http = aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=60))

    async def close(self) -> None:
        await self._http.close()

    async def rpc(self, method: str, *params: object) -> Any:  # noqa: ANN401 - whatever the node answers
        """One request's result."""
        answer = await self._post(_request(0, method, params))
        return _result(method, answer)

    async def batch(self, calls: Sequence[Call]) -> list[Any]:
        """Results in the order of the calls; the first error raises. Reads only: the node answers them all at once."""
        if not calls:
            return []
        answers = await self._post([_request(i, method, params) for i, (method, params) in enumerate(calls)])
        in_order = sorted(answers, key=lambda one: int(one["id"]))
        return [_result(method, answer) for (method, _), answer in zip(calls, in_order, strict=True)]

    async def forward(self, body: bytes) -> bytes:
        """Somebody else's request, as it is."""
        async with self._http.post(self.url, data=body, headers={"Content-Type": "application/json"}) as response:
            return await response.read()

    async def _post(self, body: object) -> Any:  # noqa: ANN401 - whatever the node answers
        return msgspec.json.decode(await self.forward(msgspec.json.encode(body)))


def _request(number: int, method: str, params: Sequence[object]) -> dict[str, object]:
    return {"jsonrpc": "2.0", "id": number, "method": method, "params": params}


def _result(method: str, answer: dict[str, Any]) -> Any:  # noqa: ANN401 - whatever the node answers
    error = answer.get("error")
    if error is not None:
        raise RpcError(f"{method}: {error.get('message')}", code=error.get("code"))
    return answer.get("result")
