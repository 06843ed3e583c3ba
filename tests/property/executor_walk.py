"""One executor and what can happen to it: borrowers, prices, rivals, pools and markets that lie, a stolen key.

Law of every state reached (``check``): what executor and treasury hold together has not shrunk, in any token; the
executor has approved nobody; a stranger has gained nothing.
"""

from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from random import Random
from typing import Final

import pytest

from keeper.contracts.encode import encode_plan
from keeper.core.plans import LENT, FundingKind, Hop, Leg, Plan, Role, SwapLeg, VenueKind, loans_of
from keeper.core.units import MAX_U256, WAD, Address, Amount
from keeper.devnet.layout import USD
from keeper.devnet.rpc import Reverted
from keeper.devnet.world import World
from keeper.errors import RpcError
from tests.contracts.executor_hostile import callbacks, hostile
from tests.contracts.executor_lender import lies
from tests.contracts.executor_markets import EACH, GIVES, OWED, Market
from tests.contracts.executor_shared import sharing
from tests.contracts.executor_world import CALLER, GAS, STRANGER, TREASURY, Rig, swap

MEMORY: Final = 8  # accounts that still matter
ATTEMPTS: Final = 6
FLOAT: Final = {"WETH": 3 * WAD, "USDC": 50_000 * 10**6, "WBTC": 10**8}
PAIRS: Final = (("WETH", "USDC"), ("WBTC", "USDC"), ("USDC", "WETH"), ("WBTC", "WETH"))
POOLS: Final = ("WETH/USDC/500", "WETH/USDC/3000", "WBTC/WETH/500", "WBTC/USDC/3000")
FACTS: Final = {"WETH": (2_000, 18), "USDC": (1, 6), "WBTC": (60_000, 8)}
ROUTES: Final = {
    ("WETH", "USDC"): (("WETH/USDC/500",), ("WETH/USDC/3000",)),
    ("WBTC", "USDC"): (("WBTC/WETH/500", "WETH/USDC/500"), ("WBTC/USDC/3000",)),
    ("USDC", "WETH"): (("USDC/WETH/500",), ("USDC/WETH/3000",)),
    ("WBTC", "WETH"): (("WBTC/WETH/500",),),
}


