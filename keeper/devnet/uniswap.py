"""Uniswap v3 and v2 from their packages: factories, routers, quoter, and pools deep enough to liquidate into.

Law: pools open at the prices of the feeds. Each v3 pool has liquidity over the whole range and twice as much near the
price, so that a large swap crosses a tick.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from math import floor, isqrt, log
from typing import Final

from keeper.core.units import MAX_U256, ZERO_ADDRESS, Address
from keeper.devnet.contract import Artifact, Contract, Deployer, artifact
from keeper.devnet.layout import LENDER, Token, UniswapLayout
from keeper.devnet.packages import (
    UNISWAP_ROUTER_02,
    UNISWAP_V2_CORE,
    UNISWAP_V2_PERIPHERY,
    UNISWAP_V3_CORE,
    UNISWAP_V3_PERIPHERY,
    Package,
)
from keeper.devnet.tokens import erc20

POOLS: Final = (
    ("WETH", "USDC", 500),
    ("WETH", "USDC", 3000),
    ("WBTC", "WETH", 500),
    ("WBTC", "USDC", 3000),
    ("WETH", "DAI", 3000),
    ("USDC", "DAI", 100),
    ("LINK", "WETH", 3000),
    ("WSTETH", "WETH", 100),
    ("YOC", "WETH", 10000),
    ("TIX", "USDC", 10000),
)
PAIRS: Final = (("WETH", "USDC"), ("WETH", "DAI"), ("WBTC", "WETH"), ("LINK", "WETH"))
_DEPTH: Final = 20_000_000 * 10**8  # value of each side of a pool's whole-range liquidity, in units of 1e-8 dollars
_SPACING: Final = {100: 1, 500: 10, 3000: 60, 10000: 200}
_MAX_TICK: Final = 887_272
_NEAR: Final = 953  # ticks: about 10 %
_DEADLINE: Final = 2**40
_FILES: Final[Mapping[str, tuple[Package, str]]] = {
    "UniswapV3Factory": (UNISWAP_V3_CORE, "artifacts/contracts/UniswapV3Factory.sol/UniswapV3Factory.json"),
    "UniswapV3Pool": (UNISWAP_V3_CORE, "artifacts/contracts/UniswapV3Pool.sol/UniswapV3Pool.json"),
    "NonfungiblePositionManager": (
        UNISWAP_V3_PERIPHERY,
        "artifacts/contracts/NonfungiblePositionManager.sol/NonfungiblePositionManager.json",
    ),
    "SwapRouter": (UNISWAP_V3_PERIPHERY, "artifacts/contracts/SwapRouter.sol/SwapRouter.json"),
    "QuoterV2": (UNISWAP_V3_PERIPHERY, "artifacts/contracts/lens/QuoterV2.sol/QuoterV2.json"),
    "TickLens": (UNISWAP_V3_PERIPHERY, "artifacts/contracts/lens/TickLens.sol/TickLens.json"),
    "UniswapInterfaceMulticall": (
        UNISWAP_V3_PERIPHERY,
        "artifacts/contracts/lens/UniswapInterfaceMulticall.sol/UniswapInterfaceMulticall.json",
    ),
    "SwapRouter02": (UNISWAP_ROUTER_02, "artifacts/contracts/SwapRouter02.sol/SwapRouter02.json"),
    "UniswapV2Factory": (UNISWAP_V2_CORE, "build/UniswapV2Factory.json"),
    "UniswapV2Pair": (UNISWAP_V2_CORE, "build/UniswapV2Pair.json"),
    "UniswapV2Router02": (UNISWAP_V2_PERIPHERY, "build/UniswapV2Router02.json"),
}


def contract_artifact(name: str) -> Artifact:
    """A Uniswap contract by its name."""
    return artifact(*_FILES[name])


@dataclass(frozen=True, slots=True)
class Sides:
    """Two tokens in a pool's order, with amounts of equal value."""

    token0: Address
    token1: Address
    amount0: int
    amount1: int

    @property
    def sqrt_price_x96(self) -> int:
        return isqrt((self.amount1 << 192) // self.amount0)

    @property
    def tick(self) -> int:
        """Near enough to place a position; the pool itself knows the exact one."""
        return floor(log(self.amount1 / self.amount0) / log(1.0001))


def deploy_uniswap(deployer: Deployer, tokens: Mapping[str, Token], prices: Mapping[str, int]) -> UniswapLayout:
    """Everything, with liquidity given by ``LENDER``, who holds the tokens."""
    weth = tokens["WETH"].address
    v3 = deployer.create(contract_artifact("UniswapV3Factory"))
    tick_spacing = 1
    deployer.call(v3, "enableFeeAmount", 100, tick_spacing)
    v2 = deployer.create(contract_artifact("UniswapV2Factory"), ZERO_ADDRESS)
    manager = deployer.create(contract_artifact("NonfungiblePositionManager"), v3.address, weth, ZERO_ADDRESS)
    router = deployer.create(contract_artifact("SwapRouter"), v3.address, weth)
    router02 = deployer.create(contract_artifact("SwapRouter02"), v2.address, v3.address, manager.address, weth)
    quoter = deployer.create(contract_artifact("QuoterV2"), v3.address, weth)
    lens = deployer.create(contract_artifact("TickLens"))
    multicall = deployer.create(contract_artifact("UniswapInterfaceMulticall"))
    v2_router = deployer.create(contract_artifact("UniswapV2Router02"), v2.address, weth)
    deployer.flush()
    lender = Deployer(deployer.rpc, LENDER)
    for token in tokens.values():
        for spender in (manager.address, v2_router.address):
            lender.call(deployer.at(token.address, erc20()), "approve", spender, MAX_U256)
    pools = [pool for pool in POOLS if pool[0] in tokens and pool[1] in tokens]
    for one, other, fee in pools:
        open_pool(lender, manager, sides_of(tokens, prices, one, other), fee)
    for one, other in PAIRS:
        sides = sides_of(tokens, prices, one, other)
        amounts = (sides.amount0, sides.amount1)
        lender.call(v2_router, "addLiquidity", sides.token0, sides.token1, *amounts, *amounts, LENDER, _DEADLINE)
    lender.flush()
    return UniswapLayout(
        v3_factory=v3.address,
        position_manager=manager.address,
        router=router.address,
        router02=router02.address,
        quoter=quoter.address,
        tick_lens=lens.address,
        multicall=multicall.address,
        v2_factory=v2.address,
        v2_router=v2_router.address,
        pools={f"{a}/{b}/{fee}": v3.call("getPool", tokens[a].address, tokens[b].address, fee) for a, b, fee in pools},
        pairs={f"{a}/{b}": v2.call("getPair", tokens[a].address, tokens[b].address) for a, b in PAIRS},
    )


def sides_of(tokens: Mapping[str, Token], prices: Mapping[str, int], *symbols: str) -> Sides:
    """A pair with as much of each token as goes into a pool's whole-range position."""
    first, second = sorted(symbols, key=lambda symbol: tokens[symbol].address)
    amounts = (_DEPTH * tokens[symbol].unit // prices[symbol] for symbol in (first, second))
    return Sides(tokens[first].address, tokens[second].address, *amounts)


def open_pool(lender: Deployer, manager: Contract, sides: Sides, fee: int) -> None:
    """Queues a v3 pool with its two positions."""
    pair = (sides.token0, sides.token1, fee)
    lender.call(manager, "createAndInitializePoolIfNecessary", *pair, sides.sqrt_price_x96)
    spacing = _SPACING[fee]
    edge = _MAX_TICK // spacing * spacing
    low, high = ((sides.tick + side * _NEAR) // spacing * spacing for side in (-1, 1))
    for ticks, share in (((-edge, edge), 100), ((low, high), 10)):
        amounts = (sides.amount0 * share // 100, sides.amount1 * share // 100)
        accept_any = (0, 0)
        lender.call(manager, "mint", (*pair, *ticks, *amounts, *accept_any, LENDER, _DEADLINE))
