"""A Compound v2 fork in the manner of Moonwell: interest by the second, a share of what is seized, no Liquidator.

Law: it is a fixture of ours (``contracts/fork``), for no package ships such a fork; its maths is what its sources are
said to do. Hands are Venus's own, since users do the same things.
"""

from pathlib import Path
from typing import Final

from keeper.core.units import WAD, ZERO_ADDRESS, Address
from keeper.devnet.contract import Artifact, Contract, Deployer
from keeper.devnet.layout import ADMIN, LENDER
from keeper.devnet.stage import ETHER
from keeper.devnet.venus import Venus
from keeper.devnet.venus_deploy import VenusLayout, VenusMarket
from keeper.devnet.vyper import vyper_artifact
from keeper.devnet.world import World

_CONTRACTS: Final = Path(__file__).parent / "contracts" / "fork"
_YEAR: Final = 31_536_000
FACTORS: Final = {"WETH": 80, "USDC": 83, "WBTC": 78, "LINK": 65, "TIX": 60}  # percent
_FEED: Final = 10**10  # from a feed's eight decimals to eighteen


def contract_artifact(name: str) -> Artifact:
    """One of the two contracts."""
    return vyper_artifact(_CONTRACTS / f"{name}.vy")


class Fork(Venus):
    """The fork of a world."""

    @classmethod
    def deploy(cls, world: World, *, direct: bool = True) -> "Fork":
        """A new one with liquidity in every market; liquidators always call the market itself."""
        del direct
        deployer = Deployer(world.rpc, ADMIN)
        comptroller = deployer.create(contract_artifact("comptroller"))
        markets = {symbol: _market(deployer, world, comptroller, symbol) for symbol in FACTORS}
        deployer.flush()
        nothing = (ZERO_ADDRESS,) * 9
        fork = cls(world, VenusLayout(comptroller.address, *nothing, models=(ZERO_ADDRESS,) * 2, markets=markets))
        for symbol, percent in FACTORS.items():
            fork.support(symbol, percent)
        world.fund(LENDER, wei=10**7 * ETHER)
        supplies = [fork.mint_txs(LENDER, symbol, fork.lent(symbol)) for symbol in fork.symbols]
        world.rpc.send_all([tx for txs in supplies for tx in txs])
        return fork

    def support(self, symbol: str, percent: int, feed: Address | None = None) -> None:
        """Lists a market, or gives it another factor or another feed."""
        market = self.market(symbol)
        scale = _FEED * 10 ** (18 - market.decimals)
        source = feed or self.world.layout.feeds[symbol].proxy
        factor = percent * WAD // 100
        self.comptroller.send("support", market.v_token, source, scale, factor, sender=ADMIN)

    @property
    def comptroller(self) -> Contract:
        return Contract(self.world.rpc, self.layout.comptroller, contract_artifact("comptroller").abi)

    def v_token(self, symbol: str) -> Contract:
        return Contract(self.world.rpc, self.market(symbol).v_token, contract_artifact("market").abi)

    def front(self) -> Address:
        return ZERO_ADDRESS


def _market(deployer: Deployer, world: World, comptroller: Contract, symbol: str) -> VenusMarket:
    token = world.layout.tokens[symbol]
    first_rate = 2 * WAD // 100 * int(10**token.decimals) // 10**8
    base, slope = WAD // 100 // _YEAR, WAD // 3 // _YEAR
    market = deployer.create(contract_artifact("market"), token.address, comptroller.address, first_rate, base, slope)
    return VenusMarket(symbol, market.address, token.address, token.decimals)
