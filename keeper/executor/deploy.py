"""Puts the executor on a chain, at an address that its owner and settings determine, and sees to its roles.

Laws
- The address is known before anything is sent: the same arguments lead to the same contract on every chain, and a
  second deployment finds the first and sends nothing.
- What is on chain is checked to the byte, whoever put it there. An executor with another owner is refused.
- Only the owner gives roles. What the signer may not do is returned, to be done by who may.
"""

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Protocol

from eth_hash.auto import keccak

from keeper.contracts.artifact import creation_code, runtime_code
from keeper.contracts.encode import Executor, Factory, create2_address, encode_set_roles
from keeper.core.plans import Role
from keeper.core.units import Address, Hash, Wei
from keeper.errors import ConfigError, RpcError
from keeper.executor.signer import Signer
from keeper.executor.transaction import Transaction

CREATE2_FACTORY: Final = Address("0x4e59b44847b379578588920ca78fbf26c0b4956c")  # the same on almost every chain
SALT: Final = bytes(32)
MINED_WITHIN: Final = 180.0  # seconds
_POLL: Final = 0.5
_OWNER: Final = "0x8da5cb5b"  # owner()
_ROLES: Final = "0x99374642"  # roles(address)
_FEE_HEADROOM: Final = 2  # base fees: six full blocks in a row
_GAS_MARGIN: Final = 8  # an eighth on top of the estimate
_MOST_TARGETS: Final = 32  # of one set_roles


class Node(Protocol):
    """Whatever answers JSON-RPC."""

    async def request(self, method: str, params: Sequence[object]) -> Any:  # noqa: ANN401 - what JSON-RPC says
        """The result, or ``RpcError``."""
        ...


@dataclass(frozen=True, slots=True)
class Deployment:
    """The executor as it should be."""

    owner: Address
    treasury: Address  # where tokens leave to, for ever
    weth: Address  # the wrapped native token: what profit is measured in
    factories: tuple[Factory, ...]
    roles: Mapping[Address, Role]

    @property
    def address(self) -> Address:
        """Where it is, or will be."""
        return create2_address(CREATE2_FACTORY, SALT, keccak(self.creation_code))

    @property
    def creation_code(self) -> bytes:
        return creation_code(self.owner, self.treasury, self.weth, self.factories)

    @property
    def executor(self) -> Executor:
        """What its calldata is encoded for."""
        return Executor(self.address, self.weth, self.factories)


@dataclass(frozen=True, slots=True)
class Deployed:
    """What was done, and what is left to the owner."""

    address: Address
    sent: tuple[Hash, ...]  # none when all was there already
    missing: Mapping[Address, Role]  # roles that only the owner's key can give
    calls: tuple[bytes, ...]  # the calldata for that, addressed to the executor


async def deploy(node: Node, signer: Signer, wanted: Deployment) -> Deployed:
    """Create what is missing, check what is there, give the roles."""
    sent: list[Hash] = []
    if not await _code(node, wanted.address):
        if not await _code(node, CREATE2_FACTORY):
            raise ConfigError(f"there is no CREATE2 factory at {CREATE2_FACTORY} on this chain")
        sender = wanted.owner if wanted.owner in signer.addresses else signer.addresses[0]
        sent.append(await _send(node, signer, sender, CREATE2_FACTORY, SALT + wanted.creation_code))
    await verify(node, wanted)
    missing = await missing_roles(node, wanted.address, wanted.roles)
    calls = role_calls(missing)
    if wanted.owner in signer.addresses:
        sent += [await _send(node, signer, wanted.owner, wanted.address, call) for call in calls]
        missing = await missing_roles(node, wanted.address, wanted.roles)
        calls = role_calls(missing)
    return Deployed(wanted.address, tuple(sent), missing, calls)


async def verify(node: Node, wanted: Deployment) -> None:
    """Raise ``ConfigError`` unless exactly this contract is there and belongs to its owner."""
    if await _code(node, wanted.address) != runtime_code(wanted.treasury, wanted.weth, wanted.factories):
        raise ConfigError(f"{wanted.address} does not hold this executor")
    owner = await owner_of(node, wanted.address)
    if owner != wanted.owner:
        raise ConfigError(f"executor {wanted.address} belongs to {owner}, not to {wanted.owner}")


def united(roles: Iterable[Mapping[Address, Role]]) -> dict[Address, Role]:
    """All roles of every address: one contract may be several things, to several markets."""
    found: dict[Address, Role] = {}
    for one in roles:
        for target, role in one.items():
            found[target] = found.get(target, Role(0)) | role
    return found


async def owner_of(node: Node, executor: Address) -> Address:
    """Who may give roles."""
    return Address("0x" + str(await _call(node, executor, _OWNER))[-40:])


async def missing_roles(node: Node, executor: Address, roles: Mapping[Address, Role]) -> Mapping[Address, Role]:
    """Those that are not as they should be."""
    reads = (_call(node, executor, f"{_ROLES}{target[2:]:0>64}") for target in roles)
    found = zip(roles.items(), await asyncio.gather(*reads), strict=True)
    return {target: role for (target, role), word in found if int(word, 16) != role}


def role_calls(missing: Mapping[Address, Role]) -> tuple[bytes, ...]:
    """One call for all targets of a role, as far as they fit."""
    by_role: dict[Role, list[Address]] = {}
    for target, role in missing.items():
        by_role.setdefault(role, []).append(target)
    return tuple(
        encode_set_roles(targets[at : at + _MOST_TARGETS], role)
        for role, targets in by_role.items()
        for at in range(0, len(targets), _MOST_TARGETS)
    )


async def _send(node: Node, signer: Signer, sender: Address, to: Address, data: bytes) -> Hash:
    """A public transaction, mined: there is nothing in it that anyone could take."""
    call = {"from": sender, "to": to, "data": "0x" + data.hex()}
    gas = int(await node.request("eth_estimateGas", (call,)), 16)
    tip = int(await node.request("eth_maxPriorityFeePerGas", ()), 16)
    price = int(await node.request("eth_gasPrice", ()), 16)
    tx = Transaction(
        chain_id=int(await node.request("eth_chainId", ()), 16),
        nonce=int(await node.request("eth_getTransactionCount", (sender, "pending")), 16),
        tip=Wei(tip),
        max_fee=Wei(_FEE_HEADROOM * price + tip),
        gas=gas + gas // _GAS_MARGIN,
        to=to,
        data=data,
    )
    signed = await signer.sign(sender, tx)
    await node.request("eth_sendRawTransaction", ("0x" + signed.raw.hex(),))
    receipt = await _mined(node, signed.hash)
    if int(receipt["status"], 16) != 1:
        raise RpcError(f"transaction {signed.hash} reverted")
    return signed.hash


async def _mined(node: Node, tx: Hash) -> Mapping[str, str]:
    try:
        async with asyncio.timeout(MINED_WITHIN):
            while True:
                receipt: Mapping[str, str] | None = await node.request("eth_getTransactionReceipt", (tx,))
                if receipt is not None:
                    return receipt
                await asyncio.sleep(_POLL)
    except TimeoutError as error:
        raise RpcError(f"transaction {tx} was not mined within {MINED_WITHIN:.0f} s: it may still be") from error


async def _code(node: Node, address: Address) -> bytes:
    return bytes.fromhex(str(await node.request("eth_getCode", (address, "latest")))[2:])


async def _call(node: Node, to: Address, data: str) -> str:
    return str(await node.request("eth_call", ({"to": to, "data": data}, "latest")))
