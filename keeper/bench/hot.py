"""The hot path on a synthetic market: its book, its pools, who looks at it and what is prepared.

Law: a pure function of the number of accounts. Everything from prices to plans is the keeper's own; only the market and
the pools it sells to are made up.
"""

from collections.abc import Iterator
from typing import Final

from keeper.bench.market import NOW, RESERVES, asset, market, populate
from keeper.contracts.encode import Executor, encode_plan
from keeper.core.book import Book
from keeper.core.plans import FundingKind
from keeper.core.ports import Loan
from keeper.core.units import Address, BlockNumber, Timestamp, Wei
from keeper.core.venues import Liquidity, Pool, PoolKey, sorted_pair
from keeper.estimator.bid import BidPolicy
from keeper.estimator.world import Policy, World
from keeper.indexer.market import Market
from keeper.lookout import Post
from keeper.protocols.aave_v3.adapter import AaveV3
from keeper.reflex import Reflex
from keeper.venues.route.search import Routing
from keeper.venues.uniswap_v2.pool import UniswapV2Pool

VERSION: Final = "3.6"
AT: Final = Timestamp(NOW + 12)
POPULAR: Final = asset(0)
NATIVE: Final = asset(1)
VAULT: Final = Address("0x" + "ba" * 20)
_DEEP: Final = 10**17  # base units on each side of a pool: a billion dollars
_PATIENCE: Final = 60.0  # seconds for preparing


class Hot:
    """A market of so many accounts, looked at, with watch lists and prepared plans."""

    def __init__(self, accounts: int, reserves: int = RESERVES) -> None:
        book, adapter = market(VERSION, reserves), AaveV3(Address("0x" + "11" * 20))
        populate(book, accounts)
        self.assets = [Address(found) for found in book.facts("listing")]
        for one in self.assets:
            book.learn("liquidity", one, 10**34)
        book.take_changes()
        self.market = Market(adapter, 0, 1, book, 1, 1, opened=True)
        self.post = Post(adapter, book)
        self.contract = Executor(Address("0x" + "ee" * 20), NATIVE, ())
        self.reflex = Reflex(lambda plan: encode_plan(plan, self.contract))
        self.world = World(
            block=BlockNumber(2),
            timestamp=AT,
            base_fee=Wei(1),
            gas_limit=36_000_000,
            liquidity=Liquidity.of(_pools(adapter, book, self.assets)),
            policy=Policy(NATIVE, Routing(hubs=(NATIVE,)), BidPolicy(tip=Wei(1))),
            lenders=[Loan(FundingKind.BALANCER_FLASH_LOAN, VAULT, one, 10**40) for one in self.assets],
        )

    @property
    def book(self) -> Book:
        return self.market.book

    async def look(self) -> list[int]:
        """Who is below 1; with fresh lists."""
        found = await self.post.below(AT)
        self.post.tend(AT)
        await self.post.made()
        self.post.tend(AT)
        return found

    async def prepare(self) -> None:
        """Follow the book, then fill the shelf."""
        await self.post.below(AT)
        await self.reflex.prepare([(self.market, self.post)], self.world, _PATIENCE)


def _pools(adapter: AaveV3, book: Book, assets: list[Address]) -> Iterator[Pool]:
    """One pool of every asset and the native token, at the oracle's price."""
    valued = adapter.assets(book)
    for number, one in enumerate(assets):
        if one == NATIVE:
            continue
        low, high = sorted_pair(one, NATIVE)
        reserves = [_DEEP * valued[token].unit // valued[token].price for token in (low, high)]
        yield UniswapV2Pool(PoolKey(Address(f"0x{0xB001 << 32 | number:040x}"), low, high, 3_000), *reserves)
