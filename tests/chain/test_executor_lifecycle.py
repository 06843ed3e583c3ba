"""From a plan to its final line, on a real market behind a relay that is not always kind."""

import io
import json
import logging
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from keeper import log
from keeper.core.journal import State
from keeper.core.plans import Plan
from keeper.core.units import Address, Wei
from keeper.devnet.layout import USD
from keeper.devnet.relay import Returned, StandInRelay
from keeper.devnet.relay_faults import Fault
from keeper.devnet.relay_public import Source
from keeper.devnet.world import World
from keeper.executor import executor
from keeper.log_events import problems
from tests.chain.executor_stage import ANVIL, Play, Stage, playing, relaying
from tests.contracts.executor_world import FALLEN, STRANGER

RECOVERED = 2_100 * USD


@pytest.fixture
def stage(make_world: Callable[..., World]) -> Stage:
    return Stage.build(make_world("3.0.2", **ANVIL), signers=4)


@pytest.fixture
async def relay(stage: Stage, seed: int) -> AsyncIterator[StandInRelay]:
    async with relaying(stage, seed) as made:
        yield made


@pytest.fixture
def state(tmp_path: Path) -> Path:
    return tmp_path / "state.sqlite"


@pytest.fixture
async def play(stage: Stage, relay: StandInRelay, state: Path) -> AsyncIterator[Play]:
    async with playing(stage, relay, state) as made:
        yield made


@pytest.fixture
def lines() -> Iterator[Callable[[], list[dict[str, str]]]]:
    """Every line of the log so far, each held against the schema."""
    out = io.StringIO()
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    log.configure("debug", stream=out)

    def read() -> list[dict[str, str]]:
        found = [json.loads(line) for line in out.getvalue().splitlines()]
        assert [problem for line in found for problem in problems(line)] == []
        return found

    yield read
    root.handlers[:] = handlers
    root.setLevel(level)
    log.configure(stream=sys.stderr)


def events(lines: list[dict[str, str]], *groups: str) -> list[str]:
    return [line["event"] for line in lines if line["event"].split(".")[0] in groups]


def fallen(stage: Stage) -> Address:
    account = stage.rig.borrower()
    stage.rig.fall()
    return account


# --- the good case -------------------------------------------------------------------------------------------------


async def test_an_account_falls_and_the_ledger_is_the_balances(
    stage: Stage, play: Play, lines: Callable[[], list[dict[str, str]]]
) -> None:
    before, account = stage.wealth(), fallen(stage)
    (attempt,) = await play.submit(stage.plan(account))
    assert len(attempt.targets) == 3, attempt
    slot = await play.slot()
    (entry,) = play.executor.entries
    assert entry.state is State.LANDED
    assert slot.tx_hashes == (entry.variants[0].tx,)
    (line,) = play.journal.lines()
    assert stage.wealth() - before == line.net == play.executor.total > 0
    assert line.bid > 0
    await play.settle()
    assert play.executor.entries == ()
    final = play.journal.find(entry.id)
    assert final is not None
    assert (final.state, final.outcome) == (State.FINAL, State.LANDED)
    assert play.relay.public.sent_by(stage.eoas) == ()
    assert stage.wealth() - before == play.journal.total()
    said = lines()
    assert events(said, "liquidation", "ledger", "opportunity") == [
        "liquidation.included",
        "ledger.settled",
        "liquidation.final",
        "opportunity.closed",
    ]
    assert {line["account"] for line in said if line["event"] == "liquidation.included"} == {account}
    assert {line["realised_net"] for line in said if "realised_net" in line} == {str(line.net)}


async def test_nothing_secret_is_ever_logged(
    stage: Stage, play: Play, lines: Callable[[], list[dict[str, str]]]
) -> None:
    """Not on the way in, not when relays fail and echo, not when a key is broken."""
    play.relay.faults.rates |= {Fault.HTML: 0.3, Fault.BROKEN_AFTER: 0.3}
    account = fallen(stage)
    await play.submit(stage.plan(account))
    await play.slot()
    (entry,) = play.executor.entries
    text = json.dumps(lines())
    assert repr(entry).count("raw") == 0
    secrets = [key.hex() for key in stage.secrets] + [variant.raw.hex() for variant in entry.variants]
    assert not [secret for secret in secrets if secret[:40] in text]


