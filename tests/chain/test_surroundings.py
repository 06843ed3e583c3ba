"""What decisions ask of the chain beside books and pools, asked of real feeds, vaults and pools."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from keeper.chain.pool import Pool
from keeper.core.events import Block
from keeper.core.plans import FundingKind
from keeper.core.units import WAD, ZERO_ADDRESS, Address
from keeper.core.venues import Venue
from keeper.devnet.contract import Deployer
from keeper.devnet.layout import ADMIN, USD, TokenSpec
from keeper.devnet.vyper import vyper_artifact
from keeper.devnet.world import World
from keeper.errors import RpcError
from keeper.estimator.ask import ARB_GAS_INFO, GAS_ORACLE, L1_BLOCK
from keeper.estimator.guards import Sequencer, TokenRules
from keeper.estimator.rollup import ArbitrumFee, NoDataFee, OpStackFee
from keeper.executor.trips import round_trips
from keeper.indexer.inquire import inquire
from keeper.indexer.surroundings import Caution, Surroundings
from keeper.venues.book import VenueBook
from keeper.venues.uniswap_v3.venue import UniswapV3

ROLLUP = Path(__file__).parent.parent / "contracts" / "hostile" / "rollup.vy"
DAY = 86_400


async def around(chain: Pool, world: World, caution: Caution, pools: Sequence[Any] = ()) -> tuple[Surroundings, Block]:
    tokens = [token.address for token in world.layout.tokens.values()]
    known = world.layout.tokens
    feeds = {world.asset(name): feed.proxy for name, feed in world.layout.feeds.items() if name in known}
    found = Surroundings(chain, caution, tokens=lambda: tokens, feeds=lambda: feeds, pools=lambda: pools)
    head = await chain.head()
    await found.advance(head)
    return found, head


async def venue_pools(chain: Pool, world: World) -> Sequence[Any]:
    venues: list[Venue] = [UniswapV3(world.layout.uniswap.v3_factory)]
    book = VenueBook(venues, [token.address for token in world.layout.tokens.values()])
    head = await chain.head()
    await inquire(chain, book.open(head.number), head, 0)
    return list(book.liquidity.pools.values())


async def test_a_feed_says_when_it_was_last_heard(world: World) -> None:
    world.set_price("WETH", 1_900 * USD)
    said = world.rpc.rpc("eth_getBlockByNumber", "latest", False)["timestamp"]
    world.advance(2 * DAY)
    async with Pool([world.anvil.url]) as chain:
        found, head = await around(chain, world, Caution(heartbeat=DAY))
    reading = found.oracles.readings[world.asset("WETH")]
    assert (reading.answer, reading.updated_at, reading.heartbeat) == (1_900 * USD, int(said, 16), DAY)
    assert head.timestamp - reading.updated_at >= 2 * DAY
    assert found.oracles.sequencer is None
    assert isinstance(found.data_fee, NoDataFee)


async def test_the_sequencers_feed(world: World) -> None:
    feed = world.add_feed("UPTIME", 1)
    async with Pool([world.anvil.url]) as chain:
        down, _ = await around(chain, world, Caution(DAY, sequencer=feed.proxy))
        assert down.oracles.sequencer is not None
        assert down.oracles.sequencer.answer == 1
        silent, _ = await around(chain, world, Caution(DAY, sequencer=Address("0x" + "5e" * 20)))
        assert silent.oracles.sequencer == Sequencer(1, 0)  # type: ignore[arg-type]


async def test_vaults_and_the_executor_lend_what_they_hold(world: World) -> None:
    vault, morpho = world.add_balancer("WETH", amount=100 * WAD), world.add_morpho("USDC", amount=7 * 10**6)
    own = Address("0x" + "e5" * 20)
    world.fund(own)
    world.mint_token("USDC", own, 5)
    lenders = (
        (FundingKind.BALANCER_FLASH_LOAN, vault.address),
        (FundingKind.MORPHO_FLASH_LOAN, morpho.address),
        (FundingKind.OWN, own),
    )
    async with Pool([world.anvil.url]) as chain:
        found, _ = await around(chain, world, Caution(DAY, lenders=lenders))
    lent = {(loan.kind, loan.source, loan.token): (loan.available, loan.fee) for loan in found.loans}
    weth, usdc = world.asset("WETH"), world.asset("USDC")
    assert lent == {
        (FundingKind.BALANCER_FLASH_LOAN, vault.address, weth): (100 * WAD, 0),
        (FundingKind.MORPHO_FLASH_LOAN, morpho.address, usdc): (7 * 10**6, 0),
        (FundingKind.OWN, ZERO_ADDRESS, usdc): (5, 0),
    }


async def test_mean_ticks_of_pools_that_remember(world: World) -> None:
    world.advance(3_600)
    async with Pool([world.anvil.url]) as chain:
        pools = await venue_pools(chain, world)
        found, _ = await around(chain, world, Caution(DAY, twap=1_800), pools)
    ticks = {pool.address: pool.place.tick for pool in pools}
    assert found.oracles.mean_ticks == ticks
    assert ticks


@pytest.mark.parametrize(
    ("where", "fee"),
    [
        ((L1_BLOCK, GAS_ORACLE), OpStackFee(7 * 10**9, 3_000_000, 2_269, 1_055_762, True, 11, 13)),
        ((ARB_GAS_INFO,), ArbitrumFee(5 * 10**9)),
    ],
)
async def test_a_rollup_is_known_by_its_contracts(world: World, where: Sequence[Address], fee: object) -> None:
    deployer = Deployer(world.rpc, ADMIN)
    said = deployer.create(vyper_artifact(ROLLUP))
    deployer.flush()
    code = world.rpc.rpc("eth_getCode", said.address, "latest")
    for address in where:
        world.rpc.rpc("anvil_setCode", address, code)
    async with Pool([world.anvil.url]) as chain:
        found, _ = await around(chain, world, Caution(DAY))
        assert found.data_fee == fee
        world.rpc.rpc("anvil_setCode", where[0], "0xfe")
        world.advance(12)
        with pytest.raises(RpcError, match="do not say"):
            await found.advance(await chain.head())


async def test_tokens_that_lose_something_on_their_way_are_found(world: World) -> None:
    """Two percent of tax, a token that blocks its pool, one that answers false; and ordinary ones."""
    taxed, stuck, false = (world.add_hostile_token(TokenSpec(name, 18, 3 * USD)) for name in ("TAX", "STUCK", "FALSE"))
    world.add_silent_token(TokenSpec("USDX", 6, USD))
    for name in ("TAX", "STUCK", "FALSE", "USDX"):
        world.open_v3_pool(name, "WETH", 3_000)
    async with Pool([world.anvil.url]) as chain:
        pools = await venue_pools(chain, world)
        tokens = [token.address for token in world.layout.tokens.values()]
        before = await round_trips(chain, tokens, pools, await chain.head())
        assert set(before) >= {world.asset(name) for name in ("TAX", "STUCK", "FALSE", "USDX", "WETH", "USDC")}
        assert verdicts(before) == {}
        pool = next(pool.address for pool in pools if stuck.address in (pool.token0, pool.token1))
        taxed.send("set_fee", 200, sender=ADMIN)
        stuck.send("set_blocked", pool, True, sender=ADMIN)
        pool = next(pool.address for pool in pools if false.address in (pool.token0, pool.token1))
        false.send("set_hook", world.asset("USDC"), sender=ADMIN)
        after = await round_trips(chain, tokens, pools, await chain.head())
    assert verdicts(after) == {
        taxed.address: "token.transfer_tax",
        stuck.address: "token.paused",
        false.address: "token.paused",
    }
    trip = after[taxed.address]
    arrived, half = trip.expected - trip.expected * 2 // 100, trip.expected // 2
    assert trip.returned == arrived * (half - half * 2 // 100) // half


def verdicts(trips: Mapping[Address, Any]) -> dict[Address, str]:
    rules = TokenRules(trips=trips)
    return {token: refusal.reason.value for token in trips if (refusal := rules.check(token))}
