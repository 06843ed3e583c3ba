"""Keeper's own channels and signer, the stand-in relay, a real node: what lands, where, and what never does."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from typing import Any

import aiohttp
import pytest
from coincurve import PrivateKey
from eth_account import Account
from eth_utils.crypto import keccak

from keeper.core.submissions import AckStatus
from keeper.core.units import Address, Hash, Wei
from keeper.devnet.anvil import Anvil
from keeper.devnet.relay import Builder, StandInRelay
from keeper.devnet.relay_public import Source
from keeper.errors import DevnetError
from keeper.executor.fanout import Fanout
from keeper.executor.relays.identity import Identity
from keeper.executor.transaction import Transaction, address_of, sign
from tests.chain.bidders import (
    CHAIN,
    EOAS,
    GUARD,
    GWEI,
    KEYS,
    PAYING,
    PRIZE,
    PRIZE_CODE,
    Speak,
    bidding_node,
    receipt,
    signed,
    speaking,
    submission,
)

Relay = StandInRelay


@pytest.fixture
def node(make_anvil: Callable[..., Anvil]) -> Anvil:
    return bidding_node(make_anvil)


@pytest.fixture
async def relay(node: Anvil, seed: int) -> AsyncIterator[Relay]:
    async with StandInRelay(node.url, seed=seed) as made:
        yield made


@pytest.fixture
async def speak() -> AsyncIterator[Speak]:
    async with speaking() as made:
        yield made


async def rpc(url: str, method: str, *params: object) -> Any:
    async with aiohttp.ClientSession() as http, http.post(url, json=request(method, *params)) as response:
        return await response.json(content_type=None)


def request(method: str, *params: object) -> dict[str, object]:
    return {"jsonrpc": "2.0", "id": 1, "method": method, "params": params}


# --- where a bundle lands ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["flashbots", "buildernet", "titan", "bloxroute"])
async def test_a_bundle_lands_in_exactly_its_block(node: Anvil, seed: int, speak: Speak, kind: str) -> None:
    async with StandInRelay(node.url, builders=[Builder(kind, kind)], seed=seed) as relay:
        tx = signed(0, 0, value=10**15)
        ack = await speak(relay.url, kind).submit(submission(3, tx))
        assert ack.status is AckStatus.ACCEPTED, ack
        slots = [await relay.slot() for _ in range(4)]
    assert [tx.hash in slot.tx_hashes for slot in slots] == [False, False, True, False]
    found = receipt(node, tx.hash)
    assert (found["blockNumber"], found["status"]) == ("0x3", "0x1")
    block = node.rpc.rpc("eth_getBlockByNumber", "0x3", False)
    assert block["miner"] == Builder(kind).fee_recipient
    paid = int(node.rpc.rpc("eth_getBalance", Builder(kind).fee_recipient, "0x3"), 16)
    tips = int(found["gasUsed"], 16) * GWEI
    assert paid == slots[2].landed[0].result.delta == 10**15 + tips
    assert len(relay.public.broadcasts) == 0


async def test_a_bundle_whose_block_has_passed_never_lands(node: Anvil, relay: Relay, speak: Speak) -> None:
    await relay.slot()
    tx = signed(0, 0, value=10**15)
    ack = await speak(relay.url).submit(submission(1, tx))
    assert ack.status is AckStatus.ACCEPTED  # 200 is not an inclusion
    for _ in range(3):
        await relay.slot()
    assert receipt(node, tx.hash) is None


async def test_timestamps_are_honoured(node: Anvil, relay: Relay) -> None:
    now = int(node.rpc.rpc("eth_getBlockByNumber", "latest", False)["timestamp"], 16)
    early, fits, late = (signed(i, 0, Address("0x" + "ee" * 20)) for i in range(3))
    for tx, bounds in (
        (early, {"minTimestamp": now + 13}),
        (fits, {"minTimestamp": now + 12, "maxTimestamp": now + 12}),
        (late, {"maxTimestamp": now + 11}),
    ):
        await post(relay.url, "eth_sendBundle", {"txs": ["0x" + tx.raw.hex()], "blockNumber": "0x1", **bounds})
    slot = await relay.slot()
    assert slot.tx_hashes == (fits.hash,)


async def test_bundles_are_whole_and_first_and_public_transactions_follow(
    node: Anvil, relay: Relay, speak: Speak
) -> None:
    arm, pay = signed(0, 0, GUARD), signed(1, 0, GUARD, PAYING, 10**16)
    other = signed(2, 0, PRIZE, value=10**15)
    public = signed(3, 0, GUARD, tip=90 * GWEI)
    await rpc(relay.rpc, "eth_sendRawTransaction", "0x" + public.raw.hex())
    await speak(relay.url).submit(submission(1, arm, pay))
    await speak(relay.url, who=1).submit(submission(1, other))
    slot = await relay.slot()
    assert slot.tx_hashes == (arm.hash, pay.hash, other.hash, public.hash)
    assert node.rpc.rpc("eth_getBlockByNumber", "latest", False)["transactions"] == list(slot.tx_hashes)
    assert {receipt(node, tx)["status"] for tx in slot.tx_hashes} == {"0x1"}


async def test_a_bundle_with_one_reverting_leg_lands_with_none(node: Anvil, relay: Relay, speak: Speak) -> None:
    first, again = signed(0, 0, value=10**16), signed(1, 0, value=10**16)
    await speak(relay.url).submit(submission(1, first, again))
    slot = await relay.slot()
    assert slot.tx_hashes == ()
    assert "reverts" in (slot.reason(first.hash) or "")
    assert receipt(node, first.hash) is receipt(node, again.hash) is None


async def test_a_leg_that_is_allowed_to_revert_may(node: Anvil, relay: Relay) -> None:
    first, again = signed(0, 0, value=10**16), signed(1, 0, value=10**16)
    bundle = {"txs": ["0x" + tx.raw.hex() for tx in (first, again)], "blockNumber": "0x1"}
    await post(relay.url, "eth_sendBundle", {**bundle, "revertingTxHashes": [again.hash]})
    await relay.slot()
    assert [receipt(node, tx.hash)["status"] for tx in (first, again)] == ["0x1", "0x0"]


async def test_a_bundle_that_pays_nothing_is_left_out(relay: Relay, speak: Speak) -> None:
    tx = signed(0, 0, tip=0)
    await speak(relay.url).submit(submission(1, tx))
    slot = await relay.slot()
    assert (slot.tx_hashes, slot.reason(tx.hash)) == ((), "pays nothing")


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"nonce": 1}, "nonce too high"),
        ({"max_fee": Wei(1), "tip": Wei(1)}, "max fee per gas"),
        ({"gas": 2**24 + 1}, "cap"),
    ],
)
async def test_what_the_chain_would_not_take_is_left_out(
    relay: Relay, speak: Speak, change: dict[str, Any], reason: str
) -> None:
    fields: dict[str, Any] = {"nonce": 0, "max_fee": Wei(100 * GWEI), "tip": Wei(GWEI), "gas": 120_000} | change
    tx = sign(Transaction(CHAIN, to=PRIZE, data=b"", value=Wei(1), **fields), PrivateKey(KEYS[0]), EOAS[0])
    await speak(relay.url).submit(submission(1, tx))
    slot = await relay.slot()
    assert reason in (slot.reason(tx.hash) or "")


# --- who wins ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("ours_first", [True, False])
async def test_the_higher_bid_wins_whatever_came_first(
    node: Anvil, relay: Relay, speak: Speak, *, ours_first: bool
) -> None:
    low, high = signed(0, 0, value=10**15), signed(1, 0, value=2 * 10**15)
    order = [(0, low), (1, high)] if ours_first else [(1, high), (0, low)]
    for who, tx in order:
        await speak(relay.url, who=who).submit(submission(1, tx))
    slot = await relay.slot()
    assert slot.tx_hashes == (high.hash,)
    assert "reverts" in (slot.reason(low.hash) or "")
    assert receipt(node, low.hash) is None


async def test_of_two_variants_with_one_nonce_one_lands(relay: Relay, speak: Speak) -> None:
    variants = [signed(0, 0, value=10**15 * (i + 1)) for i in range(3)]
    for i, tx in enumerate(variants):
        await speak(relay.url).submit(submission(1, tx, name=f"variant {i}"))
    slot = await relay.slot()
    assert slot.tx_hashes == (variants[2].hash,)
    assert "nonce too low" in (slot.reason(variants[0].hash) or "")


async def test_a_payment_that_shrinks_in_place_leaves_the_bundle_out(node: Anvil, relay: Relay, speak: Speak) -> None:
    """``balance(self) - 1`` goes to the fee recipient: whoever comes second pays next to nothing."""
    vault = Address("0x" + "a3" * 20)
    node.rpc.rpc("anvil_setCode", vault, "0x5f5f5f5f60014703415af15000")
    node.rpc.rpc("anvil_setBalance", vault, hex(10**18))
    first, second = signed(0, 0, vault, tip=2 * GWEI), signed(1, 0, vault)
    await speak(relay.url, who=0).submit(submission(1, first))
    await speak(relay.url, who=1).submit(submission(1, second))
    slot = await relay.slot()
    assert slot.tx_hashes == (first.hash,)
    assert slot.reason(second.hash) == "pays less in place"


async def test_a_burst_of_conflicts_is_settled(relay: Relay, speak: Speak) -> None:
    """Sixty bundles for three prizes from four senders: the best of each prize land, nothing reverts."""
    relay_node = relay._node
    for i in range(3):
        await relay_node.rpc("anvil_setCode", "0x" + f"b{i}" * 20, PRIZE_CODE)
    for i in range(60):
        tx = signed(i % 4, 0, Address("0x" + f"b{i % 3}" * 20), value=10**14 * (i + 1))
        await speak(relay.url).submit(submission(1, tx, name=f"bundle {i}"))
    slot = await relay.slot()
    assert [placed.bundle.txs[0].value // 10**14 for placed in slot.landed] == [60, 59, 58]
    assert slot.plan is not None
    assert len(slot.plan.left_out) == 57


async def test_a_block_is_filled_to_the_brim_by_the_best(node: Anvil, relay: Relay, speak: Speak) -> None:
    """More bundles than a block can hold: at least 95 % of its gas is used, by those who pay most."""
    secrets = [PrivateKey((7_000 + i).to_bytes(32, "big")) for i in range(340)]
    senders = [address_of(secret.public_key) for secret in secrets]
    burns = "0x" + "".join(f"600160{slot:02x}55" for slot in range(9))  # nine fresh slots: 0.22 million gas
    sinks = [Address(f"0x{0xD00000 + i:040x}") for i in range(len(secrets))]
    node.rpc.batch([("anvil_setBalance", (sender, hex(10**18))) for sender in senders])
    node.rpc.batch([("anvil_setCode", (sink, burns)) for sink in sinks])
    fanout = Fanout([speak(relay.url)])
    for i, (secret, sender, sink) in enumerate(zip(secrets, senders, sinks, strict=True)):
        tx = Transaction(CHAIN, 0, Wei((i + 1) * 10**7), Wei(100 * GWEI), 230_000, sink, b"")
        await fanout.submit(submission(1, sign(tx, secret, sender), name=f"bundle {i}"))
    slot = await relay.slot()
    block = node.rpc.rpc("eth_getBlockByNumber", "latest", False)
    assert int(block["gasUsed"], 16) >= 0.95 * int(block["gasLimit"], 16)
    tips = [placed.bundle.txs[0].tip // 10**7 for placed in slot.landed]
    assert tips == list(range(340, 340 - len(tips), -1))
    assert slot.plan is not None
    assert {reason.rpartition(": ")[2] for _, reason in slot.plan.left_out} == {"no gas left in the block"}
    assert len(slot.plan.left_out) == 340 - len(tips)


async def test_only_the_winning_builders_bundles_are_mined(node: Anvil, seed: int, speak: Speak) -> None:
    builders = [Builder("one", weight=3), Builder("two", weight=1)]
    async with StandInRelay(node.url, builders=builders, seed=seed) as relay:
        tx = signed(0, 0, value=10**16)
        await speak(relay.urls["two"]).submit(submission(1, tx))
        await speak(relay.urls["two"]).submit(submission(2, tx))
        lost, won = await relay.slot(winner="one"), await relay.slot(winner="two")
        assert (lost.tx_hashes, won.tx_hashes) == ((), (tx.hash,))
        names = [(await relay.slot()).builder for _ in range(40)]
    assert 20 < names.count("one") < 40
    async with StandInRelay(node.url, builders=builders, seed=seed) as again:
        await again.slot(winner="one")
        await again.slot(winner="two")
        assert [(await again.slot()).builder for _ in range(40)] == names


async def test_the_fee_of_the_next_block_is_the_chains_own(node: Anvil, relay: Relay) -> None:
    """Full and empty blocks move the base fee as on mainnet; the plan asserts it, the chain agrees."""
    burner = Address("0x" + "a4" * 20)
    node.rpc.rpc("anvil_setCode", burner, "0x5b5f56")  # an endless loop: all gas burns
    for nonce in range(4):
        tx = Transaction(CHAIN, nonce, Wei(GWEI), Wei(100 * GWEI), 14_000_000, burner, b"")
        raw = sign(tx, PrivateKey(KEYS[0]), EOAS[0]).raw
        await rpc(relay.rpc, "eth_sendRawTransaction", "0x" + raw.hex())
    slots = [await relay.slot() for _ in range(3)]
    blocks = [node.rpc.rpc("eth_getBlockByNumber", hex(slot.number), False) for slot in slots]
    first, second, third = (int(block["baseFeePerGas"], 16) for block in blocks)
    used, target = int(blocks[0]["gasUsed"], 16), int(blocks[0]["gasLimit"], 16) // 2
    assert used == 4 * 14_000_000
    assert second == first + first * (used - target) // target // 8
    assert third == second - second // 8


# --- replacing and cancelling --------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["flashbots", "buildernet", "titan", "bloxroute"])
async def test_a_replacement_takes_the_place_of_its_bundle(node: Anvil, seed: int, speak: Speak, kind: str) -> None:
    async with StandInRelay(node.url, builders=[Builder(kind, kind)], seed=seed) as relay:
        better, worse = signed(0, 0, value=2 * 10**15), signed(0, 0, value=10**15)
        channel = speak(relay.url, kind)
        await channel.submit(submission(1, better, revision=1))
        await channel.submit(submission(1, worse, revision=2))
        slot = await relay.slot()
    assert slot.tx_hashes == (worse.hash,)
    assert slot.plan is not None
    assert slot.plan.left_out == ()


@pytest.mark.parametrize("kind", ["flashbots", "buildernet", "titan", "bloxroute"])
async def test_a_cancelled_bundle_does_not_land_and_its_siblings_do(
    node: Anvil, seed: int, speak: Speak, kind: str
) -> None:
    async with StandInRelay(node.url, builders=[Builder(kind, kind)], seed=seed) as relay:
        tx = signed(0, 0, value=10**15)
        channel = speak(relay.url, kind)
        for target in (1, 2):
            await channel.submit(submission(target, tx))
        assert (await channel.cancel(submission(1, tx))).withdrawal.value == "asked"
        slots = [await relay.slot(), await relay.slot()]
    assert [slot.tx_hashes for slot in slots] == [(), (tx.hash,)]


async def test_only_the_sender_can_cancel(relay: Relay, speak: Speak) -> None:
    tx = signed(0, 0, value=10**15)
    ours, theirs = speak(relay.url), speak(relay.url, who=1)
    await ours.submit(submission(1, tx))
    uuid = ours._identity.replacement_uuid(submission(1, tx))
    await post(relay.url, "eth_cancelBundle", {"replacementUuid": uuid}, key=theirs._identity)
    assert (await relay.slot()).tx_hashes == (tx.hash,)


async def test_a_lower_sequence_is_ignored(node: Anvil, seed: int, speak: Speak) -> None:
    async with StandInRelay(node.url, builders=[Builder("buildernet", "buildernet")], seed=seed) as relay:
        newer, older = signed(0, 0, value=10**15), signed(0, 0, value=2 * 10**15)
        channel = speak(relay.url, "buildernet")
        await channel.submit(submission(1, newer, revision=5))
        await channel.submit(submission(1, older, revision=4))
        await channel.cancel(submission(1, older, revision=4))
        assert (await relay.slot()).tx_hashes == (newer.hash,)


# --- what is private and what is not -------------------------------------------------------------------------------


async def test_the_nodes_door_is_the_public_mempool_and_is_counted(node: Anvil, relay: Relay) -> None:
    """Over HTTP, in a batch, and over the websocket; the node's own pool stays empty until the block."""
    txs = [signed(i, 0, GUARD) for i in range(3)]
    raws = ["0x" + tx.raw.hex() for tx in txs]
    assert (await rpc(relay.rpc, "eth_sendRawTransaction", raws[0]))["result"] == txs[0].hash
    async with aiohttp.ClientSession() as http:
        async with http.post(
            relay.rpc, json=[request("eth_blockNumber"), request("eth_sendRawTransaction", raws[1])]
        ) as r:
            assert [one["result"] for one in await r.json(content_type=None)] == ["0x0", txs[1].hash]
        async with http.ws_connect(relay.ws) as socket:
            await socket.send_json(request("eth_sendRawTransaction", raws[2]))
            assert (await socket.receive_json())["result"] == txs[2].hash
    assert node.rpc.rpc("txpool_status") == {"pending": "0x0", "queued": "0x0"}
    assert [one.tx.hash for one in relay.public.sent_by(EOAS)] == [tx.hash for tx in txs]
    assert relay.public.sent_by(EOAS[3:]) == ()
    slot = await relay.slot()
    assert slot.tx_hashes == tuple(tx.hash for tx in txs)
    assert relay.public.waiting == ()
    answer = await rpc(relay.rpc, "eth_sendRawTransaction", "0x02c0")
    assert answer["error"]["code"] == -32602


