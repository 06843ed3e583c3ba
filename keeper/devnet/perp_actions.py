"""What the users of a Perpetual v2 exchange do.

Law: each method is one user's transaction(s), for ``Rpc.send_all``; the tokens they need are minted on the spot.
"""

from typing import Final

from keeper.core.units import Address
from keeper.devnet.contract import Contract, Deployer
from keeper.devnet.layout import ADMIN
from keeper.devnet.perp import PerpLayout, contract_artifact
from keeper.devnet.rpc import Tx
from keeper.devnet.stage import Stage
from keeper.devnet.uniswap import contract_artifact as uniswap_artifact

_DEADLINE: Final = 2**40
_NO_BOUND: Final = 0
_NO_REFERRAL: Final = bytes(32)
_COLLATERAL_RATIO: Final = 700_000
_DISCOUNT: Final = 100_000
_CAP: Final = 2**120
_TWAP: Final = 900


class Perp:
    """Hands on an exchange."""

    def __init__(self, stage: Stage, layout: PerpLayout) -> None:
        self.stage = stage
        self.layout = layout

    def part(self, name: str) -> Contract:
        """One of its contracts."""
        return Contract(self.stage.rpc, self.layout.parts[name], contract_artifact(name).abi)

    @property
    def house(self) -> Contract:
        return self.part("ClearingHouse")

    def base(self, symbol: str) -> Address:
        return self.layout.markets[symbol].base

    def base_token(self, symbol: str) -> Contract:
        return Contract(self.stage.rpc, self.base(symbol), contract_artifact("BaseToken").abi)

    def pool(self, symbol: str) -> Contract:
        return Contract(self.stage.rpc, self.layout.markets[symbol].pool, uniswap_artifact("UniswapV3Pool").abi)

    def price_feed(self, symbol: str) -> Contract:
        """Of the oracle package: caches the index and its average."""
        return Contract(self.stage.rpc, self.layout.markets[symbol].feed, contract_artifact("ChainlinkPriceFeedV3").abi)

    def mark_price(self, symbol: str) -> int:
        """In wei of a dollar."""
        return int(self.part("AccountBalance").call("getMarkPrice", self.base(symbol)))

    def size(self, trader: Address, symbol: str) -> int:
        """Base a trader holds (or owes, negative) as a taker."""
        return int(self.part("AccountBalance").call("getTakerPositionSize", trader, self.base(symbol)))

    # users ---------------------------------------------------------------------------------------------------------

    def deposit(self, trader: Address, amount: int, symbol: str = "USDC") -> list[Tx]:
        """Mint, approve, deposit."""
        vault = self.part("Vault")
        paid = self.stage.hand_out(symbol, trader, amount, vault.address)
        return [*paid, vault.tx("deposit", self.stage.asset(symbol), amount, sender=trader)]

    def withdraw(self, trader: Address, amount: int, symbol: str = "USDC") -> Tx:
        return self.part("Vault").tx("withdraw", self.stage.asset(symbol), amount, sender=trader)

    def open(self, trader: Address, symbol: str, amount: int, *, long: bool, exact_in: bool) -> Tx:
        """A long pays quote for base. The amount is of what comes in, or with ``exact_in`` false of what goes out."""
        order = (self.base(symbol), not long, exact_in, amount, _NO_BOUND, _DEADLINE, _NO_BOUND, _NO_REFERRAL)
        return self.house.tx("openPosition", order, sender=trader)

    def close(self, trader: Address, symbol: str) -> Tx:
        order = (self.base(symbol), _NO_BOUND, _NO_BOUND, _DEADLINE, _NO_REFERRAL)
        return self.house.tx("closePosition", order, sender=trader)

    def add_liquidity(self, trader: Address, symbol: str, amounts: tuple[int, int], ticks: tuple[int, int]) -> Tx:
        """At most so much base and quote between two ticks."""
        use_taker_balance = False
        order = (self.base(symbol), *amounts, *ticks, _NO_BOUND, _NO_BOUND, use_taker_balance, _DEADLINE)
        return self.house.tx("addLiquidity", order, sender=trader)

    def remove_liquidity(self, trader: Address, symbol: str, ticks: tuple[int, int], liquidity: int) -> Tx:
        order = (self.base(symbol), *ticks, liquidity, _NO_BOUND, _NO_BOUND, _DEADLINE)
        return self.house.tx("removeLiquidity", order, sender=trader)

    def settle(self, trader: Address) -> Tx:
        """Pays or takes the funding due in all markets."""
        return self.house.tx("settleAllFunding", trader, sender=trader)

    def liquidate(self, liquidator: Address, trader: Address, symbol: str, size: int = 0) -> Tx:
        """Takes over so much of a position; 0 is as much as is allowed."""
        call = "liquidate(address,address,int256)"
        return self.house.tx(call, trader, self.base(symbol), size, sender=liquidator)

    def cancel_orders(self, sender: Address, maker: Address, symbol: str) -> Tx:
        return self.house.tx("cancelAllExcessOrders", maker, self.base(symbol), sender=sender)

    def liquidate_collateral(self, liquidator: Address, trader: Address, symbol: str, amount: int) -> list[Tx]:
        """Buys so much of a token of the margin of somebody who owes settlement tokens."""
        vault, in_settlement = self.part("Vault"), False
        paid = self.stage.hand_out("USDC", liquidator, 10**13, vault.address)
        order = (trader, self.stage.asset(symbol), amount, in_settlement)
        return [*paid, vault.tx("liquidateCollateral", *order, sender=liquidator)]

    def quit(self, trader: Address, symbol: str) -> Tx:
        """Ends a position in a market that was closed, at its last price."""
        return self.house.tx("quitMarket", trader, self.base(symbol), sender=trader)

    # owners --------------------------------------------------------------------------------------------------------

    def add_collateral(self, symbol: str) -> None:
        """A second token that counts as margin, at its feed's average."""
        deployer = Deployer(self.stage.rpc, ADMIN)
        proxy = self.stage.layout.feeds[symbol].proxy
        feed = deployer.create(contract_artifact("ChainlinkPriceFeedV2"), proxy, _TWAP)
        config = (feed.address, _COLLATERAL_RATIO, _DISCOUNT, _CAP)
        deployer.call(self.part("CollateralManager"), "addCollateral", self.stage.asset(symbol), config)
        deployer.flush()

    def add_second_source(self, symbol: str) -> None:
        """The index may come from the market's own pool from now on: should the feed stop answering."""
        deployer = Deployer(self.stage.rpc, ADMIN)
        feed = deployer.create(contract_artifact("UniswapV3PriceFeed"), self.layout.markets[symbol].pool)
        dispatcher = self.base_token(symbol).call("getPriceFeed")
        contract = Contract(self.stage.rpc, dispatcher, contract_artifact("PriceFeedDispatcher").abi)
        deployer.call(contract, "setUniswapV3PriceFeed", feed.address)
        deployer.flush()

    def govern(self, part: str, function: str, *arguments: object) -> Tx:
        """A call of the owner's."""
        return self.part(part).tx(function, *arguments, sender=ADMIN)
