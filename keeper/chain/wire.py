"""JSON-RPC as bytes: requests out, typed answers in. No I/O.

Law: an answer is only what has the promised type. An error object, an error string, HTML, a cut body, a missing result
or a missing id is an ``RpcError``, never an empty answer. The bytes are read once, straight into typed values.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Generic, TypeVar

import msgspec
from msgspec import UNSET, Raw, UnsetType

from keeper.chain.faults import Fault, read_fault
from keeper.core.events import Block, Log
from keeper.core.units import BlockNumber, Hash, Timestamp, Wei
from keeper.errors import RpcError, TooMuch

T = TypeVar("T")
HTTP_TOO_LARGE: Final = 413
HTTP_ERROR: Final = 400
_QUOTED: Final = 160  # of a body that makes no sense, this much is shown

# --- what is sent ------------------------------------------------------------------------------------------------


class Request(msgspec.Struct, frozen=True, gc=False):
    """One call as it is sent."""

    id: int
    method: str
    params: Sequence[object]
    jsonrpc: str = "2.0"


encode: Final = msgspec.json.Encoder().encode


# --- what is received --------------------------------------------------------------------------------------------


class Answer(msgspec.Struct, Generic[T], frozen=True):
    """One response: a result, or a fault that is an object or a bare string."""

    id: int | str | None = None
    result: T | UnsetType = UNSET
    error: Fault | str | None = None


class Header(msgspec.Struct, frozen=True, gc=False, rename="camel"):
    """A block header as ``eth_getBlockBy*`` and ``newHeads`` send it."""

    number: str
    hash: str
    parent_hash: str
    timestamp: str
    gas_limit: str
    gas_used: str
    base_fee_per_gas: str | None = None  # where there is no base fee
    logs_bloom: str | None = None
    extra_data: str = ""

    @property
    def block(self) -> Block:
        return Block(
            number=BlockNumber(int(self.number, 16)),
            hash=Hash(self.hash),
            parent=Hash(self.parent_hash),
            timestamp=Timestamp(int(self.timestamp, 16)),
            base_fee=Wei(int(self.base_fee_per_gas or "0x0", 16)),
            gas_limit=int(self.gas_limit, 16),
            gas_used=int(self.gas_used, 16),
            extra=self.extra_data,
        )


@dataclass(frozen=True, slots=True)
class Shape(Generic[T]):
    """A promised result type, with the decoders of one response and of a batch of them."""

    kind: type[T]
    one: msgspec.json.Decoder[Answer[T]] = field(init=False)
    many: msgspec.json.Decoder[list[Answer[T]]] = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "one", msgspec.json.Decoder(Answer[self.kind]))  # type: ignore[name-defined]
        object.__setattr__(self, "many", msgspec.json.Decoder(list[Answer[self.kind]]))  # type: ignore[name-defined]


TEXT: Final = Shape(str)
RAW: Final = Shape(Raw)
ANY: Final[Shape[Any]] = Shape(Any)
LOGS: Final = Shape(list[Log])
HEADER: Final[Shape[Header | None]] = Shape(Header | None)  # type: ignore[arg-type]
MIXED: Final[Shape[str | Header | list[Log] | None]] = Shape(str | Header | list[Log] | None)  # type: ignore[arg-type]
_ABSENT: Final = Answer[Any]()


def one(body: bytes, shape: Shape[T], status: int = 200) -> T:
    """The result of a single call, or the error it is."""
    try:
        answer = shape.one.decode(body)
    except msgspec.MsgspecError as error:
        raise _nonsense(body, status, error) from None
    result = settle(answer)
    if isinstance(result, RpcError):
        raise result
    return result


def many(body: bytes, shape: Shape[T], count: int, status: int = 200) -> list[T | RpcError]:
    """The results of a batch with the ids ``0..count-1``, in order. Raises when the batch as a whole failed."""
    try:
        answers = shape.many.decode(body)
    except msgspec.MsgspecError as error:
        raise _batch_fault(body, status, error) from None
    found: dict[int | str | None, Answer[T]] = {answer.id: answer for answer in answers}
    return [settle(found.get(i, _ABSENT)) for i in range(count)]


def settle(answer: Answer[T]) -> T | RpcError:
    """A result, or the error that stands in its place."""
    if answer.error is not None:
        return read_fault(answer.error)
    if isinstance(answer.result, UnsetType):  # also a call that the batch's answer leaves out
        return RpcError("neither result nor error", transient=True)
    return answer.result


def _batch_fault(body: bytes, status: int, error: msgspec.MsgspecError) -> RpcError:
    """A batch answered by one error object, or by nonsense."""
    try:
        answer = RAW.one.decode(body)
    except msgspec.MsgspecError:
        return _nonsense(body, status, error)
    if answer.error is None:
        return _nonsense(body, status, error)
    return read_fault(answer.error)


def _nonsense(body: bytes, status: int, error: msgspec.MsgspecError) -> RpcError:
    """A body that is not the promised JSON."""
    if status == HTTP_TOO_LARGE:
        return TooMuch(f"HTTP {status}", code=status)
    shown = body[:_QUOTED].decode(errors="replace")
    if status >= HTTP_ERROR:
        return RpcError(f"HTTP {status}: {shown}", code=status, transient=passing(status))
    return RpcError(f"malformed answer ({error}): {shown}", transient=True)


def passing(status: int) -> bool:
    """Whether an HTTP failure may be gone a moment later."""
    return status in {408, 425, 429} or status >= 500  # noqa: PLR2004 - HTTP's own numbers
