"""The verdicts on endpoints."""

from hypothesis import given
from hypothesis import strategies as st

from keeper.chain.health import EWMA, Fault, Record, Rules, Sighting, common_anchor, judge
from keeper.core.events import Block
from keeper.core.units import BlockNumber, Hash, Timestamp, Wei

RULES = Rules(chain_id=1, block_time=12.0)


def block(number: int, fork: int = 0) -> Block:
    name = Hash(f"0x{fork:032x}{number:032x}")
    return Block(BlockNumber(number), name, Hash("0x"), Timestamp(number), Wei(0), 0, 0)


def seen(head: int = 1_000, **changed: object) -> Sighting:
    final = block(900)
    usual: dict[str, object] = {"chain_id": 1, "finalized": final, "anchors": {final.number: final.hash}}
    return Sighting(head=block(head), **(usual | changed))  # type: ignore[arg-type]


LIE = {BlockNumber(900): block(900, fork=1).hash}
TRUTH = {BlockNumber(900): block(900).hash}


def test_endpoints_without_fault_are_well() -> None:
    assert judge([seen(), seen(999), seen(1_000, finalized=None, anchors={})], RULES, TRUTH) == (None, None, None)


def test_each_fault_is_named() -> None:
    verdicts = judge(
        [seen(), None, seen(chain_id=137), seen(998), seen(same_head_for=97.0), seen(anchors=LIE)], RULES, {}
    )
    assert verdicts == (None, Fault.UNREACHABLE, Fault.WRONG_CHAIN, Fault.BEHIND, Fault.FROZEN, Fault.FORKED)


def test_two_blocks_behind_is_out_and_one_is_not() -> None:
    assert judge([seen(1_000), seen(999), seen(998)], RULES, {}) == (None, None, Fault.BEHIND)


def test_blocks_that_came_between_two_answers_are_no_lag() -> None:
    early, late = seen(998, at=0.0), seen(1_000, at=11.0)
    assert judge([early, late], RULES, {}) == (None, None)
    assert judge([seen(997, at=0.0), late], RULES, {}) == (Fault.BEHIND, None)


def test_nobody_is_behind_an_endpoint_that_is_itself_set_aside() -> None:
    assert judge([seen(1_000), seen(5_000, chain_id=5)], RULES, {}) == (None, Fault.WRONG_CHAIN)
    assert judge([seen(1_000), seen(5_000, anchors=LIE)], RULES, TRUTH) == (None, Fault.FORKED)


def test_where_blocks_come_at_will_nobody_is_frozen() -> None:
    assert judge([seen(same_head_for=1e6)], Rules(chain_id=1), {}) == (None,)


def test_what_was_agreed_on_before_outvotes_any_majority() -> None:
    liars = [seen(anchors=LIE), seen(anchors=LIE), seen()]
    assert judge(liars, RULES, {}) == (None, None, Fault.FORKED)
    assert judge(liars, RULES, TRUTH) == (Fault.FORKED, Fault.FORKED, None)


def test_without_majority_or_memory_the_first_configured_is_believed() -> None:
    assert judge([seen(), seen(anchors=LIE)], RULES, {}) == (None, Fault.FORKED)
    assert judge([seen(anchors=LIE), seen()], RULES, {}) == (None, Fault.FORKED)


def test_without_configuration_the_first_that_answers_says_which_chain() -> None:
    assert judge([None, seen(chain_id=10), seen(chain_id=1)], Rules(), {}) == (
        Fault.UNREACHABLE,
        None,
        Fault.WRONG_CHAIN,
    )


def test_endpoints_are_compared_at_a_block_that_all_call_final() -> None:
    finals = [seen(finalized=block(900)), seen(finalized=block(864)), seen(finalized=None), None, seen(chain_id=5)]
    assert common_anchor(finals, 1) == 864
    assert common_anchor([None], 1) is None


sightings = st.none() | st.builds(
    seen,
    st.integers(990, 1_010),
    chain_id=st.sampled_from([1, 1, 1, 5]),
    anchors=st.sampled_from([TRUTH, TRUTH, LIE, {}]),
    same_head_for=st.floats(0, 200),
)


@given(st.lists(sightings, min_size=1, max_size=6))
def test_who_is_well_agrees_with_all_who_are_well(endpoints: list[Sighting | None]) -> None:
    verdicts = judge(endpoints, RULES, {})
    well = [each for each, fault in zip(endpoints, verdicts, strict=True) if each and fault is None]
    heads = [each.head.number for each in well]
    assert len({each.chain_id for each in well}) <= 1
    assert len({own for each in well for own in each.anchors.values()}) <= 1
    assert max(heads, default=0) - min(heads, default=0) <= RULES.max_lag


@given(st.lists(st.none() | st.floats(0.001, 10), max_size=50))
def test_the_record_stays_in_its_bounds(story: list[float | None]) -> None:
    record = Record()
    for each in story:
        if each is None:
            record.failed()
        else:
            record.succeeded(each)
    times = [each for each in story if each is not None]
    assert 0 <= record.errors <= 1
    if times:
        assert min(times) <= record.latency * (1 + 1e-9)
        assert record.latency <= max(times) * (1 + 1e-9)
    before = record.score
    record.failed()
    assert record.score > before or record.errors > 1 - EWMA
    assert record.failures >= 1
