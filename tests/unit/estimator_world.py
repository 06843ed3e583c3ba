"""A small world for the estimator: fixture F of the reference, on exact constant-product pools.

Nothing here is part of the program under test but values: tokens, prices, pools, and an action with Aave's arithmetic.
"""

from dataclasses import dataclass
from typing import Any

from keeper.core.actions import Call, Settlement, Style, Witness
from keeper.core.plans import FundingKind
from keeper.core.ports import Loan, Valued
from keeper.core.units import Address, Amount, BlockNumber, Bps, Timestamp, Wei
from keeper.core.venues import Liquidity, Pool, PoolKey
from keeper.estimator.bid import BidPolicy
from keeper.estimator.gas import GasBook, LegShape, Shape
from keeper.estimator.world import Candidate, Policy, World
from keeper.estimator.worth import Prices
from keeper.venues.route.search import Routing
from keeper.venues.uniswap_v2.pool import UniswapV2Pool

ETH = 10**18
USDC = 10**6
GWEI = 10**9
USD = 10**8


def address(n: int) -> Address:
    return Address(f"0x{n:040x}")


WETH_TOKEN, USDC_TOKEN, WBTC_TOKEN, DAI_TOKEN = (address(n) for n in (0xE1, 0xE2, 0xE3, 0xE4))
MARKET, ACCOUNT, AAVE, BALANCER, MORPHO = (address(n) for n in (0xA1, 0xACC, 0xF1, 0xF2, 0xF3))
PRICES = Prices(
    {
        WETH_TOKEN: Valued(2000 * USD, ETH),
        USDC_TOKEN: Valued(USD, USDC),
        WBTC_TOKEN: Valued(60_000 * USD, 10**8),
        DAI_TOKEN: Valued(USD, ETH),
    },
    WETH_TOKEN,
)


@dataclass(frozen=True)
class Pair:
    """A liquidation with the arithmetic of Aave 3.0: half-up percentages, protocol fee out of the bonus."""

    intervals_: tuple[tuple[int, int], ...]
    prices: Prices = PRICES
    collateral_asset: Address = WETH_TOKEN
    debt_asset: Address = USDC_TOKEN
    bonus: int = 10_500
    fee: int = 1_000
    account: Address = ACCOUNT
    protocol: str = "aave_v3"
    market: Address = MARKET
    receive_wrapped: bool = False
    withdrawable: int = 10**40
    witness: Witness | None = None
    style: Style = Style.AAVE
    spender: Address = MARKET
    called: tuple[Call, ...] = ()

    def calls(self, repay: int) -> tuple[Call, ...]:
        return self.called if repay else ()

    def intervals(self) -> tuple[tuple[int, int], ...]:
        return self.intervals_

    def settle(self, repay: int) -> Settlement:
        collateral, debt = self.prices.assets[self.collateral_asset], self.prices.assets[self.debt_asset]
        base = debt.price * repay * collateral.unit // (collateral.price * debt.unit)
        seized = (base * self.bonus + 5_000) // 10_000
        without = (seized * 10_000 + self.bonus // 2) // self.bonus
        fee = ((seized - without) * self.fee + 5_000) // 10_000
        return Settlement(Amount(repay), Amount(seized - fee), Amount(fee))


def pool(n: int, one: Address, reserve: int, other: Address, other_reserve: int, fee: int = 3_000) -> UniswapV2Pool:
    if one < other:
        return UniswapV2Pool(PoolKey(address(n), one, other, fee), reserve, other_reserve)
    return UniswapV2Pool(PoolKey(address(n), other, one, fee), other_reserve, reserve)


DEEP = pool(1, WETH_TOKEN, 5_000 * ETH, USDC_TOKEN, 10_000_000 * USDC)
THIN = pool(2, WETH_TOKEN, 100 * ETH, USDC_TOKEN, 200_000 * USDC)
LOAN = Loan(FundingKind.AAVE_FLASH_LOAN, AAVE, USDC_TOKEN, 10**15, Bps(5))
FREE = Loan(FundingKind.BALANCER_FLASH_LOAN, BALANCER, USDC_TOKEN, 10**15)
CAP = 8_400 * USDC


def gas_of(gas: int, *kinds: FundingKind) -> GasBook:
    """A book that has learned what a sale through one v2 pool costs."""
    book = GasBook()
    for kind in kinds or (FundingKind.AAVE_FLASH_LOAN,):
        leg = LegShape("aave_v3", kind, wrapped=False, bad_debt=False, swaps=((DEEP.kind,),))
        book = book.learn(Shape((leg,)), gas)
    return book


def world(*pools: Pool, **changes: Any) -> World:
    """The moment of fixture F: 20 gwei, 600k gas, profit in USDC, nothing bid."""
    policy = changes.pop("policy", Policy(USDC_TOKEN, Routing(), BidPolicy(tip=Wei(0), min_profit=Wei(0)), window=1))
    values: dict[str, Any] = {
        "block": BlockNumber(100),
        "timestamp": Timestamp(1_700_000_000),
        "base_fee": Wei(20 * GWEI),
        "gas_limit": 30_000_000,
        "liquidity": Liquidity.of(pools),
        "policy": policy,
        "lenders": (LOAN,),
        "gas": gas_of(600_000),
    }
    return World(**(values | changes))


def candidate(*pairs: Pair, account: Address = ACCOUNT, prices: Prices = PRICES, market: Address = MARKET) -> Candidate:
    return Candidate(account, pairs or (Pair(((1, CAP),)),), prices, market)


def usd(wei: int) -> float:
    """Dollars of wei at 2,000, for comparison with the reference's two decimals."""
    return wei * 2000 / ETH
