"""Everything a relay can do wrong: what keeper's channel concludes, against what became of the transaction on chain."""

import random
from collections import Counter
from collections.abc import AsyncIterator, Callable, Sequence

import pytest

from keeper.core.submissions import Ack, AckStatus, Withdrawal
from keeper.core.units import Address, BlockNumber
from keeper.devnet.anvil import Anvil
from keeper.devnet.relay import Builder, Returned, StandInRelay
from keeper.devnet.relay_book import Bundle
from keeper.devnet.relay_faults import Fault
from keeper.devnet.relay_public import Source
from keeper.devnet.relay_simulate import Slate
from keeper.executor.fanout import Fanout
from tests.chain.bidders import (
    EOAS,
    GUARD,
    GWEI,
    PAYING,
    PRIZE_CODE,
    Speak,
    bidding_node,
    receipt,
    signed,
    speaking,
    submission,
)


@pytest.fixture
def node(make_anvil: Callable[..., Anvil]) -> Anvil:
    return bidding_node(make_anvil)


@pytest.fixture
async def relay(node: Anvil, seed: int) -> AsyncIterator[StandInRelay]:
    async with StandInRelay(node.url, seed=seed) as made:
        yield made


@pytest.fixture
async def speak() -> AsyncIterator[Speak]:
    async with speaking(total=0.3) as made:
        yield made


@pytest.mark.parametrize(
    ("fault", "status", "http", "lands"),
    [
        (Fault.DROPPED, AckStatus.ACCEPTED, 200, False),
        (Fault.LATE, AckStatus.ACCEPTED, 200, False),
        (Fault.SILENT, AckStatus.UNKNOWN, None, True),
        (Fault.RATE_LIMITED, AckStatus.REJECTED, 429, False),
        (Fault.BROKEN, AckStatus.UNKNOWN, 500, False),
        (Fault.BROKEN_AFTER, AckStatus.UNKNOWN, 500, True),
        (Fault.HTML, AckStatus.UNKNOWN, 502, False),
        (Fault.TWICE, AckStatus.ACCEPTED, 200, True),
    ],
)
async def test_an_answer_and_the_truth(
    node: Anvil, relay: StandInRelay, speak: Speak, fault: Fault, status: AckStatus, http: int | None, *, lands: bool
) -> None:
    relay.faults.next(fault)
    tx = signed(0, 0, value=10**15)
    ack = await speak(relay.url).submit(submission(1, tx))
    assert (ack.status, ack.http) == (status, http)
    slots = [await relay.slot() for _ in range(3)]
    assert [slot.tx_hashes for slot in slots] == [(tx.hash,) if lands else (), (), ()]
    assert (receipt(node, tx.hash) is not None) is lands
    assert relay.faults.happened == Counter({fault: 1})


async def test_a_late_bundle_misses_its_block_and_is_there_for_a_later_one(relay: StandInRelay, speak: Speak) -> None:
    tx = signed(0, 0, value=10**15)
    relay.faults.next(Fault.LATE, times=2)
    for target in (1, 2):
        await speak(relay.url).submit(submission(target, tx))
    assert [(await relay.slot()).tx_hashes for _ in range(2)] == [(), (tx.hash,)]


async def test_an_ignored_cancellation_sounds_like_a_good_one(relay: StandInRelay, speak: Speak) -> None:
    tx = signed(0, 0, value=10**15)
    channel = speak(relay.url)
    await channel.submit(submission(1, tx))
    relay.faults.next(Fault.CANCEL_IGNORED)
    assert (await channel.cancel(submission(1, tx))).withdrawal is Withdrawal.ASKED
    assert (await relay.slot()).tx_hashes == (tx.hash,)


async def test_a_missed_slot_moves_time_but_not_the_height(node: Anvil, relay: StandInRelay, speak: Speak) -> None:
    before = int(node.rpc.rpc("eth_getBlockByNumber", "latest", False)["timestamp"], 16)
    tx = signed(0, 0, value=10**15)
    await speak(relay.url).submit(submission(1, tx))
    relay.faults.next(Fault.MISSED, times=2)
    missed = [await relay.slot(), await relay.slot()]
    assert [(slot.number, slot.plan, slot.tx_hashes) for slot in missed] == [(1, None, ())] * 2
    assert (await relay.slot()).tx_hashes == (tx.hash,)
    found = node.rpc.rpc("eth_getBlockByNumber", "0x1", False)
    assert int(found["timestamp"], 16) == before + 3 * 12


