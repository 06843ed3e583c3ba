"""Whatever the chain does, entries follow it: against a chain that is a few lines of Python and always right.

The model is a list of blocks, each with the transactions in it. Nodes lag with receipts, blocks are replaced, strangers
spend nonces, and the process stops and starts on its journal between any two heads.
"""

import asyncio
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from keeper.contracts.encode import Executor as Contract
from keeper.core.events import Block, Read
from keeper.core.journal import GRACE, OPEN, SPENT, Entry, Fate, State, Variant
from keeper.core.plans import Estimate, Plan
from keeper.core.units import ZERO_ADDRESS, Address, Amount, BlockNumber, Bps, Hash, Timestamp, Wei
from keeper.executor.lifecycle import DOUBT, Change, Lifecycle
from keeper.executor.node import Call
from keeper.executor.nonces import Nonces
from keeper.executor.records import Records
from keeper.executor.tracker import Tracker
from keeper.store.journal import Journal

CONFIRMATIONS: Final = 4
EOAS: Final = tuple(Address(f"0x{i:040x}") for i in (1, 2, 3))
CONTRACT: Final = Contract(Address("0x" + "ce" * 20), Address("0x" + "e7" * 20), ())
GAS: Final = 100_000
RICH: Final = 10**18


@dataclass(frozen=True)
class Tx:
    """A transaction; the model knows no others than these few fields. ``price`` makes every cost a different one."""

    hash: Hash
    eoa: Address
    nonce: int
    ok: bool
    price: int


@dataclass
class Chain:
    """The model, and the node that answers about it."""

    blocks: list[tuple[Block, tuple[Tx, ...]]] = field(default_factory=list)
    made: int = 0
    hidden: set[Hash] = field(default_factory=set)  # receipts the node does not have yet

    def grow(self, txs: Sequence[Tx] = ()) -> None:
        self.made += 1
        parent = self.blocks[-1][0].hash if self.blocks else Hash("0x0")
        number = BlockNumber(len(self.blocks))
        block = Block(number, Hash(f"0x{self.made:064x}"), parent, Timestamp(self.made), Wei(1), 30_000_000, 0)
        self.blocks.append((block, tuple(txs)))

    @property
    def tip(self) -> Block:
        return self.blocks[-1][0]

    def txs(self, upto: int | None = None) -> list[tuple[Block, Tx]]:
        return [(block, tx) for block, txs in self.blocks[: None if upto is None else upto + 1] for tx in txs]

    def count(self, eoa: Address, upto: int | None = None) -> int:
        return sum(tx.eoa == eoa for _, tx in self.txs(upto))

    # what a node answers -------------------------------------------------------------------------------------------

    async def head(self) -> Block:
        return self.tip

    async def block(self, at: int | str, /) -> Block | None:
        return next((block for block, _ in self.blocks if at in (block.number, block.hash)), None)

    async def call_many(self, asked: Sequence[Read], block: Block) -> list[str | None]:
        raise AssertionError(asked, block)

    async def state_many(self, calls: Sequence[Call], block: Block) -> list[str | None]:
        return [
            hex(self.count(Address(str(params[0])), block.number) if method.endswith("Count") else RICH)
            for method, params in calls
        ]

    async def request(self, method: str, params: Sequence[object]) -> Any:
        raise AssertionError(method, params)

    async def request_many(self, calls: Sequence[Call]) -> list[Any]:
        return [
            hex(self.count(Address(str(params[0]))))
            if method.endswith("Count")
            else self._receipt(Hash(str(params[0])))
            for method, params in calls
        ]

    def _receipt(self, tx_hash: Hash) -> dict[str, Any] | None:
        for block, tx in self.txs():
            if tx.hash == tx_hash and tx_hash not in self.hidden:
                return {
                    "transactionHash": tx.hash,
                    "blockNumber": hex(block.number),
                    "blockHash": block.hash,
                    "gasUsed": hex(GAS),
                    "effectiveGasPrice": hex(tx.price),
                    "status": "0x1" if tx.ok else "0x0",
                    "logs": [],
                }
        return None


