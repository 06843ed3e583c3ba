"""Who owns the executor, what an owner may do, and where its tokens can go."""

import pytest

from keeper.contracts.artifact import creation_code
from keeper.core.plans import Role
from keeper.core.units import WAD, ZERO_ADDRESS, Address
from keeper.devnet.layout import USD, TokenSpec
from keeper.devnet.rpc import Reverted
from keeper.devnet.world import World
from tests.contracts.executor_world import CALLER, OWNER, STRANGER, TREASURY, Rig

FORBIDDEN = "0xee90c468"


@pytest.fixture
def rig(world: World) -> Rig:
    rig = Rig.deploy(world)
    rig.give("WETH", 3 * WAD)
    return rig


def test_only_the_owner_gives_roles(rig: Rig) -> None:
    for sender in (STRANGER, CALLER, TREASURY):
        for call in (
            rig.contract.fn("set_roles", [STRANGER], Role.CALLER),
            rig.contract.fn("offer_ownership", STRANGER),
        ):
            with pytest.raises(Reverted, match=FORBIDDEN):
                rig.world.rpc.call(rig.address, call, sender=sender)
    rig.allow(STRANGER, role=Role.CALLER | Role.POOL)
    assert rig.contract.call("roles", STRANGER) == Role.CALLER | Role.POOL
    rig.allow(STRANGER, role=Role(0))
    assert rig.contract.call("roles", STRANGER) == 0


def test_ownership_changes_hands_in_two_steps(rig: Rig) -> None:
    rig.contract.send("offer_ownership", STRANGER, sender=OWNER)
    assert rig.contract.call("owner") == OWNER
    for sender in (OWNER, CALLER):
        with pytest.raises(Reverted, match=FORBIDDEN):
            rig.contract.call("take_ownership", sender=sender)
    rig.contract.send("take_ownership", sender=STRANGER)
    assert (rig.contract.call("owner"), rig.contract.call("heir")) == (STRANGER, ZERO_ADDRESS)
    with pytest.raises(Reverted, match=FORBIDDEN):
        rig.contract.call("offer_ownership", OWNER, sender=OWNER)
    with pytest.raises(Reverted, match=FORBIDDEN):  # an offer is taken once
        rig.contract.call("take_ownership", sender=STRANGER)


def test_an_offer_can_be_withdrawn(rig: Rig) -> None:
    rig.contract.send("offer_ownership", STRANGER, sender=OWNER)
    rig.contract.send("offer_ownership", ZERO_ADDRESS, sender=OWNER)
    with pytest.raises(Reverted, match=FORBIDDEN):
        rig.contract.call("take_ownership", sender=STRANGER)


def test_sweeping_leads_to_the_treasury_and_nowhere_else(rig: Rig) -> None:
    weth = rig.executor.weth
    assert rig.contract.call("TREASURY") == TREASURY
    with pytest.raises(Reverted, match=FORBIDDEN):
        rig.contract.call("sweep", weth, 0, sender=STRANGER)
    rig.contract.send("sweep", weth, 2 * WAD, sender=CALLER)  # all but a float
    assert (rig.weth(), rig.weth(TREASURY)) == (2 * WAD, WAD)
    rig.contract.send("sweep", weth, 0, sender=OWNER)
    assert (rig.weth(), rig.weth(TREASURY)) == (0, 3 * WAD)
    with pytest.raises(Reverted):  # there is less than is to be kept
        rig.contract.call("sweep", weth, 1, sender=OWNER)
    outward = {item["name"] for item in rig.contract.abi.items if item["type"] == "function"}
    assert not outward & {"withdraw", "transfer", "set_treasury", "call", "multicall", "rescue"}


def test_ether_comes_from_unwrapping_only(rig: Rig) -> None:
    for sender in (STRANGER, OWNER, CALLER):
        with pytest.raises(Reverted):
            rig.world.rpc.send(sender, rig.address, "0x", value=WAD)
    for name, *args in (("execute", 0), ("own",), ("sweep", rig.executor.weth, 0)):
        with pytest.raises(Reverted):
            rig.world.rpc.send(CALLER, rig.address, rig.contract.fn(name, *args), value=1)
    rig.world.rpc.rpc("anvil_setBalance", rig.address, hex(WAD))  # or by force
    rig.contract.send("sweep", ZERO_ADDRESS, 0, sender=OWNER)
    assert rig.ether(TREASURY) == WAD
    assert rig.ether() == 0


def test_silent_tokens_are_swept_too(rig: Rig) -> None:

    token = rig.world.add_silent_token(TokenSpec("USDX", 6, USD))
    rig.give("USDX", 10**9)
    rig.contract.send("sweep", token.address, 0, sender=CALLER)
    assert rig.world.balance("USDX", Address(TREASURY)) == 10**9


def test_an_executor_without_owner_or_treasury_cannot_be_made(world: World) -> None:

    world.fund(STRANGER)
    for owner, treasury in ((ZERO_ADDRESS, TREASURY), (OWNER, ZERO_ADDRESS)):
        code = creation_code(owner, treasury, world.asset("WETH"), ())
        with pytest.raises(Reverted):
            world.rpc.send(STRANGER, None, "0x" + code.hex(), gas=16_000_000)