class Walk:
    """A seeded sequence of it."""

    def __init__(self, world: World, seed: int) -> None:
        self.random = Random(seed)
        self.world = world
        self.rig = Rig.deploy(world)
        self.liar = hostile(self.rig, "lying_pool")
        self.rig.allow(self.liar.address, role=Role.POOL)
        self.rig.allow(world.layout.uniswap.router, role=Role.ROUTER)
        self.market = Market.deploy(self.rig)
        self.vault = world.add_balancer("USDC", "WETH", amount=10**24)
        self.lender = hostile(self.rig, "lying_lender")
        for symbol in ("USDC", "WETH"):
            world.token(symbol).send("mint(address,uint256)", self.lender.address, 10**24, sender=STRANGER)
        self.rig.allow(self.vault.address, self.lender.address, role=Role.MARKET)
        for symbol, amount in FLOAT.items():
            self.rig.give(symbol, amount)
        self.accounts: list[tuple[Address, str, str]] = []
        self.held = self._held()
        self.landed = self.mutants = self.shared = 0

    # --- what must hold -----------------------------------------------------------------------------------------

    def check(self) -> None:
        held = self._held()
        assert all(held[symbol] >= before for symbol, before in self.held.items()), (self.held, held)
        self.held = held
        left = self.rig.left_over(self.liar.address, self.vault.address, self.market.address, self.lender.address)
        assert not [name for name in left if name.startswith("allowance")], left
        assert [self.world.balance(symbol, STRANGER) for symbol in FLOAT] == [0] * len(FLOAT)

    def _held(self) -> dict[str, int]:
        found = {
            symbol: self.world.balance(symbol, self.rig.address) + self.world.balance(symbol, TREASURY)
            for symbol in FLOAT
        }
        return found | {"ether": self.rig.ether() + self.rig.ether(TREASURY)}

    # --- what can happen ----------------------------------------------------------------------------------------

    def step(self) -> None:
        happens: tuple[tuple[int, Callable[[], None]], ...] = (
            (4, self.somebody_borrows),
            (4, self.somebody_falls),
            (1, self.a_price_moves),
            (1, self.a_rival_is_first),
            (1, self.a_borrower_repays),
            (2, self.the_liar_changes),
            (2, self.the_market_changes),
            (2, self.the_lender_changes),
            (2, self.a_stranger_tries),
            (1, self.profits_are_swept),
            (9, self.a_plan_is_sent),
            (6, self.a_stolen_key_sends_a_mutant),
        )
        weights, actions = zip(*happens, strict=True)
        self.random.choices(actions, weights)[0]()

    def somebody_borrows(self) -> None:
        collateral, debt = self.random.choice(PAIRS)
        supplied = 20_000 * USD * 10 ** FACTS[collateral][1] // self.world.price(collateral)
        owed = self.random.randint(11_000, 14_400) * USD * 10 ** FACTS[debt][1] // self.world.price(debt)
        account = Address("0x" + f"{len(self.accounts):04x}".rjust(40, "b"))
        self.world.fund(account)
        self.world.supply(account, collateral, supplied)
        try:
            self.world.borrow(account, debt, owed)
        except Reverted:
            return
        self.accounts.append((account, collateral, debt))

    def somebody_falls(self) -> None:
        """To a health factor between 0.85 and 1; the pools follow, mostly."""
        if not self.accounts:
            return
        account, collateral, debt = self.random.choice(self.accounts[-MEMORY:])
        health = self.world.account_data(account).health_factor
        if not WAD // 2 < health < 2 * WAD:
            return
        target = self.random.randint(850, 999) * WAD // 1000
        if collateral == "USDC":
            self.world.set_price(debt, self.world.price(debt) * health // target)
        else:
            self.world.set_price(collateral, self.world.price(collateral) * target // health)
        if self.random.random() < 0.8:
            self.pools_follow()

    def a_price_moves(self) -> None:
        symbol = self.random.choice(("WETH", "WBTC"))
        start = FACTS[symbol][0] * USD
        self.world.set_price(symbol, start * self.random.randint(90, 110) // 100)
        self.pools_follow()

    def pools_follow(self) -> None:
        for pool in POOLS:
            self.world.align_pool(pool)

    def a_rival_is_first(self) -> None:
        if self.accounts:
            account, collateral, debt = self.random.choice(self.accounts)
            rival = Address("0x" + "77" * 20)
            self.world.fund(rival)
            self._may_revert(lambda: self.world.liquidate(rival, collateral, debt, account))

    def a_borrower_repays(self) -> None:
        if self.accounts:
            account, _, debt = self.random.choice(self.accounts)
            self._may_revert(lambda: self.world.repay(account, debt, self.random.choice((1, 10**6, MAX_U256))))

    def the_liar_changes(self) -> None:
        tokens = sorted(self.world.asset(symbol) for symbol in self.random.sample(sorted(FLOAT), 2))
        asks = self.random.choice((0, 0, 0, 1, 10**7, 10**30))
        reserve = self.random.choice((0, 10**12, 10**24, 2**112 - 1))
        pays = self.random.random() < 0.3
        times = self.random.choice((0, 1, 1, 1, 1, 2))
        self.liar.send("behave", *tokens, times, pays, asks, reserve, sender=STRANGER)

    def the_market_changes(self) -> None:
        """A market of another kind keeps its word, or does not."""
        asset = self.world.asset(self.random.choice(("USDC", "USDC", "WETH")))
        amounts = (0, 1, OWED - 1, OWED, OWED, OWED, OWED + 1, 10**18, 10**30)
        gives = self.random.choice((0, 1, GIVES // 2, GIVES, GIVES, 2 * GIVES))
        times = self.random.choice((0, 1, 1, 1, 1, 2))
        asks, takes = self.random.choice(amounts), self.random.choice(amounts)
        self.market.behave(debt=asset, gives=gives, asks=asks, takes=takes, calls_back=times)

    def the_lender_changes(self) -> None:
        """Who lends keeps its word, or does not."""
        amounts = (0, 0, 0, 1, 10**6, 10**10, 10**30)
        lies(
            self.lender,
            lends=self.random.choice((0, 50, 100, 100, 100, 150)),
            says=self.random.choice(amounts),
            fee=self.random.choice(amounts),
            calls_back=self.random.choice((0, 1, 1, 1, 1, 2)),
            takes=self.random.choice(amounts),
        )

    def a_stranger_tries(self) -> None:
        plan = encode_plan(self.plan(), self.rig.executor)
        data = self.random.choice([*callbacks(self.rig), "0x" + plan.hex(), self.rig.contract.fn("take_ownership")])
        with pytest.raises(Reverted):
            self.world.rpc.send(STRANGER, self.rig.address, data, gas=GAS)

    def profits_are_swept(self) -> None:
        symbol = self.random.choice(sorted(FLOAT))
        keep = self.random.randint(0, 2 * FLOAT[symbol])
        self._may_revert(lambda: self.rig.contract.send("sweep", self.world.asset(symbol), keep, sender=CALLER))

    def a_plan_is_sent(self) -> None:
        plan = self.plan()
        before = self.rig.weth()
        try:
            receipt = self.rig.send(plan)
        except Reverted:
            return
        found = self.rig.realised(receipt)
        assert self.rig.weth() - before == found.profit - found.bid
        assert found.profit >= plan.min_profit
        assert found.bid == found.profit * plan.bid_bps // 10_000
        self.landed += 1
        self.shared += any(len(legs) > 1 for legs in loans_of(plan.legs))

    def a_stolen_key_sends_a_mutant(self) -> None:
        for _ in range(ATTEMPTS):
            data = self._mutant()
            try:
                self.world.rpc.call(self.rig.address, data, sender=CALLER)
            except (Reverted, RpcError):
                continue
            self._may_revert(partial(self.world.rpc.send, CALLER, self.rig.address, data, gas=GAS))
            self.mutants += 1
            return

    def _mutant(self) -> str:
        data = bytearray(encode_plan(self.plan(least=0), self.rig.executor))
        for _ in range(self.random.randint(1, 2)):
            at = 4 + 32 * self.random.randrange((len(data) - 4) // 32)
            self.random.choice((self._flip, self._copy, self._fill, self._scale))(data, at)
        return "0x" + data.hex()

    def _flip(self, data: bytearray, at: int) -> None:
        data[at + self.random.randrange(32)] ^= 1 << self.random.randrange(8)

    def _scale(self, data: bytearray, at: int) -> None:
        """A number grows or shrinks."""
        half = at + self.random.choice((0, 16))
        value = int.from_bytes(data[half : half + 16], "big") * self.random.choice((0, 1, 2, 99, 101, 300)) // 100
        data[half : half + 16] = min(value, 2**128 - 1).to_bytes(16, "big")

    def _copy(self, data: bytearray, at: int) -> None:
        """An address of some other word."""
        other = 4 + 32 * self.random.randrange((len(data) - 4) // 32)
        data[at + 12 : at + 32] = data[other + 12 : other + 32]

    def _fill(self, data: bytearray, at: int) -> None:
        targets = (self.liar.address, STRANGER, self.rig.address, *(self.world.asset(symbol) for symbol in FLOAT))
        data[at + 12 : at + 32] = bytes.fromhex(self.random.choice(targets)[2:])

    @staticmethod
    def _may_revert(act: Callable[[], object]) -> None:
        try:
            act()
        except Reverted:
            return

    # --- plans --------------------------------------------------------------------------------------------------

    def plan(self, least: int | None = None) -> Plan:
        together = self.random.choice(sorted(LENT)) if self.random.random() < 0.5 else None
        legs = [self._leg(*chosen, together) for chosen in self._chosen()]
        if together is not None:
            legs = list(self._sharing(legs))
        if self.random.random() < 0.4:
            legs.append(self.market.leg(self.random.choice(EACH)))
        starts = {leg.collateral_asset for leg in legs} | {leg.debt_asset for leg in legs}
        names = {self.world.asset(symbol): symbol for symbol in FLOAT}
        symbols = sorted(names[token] for token in starts if names[token] != "WETH")
        conversions = [self._sale((symbol, "WETH")) for symbol in symbols if self.random.random() < 0.7]
        bid = self.random.choice((0, 0, 5_000, 10_000))
        floor = self.random.choice((0, 1, WAD // 100)) if least is None else least
        return self.rig.plan(*legs, conversions=conversions, least=floor, bid=bid)

    def _chosen(self) -> Iterator[tuple[Address, str, str]]:
        accounts = self.accounts[-MEMORY:] or [(STRANGER, "WETH", "USDC")]
        fallen = [each for each in accounts if self.world.account_data(each[0]).health_factor < WAD]
        if fallen and self.random.random() < 0.9:
            accounts = fallen
        yield from self.random.sample(accounts, min(len(accounts), self.random.choice((1, 1, 2, 4))))

    @staticmethod
    def _sharing(legs: list[Leg]) -> Iterator[Leg]:
        """Whoever borrows one asset of one lender does so at once."""
        lent: dict[tuple[Address, Address], list[Leg]] = {}
        for leg in legs:
            lent.setdefault((leg.debt_asset, leg.funding.source), []).append(leg)
        for together in lent.values():
            yield from sharing(*together)

    def _leg(self, account: Address, collateral: str, debt: str, kind: FundingKind | None) -> Leg:
        kind = kind or self.random.choice([kind for kind in FundingKind if kind != FundingKind.PROTOCOL_CALLBACK])
        source, fee, swaps = None, 0, [self._sale((collateral, debt))]
        if kind == FundingKind.UNISWAP_V3_FLASH_SWAP:
            swaps = []
            source, fee = self._pool(collateral, debt)
            if self.random.random() < 0.3:
                source = self.liar.address
        elif self.random.random() < 0.3:
            swaps.insert(0, self._fixed(collateral, debt))
        if kind in (FundingKind.BALANCER_FLASH_LOAN, FundingKind.MORPHO_FLASH_LOAN):
            source = self.vault.address
        if kind in LENT and self.random.random() < 0.3:
            source = self.lender.address
        leg = self.rig.leg(account, kind, collateral=collateral, debt=debt, source=source, fee=fee, swaps=swaps)
        amount = Amount(leg.repay * self.random.choice((100, 100, 101, 104)) // 100)
        repay = Amount(leg.repay * self.random.choice((10, 100, 100, 230)) // 100)
        leg = replace(leg, repay=repay, funding=replace(leg.funding, amount=max(amount, repay)))
        return replace(leg, receive_wrapped=self.random.random() < 0.1)

    def _pool(self, collateral: str, debt: str) -> tuple[Address, int]:
        route = self.random.choice([route for route in ROUTES[collateral, debt] if len(route) == 1])
        hop = self.rig.hop(*route[0].split("/"))
        return hop.pool, hop.fee

    def _fixed(self, one: str, other: str) -> SwapLeg:
        """A part of the collateral, or more than there is of it, into a pool of whatever kind."""
        hop = self.rig.hop(*self.random.choice(ROUTES[one, other])[0].split("/"))
        amount = self.random.choice((1, FLOAT[one] // 100, FLOAT[one], FLOAT[one]))
        if self.random.random() < 0.7:
            hop = replace(hop, pool=self.liar.address, token_out=self.world.asset(other))
        return swap(hop, amount=amount)

    def _sale(self, pair: tuple[str, str]) -> SwapLeg:
        one, other = pair
        route = self.random.choice(ROUTES[pair])
        exact = self.random.random() < 0.5 and other != "WETH"
        sale = self.rig.sale(*route, exact_out=exact)
        if self.random.random() < 0.15:
            kind = self.random.choice((VenueKind.UNISWAP_V2, VenueKind.UNISWAP_V3))
            return swap(Hop(kind, self.liar.address, self.world.asset(one), self.world.asset(other), 500))
        return sale
