"""The worked numbers of selling collateral, in whole units of 18 and 6 decimals."""

from itertools import pairwise

import pytest
from eth_utils.crypto import keccak

from keeper.core.plans import VenueKind
from keeper.core.units import Address, Bps
from keeper.core.venues import Liquidity, PoolKey
from keeper.venues.registry import VENUES
from keeper.venues.route import Curve, Path, Routing, best_purchase, best_sale, flash_swaps, sale_curve
from keeper.venues.uniswap_v2 import venue as v2
from keeper.venues.uniswap_v2.pool import UniswapV2Pool
from keeper.venues.uniswap_v3 import venue as v3
from keeper.venues.uniswap_v3.ticks import MAX_TICK, MIN_TICK, price_at, sqrt_ratio
from keeper.venues.uniswap_v3.twap import OBSERVE, mean_tick

ETH, USDC = 10**18, 10**6
WETH, USD, HUB, OTHER = (Address("0x" + digit * 40) for digit in "abcd")


def pair(number: int, eth: float, usdc: float, tokens: tuple[Address, Address] = (WETH, USD)) -> UniswapV2Pool:
    key = PoolKey(Address(f"0x{number:040x}"), *tokens, 3_000)
    return UniswapV2Pool(key, int(eth * ETH), int(usdc * USDC))


DEEP = pair(1, 5_000, 10_000_000)
THIN = pair(2, 100, 200_000)
DIRECT = Routing(max_hops=1)


