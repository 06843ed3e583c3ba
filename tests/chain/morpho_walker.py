"""A seeded random walk over a real Morpho: every kind of market, several actions a block.

Most actions are legal, some revert: both are what a chain sees. The walk is a pure function of its seed.
"""

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from random import Random

from eth_abi.exceptions import DecodingError

from keeper.core.units import WAD, ZERO_ADDRESS, Address
from keeper.devnet.contract import Contract
from keeper.devnet.layout import ADMIN, USD, TokenSpec
from keeper.devnet.lenders import MorphoMarket
from keeper.devnet.morpho import Morpho, feed_price, market_id
from keeper.devnet.rpc import Reverted, Tx
from keeper.devnet.world import World
from tests.chain.player import Player

NOWHERE = Address("0x" + "de" * 20)
FEES = Address("0x" + "fe" * 20)


@dataclass
class MorphoWalk(Player):
    """Draws actions and puts them on chain, a few to a block."""

    world: World
    seed: int
    people: int = 100
    done: Counter[str] = field(default_factory=Counter)
    reverted: Counter[str] = field(default_factory=Counter)
    accounts: list[Address] = field(default_factory=list)
    offers: list[tuple[Contract, MorphoMarket]] = field(default_factory=list)
    met: list[tuple[Address, MorphoMarket]] = field(default_factory=list)  # who has collateral where

    def __post_init__(self) -> None:
        self.random = Random(self.seed)
        self.accounts = [Address(f"0x{self.random.getrandbits(160):040x}") for _ in range(self.people)]
        self.morpho = Morpho.deploy(self.world)
        self.symbols = {token.address: token.symbol for token in self.world.layout.tokens.values()}
        self.kinds = {
            "supply": (8, self.supply),
            "withdraw": (5, self.withdraw),
            "pledge": (14, self.pledge),
            "release": (6, self.release),
            "borrow": (26, self.borrow),
            "repay": (12, self.repay),
            "liquidate": (12, self.liquidate),
            "offered": (6, self.pre_liquidate),
            "price": (8, self.price),
            "fee": (3, self.fee),
            "market": (2, self.another_market),
            "consent": (7, self.consent),
            "donate": (3, self.donate),
            "accrue": (3, self.accrue),
        }
        self.found()

    @property
    def contract(self) -> Contract:
        return self.morpho.contract

    @property
    def markets(self) -> list[MorphoMarket]:
        return self.morpho.markets

    def blocks(self, actions: int) -> Iterator[int]:
        """Play until so many actions succeeded, with the events of a market's life between; yields block numbers."""
        self.world.fund(*self.accounts)
        milestones: list[tuple[float, Callable[[], object]]] = [
            (0.30, self.move_aggregator),
            (0.40, lambda: self.told.send("setPrice", 0, sender=ADMIN)),
            (0.50, lambda: self.told.send("setPrice", self.told_price, sender=ADMIN)),
            (0.60, lambda: self.vault.send("set_rate", 0, sender=ADMIN)),
            (0.70, lambda: self.vault.send("set_rate", 13 * WAD // 10, sender=ADMIN)),
            (0.80, lambda: self.world.set_price("LINK", -1)),
            (0.85, lambda: self.world.set_price("LINK", 14 * USD)),
            (0.90, lambda: self.contract.send("setFeeRecipient", FEES, sender=ADMIN)),
        ]
        while self.actions < actions:
            if milestones and self.actions >= milestones[0][0] * actions:
                milestones.pop(0)[1]()
                yield self.world.block_number()
            self.play_block()
            yield self.world.block_number()

    # markets -------------------------------------------------------------------------------------------------------

    def found(self) -> None:
        """One of each kind: modelled, with a vault, viewed oracle, viewed rates, no rates, a dead oracle."""
        morpho, world = self.morpho, self.world
        morpho.add_market("WETH", "USDC")
        morpho.add_market("WBTC", "DAI", 770)
        morpho.add_market("YOC", "USDC", 625)
        morpho.add_market("LINK", "WETH", 625)
        world.add_token(TokenSpec("VLT", 18, 2_600 * USD))
        self.symbols[world.asset("VLT")] = "VLT"
        self.vault = morpho.told_vault(13 * WAD // 10)
        morpho.create_market(
            world.asset("VLT"), world.asset("USDC"), morpho.feed_oracle("WETH", "USDC", (self.vault.address, WAD)), 915
        )
        self.told_price = feed_price(world, "LINK", "DAI")
        self.told = morpho.told_oracle(self.told_price)
        morpho.create_market(
            world.asset("LINK"), world.asset("DAI"), self.told.address, 770, morpho.simple_irm()
        )  # fmt: skip
        morpho.create_market(
            world.asset("WSTETH"), world.asset("WETH"), morpho.feed_oracle("WSTETH", "WETH"), 945, ZERO_ADDRESS
        )
        morpho.create_market(world.asset("WETH"), world.asset("DAI"), NOWHERE)
        self.offer(self.markets[0])

    def offer(self, market: MorphoMarket) -> None:
        """A pre-liquidation contract in a market; sometimes its oracle is another's."""
        limit = market.lltv * 1000 // WAD
        early, most = self.random.randint(limit // 2, limit - 5), min(1_000_000 // limit, 1150)
        terms = (early, (self.random.randint(10, 500), self.random.randint(500, 1100)), (1010, max(most - 1, 1011)))
        self.offers.append((self.morpho.offer(market, *terms), market))

    def another_market(self) -> list[Tx]:
        """Any two tokens; now and then a pre-liquidation contract in one that there is."""
        if self.random.random() < 0.4 and len(self.offers) < 6:
            market = self.market()
            self.offer(market)
            return [self.contract.tx("accrueInterest", market.params, sender=self.who())]
        one, other = self.random.sample([symbol for symbol in self.symbols.values() if symbol != "VLT"], 2)
        limit = self.random.choice([625, 770, 860, 915])
        oracle = self.morpho.feed_oracle(one, other)
        market = MorphoMarket(
            self.world.asset(other), self.world.asset(one), oracle, self.morpho.adaptive.address, limit * WAD // 1000
        )
        self.markets.append(market)
        return [self.contract.tx("createMarket", market.params, sender=self.who())]

    def move_aggregator(self) -> None:
        self.world.replace_aggregator("WETH", int(self.world.feed_price("WETH") * 0.97))

    # drawing -------------------------------------------------------------------------------------------------------

    def who(self) -> Address:
        return self.random.choice(self.accounts)

    def market(self) -> MorphoMarket:
        """Mostly one of the first."""
        return self.random.choice(self.markets[:7] if self.random.random() < 0.7 else self.markets)

    def held(self) -> tuple[Address, MorphoMarket]:
        """Mostly an account and a market that met before."""
        if self.met and self.random.random() < 0.9:
            return self.random.choice(self.met)
        return self.who(), self.market()

    def amount(self, token: Address, least: float = -3, most: float = 5) -> int:
        """From dust to a fortune, log-uniform in dollars."""
        symbol = self.symbols[token]
        unit, price = self.world.layout.tokens[symbol].unit, max(self.world.feed_price(symbol), 1)
        return max(int(10 ** self.random.uniform(least, most) * unit * USD / price), 1)

    def oracle_price(self, market: MorphoMarket) -> int | None:
        """As the market sees it; ``None``: it sees none."""
        try:
            return int(self.told.at(market.oracle).call("price"))
        except (Reverted, DecodingError):
            return None

    def limit(self, account: Address, market: MorphoMarket) -> int:
        """The most that may be owed."""
        return (
            self.morpho.position(account, market)[2] * (self.oracle_price(market) or 0) // 10**36 * market.lltv // WAD
        )

    # actions -------------------------------------------------------------------------------------------------------

    def supply(self) -> list[Tx]:
        market = self.market()
        return self.morpho.supply_txs(self.who(), market, self.amount(market.loan, 2, 7))

    def withdraw(self) -> list[Tx]:
        account, market = self.who(), self.market()
        shares = self.morpho.position(account, market)[0]
        part = self.random.choice([1, 2, 5])
        amounts = (0, shares // part) if self.random.random() < 0.5 else (self.amount(market.loan), 0)
        return [self.contract.tx("withdraw", market.params, *amounts, account, account, sender=account)]

    def pledge(self) -> list[Tx]:
        account, market = self.who(), self.market()
        self.met.append((account, market))
        return self.morpho.pledge_txs(account, market, self.amount(market.collateral))

    def release(self) -> list[Tx]:
        account, market = self.held()
        collateral = self.morpho.position(account, market)[2]
        amount = self.random.choice([1, collateral // 3, collateral])
        return [self.contract.tx("withdrawCollateral", market.params, amount, account, account, sender=account)]

    def borrow(self) -> list[Tx]:
        account, market = self.held()
        room = max(self.limit(account, market) - self.morpho.debt(account, market), 1)
        amount = max(int(room * self.random.choice([0.2, 0.6, 0.9, 0.999])), 1)
        supplied, _, borrowed, shares, _, _ = self.morpho.totals(market)
        lend = self.morpho.supply_txs(self.who(), market, 2 * amount) if supplied - borrowed < amount else []
        by_shares = self.random.random() < 0.3
        amounts = (0, amount * (shares + 10**6) // (borrowed + 1)) if by_shares else (amount, 0)
        return [*lend, self.morpho.borrow_tx(account, market, *amounts)]

    def repay(self) -> list[Tx]:
        account, market = self.held()
        shares = self.morpho.position(account, market)[1]
        amounts = self.random.choice([(1, 0), (0, 1), (self.amount(market.loan), 0), (0, shares), (0, shares // 2)])
        return self.morpho.repay_txs(account, market, *amounts)

    def weak(self) -> list[tuple[Address, MorphoMarket]]:
        """Positions that were below 1 at their markets' last update."""
        return [
            (account, market)
            for account, market in dict.fromkeys(self.met)
            if (debt := self.morpho.debt(account, market)) and self.limit(account, market) < debt
        ]

    def liquidate(self) -> list[Tx]:
        weak = self.weak()
        if not weak:
            return self.price()
        account, market = self.random.choice(weak)
        _, shares, collateral = self.morpho.position(account, market)
        part = self.random.choice([1, 1, 2, 7])
        seizing = self.random.random() < 0.5
        amounts = (max(collateral // part, 1), 0) if seizing else (0, max(shares // part, 1))
        return self.morpho.liquidate_txs(self.who(), market, account, *amounts)

    def pre_liquidate(self) -> list[Tx]:
        """Some share of the debt of somebody who may have consented."""
        contract, market = self.random.choice(self.offers)
        owners = [account for account, where in dict.fromkeys(self.met) if where == market]
        if not owners:
            return self.pledge()
        account, liquidator = self.random.choice(owners), self.who()
        _, shares, collateral = self.morpho.position(account, market)
        seizing = self.random.random() < 0.3
        amounts = (max(collateral // 50, 1), 0) if seizing else (0, max(shares // self.random.choice([20, 3]), 1))
        paid = self.morpho.paid_for(market.loan, liquidator, self.morpho.debt(account, market) + 1, contract.address)
        return [*paid, contract.tx("preLiquidate", account, *amounts, b"", sender=liquidator)]

    def consent(self) -> list[Tx]:
        """To an offer, or to a friend; or its end. Whoever consents tends to be near the limit."""
        account, market = self.held()
        offers = [contract.address for contract, where in self.offers if where == market]
        authorized = self.random.choice([*offers, *offers, self.who()])
        given = not self.contract.call("isAuthorized", account, authorized)
        return [self.contract.tx("setAuthorization", authorized, given, sender=account)]

    def price(self) -> list[Tx]:
        factor = self.random.choice([0.7, 0.9, 0.97, 0.99, 1.01, 1.03, 1.1, 1.4])
        which = self.random.random()
        if which < 0.1:
            price = int(self.told.call("price") * factor)
            return [self.told.tx("setPrice", price, sender=ADMIN)]
        if which < 0.2:
            rate = int(self.vault.call("rate") * (1 + (factor - 1) / 10))
            return [self.vault.tx("set_rate", rate, sender=ADMIN)]
        symbol = self.random.choice(["WETH", "WBTC", "LINK", "WSTETH", "YOC", "USDC"])
        return [self.world.set_price_tx(symbol, max(int(self.world.feed_price(symbol) * factor), 1))]

    def fee(self) -> list[Tx]:
        share = self.random.choice([0, 5, 10, 25]) * WAD // 100
        return [self.contract.tx("setFee", self.market().params, share, sender=ADMIN)]

    def donate(self) -> list[Tx]:
        """Tokens that Morpho does not count."""
        account, token = self.who(), self.market().loan
        amount = self.amount(token)
        given = self.morpho.paid_for(token, account, amount)
        return [
            *given,
            self.world.token(self.symbols[token]).tx("transfer", self.morpho.address, amount, sender=account),
        ]

    def accrue(self) -> list[Tx]:
        return [self.contract.tx("accrueInterest", self.market().params, sender=self.who())]

    def id_of(self, market: MorphoMarket) -> bytes:
        return market_id(market)
