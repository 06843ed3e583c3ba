"""A range with three liquidations on the chain, ours, outbid and unprofitable: recorded, audited and played again."""

from contextlib import closing
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from keeper.core.actions import Settlement
from keeper.core.events import Block
from keeper.core.journal import Entry, Fate, Line, State, Variant
from keeper.core.plans import Estimate, Funding, FundingKind, Leg, Plan
from keeper.core.refusals import Reason, Skip
from keeper.core.units import ZERO_ADDRESS, Address, Amount, BlockNumber, Bps, Hash, Timestamp, Wei
from keeper.devnet.rpc import Receipt
from keeper.devnet.world import World
from keeper.store.journal import Journal
from keeper.store.reasons import Reasons
from keeper.store.recording import TABLES
from keeper.store.store import Store
from tests.chain.report_stage import configure
from tests.edge.command import keeper, records, said

RIVAL = Address("0x" + "77" * 20)
OURS = Address("0x" + "88" * 20)
CHAIN = 31337


@pytest.fixture
def crashed(world: World, seed: int) -> tuple[World, list[Address]]:
    """Three who may be liquidated, then are, one a block, all by the same account."""
    world.borrowers(8, seed)
    victims = []
    for number in range(3):
        account = Address(f"0x{0xABBA << 8 | number:040x}")
        world.fund(account)
        world.supply(account, "WETH", world.units("WETH", 10))
        world.borrow(account, "USDC", world.units("USDC", 15_000))
        victims.append(account)
    world.set_price("WETH", world.price("WETH") * 88 // 100)
    world.align_pools()
    world.fund(RIVAL)
    return world, victims


def test_recorded_audited_and_played_again(crashed: tuple[World, list[Address]], tmp_path: Path) -> None:
    world, victims = crashed
    config = configure(tmp_path, world, f'[executor]\naddress = "{OURS}"\n')
    world.fund(OURS)
    world.mint_token("WETH", OURS, world.units("WETH", 1.5))
    first = world.block_number()
    paid = "0xa9059cbb" + f"{int(RIVAL, 16):064x}{1:064x}"
    world.rpc.send(victims[0], world.asset("USDC"), paid)  # they know each other
    receipts = [world.liquidate(RIVAL, "WETH", "USDC", account) for account in victims]
    world.advance(12)
    last = world.block_number()
    out = tmp_path / "recording"
    span = "--from", str(first), "--to", str(last)
    done = keeper("record", "--config", str(config), *span, "--out", str(out), "--json")
    assert done.returncode == 0, done.stderr
    assert records(done)[0]["liquidations"] == "3"

    replays = [keeper("report", "replay", "--config", str(config), "--recording", str(out), "--json") for _ in range(2)]
    assert replays[0].returncode == 0, replays[0].stderr
    assert replays[0].stdout == replays[1].stdout
    *contests, whole = records(replays[0])
    assert [one["account"] for one in contests[:3]] == victims
    assert {one["liquidator"] for one in contests[:3]} == {RIVAL}
    assert [one["verdict"] for one in contests[:3]] == ["planned"] * 3
    assert all(int(one["net_wei"]) > 0 for one in contests[:3])
    assert (whole["liquidations"], whole["reached"]) == ("3", 1.0)

    tables = {name: pq.read_table(out / f"{name}.parquet") for name in TABLES}
    found = tables["liquidations"].to_pylist()
    assert [(row["account"], row["tx"]) for row in found] == [
        (account, receipt["transactionHash"]) for account, receipt in zip(victims, receipts, strict=True)
    ]
    assert {row["symbol"] for row in tables["prices"].to_pylist()} >= {"WETH", "USDC"}
    pools = len(world.layout.uniswap.pools) + len(world.layout.uniswap.pairs)
    assert len(tables["pools"]) == 2 * (last - first + 1) * pools

    write_down(tmp_path / "state.sqlite", world.layout.aave.provider, victims, receipts)
    live = keeper("report", "missed", "--config", str(config), "--from", str(first), "--json")
    assert live.returncode == 0, live.stderr
    *three, total = records(live)
    assert [one["verdict"] for one in three] == ["ours", "outbid", "unprofitable"]
    assert three[2]["reason"].startswith("unprofitable: net -0.01")
    assert (total["liquidations"], total["capture"]) == ("3", pytest.approx(1 / 3, abs=1e-6))
    assert int(total["missed_bonus_base"]) == sum(int(one["bonus_base"]) for one in three[1:]) > 0
    recorded = keeper("report", "missed", "--config", str(config), "--recording", str(out), "--json")
    assert records(recorded)[:3] == three
    people = keeper("report", "missed", "--config", str(config), "--from", str(first))
    assert people.stdout.startswith("captured 33 % of 3 liquidations: ours 1, outbid 1, unprofitable 1\n")

    offline(world, config, out, (first, last), victims[0])
    refused(config, out, first, last)


def offline(world: World, config: Path, out: Path, span: tuple[int, int], funded: Address) -> None:
    """Every report on the recording: what it says of the last block is what it said when it could ask."""
    first, last = span
    flags = {"hedge": (), "exploits": ("--blocks", str(last - first))}
    asked = {name: keeper("report", name, *more, "--config", str(config), "--json") for name, more in flags.items()}
    world.anvil.stop()  # from here on nobody can be asked
    for name, said_live in asked.items():
        done = keeper("report", name, "--config", str(config), "--recording", str(out), "--json")
        assert (said_live.returncode, done.returncode) == (0, 0), done.stderr
        assert records(done) == records(said_live) != []
    assert [one["pattern"] for one in records(asked["exploits"]) if one.get("account") == funded] == ["funded"]
    where = "--config", str(config), "--recording", str(out), "--block", str(first)
    for words in ("ladder", "cascade", "stress --paths 20", "eta", "exposure", "greeks", "toxicity", "capacity",
                  "costs --sell WETH --into USDC"):  # fmt: skip
        done = keeper("report", *words.split(), *where, "--json")
        assert done.returncode == 0, done.stderr
        assert {record["block"] for record in records(done)} == {str(first)}


def refused(config: Path, out: Path, first: int, last: int) -> None:
    """What a recording cannot answer."""
    beyond = keeper("report", "eta", "--config", str(config), "--recording", str(out), "--block", str(last + 1))
    assert beyond.returncode == 2
    assert f"the recording has blocks {first} to {last}" in said(beyond)[0]
    elsewhere = keeper("report", "eta", "--config", str(config), "--recording", str(out), "--chain.id", "1")
    assert (elsewhere.returncode, elsewhere.stdout) == (3, "")
    assert "is of chain 31337, the configuration says 1" in said(elsewhere)[0]
    nothing = keeper("report", "eta", "--config", str(config), "--recording", str(config.parent / "nowhere"))
    assert nothing.returncode == 2
    assert "is not a recording" in said(nothing)[0]
    (out / "events.parquet").write_bytes(b"PAR1")
    damaged = keeper("report", "eta", "--config", str(config), "--recording", str(out))
    assert damaged.returncode == 4
    assert "is damaged" in said(damaged)[0]
    again = keeper("record", "--config", str(config), "--from", str(first), "--to", str(last), "--out", str(out))
    assert again.returncode == 2
    assert "not empty" in said(again)[0]


def write_down(state: Path, market: Address, victims: list[Address], receipts: list[Receipt]) -> None:
    """What the keeper would have written: a landed transaction, one that lost, and a refusal."""
    blocks = [BlockNumber(int(receipt["blockNumber"], 16)) for receipt in receipts]
    won = Hash(receipts[0]["transactionHash"]), blocks[0], Hash(receipts[0]["blockHash"])
    line = Line("won", *won, Wei(10**16), Wei(-(10**15)), 600_000, Wei(10**14), Wei(9 * 10**15))
    variant = Variant(
        Hash("0x" + "01" * 32), b"\x02", BlockNumber(blocks[1] + 2), planned(market, victims[1], blocks[1])
    )
    fate = Fate(blocks[1], Hash(receipts[1]["blockHash"]))
    lost = Entry("lost", RIVAL, 1, State.FINAL, (variant,), fate, State.OUTBID, "somebody else was first")
    with closing(Journal(state, CHAIN)) as journal:
        journal.write([lost], [line])
    with closing(Store(state, CHAIN)) as store:
        before = Block(BlockNumber(blocks[2] - 1), won[2], won[2], Timestamp(1), Wei(0), 0, 0)
        with closing(Reasons(store)) as reasons:
            reasons.update(before, [Skip(victims[2], Reason.UNPROFITABLE, "net -0.01 ETH < floor 0", market)])


def planned(market: Address, account: Address, block: BlockNumber) -> Plan:
    """A plan that names the account; what it would have earned is one of its figures."""
    nothing = Settlement(Amount(1), Amount(1), Amount(0))
    funding = Funding(FundingKind.OWN, ZERO_ADDRESS, Amount(1), Amount(1), Amount(0))
    leg = Leg("aave_v3", RIVAL, account, RIVAL, RIVAL, Amount(1), nothing, False, funding, (), home=market)
    money = Estimate(*(Wei(7 * 10**15 if term == 8 else 0) for term in range(9)))
    return Plan("lost", block, block, (leg,), (), RIVAL, Amount(1), Bps(0), 1, Wei(1), Wei(1), money)
