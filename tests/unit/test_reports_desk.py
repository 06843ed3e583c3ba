"""Exposure, toxicity, costs, capacity, hedges, Greeks, exploits, verdicts: the reference's numbers and what follows."""

from dataclasses import replace
from pathlib import Path

import pytest

from keeper.commands.operating import supposed
from keeper.core.journal import Entry, Fate, Line, State, Variant
from keeper.core.outlook import Liquidated
from keeper.core.refusals import Reason
from keeper.core.units import Address, BlockNumber, Hash, Wei
from keeper.errors import ConfigError
from keeper.reports.capacity import Job, Limits, drain, jobs, latency, spikes
from keeper.reports.exploits import Pattern, Touched, attacks, related, sightings
from keeper.reports.greeks import Book, Leg, greeks, turning, what_if
from keeper.reports.hedge import holdings
from keeper.reports.missed import Known, Refusal, Seen, Verdict, capture, judged, once
from keeper.reports.pages.sides import named
from keeper.reports.sales import costs, pair
from keeper.reports.sides import exposures, toxic_bound, toxicities
from tests.unit.estimator_world import ETH, USD
from tests.unit.report_world import STETH, USDC, WETH, Market, depth, reference
from tests.unit.test_journal import plan

GAS = (600_000, 20)


# exposure and toxicity -----------------------------------------------------------------------------------------------


def fixture() -> Market:
    market = Market(fee=1_000)
    market.account(1, {WETH: 10}, {USDC: 16_800})
    return market


def test_fixture_f_is_long_eth_with_6_25() -> None:
    snap = fixture().snapshot()
    (one,) = exposures(snap).accounts
    assert (named(snap, one), round(one.leverage, 2)) == ("long WETH", 6.25)
    assert round(one.net[WETH.address] / USD) == 20_000


def test_a_short_a_carry_and_something_stable() -> None:
    market = Market()
    market.account(1, {USDC: 10_000}, {WETH: 3})
    market.account(2, {STETH: 10}, {WETH: 7})
    market.account(3, {USDC: 1_000}, {USDC: 500})
    snap = market.snapshot()
    found = exposures(snap)
    assert [named(snap, one) for one in found.accounts] == ["carry wstETH/WETH", "short WETH", "stable"]
    assert found.concentration == 1
    many = Market()
    for number in range(20):
        many.account(number + 1, {WETH: 10}, {USDC: 1_000 * (number + 1)})
    assert exposures(many.snapshot()).concentration == pytest.approx(155 / 210, rel=1e-6)


def test_toxicity_of_the_reference() -> None:
    assert round(toxic_bound(10, 200, 0.05), 4) == 0.8658
    assert round(toxic_bound(10, 5_000, 0.05), 4) == 0.9486
    assert toxic_bound(10, 0, 0.05) == 0
    market = Market()
    bad = market.account(1, {WETH: 10}, {USDC: 18_800})  # loan to value 0.94
    good = market.account(2, {WETH: 10}, {USDC: 16_800})
    found = {one.row: one for one in toxicities(market.snapshot(depth(200)), 0.05, 1.1)}
    assert (found[bad].toxic, found[good].toxic) == (True, False)
    assert round(found[bad].bound, 4) == 0.8658
    assert found[good].steps.gain == 1_335  # two steps repay 13.35 % more
    assert found[good].bad_debt == 0
    deep = {one.row: one for one in toxicities(market.snapshot(depth(5_000)), 0.05, 1.1)}
    assert not deep[bad].toxic


# costs ---------------------------------------------------------------------------------------------------------------


def test_costs_reconcile_and_halve_with_depth() -> None:
    market = fixture()
    (sold, bought), points, most, _ = costs(market.snapshot(depth(5_000, 3_000)), None, None, 0.05, GAS)
    assert (sold, bought) == (WETH.address, USDC.address)
    for one, even in points:
        assert one.value == one.venue_fee + one.impact + one.proceeds
        assert even is None or even > 0
    half = costs(market.snapshot(depth(2_500, 3_000)), None, None, 0.05, GAS)[2]
    assert half == pytest.approx(most / 2, rel=1e-6)


