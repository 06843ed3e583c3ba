"""A crash is foretold from the book and the pools, and then played on the chain: the same accounts, the same path."""

from collections.abc import Mapping
from itertools import zip_longest
from pathlib import Path

from keeper.commands.scenes import scene
from keeper.commands.shocks import shocked
from keeper.core.units import MAX_U256, WAD, Address
from keeper.core.venues import Pool
from keeper.devnet.layout import LENDER
from keeper.devnet.world import World
from keeper.indexer.progress import LogReport
from keeper.reports.cascade import Sale, cascade
from keeper.reports.depth import aligned
from keeper.reports.snapshot import Snapshot
from keeper.settings import load
from keeper.venues.uniswap_v2.pool import UniswapV2Pool
from keeper.venues.uniswap_v3.pool import UniswapV3Pool
from tests.chain.report_stage import configure

ACTOR = Address("0x" + "77" * 20)
WHALES = ((2_500, 0.81), (3_500, 0.78), (3_500, 0.74), (3_500, 0.55))  # ETH, and what is owed of its value
FALL = 0.95
DEEPEST = "WETH/USDC/500"
PLENTY = 2**120
ROUNDING = 1e-9  # of a price: squares and roots in different orders


async def test_the_chain_does_what_the_cascade_says(world: World, tmp_path: Path, seed: int) -> None:
    borrowers = [one.account for one in world.borrowers(20, seed)]
    borrowers += [whale(world, number, eth, share) for number, (eth, share) in enumerate(WHALES)]
    settings = load(configure(tmp_path, world), [])
    async with scene(settings, None, None, LogReport(), pools=True) as seen:
        (snap,) = seen.snapshots()
        shock = shocked(snap, [("WETH", FALL), ("WSTETH", FALL)])
        foretold = cascade(snap, shock)
        pools = aligned(snap.pools(), shock).pools
    assert [len(one.sales) > 0 for one in foretold.rounds[:3]] == [True, True, True], "a crash that feeds on itself"
    assert not any(one.stuck for one in foretold.rounds), foretold.path(world.asset("WETH"))
    fall_first(world, snap, pools)
    play, weth = Play(world), world.asset("WETH")
    prices = dict(foretold.rounds[0].prices)
    for one, following in zip_longest(foretold.rounds, foretold.rounds[1:]):
        for symbol in ("WETH", "WSTETH", "WBTC", "LINK", "YOC"):
            world.set_price(symbol, prices[world.asset(symbol)])
        below = {account for account in borrowers if world.account_data(account).health_factor < WAD}
        assert below == {sale.account for sale in one.sales}
        before, was = play.mid(DEEPEST, "WETH"), prices[weth]
        for sale in one.sales:
            play.liquidate(sale)
        if following is not None:
            prices = {**following.prices, weth: round(was * play.mid(DEEPEST, "WETH") / before)}
            assert abs(prices[weth] / following.prices[weth] - 1) < ROUNDING
    print(f"seed {seed}: {len(foretold.sales)} sales, {foretold.path(world.asset('WETH'))}")  # noqa: T201


def whale(world: World, number: int, eth: int, share: float) -> Address:
    """Somebody large enough to move pools."""
    account = Address(f"0x{0xABBA << 8 | number:040x}")
    world.fund(account)
    owed = world.units("USDC", eth * 2_000 * share)
    world.supply(LENDER, "USDC", 2 * owed)
    world.supply(account, "WETH", world.units("WETH", eth))
    world.borrow(account, "USDC", min(owed, world.units("USDC", eth * 2_000 * 0.799)))
    if share > 0.8:  # more than may be borrowed: what was owned is taken out again, down to the threshold
        left = owed * 10**12 * WAD // (2_000 * int(share * WAD))
        world.withdraw(account, "WETH", world.units("WETH", eth) - left * 999 // 1_000)
    return account


def fall_first(world: World, snap: Snapshot, after: Mapping[Address, Pool]) -> None:
    """Traders bring every pool to where the shock leaves it."""
    world.fund(ACTOR)
    names = names_of(world)
    symbols = {token.address: symbol for symbol, token in world.layout.tokens.items()}
    for address, pool in after.items():
        before = snap.pools().pools[address]
        if isinstance(pool, UniswapV3Pool) and isinstance(before, UniswapV3Pool) and pool.place != before.place:
            down = pool.place.sqrt_price < before.place.sqrt_price
            sold = pool.token0 if down else pool.token1
            world.swap_v3(ACTOR, names[address], symbols[sold], PLENTY, pool.place.sqrt_price)
            assert world.v3_pool(names[address]).call("slot0")[0] == pool.place.sqrt_price
        if isinstance(pool, UniswapV2Pool) and isinstance(before, UniswapV2Pool) and pool != before:
            up = pool.reserve0 > before.reserve0
            sold, bought = (pool.token0, pool.token1) if up else (pool.token1, pool.token0)
            amount = pool.reserve0 - before.reserve0 if up else pool.reserve1 - before.reserve1
            world.swap_v2(ACTOR, symbols[sold], symbols[bought], amount)
            assert tuple(world.v2_pair(names[address]).call("getReserves")[:2]) == (pool.reserve0, pool.reserve1)


def names_of(world: World) -> dict[Address, str]:
    """Pools and pairs by address."""
    return {address: name for name, address in {**world.layout.uniswap.pools, **world.layout.uniswap.pairs}.items()}


class Play:
    """Liquidators who do what was foretold, and somebody who reads prices off the pools."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.symbols = {token.address: symbol for symbol, token in world.layout.tokens.items()}
        self.names = names_of(world)

    def liquidate(self, sale: Sale) -> None:
        """The call, and the sale of what it brings: each hop gives what the model's pool gave."""
        world, owed = self.world, self.symbols[sale.debt_asset]
        held = self.symbols[sale.collateral_asset]
        world.mint_token(owed, ACTOR, sale.repaid)
        world.token(owed).send("approve", world.layout.aave.pool, MAX_U256, sender=ACTOR)
        before = world.balance(held, ACTOR)
        world.rpc.send_all([world.liquidate_tx(ACTOR, held, owed, sale.account, sale.repaid)])
        assert abs((world.balance(held, ACTOR) - before) / sale.seized - 1) < 1e-6  # interest of a few blocks
        for fill in sale.route.fills:
            flow = int(fill.amount_in)
            for hop in fill.after.hops():
                flow = self.swap(hop.pool, self.symbols[hop.token_in], self.symbols[hop.token_out], flow)
            assert flow == fill.amount_out

    def swap(self, pool: Address, sold: str, bought: str, amount: int) -> int:
        """What a pool gives."""
        before = self.world.balance(bought, ACTOR)
        name = self.names[pool]
        if name in self.world.layout.uniswap.pools:
            self.world.swap_v3(ACTOR, name, sold, amount)
        else:
            self.world.swap_v2(ACTOR, sold, bought, amount)
        return self.world.balance(bought, ACTOR) - before

    def mid(self, name: str, symbol: str) -> float:
        """A price off the contract itself, in its smallest units."""
        root = self.world.v3_pool(name).call("slot0")[0]
        first = self.world.v3_pool(name).call("token0").lower() == self.world.asset(symbol)
        return float((root / 2**96) ** 2 if first else (2**96 / root) ** 2)
