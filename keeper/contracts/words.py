"""32-byte words, of which all of the executor's calldata is made."""

from collections.abc import Iterable
from typing import Final

WORD: Final = 32


def fit(value: int, most: int) -> int:
    """The value, or ``ValueError``: a field that does not fit is never cut off."""
    if not 0 <= value <= most:
        raise ValueError(f"{value} does not fit: at most {most}")
    return value


def joined(words: Iterable[int]) -> bytes:
    """Words as bytes."""
    return b"".join(word.to_bytes(WORD, "big") for word in words)
