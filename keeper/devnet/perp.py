"""Perpetual v2 (Curie) from the artifacts of its own packages, wired as its deploy scripts do, over the world's feeds.

Law: no contract here is ours. It is not part of the saved worlds; a test that needs it adds it, in some 60
transactions. The settlement token is the world's USDC, the pools are of the world's Uniswap factory, the index is a
feed's proxy behind the oracle package's price feed and dispatcher.
"""

from collections.abc import Sequence
from itertools import count
from math import isqrt
from typing import Final

import msgspec

from keeper.core.units import MAX_U256, Address
from keeper.devnet.contract import Artifact, Contract, Deployer, artifact, created_address
from keeper.devnet.layout import ADMIN, USD
from keeper.devnet.packages import PERP_CURIE, PERP_ORACLE
from keeper.devnet.stage import Stage
from keeper.devnet.uniswap import contract_artifact as uniswap_artifact

POOL_FEE: Final = 3000  # of the base/quote pool; replaced by the exchange's own fee
EXCHANGE_FEE: Final = 1000  # 0.1 %
FUND_SHARE: Final = 200_000  # of the exchange's fee, to the insurance fund
TICK_CAP: Final = 1000  # ticks that a block may move the price: the most that is allowed
OBSERVATIONS: Final = 240  # that a pool remembers: enough for 30 minutes of blocks
AGE: Final = 1_860  # seconds: a pool younger than the longest average has no mark price
FUND: Final = 100_000 * 10**6  # what the insurance fund starts with
_TWAP: Final = 900  # seconds; the interval of the price feed's cache
_TIMEOUT: Final = 100 * 365 * 86_400
_PARTS: Final = (
    "ClearingHouseConfig",
    "MarketRegistry",
    "OrderBook",
    "Exchange",
    "InsuranceFund",
    "AccountBalance",
    "Vault",
    "CollateralManager",
    "ClearingHouse",
)


def contract_artifact(name: str) -> Artifact:
    """A contract of either package by its name."""
    oracle = name in ("ChainlinkPriceFeedV2", "ChainlinkPriceFeedV3", "PriceFeedDispatcher", "UniswapV3PriceFeed")
    return artifact(PERP_ORACLE if oracle else PERP_CURIE, f"artifacts/contracts/{name}.sol/{name}.json")


class PerpMarket(msgspec.Struct, frozen=True):
    """One base token: its pool, its price feed, and the feed of the world that it follows."""

    symbol: str
    base: Address
    pool: Address
    feed: Address


class PerpLayout(msgspec.Struct, frozen=True):
    """An exchange. Everything can be found from ``clearing_house``, as on Optimism."""

    clearing_house: Address
    quote: Address
    parts: dict[str, Address]
    markets: dict[str, PerpMarket]


