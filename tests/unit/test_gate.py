"""Limits on what may be lost: fed by outcomes, held by the breaker and the caps, and remembered by the ledger."""

import random
from pathlib import Path

from keeper.core.actions import Settlement
from keeper.core.events import Block
from keeper.core.journal import Entry, Fate, Line, State, Variant
from keeper.core.plans import Estimate, Funding, FundingKind, Leg, Plan
from keeper.core.units import ZERO_ADDRESS, Address, Amount, BlockNumber, Bps, Hash, Timestamp, Wei
from keeper.estimator.risk import LossCaps, Phase
from keeper.executor.lifecycle import Change
from keeper.gate import BREAKER, LOSS_CAP, Limits
from keeper.store.journal import Journal

EOA, SOLD, OTHER = (Address("0x" + digits * 20) for digits in ("e0", "c0", "c1"))
CAPS = LossCaps(Wei(100), Wei(150), Wei(100))
WIDE = LossCaps(Wei(10**9), Wei(10**9), Wei(10**9))
START, HOUR, COOLDOWN = 1_700_000_100, 3_600, 300


def block(number: int, timestamp: int) -> Block:
    return Block(BlockNumber(number), Hash(f"0x{number:064x}"), Hash("0x"), Timestamp(timestamp), Wei(1), 0, 30_000_000)


def plan(name: str, sold: Address) -> Plan:
    funding = Funding(FundingKind.OWN, ZERO_ADDRESS, Amount(1), Amount(1), Amount(0))
    paid = Settlement(Amount(1), Amount(1), Amount(0))
    leg = Leg("aave_v3", OTHER, EOA, sold, OTHER, Amount(1), paid, receive_wrapped=False, funding=funding, swaps=())
    money = Estimate(*(Wei(0) for _ in range(9)))
    end = BlockNumber(99)
    return Plan(name, BlockNumber(9), end, (leg,), (), OTHER, Amount(0), Bps(0), 1, Wei(1), Wei(1), money)


def change(
    net: int, name: str = "a", *, state: State = State.REVERTED, number: int = 10, sold: Address = SOLD
) -> Change:
    """An outcome with its line."""
    tx, at = Hash("0x" + name.rjust(64, "0")), Hash(f"0x{number:064x}")
    variant = Variant(tx, b"", BlockNumber(number), plan(name, sold))
    entry = Entry(name, EOA, 0, State.SUBMITTED, (variant,)).to(state, fate=Fate(BlockNumber(number), at, tx))
    return Change(entry, Line(name, tx, BlockNumber(number), at, Wei(0), Wei(net), 21_000, Wei(0), Wei(5)))


def undone(one: Change) -> Change:
    assert one.line is not None
    return Change(one.entry.to(State.SUBMITTED, fate=None), one.line.reversed(), undone=True)


def test_three_reverts_in_a_row_stop_sending_until_one_try_succeeds() -> None:
    limits = Limits(WIDE)
    limits.at(block(1, START))
    for _ in range(2):
        limits.changed(change(-5))
    limits.changed(change(7, state=State.LANDED))
    for _ in range(2):
        limits.changed(change(-5))
    assert limits.halts() == {}
    limits.changed(change(-5, "last"))
    assert "last reverted" in limits.halts()[BREAKER]
    limits.at(block(2, START + COOLDOWN - 1))
    assert BREAKER in limits.halts()
    limits.at(block(3, START + COOLDOWN))
    assert (limits.halts(), limits.breaker.phase) == ({}, Phase.HALF_OPEN)
    assert limits.risk(1).breaker.check(Timestamp(START + COOLDOWN), limits.risk(1).in_flight) is not None
    limits.changed(change(-5))
    limits.at(block(4, START + 3 * COOLDOWN - 1))
    assert BREAKER in limits.halts(), "the cool-down doubles"
    limits.at(block(5, START + 3 * COOLDOWN))
    limits.changed(change(9, state=State.LANDED))
    assert (limits.halts(), limits.breaker.phase) == ({}, Phase.CLOSED)


def test_a_landing_at_a_loss_is_a_failure_and_its_loss_is_booked() -> None:
    limits = Limits(WIDE)
    limits.at(block(1, START))
    for _ in range(3):
        limits.changed(change(-4, state=State.LANDED))
    assert BREAKER in limits.halts()
    assert limits.losses.since(HOUR, Timestamp(START)) == 12


def test_caps_halt_exactly_beyond_them_and_as_long_as_they_hold() -> None:
    limits = Limits(CAPS)
    limits.at(block(1, START))
    limits.changed(change(-60))
    limits.changed(change(-40, sold=OTHER))
    assert limits.halts() == {}
    limits.changed(change(1, state=State.LANDED))
    limits.changed(change(-1))
    assert LOSS_CAP in limits.halts()
    limits.at(block(2, START + 2 * HOUR))
    assert limits.halts() == {}, "the hour is over, and 101 a day is within 150"
    limits.caps = LossCaps(Wei(100), Wei(100), Wei(100))
    assert LOSS_CAP in limits.halts(), "other caps hold from now on"


def test_what_a_reorganisation_takes_back_was_not_lost() -> None:
    limits = Limits(CAPS)
    limits.at(block(1, START))
    lost = change(-101)
    limits.changed(lost)
    assert LOSS_CAP in limits.halts()
    limits.changed(undone(lost))
    assert limits.halts() == {}
    won = change(50, state=State.LANDED)
    limits.changed(won)
    limits.changed(undone(won))
    assert limits.losses.since(HOUR, Timestamp(START)) == 0


def test_a_restart_remembers_a_day_of_losses(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "state.sqlite", 31337)
    lost, old, back = change(-90, "a", number=1_000), change(-70, "b", number=10), change(-30, "c", number=999)
    for one in (lost, old, back):
        assert one.line is not None
        journal.write([one.entry], [one.line])
    assert back.line is not None
    journal.write([], [back.line.reversed()])
    limits = Limits(CAPS)
    limits.restore(journal, block(8_000, START), 12)
    journal.close()
    assert limits.losses.since(86_400, Timestamp(START)) == 90
    assert limits.losses.since(86_400, Timestamp(START), SOLD) == 90


def test_a_restart_at_any_moment_finds_the_breaker_as_it_was(tmp_path: Path, seed: int) -> None:
    draw = random.Random(seed)
    journal, limits = Journal(tmp_path / "state.sqlite", 31337), Limits(WIDE)
    phases, number, when = set(), 1_000, START
    for turn in range(80):
        waited = draw.choice([1, 2, 10, 30, 70])  # blocks: less and more than a cool-down
        number, when = number + waited, when + 12 * waited
        limits.at(block(number, when))
        bad = draw.random() < 0.75
        one = change(-5 if bad else 5, str(turn), state=State.REVERTED if bad else State.LANDED, number=number)
        assert one.line is not None
        journal.write([one.entry if draw.random() < 0.5 else one.entry.to(State.FINAL)], [one.line])
        limits.changed(one)
        later = block(number + draw.choice([0, 1, 40]), when)
        later = block(later.number, when + 12 * (later.number - number))
        limits.at(later)
        number, when = later.number, later.timestamp
        again = Limits(WIDE)
        again.restore(journal, later, 12)
        assert (again.breaker.phase, again.halts()) == (limits.breaker.phase, limits.halts())
        phases.add(again.breaker.phase)
    journal.close()
    assert phases == set(Phase)
