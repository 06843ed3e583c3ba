"""What a token says of itself."""

from typing import Final

SYMBOL: Final = "0x95d89b41"  # symbol()
DECIMALS: Final = "0x313ce567"  # decimals()
_WORD: Final = 32


def symbol_of(answer: str | None) -> str:
    """The answer to ``symbol()``; empty when there is none. Old tokens answer with one word instead of a string."""
    data = bytes.fromhex((answer or "0x")[2:])
    if len(data) > _WORD:
        size = int.from_bytes(data[_WORD : 2 * _WORD], "big")
        return data[2 * _WORD : 2 * _WORD + size].decode(errors="replace")
    return data.rstrip(b"\0").decode(errors="replace")
