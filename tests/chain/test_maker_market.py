"""What is wrong with an entry, what is behind a market, what cannot be read, and a book that is put right again."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from keeper.chain.pool import Pool
from keeper.core.ports import Quarantine
from keeper.core.refusals import Reason
from keeper.core.units import RAD, RAY, WAD, Address, Timestamp
from keeper.devnet.layout import ADMIN
from keeper.devnet.maker import Maker, word
from keeper.devnet.world import World
from keeper.indexer.audit import audit, live_rows, repair
from keeper.indexer.indexer import Indexer
from keeper.indexer.inquire import inquire
from keeper.protocols.maker_clip.adapter import MakerClip
from keeper.protocols.maker_clip.facts import sale_account, urn_account
from keeper.store.store import Store

URN, OTHER, KEEPER = (Address("0x" + digits * 20) for digits in ("ab", "ac", "4e"))


@dataclass
class Bench:
    world: World
    maker: Maker
    chain: Pool
    adapter: MakerClip
    indexer: Indexer

    def row(self, account: Address) -> int:
        found = self.indexer.markets[0].book.row(account)
        assert found is not None
        return found

    @property
    def at(self) -> Timestamp:
        return Timestamp(self.world.timestamp())


@pytest.fixture
async def bench(world: World, tmp_path: Path) -> AsyncIterator[Bench]:
    maker = Maker(world)
    world.fund(KEEPER)
    maker.open("ETH-A", URN, 10 * WAD, 12_000 * WAD)
    maker.open("ETH-A", OTHER, 20 * WAD, 9_000 * WAD)
    maker.fall("ETH-A", 1_500 * WAD)
    maker.bark("ETH-A", URN, KEEPER)
    adapter = MakerClip(maker.chainlog.address)
    async with Pool([world.anvil.url]) as chain:
        indexer = Indexer(chain, Store(tmp_path / "state.sqlite", 31337), [(adapter, 0)])
        await indexer.advance()
        yield Bench(world, maker, chain, adapter, indexer)


async def test_only_a_chainlog_is_an_entry(bench: Bench) -> None:
    async def said(address: Address) -> str:
        return await inquire(bench.chain, MakerClip(address).examine(), await bench.chain.head(), 0)

    assert not await said(bench.maker.chainlog.address)
    assert "no contract" in await said(KEEPER)
    assert "not a ChainLog" in await said(bench.maker.vat.address)
    bench.maker.chainlog.send("setAddress", word("MCD_DOG"), bench.maker.vat.address, sender=ADMIN)
    assert "its dog is none" in await said(bench.maker.chainlog.address)


async def test_what_stands_behind_the_market_is_the_vow(bench: Bench) -> None:
    """An auction's debt is queued until it is over; only then it is a lack."""
    book, vat, vow = bench.indexer.markets[0].book, bench.maker.vat, bench.maker.vow

    async def backing() -> tuple[int | None, int | None]:
        await bench.indexer.advance()
        (found,) = bench.adapter.backing(book)
        assert found.asset == bench.maker.dai.address
        return found.fund, found.deficit

    coin = 250 * RAD + 13_560 * RAD // 1000
    assert vat.call("sin", vow.address) == 12_000 * RAD + coin
    assert await backing() == (0, coin // RAY)
    bench.maker.vow.send("flog", bench.maker.sale("ETH-A", 1)["tic"], sender=KEEPER)
    assert await backing() == (0, (12_000 * RAD + coin) // RAY)
    vat.send("suck", ADMIN, vow.address, 20_000 * RAD, sender=ADMIN)
    assert await backing() == ((20_000 * RAD - 12_000 * RAD - coin) // RAY, 0)


async def test_a_price_curve_that_is_not_understood_sets_its_auctions_aside(bench: Bench) -> None:
    book, clip = bench.indexer.markets[0].book, bench.maker.ilks["ETH-A"].clip.address
    bench.maker.file(bench.maker.ilks["ETH-A"].clip, "calc", bench.maker.vat.address)
    await bench.indexer.advance()
    row = bench.row(sale_account(clip, 1))
    assert isinstance(bench.adapter.health(book, row, bench.at), Quarantine)
    assert list(bench.adapter.actions(book, row, bench.at)) == [Reason.QUARANTINED]
    assert [found.subject for found in bench.adapter.quarantined(book)] == [clip]
    assert not await audit(bench.chain, bench.indexer.markets[0], live_rows(book), await bench.chain.head())


async def test_without_a_price_nothing_is_unsafe_and_that_is_said(bench: Bench) -> None:
    book, it = bench.indexer.markets[0].book, bench.maker.ilks["ETH-A"]
    it.osm.send("void", sender=ADMIN)
    bench.maker.spotter.send("poke", it.ilk, sender=ADMIN)
    await bench.indexer.advance()
    row = bench.row(urn_account(OTHER, "ETH-A"))
    assert isinstance(bench.adapter.health(book, row, bench.at), Quarantine)
    assert not bench.adapter.actions(book, row, bench.at)
    assert "ETH-A" in [found.subject for found in bench.adapter.quarantined(book)]
    assert not await audit(bench.chain, bench.indexer.markets[0], live_rows(book), await bench.chain.head())


async def test_a_wrong_book_is_found_and_put_right(bench: Bench) -> None:
    market, block = bench.indexer.markets[0], await bench.chain.head()
    urn, sale = (
        bench.row(urn_account(OTHER, "ETH-A")),
        bench.row(sale_account(bench.maker.ilks["ETH-A"].clip.address, 1)),
    )
    for row in (urn, sale):
        column, amount = next(market.book.positions(row))
        market.book.set_amount(row, column, amount + 1_000_000_000)
    drifts = await audit(bench.chain, market, live_rows(market.book), block)
    assert {drift.row for drift in drifts} == {urn, sale}
    await repair(bench.chain, market, [drift.row for drift in drifts], block)
    assert not await audit(bench.chain, market, live_rows(market.book), block)