def test_fixture_f_sells_for_8744_and_leaves_315() -> None:
    """Repay 8,400, receive 4.389 ETH, sell through 5,000 ETH / 10 M USDC at 0.3 %."""
    quote = DEEP.quote_exact_in(WETH, 4_389 * ETH // 1_000)
    assert quote is not None
    assert round(quote.amount_out / USDC, 2) == 8_744.01
    flash, gas = 4.20, 24
    assert round(quote.amount_out / USDC - 8_400 - flash - gas, 2) == 315.81


def net(repay: float) -> float:
    """Of selling what ``repay`` seizes into the thin pool, with a bonus of 4.5 %, 5 bps flash fee and $24 of gas."""
    quote = THIN.quote_exact_in(WETH, int(repay * 1.045 / 2_000 * ETH))
    assert quote is not None
    return quote.amount_out / USDC - repay * 1.0005 - 24


def test_in_a_thin_pool_less_is_more() -> None:
    """The best amount is where the marginal price falls to what a unit of collateral costs: p(1+f)/b."""
    curve = Curve([Path((WETH, USD), (THIN,))])
    price = (2_000 * 10_005 * USDC * 1_000, 10_000 * 1_045 * ETH)
    repay = curve.amount_at(*price) * 2_000 / 1.045 / ETH
    assert round(repay, 2) == 3_928.11
    assert round(net(repay), 2) == 56.42
    assert round(net(8_400), 2) == -43.44
    assert max(net(repay * 0.99), net(repay * 1.01)) < net(repay)


def test_time_weighted_price_barely_feels_a_minute_of_manipulation() -> None:
    """Tick 76,012 for 1,740 s, then -50 % for 60 s: the mean is 75,780, only 2.29 % lower."""
    cumulative = 1_740 * 76_012 + 60 * 69_081
    assert round(cumulative / 1_800, 2) == 75_780.97
    tick = mean_tick(5_000, 5_000 + cumulative, 1_800)
    assert tick == 75_780
    (mean, one), (before, _) = price_at(tick), price_at(76_012)
    assert round((mean - before) / before * 100, 2) == -2.29
    assert mean_tick(0, -1, 2) == -1  # toward minus infinity, as the oracle library has it
    assert one == 1 << 192


def test_ticks_span_the_contracts_prices() -> None:
    assert (sqrt_ratio(MIN_TICK), sqrt_ratio(0), sqrt_ratio(MAX_TICK)) == (
        4295128739,
        1 << 96,
        1461446703485210103287273052203988822378723970342,
    )


def test_two_equal_pools_share_alike() -> None:
    liquidity = Liquidity.of([DEEP, pair(3, 5_000, 10_000_000)])
    for amount in (ETH, 500 * ETH):
        route = best_sale(liquidity, WETH, USD, amount, DIRECT)
        assert route is not None
        one, other = (leg.amount_in for leg in route.legs())
        assert abs(one - other) * 100 <= amount
        assert one + other == route.amount_in == amount
        half = DEEP.quote_exact_in(WETH, amount // 2)
        assert half is not None
        assert route.amount_out >= 2 * half.amount_out - 1
        whole = DEEP.quote_exact_in(WETH, amount)
        assert whole is not None
        assert route.amount_out > whole.amount_out


def test_no_route_is_none_and_not_a_price_of_zero() -> None:
    liquidity = Liquidity.of([DEEP, THIN])
    assert best_sale(liquidity, WETH, OTHER, ETH, DIRECT) is None
    assert best_purchase(liquidity, OTHER, USD, USDC, DIRECT) is None
    assert sale_curve(liquidity, WETH, OTHER, ETH, DIRECT) is None
    assert best_purchase(liquidity, WETH, USD, 10_200_000 * USDC, DIRECT) is None  # more than both pools hold
    assert best_sale(liquidity, WETH, USD, 1, DIRECT) is None  # one wei brings nothing
    assert best_sale(liquidity, WETH, USD, 0, DIRECT) is None
    locked = Routing(max_hops=1, locked=frozenset({DEEP.address, THIN.address}))
    assert best_sale(liquidity, WETH, USD, ETH, locked) is None


def test_the_second_sale_of_a_block_finds_the_pool_as_the_first_left_it() -> None:
    before = Liquidity.of([DEEP])
    first = best_sale(before, WETH, USD, 50 * ETH, DIRECT)
    assert first is not None
    second = best_sale(before.after(first.after), WETH, USD, 50 * ETH, DIRECT)
    together = best_sale(before, WETH, USD, 100 * ETH, DIRECT)
    again = best_sale(before, WETH, USD, 50 * ETH, DIRECT)
    assert second is not None
    assert together is not None
    assert again == first
    assert second.amount_out < first.amount_out
    assert abs(first.amount_out + second.amount_out - together.amount_out) / together.amount_out < 0.003  # fees stay


def test_a_hub_is_used_when_it_pays() -> None:
    """100 ETH into a thin direct pool and a deep way round: most goes round, in two hops."""
    liquidity = Liquidity.of(
        [
            THIN,
            pair(4, 5_000, 10_000_000, (WETH, HUB)),
            UniswapV2Pool(PoolKey(Address("0x" + "5" * 40), USD, HUB, 500), 10**13, 10**13),
        ]
    )
    direct = best_sale(liquidity, WETH, USD, 100 * ETH, DIRECT)
    route = best_sale(liquidity, WETH, USD, 100 * ETH, Routing((HUB, WETH), max_hops=2))
    assert direct is not None
    assert route is not None
    assert route.amount_out > direct.amount_out
    longest = max(route.legs(Bps(50)), key=lambda leg: leg.amount_in)
    assert [hop.token_out for hop in longest.hops] == [HUB, USD]
    assert all(one.token_out == other.token_in for one, other in pairwise(longest.hops))
    assert longest.min_out == longest.expected_out * 9_950 // 10_000
    assert {hop.venue for hop in longest.hops} == {VenueKind.UNISWAP_V2}
    bought = best_purchase(liquidity, WETH, USD, route.amount_out, Routing((HUB,), max_hops=2))
    assert bought is not None
    assert bought.amount_out == route.amount_out
    assert abs(bought.amount_in - 100 * ETH) < ETH // 10**6


def test_a_second_leg_must_earn_its_gas() -> None:
    liquidity = Liquidity.of([DEEP, THIN])
    split = best_sale(liquidity, WETH, USD, 10 * ETH, DIRECT)
    alone = best_sale(liquidity, WETH, USD, 10 * ETH, DIRECT, hop_cost=5 * USDC)
    assert split is not None
    assert alone is not None
    assert (len(split.fills), len(alone.fills)) == (2, 1)
    assert 0 < split.amount_out - alone.amount_out < 5 * USDC
    assert [leg.rest for leg in split.legs(rest=True)] == [False, True]


def test_equal_worlds_give_equal_routes() -> None:
    """Whatever was read first: of two equal pools the one with the lower address is taken."""
    twin, one_leg = pair(9, 5_000, 10_000_000), Routing(max_hops=1, max_splits=1)
    routes = [best_sale(Liquidity.of(there), WETH, USD, ETH, one_leg) for there in ((DEEP, twin), (twin, DEEP))]
    assert routes[0] == routes[1]
    assert [leg.hops[0].pool for route in routes if route for leg in route.legs()] == [DEEP.address] * 2


def test_selling_a_token_for_itself_needs_no_pool() -> None:
    route = best_sale(Liquidity(), WETH, WETH, ETH, DIRECT)
    assert route is not None
    assert (route.amount_out, route.legs(), route.after) == (ETH, (), ())


def test_only_v3_pools_lend_by_flash_swap() -> None:
    assert flash_swaps(Liquidity.of([DEEP, THIN]), WETH, USD, USDC) == []


def test_a_foreign_token_is_an_error_and_not_token1() -> None:
    for ask in (DEEP.quote_exact_in, DEEP.quote_exact_out):
        with pytest.raises(ValueError, match="not a token of pool"):
            ask(OTHER, 1)


@pytest.mark.parametrize(
    ("signature", "selector"),
    [
        ("getPair(address,address)", v2.GET_PAIR),
        ("getReserves()", v2.GET_RESERVES),
        ("getPool(address,address,uint24)", v3.GET_POOL),
        ("slot0()", v3.SLOT0),
        ("liquidity()", v3.LIQUIDITY),
        ("tickSpacing()", v3.TICK_SPACING),
        ("tickBitmap(int16)", v3.TICK_BITMAP),
        ("ticks(int24)", v3.TICKS),
        ("observe(uint32[])", OBSERVE),
        ("PairCreated(address,address,address,uint256)", v2.PAIR_CREATED),
        ("Sync(uint112,uint112)", v2.SYNC),
        ("PoolCreated(address,address,uint24,int24,address)", v3.POOL_CREATED),
        ("Initialize(uint160,int24)", v3.INITIALIZE),
        ("Mint(address,address,int24,int24,uint128,uint256,uint256)", v3.MINT),
        ("Burn(address,int24,int24,uint128,uint256,uint256)", v3.BURN),
        ("Swap(address,address,int256,int256,uint160,uint128,int24)", v3.SWAP),
    ],
)
def test_selectors_and_topics(signature: str, selector: str) -> None:
    assert ("0x" + keccak(text=signature).hex()).startswith(selector)


def test_a_configured_kind_names_a_venue() -> None:
    assert {kind: build(OTHER).factory for kind, build in VENUES.items()} == {"uniswap_v2": OTHER, "uniswap_v3": OTHER}
