"""The tracked artifact, and putting it on a chain through the CREATE2 factory that everybody uses."""

import hashlib
from dataclasses import replace

import pytest
from coincurve import PrivateKey

from keeper.chain.pool import Pool
from keeper.contracts.artifact import artifact, compile_source, runtime_code, source_text, tracked
from keeper.contracts.encode import Factory
from keeper.core.plans import Role, VenueKind
from keeper.core.units import Address
from keeper.devnet.anvil import Anvil
from keeper.errors import ConfigError
from keeper.executor.deploy import CREATE2_FACTORY, Deployment, deploy, verify
from keeper.executor.signer import LocalSigner
from keeper.executor.transaction import address_of

OWNER_KEY = bytes.fromhex("ac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80")  # number 0 of anvil's
OTHER_KEY = bytes.fromhex("59c6995e998f97a5a0044966f0945389dc9e86dae88c7a8412f4603b6b78690d")  # number 1
OWNER, OTHER = (address_of(PrivateKey(key).public_key) for key in (OWNER_KEY, OTHER_KEY))
TREASURY, WETH, MARKET, ROUTER = (Address("0x" + digits * 20) for digits in ("7e", "ee", "a1", "b0"))
FACTORIES = (Factory(VenueKind.UNISWAP_V3, Address("0x" + "f3" * 20), b"\x03" * 32),)
ROLES = {OTHER: Role.CALLER, MARKET: Role.MARKET, ROUTER: Role.ROUTER}
WANTED = Deployment(OWNER, TREASURY, WETH, FACTORIES, ROLES)


def test_the_tracked_artifact_is_what_the_source_compiles_to() -> None:
    assert tracked()["source_sha256"] == hashlib.sha256(source_text().encode()).hexdigest()
    assert compile_source(source_text()) == tracked()


def test_it_fits_on_every_chain() -> None:
    longest = 24_576  # EIP-170
    assert len(runtime_code(TREASURY, WETH, FACTORIES)) < longest
    assert len(artifact().bytecode) < 2 * longest  # EIP-3860


async def test_deploying_twice_sends_nothing_the_second_time(anvil: Anvil) -> None:
    async with Pool([anvil.url]) as node:
        first = await deploy(node, LocalSigner([OWNER_KEY]), WANTED)
        assert first.address == WANTED.address
        assert len(first.sent) == 1 + len(ROLES)
        assert not first.missing
        again = await deploy(node, LocalSigner([OWNER_KEY]), WANTED)
        assert (again.address, again.sent, again.missing, again.calls) == (first.address, (), {}, ())
    code = bytes.fromhex(anvil.rpc.rpc("eth_getCode", WANTED.address, "latest")[2:])
    assert code == runtime_code(TREASURY, WETH, FACTORIES)


async def test_a_stranger_can_deploy_but_only_the_owner_gives_roles(anvil: Anvil) -> None:
    async with Pool([anvil.url]) as node:
        found = await deploy(node, LocalSigner([OTHER_KEY]), WANTED)
        assert len(found.sent) == 1
        assert found.missing == ROLES
        for call in found.calls:
            anvil.rpc.send(OWNER, WANTED.address, "0x" + call.hex())
        done = await deploy(node, LocalSigner([OTHER_KEY]), WANTED)
        assert (done.sent, done.missing) == ((), {})


async def test_what_changed_is_sent_and_nothing_else(anvil: Anvil) -> None:
    async with Pool([anvil.url]) as node:
        await deploy(node, LocalSigner([OWNER_KEY]), WANTED)
        more = replace(WANTED, roles={**ROLES, MARKET: Role(0)})
        assert more.address == WANTED.address
        found = await deploy(node, LocalSigner([OWNER_KEY]), more)
        assert len(found.sent) == 1


async def test_other_code_and_other_owners_are_refused(anvil: Anvil) -> None:
    async with Pool([anvil.url]) as node:
        with pytest.raises(ConfigError, match="does not hold this executor"):
            await verify(node, WANTED)
        await deploy(node, LocalSigner([OWNER_KEY]), WANTED)
        anvil.rpc.rpc("anvil_setStorageAt", WANTED.address, "0x0", f"0x{OTHER[2:]:0>64}")  # the owner's slot
        with pytest.raises(ConfigError, match=f"belongs to {OTHER}"):
            await verify(node, WANTED)
        anvil.rpc.rpc("anvil_setCode", WANTED.address, "0x6001")
        with pytest.raises(ConfigError, match="does not hold this executor"):
            await deploy(node, LocalSigner([OWNER_KEY]), WANTED)


async def test_a_chain_without_the_factory_is_refused(anvil: Anvil) -> None:
    anvil.rpc.rpc("anvil_setCode", CREATE2_FACTORY, "0x")
    async with Pool([anvil.url]) as node:
        with pytest.raises(ConfigError, match="no CREATE2 factory"):
            await deploy(node, LocalSigner([OWNER_KEY]), WANTED)


def test_every_argument_is_part_of_the_address() -> None:
    other = Address("0x" + "99" * 20)
    variants = (
        WANTED,
        replace(WANTED, owner=other),
        replace(WANTED, treasury=other),
        replace(WANTED, weth=other),
        replace(WANTED, factories=()),
        replace(WANTED, factories=(replace(FACTORIES[0], init_hash=bytes(32)),)),
    )
    assert len({variant.address for variant in variants}) == len(variants)
    assert replace(WANTED, roles={}).address == WANTED.address
