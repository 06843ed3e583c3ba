"""The pool against a real node: every answer is what the node says when asked by other means, at the pinned block."""

import asyncio
from collections.abc import AsyncIterator

import pytest
from structlog.testing import capture_logs

from keeper.chain import Limits, Patience, Pool, Rules
from keeper.core.events import Log, Read
from keeper.core.ports import Chain
from keeper.core.units import Address, Hash
from keeper.devnet.anvil import Anvil
from keeper.errors import BlockUnknown, EndpointsUnavailable, RpcError, TooMuch, WrongChain
from tests.chain.emitter import CELL, REVERT, Emitter, address, chatter, emitter
from tests.chaos.proxy import Fault, FaultProxy

SHORT = Patience(total=1.0, unknown=0.2, probe=0.1)
NOWHERE = Hash("0x" + "12" * 32)
CHAIN = Rules(chain_id=31337)


@pytest.fixture
def echo(anvil: Anvil) -> Emitter:
    return emitter(anvil)


@pytest.fixture
async def proxy(anvil: Anvil, seed: int) -> AsyncIterator[FaultProxy]:
    async with FaultProxy(anvil.url, seed=seed) as running:
        yield running


@pytest.fixture
async def pool(anvil: Anvil) -> AsyncIterator[Pool]:
    async with Pool([anvil.url], rules=CHAIN, patience=SHORT) as running:
        yield running


@pytest.fixture
async def proxied(proxy: FaultProxy) -> AsyncIterator[Pool]:
    async with Pool([proxy.url], rules=CHAIN, patience=SHORT) as running:
        yield running


def told(logs: list[Log]) -> list[tuple[int, int, str]]:
    return [(log.block, log.index, log.topics[0]) for log in logs]


# --- blocks ------------------------------------------------------------------------------------------------------


async def test_blocks_by_number_hash_and_tag(pool: Pool, echo: Emitter) -> None:
    chain: Chain = pool  # the port that the indexer knows
    chatter(echo, 3)
    echo.mine(70)
    header = echo.header()
    head = await chain.head()
    numbers = [int(header[name], 16) for name in ("timestamp", "baseFeePerGas", "gasLimit", "gasUsed")]
    assert [head.timestamp, head.base_fee, head.gas_limit, head.gas_used] == numbers
    assert [hex(head.number), head.hash, head.parent] == [header["number"], header["hash"], header["parentHash"]]
    assert await pool.chain_id() == 31337
    assert await chain.block(head.number) == await chain.block(head.hash) == await chain.block("latest") == head
    final = await chain.finalized()
    assert final is not None
    assert final.hash == echo.header("finalized")["hash"]
    assert await chain.block(head.number + 1) is None
    assert await chain.block(NOWHERE) is None


async def test_many_blocks_come_in_order_and_linked(pool: Pool, echo: Emitter) -> None:
    echo.mine(250)
    blocks = await pool.blocks(range(251))
    assert [block.number for block in blocks] == list(range(251))
    assert blocks[200].hash == echo.header(200)["hash"]
    assert [block.number for block in await pool.blocks([7, 3, 250])] == [7, 3, 250]
    with pytest.raises(BlockUnknown):
        await pool.blocks(range(240, 260))


async def test_a_block_that_a_reorg_threw_out_is_no_block(pool: Pool, echo: Emitter) -> None:
    echo.mine(5)
    lost = await pool.head()
    echo.node.rpc.rpc("anvil_reorg", 3, [])
    assert await pool.block(lost.hash) is None
    with pytest.raises(BlockUnknown):
        await pool.logs_at(lost.hash, echo.addresses)
    with pytest.raises(BlockUnknown):
        await pool.call_many([Read(echo.addresses[0], "0x")], lost)
    with pytest.raises(BlockUnknown):
        await pool.logs(echo.addresses, 0, lost.number, tip=lost)


async def test_a_node_that_keeps_orphans_does_not_make_them_blocks(
    proxied: Pool, proxy: FaultProxy, echo: Emitter
) -> None:
    proxy.set(Fault.ORPHANS)
    echo.mine(5)
    lost = await proxied.head()
    assert await proxied.block(lost.hash) == lost
    echo.node.rpc.rpc("anvil_reorg", 3, [])
    assert await proxied.block(lost.hash) is None
    assert proxy.struck[Fault.ORPHANS] >= 2


