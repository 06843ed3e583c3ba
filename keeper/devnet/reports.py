"""A feed that reports bring forward, behind the proxy of one of the world's feeds."""

from collections.abc import Sequence
from pathlib import Path
from typing import Final

from eth_abi.abi import encode
from eth_utils.crypto import keccak

from keeper.core.units import Address
from keeper.devnet.contract import Contract, Deployer
from keeper.devnet.feeds import proxy
from keeper.devnet.layout import ADMIN, FEED_DECIMALS, Feed
from keeper.devnet.vyper import vyper_artifact
from keeper.devnet.world import World

_SOURCE: Final = Path(__file__).parent / "contracts" / "report_feed.vy"
_REPORT: Final = ("uint32", "bytes32", "int192[]", "int192")
_TRANSMIT: Final = ("bytes32[3]", "bytes", "bytes32[]", "bytes32[]", "bytes32")
SECONDARY: Final = "transmitSecondary(bytes32[3],bytes,bytes32[],bytes32[],bytes32)"
PRIMARY: Final = "transmit(bytes32[3],bytes,bytes32[],bytes32[],bytes32)"


def transmit(observations: Sequence[int], name: str = SECONDARY) -> bytes:
    """Calldata that brings a report to an aggregator."""
    report = encode(_REPORT, (1, b"\x01" * 32, list(observations), 7))
    signatures = [b"\x02" * 32] * 3
    return keccak(text=name)[:4] + encode(_TRANSMIT, ([b"\x03" * 32] * 3, report, signatures, signatures, b"\x04" * 32))


def forward(to: Address, data: bytes) -> bytes:
    """Calldata that sends a call on its way through a forwarder."""
    return keccak(text="forward(address,bytes)")[:4] + encode(("address", "bytes"), (to, data))


def follow_reports(world: World, symbol: str) -> tuple[Address, Address]:
    """The feed of an asset listens to reports from now on: its aggregator, and a forwarder."""
    deployer, feed = Deployer(world.rpc, ADMIN), world.layout.feeds[symbol]
    made = vyper_artifact(_SOURCE)
    aggregator = deployer.create(made, FEED_DECIMALS, world.price(symbol))
    forwarder = deployer.create(made, FEED_DECIMALS, 1)
    deployer.flush()
    front = Contract(world.rpc, feed.proxy, proxy().abi)
    deployer.call(front, "proposeAggregator", aggregator.address)
    deployer.call(front, "confirmAggregator", aggregator.address)
    deployer.flush()
    world.learn(feeds={**world.layout.feeds, symbol: Feed(feed.proxy, aggregator.address)})
    return aggregator.address, forwarder.address
