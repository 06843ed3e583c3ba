"""A node lives as long as it should, and behaves as it was told."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from keeper.core.units import Address
from keeper.devnet.anvil import Anvil, AnvilOptions
from keeper.devnet.layout import ADMIN
from keeper.devnet.rpc import Tx
from keeper.devnet.world import World
from keeper.errors import DevnetError, RpcError

SOMEBODY = Address("0x" + "5b" * 20)


def alive(pid: int) -> bool:
    stat = Path(f"/proc/{pid}/stat")
    return stat.exists() and stat.read_text().rpartition(")")[2].split()[0] != "Z"


def dies(pid: int) -> bool:
    deadline = time.monotonic() + 5
    while alive(pid) and time.monotonic() < deadline:
        time.sleep(0.01)
    return not alive(pid)


def test_stops_and_leaves_nothing(anvil: Anvil) -> None:
    folder = anvil.log.parent
    assert anvil.running
    assert folder.is_dir()
    anvil.stop()
    anvil.stop()
    assert dies(anvil.pid)
    assert not folder.exists()


if sys.platform == "linux":  # no other system tells a child of its parent's death

    def test_dies_with_its_parent() -> None:
        program = "import time; from keeper.devnet.anvil import Anvil; print(Anvil().pid, flush=True); time.sleep(60)"
        root = Path(__file__).resolve().parents[2]
        with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True, cwd=root) as parent:
            assert parent.stdout is not None
            pid = int(parent.stdout.readline())
            assert alive(pid)
            os.kill(parent.pid, signal.SIGKILL)
            parent.wait()
        assert dies(pid)


def test_a_node_that_cannot_start_says_why() -> None:
    with pytest.raises(DevnetError, match=r"anvil ended with \d+ after .*--fork-url http://127\.0\.0\.1:9"):
        Anvil(AnvilOptions(fork_url="http://127.0.0.1:9"))


def test_two_nodes_share_nothing(anvil: Anvil) -> None:
    with Anvil() as other:
        assert other.port != anvil.port
        anvil.rpc.rpc("evm_mine")
        assert [node.rpc.rpc("eth_blockNumber") for node in (anvil, other)] == ["0x1", "0x0"]


def test_block_time_is_the_chosen_interval(world: World) -> None:
    before, number = world.timestamp(), world.block_number()
    for _ in range(3):
        world.rpc.rpc("evm_mine")
    world.advance(100)
    assert world.timestamp() - before == 3 * 12 + 100
    assert world.block_number() - number == 4


def test_send_all_keeps_each_senders_order_whatever_the_gas(anvil: Anvil) -> None:
    anvil.rpc.rpc("anvil_setBalance", ADMIN, hex(10**24))
    greedy, modest = 59_990_000, 21_000  # next to anything else the greedy ones do not fit into a block
    amounts = [1 + index for index in range(40)]
    txs = [
        Tx(ADMIN, SOMEBODY, value=amount, gas=greedy if index % 7 == 0 else modest)
        for index, amount in enumerate(amounts)
    ]
    receipts = anvil.rpc.send_all(txs)
    assert len({receipt["transactionHash"] for receipt in receipts}) == len(amounts)
    assert int(anvil.rpc.rpc("eth_getBalance", SOMEBODY, "latest"), 16) == sum(amounts)


def test_send_mines_in_every_mining_mode(anvil: Anvil) -> None:
    for options in (AnvilOptions(no_mining=True), AnvilOptions(block_time=60), AnvilOptions()):
        with Anvil(options) as node:
            receipt = node.rpc.send(ADMIN, SOMEBODY, value=1)
            assert int(receipt["blockNumber"], 16) == 1
    assert anvil.running


def test_a_node_that_is_gone_is_an_error(anvil: Anvil) -> None:
    anvil.kill()
    with pytest.raises(RpcError) as gone:
        anvil.rpc.rpc("eth_blockNumber")
    assert gone.value.transient


def test_a_fork_leaves_its_source_alone(world: World) -> None:
    price = world.price("WETH")
    with Anvil(AnvilOptions(fork_url=world.anvil.url)) as fork:
        forked = World(fork, world.layout)
        forked.set_price("WETH", price // 2)
        assert forked.price("WETH") == price // 2
        assert forked.layout.chain_id == int(fork.rpc.rpc("eth_chainId"), 16)
    assert world.price("WETH") == price


def test_options_reach_the_node() -> None:
    options = AnvilOptions(
        chain_id=7, accounts=3, timestamp=1_000_000, gas_limit=40_000_000, base_fee=123, order="fifo"
    )
    with Anvil(options) as node:
        block = node.rpc.rpc("eth_getBlockByNumber", "0x0", False)
        assert node.rpc.rpc("eth_chainId") == hex(7)
        assert len(node.rpc.rpc("eth_accounts")) == 3
        assert [int(block[field], 16) for field in ("timestamp", "gasLimit", "baseFeePerGas")] == [
            1_000_000,
            40_000_000,
            123,
        ]


@pytest.mark.parametrize("capped", [True, False])
def test_the_cap_of_mainnet_on_one_transactions_gas(capped: bool) -> None:  # noqa: FBT001
    with Anvil(AnvilOptions(tx_gas_limit=capped, hardfork="osaka")) as node:
        if not capped:
            assert node.rpc.send(ADMIN, SOMEBODY, value=1, gas=20_000_000)["status"] == "0x1"
            return
        with pytest.raises(RpcError, match="gas"):
            node.rpc.send(ADMIN, SOMEBODY, value=1, gas=20_000_000)