async def test_a_pending_bundle_shows_nowhere(relay: Relay, speak: Speak) -> None:
    tx = signed(0, 0, value=10**15)
    await speak(relay.url).submit(submission(1, tx))
    for method, params in (
        ("eth_getTransactionByHash", [tx.hash]),
        ("eth_getTransactionCount", [EOAS[0], "pending"]),
        ("txpool_content", []),
        ("eth_getBlockByNumber", ["pending", False]),
    ):
        answer = json.dumps(await rpc(relay.rpc, method, *params))
        assert tx.hash not in answer
        assert method != "eth_getTransactionCount" or '"0x0"' in answer


async def test_reads_and_heads_pass_through(relay: Relay) -> None:
    async with aiohttp.ClientSession() as http, http.ws_connect(relay.ws) as socket:
        await socket.send_json(request("eth_subscribe", "newHeads"))
        assert (await socket.receive_json())["result"].startswith("0x")
        slots = [await relay.slot() for _ in range(3)]
        heads = [(await socket.receive_json())["params"]["result"] for _ in range(3)]
    assert [head["hash"] for head in heads] == [slot.hash for slot in slots]
    assert (await rpc(relay.rpc, "eth_blockNumber"))["result"] == "0x3"
    assert (await rpc(relay.rpc, "eth_nonesuch"))["error"]["code"] == -32601


