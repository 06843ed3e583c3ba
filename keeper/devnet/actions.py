"""What users do to the market.

Law: each method is one user's transaction(s), mined; a refusal of the protocol raises ``Reverted`` with its reason.
Tokens a user needs are minted on the spot: nobody here has to be rich first.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from keeper.core.units import MAX_U256, Address
from keeper.devnet.layout import REPORTER
from keeper.devnet.rpc import Receipt, Tx
from keeper.devnet.stage import Stage

STABLE_RATE: Final = 1
VARIABLE_RATE: Final = 2
_NO_REFERRAL: Final = 0


@dataclass(frozen=True, slots=True)
class AccountData:
    """``getUserAccountData``."""

    collateral_base: int
    debt_base: int
    available_base: int
    threshold: int
    ltv: int
    health_factor: int


class Actions(Stage):
    """Users and the oracle node."""

    def account_data(self, account: Address, block: str | int = "latest") -> AccountData:
        return AccountData(*self.pool.call("getUserAccountData", account, block=block))

    def supply(self, account: Address, symbol: str, amount: int) -> Receipt:
        return self.rpc.send_all(self.supply_txs(account, symbol, amount))[-1]

    def supply_txs(self, account: Address, symbol: str, amount: int) -> list[Tx]:
        """Mint, approve, supply: for ``Rpc.send_all``."""
        asset = self.asset(symbol)
        return [
            *self._paid_for(account, symbol, amount),
            self.pool.tx("supply", asset, amount, account, _NO_REFERRAL, sender=account),
        ]

    def borrow(self, account: Address, symbol: str, amount: int, mode: int = VARIABLE_RATE) -> Receipt:
        return self.rpc.send_all([self.borrow_tx(account, symbol, amount, mode)])[0]

    def borrow_tx(self, account: Address, symbol: str, amount: int, mode: int = VARIABLE_RATE) -> Tx:
        return self.pool.tx("borrow", self.asset(symbol), amount, mode, _NO_REFERRAL, account, sender=account)

    def repay(self, account: Address, symbol: str, amount: int = MAX_U256, mode: int = VARIABLE_RATE) -> Receipt:
        """``MAX_U256`` repays all."""
        needed = 2 * self.debt(account, symbol) if amount == MAX_U256 else amount
        repay = self.pool.tx("repay", self.asset(symbol), amount, mode, account, sender=account)
        return self.rpc.send_all([*self._paid_for(account, symbol, needed), repay])[-1]

    def debt(self, account: Address, symbol: str) -> int:
        """Variable and stable debt of one asset."""
        reserve = self.layout.reserves[symbol]
        tokens = [reserve.v_token] + ([reserve.s_token] if reserve.s_token else [])
        return sum(int(self.v_token(symbol).at(token).call("balanceOf", account)) for token in tokens)

    def repay_with_atokens(self, account: Address, symbol: str, amount: int = MAX_U256) -> Receipt:
        return self.pool.send("repayWithATokens", self.asset(symbol), amount, VARIABLE_RATE, sender=account)

    def withdraw(self, account: Address, symbol: str, amount: int = MAX_U256) -> Receipt:
        """``MAX_U256`` withdraws all."""
        return self.pool.send("withdraw", self.asset(symbol), amount, account, sender=account)

    def set_emode(self, account: Address, category: int) -> Receipt:
        return self.pool.send("setUserEMode", category, sender=account)

    def set_collateral(self, account: Address, symbol: str, *, enabled: bool) -> Receipt:
        return self.pool.send("setUserUseReserveAsCollateral", self.asset(symbol), enabled, sender=account)

    def transfer_atoken(self, account: Address, symbol: str, to: Address, amount: int) -> Receipt:
        return self.a_token(symbol).send("transfer", to, amount, sender=account)

    def swap_rate_mode(self, account: Address, symbol: str, current_mode: int) -> Receipt:
        """From stable debt to variable or back; up to 3.1."""
        return self.pool.send("swapBorrowRateMode", self.asset(symbol), current_mode, sender=account)

    def liquidate(
        self,
        liquidator: Address,
        collateral: str,
        debt: str,
        account: Address,
        amount: int = MAX_U256,
        *,
        receive_atoken: bool = False,
    ) -> Receipt:
        """A bare ``liquidationCall`` paid from the liquidator's own, freshly minted, tokens."""
        call = self.liquidate_tx(liquidator, collateral, debt, account, amount, receive_atoken=receive_atoken)
        return self.rpc.send_all([*self._paid_for(liquidator, debt, 2 * self.debt(account, debt)), call])[-1]

    def liquidate_tx(
        self,
        liquidator: Address,
        collateral: str,
        debt: str,
        account: Address,
        amount: int = MAX_U256,
        *,
        receive_atoken: bool = False,
    ) -> Tx:
        assets = (self.asset(collateral), self.asset(debt))
        return self.pool.tx("liquidationCall", *assets, account, amount, receive_atoken, sender=liquidator)

    def _paid_for(self, account: Address, symbol: str, amount: int) -> list[Tx]:
        return self.hand_out(symbol, account, amount, self.layout.aave.pool)

    def set_price(self, symbol: str, price: int) -> Receipt:
        """A new answer of the feed, in units of 1e-8 dollars: a transaction of the oracle node to the aggregator."""
        return self.rpc.send_all([self.set_price_tx(symbol, price)])[0]

    def set_prices(self, prices: Mapping[str, int]) -> list[Receipt]:
        """New answers of several feeds, in one block."""
        return self.rpc.send_all([self.set_price_tx(symbol, price) for symbol, price in prices.items()])

    def set_price_tx(self, symbol: str, price: int) -> Tx:
        feed = self.aggregator(symbol)
        latest_round = int(feed.call("latestRound"))
        return feed.tx("submit", latest_round + 1, price, sender=REPORTER)

    def price(self, symbol: str) -> int:
        """As the market sees it."""
        return int(self.oracle.call("getAssetPrice", self.asset(symbol)))
