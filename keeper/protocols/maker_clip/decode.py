"""Logs of a Maker market as typed values.

Laws
- A log is recognised by its first topic; the caller knows whose logs it hands in, because notes of the vat have other
  topics than those of its neighbours: the vat's are the first three arguments, theirs the caller and the first two.
- What moves neither an urn nor an auction nor the terms of a collateral says nothing here.
"""

from collections.abc import Callable
from typing import Final

from keeper.core.events import Log, signed_word, topic_address, word, word_address
from keeper.core.units import Address
from keeper.protocols.maker_clip import events as e
from keeper.protocols.maker_clip import topics as t

_CALLDATA: Final = 2 + 2 * 64 + 8  # where a note's first argument begins: after an offset, a length and a selector
Decoder = Callable[[Log], tuple[e.Event, ...]]


def ilk_name(word_: str) -> str:
    """A collateral's name as people write it; its word where that is not plain text."""
    raw = bytes.fromhex(word_[2:66]).rstrip(b"\0")
    return raw.decode() if raw and all(33 <= byte < 127 and byte != 58 for byte in raw) else word_[:66]  # noqa: PLR2004


def ilk_word(name: str) -> int:
    """The word of a name."""
    return int(name, 16) if name.startswith("0x") else int.from_bytes(name.encode().ljust(32, b"\0"), "big")


def of_vat(log: Log) -> tuple[e.Event, ...]:
    """The vat's notes."""
    return _decoded(_VAT, log)


def of_neighbour(log: Log) -> tuple[e.Event, ...]:
    """Notes of the jug and the spotter."""
    return _decoded(_NEIGHBOUR, log)


def of_dog(log: Log) -> tuple[e.Event, ...]:
    """The dog's events."""
    return _decoded(_DOG, log)


def of_clip(log: Log) -> tuple[e.Event, ...]:
    """A clipper's events."""
    return _decoded(_CLIP, log)


def _decoded(decoders: dict[str, Decoder], log: Log) -> tuple[e.Event, ...]:
    decoder = decoders.get(log.topics[0]) if log.topics else None
    return decoder(log) if decoder else ()


def _argument(log: Log, at: int) -> int:
    """A signed argument of the noted call."""
    start = _CALLDATA + 64 * at
    return signed_word("0x" + log.data[start : start + 64], 0)


def _init(log: Log) -> tuple[e.Event, ...]:
    return (e.Listed(ilk_name(log.topics[1])),)


def _frob(log: Log) -> tuple[e.Event, ...]:
    return (e.Moved(ilk_name(log.topics[1]), topic_address(log.topics[2]), _argument(log, 4), _argument(log, 5)),)


def _fork(log: Log) -> tuple[e.Event, ...]:
    ilk, ink, art = ilk_name(log.topics[1]), _argument(log, 3), _argument(log, 4)
    source, target = (topic_address(topic) for topic in log.topics[2:4])
    return e.Moved(ilk, source, -ink, -art), e.Moved(ilk, target, ink, art)


def _touched(at: int) -> Decoder:
    def decoder(log: Log) -> tuple[e.Event, ...]:
        return (e.IlkTouched(ilk_name(log.topics[at])),)

    return decoder


def _clipped(log: Log) -> tuple[e.Event, ...]:
    ilk = ilk_name(log.topics[1])
    if ilk_name(log.topics[2]) != "clip":
        return (e.IlkTouched(ilk),)
    return e.Clipped(ilk, word_address(log.data, 0)), e.IlkTouched(ilk)


def _bark(log: Log) -> tuple[e.Event, ...]:
    ilk, number, data = ilk_name(log.topics[1]), int(log.topics[3], 16), log.data
    urn = topic_address(log.topics[2])
    return e.Barked(ilk, urn, word(data, 0), word(data, 2), word_address(data, 3), number), e.IlkTouched(ilk)


def _started(log: Log) -> tuple[e.Event, ...]:
    number, usr, kpr = int(log.topics[1], 16), topic_address(log.topics[2]), topic_address(log.topics[3])
    top, tab, lot, coin = (word(log.data, at) for at in range(4))
    return (e.Started(log.address, number, top, tab, lot, usr, kpr, coin),)


def _bought(log: Log) -> tuple[e.Event, ...]:
    price, owe, tab, lot = (word(log.data, at) for at in range(1, 5))
    return (e.Bought(log.address, int(log.topics[1], 16), price, owe, tab, lot, topic_address(log.topics[2])),)


def _yank(log: Log) -> tuple[e.Event, ...]:
    return (e.Ended(Address(log.address), word(log.data, 0)),)


_VAT: Final[dict[str, Decoder]] = {
    t.INIT: _init,
    t.FROB: _frob,
    t.FORK: _fork,
    t.GRAB: _frob,
    t.FOLD: _touched(1),
    t.NOTED_FILE: _touched(1),
}
_NEIGHBOUR: Final[dict[str, Decoder]] = {
    t.DRIP: _touched(2),
    t.NOTED_FILE: _touched(2),
    t.NOTED_FILE_ADDRESS: _touched(2),
}
_DOG: Final[dict[str, Decoder]] = {
    t.BARK: _bark,
    t.DIGS: _touched(1),
    t.FILE_ILK: _touched(1),
    t.FILE_CLIP: _clipped,
}
_CLIP: Final[dict[str, Decoder]] = {t.KICK: _started, t.REDO: _started, t.TAKE: _bought, t.YANK: _yank}
