"""Artifacts of packages, handles on deployed contracts, and a deployer that needs no answer until the end.

Law: an address of a contract to be created is known from its creator's nonce, so a whole system is one list of
transactions, sent in one batch and mined in a few blocks.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any, Final

from eth_utils.crypto import keccak

from keeper.core.units import Address
from keeper.devnet.abi import Abi
from keeper.devnet.packages import Package, package_dir
from keeper.devnet.rpc import GAS, Receipt, Rpc, Tx
from keeper.errors import DevnetError

DEPLOY_GAS: Final = 15_000_000
_RLP_SHORT: Final = 0x80  # below it a byte is its own encoding


@dataclass(frozen=True, slots=True)
class Artifact:
    """Creation code with its holes for libraries, and the ABI."""

    name: str
    abi: Abi
    bytecode: str  # hex without 0x
    links: Mapping[str, tuple[int, ...]]  # library name → byte offsets of its address

    def creation(self, args: tuple[object, ...], libraries: Mapping[str, Address]) -> str:
        """Creation code, linked, with constructor arguments."""
        code = self.bytecode
        for library, offsets in self.links.items():
            for offset in offsets:
                code = code[: 2 * offset] + libraries[library][2:] + code[2 * offset + 40 :]
        return "0x" + code + self.abi.encode_constructor(*args)


def parse_artifact(name: str, text: str | bytes) -> Artifact:
    """An artifact as hardhat, waffle, Chainlink's tools or solc's standard output write it."""
    whole = json.loads(text)
    part = whole.get("compilerOutput", whole)
    if "evm" in part:
        bytecode, links = part["evm"]["bytecode"]["object"], part["evm"]["bytecode"].get("linkReferences", {})
    else:
        bytecode, links = part["bytecode"], part.get("linkReferences", {})
    offsets = {
        library: tuple(int(hole["start"]) for hole in holes)
        for libraries in links.values()
        for library, holes in libraries.items()
    }
    return Artifact(name, Abi(part["abi"]), bytecode.removeprefix("0x"), offsets)


@cache
def artifact(package: Package, path: str) -> Artifact:
    """The artifact at ``path`` of a package."""
    file = package_dir(package) / path
    try:
        return parse_artifact(Path(path).stem, file.read_bytes())
    except FileNotFoundError as error:
        raise DevnetError(f"{package.spec} has no {path}; delete {package_dir(package)} and try again") from error


def created_address(creator: Address, nonce: int) -> Address:
    """Where the ``nonce``-th transaction of ``creator`` puts its contract."""
    tail = nonce.to_bytes((nonce.bit_length() + 7) // 8, "big")  # RLP of (address, nonce), by hand: two short items
    item = tail if 0 < nonce < _RLP_SHORT else bytes([_RLP_SHORT + len(tail)]) + tail
    body = b"\x94" + bytes.fromhex(creator[2:]) + item
    return Address("0x" + keccak(bytes([0xC0 + len(body)]) + body)[12:].hex())


@dataclass(frozen=True, slots=True)
class Contract:
    """A deployed contract."""

    rpc: Rpc
    address: Address
    abi: Abi

    def at(self, address: Address) -> "Contract":
        """The same interface elsewhere."""
        return Contract(self.rpc, address, self.abi)

    def fn(self, name: str, *args: object) -> str:
        """Calldata."""
        return self.abi.encode(name, *args)

    def call(self, name: str, *args: object, block: str | int = "latest", sender: Address | None = None) -> Any:  # noqa: ANN401 - as the ABI says
        """Result of a view call."""
        data = self.rpc.call(self.address, self.fn(name, *args), block, sender)
        return self.abi.decode(name, data, len(args))

    def send(self, name: str, *args: object, sender: Address, value: int = 0) -> Receipt:
        """Receipt of a mined transaction; raises ``Reverted``."""
        return self.rpc.send(sender, self.address, self.fn(name, *args), value)

    def tx(self, name: str, *args: object, sender: Address, gas: int = GAS) -> Tx:
        """The transaction, for ``Rpc.send_all``."""
        return Tx(sender, self.address, self.fn(name, *args), gas=gas)


@dataclass(slots=True)
class Deployer:
    """Collects creations and calls of one sender; ``flush`` sends them all."""

    rpc: Rpc
    sender: Address
    _queue: list[Tx] = field(default_factory=list)
    _nonce: int = -1

    def create(self, what: Artifact, *args: object, libraries: Mapping[str, Address] | None = None) -> Contract:
        """The contract as it will be once flushed."""
        if self._nonce < 0:
            self._nonce = int(self.rpc.rpc("eth_getTransactionCount", self.sender, "latest"), 16)
        address = created_address(self.sender, self._nonce + len(self._queue))
        self._queue.append(Tx(self.sender, None, what.creation(args, libraries or {}), gas=DEPLOY_GAS))
        return Contract(self.rpc, address, what.abi)

    def call(self, contract: Contract, name: str, *args: object, gas: int = GAS) -> None:
        """Queues a call."""
        self._queue.append(contract.tx(name, *args, sender=self.sender, gas=gas))

    def flush(self) -> list[Receipt]:
        """Sends what was queued; raises ``Reverted`` for the first that failed."""
        queue, self._queue, self._nonce = self._queue, [], -1
        return self.rpc.send_all(queue)

    def at(self, address: Address, abi: Abi) -> Contract:
        return Contract(self.rpc, address, abi)