async def test_what_the_stage_sends_past_the_relay_is_mined_after_the_bundles(
    node: Anvil, relay: Relay, speak: Speak
) -> None:
    """The local world sends through the node's unlocked accounts, unsigned; a slot takes them along, in order."""
    ghost = "0x" + "77" * 20
    node.rpc.rpc("anvil_setBalance", ghost, hex(10**18))
    fields = {"from": ghost, "to": GUARD, "gas": "0x186a0"}
    staged = [node.rpc.rpc("eth_sendTransaction", {**fields, "nonce": hex(i)}) for i in range(2)]
    tx = signed(0, 0, value=10**15)
    await speak(relay.url).submit(submission(1, tx))
    slot = await relay.slot()
    assert slot.tx_hashes == (tx.hash, *staged)
    assert {one.source for one in relay.public.broadcasts} == {Source.STAGE}


async def test_a_raw_channel_to_a_private_endpoint_lands_once_within_its_blocks(node: Anvil, seed: int) -> None:
    builders = [Builder("private", "buildernet"), Builder("other")]
    async with StandInRelay(node.url, builders=builders, seed=seed) as relay:
        tx = signed(0, 0, value=10**15)
        bundle = {"jsonrpc": "2.0", "id": 1, "method": "eth_sendRawTransaction", "params": ["0x" + tx.raw.hex()]}
        status, answer = await posted(relay.urls["private"], json.dumps(bundle).encode(), Identity(b"\x70" * 32))
        assert (status, answer["result"]) == (200, tx.hash)
        slots = [await relay.slot(winner="other"), await relay.slot(winner="private")]
        assert [slot.tx_hashes for slot in slots] == [(), (tx.hash,)]