async def test_an_unbundler_publishes_a_leg_which_fails_alone(node: Anvil, relay: StandInRelay, speak: Speak) -> None:
    arm, pay = signed(0, 0, GUARD), signed(1, 0, GUARD, PAYING, 10**16)
    await speak(relay.url).submit(submission(1, arm, pay))
    relay.faults.next(Fault.UNBUNDLED)
    slot = await relay.slot()
    assert slot.tx_hashes == (pay.hash,)
    assert receipt(node, pay.hash)["status"] == "0x0"
    assert receipt(node, arm.hash) is None
    assert [(one.tx.hash, one.source) for one in relay.public.broadcasts] == [(pay.hash, Source.LEAKED)]
    assert relay.public.sent_by(EOAS) == ()


@pytest.mark.parametrize(
    ("fate", "blocks"), [("returned", [True, True]), ("delayed", [False, True]), ("lost", [False, False])]
)
async def test_a_block_with_ours_is_replaced(
    node: Anvil, relay: StandInRelay, speak: Speak, fate: Returned, blocks: Sequence[bool]
) -> None:
    ghost = "0x" + "77" * 20
    node.rpc.rpc("anvil_setBalance", ghost, hex(10**18))
    stage = node.rpc.rpc("eth_sendTransaction", {"from": ghost, "to": GUARD, "gas": "0x186a0"})
    tx = signed(0, 0, value=10**15)
    await speak(relay.url).submit(submission(1, tx))
    slot = await relay.slot()
    assert slot.tx_hashes == (tx.hash, stage)
    await relay.reorg(1, fate)
    replaced = node.rpc.rpc("eth_getBlockByNumber", "latest", False)
    assert (replaced["number"], replaced["hash"] == slot.hash) == ("0x1", False)
    assert (tx.hash in replaced["transactions"]) is blocks[0]
    assert stage in replaced["transactions"]
    await relay.slot()
    found = receipt(node, tx.hash)
    assert (found is not None) is blocks[1]
    assert relay.public.sent_by(EOAS) == ()
    assert {one.source for one in relay.public.broadcasts} == {Source.STAGE, Source.REORGED}


async def test_a_deep_reorg_keeps_the_order_of_the_stage(node: Anvil, relay: StandInRelay) -> None:
    ghost = "0x" + "77" * 20
    node.rpc.rpc("anvil_setBalance", ghost, hex(10**18))
    staged = []
    for nonce in range(4):
        fields = {"from": ghost, "to": GUARD, "gas": "0x186a0", "nonce": hex(nonce)}
        staged.append(node.rpc.rpc("eth_sendTransaction", fields))
        await relay.slot()
    await relay.reorg(3)
    blocks = [node.rpc.rpc("eth_getBlockByNumber", hex(i), False)["transactions"] for i in range(1, 5)]
    assert blocks == [[tx] for tx in staged]


async def test_a_rival_in_the_last_moment_takes_it(node: Anvil, relay: StandInRelay, speak: Speak) -> None:
    theirs = signed(3, 0, value=3 * 10**15)
    seen: list[int] = []

    async def rival(slate: Slate, bundles: Sequence[Bundle]) -> list[list[str]]:
        seen.append(len(bundles))
        return [["0x" + theirs.raw.hex()]] if slate.number == BlockNumber(1) else []

    relay.rivals.append(rival)
    ours = signed(0, 0, value=10**15)
    for target in (1, 2):
        await speak(relay.url).submit(submission(target, ours))
    slots = [await relay.slot(), await relay.slot()]
    assert [slot.tx_hashes for slot in slots] == [(theirs.hash,), ()]
    assert seen == [1, 1]
    assert "reverts" in (slots[1].reason(ours.hash) or "")
    assert receipt(node, ours.hash) is None


RATES = {
    Fault.DROPPED: 0.08,
    Fault.LATE: 0.08,
    Fault.SILENT: 0.004,
    Fault.RATE_LIMITED: 0.05,
    Fault.BROKEN: 0.05,
    Fault.BROKEN_AFTER: 0.05,
    Fault.HTML: 0.03,
    Fault.TWICE: 0.08,
    Fault.CANCEL_IGNORED: 0.5,
    Fault.MISSED: 0.08,
    Fault.UNBUNDLED: 0.05,
    Fault.REORG: 0.08,
}
KINDS = ("flashbots", "buildernet", "titan")


