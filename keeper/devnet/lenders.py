"""Other places to borrow for the length of a transaction: Balancer's v2 Vault and Morpho Blue, compiled on demand.

Law: they are not part of the saved worlds; a test that needs one adds it, which takes a few transactions.
"""

from typing import Final

import msgspec

from keeper.core.units import MAX_U256, ZERO_ADDRESS, Address
from keeper.devnet.contract import Artifact, Contract, Deployer
from keeper.devnet.layout import ADMIN, LENDER
from keeper.devnet.packages import (
    BALANCER_INTERFACES,
    BALANCER_UTILS,
    BALANCER_VAULT,
    MORPHO_BLUE,
    SOLC_0706,
    SOLC_0819,
)
from keeper.devnet.solc import Project, compiled
from keeper.devnet.stage import Stage

_BALANCER: Final = Project(
    name="balancer-v2-vault",
    compiler=SOLC_0706,
    roots=(
        ("vault/", BALANCER_VAULT, "contracts/"),
        ("@balancer-labs/v2-interfaces/", BALANCER_INTERFACES, ""),
        ("@balancer-labs/v2-solidity-utils/", BALANCER_UTILS, ""),
    ),
    entries=("vault/Vault.sol",),
    runs=400,
)
_MORPHO: Final = Project(
    name="morpho-blue",
    compiler=SOLC_0819,
    roots=(("morpho/", MORPHO_BLUE, "src/"),),
    entries=("morpho/Morpho.sol", "morpho/mocks/IrmMock.sol", "morpho/mocks/OracleMock.sol"),
    runs=200,
)
PROJECTS: Final = (_BALANCER, _MORPHO)
_ORACLE_SCALE: Final = 36  # decimals of a Morpho price, when both tokens have as many


class MorphoMarket(msgspec.Struct, frozen=True):
    """A market: its parameters in Morpho's order, whose hash is its id."""

    loan: Address
    collateral: Address
    oracle: Address
    irm: Address
    lltv: int

    @property
    def params(self) -> tuple[Address, Address, Address, Address, int]:
        return (self.loan, self.collateral, self.oracle, self.irm, self.lltv)


class Lenders(Stage):
    """Adds them."""

    def add_balancer(self, *symbols: str, amount: int = 10**24) -> Contract:
        """A Vault that holds ``amount`` of each token and lends it for nothing."""
        deployer, no_pause_window, no_buffer = Deployer(self.rpc, ADMIN), 0, 0
        vault = deployer.create(
            compiled(_BALANCER, "Vault"), ZERO_ADDRESS, self.asset("WETH"), no_pause_window, no_buffer
        )
        for symbol in symbols:
            deployer.call(self.token(symbol), "mint(address,uint256)", vault.address, amount)
        deployer.flush()
        return vault

    def add_morpho(self, *symbols: str, amount: int = 10**24) -> Contract:
        """A Morpho that holds ``amount`` of each token, as if it were somebody's collateral."""
        deployer = Deployer(self.rpc, ADMIN)
        morpho = deployer.create(morpho_artifact("Morpho"), ADMIN)
        for symbol in symbols:
            deployer.call(self.token(symbol), "mint(address,uint256)", morpho.address, amount)
        deployer.flush()
        return morpho

    def add_morpho_market(self, morpho: Contract, collateral: str, loan: str, lltv: int, lent: int) -> MorphoMarket:
        """A market at the feeds' prices, in which ``LENDER`` has supplied ``lent``. ``lltv`` is a wad."""
        deployer = Deployer(self.rpc, ADMIN)
        oracle = deployer.create(morpho_artifact("OracleMock"))
        irm = deployer.create(morpho_artifact("IrmMock"))
        market = MorphoMarket(self.asset(loan), self.asset(collateral), oracle.address, irm.address, lltv)
        deployer.call(oracle, "setPrice", self._morpho_price(collateral, loan))
        deployer.call(morpho, "enableIrm", irm.address)
        if not morpho.call("isLltvEnabled", lltv):
            deployer.call(morpho, "enableLltv", lltv)
        deployer.call(morpho, "createMarket", market.params)
        deployer.flush()
        lender, no_shares, no_callback = Deployer(self.rpc, LENDER), 0, b""
        lender.call(self.token(loan), "mint(address,uint256)", LENDER, lent)
        lender.call(self.token(loan), "approve", morpho.address, MAX_U256)
        lender.call(morpho, "supply", market.params, lent, no_shares, LENDER, no_callback)
        lender.flush()
        return market

    def set_morpho_price(self, market: MorphoMarket, price: int) -> None:
        """The oracle's answer: units of the loan token for one unit of collateral, times 1e36."""
        oracle = Contract(self.rpc, market.oracle, morpho_artifact("OracleMock").abi)
        oracle.send("setPrice", price, sender=ADMIN)

    def _morpho_price(self, collateral: str, loan: str) -> int:
        """What the feeds say, in Morpho's scale."""
        held, owed = self.layout.tokens[collateral], self.layout.tokens[loan]
        prices = [int(self.aggregator(symbol).call("latestAnswer")) for symbol in (collateral, loan)]
        return int(10**_ORACLE_SCALE) * prices[0] * owed.unit // (prices[1] * held.unit)


def morpho_artifact(name: str) -> Artifact:
    """A contract of Morpho's package."""
    return compiled(_MORPHO, name)
