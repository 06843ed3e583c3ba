"""Scaled balances, indexes and versions against the compiled tokens and pools.

A seeded walk of tiny supplies, withdrawals, borrows, repayments and transfers with jumps of time. After every
transaction the balances that its logs lead to are the ones that the tokens store.
"""

from collections.abc import Callable
from random import Random
from typing import Any

import msgspec

from keeper.core.events import Log
from keeper.core.units import RAY, Address
from keeper.devnet.rpc import Reverted, Tx
from keeper.devnet.world import World
from keeper.protocols.aave_v3 import events as e
from keeper.protocols.aave_v3 import tokens
from keeper.protocols.aave_v3.decode import decode
from keeper.protocols.aave_v3.health import Rates, indexes
from keeper.protocols.aave_v3.maths import stable_debt
from keeper.protocols.aave_v3.probe import library_addresses, version_of
from keeper.protocols.aave_v3.profiles import PROFILES, Profile
from keeper.protocols.aave_v3.tokens import TOKEN_PROFILES, TokenProfile

IMPLEMENTATION = "0x360894a13ba1a3210667c828492db98dca3e2076cc3735a920a3ca505d382bbc"
STEPS = 400
DAY = 86_400


def code(world: World, proxy: Address) -> str:
    """The code behind a proxy."""
    slot = world.rpc.rpc("eth_getStorageAt", proxy, IMPLEMENTATION, "latest")
    return str(world.rpc.rpc("eth_getCode", "0x" + slot[-40:], "latest"))


def pool_profile(world: World) -> Profile:
    pool = code(world, world.layout.aave.pool)
    libraries = [world.rpc.rpc("eth_getCode", at, "latest") for at in library_addresses(pool)]
    assert version_of(pool, libraries) == version_of(pool)
    return PROFILES[version_of(pool, libraries) or "unknown"]


def token_profiles(world: World) -> dict[Address, TokenProfile]:
    found = {}
    for reserve in world.layout.reserves.values():
        for token in (reserve.a_token, reserve.v_token):
            found[token] = TOKEN_PROFILES[version_of(code(world, token)) or "unknown"]
    return found


class Ledger:
    """Balances as the logs of the tokens tell them."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.profiles = token_profiles(world)
        self.stable = {reserve.s_token for reserve in world.layout.reserves.values() if reserve.s_token}
        self.scaled: dict[tuple[Address, Address], int] = {}
        self.principal: dict[tuple[Address, Address], tuple[int, int, int]] = {}
        self.seen: set[type[e.Event]] = set()
        self.kinds: set[str] = set()

    def fold(self, receipt: dict[str, Any]) -> set[tuple[Address, Address]]:
        """Apply a receipt's logs; which balances they touched."""
        touched = set()
        for raw in receipt["logs"]:
            event = decode(msgspec.convert(raw, Log))
            if event is not None:
                self.seen.add(type(event))
            match event:
                case e.Mint(token, account, value, increase, index) if token in self.profiles:
                    before = self.scaled.get((token, account), 0)
                    self.scaled[token, account] = tokens.after_mint(
                        self.profiles[token], before, value, increase, index
                    )
                    self.kinds.add("small burn" if value < increase else "interest" if value == increase else "mint")
                    touched.add((token, account))
                case e.Burn(token, account, value, increase, index) if token in self.profiles:
                    before = self.scaled.get((token, account), 0)
                    self.scaled[token, account] = tokens.after_burn(
                        self.profiles[token], before, value, increase, index
                    )
                    touched.add((token, account))
                case e.BalanceTransfer(token, sender, recipient, value, index):
                    moved = tokens.transferred(self.profiles[token], value, index)
                    for account, sign in ((sender, -1), (recipient, 1)):
                        self.scaled[token, account] = self.scaled.get((token, account), 0) + sign * moved
                        touched.add((token, account))
                case e.StableMint(token, account, rate=rate):
                    self.principal[token, account] = tokens.principal_after_mint(event), rate, self.world.timestamp()
                    touched.add((token, account))
                case e.StableBurn(token, account):
                    rate = self.principal[token, account][1]
                    self.principal[token, account] = tokens.principal_after_burn(event), rate, self.world.timestamp()
                    touched.add((token, account))
        return touched

    def check(self, balances: set[tuple[Address, Address]]) -> None:
        """The tokens themselves say the same."""
        for token, account in balances:
            handle = self.world.a_token(next(iter(self.world.layout.reserves))).at(token)
            if token in self.stable:
                handle = self.world.v_token(next(iter(self.world.layout.reserves))).at(token)
                principal, rate, since = self.principal[token, account]
                shown = stable_debt(principal, rate, self.world.timestamp() - since)
                assert shown == handle.call("balanceOf", account)
            else:
                assert self.scaled[token, account] == handle.call("scaledBalanceOf", account), (token, account)


