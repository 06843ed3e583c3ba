"""What the adapter tells of a real Morpho beside healths: what is set aside, who was liquidated, what was lost."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from keeper.chain.pool import Pool
from keeper.core.ports import Health, Quarantine
from keeper.core.units import WAD, ZERO_ADDRESS, Address
from keeper.devnet import morpho as devnet_morpho
from keeper.devnet.contract import Contract, Deployer
from keeper.devnet.layout import ADMIN, USD
from keeper.devnet.lenders import MorphoMarket
from keeper.devnet.morpho import Morpho, feed_price, market_key
from keeper.devnet.vyper import vyper_artifact
from keeper.devnet.world import World
from keeper.indexer.audit import audit, live_rows
from keeper.indexer.indexer import Indexer
from keeper.indexer.inquire import inquire
from keeper.indexer.market import Market
from keeper.protocols.morpho_blue.adapter import MorphoBlue
from keeper.store.store import Store

FEED_ORACLE = Path(str(devnet_morpho.__file__)).parent / "contracts" / "chainlink_oracle.vy"
LIQUIDATOR = Address("0x" + "77" * 20)
PEOPLE = [Address(f"0x{0xB0 << 152 | n:040x}") for n in range(4)]


@asynccontextmanager
async def indexed(world: World, morpho: Morpho, path: Path) -> AsyncIterator[Indexer]:
    adapter = MorphoBlue(morpho.address, [morpho.factory.address])
    async with Pool([world.anvil.url]) as chain:
        yield Indexer(chain, Store(path / "s", 31337), [(adapter, 0)])


def healths(market: Market, at: int) -> dict[str, Health | Quarantine]:
    book = market.book
    return {book.account(row): market.adapter.health(book, row, at) for row in live_rows(book)}  # type: ignore[arg-type]


async def test_what_is_dead_sets_aside_itself_only(world: World, tmp_path: Path) -> None:
    """An oracle that reverts, a vault without a rate, a feed below zero: one market each; and they come back."""
    morpho = Morpho.deploy(world)
    told = morpho.told_oracle(feed_price(world, "LINK", "DAI"))
    vault = morpho.told_vault()
    markets = [
        morpho.create_market(world.asset("LINK"), world.asset("DAI"), told.address, 770),
        morpho.create_market(
            world.asset("WETH"), world.asset("USDC"), morpho.feed_oracle("WETH", "USDC", (vault.address, WAD))
        ),
        morpho.add_market("WBTC", "DAI"),
        morpho.add_market("WETH", "DAI"),
    ]
    world.fund(LIQUIDATOR)
    for account, where in zip(PEOPLE, markets, strict=True):
        world.rpc.send_all(morpho.supply_txs(LIQUIDATOR, where, 10**12))
        morpho.borrower(account, where, 10**18, 10**6)
    async with indexed(world, morpho, tmp_path) as indexer:
        await indexer.advance()
        market, adapter = indexer.markets[0], indexer.markets[0].adapter
        assert not adapter.quarantined(market.book)
        assert adapter.describe(market.book)["viewed_oracles"] == [told.address]
        revert = "0x60006000fd"
        world.rpc.rpc("anvil_setCode", told.address, revert)
        vault.send("set_rate", 0, sender=ADMIN)
        world.set_price("WBTC", -1)
        block = await indexer.advance()
        dead = {f"{account}:{market_key(one)}" for account, one in zip(PEOPLE[:3], markets, strict=False)}
        found = healths(market, block.timestamp)
        assert {account for account, health in found.items() if isinstance(health, Quarantine)} == dead
        subjects = {one.subject for one in adapter.quarantined(market.book)}
        assert subjects == {one.oracle for one in markets[:3]}
        assert not await audit(indexer.chain, market, live_rows(market.book), block)
        vault.send("set_rate", WAD, sender=ADMIN)
        world.set_price("WBTC", 60_000 * USD)
        block = await indexer.advance()
        assert {one.subject for one in adapter.quarantined(market.book)} == {told.address}
        assert not await audit(indexer.chain, market, live_rows(market.book), block)


def liar(morpho: Morpho, path: Path) -> Contract:
    """The oracle of feeds, but its owner can add to what it says."""
    source = FEED_ORACLE.read_text()
    source = source.replace("    return SCALE_FACTOR", "    return self.lie + SCALE_FACTOR")
    source = source.replace("BASE_VAULT: public", "lie: public(uint256)\nBASE_VAULT: public", 1)
    source += "\n\n@external\ndef set_lie(lie: uint256):\n    self.lie = lie\n"
    (path / "liar.vy").write_text(source)
    feeds, deployer = morpho.world.layout.feeds, Deployer(morpho.world.rpc, ADMIN)
    sides = [(ZERO_ADDRESS, 1, feeds[one].proxy, ZERO_ADDRESS, digits) for one, digits in (("WETH", 18), ("USDC", 6))]
    made = deployer.create(vyper_artifact(path / "liar.vy"), *sides[0], *sides[1])
    deployer.flush()
    return made


async def test_an_oracle_that_is_not_what_it_seems_is_viewed(world: World, tmp_path: Path) -> None:
    """It has all the getters and says what they make, until it says something else; its feed's next word tells."""
    morpho = Morpho.deploy(world)
    world.fund(LIQUIDATOR)
    oracle = liar(morpho, tmp_path)
    where = morpho.create_market(world.asset("WETH"), world.asset("USDC"), oracle.address)
    world.rpc.send_all(morpho.supply_txs(LIQUIDATOR, where, 10**12))
    morpho.borrower(PEOPLE[0], where, 10**18, 10**9)
    async with indexed(world, morpho, tmp_path) as indexer:
        await indexer.advance()
        market, adapter = indexer.markets[0], indexer.markets[0].adapter
        assert adapter.describe(market.book)["viewed_oracles"] == []
        oracle.send("set_lie", 10**24, sender=ADMIN)
        world.set_price("WETH", 1_990 * USD)
        block = await indexer.advance()
        assert adapter.describe(market.book)["viewed_oracles"] == [oracle.address]
        assert not await audit(indexer.chain, market, live_rows(market.book), block)
        oracle.send("set_lie", 10**25, sender=ADMIN)
        block = await indexer.advance()
        assert not await audit(indexer.chain, market, live_rows(market.book), block)