async def test_a_sequencer_is_first_come_first_served_and_reverts_land(node: Anvil, seed: int, speak: Speak) -> None:
    async with StandInRelay(node.url, builders=[Builder("sequencer", "sequencer")], seed=seed) as relay:
        low, high = signed(0, 0, value=1, tip=GWEI), signed(1, 0, value=10**16, tip=9 * GWEI)
        channel = speak(relay.url, "raw_sequencer")
        assert (await channel.submit(submission(1, low))).remote_id == low.hash
        assert (await channel.submit(submission(1, high))).status is AckStatus.ACCEPTED
        again = await channel.submit(submission(1, high))
        assert (again.status, again.detail) == (AckStatus.ACCEPTED, "HTTP 200: -32000 already known")
        slot = await relay.slot()
        assert slot.tx_hashes == (low.hash, high.hash)
        assert [receipt(node, tx)["status"] for tx in slot.tx_hashes] == ["0x1", "0x0"]
        stale = await channel.submit(submission(2, low))
        assert (stale.status, stale.detail) == (AckStatus.REJECTED, "HTTP 200: -32000 nonce too low")
        assert (await channel.health()).alive


async def test_a_dry_run_channel_sends_to_a_fork_and_to_nothing_else(node: Anvil, relay: Relay, speak: Speak) -> None:
    tx = signed(0, 0, value=10**15)
    refused = await speak(relay.url, "fork").submit(submission(1, tx))
    assert refused.status is AckStatus.REJECTED
    taken = await speak(node.url, "fork").submit(submission(1, tx))
    assert (taken.status, taken.remote_id) == (AckStatus.ACCEPTED, tx.hash)
    node.rpc.rpc("evm_mine")
    assert receipt(node, tx.hash)["status"] == "0x1"


