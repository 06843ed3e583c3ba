"""Who bids in the tests of the stand-in relay, and for what.

The contracts are a few opcodes each. PRIZE can be taken once, and hands the value sent along to the block's fee
recipient. GUARD must be armed by one transaction before another may pay through it.
"""

import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any, Final

from coincurve import PrivateKey

from keeper.core.submissions import Bid, Simulated, Submission, Window
from keeper.core.units import Address, Amount, BlockNumber, Bps, Wei
from keeper.devnet.anvil import Anvil
from keeper.executor.relays.channel import HttpChannel
from keeper.executor.relays.identity import Identity
from keeper.executor.relays.registry import KINDS, RelayConfig
from keeper.executor.relays.transport import Transport
from keeper.executor.transaction import SignedTransaction, Transaction, address_of, sign

KEYS: Final = tuple(  # anvil's own, known to everyone
    bytes.fromhex(key)
    for key in (
        "ac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80",
        "59c6995e998f97a5a0044966f0945389dc9e86dae88c7a8412f4603b6b78690d",
        "5de4111afa1a4b94908f83103eb1f1706367c2e68ca870fc3fb9a804cdab365a",
        "7c852118294e51e653712a81e05800f419141751be58f605c371e15141b007a6",
    )
)
EOAS: Final = tuple(address_of(PrivateKey(key).public_key) for key in KEYS)
CHAIN: Final = 31337
GWEI: Final = 10**9
PRIZE: Final = Address("0x" + "a1" * 20)
PRIZE_CODE: Final = "0x5f5460135760015f555f5f5f5f34415af150005b5f5ffd"
GUARD: Final = Address("0x" + "a2" * 20)
GUARD_CODE: Final = "0x3660095760015f55005b5f546012575f5ffd5b5f5f5f5f34415af15000"
PAYING: Final = b"\x01"  # any calldata: pay through GUARD instead of arming it

Speak = Callable[..., HttpChannel]


def bidding_node(make_anvil: Callable[..., Anvil]) -> Anvil:
    """A node for a stand-in relay, with something to bid for."""
    anvil = make_anvil(no_mining=True, order="fifo", tx_gas_limit=True)
    anvil.rpc.rpc("anvil_setCode", PRIZE, PRIZE_CODE)
    anvil.rpc.rpc("anvil_setCode", GUARD, GUARD_CODE)
    return anvil


def signed(
    who: int, nonce: int, to: Address = PRIZE, data: bytes = b"", value: int = 0, tip: int = GWEI
) -> SignedTransaction:
    """A transaction of bidder ``who``. By default: take the prize and pay ``value`` to the builder."""
    tx = Transaction(CHAIN, nonce, Wei(tip), Wei(100 * GWEI), 120_000, to, data, Wei(value))
    return sign(tx, PrivateKey(KEYS[who]), EOAS[who])


def submission(target: int, *txs: SignedTransaction, revision: int = 0, name: str = "opportunity") -> Submission:
    """A submission of these transactions for one block."""
    return Submission(
        id=name,
        chain=CHAIN,
        eoa=txs[0].sender,
        nonce=txs[0].nonce,
        raw_txs=tuple(tx.raw for tx in txs),
        tx_hashes=tuple(tx.hash for tx in txs),
        target_block=BlockNumber(target),
        window=Window(BlockNumber(target), BlockNumber(target + 3)),
        deadline_ts=time.monotonic() + 5,
        bid=Bid(Wei(GWEI), Bps(0), Wei(0)),
        sim=Simulated(BlockNumber(target - 1), 50_000, Wei(0), Amount(0)),
        revision=revision,
    )


@asynccontextmanager
async def speaking(total: float = 2.0) -> AsyncIterator[Speak]:
    """``speak(url, kind="flashbots", who=0)``: a channel of keeper's own to a builder's door."""
    async with Transport(total=total) as transport:

        def speak(url: str, kind: str = "flashbots", who: int = 0) -> HttpChannel:
            config = RelayConfig(kind, url, authorization="account" if kind == "bloxroute" else "")
            identity = Identity(bytes([0x70 + who]) * 32)
            return HttpChannel(kind, url, KINDS[kind].make(config), transport, identity)

        yield speak


def receipt(node: Anvil, tx_hash: str) -> Any:
    """What became of a transaction on chain; None: nothing."""
    return node.rpc.rpc("eth_getTransactionReceipt", tx_hash)