# --- logs --------------------------------------------------------------------------------------------------------


async def test_logs_of_a_range_and_of_a_block(pool: Pool, echo: Emitter) -> None:
    chatter(echo, 12)
    head = echo.head()
    truth = echo.truth(0, head)
    assert len(truth) == 36
    assert told(await pool.logs(echo.addresses, 0, head)) == truth
    assert told(await pool.logs(echo.addresses, 3, 5, tip=await pool.block(5))) == echo.truth(3, 5)
    block = await pool.head()
    assert told(await pool.logs_at(block.hash, echo.addresses)) == echo.truth(head, head)
    one = truth[7][2]
    assert told(await pool.logs(None, 0, head, topics=[one])) == [truth[7]]
    own = [log for log in await pool.logs(echo.addresses, 0, head) if log.address == echo.addresses[0]]
    assert len(own) == 12
    assert await pool.logs([echo.addresses[0]], 0, head) == own


async def test_no_addresses_mean_no_logs_not_all_logs(pool: Pool, echo: Emitter) -> None:
    chatter(echo, 2)
    assert await pool.logs([], 0, 2) == []
    assert await pool.logs_at((await pool.head()).hash, []) == []
    assert await pool.logs(echo.addresses, 2, 1) == []


async def test_a_range_past_the_head_is_an_error_not_fewer_logs(pool: Pool, echo: Emitter) -> None:
    chatter(echo, 2)
    with pytest.raises(BlockUnknown):
        await pool.logs(echo.addresses, 0, echo.head() + 1)