async def test_a_fan_out_to_every_builder_lands_once(node: Anvil, seed: int, speak: Speak) -> None:
    kinds = ["flashbots", "buildernet", "titan", "bloxroute"]
    async with StandInRelay(node.url, builders=[Builder(kind, kind) for kind in kinds], seed=seed) as relay:
        fanout = Fanout([speak(relay.urls[kind], kind) for kind in kinds])
        tx = signed(0, 0, value=10**15)
        for target in (1, 2, 3):
            acks = await fanout.submit(submission(target, tx))
            assert [ack.status for ack in acks] == [AckStatus.ACCEPTED] * 4
        slots = [await relay.slot() for _ in range(4)]
    assert [slot.tx_hashes for slot in slots] == [(tx.hash,), (), (), ()]
    assert len(relay.public.broadcasts) == 0


# --- what the relay says -------------------------------------------------------------------------------------------


async def post(
    url: str, method: str, *params: object, key: Identity | None = None, http_headers: dict[str, str] | None = None
) -> tuple[int, Any]:
    return await posted(url, json.dumps(request(method, *params)).encode(), key or Identity(b"\x70" * 32), http_headers)


async def posted(
    url: str, body: bytes, key: Identity | None, http_headers: dict[str, str] | None = None
) -> tuple[int, Any]:
    headers = {"Content-Type": "application/json"} | ({"X-Flashbots-Signature": key.header(body)} if key else {})
    async with aiohttp.ClientSession() as http, http.post(url, data=body, headers=headers | (http_headers or {})) as r:
        text = await r.text()
        return r.status, json.loads(text) if text.startswith(("{", "[")) else text


