"""What keeper says of itself: the census, readiness, and metrics as Prometheus' own parser reads them."""

import random
from dataclasses import replace
from itertools import islice

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client.parser import text_string_to_metric_families

from keeper.core.ports import Health, Quarantine
from keeper.core.units import MAX_U256, WAD, Address, BaseValue, BlockNumber, Timestamp, Wad, Wei
from keeper.ops.census import BANDS, UNKNOWN, Census, Taker, band
from keeper.ops.metrics import Metrics
from keeper.ops.ready import Hurdle, alive, obstacles
from keeper.ops.status import BUCKETS, JUDGED, OLD, RECENT, Status, Steps
from keeper.ops.values import Feeds, Mode, Opportunity, Outcome, Peer, Purse, Settlement, TaskState, coins
from tests.unit.ops_world import ALICE, ASSET, ETHER, MARKET, SIGNER, Clock, block, healthy


def health(factor: int) -> Health:
    return Health(Wad(factor), BaseValue(2), BaseValue(1))


def census(factors: list[int], riskiest: int = 1_000) -> Census:
    taker = Taker(riskiest)
    for place, factor in enumerate(factors):
        taker.add("aave_v3", MARKET, Address(f"0x{place:040x}"), health(factor))
    return taker.done(BlockNumber(7), Timestamp(8))


