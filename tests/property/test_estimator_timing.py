"""Waiting: never for what a rival takes first, never for less than acting brings, and only on what was seen."""

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from keeper.core.units import RAD, RAY, WAD, Address, Timestamp, Wei
from keeper.estimator.timing import Moment, Rivals, best_moment, expected, first_worth
from keeper.protocols.maker_clip.auction import Auction, Rules, Sale
from keeper.protocols.maker_clip.curve import Curve, Shape

NOW = 1_000_000
CALC = Address("0x" + "ca" * 20)
RULES = Rules(
    calc=CALC, curve=Curve(Shape.STAIRSTEP, cut=99 * RAY // 100, step=90), buf=13 * RAY // 10, tail=10_800,
    cusp=4 * RAY // 10, chip=0, tip=0, chost=0, stopped=0,
)  # fmt: skip
FALLING = Auction(RULES, Sale(10**6 * RAD, CALC, NOW, 2_600 * RAY), 10 * WAD, Timestamp(NOW))


@st.composite
def better_and_better(draw: st.DrawFn) -> list[Moment]:
    """What an offer brings, block by block: never less than before."""
    values = sorted(draw(st.lists(st.integers(-(10**18), 10**18), min_size=1, max_size=20)))
    margins = sorted(draw(st.lists(st.integers(0, 2_000), min_size=len(values), max_size=len(values))))
    return [
        Moment(Timestamp(NOW + 12 * i), Wei(value), margin)
        for i, (value, margin) in enumerate(zip(values, margins, strict=True))
    ]


rivals = st.builds(
    Rivals, margins=st.lists(st.integers(0, 2_500), max_size=30).map(tuple), taken=st.integers(0, 50),
    mended=st.integers(0, 50),
)  # fmt: skip


def first_paying(moments: list[Moment]) -> Moment | None:
    return next((moment for moment in moments if moment.value > 0), None)


@given(better_and_better(), rivals, st.integers(-100, 300))
def test_no_waiting_when_a_rival_breaks_even_earlier(moments: list[Moment], known: Rivals, ahead: int) -> None:
    first = first_paying(moments)
    able = Timestamp((first.at if first else NOW) + min(ahead, 12))
    assert best_moment(moments, replace(known, able_at=able)) == first


@given(better_and_better(), rivals, st.integers(0, 300))
def test_never_later_than_the_first_rival(moments: list[Moment], known: Rivals, ahead: int) -> None:
    first, able = first_paying(moments), Timestamp(NOW + ahead)
    found = best_moment(moments, replace(known, able_at=able))
    assert found == first or (found is not None and found.at < able)


@given(better_and_better())
def test_no_waiting_on_nothing_seen(moments: list[Moment]) -> None:
    assert best_moment(moments, Rivals()) == first_paying(moments)


@given(better_and_better(), rivals)
def test_waiting_never_expects_less_than_acting(moments: list[Moment], known: Rivals) -> None:
    found, first = best_moment(moments, known), first_paying(moments)
    assert (found is None) == (first is None)
    if found is not None and first is not None:
        assert expected(first, found, known) >= first.value
        assert expected(first, found, known) <= found.value


@given(better_and_better(), rivals, st.integers(1, 50))
def test_a_borrower_who_tops_up_lowers_what_is_expected(moments: list[Moment], known: Rivals, more: int) -> None:
    herd = replace(known, mended=known.mended + more)
    for moment in [moment for moment in moments[1:] if moment.value > 0]:
        before, after = (expected(moments[0], moment, history) for history in (known, herd))
        assert after <= before
        assert after < before or before < 200, "a part in 151 is lost at least, but for rounding"


def test_rivals_that_always_waited_for_more_are_waited_with() -> None:
    moments = [Moment(Timestamp(NOW + 90 * i), Wei(100 + 60 * i), 50 * i) for i in range(6)]
    patient = Rivals(margins=(400,) * 19, taken=19)
    assert best_moment(moments, patient) == moments[-1]
    assert best_moment(moments, replace(patient, margins=(10,) * 19)) == moments[0]
    assert expected(moments[0], moments[1], patient) == 160 * 19 // 20


def test_the_block_in_which_the_price_crosses_our_cost() -> None:
    """Buy limit 1,990: step 27, 2,430 s, first met in the block at or after it; another cost, another block."""
    blocks = [Timestamp(NOW + 7 + 12 * i) for i in range(700)]

    def cheap_enough(at: Timestamp, limit: int) -> int | None:
        price = replace(FALLING, at=at).price
        return price if price <= limit * RAY else None

    found = first_worth(blocks, lambda at: cheap_enough(at, 1_990))
    assert found is not None
    assert found[0] == min(at for at in blocks if at >= NOW + 2_430)
    assert found[1] // (RAY // 100) == 198_209
    moved = first_worth(blocks, lambda at: cheap_enough(at, 1_900))
    assert moved is not None
    assert moved[0] == min(at for at in blocks if at >= (FALLING.first_at(1_900 * RAY) or 0))
    assert first_worth(blocks, lambda at: cheap_enough(at, 1)) is None


@given(st.lists(st.booleans(), max_size=40))
def test_the_first_of_sorted_answers(raw: list[bool]) -> None:
    answers = sorted(raw)
    times = [Timestamp(i) for i in range(len(answers))]
    found = first_worth(times, lambda at: True if answers[at] else None)
    assert found == next(((at, True) for at in times if answers[at]), None)