class PerpDeployer(Stage):
    """Adds it."""

    def add_perp(self, *symbols: str) -> PerpLayout:
        """An exchange with a market for each of these feeds, without liquidity. The insurance fund has ``FUND``."""
        deployer = Deployer(self.rpc, ADMIN)
        parts = {name: deployer.create(contract_artifact(name)) for name in _PARTS}
        quote = self._quote_token()
        deployer.call(quote, "initialize", "vUSD", "vUSD")
        self._initialise(deployer, parts, quote)
        deployer.call(self.token("USDC"), "mint(address,uint256)", parts["InsuranceFund"].address, FUND)
        deployer.flush()
        markets = {symbol: self._open_market(deployer, parts, quote, symbol) for symbol in symbols}
        self.advance(AGE)
        addresses = {name: part.address for name, part in parts.items()}
        return PerpLayout(parts["ClearingHouse"].address, quote.address, addresses, markets)

    def add_perp_market(self, perp: PerpLayout, symbol: str) -> PerpLayout:
        """One more market, as young as it is: without a mark price for the first ``AGE`` seconds."""
        parts = {name: Contract(self.rpc, at, contract_artifact(name).abi) for name, at in perp.parts.items()}
        quote = Contract(self.rpc, perp.quote, contract_artifact("QuoteToken").abi)
        market = self._open_market(Deployer(self.rpc, ADMIN), parts, quote, symbol)
        return msgspec.structs.replace(perp, markets={**perp.markets, symbol: market})

    def _quote_token(self) -> Contract:
        """The quote must sort above every base: it is created by whoever creates high addresses."""
        creator = next(one for at in count(1) if created_address(one := Address(f"0x{at:040x}"), 0).startswith("0xfff"))
        self.fund(creator)
        deployer = Deployer(self.rpc, creator)
        quote = deployer.create(contract_artifact("QuoteToken"))
        deployer.flush()
        return quote

    def _initialise(self, deployer: Deployer, parts: dict[str, Contract], quote: Contract) -> None:
        at = {name: part.address for name, part in parts.items()}
        config, fund, factory = at["ClearingHouseConfig"], at["InsuranceFund"], self.layout.uniswap.v3_factory
        risk = (5, 750_000, 500_000, 2_000, 30_000, 10_000 * 10**6, 500 * 10**6)
        arguments: dict[str, Sequence[object]] = {
            "ClearingHouseConfig": (),
            "MarketRegistry": (factory, quote.address),
            "OrderBook": (at["MarketRegistry"],),
            "Exchange": (at["MarketRegistry"], at["OrderBook"], config),
            "InsuranceFund": (self.asset("USDC"),),
            "AccountBalance": (config, at["OrderBook"]),
            "Vault": (fund, config, at["AccountBalance"], at["Exchange"]),
            "CollateralManager": (config, at["Vault"], *risk),
        }
        for name, values in arguments.items():
            deployer.call(parts[name], "initialize", *values)
        deployer.call(parts["OrderBook"], "setExchange", at["Exchange"])
        deployer.call(parts["Exchange"], "setAccountBalance", at["AccountBalance"])
        house = (config, at["Vault"], quote.address, factory, at["Exchange"], at["AccountBalance"], fund)
        deployer.call(parts["ClearingHouse"], "initialize", *house)
        deployer.call(parts["ClearingHouseConfig"], "setSettlementTokenBalanceCap", MAX_U256)
        deployer.call(parts["AccountBalance"], "setVault", at["Vault"])
        deployer.call(parts["Vault"], "setCollateralManager", at["CollateralManager"])
        deployer.call(parts["InsuranceFund"], "setVault", at["Vault"])
        for name in ("MarketRegistry", "OrderBook", "Exchange", "AccountBalance", "Vault"):
            deployer.call(parts[name], "setClearingHouse", at["ClearingHouse"])
        deployer.call(quote, "mintMaximumTo", at["ClearingHouse"])
        deployer.call(quote, "addWhitelist", at["ClearingHouse"])

    def _open_market(self, deployer: Deployer, parts: dict[str, Contract], quote: Contract, symbol: str) -> PerpMarket:
        """A base token and its pool, which opens at the feed's price."""
        proxy, house = self.layout.feeds[symbol].proxy, parts["ClearingHouse"].address
        feed = deployer.create(contract_artifact("ChainlinkPriceFeedV3"), proxy, _TIMEOUT, _TWAP)
        dispatcher = deployer.create(contract_artifact("PriceFeedDispatcher"), feed.address)
        base = deployer.create(contract_artifact("BaseToken"))
        deployer.call(base, "initialize", f"v{symbol}", f"v{symbol}", dispatcher.address)
        factory = self.uniswap_contract("UniswapV3Factory", self.layout.uniswap.v3_factory)
        deployer.call(factory, "createPool", base.address, quote.address, POOL_FEE)
        deployer.flush()
        pool = Contract(
            self.rpc,
            factory.call("getPool", base.address, quote.address, POOL_FEE),
            uniswap_artifact("UniswapV3Pool").abi,
        )
        price = int(self.aggregator(symbol).call("latestAnswer"))
        deployer.call(pool, "initialize", isqrt((price << 192) // USD))
        deployer.call(pool, "increaseObservationCardinalityNext", OBSERVATIONS, gas=10_000_000)
        deployer.call(base, "mintMaximumTo", house)
        for token, account in ((base, house), (base, pool.address), (quote, pool.address)):
            deployer.call(token, "addWhitelist", account)
        deployer.call(parts["MarketRegistry"], "addPool", base.address, POOL_FEE)
        deployer.call(parts["MarketRegistry"], "setFeeRatio", base.address, EXCHANGE_FEE)
        deployer.call(parts["MarketRegistry"], "setInsuranceFundFeeRatio", base.address, FUND_SHARE)
        deployer.call(parts["Exchange"], "setMaxTickCrossedWithinBlock", base.address, TICK_CAP)
        deployer.flush()
        return PerpMarket(symbol, base.address, pool.address, feed.address)