def test_costs_need_two_assets_a_native_token_and_a_pool() -> None:
    snap = fixture().snapshot(depth(5_000))
    with pytest.raises(ConfigError, match="sold for itself"):
        pair(snap, "WETH", "WETH")
    with pytest.raises(ConfigError, match="no pool sells wstETH for USDC at block 100"):
        costs(snap, "wstETH", "USDC", 0.05, GAS)
    with pytest.raises(ConfigError, match=r"chain\.wrapped_native"):
        costs(replace(snap, native=None), None, None, 0.05, GAS)


# capacity ------------------------------------------------------------------------------------------------------------


LIMITS = Limits(600_000, 30_000_000, 16_777_216, 10, None, 24.0, 0.0)


def test_five_hundred_take_ten_blocks() -> None:
    found = drain([Job(Address(f"0x{n:040x}"), 100.0 + n) for n in range(500)], LIMITS)
    assert (found.each, found.blocks) == (50, 10)
    assert found.nets == tuple(sorted(found.nets, reverse=True))
    assert found.cleared()[-1] == pytest.approx(sum(found.nets))
    assert found.lost == 0
    rushed = drain(found.jobs, replace(LIMITS, rivals=0.5))
    by_hand = sum(net * (1 - 0.5 ** (at // 50)) for at, net in enumerate(rushed.nets))
    assert rushed.lost == pytest.approx(by_hand)


def test_signers_and_budget_bound_a_block() -> None:
    crowd = [Job(Address(f"0x{n:040x}"), 100.0) for n in range(100)]
    assert replace(LIMITS, signers=1).each == 27
    assert drain(crowd, replace(LIMITS, signers=1)).blocks == 4
    poor = drain(crowd, replace(LIMITS, budget=240.0))
    assert (len(poor.jobs), poor.unpaid) == (10, 90)
    assert drain([*crowd, Job(Address("0x"), 24.0)], LIMITS).dear == 1
    with pytest.raises(ConfigError, match="does not fit"):
        drain(crowd, replace(LIMITS, gas=40_000_000))


def test_dear_gas_raises_the_cutoff() -> None:
    found = spikes([Job(Address("0x"), float(bonus)) for bonus in range(0, 600, 10)], 24.0)
    assert [one.cutoff for one in found] == [24, 48, 120, 240, 480]
    assert [one.left for one in found] == sorted((one.left for one in found), reverse=True)


def test_jobs_are_what_the_market_would_pay() -> None:
    market = fixture()
    snap = market.snapshot()
    (job,) = jobs(snap, [0], {}, 0.0)
    assert job.bonus / USD == pytest.approx(420 - 42, rel=1e-6)  # the protocol keeps a tenth


def test_latency_is_of_planned_opportunities() -> None:
    lines: list[dict[str, object]] = [
        {"event": "opportunity.planned", "steps_s": {"plan": n / 100, "confirm": 0.5}} for n in range(101)
    ]
    assert latency([*lines, {"event": "account.recovered"}]) == {"plan": (0.5, 0.95), "confirm": (0.5, 0.5)}


# hedges --------------------------------------------------------------------------------------------------------------


def test_8778_for_ten_minutes_is_hedged_below_30_63() -> None:
    snap = fixture().snapshot()
    (one,) = holdings(snap, {WETH.address: 4_389 * ETH // 1_000}, None, 0.8, 600, 0.001)
    assert (round(one.value / USD), round(one.risk / USD, 2), round(one.cost / USD, 2)) == (8_778, 30.63, 8.78)
    assert (one.hedged(30.62 * USD), one.hedged(30.64 * USD)) == (True, False)
    assert not replace(one, cost=31 * USD).hedged(0)


def test_the_pegged_is_no_risk_and_a_position_taken_over_is_held() -> None:
    snap = fixture().snapshot()
    taken = holdings(snap, {USDC.address: 10**9}, snap.book.account(0), 0.8, 600, 0.001)
    assert {one.asset: round(one.value / USD) for one in taken} == {WETH.address: 20_000, USDC.address: -15_800}
    assert [one.risk > 0 for one in taken] == [True, False]


# Greeks --------------------------------------------------------------------------------------------------------------


def test_a_line_reaches_nothing_where_its_delta_says() -> None:
    snap = reference().snapshot()
    found = greeks(snap, [WETH.address], 10)
    assert [round(1 + (one.distance or 0), 4) for one in found] == [0.975, 0.9, 0.8, 0.725]
    for one in found:
        assert one.buffer + one.delta * (one.distance or 0) == pytest.approx(0, abs=1e-6 * abs(one.delta))
    assert turning(snap, found[0].row, WETH.address, -1) == pytest.approx(-0.025, abs=1e-6)
    assert turning(snap, found[0].row, WETH.address, 1) is None


def test_a_what_if_book_bends() -> None:
    short = Book(2_000, 5_079.6, 0, (Leg("call", -10, 2_200, 30, 0.8),))
    found = what_if(short)
    assert round(found.buffer) == 4_000
    assert round(found.delta, 3) == -3.818
    assert found.insolvency is not None
    assert found.insolvency.acceleration > 1
    assert found.value(2_000) == pytest.approx(found.buffer)
    quoted = what_if(Book(2_000, 5_000, 0, (Leg("call", -10, 2_200, 30, 0.8, bid=100, ask=104), Leg("spot", 1))))
    assert (quoted.legs[0].mark, round(quoted.legs[0].gap or 0, 2)) == (102, 5.96)


def test_a_what_if_file_is_read_or_refused(tmp_path: Path) -> None:
    file = tmp_path / "book.toml"
    file.write_text(
        'spot=2000.0\nequity=1.0\nmaintenance=0.0\n[[legs]]\nkind="call"\nsize=-1.0\nstrike=2200.0\ndays=30.0\n'
    )
    assert supposed(file).name == "greeks"
    for text, said in (
        ('spot = "x"', "Expected `float`"),
        ("spot=1.0\nequity=1.0\nmaintenance=0.0\nlegs=[]", "at least one leg"),
    ):
        file.write_text(text)
        with pytest.raises(ConfigError, match=said):
            supposed(file)
    with pytest.raises(ConfigError, match="No such file"):
        supposed(tmp_path / "none.toml")


# exploits ------------------------------------------------------------------------------------------------------------


ONE, OTHER, THIRD = (Address(f"0x{n:040x}") for n in (0xA, 0xB, 0xC))


def test_patterns_are_seen_in_what_a_block_changed() -> None:
    def patterns(
        before: tuple[tuple[int, int], ...], after: tuple[tuple[int, int], ...], *, below: bool
    ) -> list[Pattern]:
        return [one.pattern for one in sightings(7, [Touched(ONE, before, after, below)], {1: 1_000.0})]

    assert patterns(((1, 100),), ((1, 100), (2, -90)), below=True) == [Pattern.BORROWED]
    assert patterns(((1, 100), (2, -90)), ((1, 80), (2, -90)), below=True) == [Pattern.DONATED]
    assert patterns(((1, 100), (2, -90)), ((1, 80), (2, -90)), below=False) == []
    assert patterns((), ((1, 250), (2, -9)), below=False) == [Pattern.JUMP]
    assert patterns(((1, 240), (2, -9)), ((1, 250), (2, -9)), below=False) == []


def test_liquidators_that_are_close_are_told() -> None:
    done = [liquidated(ONE, ONE, 5), liquidated(ONE, OTHER, 5), liquidated(THIRD, OTHER, 5)]
    found = related(done, {(ONE, OTHER): 3, (THIRD, OTHER): 6})
    assert [(one.pattern, one.account) for one in found] == [(Pattern.SELF, ONE), (Pattern.FUNDED, ONE)]
    pocket = Address(f"{ONE}:pocket")
    assert [one.pattern for one in related([liquidated(pocket, ONE, 5)], {})] == [Pattern.SELF]


def test_a_thin_pool_is_worth_pushing_and_a_deep_one_is_not() -> None:
    market = reference()
    thin, deep = (attacks(market.snapshot(depth(eth)), 0.05) for eth in (10, 100_000))
    assert {one.move: one.pays for one in thin}[2_000]
    assert not any(one.pays for one in deep)
    assert [one.stake for one in sorted(deep, key=lambda one: one.move)] == sorted(one.stake for one in deep)
    by_move = {one.move: one.cost for one in deep}
    assert [by_move[move] for move in sorted(by_move)] == sorted(by_move.values())


# missed --------------------------------------------------------------------------------------------------------------


HERE, THERE = Address("m"), Address("n")  # two markets


def liquidated(account: Address, liquidator: Address, block: int, tx: int = 1) -> Liquidated:
    return Liquidated(account, WETH.address, USDC.address, 1, 1, liquidator, Hash(f"0x{tx:064x}"), BlockNumber(block))


def seen(account: Address, block: int, tx: int, at: str = "h") -> Seen:
    return Seen(liquidated(account, OTHER, block, tx), Hash(f"{at}{block}"), "p", HERE)


def test_a_reorganised_range_is_counted_once() -> None:
    moved = [
        seen(ONE, 5, 1, "old"),
        seen(ONE, 6, 1),
        seen(OTHER, 5, 2, "old"),
        seen(OTHER, 5, 2),
        seen(THIRD, 5, 3, "old"),
    ]
    assert [one.hash for one in once(moved)] == ["h5", "old5", "h6"]
    kept = once(moved, {5: Hash("h5"), 6: Hash("h6")})
    assert [(one.what.account, one.what.block) for one in kept] == [(OTHER, 5), (ONE, 6)]
    twice = [seen(ONE, 5, 1), seen(ONE, 5, 1)]
    assert len(once(twice)) == 2, "two calls of one transaction are two"


def test_verdicts_follow_from_what_was_written_down() -> None:
    where = Hash("0x" + "22" * 32)
    line = Line("won", Hash(f"0x{1:064x}"), BlockNumber(5), where, Wei(10), Wei(-1), 1, Wei(0), Wei(8))
    refusals = {
        (HERE, ONE): Refusal("unprofitable", "net -1", 4, 4),
        (HERE, OTHER): Refusal(Reason.HALTED.value, "kill switch", 3, 9),
        (HERE, THIRD): Refusal("unprofitable", "net -1", 8, 9),
        (THERE, ONE): Refusal("unprofitable", "net -1", 8, 9),
    }
    known = Known(None, [line], [], refusals)
    done = [seen(THIRD, 5, 1), seen(ONE, 5, 2), seen(OTHER, 6, 3), seen(THIRD, 6, 4), seen(ONE, 9, 5)]
    found = judged(done, known)
    assert [one.verdict for one in found] == [
        Verdict.OURS, Verdict.UNPROFITABLE, Verdict.REFUSED, Verdict.LATE, Verdict.UNSEEN,
    ]  # fmt: skip
    assert found[0].net == 9
    assert capture(found) == 0.2
    assert capture([]) is None
    undone = judged(done[:1], replace(known, lines=[line, line.reversed()]))
    assert undone[0].verdict is not Verdict.OURS


def test_what_was_sent_in_time_and_did_not_land_was_outbid() -> None:
    entry = Entry("lost", ONE, 1, State.FINAL, (), Fate(BlockNumber(101), Hash("0x")), State.MISSED)
    legless = Variant(Hash("0x01"), b"", BlockNumber(103), plan())
    assert (
        judged([seen(ONE, 102, 1)], Known(None, (), [replace(entry, variants=(legless,))]))[0].verdict is Verdict.UNSEEN
    )
