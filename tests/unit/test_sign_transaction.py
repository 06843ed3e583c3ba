"""keeper's own transaction bytes against eth-account's, which were written by others."""

import pytest
import rlp as reference_rlp  # type: ignore[import-untyped]
from coincurve import PrivateKey
from eth_account import Account
from eth_account.typed_transactions.typed_transaction import TypedTransaction
from eth_keys.backends.native.main import NativeECCBackend
from eth_keys.main import KeyAPI
from eth_utils.address import to_checksum_address
from hexbytes import HexBytes
from hypothesis import given, settings
from hypothesis import strategies as st

from keeper.core.units import Address, Hash, Wei
from keeper.errors import DecodeError
from keeper.executor import rlp
from keeper.executor.transaction import (
    HALF_ORDER,
    Signature,
    SignedTransaction,
    Transaction,
    address_of,
    assemble,
    decode,
    recover,
    sign,
    signing_digest,
    transaction_hash,
)

ORDER = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141

uint256 = st.one_of(st.just(0), st.integers(0, 255), st.integers(0, 2**64), st.integers(0, 2**256 - 1))
uint64 = st.one_of(st.just(0), st.integers(0, 2**64 - 1))
addresses = st.binary(min_size=20, max_size=20).map(lambda b: Address("0x" + b.hex()))
slots = st.binary(min_size=32, max_size=32).map(lambda b: Hash("0x" + b.hex()))
access_lists = st.lists(st.tuples(addresses, st.lists(slots, max_size=3).map(tuple)), max_size=3).map(tuple)
secrets = st.integers(1, ORDER - 1).map(lambda k: k.to_bytes(32, "big"))
transactions = st.builds(
    Transaction,
    chain_id=st.integers(1, 2**63),
    nonce=uint64,
    tip=uint256.map(Wei),
    max_fee=uint256.map(Wei),
    gas=uint64,
    to=addresses,
    data=st.one_of(st.binary(max_size=80), st.integers(50, 70_000).map(bytes)),
    value=uint256.map(Wei),
    access_list=access_lists,
)


def as_eth_account_wants_it(tx: Transaction) -> dict[str, object]:
    return {
        "type": 2,
        "chainId": tx.chain_id,
        "nonce": tx.nonce,
        "maxPriorityFeePerGas": tx.tip,
        "maxFeePerGas": tx.max_fee,
        "gas": tx.gas,
        "to": to_checksum_address(tx.to),
        "value": tx.value,
        "data": tx.data,
        "accessList": [{"address": a, "storageKeys": list(keys)} for a, keys in tx.access_list],
    }


def signed(tx: Transaction, secret: bytes) -> SignedTransaction:
    key = PrivateKey(secret)
    return sign(tx, key, address_of(key.public_key))


PLAIN = Transaction(
    1, 7, Wei(10**9), Wei(50 * 10**9), 700_000, Address("0x" + "ab" * 20), b"\x12\x34\x56\x78" + bytes(64)
)


@given(transactions, secrets)
@settings(max_examples=300, deadline=None)
def test_bytes_hash_and_sender_equal_eth_accounts(tx: Transaction, secret: bytes) -> None:
    theirs = Account.from_key(secret).sign_transaction(as_eth_account_wants_it(tx))
    ours = signed(tx, secret)
    assert ours.raw == bytes(theirs.raw_transaction)
    assert ours.hash == "0x" + bytes(theirs.hash).hex()
    assert to_checksum_address(ours.sender) == Account.from_key(secret).address
    assert ours.nonce == tx.nonce


@given(st.builds(Transaction, st.just(1), uint64, uint256, uint256, uint64, addresses, st.binary(max_size=8)), secrets)
@settings(max_examples=15, deadline=None)
def test_signature_equals_the_pure_python_curve(tx: Transaction, secret: bytes) -> None:
    """eth-account may itself sit on libsecp256k1; the native backend of eth-keys shares no line with it."""
    theirs = KeyAPI(NativeECCBackend()).PrivateKey(secret).sign_msg_hash(signing_digest(tx))
    assert signed(tx, secret).raw == assemble(tx, Signature(theirs.v, theirs.r, theirs.s))


@given(transactions, secrets)
@settings(max_examples=100, deadline=None)
def test_decode_and_recover_invert_sign(tx: Transaction, secret: bytes) -> None:
    ours = signed(tx, secret)
    fields, signature = decode(ours.raw)
    assert fields == tx
    assert assemble(fields, signature) == ours.raw
    assert recover(fields, signature) == ours.sender
    assert transaction_hash(ours.raw) == ours.hash
    assert Account.recover_transaction(ours.raw).lower() == ours.sender


