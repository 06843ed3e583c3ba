"""A small Aave market for reports: named assets, round parameters, indexes of one, and pools of constant product."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from keeper.core.book import Book
from keeper.core.units import RAY, ZERO_ADDRESS, Address, BlockNumber, Timestamp
from keeper.core.venues import Liquidity
from keeper.protocols.aave_v3 import facts
from keeper.protocols.aave_v3.adapter import AaveV3
from keeper.protocols.aave_v3.health import Rates
from keeper.reports.snapshot import Snapshot
from tests.unit.estimator_world import USD, pool

NOW = Timestamp(1_750_000_000)
_POOL = Address("0x" + "90" * 20)
_NONE = ZERO_ADDRESS


@dataclass(frozen=True)
class Asset:
    symbol: str
    number: int
    decimals: int
    price: int  # 1e-8 dollars
    threshold: int = 8250
    bonus: int = 10_500
    supply_rate: float = 0.0
    borrow_rate: float = 0.0

    @property
    def address(self) -> Address:
        return Address(f"0x{0xA5 << 32 | self.number:040x}")

    def units(self, whole: float) -> int:
        return round(whole * float(10**self.decimals))


WETH = Asset("WETH", 0, 18, 2000 * USD)
USDC = Asset("USDC", 1, 6, USD, 7800, 10_450)
WBTC = Asset("WBTC", 2, 8, 60_000 * USD, 7800, 10_625)
STETH = Asset("wstETH", 3, 18, 2000 * USD, 8100, 10_600)
ASSETS = (WETH, USDC, WBTC, STETH)


@dataclass
class Market:
    """A market of release 3.6 being filled."""

    assets: tuple[Asset, ...] = ASSETS
    fee: int = 0
    book: Book = field(default_factory=Book)

    def __post_init__(self) -> None:
        parts = facts.MarketParts(_POOL, _NONE, _NONE, _NONE, _NONE, _NONE, 10**8, 5)
        self.book.learn("market", "", parts)
        self.book.learn("impl", _POOL, "0x01")
        self.book.learn("code", "0x01", "3.6")
        for one in self.assets:
            word = one.threshold << 16 | one.bonus << 32 | one.decimals << 48 | 1 << 56 | self.fee << 152
            tokens = [Address(f"0x{one.number << 4 | side:040x}") for side in (1, 2)]
            listing = facts.Listing(one.number, tokens[0], tokens[1], ZERO_ADDRESS, one.decimals)
            rates = Rates(RAY, RAY, int(one.supply_rate * RAY), int(one.borrow_rate * RAY), NOW)
            known = {"listing": listing, "config": word, "rates": rates, "price": one.price, "liquidity": 10**40}
            for kind, value in known.items():
                self.book.learn(kind, one.address, value)

    def account(self, number: int, collateral: Mapping[Asset, float], debt: Mapping[Asset, float]) -> int:
        """A borrower, in whole tokens; its row."""
        row = self.book.open(Address(f"0x{number:040x}"))
        self.book.mark(row, sum(1 << one.number for one in collateral), 0)
        for held, side in ((collateral, facts.COLLATERAL), (debt, facts.DEBT)):
            for one, whole in held.items():
                self.book.set_amount(row, one.number << 2 | side, one.units(whole))
        return row

    def turning_at(self, number: int, price: float, whole: float) -> int:
        """A holder of so many ETH who may be liquidated at a price and below."""
        return self.account(number, {WETH: whole}, {USDC: price * whole * 0.825 + 1e-6})

    def snapshot(self, liquidity: Liquidity | None = None, at: Timestamp = NOW) -> Snapshot:
        """Everything as a report sees it."""
        self.book.take_changes()
        snap = Snapshot.of(AaveV3(Address("0x" + "11" * 20)), self.book, BlockNumber(100), at, 1)
        return snap.beside(liquidity, {one.address: one.symbol for one in self.assets}, WETH.address)


def reference(fee: int = 0) -> Market:
    """The ladder of the reference: ETH that turns at 1,950, 1,800, 1,600 and 1,450."""
    market = Market(fee=fee)
    for number, (price, whole) in enumerate(((1950, 50), (1800, 40), (1600, 100), (1450, 10)), start=1):
        market.turning_at(number, price, whole)
    return market


def depth(eth: float, fee: int = 0, usd: float | None = None) -> Liquidity:
    """A pool of WETH and USDC at 2,000."""
    other = USDC.units(eth * 2000 if usd is None else usd)
    return Liquidity.of([pool(1, WETH.address, WETH.units(eth), USDC.address, other, fee)])
