"""A seeded random walk over a real Perpetual v2 exchange: what its traders, makers, liquidators and owners do.

Most actions are legal, some revert: both are what a chain sees. The walk is a pure function of its seed.
"""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from random import Random

from keeper.core.units import WAD, Address
from keeper.devnet.layout import ADMIN
from keeper.devnet.perp import AGE
from keeper.devnet.perp_actions import Perp
from keeper.devnet.rpc import Reverted, Tx
from keeper.devnet.world import World
from tests.chain.player import Player

MARKETS = ("WETH", "LINK")
Ticks = tuple[int, int]


@dataclass
class PerpWalk(Player):
    """Two markets, margin in USDC and in a second token."""

    world: World
    seed: int
    people: int = 40
    done: Counter[str] = field(default_factory=Counter)
    reverted: Counter[str] = field(default_factory=Counter)
    accounts: list[Address] = field(default_factory=list)
    common: tuple[str, ...] = ("deposit", "open", "price")
    pauses: tuple[int, ...] = (1, 7, 16, 60, 600, 3600, 86_400, 5 * 86_400)
    orders: list[tuple[Address, str, Ticks]] = field(default_factory=list)
    opened: list[tuple[Address, str]] = field(default_factory=list)
    markets: list[str] = field(default_factory=lambda: list(MARKETS))

    def __post_init__(self) -> None:
        self.random = Random(self.seed)
        self.accounts = [Address(f"0x{self.random.getrandbits(160):040x}") for _ in range(self.people)]
        self.perp = Perp(self.world, self.world.add_perp(*MARKETS))
        self.perp.add_collateral("WBTC")
        self.kinds = {
            "deposit": (14, self.deposit),
            "collateral": (3, self.collateral),
            "withdraw": (6, self.withdraw),
            "open": (26, self.open),
            "close": (8, self.close),
            "add": (9, self.add),
            "remove": (7, self.remove),
            "settle": (5, self.settle),
            "price": (10, self.price),
            "liquidate": (12, self.liquidate),
            "cancel": (3, self.cancel),
            "update": (2, self.update),
            "buy": (3, self.buy),
            "debt": (1, self.bad_debt),
            "govern": (3, self.govern),
        }
        self.world.fund(*self.accounts)
        self.world.rpc.send_all(self.perp.deposit(self.accounts[0], 50_000_000 * 10**6))
        for symbol in MARKETS:
            self._liquidity(symbol)

    def blocks(self, actions: int) -> Iterator[int]:
        """Play until so many actions succeeded, with the events of a market's life between; yields block numbers."""
        milestones = [
            (0.3, self.list_another_market),
            (0.35, self.grow_up),
            (0.6, self.add_a_source),
            (0.75, self.pause_a_market),
            (0.85, self.close_a_market),
        ]
        while self.actions < actions:
            if milestones and self.actions >= milestones[0][0] * actions:
                milestones.pop(0)[1]()
                yield self.world.block_number()
            self.play_block()
            yield self.world.block_number()

    def _liquidity(self, symbol: str) -> None:
        """Of the first account, whose orders nobody here removes."""
        maker, tick, quote = self.accounts[0], self.tick(symbol), 4_000_000 * WAD
        ticks = ((tick - 9_000) // 60 * 60, (tick + 9_000) // 60 * 60)
        amounts = (quote * WAD // self.index(symbol), quote)
        self.submit([("liquidity", self.perp.add_liquidity(maker, symbol, amounts, ticks), False)])

    # a market's life -----------------------------------------------------------------------------------------------

    def list_another_market(self) -> None:
        """Too young to be traded in: the pool's averages reach back further than it does."""
        self.perp.layout = self.world.add_perp_market(self.perp.layout, "WSTETH")
        self.markets.append("WSTETH")

    def grow_up(self) -> None:
        self.world.advance(AGE)
        self._liquidity("WSTETH")

    def add_a_source(self) -> None:
        """From now on its index is viewed."""
        self.perp.add_second_source("WSTETH")

    def pause_a_market(self) -> None:
        """Funding stops, and positions are valued at the index's last average."""
        self.perp.base_token("LINK").send("pause", sender=ADMIN)
        self.markets.remove("LINK")

    def close_a_market(self) -> None:
        """Positions are worth what the owner says, and can be ended."""
        self.perp.base_token("LINK").send("close(uint256)", self.index("LINK") * 9 // 10, sender=ADMIN)
        self.kinds["quit"] = (6, self.quit)

    # drawing -------------------------------------------------------------------------------------------------------

    def tick(self, symbol: str) -> int:
        return int(self.perp.pool(symbol).call("slot0")[1])

    def index(self, symbol: str) -> int:
        """In wei of a dollar."""
        return int(self.world.aggregator(symbol).call("latestAnswer")) * 10**10

    def who(self) -> Address:
        return self.random.choice(self.accounts)

    def trader(self) -> Address:
        """Not the first maker: the pool must not run dry."""
        return self.random.choice(self.accounts[1:])

    def dollars(self) -> int:
        return int(10 ** self.random.uniform(0, 5) * 10**6)

    def free(self, trader: Address) -> int:
        """Wei of a dollar that may still be used."""
        try:
            return int(self.perp.part("Vault").call("getFreeCollateral", trader)) * 10**12
        except Reverted:
            return 0

    def deposit(self) -> list[Tx]:
        return self.perp.deposit(self.trader(), self.dollars())

    def collateral(self) -> list[Tx]:
        return self.perp.deposit(self.trader(), self.random.randint(1, 10**7), "WBTC")

    def withdraw(self) -> list[Tx]:
        trader = self.trader()
        amount = self.free(trader) // 10**12
        symbol = self.random.choice(["USDC", "USDC", "WBTC"])
        share = self.random.choice([0.1, 0.5, 1.0])
        return [self.perp.withdraw(trader, max(int(amount * share) if symbol == "USDC" else 1_000, 1), symbol)]

    def open(self) -> list[Tx]:
        trader, symbol = self.trader(), self.random.choice(self.markets)
        long, exact_in = self.random.random() < 0.5, self.random.random() < 0.5
        quote = int(self.free(trader) * self.random.choice([0.5, 3, 8, 9.8]))
        amount = quote if long == exact_in else quote * WAD // self.index(symbol)
        if amount == 0:
            return self.deposit()
        self.opened.append((trader, symbol))
        return [self.perp.open(trader, symbol, amount, long=long, exact_in=exact_in)]

    def close(self) -> list[Tx]:
        if not self.opened:
            return self.deposit()
        return [self.perp.close(*self.random.choice(self.opened))]

    def add(self) -> list[Tx]:
        trader, symbol = self.trader(), self.random.choice(self.markets)
        known = [one for one in self.orders if one[1] == symbol]
        if known and self.random.random() < 0.3:
            trader, symbol, ticks = self.random.choice(known)
        else:
            shift, width = self.random.randint(-20, 20), self.random.choice([1, 2, 10, 60])
            lower = (self.tick(symbol) // 60 + shift - width // 2) * 60
            ticks = (lower, lower + width * 60)
            self.orders.append((trader, symbol, ticks))
        quote = int(self.free(trader) * self.random.choice([0.3, 2, 5]))
        return [self.perp.add_liquidity(trader, symbol, (quote * WAD // self.index(symbol), quote), ticks)]

    def remove(self) -> list[Tx]:
        if not self.orders:
            return self.add()
        trader, symbol, ticks = self.random.choice(self.orders)
        order = self.perp.part("OrderBook").call("getOpenOrder", trader, self.perp.base(symbol), *ticks)
        share = self.random.choice([0, 1, 2, 3, 3])
        return [self.perp.remove_liquidity(trader, symbol, ticks, order[0] * share // 3)]

    def settle(self) -> list[Tx]:
        return [self.perp.settle(self.who())]

    def price(self) -> list[Tx]:
        symbol = self.random.choice([*self.markets, "WBTC"])
        factor = self.random.choice([0.9, 0.97, 0.99, 1.01, 1.03, 1.1])
        return [self.world.set_price_tx(symbol, int(self.world.feed_price(symbol) * factor))]

    def liquidate(self) -> list[Tx]:
        house, balance = self.perp.house, self.perp.part("AccountBalance")
        known = list(dict.fromkeys([*self.opened, *((one[0], one[1]) for one in self.orders)]))
        weak = []
        for trader, symbol in self.random.sample(known, min(len(known), 10)):
            try:
                value = house.call("getAccountValue", trader)
                if value < balance.call("getMarginRequirementForLiquidation", trader):
                    weak.append((trader, symbol))
            except Reverted:
                continue
        if not weak:
            return self.price()
        (trader, symbol), liquidator = self.random.choice(weak), self.trader()
        paid = self.perp.deposit(liquidator, 2_000_000 * 10**6)
        size = self.random.choice([0, 0, 0, self.perp.size(trader, symbol) // 3])
        cancelled = [self.perp.cancel_orders(liquidator, trader, one) for one in self.markets]
        return [*paid, *cancelled, self.perp.liquidate(liquidator, trader, symbol, size)]

    def cancel(self) -> list[Tx]:
        if not self.orders:
            return self.add()
        maker, symbol, _ = self.random.choice(self.orders)
        return [self.perp.cancel_orders(self.trader(), maker, symbol)]

    def buy(self) -> list[Tx]:
        """Somebody's collateral, of what he owes."""
        return self.perp.liquidate_collateral(self.trader(), self.trader(), "WBTC", self.random.randint(1, 10**5))

    def bad_debt(self) -> list[Tx]:
        return [self.perp.part("Vault").tx("settleBadDebt", self.trader(), sender=self.trader())]

    def quit(self) -> list[Tx]:
        who = [trader for trader, symbol in dict.fromkeys(self.opened) if symbol == "LINK"]
        return [self.perp.quit(self.random.choice(who or self.accounts), "LINK")]

    def update(self) -> list[Tx]:
        return [self.perp.price_feed(self.random.choice(self.markets)).tx("update", sender=self.who())]

    def govern(self) -> list[Tx]:
        """One change of configuration, by the owner."""
        base = self.perp.base(self.random.choice(self.markets))
        part, function, arguments = self.random.choice(
            [
                ("ClearingHouseConfig", "setMaxFundingRate", (self.random.choice([50_000, 100_000]),)),
                ("ClearingHouseConfig", "setTwapInterval", (self.random.choice([900, 600]),)),
                ("ClearingHouseConfig", "setMarkPriceMarketTwapInterval", (self.random.choice([1800, 1200]),)),
                ("ClearingHouseConfig", "setLiquidationPenaltyRatio", (self.random.choice([25_000, 20_000]),)),
                ("MarketRegistry", "setFeeRatio", (base, self.random.choice([1_000, 500]))),
                ("MarketRegistry", "setInsuranceFundFeeRatio", (base, self.random.choice([100_000, 200_000]))),
                (
                    "CollateralManager",
                    "setCollateralRatio",
                    (self.world.asset("WBTC"), self.random.choice([700_000, 800_000])),
                ),
            ]
        )
        return [self.perp.govern(part, function, *arguments)]
