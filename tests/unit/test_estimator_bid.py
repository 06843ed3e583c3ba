"""Bids: the worked numbers of the auction rules, and what outcomes teach."""

from dataclasses import replace

import pytest

from keeper.core.units import Address, Bps, Wei
from keeper.estimator.bid import (
    BidBook,
    BidPolicy,
    Ended,
    Key,
    Tried,
    best_share,
    deterrence,
    expected,
    first_price,
    in_bps,
    per_gas,
    share,
)

USD = 10**18
WETH = Address("0x" + "11" * 20)
KEY = Key("aave_v3", WETH, "flashbots")


def test_first_price_against_two_rivals() -> None:
    assert first_price(315 * USD, 3) == 210 * USD


def test_the_same_bid_as_priority_fee() -> None:
    wei = 210 * USD // 2000  # ETH at 2,000
    assert per_gas(wei, 600_000) == 175 * 10**9


def test_deterrence_raises_the_bid_and_minimum_profit_caps_it() -> None:
    assert deterrence(315 * USD, Bps(8000)) == 252 * USD
    policy = BidPolicy(bidders=3, gamma=Bps(8000), min_profit=Wei(50 * USD))
    assert policy.offer(315 * USD, Bps(0)) == 252 * USD
    greedy = BidPolicy(bidders=3, gamma=Bps(9000), min_profit=Wei(50 * USD))
    assert greedy.offer(315 * USD, Bps(0)) == 265 * USD


def test_expected_value_of_private_and_public_misses() -> None:
    assert expected(315 * USD, 210 * USD, wins=2, tries=5) == 42 * USD
    miss = 24 * USD // 4  # a miss in public burns a quarter of the gas
    assert expected(315 * USD, 210 * USD, wins=2, tries=5, miss=miss) == 384 * USD // 10


def test_no_room_between_floor_and_minimum_profit_is_no_bid() -> None:
    policy = BidPolicy(floor=Wei(30), min_profit=Wei(50))
    assert policy.offer(79, Bps(5000)) is None
    assert policy.offer(80, Bps(5000)) == 30
    assert policy.offer(200, Bps(5000)) == 100
    assert policy.offer(200, Bps(9900)) == 150


def test_share_of_measured_profit_keeps_the_floor_and_the_ceiling() -> None:
    assert in_bps(2500, 10_000, 0, 10_000) == 2500
    assert in_bps(1, 10**6, 0, 10**6) == 0
    assert in_bps(1, 10**6, 1, 10**6) == 1
    assert in_bps(1, 10**6, 1, 50) is None  # the smallest share that reaches the floor is above the ceiling
    assert in_bps(5, 0, 0, 10) is None


def test_best_share_maximises_expected_profit() -> None:
    curve = [Tried(Bps(2000), 1, 10), Tried(Bps(5000), 5, 10), Tried(Bps(8000), 9, 10), Tried(Bps(9000), 0, 0)]
    # 0.1·800, 0.5·500, 0.9·200
    assert best_share(1000, curve) == (5000, 250)
    assert best_share(1000, []) == (0, 0)


def test_wins_lower_and_losses_raise_the_share_within_bounds() -> None:
    book = BidBook(start=Bps(5000), low=Bps(1000), high=Bps(9500))
    assert book.beta(KEY) == 5000
    assert book.learn(KEY, Ended.WON).beta(KEY) == 4920
    assert book.learn(KEY, Ended.OUTBID).beta(KEY) == 6125
    assert book.learn(KEY, Ended.OUTBID, rival=Bps(8000)).beta(KEY) == 8100
    assert book.learn(KEY, Ended.OUTBID, rival=Bps(2000)).beta(KEY) == 5000
    assert book.learn(KEY, Ended.OUTBID, rival=Bps(9990)).beta(KEY) == 9500
    assert book.learn(KEY, Ended.MISSED) is book


def test_repeated_outcomes_converge_to_the_bounds() -> None:
    up = down = BidBook()
    for _ in range(400):
        up, down = up.learn(KEY, Ended.OUTBID), down.learn(KEY, Ended.WON)
    assert up.beta(KEY) == up.high
    assert down.beta(KEY) == down.low


def test_tried_shares_decide_once_there_are_enough() -> None:
    """Always won at a tenth, so there is no reason to offer more, whatever beta says."""
    book = BidBook(betas={KEY: Bps(1000)}, low=Bps(1000), enough=20)
    for _ in range(19):
        book = book.learn(KEY, Ended.WON)
    lost = replace(book, betas={KEY: Bps(8000)})
    assert lost.share(KEY, 10**18) == 8000
    lost = lost.learn(KEY, Ended.OUTBID)
    assert lost.share(KEY, 10**18) == 1000
    assert lost.tried[KEY] == (Tried(Bps(1000), 19, 19), Tried(Bps(8000), 0, 1))


def test_misses_that_cost_something_raise_the_share() -> None:
    tried = (Tried(Bps(2000), 5, 10), Tried(Bps(6000), 9, 10))
    book = BidBook(tried={KEY: tried}, enough=20)
    assert book.share(KEY, 1000) == 2000  # 400 against 360
    assert book.share(KEY, 1000, miss=200) == 6000  # 300 against 340


def test_contested_assets_start_higher_and_keys_are_apart() -> None:
    book = BidBook(starts={WETH: Bps(9000)})
    assert book.beta(KEY) == 9000
    assert book.beta(KEY._replace(asset=Address("0x" + "22" * 20))) == 5000
    learned = book.learn(KEY, Ended.WON)
    assert learned.beta(KEY._replace(channel="titan")) == 9000


def test_table_is_bounded() -> None:
    book = BidBook(size=3)
    for i in range(10):
        book = book.learn(KEY._replace(channel=str(i)), Ended.WON)
    assert [key.channel for key in book.betas] == ["7", "8", "9"]


@pytest.mark.parametrize("beta", [0, 3333, 10_000])
def test_share_rounds_down(beta: int) -> None:
    assert share(10_001, Bps(beta)) == 10_001 * beta // 10_000
