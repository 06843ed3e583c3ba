"""The stage: real markets, Uniswap and Chainlink feeds, borrowers, an executor, a private relay in front of the node.

Law: everything is on loopback and in one temporary folder; both are gone when the stage closes, however it closes.
"""

import contextlib
from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from eth_utils.crypto import keccak

from keeper.books import endpoints
from keeper.books import markets as adapters
from keeper.contracts.artifact import creation_code
from keeper.contracts.encode import Factory, create2_address, encode_set_roles
from keeper.core.plans import Role, VenueKind
from keeper.core.units import Address
from keeper.demo import REAL
from keeper.demo.acts import ACTS, Act, Scenery
from keeper.devnet.anvil import AnvilOptions
from keeper.devnet.build import make_world
from keeper.devnet.relay import SLOT_SECONDS, StandInRelay
from keeper.devnet.uniswap import contract_artifact
from keeper.devnet.world import World
from keeper.executor.deploy import CREATE2_FACTORY, role_calls, united
from keeper.indexer.inquire import inquire
from keeper.settings import Settings

KINDS: Final = {VenueKind.UNISWAP_V2: "uniswap_v2", VenueKind.UNISWAP_V3: "uniswap_v3"}
GAS: Final = 6_000_000
TREASURY: Final = Address("0x00000000000000000000000000000000000ca5e0")
OWNER: Final = Address("0xf39fd6e51aad88f6f4ce6ab8827279cfffb92266")  # account 0 of the test mnemonic


@dataclass(frozen=True, slots=True)
class Stage:
    """Everything the demonstration acts on."""

    world: World
    acts: Sequence[Act]
    relay: StandInRelay
    executor: Address
    settings: Settings


@contextlib.asynccontextmanager
async def stage(
    folder: Path,
    accounts: int,
    seed: int,
    callers: Sequence[Address],
    slot_seconds: int = SLOT_SECONDS,
    markets: Collection[str] = REAL[:1],
) -> AsyncIterator[Stage]:
    """Set the stage for ``callers``, the keeper's own accounts, with these markets."""
    options = AnvilOptions(no_mining=True, order="fifo", tx_gas_limit=True)
    with make_world("3.0.2", options) as world:
        acts = {name: ACTS[name](Scenery(world, accounts, seed)) for name in ACTS if name in markets}
        world.fund(OWNER, *callers)
        executor = deploy_executor(world, callers)
        async with StandInRelay(world.anvil.url, seed=seed, slot_seconds=slot_seconds) as relay:
            settings = settings_of(world, relay, executor, folder, slot_seconds, acts)
            await _give_roles(world, settings, executor)
            yield Stage(world, tuple(acts.values()), relay, executor, settings)


async def _give_roles(world: World, settings: Settings, executor: Address) -> None:
    """What every market says its contracts must be allowed to be."""
    async with endpoints(settings) as pool:
        head = await pool.head()
        found = [await inquire(pool, adapter.callees(), head, first) for adapter, first in adapters(settings)]
    for data in role_calls(united(found)):
        world.rpc.send(OWNER, executor, "0x" + data.hex())


def factories(world: World) -> tuple[Factory, Factory]:
    """The venues of the world, with the hash of the code their pools are made of."""
    uniswap = world.layout.uniswap
    pair, pool = (keccak(hexstr=contract_artifact(name).bytecode) for name in ("UniswapV2Pair", "UniswapV3Pool"))
    return (
        Factory(VenueKind.UNISWAP_V2, uniswap.v2_factory, pair),
        Factory(VenueKind.UNISWAP_V3, uniswap.v3_factory, pool),
    )


def deploy_executor(world: World, callers: Sequence[Address]) -> Address:
    """The real executor, where ``keeper deploy`` would put it, and who may use it."""
    code = creation_code(OWNER, TREASURY, world.asset("WETH"), factories(world))
    address = create2_address(CREATE2_FACTORY, bytes(32), keccak(code))
    world.rpc.send(OWNER, CREATE2_FACTORY, "0x" + (bytes(32) + code).hex(), gas=GAS)
    world.rpc.send(OWNER, address, "0x" + encode_set_roles(callers, Role.CALLER).hex())
    return address


def settings_of(
    world: World, relay: StandInRelay, executor: Address, folder: Path, slot_seconds: int, acts: Mapping[str, Act]
) -> Settings:
    """The configuration an operator of this world would write."""
    values: dict[str, Any] = {
        "chain": {
            "id": world.anvil.options.chain_id,
            "rpc": [relay.rpc],
            "ws": [relay.ws],
            "block_time": slot_seconds,
            "wrapped_native": world.asset("WETH"),
        },
        "markets": [{"protocol": name, "address": act.address, "from_block": 0} for name, act in acts.items()],
        "venues": [
            {"kind": KINDS[one.kind], "address": one.deployer, "init_code_hash": "0x" + one.init_hash.hex()}
            for one in factories(world)
        ],
        "executor": {"address": executor, "profit_recipient": TREASURY},
        "relays": [{"kind": "flashbots", "url": relay.url}],
        "store": {"path": folder / "keeper.sqlite"},
        "ops": {"port": 0, "audit_every": 10},
    }
    return Settings(**values)