class Walk:
    """Small actions of a few users, some of which the protocol refuses."""

    def __init__(self, world: World, seed: int) -> None:
        self.world = world
        self.chance = Random(seed)
        self.users = [Address(f"0x{0xA11CE + i:040x}") for i in range(5)]
        self.symbols = list(world.layout.reserves)
        world.fund(*self.users)

    def amount(self) -> int:
        """Mostly a few wei."""
        return self.chance.choice([1, 2, 3, 5, 17, self.chance.randrange(1, 1000), self.chance.randrange(1, 10**6)])

    def step(self) -> list[Tx]:
        world, user = self.world, self.chance.choice(self.users)
        symbol, amount = self.chance.choice(self.symbols), self.amount()
        other, everything = self.chance.choice(self.users), self.chance.random() < 0.1
        asset = world.layout.reserves[symbol].asset
        most = 2**256 - 1 if everything else amount
        mode = self.chance.choice([1, 2, 2]) if world.layout.reserves[symbol].s_token else 2
        match self.chance.choice(["supply", "supply", "withdraw", "borrow", "borrow", "repay", "atokens", "send"]):
            case "supply":
                return world.supply_txs(user, symbol, amount)
            case "withdraw":
                return [world.pool.tx("withdraw", asset, most, user, sender=user)]
            case "borrow":
                return [world.borrow_tx(user, symbol, amount, mode)]
            case "repay":
                paid = world.hand_out(symbol, user, 10**9, world.layout.aave.pool)
                return [*paid, world.pool.tx("repay", asset, most, mode, user, sender=user)]
            case "atokens":
                return [world.pool.tx("repayWithATokens", asset, most, mode, sender=user)]
            case _:
                return [world.a_token(symbol).tx("transfer", other, amount, sender=user)]


