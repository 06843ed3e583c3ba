"""The probe on codes made of nothing but marks. Real codes: ``tests/contracts/test_aave_maths_probe.py``."""

import pytest
from eth_utils.crypto import keccak

from keeper.protocols.aave_v3 import probe
from keeper.protocols.aave_v3.probe import SELECTORS, library_addresses, selectors, version_of
from keeper.protocols.aave_v3.profiles import PROFILES
from keeper.protocols.aave_v3.tokens import TOKEN_PROFILES

STOP = "00"


def code(marks: set[int]) -> str:
    """A dispatcher's pushes, for each mark."""
    return "0x" + "".join(f"8063{mark:08x}14" for mark in sorted(marks)) + STOP


def test_every_selector_is_the_hash_of_its_signature() -> None:
    for signature, selector in SELECTORS.items():
        assert selector.to_bytes(4, "big") == keccak(text=signature)[:4], signature


def test_a_selector_may_be_pushed_shifted_or_padded() -> None:
    assert 0x40E95DE6 in selectors("0x632074aef360e11b")  # the optimiser drops trailing zero bits: PUSH4 PUSH1 SHL
    assert 0x1A00FD00 in selectors("0x621a00fd60e81b")
    assert 0xF866C319 in selectors("0x7ff866c319" + "00" * 28)
    assert 0xF866C319 not in selectors("0x64f866c31900")  # five bytes are no selector


@pytest.mark.parametrize("version", PROFILES)
def test_a_pool_shows_exactly_the_marks_of_one_release(version: str) -> None:
    marks = probe._POOLS[version]
    assert version_of(code(marks | {0x12345678})) == version
    for one in probe._POOL_MARKS:
        flipped = marks ^ {one}
        assert version_of(code(flipped)) in (None, *(v for v in PROFILES if probe._POOLS[v] == flipped))


@pytest.mark.parametrize("version", PROFILES)
def test_the_liquidation_library_must_be_of_the_same_release(version: str) -> None:
    pool, other = code(probe._POOLS[version]), code({0x11111111})
    for candidate, marks in probe._LIBRARIES.items():
        same = marks == probe._LIBRARIES[version]
        assert version_of(pool, [other, code(marks)]) == (version if same else None), candidate
    assert version_of(pool, [other]) is None


def test_3_0_0_is_told_by_its_library() -> None:
    pool = code(probe._POOLS["3.0.2"])
    assert version_of(pool, [code((probe._LIBRARIES["3.0.2"] - {probe._HANDLE_3}) | {probe._HANDLE_2})]) is None


@pytest.mark.parametrize(("marks", "name"), [(marks, profile.name) for marks, profile in probe._TOKENS])
def test_a_token_shows_exactly_the_marks_of_one_profile(marks: set[int], name: str) -> None:
    assert version_of(code(marks | {0x12345678})) == name
    assert TOKEN_PROFILES[name].name == name
    for one in probe._TOKEN_MARKS:
        flipped = marks ^ {one}
        assert version_of(code(flipped)) in (None, *(p.name for m, p in probe._TOKENS if m == flipped))


def test_what_is_neither_is_unknown() -> None:
    for nothing in ("0x", "0x00", code({0xDEADBEEF}), code(probe._POOLS["3.6"] | probe._TOKENS[0][0])):
        assert version_of(nothing) is None


def test_linked_libraries_are_addresses_in_the_code() -> None:
    mask, one, two = "ff" * 20, "00" + "a1" * 19, "b2" * 20
    found = library_addresses("0x73" + one + "73" + mask + "1673" + two + "73" + one)
    assert found == ("0x" + one, "0x" + two)
