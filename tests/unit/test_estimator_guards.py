"""Guards: each refusal with its code and its number, and the worked numbers of the oracle and risk rules."""

import pytest

from keeper.core.refusals import Reason
from keeper.core.units import WAD, Address, Bps, Timestamp, Wad, Wei
from keeper.estimator.guards import (
    Reading,
    Refusal,
    RoundTrip,
    Sequencer,
    TokenRules,
    agrees,
    consensus,
    cost_to_move,
    deviation,
    fresh,
    haircut,
    median,
    sequencer_up,
    tick_price,
    worth_manipulating,
)
from keeper.estimator.risk import Breaker, LossCaps, Losses, Phase, Trip
from keeper.venues.uniswap_v3.twap import mean_tick

NOW = Timestamp(1_700_000_000)
TOKEN = Address("0x" + "aa" * 20)
OTHER = Address("0x" + "bb" * 20)


def reason(refusal: Refusal | None) -> Reason | None:
    return refusal.reason if refusal else None


# --- D2 ---


def test_stale_and_invalid_answers() -> None:
    ok = Reading(answer=1, updated_at=Timestamp(NOW - 3660), heartbeat=3600)
    assert fresh(ok, NOW, grace=60) is None
    assert reason(fresh(ok, Timestamp(NOW + 1), grace=60)) is Reason.ORACLE_STALE
    for answer in (0, -1):
        refusal = fresh(Reading(answer, NOW, 3600), NOW, 60)
        assert refusal == Refusal(Reason.ORACLE_INVALID, f"answer {answer} <= 0")


def test_sequencer_restart_blocks_for_an_hour() -> None:
    feed = Sequencer(answer=0, started_at=NOW)
    assert reason(sequencer_up(feed, Timestamp(NOW + 3599))) is Reason.SEQUENCER
    assert sequencer_up(feed, Timestamp(NOW + 3601)) is None
    assert reason(sequencer_up(Sequencer(1, NOW), Timestamp(NOW + 10**6))) is Reason.SEQUENCER


# --- D1 ---


def test_twap_hides_a_minute_of_half_price() -> None:
    cumulative = 1740 * 76_012 + 60 * 69_081
    assert cumulative / 1800 == pytest.approx(75_780.97, abs=0.01)
    assert mean_tick(0, cumulative, 1800) == 75_780
    seen = tick_price(75_780 - 76_012)
    assert (WAD - seen) * 10**4 // WAD == 229  # -2.29 %
    assert (WAD - tick_price(69_081 - 76_012)) * 10**4 // WAD == 4999  # while the spot price lost half


def test_tick_price_equals_the_power_of_its_base() -> None:
    assert tick_price(0) == WAD
    assert tick_price(1, 10**8) == 100_009_999  # rounded down
    for tick in (1, 2, 100, 76_012, 200_000):
        exact = 10_001**tick * WAD // 10_000**tick
        assert abs(tick_price(tick) - exact) <= exact // 10**30 + 1
        inverse = 10_000**tick * WAD // 10_001**tick
        assert abs(tick_price(-tick) - inverse) <= 1


def test_mean_tick_rounds_down() -> None:
    assert mean_tick(0, -7, 2) == -4


def test_median_excludes_the_manipulated_source() -> None:
    prices = {"pool": 2000, "twap": 2003, "other": 1996, "moved": 1500}
    assert median(list(prices.values())) == 1998
    assert deviation(1500, 1998) == 2493  # 24.9 %
    assert consensus(prices, Bps(500)) == (1998, ("moved",))
    assert agrees(2000, prices, Bps(500)) is None
    refusal = agrees(1500, prices, Bps(500))
    said = "2493 bps from the venues' median 1998, without moved > 500 bps"
    assert refusal == Refusal(Reason.ORACLE_DIVERGENCE, said)


def test_no_source_says_nothing_and_a_zero_median_says_no() -> None:
    assert agrees(2000, {}, Bps(500)) is None
    assert reason(agrees(2000, {"dead": 0}, Bps(500))) is Reason.ORACLE_DIVERGENCE


def test_cost_to_move_a_constant_product() -> None:
    # 1,000 ETH against 2 M USDC: to quarter the price sell another 1,000, get 1 M for what was worth 2 M.
    reserve_in, reserve_out, capacity = 1000 * WAD, 2_000_000 * 10**6, 10**30
    assert cost_to_move(reserve_in, reserve_out, capacity, Bps(7500)) == 1_000_000 * 10**6
    assert cost_to_move(reserve_in, reserve_out, capacity, Bps(0)) == 0
    assert cost_to_move(reserve_in, reserve_out, 0, Bps(7500)) == 0  # nothing known beyond the capacity
    assert cost_to_move(0, 0, 0, Bps(7500)) == 0


def test_manipulation_must_cost_more_than_it_can_bring() -> None:
    assert worth_manipulating(100, 100) is None
    assert worth_manipulating(99, 100) == Refusal(Reason.MANIPULABLE, "cost to move 99 < at stake 100")


# --- R17 ---


