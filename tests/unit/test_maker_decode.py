"""Topics are what their signatures hash to, and logs say what was encoded into them."""

import re
from pathlib import Path
from typing import Any

import pytest
from eth_abi.abi import encode
from eth_utils.crypto import keccak

from keeper.core.events import Log
from keeper.core.units import Address, Hash
from keeper.protocols.maker_clip import calls, decode, topics
from keeper.protocols.maker_clip import events as e

HERE, A, B, C = (Address("0x" + digit * 40) for digit in "1abc")
ETH = "ETH-A"
WORD = "0x" + ETH.encode().hex().ljust(64, "0")
BIG = 2**200 + 12345
SOURCE = Path(topics.__file__).read_text()
DECLARED = {
    name: (kind, signature) for kind, signature, name in re.findall(r"# (event|note) (\S+)\n(\w+): Final", SOURCE)
}


def test_topics_are_hashes_and_selectors_of_their_signatures() -> None:
    for name, (kind, signature) in DECLARED.items():
        digest = keccak(text=signature)
        expected = digest.hex() if kind == "event" else digest[:4].hex().ljust(64, "0")
        assert getattr(topics, name) == "0x" + expected, name


def test_every_topic_has_its_signature() -> None:
    constants = {name for name in vars(topics) if name.isupper()}
    assert set(DECLARED) == constants


def test_selectors_are_hashes_of_their_signatures() -> None:
    for signature, selector in calls.SELECTORS.items():
        assert "0x" + keccak(text=signature)[:4].hex() == selector, signature


def log(marks: tuple[str, ...], data: str) -> Log:
    nothing = Hash("0x" + "00" * 32)
    return Log(HERE, marks, data, "0x1", nothing, nothing, "0x0", "0x0")


def word(value: Any) -> str:
    if isinstance(value, str):
        return value if len(value) == 66 else "0x" + value[2:].rjust(64, "0")
    return f"0x{value % 2**256:064x}"


def noted(name: str, *arguments: Any, caller: Address | None = None) -> Log:
    """A note: of the vat's, the first three arguments; of its neighbours', the caller and the first two."""
    words = [word(argument) for argument in arguments]
    called = bytes.fromhex(getattr(topics, name)[2:10] + "".join(one[2:] for one in words)).ljust(224, b"\0")
    marks = words if caller is None else [word(caller), *words]
    filled = [*marks, *["0x" + "00" * 32] * 3][:3]
    return log((getattr(topics, name), *filled), "0x" + encode(["bytes"], [called]).hex())


def told(name: str, indexed: tuple[Any, ...], rest: tuple[Any, ...]) -> Log:
    return log((getattr(topics, name), *map(word, indexed)), "0x" + "".join(word(one)[2:] for one in rest))


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        (decode.of_vat(noted("INIT", WORD)), (e.Listed(ETH),)),
        (decode.of_vat(noted("FROB", WORD, A, B, C, -7, BIG)), (e.Moved(ETH, A, -7, BIG),)),
        (decode.of_vat(noted("GRAB", WORD, A, B, C, -BIG, -1)), (e.Moved(ETH, A, -BIG, -1),)),
        (decode.of_vat(noted("FORK", WORD, A, B, 5, -6)), (e.Moved(ETH, A, -5, 6), e.Moved(ETH, B, 5, -6))),
        (decode.of_vat(noted("FOLD", WORD, A, 5)), (e.IlkTouched(ETH),)),
        (decode.of_vat(noted("NOTED_FILE", WORD, 1, 2)), (e.IlkTouched(ETH),)),
        (decode.of_vat(noted("MOVE", A, B, 2)), ()),
        (decode.of_neighbour(noted("DRIP", WORD, caller=A)), (e.IlkTouched(ETH),)),
        (decode.of_neighbour(noted("NOTED_FILE", WORD, 1, 2, caller=A)), (e.IlkTouched(ETH),)),
        (decode.of_neighbour(noted("NOTED_FILE_ADDRESS", WORD, 1, A, caller=A)), (e.IlkTouched(ETH),)),
        (
            decode.of_dog(told("BARK", (WORD, A, 9), (1, 2, 3, B))),
            (e.Barked(ETH, A, 1, 3, B, 9), e.IlkTouched(ETH)),
        ),
        (decode.of_dog(told("DIGS", (WORD,), (1,))), (e.IlkTouched(ETH),)),
        (decode.of_dog(told("FILE_ILK", (WORD, 1), (1,))), (e.IlkTouched(ETH),)),
        (
            decode.of_dog(told("FILE_CLIP", (WORD, "0x" + b"clip".hex().ljust(64, "0")), (C,))),
            (e.Clipped(ETH, C), e.IlkTouched(ETH)),
        ),
        (decode.of_clip(told("KICK", (4, A, B), (1, 2, 3, BIG))), (e.Started(HERE, 4, 1, 2, 3, A, B, BIG),)),
        (decode.of_clip(told("REDO", (4, A, B), (1, 2, 3, BIG))), (e.Started(HERE, 4, 1, 2, 3, A, B, BIG),)),
        (decode.of_clip(told("TAKE", (4, A), (9, 1, 2, 3, BIG))), (e.Bought(HERE, 4, 1, 2, 3, BIG, A),)),
        (decode.of_clip(told("YANK", (), (4,))), (e.Ended(HERE, 4),)),
        (decode.of_clip(log((), "0x")), ()),
    ],
)  # fmt: skip
def test_a_log_says_what_was_encoded(found: tuple[e.Event, ...], expected: tuple[e.Event, ...]) -> None:
    assert found == expected


@pytest.mark.parametrize("name", ["ETH-A", "RWA001-A", "UNIV2DAIETH-A"])
def test_a_name_is_a_word_and_back(name: str) -> None:
    assert decode.ilk_name(f"0x{decode.ilk_word(name):064x}") == name


@pytest.mark.parametrize("raw", ["0x" + "00" * 32, "0x" + b"41:42".hex().ljust(64, "0"), "0x" + "ff" * 32])
def test_what_is_no_text_keeps_its_word(raw: str) -> None:
    assert decode.ilk_name(raw) == raw
    assert decode.ilk_word(raw) == int(raw, 16)