async def test_a_miss_is_tried_again_until_its_last_block(stage: Stage, play: Play) -> None:
    account = fallen(stage)
    play.relay.faults.next(Fault.MISSED, times=1)
    await play.submit(stage.plan(account))
    await play.slot()
    before = {desk.name: len(desk.received) for desk in play.relay.desks.values()}
    await play.submit()  # nothing new: the open entry is tried as it is
    assert all(len(desk.received) > before[desk.name] for desk in play.relay.desks.values())
    await play.slot()
    assert [entry.state for entry in play.executor.entries] == [State.LANDED]
    assert len(play.executor.entries[0].variants) == 1


async def test_a_fresh_plan_takes_the_place_of_the_old_one_with_its_nonce(stage: Stage, play: Play) -> None:
    account = fallen(stage)
    await play.submit(stage.plan(account))
    await play.relay._node.rpc("evm_mine")  # a block of somebody who builds without us
    better = stage.plan(account, bid=5_000)
    (attempt,) = await play.submit(better)
    (entry,) = play.executor.entries
    assert attempt.opportunity_id == entry.id != better.opportunity_id
    assert len(entry.variants) == 2
    slot = await play.slot()
    assert slot.tx_hashes == (entry.variants[1].tx,)
    assert play.executor.entries[0].state is State.LANDED
    assert len(stage.receipts()) == 1


