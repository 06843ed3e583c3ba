"""Answers of price feeds that are not on chain yet, read from the calls that will bring them.

Law: a call that is not exactly a report is ``None``: other traffic has the same selectors. Only calldata is read; who
sends it, and whether it will land, is not known here.

    forward(address to, bytes data)                                        6fadcf72   a forwarder, on its way to ``to``
    transmit(bytes32[3], bytes report, bytes32[], bytes32[], bytes32)      b1dc65a4   to an aggregator
    transmitSecondary(the same)                                            ba0cb29e   to an SVR aggregator
    report = (uint32 time, bytes32 observers, int192[] observations, int192 juels)
"""

from dataclasses import dataclass
from typing import Final

from keeper.core.events import signed_word, word, word_address
from keeper.core.units import Address, Hash

FORWARD: Final = "0x6fadcf72"
TRANSMITS: Final = frozenset({"0xb1dc65a4", "0xba0cb29e"})
_HEAD: Final = 10  # characters of a selector
_WORD: Final = 64
_REPORT: Final = 3  # the word of a transmit where the place of the report is
_OBSERVATIONS: Final = 2  # the word of a report where the place of the observations is
_MOST: Final = 31  # observers of one report
_INT192: Final = 1 << 191


@dataclass(frozen=True, slots=True)
class Foretold:
    """What a feed will have answered once a transaction landed."""

    feed: Address
    answer: int


@dataclass(frozen=True, slots=True)
class Trigger:
    """A transaction that is not on chain yet. ``raw``: all of it, where it is public; else it is known by its name."""

    name: Hash
    raw: bytes | None = None


def foretold(to: Address, data: str) -> Foretold | None:
    """The answer that a call brings, if it brings one."""
    to, data = Address(to.lower()), data.lower()
    if data[:_HEAD] == FORWARD:
        words = "0x" + data[_HEAD:]
        inner = _bytes(words, 1)
        return None if inner is None or len(words) < 2 + _WORD else foretold_by(word_address(words, 0), inner)
    return foretold_by(to, data)


def foretold_by(aggregator: Address, data: str) -> Foretold | None:
    """The same of a call that an aggregator itself understands."""
    if data[:_HEAD] not in TRANSMITS:
        return None
    report = _bytes("0x" + data[_HEAD:], _REPORT)
    answer = None if report is None else _median(report)
    return None if answer is None else Foretold(aggregator, answer)


def _median(report: str) -> int | None:
    """The middle of the observations, as the aggregator takes it."""
    at = _number(report, _OBSERVATIONS)
    if at is None or at % 32:
        return None
    first = at // 32
    count = _number(report, first)
    if count is None or not 0 < count <= _MOST or len(report) < 2 + _WORD * (first + 1 + count):
        return None
    seen = [signed_word(report, first + 1 + place) for place in range(count)]
    if seen != sorted(seen) or not all(-_INT192 <= one < _INT192 for one in seen):
        return None
    return seen[count // 2]


def _bytes(words: str, at: int) -> str | None:
    """Dynamic bytes whose place is told by a word, as 0x-prefixed hex."""
    place = _number(words, at)
    if place is None or place % 32:
        return None
    size = _number(words, place // 32)
    start = 2 + 2 * place + _WORD
    if size is None or len(words) < start + 2 * size:
        return None
    return "0x" + words[start : start + 2 * size]


def _number(words: str, at: int) -> int | None:
    """A word that is a place or a size: small, and there."""
    if len(words) < 2 + _WORD * (at + 1):
        return None
    try:
        value = word(words, at)
    except ValueError:
        return None
    return value if value < len(words) else None
