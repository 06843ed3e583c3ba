"""Reports read from calldata, against eth-abi; and whatever is not one is left alone."""

import pytest
from eth_abi.abi import encode
from eth_utils.crypto import keccak
from hypothesis import given
from hypothesis import strategies as st

from keeper.core.foretold import Foretold, foretold
from keeper.core.units import Address
from keeper.devnet.reports import PRIMARY, SECONDARY, forward, transmit

AGGREGATOR, FORWARDER = Address("0x" + "a6" * 20), Address("0x" + "f0" * 20)
answers = st.lists(st.integers(-(2**191), 2**191 - 1), min_size=1, max_size=31).map(sorted)


def hexed(data: bytes) -> str:
    return "0x" + data.hex()


@given(answers, st.sampled_from([PRIMARY, SECONDARY]))
def test_the_middle_observation_is_the_answer(seen: list[int], name: str) -> None:
    data, told = transmit(seen, name), Foretold(AGGREGATOR, seen[len(seen) // 2])
    assert foretold(AGGREGATOR, hexed(data)) == told
    assert foretold(FORWARDER, hexed(forward(AGGREGATOR, data))) == told
    assert foretold(Address("0x" + AGGREGATOR[2:].upper()), hexed(data)) == told


def test_selectors_are_those_of_the_signatures() -> None:
    assert keccak(text="forward(address,bytes)")[:4].hex() == "6fadcf72"
    assert keccak(text=SECONDARY)[:4].hex() == "ba0cb29e"
    assert keccak(text=PRIMARY)[:4].hex() == "b1dc65a4"


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\x6f\xad\xcf\x72",
        keccak(text="transfer(address,uint256)")[:4] + encode(("address", "uint256"), (AGGREGATOR, 1)),
        forward(AGGREGATOR, keccak(text="submit(uint256,int256)")[:4] + encode(("uint256", "int256"), (1, 2))),
        forward(FORWARDER, forward(AGGREGATOR, transmit([1]))),
        transmit([]),
        transmit([3, 2, 1]),
        transmit(list(range(32))),
    ],
)
def test_what_is_no_report_is_nothing(data: bytes) -> None:
    assert foretold(AGGREGATOR, hexed(data)) is None


@given(answers, st.data())
def test_a_damaged_call_never_raises(seen: list[int], draw: st.DataObject) -> None:
    data = bytearray(forward(AGGREGATOR, transmit(seen)))
    cut = draw.draw(st.integers(0, len(data)))
    for _ in range(draw.draw(st.integers(0, 4))):
        data[draw.draw(st.integers(0, len(data) - 1))] = draw.draw(st.integers(0, 255))
    found = foretold(FORWARDER, hexed(bytes(data[:cut])))
    assert found is None or isinstance(found, Foretold)
    assert foretold(FORWARDER, "0x6fadcf72" + "zz" * 200) is None


@given(answers)
def test_a_call_cut_within_its_report_is_nothing(seen: list[int]) -> None:
    data = transmit(seen)
    end = 4 + 32 * 7 + 32 + 32 * (5 + len(seen))  # selector, heads, size of the report, the report
    assert foretold(AGGREGATOR, hexed(data[: end - 1])) is None
