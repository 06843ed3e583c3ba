"""Logs that cannot be true are refused; disorder is repaired."""

import random
from dataclasses import replace

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from keeper.chain import bloom, verify
from keeper.core.events import Block, Log
from keeper.core.units import Address, BlockNumber, Hash, Timestamp, Wei
from keeper.devnet.anvil import Anvil
from keeper.errors import RpcError
from tests.chain.emitter import emitter

FIRST, LAST = 100, 120
KNOWN = {Address("0x" + "11" * 20), Address("0x" + "22" * 20)}


def block_hash(number: int) -> Hash:
    return Hash(f"0x{number:064x}")


def log(number: int, index: int, address: Address = min(KNOWN)) -> Log:
    topics, data = (block_hash(7),), f"0x{index:064x}"
    return Log(address, topics, data, hex(number), block_hash(number), block_hash(index), "0x0", hex(index))


chains = st.dictionaries(st.integers(FIRST, LAST), st.integers(1, 5), max_size=8).map(
    lambda counts: [log(number, i) for number in sorted(counts) for i in range(counts[number])]
)


@given(chains, st.randoms(use_true_random=False), st.booleans())
def test_any_order_with_any_doubles_and_removed_logs_gives_the_chain(
    chain: list[Log],
    chance: random.Random,
    shuffled: bool,  # noqa: FBT001
) -> None:
    told = chain + [one for one in chain if chance.random() < 0.3]
    told += [msgspec.structs.replace(one, removed=True, block_hash=block_hash(1)) for one in chain[:2]]
    if shuffled:
        chance.shuffle(told)
    assert verify.ordered(told, FIRST, LAST, KNOWN) == chain
    assert verify.ordered(told, FIRST, LAST, None) == chain


@pytest.mark.parametrize(
    "lie",
    [
        log(FIRST - 1, 0),
        log(LAST + 1, 0),
        log(110, 0, Address("0x" + "33" * 20)),
        msgspec.structs.replace(log(110, 3), block_hash=block_hash(1)),
        msgspec.structs.replace(log(110, 1), data="0x"),
    ],
    ids=["before", "after", "address", "hash", "content"],
)
def test_a_contradiction_is_a_transient_error_of_the_endpoint(lie: Log) -> None:
    truth = [log(110, 0), log(110, 1), log(111, 0)]
    assert verify.ordered(truth, FIRST, LAST, KNOWN) == truth
    with pytest.raises(RpcError, match="inconsistent") as caught:
        verify.ordered([*truth, lie], FIRST, LAST, KNOWN)
    assert caught.value.transient


def test_blocks_are_linked_where_they_are_neighbours() -> None:
    chain = [
        Block(BlockNumber(n), block_hash(n), block_hash(n - 1), Timestamp(n), Wei(0), 30_000_000, 0)
        for n in range(1, 9)
    ]
    verify.linked(chain)
    verify.linked([chain[0], chain[4], chain[5]])
    with pytest.raises(RpcError, match="does not follow"):
        verify.linked([chain[0], replace(chain[1], parent=block_hash(77))])


def test_logs_belong_to_their_blocks() -> None:
    blocks = [Block(BlockNumber(n), block_hash(n), block_hash(n - 1), Timestamp(n), Wei(0), 1, 0) for n in (110, 111)]
    verify.of_blocks([log(110, 0), log(111, 4)], blocks)
    with pytest.raises(RpcError, match="another hash"):
        verify.of_blocks([log(110, 0)], [replace(blocks[0], hash=block_hash(1))])


def test_a_bloom_filter_of_the_mainnet_kind_holds_its_addresses(anvil: Anvil) -> None:
    echo = emitter(anvil, contracts=40)
    for i in range(20):
        echo.say(i, i)
    echo.mine()
    header = echo.header()
    assert all(bloom.may_hold(header["logsBloom"], [address]) for address in echo.addresses[:20])
    assert bloom.may_hold(header["logsBloom"], None)
    strangers = [address for address in echo.addresses[20:] if bloom.may_hold(header["logsBloom"], [address])]
    assert len(strangers) <= 2  # 80 bits of 2048: an error in 17,000
    echo.mine()
    assert not bloom.may_hold(echo.header()["logsBloom"], echo.addresses)
    assert not bloom.may_hold(echo.header()["logsBloom"], None)
