"""What traders do: swaps, and moving a pool's price to where the feeds say it is.

Law: whoever trades gets the tokens minted; nobody here makes money.
"""

from typing import Final

import msgspec

from keeper.core.units import Address
from keeper.devnet.contract import Contract, Deployer
from keeper.devnet.layout import LENDER
from keeper.devnet.rpc import Receipt
from keeper.devnet.stage import Stage
from keeper.devnet.uniswap import contract_artifact, open_pool, sides_of

_DEADLINE: Final = 2**40
_ANY: Final = 0
_PLENTY: Final = 2**120  # of any token: enough to reach any price limit


class Trading(Stage):
    """Uniswap's users."""

    def feed_price(self, symbol: str) -> int:
        """The latest answer of a feed, in units of 1e-8 dollars."""
        return int(self.aggregator(symbol).call("latestAnswer"))

    def swap_v3(self, trader: Address, name: str, sold: str, amount: int, limit: int = _ANY) -> Receipt:
        """Sells ``amount`` into the pool ``name`` (as ``WETH/USDC/500``), until the price reaches ``limit``."""
        one, other, fee = name.split("/")
        bought = other if sold == one else one
        self.rpc.send_all(self.hand_out(sold, trader, amount, self.layout.uniswap.router))
        order = (self.asset(sold), self.asset(bought), int(fee), trader, _DEADLINE, amount, _ANY, limit)
        return self.router.send("exactInputSingle", order, sender=trader)

    def swap_v2(self, trader: Address, sold: str, bought: str, amount: int) -> Receipt:
        """Sells ``amount`` into the pair."""
        self.rpc.send_all(self.hand_out(sold, trader, amount, self.layout.uniswap.v2_router))
        path = [self.asset(sold), self.asset(bought)]
        return self.v2_router.send("swapExactTokensForTokens", amount, _ANY, path, trader, _DEADLINE, sender=trader)

    def align_pool(self, name: str, trader: Address = LENDER) -> None:
        """Trades until the pool's price is the feeds'."""
        one, other, _fee = name.split("/")
        prices = {symbol: self.feed_price(symbol) for symbol in (one, other)}
        sides = sides_of(self.layout.tokens, prices, one, other)
        now, target = self.v3_pool(name).call("slot0")[0], sides.sqrt_price_x96
        if now == target:
            return
        sold_address = sides.token0 if target < now else sides.token1
        sold = one if self.asset(one) == sold_address else other
        self.swap_v3(trader, name, sold, _PLENTY, target)

    def align_pools(self) -> None:
        """All of them."""
        for name in self.layout.uniswap.pools:
            self.align_pool(name)

    def open_v3_pool(self, one: str, other: str, fee: int) -> Contract:
        """A pool at the feeds' prices, as deep as the first ones; ``LENDER`` provides."""
        uniswap = self.layout.uniswap
        manager = Contract(self.rpc, uniswap.position_manager, contract_artifact("NonfungiblePositionManager").abi)
        factory = Contract(self.rpc, uniswap.v3_factory, contract_artifact("UniswapV3Factory").abi)
        for symbol in (one, other):
            self.rpc.send_all(self.hand_out(symbol, LENDER, _PLENTY, manager.address))
        sides = sides_of(self.layout.tokens, {symbol: self.feed_price(symbol) for symbol in (one, other)}, one, other)
        lender = Deployer(self.rpc, LENDER)
        open_pool(lender, manager, sides, fee)
        lender.flush()
        name = f"{one}/{other}/{fee}"
        address = factory.call("getPool", self.asset(one), self.asset(other), fee)
        self.learn(uniswap=msgspec.structs.replace(uniswap, pools={**uniswap.pools, name: address}))
        return self.v3_pool(name)