def plan(deadline: int) -> Plan:
    money = Estimate(*[Wei(0)] * 9)
    block, end = BlockNumber(deadline), BlockNumber(deadline)
    return Plan("x", block, end, (), (), ZERO_ADDRESS, Amount(1), Bps(0), 1, Wei(1), Wei(1), money)


class Following(RuleBasedStateMachine):
    """Entries against the chain."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = tempfile.TemporaryDirectory()
        self.loop = asyncio.new_event_loop()
        self.chain = Chain()
        self.made = 0
        self.ours: dict[Hash, str] = {}  # every transaction ever journalled → its opportunity
        self.told: dict[str, list[Change]] = {}
        self.late: dict[Hash, int] = {}
        self.calm = True  # at the last look the node had every receipt

    def teardown(self) -> None:
        self.journal.close()
        self.loop.close()
        self.folder.cleanup()

    # what happens ----------------------------------------------------------------------------------------------------

    @initialize()
    def begin(self) -> None:
        for _ in range(3):
            self.chain.grow()
        self._start()
        self.look()

    def _start(self) -> None:
        self.journal = Journal(Path(self.folder.name) / "s", 1)
        self.journal._db.execute("PRAGMA synchronous=OFF")  # nobody pulls the plug of this machine
        self.records = Records(self.journal)
        self.nonces = Nonces(self.chain, EOAS, Wei(0))
        self.lifecycle = Lifecycle(Tracker(self.chain), self.nonces, self.records, CONTRACT, CONFIRMATIONS)

    @rule(window=st.integers(1, 3))
    def sign(self, window: int) -> None:
        """A plan gets a nonce and is journalled, as ``Outbox`` does it."""
        self.look()
        lease = self.nonces.lease(self.records.entries.values(), 0, self.chain.tip)
        if lease is None:
            return
        eoa, nonce = lease
        self.nonces.give_back(eoa)
        assert nonce == self.chain.count(eoa), "a lease is the chain's next nonce"
        assert not [one for one in self.records.entries.values() if one.eoa == eoa and self._holds(one)]
        self.made += 1
        entry = Entry(f"n{self.made}", eoa, nonce).to(State.SIMULATED)
        self._put(entry, window)

    @rule(pick=st.integers(0, 9), window=st.integers(1, 3))
    def sign_again(self, pick: int, window: int) -> None:
        """Another variant of an open entry."""
        self.look()
        known = self.records.within(OPEN)
        if known:
            entry = known[pick % len(known)]
            self._put(entry if entry.state is State.SUBMITTED else entry.to(State.SUBMITTED), window)

    def _put(self, entry: Entry, window: int) -> None:
        self.made += 1
        tx = Hash(f"0x{self.made:062x}ff")
        self.ours[tx] = entry.id
        until = BlockNumber(self.chain.tip.number + window)
        variants = (*entry.variants, Variant(tx, b"\x02", until, plan(until)))
        self.records.put(entry.to(State.SIGNED, variants=variants).to(State.SUBMITTED))
        self.loop.run_until_complete(self.records.saved())

    @rule(pick=st.integers(0, 9))
    def give_up(self, pick: int) -> None:
        """A simulation says that somebody was first; what was handed over may land all the same."""
        self.look()
        known = self.records.within(OPEN)
        if known:
            tip = self.chain.tip
            self.records.put(known[pick % len(known)].to(State.OUTBID, fate=Fate(tip.number, tip.hash)))
            self.loop.run_until_complete(self.records.saved())

    @rule(picks=st.lists(st.tuples(st.integers(0, 30), st.booleans(), st.booleans()), max_size=3))
    def block(self, picks: list[tuple[int, bool, bool]]) -> None:
        """A block with some of all that could be in it: of every variant that was ever sent, or a stranger's."""
        txs: list[Tx] = []
        for pick, ok, late in picks:
            fits = self._fitting(txs)
            if not fits:
                break
            tx_hash, eoa, nonce = fits[pick % len(fits)]
            txs.append(Tx(tx_hash, eoa, nonce, ok, len(self.ours) + pick + 1))
            if late and tx_hash in self.ours:
                self.chain.hidden.add(tx_hash)
                self.late[tx_hash] = 2  # looks of which it will be missing
        self.chain.grow(txs)

    def _fitting(self, txs: Sequence[Tx]) -> list[tuple[Hash, Address, int]]:
        counts = {eoa: self.chain.count(eoa) + sum(tx.eoa == eoa for tx in txs) for eoa in EOAS}
        every = [
            (variant.tx, entry.eoa, entry.nonce)
            for name in dict.fromkeys(self.ours.values())
            if (entry := self.journal.find(name))
            for variant in entry.variants
        ]
        mine = [one for one in every if counts[one[1]] == one[2]]
        strange = [(Hash(f"0x{self.chain.made:030x}{eoa[-2:]}{counts[eoa]:04x}"), eoa, counts[eoa]) for eoa in EOAS]
        return mine + strange

    @rule(depth=st.integers(1, 3), keep=st.booleans())
    @precondition(lambda self: len(self.chain.blocks) > 6)
    def replace(self, depth: int, keep: bool) -> None:  # noqa: FBT001 - drawn by hypothesis
        """The last blocks are replaced by others, with the same transactions or with none."""
        old = self.chain.blocks[-depth:]
        del self.chain.blocks[-depth:]
        for _, txs in old:
            self.chain.grow(txs if keep else ())

    @rule()
    def look(self) -> None:
        """The executor hears of the head."""
        self._look(self.chain.tip)

    @rule()
    def look_late(self) -> None:
        """The executor hears of a head when the node has gone on already."""
        self._look(self.chain.blocks[-2][0])

    def _look(self, head: Block) -> None:
        if self.lifecycle.head != head:
            self.calm = not self.chain.hidden
        changes = self.loop.run_until_complete(self.lifecycle.on_head(head))
        for change in changes:
            self.told.setdefault(change.entry.id, []).append(change)
        self.late = {tx: left - 1 for tx, left in self.late.items() if left > 1}
        self.chain.hidden &= self.late.keys()

    @rule()
    def restart(self) -> None:
        """The process ends between two heads and begins anew."""
        self.journal.close()
        self._start()

    # what must hold --------------------------------------------------------------------------------------------------

    def _holds(self, entry: Entry) -> bool:
        return entry.alive(self.chain.tip.number) and entry.nonce >= self.chain.count(entry.eoa)

    @invariant()
    def one_line_for_each_of_ours(self) -> None:
        """At rest, the ledger is the chain's, line by line."""
        if not self._at_rest():
            return
        mined = {tx.hash: tx for _, tx in self.chain.txs() if tx.hash in self.ours}
        standing: dict[str, int] = {}
        for line in self.journal.lines():
            standing[line.tx] = standing.get(line.tx, 0) + (-1 if line.reversal else 1)
        assert {tx for tx, count in standing.items() if count} == set(mined)
        assert set(standing.values()) <= {0, 1}
        assert self.records.total == self.journal.total() == -sum(GAS * tx.price for tx in mined.values())

    @invariant()
    def states_are_the_chains(self) -> None:
        if not self._at_rest():
            return
        mined = {tx.hash: tx for _, tx in self.chain.txs()}
        for entry in self.records.entries.values():
            landed = [mined[one.tx] for one in entry.variants if one.tx in mined]
            if landed:
                assert len(landed) == 1
                assert entry.state is (State.LANDED if landed[0].ok else State.REVERTED), entry
                assert entry.fate is not None
                assert entry.fate.tx == landed[0].hash
            elif entry.state in SPENT:
                assert entry.state is State.SUPERSEDED
                assert self.chain.count(entry.eoa) > entry.nonce
            elif entry.state is State.MISSED:
                assert entry.fate is not None
                assert not entry.alive(entry.fate.block)
            elif entry.state in OPEN:
                assert entry.alive(self.chain.tip.number) or self.chain.count(entry.eoa) > entry.nonce

    @invariant()
    def nothing_is_final_that_may_land(self) -> None:
        """What was included is never taken for a stranger's, and nobody forgets what is still out."""
        if self.lifecycle.head != self.chain.tip:
            return
        mined = {tx.hash for _, tx in self.chain.txs()}
        names = dict.fromkeys(self.ours.values())
        for entry in (found for name in names if (found := self.journal.find(name))):
            if any(one.tx in mined for one in entry.variants):
                assert entry.state is not State.SUPERSEDED
            alive = self.chain.tip.number <= entry.until + GRACE and self.chain.count(entry.eoa) <= entry.nonce
            assert not (alive and entry.state is State.FINAL)

    @invariant()
    def what_is_told_is_told_once(self) -> None:
        """Between two undoings an entry is decided once; and final once, as the last of all."""
        for name, changes in self.told.items():
            ends = [change for change in changes if change.entry.state is State.FINAL]
            assert len(ends) <= 1, name
            assert not ends or changes[-1] is ends[0]

    def _at_rest(self) -> bool:
        """The executor has seen this head, at a node that lacked nothing."""
        if self.lifecycle.head != self.chain.tip:
            return False
        waited = {nonce for nonce, looks in self.lifecycle._doubts.items() if looks <= DOUBT}
        return self.calm and not waited