def busy(world: World) -> list[dict[str, Any]]:
    """Someone rich borrows much of everything, so that all indexes move; the receipts of the borrowings."""
    whale = Address("0x" + "b0b" + "0" * 37)
    world.fund(whale)
    receipts = [world.supply(whale, "WETH", 10**24)]
    for symbol, reserve in world.layout.reserves.items():
        free = world.balance(symbol, reserve.a_token)
        try:
            receipts.append(world.borrow(whale, symbol, free * 6 // 10))
        except Reverted:  # not everything may be borrowed
            continue
    return receipts


def start(world: World, seed: int) -> tuple[Walk, Ledger]:
    """Users with collateral, in a market at work."""
    walk, ledger = Walk(world, seed), Ledger(world)
    logs = world.rpc.rpc("eth_getLogs", {"fromBlock": "0x0", "address": list(ledger.profiles)})
    ledger.fold({"logs": logs})
    for receipt in busy(world):
        ledger.fold(receipt)
    for user in walk.users:
        for symbol in ("WETH", "USDC"):
            for receipt in world.rpc.send_all(world.supply_txs(user, symbol, 10**6)):
                ledger.fold(receipt)
    return walk, ledger


def test_scaled_balances_equal_what_the_tokens_store(any_world: World, seed: int) -> None:
    world = any_world
    walk, ledger = start(world, seed)
    refused = 0
    for _ in range(STEPS):
        if walk.chance.random() < 0.3:
            world.advance(walk.chance.choice([1, 60, DAY, 30 * DAY, 365 * DAY]))
        try:
            receipts = world.rpc.send_all(walk.step())
        except Reverted:
            refused += 1
            continue
        ledger.check(set().union(*(ledger.fold(receipt) for receipt in receipts)))
    ledger.check(set(ledger.scaled))
    assert refused < STEPS * 3 // 4
    assert ledger.kinds == {"mint", "small burn", "interest"}
    assert {e.Mint, e.Burn, e.BalanceTransfer, e.ReserveDataUpdated} <= ledger.seen


def test_stable_debts_equal_what_their_token_shows(world: World) -> None:
    ledger, user = Ledger(world), Address("0x" + "57ab1e" + "0" * 34)
    for receipt in busy(world):
        ledger.fold(receipt)
    world.fund(user)
    ledger.fold(world.supply(user, "WETH", 10**21))
    token = world.layout.reserves["DAI"].s_token
    assert token is not None
    debt = token, user
    steps: list[tuple[int, Callable[[], dict[str, Any]]]] = [
        (1, lambda: world.borrow(user, "DAI", 10**20 + 7, 1)),
        (DAY, lambda: world.borrow(user, "DAI", 3 * 10**20, 1)),
        (77 * DAY, lambda: world.repay(user, "DAI", 1, 1)),
        (400 * DAY, lambda: world.repay(user, "DAI", 10**20 + 1, 1)),
        (13, lambda: world.swap_rate_mode(user, "DAI", 1)),
        (DAY, lambda: world.swap_rate_mode(user, "DAI", 2)),
        (DAY, lambda: world.repay(user, "DAI", mode=1)),
    ]
    principals = []
    for wait, action in steps:
        world.advance(wait)
        ledger.check(ledger.fold(action()))
        principals.append(ledger.principal[debt][0])
        world.advance(1000)
        ledger.check({debt})
    assert principals[4] == principals[-1] == 0
    assert principals[1] < principals[2] > principals[3] > 0
    assert {e.StableMint, e.StableBurn} <= ledger.seen


def test_indexes_equal_the_pools_own_at_any_time(any_world: World, seed: int) -> None:
    world = any_world
    profile, chance = pool_profile(world), Random(seed)
    rates = {}
    for receipt in busy(world):
        at = int(world.rpc.rpc("eth_getBlockByNumber", receipt["blockNumber"], False)["timestamp"], 16)
        for raw in receipt["logs"]:
            event = decode(msgspec.convert(raw, Log))
            if isinstance(event, e.ReserveDataUpdated):
                fields = (event.liquidity_index, event.borrow_index, event.liquidity_rate, event.borrow_rate)
                rates[event.asset] = Rates(*fields, updated=at)
    assert len(rates) > 3
    waits = [1, 2, 3, 12, 4000, DAY, 77 * DAY, 400 * DAY] * 3
    chance.shuffle(waits)
    for wait in waits:
        world.advance(wait)
        at = world.timestamp()
        for asset, stored in rates.items():
            shown = tuple(
                world.pool.call(name, asset)
                for name in ("getReserveNormalizedIncome", "getReserveNormalizedVariableDebt")
            )
            assert indexes(profile, stored, at) == shown
    assert any(max(indexes(profile, stored, at)) > 11 * RAY // 10 for stored in rates.values())


def test_the_probe_knows_what_was_deployed(any_world: World) -> None:
    aave = any_world.layout.aave
    version = pool_profile(any_world).version
    assert version in {"3.0.2", "3.6"}
    expected = (
        ("aToken 3.0.2", "variableDebtToken 3.0.2") if version == "3.0.2" else ("aToken 3.5", "variableDebtToken 3.5")
    )
    for reserve in any_world.layout.reserves.values():
        assert (version_of(code(any_world, reserve.a_token)), version_of(code(any_world, reserve.v_token))) == expected
    for other in (aave.configurator,):
        assert version_of(code(any_world, other)) is None
    for other in (aave.oracle, aave.provider, any_world.layout.tokens["WETH"].address):
        assert version_of(any_world.rpc.rpc("eth_getCode", other, "latest")) is None
