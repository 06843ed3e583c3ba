"""A contract that asks many at once, as keepers without a book do. Multicall3 itself is on no local chain."""

from pathlib import Path
from typing import Final

from keeper.core.units import Address
from keeper.devnet.contract import Contract, Deployer
from keeper.devnet.layout import ADMIN
from keeper.devnet.vyper import vyper_artifact
from keeper.devnet.world import World

_SOURCE: Final = Path(__file__).parent / "contracts" / "aggregator.vy"
MOST: Final = 500  # calls at a time


def deploy_aggregator(world: World) -> Contract:
    """The contract, on the world's node."""
    deployer = Deployer(world.anvil.rpc, ADMIN)
    made = deployer.create(vyper_artifact(_SOURCE))
    deployer.flush()
    return made


def account_data(aggregator: Contract, pool: Contract, accounts: list[Address]) -> str:
    """Calldata that asks for the health of accounts."""
    asked = [bytes.fromhex(pool.fn("getUserAccountData", one)[2:]) for one in accounts]
    return aggregator.fn("aggregate3", [(pool.address, True, data) for data in asked])