async def test_signatures_are_over_the_bytes_that_arrive(relay: Relay) -> None:
    tx = signed(0, 0, value=1)
    body = json.dumps(request("eth_sendBundle", {"txs": ["0x" + tx.raw.hex()], "blockNumber": "0x1"})).encode()
    key, other = Identity(b"\x70" * 32), Identity(b"\x71" * 32)
    assert (await posted(relay.url, body, key))[1]["result"]["bundleHash"].startswith("0x")
    for header in (
        None,
        key.header(body + b" "),
        key.header(body).replace(key.address, other.address),
        key.header(body).replace(":0x", ":"),
        key.address,
        key.header(body)[:-2],
    ):
        headers = {} if header is None else {"X-Flashbots-Signature": header}
        status, answer = await posted(relay.url, body, None, headers)
        assert (status, answer["error"]["code"]) == (200, -32600)
    checksummed = key.header(body).replace(key.address, Account.from_key(b"\x70" * 32).address)
    assert "result" in (await posted(relay.url, body, None, {"X-Flashbots-Signature": checksummed}))[1]


@pytest.mark.parametrize(
    ("kind", "fields", "status", "error"),
    [
        ("flashbots", {"txs": ["02f8"]}, 400, "unable to decode txs"),
        ("flashbots", {"txs": ["0x02f8"]}, 400, "unable to decode txs"),
        ("flashbots", {"txs": []}, 200, {"code": -32000, "message": "unable to decode bundle"}),
        ("flashbots", {"txs": "0x"}, 200, {"code": -32000, "message": "unable to decode bundle"}),
        ("flashbots", {"blockNumber": 3}, 200, {"code": -32000, "message": "unable to decode bundle"}),
        ("flashbots", {"minTimestamp": "0x1"}, 200, {"code": -32000, "message": "unable to decode bundle"}),
        ("flashbots", {"replacementUuid": "abc"}, 200, {"code": -32000, "message": "unable to decode bundle"}),
        ("flashbots", {"replacementNonce": 1}, 200, {"code": -32000, "message": "unable to decode bundle"}),
        ("flashbots", {"maxBlockNumber": "0x9"}, 200, {"code": -32000, "message": "unable to decode bundle"}),
        ("buildernet", {"txs": ["02f8"]}, 400, {"code": -32602, "message": "unable to decode txs"}),
        (
            "buildernet",
            {"version": "v1", "replacementNonce": 1},
            400,
            {"code": -32602, "message": "unable to decode bundle"},
        ),
    ],
)
async def test_what_is_malformed_is_refused_in_the_builders_words(
    node: Anvil, seed: int, kind: str, fields: dict[str, Any], status: int, error: object
) -> None:
    async with StandInRelay(node.url, builders=[Builder(kind, kind)], seed=seed) as relay:
        good = {"txs": ["0x" + signed(0, 0, value=1).raw.hex()], "blockNumber": "0x1"}
        assert "result" in (await post(relay.url, "eth_sendBundle", good))[1]
        found, answer = await post(relay.url, "eth_sendBundle", {**good, **fields})
    assert (found, answer["error"]) == (status, error)


