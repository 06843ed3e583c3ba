"""The fork: an anvil of our own at a block, or one that is running; moved a block at a time, left as it was found.

Laws
- What is not proven to be an anvil is not touched, and the configured endpoints never are: they are read, by the fork.
- Blocks come when they are asked for, one ``block_time`` apart. Two forks of one block go the same way.
"""

import contextlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from keeper.core.units import Address
from keeper.devnet.anvil import Anvil, AnvilOptions
from keeper.devnet.rpc import Rpc
from keeper.errors import ConfigError, RpcError
from keeper.settings import Settings

BUILDER: Final = Address("0x4838b106fce9647bdf1e7877bf73ce8b0bad5f97")  # gets fees and bids, as in simulations
PLENTY: Final = 1_000 * 10**18  # wei


@dataclass(frozen=True, slots=True)
class Fork:
    """A node that may be written to. ``base``: the last block it shares with the chain it was forked from."""

    rpc: Rpc
    base: int

    @property
    def url(self) -> str:
        return self.rpc.url

    @property
    def head(self) -> int:
        return int(self.rpc.rpc("eth_blockNumber"), 16)

    def mine(self) -> int:
        """One block; its number."""
        self.rpc.rpc("evm_mine")
        return self.head

    def fund(self, *accounts: Address) -> None:
        """Ether for gas."""
        for account in accounts:
            self.rpc.rpc("anvil_setBalance", account, hex(PLENTY))

    def answer(self, answers: Mapping[Address, int]) -> None:
        """From now on these contracts answer every call with one word."""
        for address, value in answers.items():
            self.rpc.rpc("anvil_setCode", address, f"0x7f{value:064x}5f5260205ff3")

    @contextlib.contextmanager
    def undone(self) -> Iterator[None]:
        """Whatever happens inside is taken back. What was pending is dropped: a revert brings it back to life."""
        before = self.rpc.rpc("evm_snapshot")
        try:
            yield
        finally:
            self.rpc.rpc("evm_revert", before)
            self.rpc.rpc("anvil_dropAllTransactions")


@contextlib.contextmanager
def forked(settings: Settings, url: str | None, block: int | None) -> Iterator[Fork]:
    """A fork of the configured chain, ended (or put back) afterwards."""
    if url is not None:
        with _attached(settings, url, block) as fork:
            yield fork
        return
    options = AnvilOptions(
        fork_url=settings.chain.rpc[0],
        fork_block=block,
        no_mining=True,
        order="fifo",
        interval=settings.chain.block_time,
    )
    with Anvil(options) as anvil:
        fork = Fork(anvil.rpc, int(anvil.rpc.rpc("eth_blockNumber"), 16))
        fork.rpc.rpc("anvil_setCoinbase", BUILDER)
        yield fork


@contextlib.contextmanager
def _attached(settings: Settings, url: str, block: int | None) -> Iterator[Fork]:
    """A running fork; its blocks of before are its blocks afterwards."""
    if url.rstrip("/") in {one.rstrip("/") for one in settings.chain.rpc}:
        raise ConfigError(
            "--fork: this is an endpoint of chain.rpc, which a dry run never writes to; give a fork of it"
        )
    with contextlib.closing(Rpc(url)) as rpc:
        base = _base(rpc)
        head = int(rpc.rpc("eth_blockNumber"), 16)
        if block not in (None, head):
            raise ConfigError(f"--block {block}: the fork at --fork is at block {head}; leave one of them out")
        fork, mining = Fork(rpc, min(base or head, head)), rpc.rpc("anvil_getAutomine")
        with fork.undone():
            rpc.rpc("evm_setAutomine", False)
            rpc.rpc("anvil_autoImpersonateAccount", True)
            rpc.rpc("anvil_setBlockTimestampInterval", settings.chain.block_time)
            rpc.rpc("anvil_setCoinbase", BUILDER)
            try:
                yield fork
            finally:
                rpc.rpc("anvil_autoImpersonateAccount", False)
                rpc.rpc("anvil_removeBlockTimestampInterval")
                rpc.rpc("evm_setAutomine", mining)


def _base(rpc: Rpc) -> int | None:
    """Where the node was forked; an error when it is no anvil at all."""
    try:
        info = rpc.rpc("anvil_nodeInfo")
    except RpcError as error:
        if error.transient:
            raise
        raise ConfigError(
            f"--fork: not a fork: it does not answer anvil_nodeInfo ({error}); start one: anvil"
        ) from error
    number = (info.get("forkConfig") or {}).get("forkBlockNumber")
    return int(number, 16) if isinstance(number, str) else number
