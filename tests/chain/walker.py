"""A seeded random walk over a real Aave market: everything protocols.md A names, several actions a block.

Most actions are legal, some revert: both are what a chain sees. The walk is a pure function of its seed.
"""

import contextlib
import random
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field

from keeper.core.book import Book
from keeper.core.units import MAX_U256, Address
from keeper.devnet.layout import ADMIN, USD, EMode, RiskSpec, TokenSpec
from keeper.devnet.rpc import Reverted, Tx
from keeper.devnet.world import World
from tests.chain.player import Player


@dataclass
class Walk(Player):
    """Draws actions and puts them on chain, a few to a block; ``done`` counts by kind what was not reverted."""

    world: World
    seed: int
    people: int = 100
    done: Counter[str] = field(default_factory=Counter)
    reverted: Counter[str] = field(default_factory=Counter)
    accounts: list[Address] = field(default_factory=list)
    supplied: list[tuple[Address, str]] = field(default_factory=list)
    borrowed: list[tuple[Address, str]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.random = random.Random(self.seed)
        self.accounts = [Address(f"0x{self.random.getrandbits(160):040x}") for _ in range(self.people)]
        self.symbols = list(self.world.layout.reserves)
        self.kinds = {
            "supply": (24, self.supply),
            "borrow": (26, self.borrow),
            "repay": (14, self.repay),
            "withdraw": (10, self.withdraw),
            "transfer": (6, self.transfer),
            "collateral": (6, self.collateral),
            "emode": (5, self.emode),
            "liquidate": (12, self.liquidate),
            "price": (8, self.price),
            "govern": (6, self.govern),
        }
        if self.stable_debt:
            self.kinds["stable"] = (4, self.stable)

    @property
    def stable_debt(self) -> bool:
        return self.world.layout.version == "3.0.2"

    def blocks(self, actions: int) -> Iterator[int]:
        """Play until so many actions succeeded, with the events of a market's life between; yields block numbers."""
        self.world.fund(*self.accounts)
        milestones = [
            (0.15, self.list_another_reserve),
            (0.30, self.change_emodes),
            (0.40, self.move_aggregator),
            (0.50, self.kill_feed),
            (0.60, self.revive_feed),
            (0.70, self.guard_with_sentinel),
            (0.80, self.kill_emode_price),
            (0.90, self.revive_emode_price),
        ]
        while self.actions < actions:
            if milestones and self.actions >= milestones[0][0] * actions:
                milestones.pop(0)[1]()
                yield self.world.block_number()
            self.play_block()
            yield self.world.block_number()

    def crash(self) -> Iterator[int]:
        """Everything but the dollar loses three fifths, one asset a block; yields block numbers."""
        for symbol in self.symbols:
            if symbol != "USDC":
                self.submit([("price", self.world.set_price_tx(symbol, self.world.price(symbol) * 2 // 5), True)])
                yield self.world.block_number()

    # a market's life -----------------------------------------------------------------------------------------------

    def list_another_reserve(self) -> None:
        self.world.add_token(TokenSpec("NEW", 9, 7 * USD))
        self.world.add_reserve("NEW", RiskSpec(6000, 7000, 10_800, 2000))
        self.symbols.append("NEW")

    def change_emodes(self) -> None:
        """A third category; up to 3.1 with a price source of its own."""
        if not self.stable_debt:
            for symbol in ("WBTC", "LINK"):  # a frozen reserve enters no category
                with contextlib.suppress(Reverted):
                    self.world.configurator.send("setReserveFreeze", self.world.asset(symbol), False, sender=ADMIN)
            self.world.set_emode_category(EMode(3, "coins", ("WBTC", "LINK"), 8800, 9000, 10_200))
            return
        feed = self.world.add_feed("COINS", 1_234 * USD)
        self.world.set_emode_category(EMode(3, "coins", ("WBTC", "LINK"), 8800, 9000, 10_200, feed.proxy))

    def kill_emode_price(self) -> None:
        """Whoever is in the category has no health any more, whatever he holds."""
        if self.stable_debt:
            source = self.world.layout.feeds["COINS"].proxy
            self.world.oracle.send("setAssetSources", [source], [Address("0x" + "e3" * 20)], sender=ADMIN)

    def revive_emode_price(self) -> None:
        if self.stable_debt:
            source = self.world.layout.feeds["COINS"].proxy
            self.world.oracle.send("setAssetSources", [source], [source], sender=ADMIN)

    def move_aggregator(self) -> None:
        self.world.replace_aggregator("WETH", int(self.world.price("WETH") * 0.97))

    def kill_feed(self) -> None:
        """A source without code: whoever depends on LINK has no health any more, on chain as in the book."""
        self.world.set_source("LINK", Address("0x" + "de" * 20))
        self.symbols.remove("LINK")

    def revive_feed(self) -> None:
        self.world.set_source("LINK", self.world.layout.feeds["LINK"].proxy)
        self.symbols.append("LINK")

    def guard_with_sentinel(self) -> None:
        self.world.add_sentinel(600)

    # drawing -------------------------------------------------------------------------------------------------------

    def health_factor(self, account: Address) -> int | None:
        """As the chain says; ``None`` when it cannot."""
        try:
            return self.world.account_data(account).health_factor
        except Reverted:
            return None

    def who(self) -> Address:
        return self.random.choice(self.accounts)

    def held(self, known: list[tuple[Address, str]]) -> tuple[Address, str]:
        """Mostly an account and an asset that met before."""
        if known and self.random.random() < 0.85:
            return self.random.choice(known)
        return self.who(), self.symbol()

    def symbol(self) -> str:
        return self.random.choice(self.symbols)

    def amount(self, symbol: str) -> int:
        """From dust to a fortune, log-uniform in dollars."""
        dollars = 10 ** self.random.uniform(-3, 5)
        unit = self.world.layout.tokens[symbol].unit
        return max(int(dollars * unit * 10**8 / max(self.price_of(symbol), 1)), 1)

    def price_of(self, symbol: str) -> int:
        """As the market sees it; a dollar where it sees none."""
        try:
            return self.world.price(symbol)
        except Reverted:
            return USD

    def supply(self) -> list[Tx]:
        account, symbol = self.who(), self.symbol()
        self.supplied.append((account, symbol))
        return self.world.supply_txs(account, symbol, self.amount(symbol))

    def borrow(self) -> list[Tx]:
        account, symbol = self.random.choice(self.supplied)[0] if self.supplied else self.who(), self.symbol()
        self.borrowed.append((account, symbol))
        try:
            available = self.world.account_data(account).available_base
        except Reverted:
            return self.supply()
        room = available * self.world.layout.tokens[symbol].unit // max(self.price_of(symbol), 1)
        amount = int(room * self.random.choice([0.2, 0.6, 0.9, 0.999]))
        mode = self.random.choice([1, 2, 2, 2]) if self.stable_debt else 2
        return [self.world.borrow_tx(account, symbol, max(amount, 1), mode)]

    def repay(self) -> list[Tx]:
        account, symbol = self.held(self.borrowed)
        amount = self.random.choice([1, 2, 7, self.amount(symbol), MAX_U256])
        asset = self.world.asset(symbol)
        if self.random.random() < 0.2:
            return [self.world.pool.tx("repayWithATokens", asset, amount, 2, sender=account)]
        needed = 2 * self.world.debt(account, symbol) if amount == MAX_U256 else amount
        mode = self.random.choice([1, 2, 2]) if self.stable_debt else 2
        pay = self.world.pool.tx("repay", asset, amount, mode, account, sender=account)
        return [*self.world._paid_for(account, symbol, needed), pay]

    def withdraw(self) -> list[Tx]:
        account, symbol = self.held(self.supplied)
        amount = self.random.choice([1, 3, self.amount(symbol), MAX_U256])
        return [self.world.pool.tx("withdraw", self.world.asset(symbol), amount, account, sender=account)]

    def transfer(self) -> list[Tx]:
        (sender, symbol), recipient = self.held(self.supplied), self.who()
        balance = int(self.world.a_token(symbol).call("balanceOf", sender))
        amount = self.random.choice([1, balance // 3, balance])
        return [self.world.a_token(symbol).tx("transfer", recipient, amount, sender=sender)]

    def collateral(self) -> list[Tx]:
        use = self.random.random() < 0.6
        account, symbol = self.held(self.supplied)
        return [self.world.pool.tx("setUserUseReserveAsCollateral", self.world.asset(symbol), use, sender=account)]

    def emode(self) -> list[Tx]:
        return [self.world.pool.tx("setUserEMode", self.random.choice([0, 1, 1, 2, 2, 3]), sender=self.who())]

    def liquidate(self) -> list[Tx]:
        factors = {account: self.health_factor(account) for account in self.accounts}
        weak = [account for account, factor in factors.items() if factor is not None and factor < 10**18]
        if not weak:
            return []
        liquidator, account = self.who(), self.random.choice(weak)
        held = [symbol for symbol in self.symbols if self.world.a_token(symbol).call("balanceOf", account)]
        owed = [symbol for symbol in self.symbols if self.world.debt(account, symbol)]
        collateral, debt = (self.random.choice(some or self.symbols) for some in (held, owed))
        amount = self.random.choice([MAX_U256, MAX_U256, self.random.randint(1, 10**9)])
        paid = self.world._paid_for(liquidator, debt, 2 * self.world.debt(account, debt))
        wrapped = self.random.random() < 0.5
        return [*paid, self.world.liquidate_tx(liquidator, collateral, debt, account, amount, receive_atoken=wrapped)]

    def price(self) -> list[Tx]:
        symbol = self.symbol()
        factor = self.random.choice([0.7, 0.9, 0.97, 0.99, 1.01, 1.03, 1.1, 1.4])
        return [self.world.set_price_tx(symbol, max(int(self.world.price(symbol) * factor), 1))]

    def stable(self) -> list[Tx]:
        account, symbol = self.held(self.borrowed)
        mode = self.random.choice([1, 2])
        return [self.world.pool.tx("swapBorrowRateMode", self.world.asset(symbol), mode, sender=account)]

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
            (
                "updateFlashloanPremiumTotal" if self.stable_debt else "updateFlashloanPremium",
                (self.random.choice([0, 5, 9]),),
            ),
        ]
        if self.stable_debt:
            functions.append(("setAssetEModeCategory", (asset, self.random.choice([0, 1, 2]))))
        else:
            category = self.random.choice([1, 2])
            functions.append(("setAssetCollateralInEMode", (asset, category, self.random.random() < 0.7)))
        name, arguments = self.random.choice(functions)
        signature = "setReservePause(address,bool,uint40)" if name == "setReservePause" and grace else name
        signature = "setReservePause(address,bool)" if name == "setReservePause" and not grace else signature
        return [self.world.configurator.tx(signature, *arguments, sender=ADMIN)]


def difference(one: Book, other: Book) -> list[str]:
    """Where two books differ, in words; empty when their digests are equal."""
    found: list[str] = []
    for kind in sorted(set(one._facts) | set(other._facts)):
        mine, theirs = one.facts(kind), other.facts(kind)
        found += [
            f"{kind} {key}: {mine.get(key)} / {theirs.get(key)}"
            for key in mine | theirs
            if mine.get(key) != theirs.get(key)
        ]
    for account in sorted(set(one._accounts) | set(other._accounts)):
        held, other_held = _content(one, account), _content(other, account)
        found += [f"{account}: {held} / {other_held}"] if held != other_held else []
    return found


def _content(book: Book, account: Address) -> tuple[object, ...]:
    row = book.row(account)
    if row is None:
        return 0, 0, []
    held = sorted((column, amount, book.annex(row, column)) for column, amount in book.positions(row))
    return book.flags(row), book.mode(row), held