async def test_an_entry_that_has_too_many_variants_goes_on_as_another_with_its_nonce(
    stage: Stage, play: Play, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(executor, "MOST_VARIANTS", 2)
    account = fallen(stage)
    for _ in range(3):
        await play.submit(stage.plan(account))
        stage.world.rpc.rpc("evm_mine")
    before, after = play.executor.entries
    assert (before.state, before.reason, len(before.variants)) == (State.MISSED, "continued", 2)
    assert (after.state, len(after.variants)) == (State.SUBMITTED, 1)
    assert (before.eoa, before.nonce) == (after.eoa, after.nonce)
    await play.submit()
    await play.slot()
    await play.settle()
    assert len(stage.receipts()) == 1
    outcomes = [entry.outcome for one in (before, after) if (entry := play.journal.find(one.id))]
    assert outcomes == [State.MISSED, State.LANDED]


async def test_two_accounts_are_two_nonces_of_two_accounts(stage: Stage, play: Play) -> None:
    one, other = stage.rig.borrower(), stage.rig.borrower()
    stage.rig.fall()
    before = stage.wealth()
    await play.submit(stage.plan(one), stage.plan(other))
    slot = await play.slot()
    assert len({entry.eoa for entry in play.executor.entries}) == 2
    assert len(slot.tx_hashes) == 2
    assert stage.wealth() - before == play.executor.total
    assert stage.fallen([one, other]) == []


# --- what is not sent ----------------------------------------------------------------------------------------------


async def test_nothing_leaves_without_a_simulation_that_passed(
    stage: Stage, play: Play, lines: Callable[[], list[dict[str, str]]]
) -> None:
    account = stage.rig.borrower()
    stage.rig.fall()
    plan = stage.plan(account)
    stage.world.set_price("WETH", RECOVERED)
    (attempt,) = await play.submit(plan)
    assert attempt.refusal is not None
    assert (attempt.targets, attempt.refusal.reason) == ((), "Healthy")
    assert all(len(desk.received) == 0 for desk in play.relay.desks.values())
    assert play.executor.entries == ()
    assert play.journal.open() == []
    assert events(lines(), "simulation", "submission") == ["simulation.failed"]


async def test_more_plans_than_accounts_are_refused_not_queued(stage: Stage, play: Play) -> None:
    accounts = [stage.rig.borrower() for _ in range(6)]
    stage.rig.fall()
    attempts = await play.submit(*(stage.plan(account) for account in accounts))
    refusals = [attempt.refusal.reason for attempt in attempts if attempt.refusal]
    assert refusals == ["executor.no_account"] * 2
    slot = await play.slot()
    assert len(slot.tx_hashes) == 4
    attempts = await play.submit(*(stage.plan(account) for account in stage.fallen(accounts)))
    assert [attempt.refusal for attempt in attempts] == [None, None]
    await play.slot()
    assert stage.fallen(accounts) == []


# --- rivals and recoveries -----------------------------------------------------------------------------------------


async def test_a_rival_is_first(stage: Stage, play: Play, lines: Callable[[], list[dict[str, str]]]) -> None:
    account = fallen(stage)
    await play.submit(stage.plan(account))
    stage.world.liquidate(STRANGER, "WETH", "USDC", account)  # in a block that none of our relays built
    await play.submit()
    (entry,) = play.executor.entries
    assert (entry.state, entry.reason) == (State.OUTBID, "gone")
    cancels = [one for desk in play.relay.desks.values() for one in desk.received if one.method == "cancel"]
    assert cancels
    await play.settle()
    assert stage.receipts() == {}
    assert events(lines(), "liquidation", "opportunity") == ["liquidation.outbid", "opportunity.closed"]
    assert play.executor.entries == ()
    assert play.executor.total == 0
    free = {play.executor._nonces.lease((), 0, await play.head()) for _ in stage.eoas}
    assert (entry.eoa, entry.nonce) in free


async def test_the_price_recovers(stage: Stage, play: Play, lines: Callable[[], list[dict[str, str]]]) -> None:
    account = fallen(stage)
    play.relay.faults.next(Fault.MISSED)
    await play.submit(stage.plan(account))
    stage.world.set_price("WETH", RECOVERED)
    await play.submit()
    (entry,) = play.executor.entries
    assert (entry.state, entry.reason) == (State.SUBMITTED, "Healthy")
    assert events(lines(), "submission").count("submission.withdrawn") == 1
    await play.settle()
    assert stage.receipts() == {}
    closed = [line for line in lines() if line["event"] == "opportunity.closed"]
    assert [(line["outcome"], line["realised_net"]) for line in closed] == [("missed", "0")]


async def test_what_was_withdrawn_and_comes_all_the_same_is_booked(stage: Stage, play: Play) -> None:
    """Relays ignore the wish, and the price comes back down: the old variant lands, which is fine."""
    before, account = stage.wealth(), fallen(stage)
    await play.submit(stage.plan(account))
    stage.world.set_price("WETH", RECOVERED)
    play.relay.faults.rates[Fault.CANCEL_IGNORED] = 1.0
    await play.submit()
    assert play.executor.entries[0].reason == "Healthy"
    stage.world.set_price("WETH", FALLEN)
    slot = await play.slot()
    (entry,) = play.executor.entries
    assert slot.tx_hashes == (entry.variants[0].tx,)
    assert (entry.state, entry.reason) == (State.LANDED, "")
    assert stage.wealth() - before == play.executor.total


# --- reorganisations -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("fate", ["returned", "delayed", "lost"])
async def test_a_block_with_ours_is_replaced(
    stage: Stage, play: Play, fate: Returned, lines: Callable[[], list[dict[str, str]]]
) -> None:
    before, account = stage.wealth(), fallen(stage)
    await play.submit(stage.plan(account))
    await play.slot()
    (entry,) = play.executor.entries
    assert entry.state is State.LANDED
    await play.relay.reorg(1, fate)
    await play.executor.on_head(await play.head())
    (entry,) = play.executor.entries
    assert entry.state is (State.LANDED if fate == "returned" else State.SUBMITTED)
    assert stage.wealth() - before == play.executor.total
    await play.submit()  # still valid: sent again
    await play.slot()
    assert [entry.state for entry in play.executor.entries] == [State.LANDED]
    assert stage.wealth() - before == play.executor.total > 0
    await play.settle()
    assert len(stage.receipts()) == 1
    assert [line.reversal for line in play.journal.lines()] == [False, True, False]
    outcomes = events(lines(), "liquidation", "opportunity")
    assert outcomes[:2] == ["liquidation.included", "liquidation.undone"]
    assert outcomes[2:] == ["liquidation.included", "liquidation.final", "opportunity.closed"]
    assert play.relay.public.sent_by(stage.eoas) == ()


# --- restarts ------------------------------------------------------------------------------------------------------


async def test_landed_while_nobody_looked(stage: Stage, relay: StandInRelay, state: Path) -> None:
    before, account = stage.wealth(), fallen(stage)
    async with playing(stage, relay, state) as first:
        await first.submit(stage.plan(account))
        entry = first.executor.entries[0]
    for _ in range(20):
        await relay.slot()
    async with playing(stage, relay, state) as second:
        await second.executor.reconcile()
        assert second.executor.entries == ()
        known = second.journal.find(entry.id)
        assert known is not None
        assert (known.state, known.outcome) == (State.FINAL, State.LANDED)
        assert stage.wealth() - before == second.executor.total > 0


async def test_a_restart_holds_the_nonce_and_sends_it_again(stage: Stage, relay: StandInRelay, state: Path) -> None:
    account = fallen(stage)
    relay.faults.rates[Fault.DROPPED] = 1.0
    async with playing(stage, relay, state) as first:
        await first.submit(stage.plan(account))
    relay.faults.rates.clear()
    async with playing(stage, relay, state) as second:
        attempts = await second.submit(stage.plan(account))
        (entry,) = second.executor.entries
        assert [one.opportunity_id for one in attempts] == [entry.id]
        assert len(entry.variants) == 1  # the same bytes
        await second.slot()
        assert [entry.state for entry in second.executor.entries] == [State.LANDED]


async def test_a_reorganisation_while_nobody_looked(stage: Stage, relay: StandInRelay, state: Path) -> None:
    before, account = stage.wealth(), fallen(stage)
    async with playing(stage, relay, state) as first:
        await first.submit(stage.plan(account))
        await first.slot()
        assert first.executor.total > 0
    await relay.reorg(1, "lost")
    async with playing(stage, relay, state) as second:
        await second.executor.reconcile()
        (entry,) = second.executor.entries
        assert entry.state is State.SUBMITTED
        assert second.executor.total == stage.wealth() - before == 0


async def test_drained_when_the_chain_has_decided_and_not_before(
    stage: Stage, relay: StandInRelay, state: Path
) -> None:
    account = fallen(stage)
    relay.faults.rates[Fault.DROPPED] = 1.0
    async with playing(stage, relay, state) as play:
        await play.submit(stage.plan(account))
        assert not await play.executor.drain(0.0)
        assert await play.executor.submit([stage.plan(account)], await play.head()) == ()
        for _ in range(6):
            await relay.slot()
        assert await play.executor.drain(float("inf"))
        assert [entry.state for entry in play.executor.entries] == [State.MISSED]


# --- nonces and balances -------------------------------------------------------------------------------------------


async def test_a_stuck_nonce_is_cleared(stage: Stage, play: Play, lines: Callable[[], list[dict[str, str]]]) -> None:
    """Somebody's wallet sent from one of our accounts, for too little: it hangs, and is replaced privately."""
    eoa = stage.eoas[0]
    rpc = stage.world.rpc
    cheap = {"maxFeePerGas": "0x1", "maxPriorityFeePerGas": "0x0", "gas": "0x5208"}
    before = stage.wealth()
    for _ in range(3):
        rpc.rpc("anvil_setNextBlockBaseFeePerGas", hex(10**9))
        rpc.rpc("evm_mine")
        rpc.rpc("anvil_setNextBlockBaseFeePerGas", "0x1")  # the node forgets what it cannot mine: sent anew
        rpc.rpc("eth_sendTransaction", {"from": eoa, "to": STRANGER, "value": "0x1", **cheap})
        await play.submit()
    stuck = [line for line in lines() if line["event"] == "nonce.stuck"]
    assert [(line["address"], line["nonce"]) for line in stuck] == [(eoa, "0")]
    await play.slot()
    (entry,) = play.executor.entries
    assert (entry.eoa, entry.nonce, entry.state) == (eoa, 0, State.LANDED)
    assert int(rpc.rpc("eth_getTransactionCount", eoa, "latest"), 16) == 1
    assert stage.wealth() - before == play.executor.total < 0
    assert play.relay.public.sent_by(stage.eoas) == ()
    assert {one.source for one in play.relay.public.broadcasts} <= {Source.STAGE}


async def test_an_empty_account_is_told_once_and_not_used(
    stage: Stage, play: Play, lines: Callable[[], list[dict[str, str]]]
) -> None:
    for eoa in stage.eoas[1:]:
        stage.world.fund(eoa, wei=10**15)
    accounts = [stage.rig.borrower() for _ in range(2)]
    stage.rig.fall()
    attempts = await play.submit(*(stage.plan(account) for account in accounts))
    assert sorted(len(attempt.targets) for attempt in attempts) == [0, 3]
    assert {entry.eoa for entry in play.executor.entries} == {stage.eoas[0]}
    await play.slot()
    low = [line["address"] for line in lines() if line["event"] == "balance.low"]
    assert sorted(low) == sorted(stage.eoas[1:])


async def test_somebody_else_spends_the_nonce(stage: Stage, play: Play) -> None:
    account = fallen(stage)
    await play.submit(stage.plan(account))
    (entry,) = play.executor.entries
    stage.world.rpc.send(entry.eoa, STRANGER, "0x", value=1)  # the operator, from the same key
    await play.executor.on_head(await play.head())
    states = [play.executor.entries[0].state]  # a receipt may only be late
    for _ in range(3):
        await play.slot()
        states.append(play.executor.entries[0].state)
    assert states == [State.SUBMITTED, State.SUBMITTED, State.SUPERSEDED, State.SUPERSEDED]
    assert play.executor.total == 0


async def test_a_refused_bid_stays_ours_and_is_booked_so(stage: Stage, play: Play) -> None:
    for builder in play.relay.builders.values():
        stage.world.rpc.rpc("anvil_setCode", builder.fee_recipient, "0x5f5ffd")  # reverts on everything
    before, account = stage.wealth(), fallen(stage)
    await play.submit(stage.plan(account))
    await play.slot()
    (line,) = play.journal.lines()
    assert line.bid == 0
    assert stage.wealth() - before == line.net
    assert stage.rig.ether() > 0


# --- one address in several markets --------------------------------------------------------------------------------


async def test_what_is_in_flight_about_an_address_in_one_market_is_no_matter_to_another(
    stage: Stage, play: Play
) -> None:
    plan = stage.plan(fallen(stage))

    def of(market: Address, name: str) -> Plan:
        return replace(plan, opportunity_id=name, legs=tuple(replace(leg, home=market) for leg in plan.legs))

    here, there = Address("0x" + "11" * 20), Address("0x" + "22" * 20)
    (first,) = await play.submit(of(here, "first"))
    assert first.targets
    again = replace(of(here, "first again"), tip=Wei(plan.tip + 1))
    attempts = await play.submit(again, of(there, "second"))
    assert all(one.targets for one in attempts), attempts
    entries = {entry.id: entry for entry in play.executor.entries}
    assert set(entries) == {"first", "second"}
    assert len({(entry.eoa, entry.nonce) for entry in entries.values()}) == 2
    assert [one.plan.opportunity_id for one in entries["first"].variants if one.plan] == ["first", "first again"]
    assert {market for market, _ in play.executor.in_flight} == {here, there}