# --- census -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("factor", "name"),
    [
        (0, "0.00-1.00"),
        (WAD - 1, "0.00-1.00"),
        (WAD, "1.00-1.02"),
        (102 * WAD // 100 - 1, "1.00-1.02"),
        (102 * WAD // 100, "1.02-1.05"),
        (2 * WAD - 1, "1.50-2.00"),
        (2 * WAD, "2.00-"),
        (MAX_U256 - 1, "2.00-"),
        (MAX_U256, "no debt"),
    ],
)
def test_an_account_is_liquidatable_exactly_below_one(factor: int, name: str) -> None:
    assert band(factor) == name


@given(st.lists(st.one_of(st.integers(0, 3 * WAD), st.just(MAX_U256), st.just(WAD)), max_size=60), st.integers(1, 10))
def test_a_census_counts_all_and_keeps_the_least_healthy(factors: list[int], limit: int) -> None:
    taken = census(factors, limit)
    assert taken.accounts == len(factors)
    assert taken.liquidatable == sum(factor < WAD for factor in factors)
    kept = [one.health.health_factor for one in taken.riskiest]
    assert kept == sorted(factor for factor in factors if factor != MAX_U256)[:limit]
    assert set(taken.bands) == {*BANDS, UNKNOWN}


def test_among_equals_the_first_seen_stay() -> None:
    taken = census([WAD] * 5, riskiest=2)
    assert [one.account for one in taken.riskiest] == [f"0x{place:040x}" for place in (0, 1)]


def test_who_cannot_be_judged_is_counted_as_such() -> None:
    taker = Taker()
    taker.add("aave_v3", MARKET, ALICE, Quarantine("feed", "broken"))
    taken = taker.done(BlockNumber(1), Timestamp(1))
    assert (taken.bands[UNKNOWN], taken.accounts, taken.liquidatable, taken.riskiest) == (1, 1, 0, ())


# --- readiness ----------------------------------------------------------------------------------------------------


def hurdles(status: Status) -> set[Hurdle]:
    return {one.hurdle for one in obstacles(status)}


def test_a_healthy_keeper_is_ready() -> None:
    assert obstacles(healthy()) == []


def test_a_keeper_that_was_just_made_says_everything_it_lacks() -> None:
    status = Status(version="0", mode=Mode.LIVE, chain_id=1, block_time=12)
    assert hurdles(status) == {Hurdle.BEHIND, Hurdle.ENDPOINT, Hurdle.SIGNER, Hurdle.RELAY}


def test_nothing_of_sending_is_asked_of_who_only_reads() -> None:
    status = healthy(mode=Mode.READ_ONLY)
    status.purses, status.relays, status.halted = {}, {}, {"kill_switch": "there"}
    assert obstacles(status) == []


def test_each_obstacle_alone() -> None:
    def hurdle(status: Status) -> Hurdle:
        (one,) = obstacles(status)
        assert one.why
        return one.hurdle

    status = healthy()
    status.caught_up = False
    assert hurdle(status) is Hurdle.BEHIND
    status = healthy()
    status.caught_up, status.trouble = False, "the disk is full"
    assert obstacles(status)[0].why.endswith("behind 100: the disk is full")
    clock = Clock()
    status = healthy(clock)
    status.looks()
    clock.at += 2 * OLD
    assert hurdle(status) is Hurdle.BEHIND
    status.looks()
    assert hurdle(status) is Hurdle.BEHIND
    status.stands(block(101), caught_up=True)
    assert obstacles(status) == []
    status = healthy()
    status.endpoints = {"own": Peer("frozen"), "other": Peer("behind")}
    assert hurdle(status) is Hurdle.ENDPOINT
    status = healthy()
    status.feeds = Feeds(1, {ASSET: 5_000})
    assert hurdle(status) is Hurdle.ORACLE
    status = healthy()
    status.feeds = Feeds(3, {}, "the sequencer is down")
    assert hurdle(status) is Hurdle.ORACLE
    status = healthy()
    status.purses = {SIGNER: Purse(Wei(1), Wei(2))}
    assert hurdle(status) is Hurdle.SIGNER
    status = healthy()
    status.relays = {"flashbots": Peer("no answer")}
    assert hurdle(status) is Hurdle.RELAY
    status = healthy()
    status.halted["kill_switch"] = "the file is there"
    assert hurdle(status) is Hurdle.HALTED
    status = healthy()
    status.stopping = True
    assert hurdle(status) is Hurdle.STOPPING
    status = healthy()
    status.task("indexer", TaskState.FAILED, "it broke")
    assert hurdle(status) is Hurdle.TASK
    assert alive(status) == ["indexer: it broke"]


def test_one_bad_thing_among_good_ones_is_no_obstacle() -> None:
    status = healthy()
    status.endpoints = {"own": Peer("frozen"), "other": Peer()}
    status.relays = {"flashbots": Peer("no answer"), "titan": Peer()}
    status.feeds = Feeds(3, {ASSET: 5_000})
    status.purses = {SIGNER: Purse(Wei(2), Wei(2)), ALICE: Purse(Wei(0), Wei(2))}
    assert obstacles(status) == []


def test_a_chain_that_stands_still_while_everybody_answers() -> None:
    clock = Clock()
    status = healthy(clock)
    clock.at += 60
    status.saw(100)  # an answer, but no news
    assert obstacles(status) == []
    clock.at += 1
    assert hurdles(status) == {Hurdle.SILENT}
    status.saw(101)
    assert obstacles(status) == []


def test_slow_chains_may_be_silent_for_longer() -> None:
    clock = Clock()
    status = healthy(clock)
    status.block_time = 30
    clock.at += 150
    assert not status.silent
    clock.at += 1
    assert status.silent


def test_a_reorganisation_to_a_lower_block_is_news_and_lag() -> None:
    clock = Clock()
    status = healthy(clock)
    status.saw(103)
    assert status.lag == 3
    clock.at += 100
    status.stands(block(99), caught_up=True)
    assert (status.tip, status.head, status.lag, status.silence) == (99, 103, 4, 0.0)


# --- what is counted ----------------------------------------------------------------------------------------------


def opportunity(name: str, outcome: Outcome) -> Opportunity:
    return Opportunity(name, (ALICE,), outcome, BlockNumber(5), Wei(3))


def test_each_outcome_of_an_opportunity_counts_once() -> None:
    status = healthy()
    for outcome in (Outcome.PLANNED, Outcome.SENT, Outcome.SENT, Outcome.INCLUDED, Outcome.FINAL):
        status.became(opportunity("one", outcome))
    assert status.outcomes == dict.fromkeys((Outcome.PLANNED, Outcome.SENT, Outcome.INCLUDED, Outcome.FINAL), 1)
    assert list(status.resolved) == [Outcome.INCLUDED]
    assert [one.outcome for one in status.recent.values()] == [Outcome.FINAL]


def test_what_is_remembered_is_bounded_and_the_newest() -> None:
    status = healthy()
    for number in range(RECENT + 50):
        status.became(opportunity(str(number), Outcome.MISSED))
        status.settle(Settlement(Wei(1), Wei(1), Wei(1), Wei(1)))
    assert list(islice(status.recent, 1)) == ["50"]
    assert (len(status.recent), len(status.resolved), len(status.settled)) == (RECENT, JUDGED, JUDGED)
    assert status.outcomes[Outcome.MISSED] == status.realised == RECENT + 50


@given(st.integers(1, 10**24), st.integers(-(10**24), 10**24))
def test_the_error_of_an_estimate_is_never_told_too_small(predicted: int, realised: int) -> None:
    error = Settlement(Wei(predicted), Wei(realised), Wei(0), Wei(0)).error_bps
    assert error * predicted >= abs(realised - predicted) * 10_000 > (error - 1) * predicted


@pytest.mark.parametrize(
    ("wei", "text"),
    [(0, "0.000000"), (ETHER, "1.000000"), (-ETHER // 2, "-0.500000"), (1_234 * ETHER + ETHER - 1, "1,234.999999")],
)
def test_amounts_for_people_are_cut_not_rounded(wei: int, text: str) -> None:
    assert coins(wei) == text


# --- metrics ------------------------------------------------------------------------------------------------------


def scraped(status: Status) -> dict[tuple[str, tuple[tuple[str, str], ...]], float]:
    text = Metrics(status).scrape().decode()
    families = list(text_string_to_metric_families(text))
    assert len({family.name for family in families}) == len(families)
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in families
        for sample in family.samples
    }


def test_prometheus_reads_what_the_status_says() -> None:
    status = healthy()
    status.saw(102)
    status.census = census([WAD // 2, WAD, 3 * WAD, MAX_U256])
    status.became(opportunity("one", Outcome.INCLUDED))
    status.settle(Settlement(Wei(ETHER), Wei(-ETHER // 4), Wei(ETHER // 8), Wei(ETHER // 2)))
    status.relays = {"flashbots": Peer("no answer", 0.25), "titan": Peer()}
    status.answers["titan", "accepted"] += 2
    status.halted["kill_switch"] = "there"
    status.queues["alerts"] = lambda: 3
    status.refused = lambda: {"dust": 4}
    status.task("indexer", TaskState.RESTARTING)
    status.feeds = replace(status.feeds, stale={ASSET: 9})
    found = scraped(status)
    assert found["keeper_info", (("chain_id", "1"), ("mode", "live"), ("version", "1.2.3"))] == 1
    for name, value in {"lag_blocks": 2, "ready": 0, "caught_up": 1, "feeds_stale": 1, "tip_block": 100}.items():
        assert found[f"keeper_{name}", ()] == value, name
    assert found["keeper_realised_net_native", ()] == -0.25
    assert found["keeper_gas_native_total", ()] == 0.125
    for name, labels, expected in (
        ("accounts", {"health": "0.00-1.00"}, 1),
        ("accounts", {"health": "no debt"}, 1),
        ("opportunities_total", {"outcome": "included"}, 1),
        ("opportunities_total", {"outcome": "reverted"}, 0),
        ("relay_up", {"relay": "flashbots"}, 0),
        ("relay_up", {"relay": "titan"}, 1),
        ("relay_latency_seconds", {"relay": "flashbots"}, 0.25),
        ("relay_answers_total", {"answer": "accepted", "relay": "titan"}, 2),
        ("halted", {"by": "kill_switch"}, 1),
        ("obstacle", {"hurdle": "halted"}, 1),
        ("obstacle", {"hurdle": "oracle"}, 0),
        ("queue_size", {"queue": "alerts"}, 3),
        ("skipped_accounts", {"reason": "dust"}, 4),
        ("task_restarts_total", {"task": "indexer"}, 1),
        ("task_up", {"task": "indexer"}, 0),
        ("balance_native", {"address": SIGNER}, 1),
        ("balance_minimum_native", {"address": SIGNER}, 0.05),
    ):
        assert found[f"keeper_{name}", tuple(sorted(labels.items()))] == expected, (name, labels)
    assert found["process_resident_memory_bytes", ()] > 0


def test_latencies_are_a_histogram_with_all_of_it_in_the_end(seed: int) -> None:
    draw = random.Random(seed)
    times = [draw.expovariate(1.0) for _ in range(300)] + [BUCKETS[0], BUCKETS[-1], 1e9]
    status = healthy()
    for seconds in times:
        status.took({"confirm": seconds, "plan": 0.0})
    found = scraped(status)
    for bound in BUCKETS:
        key = (("le", str(bound)), ("step", "confirm"))
        assert found["keeper_step_seconds_bucket", key] == sum(seconds <= bound for seconds in times)
    assert found["keeper_step_seconds_count", (("step", "confirm"),)] == len(times)
    assert found["keeper_step_seconds_sum", (("step", "confirm"),)] == pytest.approx(sum(times))
    assert isinstance(status.steps["plan"], Steps)


def test_a_scrape_of_an_empty_status_works() -> None:
    status = Status(version="0", mode=Mode.READ_ONLY, chain_id=5, block_time=1)
    assert scraped(status)["keeper_silence_seconds", ()] == 0
