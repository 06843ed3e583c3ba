"""What the simulation predicts against what the node then mines: status, gas, payment, logs, and the block it sees."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from keeper.chain.pool import Pool
from keeper.core.units import Address, BlockNumber, Hash, Timestamp, Wei
from keeper.devnet.anvil import Anvil, AnvilOptions
from keeper.devnet.relay import Builder, StandInRelay
from keeper.errors import RpcError, SimulationError
from keeper.executor.evm import Target, intrinsic_gas, simulate
from keeper.executor.transaction import Transaction
from tests.chain.bidders import CHAIN, EOAS, GWEI, PRIZE, bidding_node, receipt, signed, speaking, submission

WITNESS = Address("0x" + "a5" * 20)  # logs and returns number, timestamp, base fee, fee recipient
WITNESS_CODE = "0x435f52426020524860405241606052" + "60805fa0" + "60805ff3"
FEE_RECIPIENT = Builder("flashbots").fee_recipient


@pytest.fixture
def node(make_anvil: Callable[..., Anvil]) -> Anvil:
    node = bidding_node(make_anvil)
    node.rpc.rpc("anvil_setCode", WITNESS, WITNESS_CODE)
    return node


@pytest.fixture
async def pool(node: Anvil) -> AsyncIterator[Pool]:
    async with Pool([node.url]) as made:
        yield made


async def next_block(pool: Pool, node: Anvil) -> Target:
    head = await pool.head()
    following = node.rpc.rpc("eth_getBlockByNumber", "pending", False)
    return Target(
        parent=head,
        number=BlockNumber(head.number + 1),
        timestamp=Timestamp(head.timestamp + 12),
        base_fee=Wei(int(following["baseFeePerGas"], 16)),
        fee_recipient=FEE_RECIPIENT,
    )


def call(to: Address = PRIZE, nonce: int = 0, value: int = 0, **fields: Any) -> Transaction:
    return replace(Transaction(CHAIN, nonce, Wei(GWEI), Wei(100 * GWEI), 120_000, to, b"", Wei(value)), **fields)


@pytest.mark.parametrize("to", [PRIZE, WITNESS])
async def test_prediction_equals_what_is_mined(node: Anvil, pool: Pool, to: Address) -> None:
    target = await next_block(pool, node)
    tx = signed(0, 0, to, value=10**15)
    (predicted,) = await simulate(pool, [(EOAS[0], call(to, value=10**15))], target)
    async with StandInRelay(node.url) as relay, speaking() as speak:
        await speak(relay.url).submit(submission(target.number, tx))
        await relay.slot()
    mined = receipt(node, tx.hash)
    assert predicted.ok
    assert predicted.reason == ""
    assert predicted.gas == int(mined["gasUsed"], 16)
    assert predicted.delta == int(node.rpc.rpc("eth_getBalance", FEE_RECIPIENT, "latest"), 16)
    logs = [(log["address"], tuple(log["topics"]), log["data"]) for log in mined["logs"]]
    assert [(log.address, log.topics, log.data) for log in predicted.logs] == logs
    assert len(logs) == (to == WITNESS)


async def test_the_contract_sees_the_target_block(node: Anvil, pool: Pool) -> None:
    target = replace(await next_block(pool, node), timestamp=Timestamp(4_000_000_000), base_fee=Wei(7 * GWEI))
    (seen,) = await simulate(pool, [(EOAS[0], call(WITNESS))], target)
    words = [int(seen.output[2 + 64 * i : 66 + 64 * i], 16) for i in range(4)]
    assert words == [target.number, target.timestamp, target.base_fee, int(FEE_RECIPIENT, 16)]


async def test_one_after_the_other(node: Anvil, pool: Pool) -> None:
    """The second taker of the prize fails, and only because of the first; each payment is its own."""
    target = await next_block(pool, node)
    takers = [(EOAS[i], call(value=10**15 * (i + 1))) for i in range(3)]
    first, second, third = await simulate(pool, takers, target)
    assert [first.ok, second.ok, third.ok] == [True, False, False]
    assert first.delta == 10**15 + first.gas * GWEI
    assert second.delta == second.gas * GWEI
    (alone,) = await simulate(pool, takers[1:2], target)
    assert alone.delta == 2 * 10**15 + alone.gas * GWEI


async def test_a_revert_is_a_value_with_its_data(node: Anvil, pool: Pool) -> None:
    refuser = Address("0x" + "a6" * 20)
    node.rpc.rpc("anvil_setCode", refuser, "0x63deadbeef5f526004601cfd")
    (found,) = await simulate(pool, [(EOAS[0], call(refuser))], await next_block(pool, node))
    assert (found.ok, found.output) == (False, "0xdeadbeef")
    assert found.reason != ""
    assert found.gas > 21_000


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"max_fee": Wei(GWEI // 2), "tip": Wei(0)}, "base fee"),
        ({"tip": Wei(101 * GWEI)}, "tip"),
        ({"gas": 60_000_001}, "more gas than a block"),
        ({"gas": 21_079, "data": bytes(4) + b"1"}, "own bytes"),
        ({"value": Wei(10**30)}, "funds"),
    ],
)
async def test_what_no_block_could_hold_fails_without_a_revert(
    node: Anvil, pool: Pool, change: dict[str, Any], reason: str
) -> None:
    target = await next_block(pool, node)
    (found,) = await simulate(pool, [(EOAS[0], call(**change))], target)
    assert (found.ok, found.gas, found.delta) == (False, 0, 0)
    assert reason in found.reason.lower()


async def test_an_impossible_one_does_not_disturb_its_siblings(node: Anvil, pool: Pool) -> None:
    target = await next_block(pool, node)
    low = call(max_fee=Wei(1), tip=Wei(1))
    first, second = await simulate(pool, [(EOAS[0], low), (EOAS[1], call(value=5))], target)
    assert (first.ok, second.ok) == (False, True)
    assert second.delta == 5 + second.gas * GWEI


async def test_a_parent_that_is_no_more_is_an_error_and_not_another_block(node: Anvil, pool: Pool) -> None:
    target = await next_block(pool, node)
    gone = replace(target, parent=replace(target.parent, hash=Hash("0x" + "12" * 32)))
    with pytest.raises(SimulationError, match="block 1"):
        await simulate(pool, [(EOAS[0], call())], gone)


async def test_the_state_is_the_parents_and_not_the_heads(node: Anvil, pool: Pool) -> None:
    target = await next_block(pool, node)
    async with StandInRelay(node.url) as relay, speaking() as speak:
        await speak(relay.url).submit(submission(1, signed(3, 0, value=1)))
        assert (await relay.slot()).landed
    (then,) = await simulate(pool, [(EOAS[0], call())], target)
    (now,) = await simulate(pool, [(EOAS[0], call())], await next_block(pool, node))
    assert (then.ok, now.ok) == (True, False)


@pytest.mark.parametrize(
    "answer",
    [
        RpcError("the method eth_simulateV1 does not exist", code=-32601),
        RpcError("HTTP 503", transient=True),
        None,
        [],
        [{"calls": []}],
        [{"calls": [{"status": "0x1"}]}],
        [{"calls": [{"status": "0x1", "gasUsed": "0x1", "returnData": "0x" + "00" * 32}] * 2}],
        [{"calls": [{"status": "0x1", "gasUsed": "0x1", "returnData": "0x"}] * 3}],
    ],
)
async def test_a_simulation_that_could_not_be_run_is_an_error(node: Anvil, pool: Pool, answer: object) -> None:
    class Broken:
        async def request(self, method: str, params: Sequence[object]) -> object:  # noqa: ARG002 - always the same
            if isinstance(answer, RpcError):
                raise answer
            return answer

    target = await next_block(pool, node)
    with pytest.raises(SimulationError):
        await simulate(Broken(), [(EOAS[0], call())], target)


async def test_a_node_that_does_not_answer_ends_in_time(node: Anvil, pool: Pool) -> None:
    class Silent:
        async def request(self, method: str, params: Sequence[object]) -> object:
            return await pool.request(method, params) if method != "eth_simulateV1" else await _forever()

    target = await next_block(pool, node)
    with pytest.raises(SimulationError, match="no answer in time"):
        await simulate(Silent(), [(EOAS[0], call())], target, within=0.05)


async def _forever() -> object:
    return await asyncio.Event().wait()


@given(st.binary(max_size=200), st.integers(0, 3), st.integers(0, 3))
@settings(max_examples=40, deadline=None)
def test_intrinsic_gas_is_the_nodes(intrinsic_node: Anvil, data: bytes, addresses: int, keys: int) -> None:
    """One unit less and the node refuses; exactly that and it runs."""
    access = tuple(
        (Address(f"0x{i + 1:040x}"), tuple(Hash(f"0x{k:064x}") for k in range(keys))) for i in range(addresses)
    )
    tx = call(Address("0x" + "ee" * 20), data=data, access_list=access)
    fields = {"from": EOAS[0], "to": tx.to, "input": "0x" + data.hex(), "gas": hex(intrinsic_gas(tx))}
    fields |= {"accessList": [{"address": a, "storageKeys": list(k)} for a, k in access]}  # type: ignore[dict-item]
    intrinsic_node.rpc.rpc("eth_call", fields, "latest")
    with pytest.raises(RpcError):
        intrinsic_node.rpc.rpc("eth_call", fields | {"gas": hex(intrinsic_gas(tx) - 1)}, "latest")


@pytest.fixture(scope="module")
def intrinsic_node() -> Iterator[Anvil]:
    with Anvil(AnvilOptions()) as node:
        yield node
