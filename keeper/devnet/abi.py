"""Calldata and results from a package's ABI, without the cost of a contract library.

Law: selectors and types are worked out once per ABI; encoding a call is a dictionary look-up and one ``eth_abi`` call.
Reverts are told in words: ``Error(string)``, ``Panic``, and every custom error of every ABI seen so far.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from eth_abi.abi import decode, encode
from eth_abi.exceptions import DecodingError
from eth_utils.crypto import keccak

from keeper.errors import DevnetError

_ERROR_STRING: Final = bytes.fromhex("08c379a0")
_PANIC: Final = bytes.fromhex("4e487b71")
_custom_errors: dict[bytes, tuple[str, tuple[str, ...]]] = {}


@dataclass(frozen=True, slots=True)
class Function:
    """One function of an ABI."""

    signature: str
    selector: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]


def _type(item: dict[str, Any]) -> str:
    kind = str(item["type"])
    if not kind.startswith("tuple"):
        return kind
    return f"({','.join(_type(part) for part in item['components'])}){kind.removeprefix('tuple')}"


def _types(items: Sequence[dict[str, Any]]) -> tuple[str, ...]:
    return tuple(_type(item) for item in items)


class Abi:
    """The functions of one contract, by name, by name and number of arguments, or by full signature."""

    def __init__(self, items: Sequence[dict[str, Any]]) -> None:
        self.items = items
        self._constructor: tuple[str, ...] = ()
        self._by_name: dict[str, list[Function]] = {}
        self._by_signature: dict[str, Function] = {}
        self.topics: dict[str, str] = {}
        for item in items:
            self._add(item)

    def _add(self, item: dict[str, Any]) -> None:
        kind, inputs = item["type"], _types(item.get("inputs", ()))
        if kind == "constructor":
            self._constructor = inputs
            return
        if kind not in ("function", "event", "error"):
            return
        signature = f"{item['name']}({','.join(inputs)})"
        digest = keccak(text=signature)
        if kind == "function":
            function = Function(signature, "0x" + digest[:4].hex(), inputs, _types(item.get("outputs", ())))
            self._by_name.setdefault(item["name"], []).append(function)
            self._by_signature[signature] = function
        elif kind == "event":
            self.topics[item["name"]] = "0x" + digest.hex()
        else:
            _custom_errors[digest[:4]] = (item["name"], inputs)

    def function(self, name: str, arguments: int | None = None) -> Function:
        """The function called ``name``; overloads are told apart by ``arguments`` or by a full signature."""
        if exact := self._by_signature.get(name):
            return exact
        found = self._by_name.get(name, [])
        if arguments is not None and len(found) > 1:
            found = [one for one in found if len(one.inputs) == arguments]
        if len(found) != 1:
            msg = f"{name} with {arguments} arguments names {len(found)} functions of this ABI; use the full signature"
            raise DevnetError(msg)
        return found[0]

    def has(self, name: str) -> bool:
        return name in self._by_name

    def selectors(self) -> list[str]:
        """Of all functions, in the ABI's order."""
        return [function.selector for function in self._by_signature.values()]

    def encode(self, name: str, *args: object) -> str:
        """Calldata of a call."""
        function = self.function(name, len(args))
        return function.selector + encode(function.inputs, args).hex()

    def encode_constructor(self, *args: object) -> str:
        """Constructor arguments, without ``0x``, to be put behind the creation code."""
        return encode(self._constructor, args).hex()

    def decode(self, name: str, data: str, arguments: int | None = None) -> Any:  # noqa: ANN401 - as the ABI says
        """The result of a call: the value when there is one, else the tuple of them."""
        outputs = self.function(name, arguments).outputs
        values = decode(outputs, bytes.fromhex(data[2:]))
        return values[0] if len(values) == 1 else values


def describe_revert(data: str) -> str:
    """Revert data in words."""
    raw = bytes.fromhex(data.removeprefix("0x"))
    selector, body = raw[:4], raw[4:]
    try:
        if selector == _ERROR_STRING:
            return str(decode(("string",), body)[0])
        if selector == _PANIC:
            return f"panic {decode(('uint256',), body)[0]:#x}"
        if known := _custom_errors.get(selector):
            name, inputs = known
            return f"{name}({', '.join(map(str, decode(inputs, body)))})"
    except (DecodingError, UnicodeDecodeError):
        return f"revert data that does not decode: {data}"
    return f"revert data {data}" if raw else "no revert data"
