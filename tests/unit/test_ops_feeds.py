"""What is told of oracles, against the guards that decide."""

from keeper.core.units import Address, Timestamp
from keeper.estimator.guards import Reading, Sequencer
from keeper.estimator.world import Oracles
from keeper.ops.feeds import judged

NOW = Timestamp(1_000_000)
DAY = 86_400
YOUNG, OLD, DEAD = (Address(f"0x{digit * 40}") for digit in "abc")


def reading(age: int, answer: int = 1) -> Reading:
    return Reading(answer, Timestamp(NOW - age), DAY)


def test_a_price_is_stale_beyond_its_heartbeat_and_grace_and_said_to_be_so_old() -> None:
    readings = {YOUNG: reading(DAY + 60), OLD: reading(DAY + 61), DEAD: reading(5, answer=0)}
    feeds = judged(Oracles(readings), 4, NOW, 60, 3_600)
    assert (feeds.total, feeds.stale, feeds.trouble) == (4, {OLD: DAY + 61, DEAD: 5}, "")


def test_only_when_all_are_stale_nothing_can_be_decided() -> None:
    readings = {YOUNG: reading(2 * DAY), OLD: reading(3 * DAY)}
    assert judged(Oracles(readings), 3, NOW, 60, 3_600).trouble == ""
    assert judged(Oracles(readings), 2, NOW, 60, 3_600).trouble == "all 2 prices are stale"


def test_a_sequencer_that_is_down_or_hardly_up_forbids_everything() -> None:
    def trouble(answer: int, since: int) -> str:
        return judged(Oracles({}, Sequencer(answer, Timestamp(NOW - since))), 3, NOW, 60, 3_600).trouble

    assert trouble(0, 3_601) == ""
    assert trouble(0, 3_600) == "the sequencer is up for 3600 s <= 3600 s"
    assert trouble(1, 500_000) == "the sequencer is down since 500000"