@pytest.mark.parametrize("refusal", ["exceed maximum block range: 7", "block range is too large", "limit exceeded"])
async def test_ranges_adapt_to_what_is_refused(proxied: Pool, proxy: FaultProxy, echo: Emitter, refusal: str) -> None:
    chatter(echo, 60)
    proxy.max_blocks, proxy.refusal = 7, refusal
    proxy.set(Fault.TOO_MANY)
    head = echo.head()
    assert told(await proxied.logs(echo.addresses, 0, head)) == echo.truth(0, head)
    proxy.counts.clear()
    assert told(await proxied.logs(echo.addresses, 0, head)) == echo.truth(0, head)
    if "range" in refusal:  # what was learned is not asked again
        assert proxy.counts["eth_getLogs"] == -(-(head + 1) // 7)


async def test_one_block_with_too_many_logs_is_asked_by_address(
    proxied: Pool, proxy: FaultProxy, echo: Emitter
) -> None:
    chatter(echo, 2, per_block=9)
    proxy.max_blocks, proxy.max_logs = 1_000, 4
    proxy.set(Fault.TOO_MANY)
    head = echo.head()
    assert told(await proxied.logs(echo.addresses, 0, head)) == echo.truth(0, head)
    proxy.max_logs = 2
    with pytest.raises(TooMuch):
        await proxied.logs(echo.addresses, 0, head)


# --- state -------------------------------------------------------------------------------------------------------


@pytest.fixture
def cell(echo: Emitter) -> Address:
    """A word that anybody may change, and a contract next to it that always reverts."""
    word = address(100)
    echo.node.rpc.rpc("anvil_setCode", word, CELL)
    echo.node.rpc.rpc("anvil_setCode", address(101), REVERT)
    return word


def write(echo: Emitter, cell: Address, value: int) -> None:
    echo.tell(cell, value)
    echo.mine()


@pytest.mark.parametrize("hashes", [True, False])
async def test_reads_are_of_the_pinned_block(
    proxied: Pool,
    proxy: FaultProxy,
    echo: Emitter,
    cell: Address,
    hashes: bool,  # noqa: FBT001
) -> None:
    if not hashes:
        proxy.set(Fault.NO_HASHES)
    blocks = []
    for value in range(1, 5):
        write(echo, cell, value)
        blocks.append(await proxied.head())
    asked = [Read(cell, "0x"), Read(address(101), "0x"), Read(address(102), "0x")]
    for value, block in enumerate(blocks, 1):
        assert await proxied.call_many(asked, block) == [f"0x{value:064x}", None, "0x"]
        assert int(await proxied.storage(cell, 0, block), 16) == value
        assert await proxied.code(cell, block) == CELL
        assert await proxied.agree(asked, block, 1) == [f"0x{value:064x}", None, "0x"]
    gone = blocks[-1]
    echo.node.rpc.rpc("anvil_reorg", 2, [])
    with pytest.raises(BlockUnknown):
        await proxied.call_many(asked, gone)


async def test_many_reads_are_split_as_the_endpoint_wants(
    proxied: Pool, proxy: FaultProxy, echo: Emitter, cell: Address
) -> None:
    write(echo, cell, 9)
    block = await proxied.head()
    proxy.batch_limit = 10
    assert await proxied.call_many([Read(cell, "0x")] * 333, block) == [f"0x{9:064x}"] * 333
    assert proxied.endpoints[0].batch <= 10
    proxy.batch_limit = 1
    assert len(await proxied.call_many([Read(cell, "0x")] * 20, block)) == 20


async def test_a_node_that_has_no_such_state_is_an_error_not_a_revert(pool: Pool, echo: Emitter, cell: Address) -> None:
    old = await pool.head()
    echo.mine(80)  # the node keeps 64 states
    with pytest.raises(BlockUnknown):
        await pool.call_many([Read(cell, "0x")], old)


async def test_wrong_parameters_are_an_error_at_once(pool: Pool) -> None:
    with pytest.raises(RpcError) as caught:
        await pool.call_many([Read(Address("0x12"), "0x")], await pool.head())
    assert not caught.value.transient


async def test_agreement_needs_as_many_endpoints_as_asked(
    pool: Pool, anvil: Anvil, proxy: FaultProxy, echo: Emitter, cell: Address
) -> None:
    write(echo, cell, 5)
    block = await pool.head()
    with pytest.raises(EndpointsUnavailable):
        await pool.agree([Read(cell, "0x")], block, 2)
    async with Pool([anvil.url, proxy.url], rules=CHAIN, patience=SHORT) as both:
        assert await both.agree([Read(cell, "0x")], block, 2) == [f"0x{5:064x}"]


# --- other calls, other chains -----------------------------------------------------------------------------------


async def test_a_read_is_retried_and_a_send_is_not(proxied: Pool, proxy: FaultProxy) -> None:
    proxy.set(Fault.ERROR, times=2, methods={"eth_gasPrice", "eth_sendRawTransaction"})
    assert int(await proxied.request("eth_gasPrice", ()), 16) > 0
    assert proxy.counts["eth_gasPrice"] == 3
    proxy.set(Fault.ERROR, times=1, methods={"eth_sendRawTransaction"})
    with pytest.raises(RpcError):
        await proxied.request("eth_sendRawTransaction", ("0x00",))
    assert proxy.counts["eth_sendRawTransaction"] == 1


async def test_another_chain_is_said_to_be_another_chain(anvil: Anvil) -> None:
    with capture_logs() as logs:
        async with Pool([anvil.url], rules=Rules(chain_id=1), patience=SHORT) as pool:
            assert not pool.ready
            with pytest.raises(WrongChain):
                await pool.head()
    assert [(line["event"], line["reason"]) for line in logs] == [("rpc.degraded", "wrong_chain")]


async def test_nobody_there_is_said_in_time_and_without_the_url() -> None:
    async with Pool(["http://user:hunter2@127.0.0.1:1/v2/secret-key"], patience=SHORT) as pool:
        with pytest.raises(EndpointsUnavailable) as caught:
            await pool.head()
    assert "127.0.0.1:1: unreachable" in str(caught.value)
    assert "hunter2" not in repr(caught.value)
    assert "secret" not in repr(caught.value)


async def test_in_flight_requests_are_bounded(proxy: FaultProxy) -> None:
    proxy.set(Fault.SLOW)
    proxy.slowness = 0.05
    async with Pool([proxy.url], limits=Limits(in_flight=4), patience=SHORT) as pool:
        proxy.most = proxy.now = 0
        await asyncio.gather(*(pool.request("eth_gasPrice", ()) for _ in range(30)))
        assert proxy.most <= 4