def test_haircut_of_the_fixture() -> None:
    h = haircut(Wad(8 * WAD // 10), 15 * 60, 3, gas=24, value=8778)
    assert h * 10**4 // WAD == 155  # 1.56 % to two places
    assert (h * 10**4 + WAD // 2) // WAD == 156


# --- D5 ---


def test_tokens() -> None:
    taxed = RoundTrip(expected=10_000, returned=9_800)
    rules = TokenRules(denied=frozenset({OTHER}), trips={TOKEN: taxed}, tolerance=Bps(50))
    assert reason(rules.check(OTHER)) is Reason.DENIED_TOKEN
    assert rules.check(TOKEN) == Refusal(Reason.TRANSFER_TAX, f"{TOKEN} loses 200 bps > 50 bps")
    assert Reason.TRANSFER_TAX.value == "token.transfer_tax"
    assert TokenRules(trips={TOKEN: RoundTrip(10_000, 9_990)}).check(TOKEN) is None
    assert reason(TokenRules(trips={TOKEN: RoundTrip(10_000, 0, reverted=True)}).check(TOKEN)) is Reason.PAUSABLE_TOKEN
    assert reason(TokenRules(trips={TOKEN: RoundTrip(0, 0)}).check(TOKEN)) is Reason.TRANSFER_TAX
    assert TokenRules().check(TOKEN) is None


def test_refusal_becomes_a_skip() -> None:
    skip = Refusal(Reason.DENIED_TOKEN, "x").skip((OTHER, TOKEN))
    assert (skip.who, skip.reason, skip.term) == ((OTHER, TOKEN), Reason.DENIED_TOKEN, "x")


# --- D6 ---


def test_caps_as_shares_of_capital() -> None:
    caps = LossCaps.of_capital(Wei(250_000), hour=Bps(100), day=Bps(400), asset=Bps(200))
    assert caps == LossCaps(per_hour=Wei(2500), per_day=Wei(10_000), per_asset_day=Wei(5000))


def test_loss_caps_look_ahead_and_forget() -> None:
    caps = LossCaps(per_hour=Wei(100), per_day=Wei(150), per_asset_day=Wei(120))
    losses = Losses().book(TOKEN, 90, NOW)
    assert losses.check(caps, TOKEN, 10, NOW) is None
    assert reason(losses.check(caps, TOKEN, 11, NOW)) is Reason.LOSS_CAP
    later = Timestamp(NOW + 4000)
    assert losses.check(caps, TOKEN, 30, later) is None
    assert reason(losses.check(caps, TOKEN, 31, later)) is Reason.ASSET_CAP
    assert losses.check(caps, OTHER, 31, later) is None
    assert reason(losses.check(caps, OTHER, 61, later)) is Reason.LOSS_CAP
    assert losses.check(caps, TOKEN, 100, Timestamp(NOW + 90_000)) is None
    assert len(losses.book(TOKEN, 1, Timestamp(NOW + 90_000)).slices) == 1


def test_losses_stay_bounded() -> None:
    losses = Losses()
    for i in range(3000):
        losses = losses.book(TOKEN, 1, Timestamp(NOW + 60 * i))
    assert len(losses.slices) <= 86_400 // 300 + 1


def test_third_failure_opens_and_a_cooldown_half_opens() -> None:
    breaker = Breaker(failures_to_open=3, cooldown=300)
    for _ in range(2):
        breaker = breaker.on(Trip.FAILURE, NOW, "reverted")
        assert breaker.check(NOW) is None
    breaker = breaker.on(Trip.FAILURE, NOW, "reverted")
    assert breaker.phase is Phase.OPEN
    assert breaker.check(Timestamp(NOW + 299)) == Refusal(Reason.BREAKER, "open for 1 s more: reverted")
    half = breaker.at(Timestamp(NOW + 300))
    assert half.phase is Phase.HALF_OPEN
    assert half.check(Timestamp(NOW + 300)) is None
    assert reason(half.check(Timestamp(NOW + 300), in_flight=1)) is Reason.BREAKER
    assert half.on(Trip.SUCCESS, NOW) == Breaker(failures_to_open=3, cooldown=300)
    again = half.on(Trip.FAILURE, Timestamp(NOW + 301), "reverted")
    assert (again.phase, again.wait) == (Phase.OPEN, 600)


def test_success_clears_the_count_and_halt_opens_at_once() -> None:
    breaker = Breaker().on(Trip.FAILURE, NOW).on(Trip.FAILURE, NOW).on(Trip.SUCCESS, NOW)
    assert breaker == Breaker()
    halted = breaker.on(Trip.HALT, NOW, "kill file")
    assert reason(halted.check(NOW)) is Reason.BREAKER
    assert halted.on(Trip.FAILURE, NOW) == halted  # an outcome that was still under way changes nothing


def test_cooldown_is_bounded() -> None:
    breaker, now = Breaker(failures_to_open=1, cooldown=300, longest=1000).on(Trip.FAILURE, NOW), NOW
    for _ in range(5):
        now = Timestamp(now + breaker.wait)
        breaker = breaker.at(now).on(Trip.FAILURE, now)
    assert breaker.wait == 1000
