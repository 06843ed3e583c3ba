"""What holds for every pool of whatever shape: nothing is gained by asking differently or by going round."""

from typing import TypeAlias

from hypothesis import assume, given, reject
from hypothesis import strategies as st

from keeper.core.units import Address
from keeper.core.venues import Pool
from keeper.venues.uniswap_v2.pool import UniswapV2Pool
from keeper.venues.uniswap_v3.pool import UniswapV3Pool
from keeper.venues.uniswap_v3.ticks import MAX_SQRT_RATIO, MIN_SQRT_RATIO, sqrt_ratio, tick_of
from tests.property.venue_pools import A, B, magnitudes, pools, positions, v2_pools, v3, v3_pools

Flag: TypeAlias = bool  # drawn, not passed by anyone

sides = st.sampled_from((A, B))
flags = st.booleans()


def other(token: Address) -> Address:
    return B if token == A else A


@given(st.integers(MIN_SQRT_RATIO, MAX_SQRT_RATIO - 1))
def test_the_tick_of_a_price_is_the_greatest_not_above_it(price: int) -> None:
    tick = tick_of(price)
    assert sqrt_ratio(tick) <= price < sqrt_ratio(tick + 1)


@given(pools, sides, magnitudes)
def test_what_exact_output_costs_buys_at_least_that(pool: Pool, bought: Address, amount: int) -> None:
    quote = pool.quote_exact_out(bought, amount)
    if quote is None:
        reject()
    again = pool.quote_exact_in(other(bought), quote.amount_in)
    assert quote.amount_out == amount
    assert again is not None
    assert again.amount_out >= amount


@given(pools, sides, magnitudes)
def test_what_exact_input_brings_costs_no_more(pool: Pool, sold: Address, amount: int) -> None:
    quote = pool.quote_exact_in(sold, amount)
    if quote is None:
        reject()
    again = pool.quote_exact_out(other(sold), quote.amount_out)
    assert quote.amount_in == amount
    assert again is not None
    one_more = isinstance(pool, UniswapV2Pool)  # the library adds one even when the division is even
    assert again.amount_in <= amount + one_more


@given(pools, sides, magnitudes)
def test_there_and_back_is_never_a_profit(pool: Pool, sold: Address, amount: int) -> None:
    there = pool.quote_exact_in(sold, amount)
    if there is None:
        reject()
    back = there.after.quote_exact_in(other(sold), there.amount_out)
    assert back is None or back.amount_out <= amount


@given(pools, sides, magnitudes, magnitudes)
def test_more_in_is_never_less_out(pool: Pool, sold: Address, amount: int, more: int) -> None:
    less, most = pool.quote_exact_in(sold, amount), pool.quote_exact_in(sold, amount + more)
    if less is None or most is None:
        reject()
    assert most.amount_out >= less.amount_out


@given(
    st.one_of(
        v2_pools,
        st.builds(
            v3,
            st.just(1),
            st.sampled_from((500, 3_000)),
            st.integers(-9_000, 9_000),
            st.lists(positions, min_size=1, max_size=6),
        ),
    ),
    sides,
    magnitudes,
    magnitudes,
)
def test_every_further_unit_brings_less(pool: Pool, sold: Address, amount: int, more: int) -> None:
    """Concave, but for what rounding takes: at each stop of the walk less than a unit, and one at the end."""
    low, middle, high = (pool.quote_exact_in(sold, amount + part) for part in (0, more, 2 * more))
    if low is None or middle is None or high is None:
        reject()
    stops = len(pool._walk(down=sold == A).targets) if isinstance(pool, UniswapV3Pool) else 0
    assert 2 * middle.amount_out + 2 * (stops + 2) >= low.amount_out + high.amount_out


@given(pools, sides, magnitudes)
def test_the_marginal_price_bounds_every_quote(pool: Pool, sold: Address, amount: int) -> None:
    """No amount sells above the price that the pool shows before."""
    quote, price = pool.quote_exact_in(sold, amount), pool.price(sold)
    if quote is None or price is None:
        reject()
    assert quote.amount_out * price[1] <= amount * price[0]


@given(v3_pools, flags, flags, magnitudes)
def test_a_quote_does_not_depend_on_what_was_asked_before(
    pool: UniswapV3Pool, down: Flag, exact_in: Flag, amount: int
) -> None:
    """Memory of the walk is a memory, not a state."""
    fresh = UniswapV3Pool(pool.key, pool.place, pool.ticks)
    for warm_up in (1, amount * 1_000, amount // 2):
        pool.swap(warm_up, down=down, exact_in=exact_in)
    assert pool.swap(amount, down=down, exact_in=exact_in) == fresh.swap(amount, down=down, exact_in=exact_in)


@given(v3_pools, flags, flags, magnitudes)
def test_a_limit_is_kept_and_never_adds(pool: UniswapV3Pool, down: Flag, exact_in: Flag, amount: int) -> None:
    """Stopped halfway to where it would go, a swap moves no more than without the stop, and ends on it or before."""
    free = pool.swap(amount, down=down, exact_in=exact_in)
    if free is None:
        reject()
    start = pool.place.sqrt_price
    limit = (start + free.place.sqrt_price) // 2
    assume(limit != start and limit > MIN_SQRT_RATIO)
    stopped = pool.swap(amount, limit, down=down, exact_in=exact_in)
    assert stopped is not None
    assert stopped.amount_in <= free.amount_in
    assert stopped.amount_out <= free.amount_out
    assert (stopped.place.sqrt_price >= limit) if down else (stopped.place.sqrt_price <= limit)