async def test_sizes_chains_content_types_and_methods(relay: Relay) -> None:
    raw = "0x" + signed(0, 0, value=1).raw.hex()
    assert "too large" in (await post(relay.url, "eth_sendBundle", {"txs": [raw] * 101}))[1]["error"]["message"]
    foreign = Transaction(1, 0, Wei(1), Wei(10**11), 21_000, PRIZE, b"")
    elsewhere = "0x" + sign(foreign, PrivateKey(KEYS[0]), EOAS[0]).raw.hex()
    assert (await post(relay.url, "eth_sendBundle", {"txs": [elsewhere]})) == (400, {"error": "unable to decode txs"})
    assert (await post(relay.url, "eth_blockNumber"))[1]["error"]["code"] == -32601
    for retired in ("flashbots_getUserStatsV2", "flashbots_getBundleStatsV2", "flashbots_getSbundleStats"):
        assert (await post(relay.url, retired, {}))[0] == 403
    key = Identity(b"\x70" * 32)
    assert (await posted(relay.url, b"{}", key, {"Content-Type": "application/json; charset=utf-8"}))[0] == 415
    assert (await posted(relay.url, b"{", key))[1]["error"]["code"] == -32700
    assert (await posted(relay.url.replace("flashbots", "nobody"), b"{}", key))[0] == 404


async def test_a_bundle_called_tells_what_it_would_pay(relay: Relay) -> None:
    tx, again = signed(0, 0, value=10**15), signed(1, 0, value=1)
    fields = {"blockNumber": "0x1", "stateBlockNumber": "latest"}
    _, answer = await post(
        relay.url, "eth_callBundle", {"txs": ["0x" + tx.raw.hex(), "0x" + again.raw.hex()], **fields}
    )
    result = answer["result"]
    first, second = result["results"]
    assert first["ethSentToCoinbase"] == str(10**15)
    assert first["gasFees"] == str(first["gasUsed"] * GWEI)
    assert first["coinbaseDiff"] == str(10**15 + first["gasUsed"] * GWEI)
    assert (second["error"][:9], second["revert"]) == ("execution", "0x")
    assert result["totalGasUsed"] == first["gasUsed"] + second["gasUsed"]
    assert result["coinbaseDiff"] == str(int(first["coinbaseDiff"]) + int(second["coinbaseDiff"]))
    assert isinstance(result["stateBlockNumber"], int)
    high = signed(0, 3, value=1)
    _, answer = await post(relay.url, "eth_callBundle", {"txs": ["0x" + high.raw.hex()], **fields})
    assert answer["error"]["message"].startswith("err: nonce too high: tx: 3 state: 0; address 0x")


# --- order flow ----------------------------------------------------------------------------------------------------


async def test_hints_out_backruns_in(node: Anvil, relay: Relay, speak: Speak) -> None:
    """An oracle's update is shown under the digest of its hash; keeper's transaction lands right behind it.

    The update alone pays more for its gas than both together: the builder must wait with it all the same.
    """
    update = signed(3, 0, GUARD, tip=90 * GWEI)
    ours = signed(0, 0, GUARD, PAYING, 10**14)
    async with aiohttp.ClientSession() as http, http.get(relay.hints["flashbots"]) as stream:
        await asyncio.sleep(0)
        await post(
            relay.url,
            "eth_sendPrivateTransaction",
            {
                "tx": "0x" + update.raw.hex(),
                "preferences": {"privacy": {"hints": ["hash", "contract_address", "calldata", "function_selector"]}},
            },
            key=Identity(b"\x7f" * 32),
        )
        line = await stream.content.readuntil(b"\n\n")
    hint = json.loads(line.removeprefix(b"data: "))
    assert hint["hash"] != update.hash
    assert hint["txs"] == [{"to": GUARD, "functionSelector": "0x", "callData": "0x"}]
    backrun = replace(submission(1, ours), trigger=Hash(hint["hash"]))
    ack = await speak(relay.url).submit(backrun)
    assert ack.status is AckStatus.ACCEPTED, ack
    alone = await speak(relay.url).submit(submission(1, ours, name="without the update"))
    assert alone.status is AckStatus.ACCEPTED
    slot = await relay.slot()
    assert slot.tx_hashes == (update.hash, ours.hash)
    assert {receipt(node, tx)["status"] for tx in slot.tx_hashes} == {"0x1"}