@pytest.mark.parametrize("part", ["r", "s"])
def test_leading_zeros_of_a_signature_are_dropped(part: str) -> None:
    """RLP integers carry no leading zero; one signature in 256 needs the rule, so one is searched for."""
    secret = bytes(31) + b"\x01"
    for nonce in range(4000):
        tx = Transaction(1, nonce, Wei(1), Wei(1), 21_000, Address("0x" + "11" * 20), b"")
        raw = signed(tx, secret).raw
        if getattr(decode(raw)[1], part).bit_length() <= 248:
            theirs = Account.from_key(secret).sign_transaction(as_eth_account_wants_it(tx))
            assert raw == bytes(theirs.raw_transaction)
            return
    pytest.fail("no short signature in 4000")


def test_eth_accounts_transactions_decode() -> None:
    raw = bytes(Account.from_key(b"\x07" * 32).sign_transaction(as_eth_account_wants_it(PLAIN)).raw_transaction)
    assert decode(raw)[0] == PLAIN
    assert TypedTransaction.from_bytes(HexBytes(raw)).as_dict()["nonce"] == 7


def test_raw_bytes_are_not_in_the_repr() -> None:
    ours = signed(PLAIN, b"\x07" * 32)
    assert ours.raw.hex()[:40] not in repr(ours)
    assert "raw" not in repr(ours)


items = st.recursive(st.binary(max_size=70), lambda inner: st.lists(inner, max_size=6).map(tuple), max_leaves=30)


@given(items)
@settings(max_examples=300, deadline=None)
def test_rlp_equals_the_reference_both_ways(item: rlp.Item) -> None:
    data = rlp.encode(item)
    assert data == reference_rlp.encode(item)
    assert rlp.decode(data) == item


@given(st.binary(max_size=64))
@settings(max_examples=600, deadline=None)
def test_rlp_decodes_exactly_what_the_reference_decodes(data: bytes) -> None:
    try:
        theirs = reference_rlp.decode(data, strict=True)
    except reference_rlp.exceptions.DecodingError:
        theirs = None
    if theirs is None:
        with pytest.raises(DecodeError):
            rlp.decode(data)
    else:
        assert rlp.encode(rlp.decode(data)) == data


@pytest.mark.parametrize(
    "spelling",
    ["8101", "b8020102", "b90038" + "00" * 56, "c1", "c28201", "820102ff", "f80101", "", "b800", "f7", "c3820102ff"],
)
def test_rlp_has_one_spelling(spelling: str) -> None:
    with pytest.raises(DecodeError):
        rlp.decode(bytes.fromhex(spelling))


def test_rlp_refuses_a_tower_of_lists() -> None:
    data = b""
    for _ in range(3000):
        data = rlp.listed(data)
    with pytest.raises(DecodeError, match="deep"):
        rlp.decode(data)


@given(st.data())
@settings(max_examples=60, deadline=None)
def test_a_flipped_byte_never_recovers_to_the_signer(data: st.DataObject) -> None:
    ours = signed(PLAIN, b"\x07" * 32)
    at = data.draw(st.integers(0, len(ours.raw) - 1))
    flip = data.draw(st.integers(1, 255))
    raw = ours.raw[:at] + bytes((ours.raw[at] ^ flip,)) + ours.raw[at + 1 :]
    try:
        sender = recover(*decode(raw))
    except DecodeError:
        return
    assert sender != ours.sender


def test_the_malleable_twin_is_refused() -> None:
    fields, signature = decode(signed(PLAIN, b"\x07" * 32).raw)
    twin = Signature(1 - signature.y, signature.r, ORDER - signature.s)
    assert twin.s > HALF_ORDER
    with pytest.raises(DecodeError):
        recover(fields, twin)


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"\x01\xc0",
        b"\x02\xc0",
        b"\x02" + rlp.encode((b"\x01",) * 12),
        b"\x02" + rlp.encode((b"\x01", b"", b"", b"", b"", b"", b"", b"", (), b"", b"\x01", b"\x01")),
        b"\x02" + rlp.encode((b"\x00\x01", b"", b"", b"", b"", bytes(20), b"", b"", (), b"", b"\x01", b"\x01")),
        b"\x02"
        + rlp.encode((b"\x01", b"", b"", b"", b"", bytes(20), b"", b"", ((bytes(20),),), b"", b"\x01", b"\x01")),
        b"\x02" + rlp.encode((b"\x01", b"", b"", b"", b"", bytes(20), b"", b"", ())),
    ],
    ids=["empty", "type 1", "no fields", "no list", "creation", "leading zero", "broken access list", "unsigned"],
)
def test_foreign_shapes_are_refused(raw: bytes) -> None:
    with pytest.raises(DecodeError):
        decode(raw)
