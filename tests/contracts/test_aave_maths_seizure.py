"""Liquidations against the real ``liquidationCall``: every amount to the unit, every interval end from both sides."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from random import Random
from typing import Any

import msgspec

from keeper.core.actions import Settlement
from keeper.core.events import Log
from keeper.core.units import MAX_U256, WAD, Address
from keeper.devnet.layout import TREASURY
from keeper.devnet.rpc import Reverted
from keeper.devnet.tokens import EMODES
from keeper.devnet.world import World
from keeper.protocols.aave_v3 import events as e
from keeper.protocols.aave_v3.decode import decode
from keeper.protocols.aave_v3.intervals import accepted_intervals
from keeper.protocols.aave_v3.profiles import PROFILES, Profile
from keeper.protocols.aave_v3.seizure import LiquidationTerms, debt_balance, max_cover, settle
from tests.contracts.aave_reader import Reader

BORROWER, LIQUIDATOR, WHALE = (Address(f"0x{name}{'0' * 36}") for name in ("b0b0", "11d0", "3a1e"))
TRANSFER = "0xddf252ad1be2c89b69c2b068fc378daa952ba7f163c4a11628f55a4df523b3ef"
CASES = 24


@dataclass(frozen=True, slots=True)
class Scene:
    """A borrower to be, and what becomes of the price."""

    collateral: str
    debt: str
    dollars: float
    health: float  # after the fall of the collateral's price
    wrapped: bool = False
    emode: int = 0
    stable_share: float = 0.0
    more_collateral: str = ""
    more_debt: str = ""
    drained: str = ""
    drained_to: float = 0.0  # of what lies in the pool
    priced_as: str = ""  # the e-mode category's price source, up to 3.1
    years: int = 0  # instead of a fall of the price


@contextmanager
def undone(world: World) -> Iterator[None]:
    """What happens inside did not happen. The node may keep a transaction that it mined: it would be mined again."""
    mark = world.rpc.rpc("evm_snapshot")
    yield
    world.rpc.rpc("anvil_dropAllTransactions")
    world.rpc.rpc("evm_revert", mark)
    world.rpc.rpc("anvil_dropAllTransactions")


def profile_of(world: World) -> Profile:
    return PROFILES[world.layout.version]


def act(world: World, scene: Scene) -> None:
    """Open the position, then make it liquidatable."""
    usd = scene.dollars * 10**8
    world.supply(BORROWER, scene.collateral, amount_of(world, scene.collateral, usd))
    if scene.more_collateral:
        world.supply(BORROWER, scene.more_collateral, amount_of(world, scene.more_collateral, usd / 1000))
    if scene.emode:
        world.set_emode(BORROWER, scene.emode)
    room = world.account_data(BORROWER).available_base * 0.98
    if scene.more_debt:
        world.borrow(BORROWER, scene.more_debt, amount_of(world, scene.more_debt, room / 5))
        room -= room / 5
    stable = amount_of(world, scene.debt, room * scene.stable_share)
    if stable:
        world.borrow(BORROWER, scene.debt, stable, 1)
    variable = amount_of(world, scene.debt, room) - stable
    if variable or not stable:
        world.borrow(BORROWER, scene.debt, variable)
    if scene.drained:
        drain(world, scene.drained, scene.drained_to)
    if scene.priced_as:
        category = next(one for one in EMODES if one.id == scene.emode)
        source = world.layout.feeds[scene.priced_as].proxy
        world.set_emode_category(msgspec.structs.replace(category, price_source=source))
    if scene.years:
        world.advance(scene.years * 365 * 86_400)
    else:
        now = world.account_data(BORROWER).health_factor / WAD
        world.set_price(scene.collateral, int(world.price(scene.collateral) * scene.health / now) or 1)


def amount_of(world: World, symbol: str, base: float) -> int:
    return int(base * world.layout.tokens[symbol].unit / world.price(symbol))


def drain(world: World, symbol: str, left: float) -> None:
    """Somebody else borrows what lies in the pool."""
    world.fund(WHALE)
    free = world.balance(symbol, world.layout.reserves[symbol].a_token)
    rich = "WBTC" if symbol != "WBTC" else "WETH"
    world.supply(
        WHALE, rich, amount_of(world, rich, 10 * free * world.price(symbol) / world.layout.tokens[symbol].unit)
    )
    world.borrow(WHALE, symbol, int(free * (1 - left)))


def scenes(world: World, seed: int) -> Iterator[Scene]:
    """The corners first, then chance."""
    chance = Random(seed)
    yield Scene("WETH", "USDC", 2_600, 0.97)
    yield Scene("WETH", "USDC", 2_600, 0.9)
    yield Scene("WETH", "USDC", 50_000, 0.97)
    yield Scene("WETH", "DAI", 50_000, 0.6)
    yield Scene("WBTC", "WETH", 9_000, 0.5, more_debt="LINK")
    yield Scene("WETH", "USDC", 9_000, 0.5, more_debt="LINK", more_collateral="WBTC")
    yield Scene("WETH", "WETH", 9_000, 1, drained="WETH", drained_to=0.05, years=3)
    yield Scene("USDC", "WETH", 9_000, 0.99, drained="USDC", drained_to=1e-6)
    yield Scene("USDC", "WETH", 9_000, 0.99, drained="USDC", drained_to=1e-6, wrapped=True)
    yield Scene("WSTETH", "WETH", 9_000, 0.96, emode=1)
    yield Scene("DAI", "USDC", 100, 0.96, emode=2, wrapped=True)
    yield Scene("WBTC", "DAI", 0.01, 0.97)
    symbols = [s for s in world.layout.reserves if s != "TIX"]
    stable = world.layout.version == "3.0.2"
    if stable:
        yield Scene("WETH", "DAI", 4_000, 0.96, stable_share=1.0)
        yield Scene("WETH", "DAI", 4_000, 0.9, stable_share=0.7, wrapped=True)
        yield Scene("WSTETH", "WETH", 9_000, 1, emode=1, drained="WETH", drained_to=0.03, years=2, priced_as="WETH")
        yield Scene("TIX", "WETH", 40_000, 0.97)
        yield Scene("WETH", "TIX", 40_000, 0.9)
    for _ in range(CASES):
        collateral, debt = chance.sample(symbols, 2)
        yield Scene(
            collateral,
            debt,
            10 ** chance.uniform(-2, 5),
            chance.choice([chance.uniform(0.951, 0.999), chance.uniform(0.3, 0.95)]),
            wrapped=chance.random() < 0.3,
            more_debt=chance.choice(["", *(s for s in symbols if s not in (collateral, debt))]),
            more_collateral=chance.choice(["", "", *(s for s in symbols if s not in (collateral, debt))]),
        )


def attempt(world: World, scene: Scene, at: int, amount: int) -> dict[str, Any] | None:
    """The real call in a block of that time; ``None`` when it reverts."""
    world.rpc.rpc("evm_setNextBlockTimestamp", at)
    tx = world.liquidate_tx(LIQUIDATOR, scene.collateral, scene.debt, BORROWER, amount, receive_atoken=scene.wrapped)
    try:
        return world.rpc.send(tx.sender, tx.to, tx.data)
    except Reverted:
        return None


class Outcome:
    """What a call moved, from logs and balances."""

    def __init__(self, world: World, scene: Scene) -> None:
        self.world, self.scene = world, scene
        self.before = self._balances()

    def _balances(self) -> tuple[int, int, int]:
        world, scene = self.world, self.scene
        wrapped = world.a_token(scene.collateral).call("scaledBalanceOf", LIQUIDATOR)
        return world.balance(scene.debt, LIQUIDATOR), world.balance(scene.collateral, LIQUIDATOR), wrapped

    def check(self, receipt: dict[str, Any], expected: Settlement, profile: Profile, terms: LiquidationTerms) -> None:
        said = [decode(msgspec.convert(raw, Log)) for raw in receipt["logs"]]
        (call,) = [event for event in said if isinstance(event, e.LiquidationCall)]
        written_off = [
            event.amount for event in said if isinstance(event, e.DeficitCreated) and event.asset == call.debt_asset
        ]
        assert (call.paid, call.received) == (expected.paid, expected.received)
        assert sum(written_off) == expected.bad_debt
        assert self._fee(receipt) == expected.protocol_fee
        paid, received, wrapped = (a - b for a, b in zip(self._balances(), self.before, strict=True))
        same = self.scene.collateral == self.scene.debt and not self.scene.wrapped
        assert paid == (received if same else -expected.paid)
        if self.scene.wrapped:
            assert wrapped == profile.collateral_scaled(expected.received, terms.collateral_index)
        else:
            assert received == expected.received - (expected.paid if same else 0)

    def _fee(self, receipt: dict[str, Any]) -> int:
        """The transfer of aTokens from the borrower to the treasury."""
        token = self.world.layout.reserves[self.scene.collateral].a_token
        ends = [f"0x{address[2:]:0>64}" for address in (BORROWER, TREASURY)]
        return sum(
            int(log["data"], 16)
            for log in receipt["logs"]
            if log["address"] == token and log["topics"] == [TRANSFER, *ends]
        )


def probes(intervals: tuple[tuple[int, int], ...], top: int) -> tuple[set[int], set[int]]:
    """Amounts that must be accepted, and neighbours that must not."""
    inside = {x for low, high in intervals for x in (low, (low + high) // 2, high)}
    outside = {x for low, high in intervals for x in (low - 1, high + 1) if 0 < x <= top}
    if not intervals:
        outside = {1, top // 2, top} - {0}
    return inside, {x for x in outside if not any(low <= x <= high for low, high in intervals)}


def test_every_liquidation_is_what_the_contract_does(any_world: World, seed: int) -> None:
    world, profile = any_world, profile_of(any_world)
    world.fund(BORROWER, LIQUIDATOR)
    seen = {"accepted": 0, "refused": 0, "deficit": 0, "gap": 0, "wrapped": 0, "fee": 0, "short": 0}
    for scene in scenes(world, seed):
        with undone(world):
            try:
                act(world, scene)
            except Reverted:  # a scene that cannot be: too small to borrow a unit
                assert scene.dollars < 1, scene
                continue
            at = world.timestamp() + Random(seed).randrange(1, 100_000)
            here = Reader(world, profile, BORROWER, world.timestamp()).totals
            shown = world.account_data(BORROWER)
            assert here == (shown.collateral_base, shown.debt_base, shown.threshold, shown.health_factor), scene
            terms = Reader(world, profile, BORROWER, at).terms(scene.collateral, scene.debt)
            assert terms.health_factor < WAD, scene
            found = accepted_intervals(profile, terms, wrapped=scene.wrapped)
            top = max_cover(profile, terms)
            world.rpc.send_all(
                world.hand_out(scene.debt, LIQUIDATOR, 2 * debt_balance(profile, terms) + 1, world.layout.aave.pool)
            )
            accepted, refused = probes(found, top)
            for amount in sorted(accepted) + ([top + 1, MAX_U256] if found and found[-1][1] == top else []):
                with undone(world):
                    outcome = Outcome(world, scene)
                    receipt = attempt(world, scene, at, amount)
                    assert receipt is not None, (scene, amount, found)
                    expected = settle(profile, terms, amount)
                    outcome.check(receipt, expected, profile, terms)
                    seen["accepted"] += 1
                    seen["deficit"] += expected.bad_debt > 0
                    seen["fee"] += expected.protocol_fee > 0
            for amount in sorted(refused):
                with undone(world):
                    assert attempt(world, scene, at, amount) is None, (scene, amount, found)
                    seen["refused"] += 1
            seen["gap"] += len(found) > 1
            seen["wrapped"] += scene.wrapped
            seen["short"] += bool(found) and found[-1][1] < top
    assert seen["accepted"] > 100, seen
    assert seen["refused"] > 10, seen
    assert all(seen[key] for key in ("wrapped", "fee", "short")), seen
    assert bool(seen["deficit"]) == bool(seen["gap"]) == profile.position_close_factor, seen