# --- what it found once --------------------------------------------------------------------------------------------

OURS: Final = (0, False, False)  # a pick: the first transaction of ours that fits
LATE: Final = (0, False, True)  # the same, with a receipt that comes two looks later
Step = tuple[Any, ...]
NOBODY: Final[Step] = ("block", [])
FOUND: Final[dict[str, list[Step]]] = {
    "a receipt that is late again after a reorganisation": [
        ("sign", 1), NOBODY, NOBODY, NOBODY, ("block", [LATE]), ("look",), ("replace", 1, False), ("block", [LATE]),
        ("look",), NOBODY, ("look",), NOBODY, ("look",),
    ],
    "given up long ago, it lands, is undone, and lands again": [
        ("sign", 1), ("give_up", 0), NOBODY, NOBODY, NOBODY, NOBODY, NOBODY, ("look",), ("block", [OURS]), ("look",),
        ("replace", 1, True), ("look",), NOBODY, ("look",),
    ],
    "out of time while its nonce is in doubt": [
        ("sign", 1), ("give_up", 0), NOBODY, NOBODY, NOBODY, ("block", [LATE]), ("look",), ("restart",), ("look",),
        ("replace", 1, False), ("look",), NOBODY, NOBODY, NOBODY, ("block", [LATE]), ("look",), ("restart",), ("look",),
    ],
    "a stranger's nonce is given back and is ours": [
        ("block", [OURS]), ("look",), ("replace", 1, False), ("look",), ("sign", 3), ("block", [OURS]), ("look",),
    ],
}  # fmt: skip


@pytest.mark.parametrize("steps", FOUND.values(), ids=FOUND)
def test_what_it_found_once(steps: list[Step]) -> None:
    machine = Following()
    try:
        for name, *arguments in [("begin",), *steps]:
            getattr(machine, name)(*arguments)
            machine.one_line_for_each_of_ours()
            machine.states_are_the_chains()
            machine.nothing_is_final_that_may_land()
            machine.what_is_told_is_told_once()
    finally:
        machine.teardown()


Following.TestCase.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)
TestFollowing = Following.TestCase
