"""The assets of the world and their risk parameters, close to what Aave lists on mainnet.

Law: decimals are on purpose all over the place: 0, 6, 8, 18 and 24.
"""

from collections.abc import Sequence
from typing import Final

from keeper.devnet.abi import Abi
from keeper.devnet.contract import Contract, Deployer, artifact
from keeper.devnet.layout import USD, EMode, RiskSpec, Token, TokenSpec
from keeper.devnet.packages import AAVE_V302

_MOCKS: Final = "artifacts/contracts/mocks/tokens"

TOKENS: Final = (
    TokenSpec("WETH", 18, 2_000 * USD),
    TokenSpec("USDC", 6, USD),
    TokenSpec("WBTC", 8, 60_000 * USD),
    TokenSpec("DAI", 18, USD),
    TokenSpec("LINK", 18, 15 * USD),
    TokenSpec("WSTETH", 18, 2_300 * USD),
    TokenSpec("YOC", 24, 5 * USD),
    TokenSpec("TIX", 0, 100 * USD),
)

RISK: Final = {
    "WETH": RiskSpec(8000, 8250, 10500, 1500),
    "USDC": RiskSpec(7500, 7800, 10450, 1000, stable_rate=True, volatile=False),
    "WBTC": RiskSpec(7300, 7800, 10625, 2000),
    "DAI": RiskSpec(6300, 7700, 10500, 1000, stable_rate=True, volatile=False),
    "LINK": RiskSpec(5300, 6800, 10700, 2000),
    "WSTETH": RiskSpec(7850, 8100, 10600, 1500),
    "YOC": RiskSpec(5000, 6500, 11000, 2000),
    "TIX": RiskSpec(5000, 6000, 11000, 2000),
}

EMODES: Final = (
    EMode(1, "ETH correlated", ("WETH", "WSTETH"), 9300, 9500, 10100),
    EMode(2, "Stablecoins", ("USDC", "DAI"), 9300, 9500, 10100),
)


def deploy_tokens(deployer: Deployer, specs: Sequence[TokenSpec]) -> dict[str, Token]:
    """Tokens whose ``mint(address,uint256)`` is open to all. WETH is the real one with a mint on top."""
    return {spec.symbol: Token(spec.symbol, deploy_token(deployer, spec).address, spec.decimals) for spec in specs}


def deploy_token(deployer: Deployer, spec: TokenSpec) -> Contract:
    """One of them."""
    if spec.symbol == "WETH":
        return deployer.create(artifact(AAVE_V302, f"{_MOCKS}/WETH9Mocked.sol/WETH9Mocked.json"))
    mintable = artifact(AAVE_V302, f"{_MOCKS}/MintableERC20.sol/MintableERC20.json")
    return deployer.create(mintable, spec.symbol, spec.symbol, spec.decimals)


def erc20() -> Abi:
    """What all of them understand."""
    return artifact(AAVE_V302, f"{_MOCKS}/MintableERC20.sol/MintableERC20.json").abi