async def test_an_event_without_a_backrun_lands_alone(relay: Relay) -> None:
    update = signed(3, 0, GUARD, tip=5 * GWEI)
    await post(relay.url, "eth_sendPrivateTransaction", {"tx": "0x" + update.raw.hex()})
    assert (await relay.slot()).tx_hashes == (update.hash,)


async def test_the_rules_of_shared_order_flow(relay: Relay) -> None:
    update, ours = signed(3, 0, GUARD, tip=5 * GWEI), signed(0, 0, GUARD, PAYING, 10**16)
    event = "0x" + keccak(bytes.fromhex(update.hash[2:])).hex()
    tx = {"tx": "0x" + ours.raw.hex(), "canRevert": False}
    good = {"version": "v0.1", "inclusion": {"block": "0x1"}, "body": [{"hash": event}, tx]}
    _, unknown = await post(relay.url, "mev_sendBundle", good)
    assert unknown["error"]["message"] == "backrun not found"
    await post(relay.url, "eth_sendPrivateTransaction", {"tx": "0x" + update.raw.hex()})
    for change, message in (
        ({"version": "v1"}, "unsupported bundle version"),
        ({"inclusion": {"block": "0x1", "maxBlock": "0x20"}}, "invalid inclusion"),
        ({"inclusion": {"block": "0x7"}}, "invalid inclusion"),
        ({"inclusion": {"block": "0x0"}}, "invalid inclusion"),
        ({"body": []}, "invalid bundle body size"),
        ({"body": [tx, {"hash": event}]}, "invalid bundle body"),
        ({"body": [{"hash": event}, tx, tx]}, "invalid bundle body"),
        ({"privacy": {"hints": ["hash"]}}, "invalid bundle privacy"),
        ({"validity": {"refund": [{"bodyIdx": 0, "percent": 90}]}}, "invalid bundle constraints"),
    ):
        _, answer = await post(relay.url, "mev_sendBundle", {**good, **change})
        assert answer["error"]["message"] == message
    assert "result" in (await post(relay.url, "mev_sendBundle", good))[1]
    assert (await relay.slot()).tx_hashes == (update.hash, ours.hash)


async def test_a_private_transaction_can_be_cancelled_by_its_sender_only(relay: Relay) -> None:
    tx = signed(0, 0, value=10**15)
    await post(relay.url, "eth_sendPrivateTransaction", {"tx": "0x" + tx.raw.hex()})
    _, theirs = await post(relay.url, "eth_cancelPrivateTransaction", {"txHash": tx.hash}, key=Identity(b"\x71" * 32))
    _, ours = await post(relay.url, "eth_cancelPrivateTransaction", {"txHash": tx.hash})
    assert (theirs["result"], ours["result"]) == (False, True)
    assert (await relay.slot()).tx_hashes == ()


# --- the node ------------------------------------------------------------------------------------------------------


async def test_a_node_that_orders_by_fee_is_refused(anvil: Anvil) -> None:
    with pytest.raises(DevnetError, match="fifo"):
        async with StandInRelay(anvil.url):
            pass


async def test_the_clock_mines_by_itself(node: Anvil, seed: int, speak: Speak) -> None:
    async with StandInRelay(node.url, seed=seed, period=0.01) as relay:
        tx = signed(0, 0, value=10**15)
        head = int((await rpc(relay.rpc, "eth_blockNumber"))["result"], 16)
        await speak(relay.url).submit(submission(head + 30, tx))
        async with asyncio.timeout(20):
            while len(relay.slots) < 40:  # noqa: ASYNC110 - the clock under test is the event
                await asyncio.sleep(0.01)
    (landed,) = [slot for slot in relay.slots if slot.landed]
    assert landed.number == head + 30
