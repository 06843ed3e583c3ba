"""Shares of a total are whole and add up."""

from hypothesis import given
from hypothesis import strategies as st

from keeper.reports.run_report import shared


@given(st.integers(-(10**24), 10**24), st.lists(st.integers(0, 10**30), min_size=1, max_size=12))
def test_shares_add_up_and_follow_the_weights(total: int, weights: list[int]) -> None:
    parts = shared(total, weights)
    assert sum(parts) == total
    if sum(weights):
        assert all(
            abs(part - total * weight / sum(weights)) <= 1e9 for part, weight in zip(parts, weights, strict=True)
        )


def test_a_worked_share() -> None:
    assert shared(100, [1, 1, 1]) == [33, 33, 34]
    assert shared(-10, [3, 1]) == [-8, -2]