class Storm:
    """Four bidders fan out for a new prize every slot, for the next two blocks, and withdraw at random."""

    def __init__(self, node: Anvil, seed: int) -> None:
        self.node = node
        self.chance = random.Random(seed)
        self.targets: dict[str, tuple[int, ...]] = {}
        self.refused: set[str] = set()  # by every channel, for every block

    async def bid(self, lane: Fanout, who: int, prize: Address, revision: int) -> None:
        head = int(self.node.rpc.rpc("eth_blockNumber"), 16)
        nonce = int(self.node.rpc.rpc("eth_getTransactionCount", EOAS[who], "latest"), 16)
        tx = signed(who, nonce, prize, value=self.chance.randrange(1, 10**6) * GWEI)
        self.targets[tx.hash] = (head + 1, head + 2)
        acks: list[Ack] = []
        for target in self.targets[tx.hash]:
            one = submission(target, tx, revision=revision, name=f"{who}/{nonce}")
            acks += await lane.submit(one)
            if self.chance.random() < 0.1:
                await lane.cancel(one)
        if all(ack.status is AckStatus.REJECTED for ack in acks):
            self.refused.add(tx.hash)

    async def rage(self, relay: StandInRelay, lanes: Sequence[Fanout], slots: int) -> None:
        for i in range(slots):
            prize = Address(f"0x{0xB00000 + i:040x}")
            self.node.rpc.rpc("anvil_setCode", prize, PRIZE_CODE)
            for who, lane in enumerate(lanes):
                await self.bid(lane, who, prize, i)
            await relay.slot()

    def mined(self) -> dict[str, tuple[int, bool]]:
        """Every transaction on chain: where, and whether it worked."""
        head = int(self.node.rpc.rpc("eth_blockNumber"), 16)
        blocks = self.node.rpc.batch([("eth_getBlockReceipts", (hex(i),)) for i in range(1, head + 1)])
        return {r["transactionHash"]: (int(r["blockNumber"], 16), r["status"] == "0x1") for one in blocks for r in one}


async def test_a_storm(node: Anvil, speak: Speak, seed: int) -> None:
    """Whatever happens: nothing is broadcast, what is private lands in its block or never, and only leaks revert."""
    builders = [Builder(kind, kind, weight) for kind, weight in zip(KINDS, (5, 3, 2), strict=True)]
    storm = Storm(node, seed)
    async with StandInRelay(node.url, builders=builders, seed=seed, rates=RATES) as relay:
        lanes = [Fanout([speak(relay.urls[kind], kind, who) for kind in KINDS], failures=99) for who in range(4)]
        await storm.rage(relay, lanes, 40)
    mined = storm.mined()
    public = {one.tx.hash for one in relay.public.broadcasts}
    private = {tx: found for tx, found in mined.items() if tx not in public}
    assert len(private) > 10
    assert relay.public.sent_by(EOAS) == ()
    assert all(ok for _, ok in private.values())
    assert all(block in storm.targets[tx] for tx, (block, _) in private.items())
    assert not storm.refused & mined.keys()
    assert {one.source for one in relay.public.broadcasts} <= {Source.LEAKED, Source.REORGED}
    assert relay.faults.happened.keys() & set(RATES) - {Fault.UNBUNDLED, Fault.REORG, Fault.MISSED} >= {
        Fault.DROPPED,
        Fault.LATE,
        Fault.TWICE,
    }


async def test_the_same_seed_brings_the_same_storm(make_anvil: Callable[..., Anvil], speak: Speak, seed: int) -> None:
    async def once() -> tuple[list[tuple[int, tuple[str, ...], bool]], Counter[Fault]]:
        storm = Storm(bidding_node(make_anvil), seed)
        async with StandInRelay(storm.node.url, seed=seed, rates={**RATES, Fault.SILENT: 0.0}) as relay:
            lanes = [Fanout([speak(relay.url, who=who)], failures=99) for who in range(4)]
            await storm.rage(relay, lanes, 15)
        return [(slot.number, slot.tx_hashes, slot.reorged) for slot in relay.slots], relay.faults.happened

    assert await once() == await once()
