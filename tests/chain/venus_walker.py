"""A seeded random walk over a real Venus pool: all that accounts, markets and owners can do, several actions a block.

Most actions are legal, some are refused by numbers and some revert: all are what a chain sees. A pure function of its
seed. A refused action does not count as done, whether it reverts or says ``Failure``.
"""

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from random import Random
from typing import Any

from keeper.core.units import MAX_U256, WAD, Address
from keeper.devnet.fork import Fork
from keeper.devnet.layout import ADMIN, USD, TokenSpec
from keeper.devnet.rpc import Reverted, Tx
from keeper.devnet.venus import Venus
from keeper.devnet.venus_deploy import Terms
from keeper.devnet.world import World
from keeper.protocols.compound_v2.topics import FAILURE
from tests.chain.player import Player

E_MODE = 1  # the first pool beside the core pool
_PAUSABLE = (1, 3, 4, 5, 6)  # redeem, repay, seize, liquidate, transfer


@dataclass
class VenusWalk(Player):
    """Draws actions and puts them on chain, a few to a block; ``done`` counts by kind what was not refused."""

    venus: Venus
    seed: int
    people: int = 60
    jumps: tuple[int, ...] = (1, 3, 20, 45)  # blocks that may be empty in a row
    done: Counter[str] = field(default_factory=Counter)
    reverted: Counter[str] = field(default_factory=Counter)
    accounts: list[Address] = field(default_factory=list)
    supplied: list[tuple[Address, str]] = field(default_factory=list)
    borrowed: list[tuple[Address, str]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.random = Random(self.seed)
        self.accounts = [Address(f"0x{self.random.getrandbits(160):040x}") for _ in range(self.people)]
        self.world: World = self.venus.world
        self.world.fund(*self.accounts)
        self.symbols = self.venus.symbols
        self.kinds: dict[str, tuple[int, Callable[[], list[Tx]]]] = {
            "supply": (24, self.supply),
            "enter": (10, self.enter),
            "borrow": (26, self.borrow),
            "repay": (12, self.repay),
            "redeem": (9, self.redeem),
            "transfer": (6, self.transfer),
            "exit": (4, self.leave),
            "liquidate": (14, self.liquidate),
            "price": (9, self.price),
            "vai": (7, self.vai),
            "pool": (4, self.pool),
            "accrue": (4, self.accrue),
            "govern": (7, self.govern),
        }
        self.open_pool()

    def open_pool(self) -> None:
        """A pool beside the core pool, for those who like risk."""
        govern = self.venus.govern
        govern("createPool", "risky")
        members = [self.venus.market(symbol).v_token for symbol in ("WETH", "DAI", "USDC")]
        govern("addPoolMarkets", [E_MODE] * len(members), members)
        for member in members:
            govern("setIsBorrowAllowed", E_MODE, member, True)
            govern("setLiquidationIncentive(uint96,address,uint256)", E_MODE, member, 104 * WAD // 100)
            govern(
                "setCollateralFactor(uint96,address,uint256,uint256)", E_MODE, member, 90 * WAD // 100, 93 * WAD // 100
            )

    def blocks(self, actions: int) -> Iterator[int]:
        """Play until so many actions succeeded, with the events of a market's life between; yields block numbers."""
        milestones: list[tuple[float, Callable[[], object]]] = [
            (0.15, self.list_another_market),
            (0.30, self.move_aggregator),
            (0.40, self.kill_feed),
            (0.50, self.revive_feed),
            (0.60, self.fall_back),
            (0.70, self.release_a_debt),
            (0.80, self.take_off_the_list),
        ]
        yield from self.play(actions, milestones)

    def play(self, actions: int, milestones: list[tuple[float, Callable[[], object]]]) -> Iterator[int]:
        """Blocks of actions, with what happens in a market's life between."""
        while self.actions < actions:
            if milestones and self.actions >= milestones[0][0] * actions:
                milestones.pop(0)[1]()
                yield self.world.block_number()
            self.play_block()
            yield self.world.block_number()
        yield from self.crash()

    def crash(self) -> Iterator[int]:
        """Everything but dollars falls to a third, in steps; somebody is always liquidatable then."""
        falling = [symbol for symbol in self.symbols if symbol not in ("USDC", "DAI", "BNB")]
        for _ in range(5):
            prices = {symbol: self.dollars(symbol) * 4 // 5 for symbol in falling}
            self.world.set_prices(prices)
            yield self.world.block_number()
            self.play_block()
            yield self.world.block_number()

    def play_block(self) -> None:
        """As everybody does, sometimes after many empty blocks: interest is by block."""
        if self.random.random() < 0.05:
            self.world.rpc.rpc("anvil_mine", hex(self.random.choice(self.jumps)))
        super().play_block()

    def accepted(self, receipt: dict[str, Any]) -> bool:
        """Neither reverted nor refused by a number."""
        return super().accepted(receipt) and all(log["topics"][0] != FAILURE for log in receipt["logs"])

    # a market's life -----------------------------------------------------------------------------------------------

    def list_another_market(self) -> None:
        self.world.add_token(TokenSpec("NEW", 9, 7 * USD))
        self.venus.list_token("NEW", Terms(55, 65, 112))
        self.symbols = self.venus.symbols

    def move_aggregator(self) -> None:
        self.world.replace_aggregator("WETH", int(self.world.price("WETH") * 0.97))

    def kill_feed(self) -> None:
        """Whoever has LINK in the pool has no liquidity any more, on chain as in the book."""
        self.venus.set_feed("LINK", Address("0x" + "de" * 20))

    def revive_feed(self) -> None:
        self.venus.set_feed("LINK", self.world.layout.feeds["LINK"].proxy)

    def fall_back(self) -> None:
        """What is no member of the pool counts in it as in the core pool."""
        self.venus.govern("setAllowCorePoolFallback", E_MODE, True)

    def release_a_debt(self) -> None:
        """Some accounts' debts can be liquidated whatever their health."""
        for account, symbol in self.random.sample(self.borrowed, min(3, len(self.borrowed))):
            v_token = self.venus.market(symbol).v_token
            self.venus.govern("_setForcedLiquidationForUser", account, v_token, True)

    def take_off_the_list(self) -> None:
        """TIX: everything about it is paused, its factor is zero, and the comptroller passes over it from now on."""
        tix = self.venus.market("TIX").v_token
        govern = self.venus.govern
        govern("setActionsPaused", [tix], list(range(9)), True)
        govern("setCollateralFactor(address,uint256,uint256)", tix, 0, 60 * WAD // 100)
        govern("setMarketBorrowCaps", [tix], [0])
        govern("setMarketSupplyCaps", [tix], [0])
        govern("unlistMarket", tix)
        self.symbols = [symbol for symbol in self.symbols if symbol != "TIX"]

    # drawing -------------------------------------------------------------------------------------------------------

    def who(self) -> Address:
        return self.random.choice(self.accounts)

    def symbol(self) -> str:
        return self.random.choice(self.symbols)

    def held(self, known: list[tuple[Address, str]]) -> tuple[Address, str]:
        """Mostly an account and a market that met before."""
        if known and self.random.random() < 0.85:
            return self.random.choice(known)
        return self.who(), self.symbol()

    def amount(self, symbol: str) -> int:
        """From dust to a fortune, log-uniform in dollars."""
        dollars = 10 ** self.random.uniform(-3, 5)
        return max(int(dollars * 10 ** self.venus.market(symbol).decimals * USD / self.dollars(symbol)), 1)

    def dollars(self, symbol: str) -> int:
        feed = "WETH" if symbol == "BNB" else symbol
        return max(int(self.world.aggregator(feed).call("latestAnswer")), 1)

    def liquidity(self, account: Address) -> tuple[int, int]:
        """Liquidity and shortfall as the chain says; nothing when it cannot."""
        try:
            error, liquidity, shortfall = self.venus.liquidity(account)
        except Reverted:
            return 0, 0
        return (0, 0) if error else (liquidity, shortfall)

    def supply(self) -> list[Tx]:
        account, symbol = self.who(), self.symbol()
        self.supplied.append((account, symbol))
        return self.venus.mint_txs(account, symbol, self.amount(symbol))

    def enter(self) -> list[Tx]:
        account, symbol = self.held(self.supplied)
        return [self.venus.enter_tx(account, symbol)]

    def borrow(self) -> list[Tx]:
        some = self.random.sample(self.supplied, min(4, len(self.supplied)))
        rooms = {account: self.liquidity(account)[0] for account, _ in some}
        if not any(rooms.values()):
            return self.enter()
        account, symbol = max(rooms, key=rooms.__getitem__), self.symbol()
        self.borrowed.append((account, symbol))
        liquidity = rooms[account]
        room = liquidity * 10 ** self.venus.market(symbol).decimals * USD // (self.dollars(symbol) * WAD)
        amount = int(room * self.random.choice([0.2, 0.6, 0.9, 0.96]))
        return [self.venus.borrow_tx(account, symbol, max(amount, 1))]

    def repay(self) -> list[Tx]:
        account, symbol = self.held(self.borrowed)
        amount = self.random.choice([1, 2, 7, self.amount(symbol), MAX_U256])
        return self.venus.repay_txs(account, symbol, amount)

    def redeem(self) -> list[Tx]:
        account, symbol = self.held(self.supplied)
        v_token = self.venus.v_token(symbol)
        balance = int(v_token.call("balanceOf", account))
        if v_token.abi.has("redeemUnderlying") and self.random.random() < 0.4:
            return [v_token.tx("redeemUnderlying", self.random.choice([1, 3, self.amount(symbol)]), sender=account)]
        return [v_token.tx("redeem", self.random.choice([1, balance // 3, balance]), sender=account)]

    def transfer(self) -> list[Tx]:
        (sender, symbol), recipient = self.held(self.supplied), self.who()
        balance = int(self.venus.v_token(symbol).call("balanceOf", sender))
        self.supplied.append((recipient, symbol))
        amount = self.random.choice([1, balance // 3, balance])
        return [self.venus.v_token(symbol).tx("transfer", recipient, amount, sender=sender)]

    def leave(self) -> list[Tx]:
        account, symbol = self.held(self.supplied)
        return [self.venus.comptroller.tx("exitMarket", self.venus.market(symbol).v_token, sender=account)]

    def liquidate(self) -> list[Tx]:
        weak = [account for account in self.accounts if self.liquidity(account)[1]]
        if not weak:
            return self.fall()
        account = self.random.choice(weak)
        owed = [symbol for symbol in self.symbols if self.venus.debt(account, symbol)]
        held = [symbol for symbol in self.symbols if self.venus.v_token(symbol).call("balanceOf", account)]
        debt, collateral = (self.random.choice(one or self.symbols) for one in (owed, held))
        half = self.venus.debt(account, debt) // 2
        repay = self.random.choice([half, half, half // 7, 1, 2 * half + 2])
        return self.venus.liquidate_txs(self.who(), account, debt, max(repay, 1), collateral)

    def price(self) -> list[Tx]:
        symbol = self.random.choice([one for one in self.symbols if one != "BNB"])
        factor = self.random.choice([0.7, 0.9, 0.97, 0.99, 1.01, 1.03, 1.1, 1.4])
        return [self.world.set_price_tx(symbol, max(int(self.dollars(symbol) * factor), 1))]

    def fall(self) -> list[Tx]:
        """What somebody has in the pool loses a fifth."""
        _, symbol = self.held(self.supplied)
        feed = "WETH" if symbol == "BNB" else symbol
        return [self.world.set_price_tx(feed, max(self.dollars(feed) * 4 // 5, 1))]

    def vai(self) -> list[Tx]:
        """Mint or repay the stablecoin; whoever repays may have bought it elsewhere."""
        controller, (account, _) = self.venus.vai_controller, self.held(self.supplied)
        owed = int(controller.call("getVAIRepayAmount", account))
        if owed and self.random.random() < 0.5:
            amount = self.random.choice([1, owed // 3 + 1, 2 * owed])
            vai = self.venus.vai
            self.world.rpc.rpc("anvil_dealERC20", account, vai.address, hex(2 * owed))
            return [
                vai.tx("approve", controller.address, MAX_U256, sender=account),
                controller.tx("repayVAI", amount, sender=account),
            ]
        try:
            _, room = controller.call("getMintableVAI", account)
        except Reverted:
            room = 0
        return [controller.tx("mintVAI", max(int(room * self.random.random()), 1), sender=account)]

    def pool(self) -> list[Tx]:
        return [self.venus.comptroller.tx("enterPool", self.random.choice([0, E_MODE, E_MODE]), sender=self.who())]

    def accrue(self) -> list[Tx]:
        return [self.venus.v_token(self.symbol()).tx("accrueInterest", sender=self.who())]

    def govern(self) -> list[Tx]:
        """One change of configuration, by the administrator."""
        symbol = self.symbol()
        v_token, percent = self.venus.market(symbol).v_token, WAD // 100
        threshold = self.random.choice([30, 50, 70, 80]) * percent
        comptroller: list[tuple[str, tuple[Any, ...]]] = [
            ("setCollateralFactor(address,uint256,uint256)", (v_token, threshold // 2, threshold)),
            ("setLiquidationIncentive(address,uint256)", (v_token, self.random.choice([105, 110, 120]) * percent)),
            ("_setCloseFactor", (self.random.choice([40, 50, 60]) * percent,)),
            ("setActionsPaused", ([v_token], [self.random.choice(_PAUSABLE)], self.random.random() < 0.5)),
            ("setActionsPaused", ([v_token], list(_PAUSABLE), False)),
            ("_setForcedLiquidation", (v_token, self.random.random() < 0.4)),
            ("setPoolActive", (E_MODE, self.random.random() < 0.7)),
        ]
        other: list[tuple[Any, str, tuple[Any, ...]]] = [
            (self.venus.v_token(symbol), "_setReserveFactor", (self.random.choice([0, 10, 30]) * percent,)),
            (self.venus.v_token(symbol), "_setInterestRateModel", (self.random.choice(self.venus.layout.models),)),
            (self.venus.vai_controller, "setBaseRate", (self.random.choice([0, 3, 9]) * percent,)),
            (self.venus.liquidator, "setTreasuryPercent", (self.random.choice([0, 25, 50]) * percent,)),
            (self.venus.liquidator, "restrictLiquidation", (self.who(),)),
        ]
        if self.random.random() < 0.6:
            name, arguments = self.random.choice(comptroller)
            return [self.venus.govern_tx(name, *arguments)]
        contract, name, arguments = self.random.choice(other)
        return [contract.tx(name, *arguments, sender=ADMIN)]


@dataclass
class ForkWalk(VenusWalk):
    """The same on a fork that has neither pools nor a stablecoin, and whose cash is what the token says."""

    def __post_init__(self) -> None:
        super().__post_init__()
        del self.kinds["vai"], self.kinds["pool"]
        self.kinds["donate"] = (4, self.donate)

    def open_pool(self) -> None:
        """There are none."""

    def blocks(self, actions: int) -> Iterator[int]:
        """Play until so many actions succeeded, with a dead feed between; yields block numbers."""
        fork = self.fork
        milestones: list[tuple[float, Callable[[], object]]] = [
            (0.3, self.move_aggregator),
            (0.5, lambda: fork.support("LINK", 65, self.world.layout.aave.pool)),
            (0.6, lambda: fork.support("LINK", 65)),
        ]
        yield from self.play(actions, milestones)

    @property
    def fork(self) -> Fork:
        assert isinstance(self.venus, Fork)
        return self.venus

    def donate(self) -> list[Tx]:
        """Tokens that a market is simply sent: its exchange rate rises and no log of its says so."""
        symbol = self.symbol()
        token = self.world.token(symbol)
        return [token.tx("mint(address,uint256)", self.venus.market(symbol).v_token, self.amount(symbol), sender=ADMIN)]

    def govern(self) -> list[Tx]:
        comptroller = self.venus.comptroller
        if self.random.random() < 0.5:
            share = self.random.choice([0, 2, 5]) * WAD // 100
            return [self.venus.v_token(self.symbol()).tx("setSeizeShare", share, sender=ADMIN)]
        return [comptroller.tx("pauseSeize", self.random.random() < 0.4, sender=ADMIN)]
