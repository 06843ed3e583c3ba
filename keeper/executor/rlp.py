"""Recursive length prefix, both ways.

Law: one value has one spelling. ``decode`` refuses every other (long forms of short lengths, trailing bytes).
"""

from collections.abc import Sequence
from typing import Final, TypeAlias

from keeper.errors import DecodeError

STRING: Final = 0x80  # below it a byte spells itself
LIST: Final = 0xC0
SHORT: Final = 56  # from this size on the size itself is spelled out
DEPTH: Final = 64  # nothing real nests deeper than 4

Item: TypeAlias = "bytes | Sequence[Item]"


def integer(value: int) -> bytes:
    """A scalar: big endian, no leading zero, zero is empty."""
    return value.to_bytes((value.bit_length() + 7) // 8, "big")


def encode(item: Item) -> bytes:
    """The bytes of an item."""
    if isinstance(item, bytes):
        if len(item) == 1 and item[0] < STRING:
            return item
        return _head(len(item), STRING) + item
    return listed(b"".join(map(encode, item)))


def listed(payload: bytes) -> bytes:
    """The list whose items' encodings, joined, are ``payload``."""
    return _head(len(payload), LIST) + payload


def decode(data: bytes) -> Item:
    """The one item that ``data`` spells."""
    item, end = _decode(data, 0)
    if end != len(data):
        raise DecodeError("RLP: bytes after the end")
    return item


def _head(size: int, offset: int) -> bytes:
    if size < SHORT:
        return bytes((offset + size,))
    length = integer(size)
    return bytes((offset + SHORT - 1 + len(length),)) + length


def _decode(data: bytes, at: int, depth: int = 0) -> tuple[Item, int]:
    if at >= len(data):
        raise DecodeError("RLP: cut short")
    if depth > DEPTH:
        raise DecodeError("RLP: nested too deep")
    first = data[at]
    if first < STRING:
        return data[at : at + 1], at + 1
    offset = STRING if first < LIST else LIST
    start, end = _span(data, at, offset)
    if offset == STRING:
        if end - start == 1 and data[start] < STRING:
            raise DecodeError("RLP: a single byte spelled long")
        return data[start:end], end
    items: list[Item] = []
    while start < end:
        item, start = _decode(data, start, depth + 1)
        items.append(item)
    if start != end:
        raise DecodeError("RLP: an item reaches beyond its list")
    return tuple(items), end


def _span(data: bytes, at: int, offset: int) -> tuple[int, int]:
    """Where the payload of the string or list at ``at`` starts and ends."""
    short = data[at] - offset
    if short < SHORT:
        start, size = at + 1, short
    else:
        start = at + 2 + short - SHORT
        length = data[at + 1 : start]
        size = int.from_bytes(length, "big")
        if not length or length[0] == 0 or size < SHORT:
            raise DecodeError("RLP: a length spelled long")
    if start + size > len(data):
        raise DecodeError("RLP: cut short")
    return start, start + size
