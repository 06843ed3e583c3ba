"""How ``eth_getLogs`` questions are cut: what providers say, and that nothing is asked twice or left out."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keeper.chain.ranges import FEW_LOGS, MANY_LOGS, MAX_WIDTH, Piece, Refusal, Width, refusal

CAP, DENSE = True, False

# The words of providers and nodes, from their documentation and public issue threads.
SAID = [
    ("query returned more than 10000 results", None, DENSE),
    ("Query returned more than 10000 results. Try with this block range [0x2710, 0x2903].", 500, DENSE),
    ("range 1000000 exceeds limit of 10000", 10_000, CAP),
    ("range 9009594 is bigger than range limit 2000", 2_000, CAP),
    (
        (
            "Log response size exceeded. You can make eth_getLogs requests with up to a 2K block range and no limit on "
            "the response size, or you can request any block range with a cap of 10K logs in the response. Based on "
            "your parameters and the response size limit, this block range should work: [0x0, 0x1f3]"
        ),
        500,
        DENSE,
    ),
    ("Log response size exceeded. Please reduce query block range.", None, DENSE),
    (
        (
            "You can make eth_getLogs requests with up to a 500 block range. Based on your parameters, this block "
            "range should work: [0x2710, 0x2903]"
        ),
        500,
        CAP,
    ),
    ("Under the Free tier plan, you can make eth_getLogs requests with up to a 10 block range.", 10, CAP),
    ("eth_getLogs and eth_newFilter are limited to a 10,000 blocks range", 10_000, CAP),
    ("eth_getLogs is limited to a 10,000 range", 10_000, CAP),
    ("eth_getLogs is limited to 0 - 10000 blocks range", 10_000, CAP),
    ("block range is too large", None, CAP),
    ("block range is too wide", None, CAP),
    ("exceed maximum block range: 50000", 50_000, CAP),
    ("query exceeds max block range 100000", 100_000, CAP),
    ("query exceeds max results 20000, retry with the range 17000000-17000499", 500, DENSE),
    ("maximum [from, to] blocks distance: 10000", 10_000, CAP),
    ("Max range: 800", 800, CAP),
    ("eth_getLogs range is too large, max is 1k blocks", 1_000, CAP),
    ("requested too many blocks from 0 to 5000, maximum is set to 2048", 2_048, CAP),
    ("ranges over 10000 blocks are not supported on freetier", 10_000, CAP),
    ("query block range exceeds server limit, narrow your filter: 1000", 1_000, CAP),
    ("block range greater than 10000 max", 10_000, CAP),
    ("logs matched by query exceeds limit of 10000", None, DENSE),
    ("backend response too large", None, DENSE),
    ("query timeout exceeded", None, DENSE),
    ("Request Entity Too Large", None, DENSE),
    ("exceed max addresses or topics per search position", None, DENSE),
]


@pytest.mark.parametrize(("text", "blocks", "cap"), SAID)
def test_what_providers_say_is_understood(text: str, blocks: int | None, cap: bool) -> None:  # noqa: FBT001
    assert refusal(text) == Refusal(blocks, cap=cap)


@pytest.mark.parametrize(
    "text", ["execution reverted", "Internal error", "rate limit exceeded", "unknown block", "limit exceeded", ""]
)
def test_other_errors_say_nothing_about_size(text: str) -> None:
    assert refusal(text) is None


refusals = st.builds(Refusal, st.none() | st.integers(1, 10**7), cap=st.booleans())


@given(st.integers(1, MAX_WIDTH), st.integers(1, MAX_WIDTH), refusals)
def test_a_refusal_always_leaves_a_narrower_width(now: int, cap: int, said: Refusal) -> None:
    width = Width(min(now, cap), cap)
    after = width.refused(width.now, said)
    assert 1 <= after.now <= max(1, width.now - 1)
    assert after.now <= after.cap <= width.cap


@given(st.integers(1, MAX_WIDTH), st.integers(1, MAX_WIDTH), st.integers(0, 20_000))
def test_success_never_grows_past_the_cap_and_shrinks_on_many_logs(now: int, cap: int, logs: int) -> None:
    width = Width(min(now, cap), cap)
    after = width.accepted(width.now, logs)
    assert after.now <= after.cap == width.cap
    if logs > MANY_LOGS:
        assert after.now == max(1, width.now // 2)
    elif logs > FEW_LOGS:
        assert after == width
    else:
        assert min(width.now + 1, width.cap) <= after.now <= width.now * 2


@given(st.integers(1, 20_000))
def test_an_unnamed_hard_limit_is_found_and_then_kept(limit: int) -> None:
    width, refused = Width(), 0
    for _ in range(200):
        if width.now > limit:
            refused += 1
            width = width.refused(width.now, Refusal(cap=True))
        else:
            width = width.accepted(width.now, 0)
    assert width.now == limit
    assert refused <= 32


@given(
    first=st.integers(0, 10**8),
    blocks=st.integers(1, 400),
    addresses=st.integers(1, 12),
    limit=st.integers(1, 200),
    dense=st.dictionaries(st.integers(0, 399), st.integers(1, 12)),
    start=st.integers(1, 1_000),
)
def test_every_block_and_address_is_covered_exactly_once(
    first: int, blocks: int, addresses: int, limit: int, dense: dict[int, int], start: int
) -> None:
    """Against an endpoint with a hard limit in blocks, and in which a dense block takes only so many addresses."""
    width = Width(now=start)
    todo = [Piece(first, first + blocks - 1, 0, addresses)]
    covered: list[tuple[int, int]] = []
    asked = 0
    while todo:
        asked += 1
        assert asked < 50_000
        piece = todo.pop()
        front = next(piece.cut(width.now))
        block_limits = [dense.get(n - first, addresses) for n in range(front.first, front.last + 1)]
        if front.width > limit:
            width = width.refused(front.width, Refusal(cap=True))
            todo.append(piece)
        elif front.hi - front.lo > min(block_limits):
            if front.width > 1:
                width = width.refused(front.width, Refusal())
                todo.append(piece)
            else:
                front = front.halves()[0]
                todo += reversed(piece.without(front))
                todo.append(front)
        else:
            width = width.accepted(front.width, 0)
            covered += [(n, a) for n in range(front.first, front.last + 1) for a in range(front.lo, front.hi)]
            todo += reversed(piece.without(front))
    assert len(covered) == blocks * addresses
    assert set(covered) == {(first + n, a) for n in range(blocks) for a in range(addresses)}
    assert [block for block, _ in covered] == sorted(block for block, _ in covered)


def test_one_block_and_one_address_cannot_be_cut() -> None:
    piece = Piece(7, 7, 3, 4)
    assert piece.halves() == ()
    assert piece.without(piece) == ()
    assert replace(piece, hi=6).halves() == (Piece(7, 7, 3, 4), Piece(7, 7, 4, 6))
