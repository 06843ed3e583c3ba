"""The compiled judge's 128-bit arithmetic against Python's integers, and what it refuses."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from keeper.bench.edge import NOW, Edge
from keeper.core.units import MAX_U128, Address
from keeper.protocols.aave_v3 import judge
from keeper.protocols.aave_v3.adapter import AaveV3
from keeper.protocols.aave_v3.facts import COLLATERAL

U128 = st.integers(0, MAX_U128) | st.integers(0, 127).flatmap(
    lambda bits: st.integers(-2, 2).map(lambda x: 2**bits + x)
)
WIDE = U128.map(lambda value: min(max(value, 0), MAX_U128))


def pair(value: int) -> tuple[np.uint64, np.uint64]:
    low, high = judge.words(value)
    return np.uint64(low), np.uint64(high)


def number(words: tuple[int, ...]) -> int:
    return sum(int(word) << 64 * at for at, word in enumerate(words))


@given(WIDE, WIDE)
def test_sums_products_and_comparisons(a: int, b: int) -> None:
    assert number(judge.added(pair(a), pair(b))) == (a + b) % 2**128
    assert number(judge.less_by(pair(a), pair(b))) == (a - b) % 2**128
    assert judge.below(pair(a), pair(b)) == (a < b)
    assert number(judge.product(pair(a), pair(b))) == a * b
    assert number(judge.times(pair(a), np.uint64(b % 2**64))) == a * (b % 2**64) % 2**128
    assert number(judge._tenthousandth(pair(a))) == a // 10**4


@given(WIDE, st.integers(1, 127))
def test_fitting(a: int, bits: int) -> None:
    assert judge.fits(pair(a), np.uint64(bits)) == (a < 2**bits)


@given(WIDE, WIDE, st.integers(0, 125), st.data())
def test_division_by_reciprocal_is_exact(a: int, m: int, bits: int, data: st.DataObject) -> None:
    d = data.draw(st.integers(max(1, 2**bits - 2), 2 ** (bits + 1) - 1))
    up = data.draw(st.sampled_from([0, d // 2, d - 1]) | st.integers(0, d - 1))
    found = judge.reciprocal(m, d)
    if found is None:
        assert m.bit_length() > d.bit_length() + 126
        return
    r, s = found
    a %= 2**s
    quotient = (a * m + up) // d
    if quotient <= MAX_U128:
        assert number(judge.divided(pair(a), pair(m), pair(r), np.uint64(s), pair(up), pair(d))) == quotient


@given(st.integers(1, 2**104), st.integers(0, 2**16 - 1), st.integers(0, 2**104))
def test_shares(total: int, share: int, rest: int) -> None:
    assert judge._share(pair(total), pair(total * share + rest % total)) == share
    assert judge._share(pair(0), pair(0)) == 0


def test_what_does_not_fit_is_asked_and_right_all_the_same(seed: int) -> None:
    edge, adapter = Edge("3.6", f"wide {seed}"), AaveV3(Address("0x" + "11" * 20))
    book, rows = edge.book, list(edge.accounts(60))
    for row in rows[::3]:
        column = next(column for column, _ in book.positions(row) if column & 3 == COLLATERAL)
        book.set_amount(row, column, MAX_U128)
    assets = list(book.facts("price"))
    for price in (1, 10**12, 2**64, MAX_U128, 2**200):
        prices = dict.fromkeys(map(Address, assets[::2]), price)
        together = set(adapter.liquidatable(book, rows, NOW, prices))
        single = {row for row in rows if adapter.liquidatable(book, [row], NOW, prices)}
        assert together == single, f"seed {seed}"
        assert together
