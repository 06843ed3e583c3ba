"""What a dialect produces and what it can do.

Law: a dialect is pure. It turns a submission into bytes; whoever signs and posts uses exactly those bytes, because a
relay checks the signature over what it received, not over what was meant.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

import msgspec

from keeper.core.submissions import Capability, Submission


@dataclass(frozen=True, slots=True)
class Call:
    """One HTTP request body, with the headers only this dialect wants."""

    body: bytes = field(repr=False)  # holds raw transactions
    headers: tuple[tuple[str, str], ...] = field(default=(), repr=False)  # may hold an authorization


class Dialect(Protocol):
    """How one kind of channel wants to be spoken to."""

    @property
    def capabilities(self) -> Capability: ...
    @property
    def identified(self) -> bool:
        """Whether requests carry the signature of the reputation key."""
        ...

    def submit(self, submission: Submission, uuid: str) -> Call: ...
    def cancel(self, submission: Submission, uuid: str) -> Call | None:
        """The request to forget the submission, or None when the channel knows no such thing."""
        ...

    def probe(self) -> Call:
        """A request without consequences that a living server answers."""
        ...

    @property
    def must_prove(self) -> bool:
        """Whether the probe has to succeed before the first submission leaves."""
        ...


def rpc(method: str, *params: object) -> bytes:
    """A JSON-RPC request with positional parameters, serialised once."""
    return _bytes(method, list(params))


def rpc_object(method: str, params: Mapping[str, object]) -> bytes:
    """The same with the parameters as one object."""
    return _bytes(method, params)


def hexed(raw: bytes) -> str:
    """Bytes as JSON-RPC wants them."""
    return "0x" + raw.hex()


def _bytes(method: str, params: object) -> bytes:
    return msgspec.json.encode({"jsonrpc": "2.0", "id": 1, "method": method, "params": params})


class Speaker:
    """What most dialects have in common; each overrides what it does otherwise."""

    __slots__ = ()

    capabilities = Capability.NONE
    identified = True
    must_prove = False

    def cancel(self, submission: Submission, uuid: str) -> Call | None:  # noqa: ARG002 - the default answer: cannot
        return None

    def probe(self) -> Call:
        return Call(rpc("web3_clientVersion"))
