"""A Venus core pool in a world, and hands to move it: what users, liquidators and owners do.

Law: a refusal that the protocol tells by an error number is not an exception here: the transaction is mined and its
logs say ``Failure``. Tokens that a user needs are minted on the spot.
"""

from typing import Final

import msgspec

from keeper.core.units import MAX_U256, ZERO_ADDRESS, Address
from keeper.devnet.contract import Contract, Deployer
from keeper.devnet.layout import ADMIN, LENDER, USD
from keeper.devnet.rpc import Receipt, Tx
from keeper.devnet.stage import ETHER
from keeper.devnet.venus_deploy import (
    Terms,
    VenusLayout,
    VenusMarket,
    comptroller_abi,
    contract_artifact,
    deploy_venus,
    list_market,
    set_feed,
)
from keeper.devnet.world import World

_LENT: Final = 20_000_000 * USD  # value of each market's first supply


class Venus:
    """The pool of a world."""

    def __init__(self, world: World, layout: VenusLayout) -> None:
        self.world = world
        self.layout = layout

    @classmethod
    def deploy(cls, world: World, *, direct: bool = False) -> "Venus":
        """A new pool with liquidity in every market; ``direct``: without a Liquidator."""
        deployer, layout = Deployer(world.rpc, ADMIN), world.layout
        venus = cls(world, deploy_venus(deployer, layout.tokens, layout.feeds, direct=direct))
        world.fund(LENDER, wei=10**7 * ETHER)
        world.rpc.send_all(
            [tx for symbol in venus.symbols for tx in venus.mint_txs(LENDER, symbol, venus.lent(symbol))]
        )
        return venus

    def lent(self, symbol: str) -> int:
        """What the lender supplies to a market at first."""
        unit = int(10 ** self.layout.markets[symbol].decimals)
        return _LENT * unit // self.world.price(_feed(symbol))

    @property
    def symbols(self) -> list[str]:
        return list(self.layout.markets)

    # contracts -----------------------------------------------------------------------------------------------------

    @property
    def comptroller(self) -> Contract:
        return Contract(self.world.rpc, self.layout.comptroller, comptroller_abi())

    @property
    def liquidator(self) -> Contract:
        return self._at("Liquidator", self.layout.liquidator)

    @property
    def vai_controller(self) -> Contract:
        return self._at("VAIController", self.layout.vai_controller)

    @property
    def vai(self) -> Contract:
        return self._at("VAI", self.layout.vai)

    def market(self, symbol: str) -> VenusMarket:
        return self.layout.markets[symbol]

    def v_token(self, symbol: str) -> Contract:
        name = "VBNB" if self.is_native(symbol) else "VBep20Delegate"
        return self._at(name, self.market(symbol).v_token)

    def is_native(self, symbol: str) -> bool:
        return self.market(symbol).underlying == ZERO_ADDRESS

    def _at(self, name: str, address: Address) -> Contract:
        return Contract(self.world.rpc, address, contract_artifact(name).abi)

    # users ---------------------------------------------------------------------------------------------------------

    def paid_for(self, account: Address, symbol: str, amount: int, spender: Address | None = None) -> list[Tx]:
        """New tokens and leave to take them; ether is given at once."""
        if self.is_native(symbol):
            balance = int(self.world.rpc.rpc("eth_getBalance", account, "latest"), 16)
            self.world.fund(account, wei=balance + amount)
            return []
        return self.world.hand_out(symbol, account, amount, spender or self.market(symbol).v_token)

    def mint_txs(self, account: Address, symbol: str, amount: int) -> list[Tx]:
        """Supply."""
        v_token = self.v_token(symbol)
        if self.is_native(symbol):
            self.paid_for(account, symbol, amount)
            return [Tx(account, v_token.address, v_token.fn("mint"), amount)]
        return [*self.paid_for(account, symbol, amount), v_token.tx("mint", amount, sender=account)]

    def enter_tx(self, account: Address, *symbols: str) -> Tx:
        markets = [self.market(symbol).v_token for symbol in symbols]
        return self.comptroller.tx("enterMarkets", markets, sender=account)

    def borrow_tx(self, account: Address, symbol: str, amount: int) -> Tx:
        return self.v_token(symbol).tx("borrow", amount, sender=account)

    def repay_txs(self, account: Address, symbol: str, amount: int) -> list[Tx]:
        """``MAX_U256`` repays all."""
        v_token = self.v_token(symbol)
        needed = 2 * self.debt(account, symbol) if amount == MAX_U256 else amount
        if self.is_native(symbol):
            self.paid_for(account, symbol, needed)
            return [Tx(account, v_token.address, v_token.fn("repayBorrow"), needed)]
        return [*self.paid_for(account, symbol, needed), v_token.tx("repayBorrow", amount, sender=account)]

    def debt(self, account: Address, symbol: str) -> int:
        """As the market has stored it."""
        return int(self.v_token(symbol).call("borrowBalanceStored", account))

    def liquidity(self, account: Address) -> tuple[int, int, int]:
        """Error number, liquidity, shortfall."""
        error, liquidity, shortfall = self.comptroller.call("getAccountLiquidity", account)
        return error, liquidity, shortfall

    def borrow(self, account: Address, collateral: str, supplied: int, debt: str, borrowed: int) -> None:
        """An account that supplies, enters and borrows."""
        self.world.fund(account)
        self.world.rpc.send_all(
            [
                *self.mint_txs(account, collateral, supplied),
                self.enter_tx(account, collateral),
                self.borrow_tx(account, debt, borrowed),
            ]
        )

    # liquidators ---------------------------------------------------------------------------------------------------

    def front(self) -> Address:
        """The contract that liquidators have to call; zero: each vToken itself."""
        return Address(self.comptroller.call("liquidatorContract"))

    def liquidate_txs(
        self, liquidator: Address, borrower: Address, debt: str, repay: int, collateral: str, paid: int | None = None
    ) -> list[Tx]:
        """Through the Liquidator where the comptroller has one, else at the vToken itself; ``paid`` tokens are had."""
        front = self.front()
        seized, owed = self.market(collateral).v_token, self.v_token(debt)
        money = self.paid_for(
            liquidator, debt, repay if paid is None else paid, None if front == ZERO_ADDRESS else front
        )
        native = self.is_native(debt)
        if front != ZERO_ADDRESS:
            data = self.liquidator.fn("liquidateBorrow", owed.address, borrower, repay, seized)
            return [*money, Tx(liquidator, front, data, repay if native else 0)]
        data = (
            owed.fn("liquidateBorrow", borrower, seized)
            if native
            else owed.fn("liquidateBorrow", borrower, repay, seized)
        )
        return [*money, Tx(liquidator, owed.address, data, repay if native else 0)]

    # owners --------------------------------------------------------------------------------------------------------

    def govern_tx(self, function: str, *args: object) -> Tx:
        """A function of the comptroller, by the administrator."""
        return self.comptroller.tx(function, *args, sender=ADMIN)

    def govern(self, function: str, *args: object) -> Receipt:
        return self.world.rpc.send_all([self.govern_tx(function, *args)])[0]

    def list_token(self, symbol: str, terms: Terms) -> VenusMarket:
        """A market of a known token."""
        deployer, world = Deployer(self.world.rpc, ADMIN), self.world.layout
        market = list_market(deployer, self.layout, world.tokens[symbol], world.feeds[symbol], terms)
        deployer.flush()
        self.layout = msgspec.structs.replace(self.layout, markets={**self.layout.markets, symbol: market})
        return market

    def set_feed(self, symbol: str, feed: Address, fresh: int = 10**9) -> None:
        """Another source of a token's price."""
        deployer = Deployer(self.world.rpc, ADMIN)
        set_feed(deployer, self.layout, self.market(symbol).underlying, feed, fresh)
        deployer.flush()


def _feed(symbol: str) -> str:
    """The feed that a market's price is taken from."""
    return "WETH" if symbol == "BNB" else symbol