def liquidated(morpho: Morpho) -> tuple[MorphoMarket, Address]:
    """One whole, one that leaves bad debt, one early."""
    world = morpho.world
    market = morpho.add_market("WETH", "USDC", lent=10**12)
    offer = morpho.offer(market, 700, (200, 500), (1010, 1050))
    for account, debt in zip(PEOPLE[:3], (16_000, 17_000, 13_000), strict=True):
        morpho.borrower(account, market, 10 * WAD, debt * 10**6)
    morpho.consent(PEOPLE[2], offer.address)
    world.set_price("WETH", 1_800 * USD)
    _, shares, _ = morpho.position(PEOPLE[0], market)
    world.rpc.send_all(morpho.liquidate_txs(LIQUIDATOR, market, PEOPLE[0], shares=shares))
    world.rpc.send_all(morpho.paid_for(market.loan, LIQUIDATOR, 10**11, offer.address))
    early = morpho.position(PEOPLE[2], market)[1] // 20
    offer.send("preLiquidate", PEOPLE[2], 0, early, b"", sender=LIQUIDATOR)
    world.set_price("WETH", 1_600 * USD)
    world.rpc.send_all(morpho.liquidate_txs(LIQUIDATOR, market, PEOPLE[1], seized=10 * WAD))
    return market, offer.address


async def test_liquidations_and_bad_debt_are_told(world: World, tmp_path: Path) -> None:
    morpho = Morpho.deploy(world)
    world.fund(LIQUIDATOR)
    market, offer = liquidated(morpho)
    async with indexed(world, morpho, tmp_path) as indexer:
        block = await indexer.advance()
        book, adapter = indexer.markets[0].book, indexer.markets[0].adapter
        logs = await indexer.chain.logs(adapter.sources(book), 0, block.number)
        told = adapter.outcomes(book, logs)
        key = market_key(market)
        assert [one.account for one in told] == [f"{PEOPLE[0]}:{key}", f"{PEOPLE[2]}:{offer}", f"{PEOPLE[1]}:{key}"]
        assert {(one.collateral_asset, one.debt_asset, one.liquidator) for one in told} == {
            (market.collateral, market.loan, LIQUIDATOR)
        }
        assert told[2].seized == 10 * WAD
        gained = world.balance("WETH", LIQUIDATOR)
        assert sum(one.seized for one in told) == gained
        (backing,) = adapter.backing(book)
        lost = 17_000 * 10**6 - told[2].repaid
        assert backing.asset == market.loan
        assert backing.socialised is not None
        assert 0 <= backing.socialised - lost < 10**4, "bad debt and a few blocks' interest"


async def test_whatever_is_not_a_morpho_says_what_it_is(world: World) -> None:
    morpho = Morpho.deploy(world)
    async with Pool([world.anvil.url]) as chain:
        head = await chain.head()

        async def said(address: Address) -> str:
            return await inquire(chain, MorphoBlue(address).examine(), head, 0)

        assert await said(morpho.address) == ""
        assert morpho.address in await said(morpho.adaptive.address)
        assert "no contract" in await said(PEOPLE[0])
        assert "not a Morpho Blue" in await said(world.layout.aave.pool)
