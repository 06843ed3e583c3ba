"""A seeded random walk over a real Aave market: everything protocols.md A names, several actions a block.

Most actions are legal, some revert: both are what a chain sees. The walk is a pure function of its seed.
"""

import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from keeper.core.units import MAX_U256, Address
from keeper.devnet.layout import ADMIN
from keeper.devnet.rpc import Tx
from keeper.devnet.world import World
from keeper.errors import RpcError


@dataclass
class Walk:
    """Draws actions and puts them on chain, a few to a block."""

    world: World
    seed: int
    people: int = 100
    actions: int = 0
    reverted: int = 0
    accounts: list[Address] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.random = random.Random(self.seed)
        self.accounts = [Address(f"0x{self.random.getrandbits(160):040x}") for _ in range(self.people)]
        self.symbols = list(self.world.layout.reserves)
        self.configurator = self.world.configurator

    def blocks(self, actions: int) -> Iterator[int]:
        """Play until so many actions were tried; yields after each block with its number."""
        self.world.fund(*self.accounts)
        while self.actions < actions:
            self.play_block()
            yield self.world.block_number()

    def play_block(self) -> None:
        """One block of up to five actions."""
        if self.random.random() < 0.08:
            self.world.advance(self.random.choice([1, 60, 3600, 86_400, 30 * 86_400]))
        txs = [tx for _ in range(self.random.randint(1, 5)) for tx in self.draw()]
        self.actions += len(txs)
        self.submit(txs)

    def submit(self, txs: list[Tx]) -> None:
        """All in one block; a transaction that reverts is part of the story."""
        rpc = self.world.anvil.rpc
        rpc.rpc("evm_setAutomine", False)
        hashes = []
        for tx in txs:
            try:
                hashes.append(rpc.rpc("eth_sendTransaction", tx.params()))
            except RpcError:
                self.reverted += 1
        rpc.rpc("evm_mine")
        rpc.rpc("evm_setAutomine", True)
        receipts = rpc.batch([("eth_getTransactionReceipt", (one,)) for one in hashes])
        self.reverted += sum(receipt is None or receipt["status"] != "0x1" for receipt in receipts)

    # drawing -------------------------------------------------------------------------------------------------------

    def draw(self) -> list[Tx]:
        kinds: list[tuple[int, Callable[[], list[Tx]]]] = [
            (24, self.supply),
            (22, self.borrow),
            (12, self.repay),
            (10, self.withdraw),
            (6, self.transfer),
            (6, self.collateral),
            (5, self.emode),
            (10, self.liquidate),
            (8, self.price),
            (5, self.govern),
            (4, self.stable),
        ]
        weights = [weight for weight, _ in kinds]
        return self.random.choices([kind for _, kind in kinds], weights)[0]()

    def who(self) -> Address:
        return self.random.choice(self.accounts)

    def symbol(self) -> str:
        return self.random.choice(self.symbols)

    def amount(self, symbol: str) -> int:
        """From dust to a fortune, log-uniform in dollars."""
        dollars = 10 ** self.random.uniform(-3, 5)
        unit = self.world.layout.tokens[symbol].unit
        return max(int(dollars * unit * 10**8 / max(self.world.price(symbol), 1)), 1)

    def supply(self) -> list[Tx]:
        symbol = self.symbol()
        return self.world.supply_txs(self.who(), symbol, self.amount(symbol))

    def borrow(self) -> list[Tx]:
        account, symbol = self.who(), self.symbol()
        data = self.world.account_data(account)
        room = data.available_base * self.world.layout.tokens[symbol].unit // max(self.world.price(symbol), 1)
        amount = int(room * self.random.choice([0.2, 0.6, 0.9, 0.999]))
        mode = self.random.choice([1, 2, 2, 2]) if self.stable_debt else 2
        return [self.world.borrow_tx(account, symbol, max(amount, 1), mode)]

    @property
    def stable_debt(self) -> bool:
        return self.world.layout.version == "3.0.2"

    def repay(self) -> list[Tx]:
        symbol, account = self.symbol(), self.who()
        amount = self.random.choice([1, 2, 7, self.amount(symbol), MAX_U256])
        asset = self.world.asset(symbol)
        if self.random.random() < 0.2:
            return [self.world.pool.tx("repayWithATokens", asset, amount, 2, sender=account)]
        needed = 2 * self.world.debt(account, symbol) if amount == MAX_U256 else amount
        mode = self.random.choice([1, 2, 2]) if self.stable_debt else 2
        pay = self.world.pool.tx("repay", asset, amount, mode, account, sender=account)
        return [*self.world._paid_for(account, symbol, needed), pay]

    def withdraw(self) -> list[Tx]:
        symbol, account = self.symbol(), self.who()
        amount = self.random.choice([1, 3, self.amount(symbol), MAX_U256])
        return [self.world.pool.tx("withdraw", self.world.asset(symbol), amount, account, sender=account)]

    def transfer(self) -> list[Tx]:
        symbol = self.symbol()
        sender, recipient = self.who(), self.who()
        balance = int(self.world.a_token(symbol).call("balanceOf", sender))
        amount = self.random.choice([1, balance // 3, balance])
        return [self.world.a_token(symbol).tx("transfer", recipient, amount, sender=sender)]

    def collateral(self) -> list[Tx]:
        use = self.random.random() < 0.6
        asset = self.world.asset(self.symbol())
        return [self.world.pool.tx("setUserUseReserveAsCollateral", asset, use, sender=self.who())]

    def emode(self) -> list[Tx]:
        return [self.world.pool.tx("setUserEMode", self.random.choice([0, 1, 1, 2, 2, 3]), sender=self.who())]

    def liquidate(self) -> list[Tx]:
        weak = [account for account in self.accounts if self.world.account_data(account).health_factor < 10**18]
        if not weak:
            return self.price()
        liquidator, collateral, debt, account = self.who(), self.symbol(), self.symbol(), self.random.choice(weak)
        amount = self.random.choice([MAX_U256, MAX_U256, self.random.randint(1, 10**9)])
        paid = self.world._paid_for(liquidator, debt, 2 * self.world.debt(account, debt))
        wrapped = self.random.random() < 0.5
        return [*paid, self.world.liquidate_tx(liquidator, collateral, debt, account, amount, receive_atoken=wrapped)]

    def price(self) -> list[Tx]:
        symbol = self.symbol()
        factor = self.random.choice([0.6, 0.85, 0.97, 1.01, 1.1, 1.6])
        return [self.world.set_price_tx(symbol, max(int(self.world.price(symbol) * factor), 1))]

    def stable(self) -> list[Tx]:
        if not self.stable_debt:
            return self.repay()
        mode = self.random.choice([1, 2])
        return [self.world.pool.tx("swapBorrowRateMode", self.world.asset(self.symbol()), mode, sender=self.who())]

    def govern(self) -> list[Tx]:
        """One change of configuration, by the administrator."""
        symbol = self.symbol()
        asset = self.world.asset(symbol)
        grace = () if self.stable_debt else (self.random.choice([0, 600, 3600]),)
        functions: list[tuple[str, tuple[object, ...]]] = [
            ("configureReserveAsCollateral", (asset, 0, self.random.choice([0, 4000, 7000, 8600]), 10_500)),
            ("configureReserveAsCollateral", (asset, 0, 0, 0)),
            ("setReservePause", (asset, self.random.random() < 0.3, *grace)),
            ("setReservePause", (asset, False, *grace)),
            ("setReserveFreeze", (asset, self.random.random() < 0.3)),
            ("setLiquidationProtocolFee", (asset, self.random.choice([0, 1000, 2000]))),
            ("setReserveFactor", (asset, self.random.choice([0, 1000, 3000]))),
            ("updateFlashloanPremiumTotal", (self.random.choice([0, 5, 9]),)),
        ]
        if self.stable_debt:
            functions.append(("setAssetEModeCategory", (asset, self.random.choice([0, 1, 2]))))
        else:
            category = self.random.choice([1, 2])
            functions.append(("setAssetCollateralInEMode", (asset, category, self.random.random() < 0.7)))
        name, arguments = self.random.choice(functions)
        signature = "setReservePause(address,bool,uint40)" if name == "setReservePause" and grace else name
        signature = "setReservePause(address,bool)" if name == "setReservePause" and not grace else signature
        return [self.configurator.tx(signature, *arguments, sender=ADMIN)]
