"""The signature header, checked by code that shares nothing with the signer, and against the published vector."""

from dataclasses import replace
from uuid import UUID

from eth_account import Account
from eth_account.messages import encode_defunct
from eth_keys.backends.native.main import NativeECCBackend
from eth_keys.main import KeyAPI
from eth_utils.crypto import keccak
from hypothesis import given, settings
from hypothesis import strategies as st

from keeper.core.submissions import Bid, Simulated, Submission, Window
from keeper.core.units import Address, Amount, BlockNumber, Bps, Hash, Wei
from keeper.executor.relays import identity as module
from keeper.executor.relays.identity import Identity

SINGLE = Submission(
    id="aave-1-0xabc",
    chain=1,
    eoa=Address("0x" + "11" * 20),
    nonce=7,
    raw_txs=(b"raw",),
    tx_hashes=(Hash("0x" + "aa" * 32),),
    target_block=BlockNumber(100),
    window=Window(BlockNumber(100), BlockNumber(103)),
    deadline_ts=1_700_000_000.0,
    bid=Bid(Wei(1), Bps(9000), Wei(10**15)),
    sim=Simulated(BlockNumber(99), 400_000, Wei(10**15), Amount(10**16)),
)
KEY = bytes.fromhex("fad9c8855b740a0b7ed4c221dbad0f33a83a49cad6b3fe8d5817ac83d38b6a19")


def test_golden_vector() -> None:
    address, signature = Identity(KEY).header(b"Hello").split(":")
    assert address == "0x96216849c49358B10257cb55b28eA603c874b05E".lower()
    assert signature == (
        "0x1446053488f02d460c012c84c4091cd5054d98c6cfca01b65f6c1a72773e80e60b8a4931aeee7ed18ce3adb45b2107e8c59e25556c1f"
        "871a8334e30e5bddbed21c"
    )


@given(st.binary(max_size=400), st.integers(1, 2**255).map(lambda k: k.to_bytes(32, "big")))
@settings(max_examples=60, deadline=None)
def test_eth_account_recovers_the_address(body: bytes, secret: bytes) -> None:
    address, signature = Identity(secret).header(body).split(":")
    text = "0x" + keccak(body).hex()
    recovered = Account.recover_message(encode_defunct(text=text), signature=signature)
    assert recovered.lower() == address == Account.from_key(secret).address.lower()


def test_the_pure_python_curve_recovers_the_address() -> None:
    body = b'{"jsonrpc":"2.0","id":1}'
    address, signature = Identity(KEY).header(body).split(":")
    raw = bytes.fromhex(signature[2:])
    curve = KeyAPI(NativeECCBackend())
    text = b"0x" + keccak(body).hex().encode()
    digest = keccak(b"\x19Ethereum Signed Message:\n" + str(len(text)).encode() + text)
    recovered = curve.ecdsa_recover(digest, curve.Signature(raw[:64] + bytes((raw[64] - 27,))))
    assert recovered.to_address() == address


def test_equal_bodies_are_signed_once_and_the_memory_is_bounded() -> None:
    identity = Identity(KEY)
    first = identity.header(b"body 0")
    assert identity.header(b"body " + b"0") is first
    for i in range(3 * module.CACHED):
        identity.header(b"body %d" % i)
    assert len(identity._headers) == module.CACHED
    assert identity.header(b"body 0") == first


def test_replacement_uuid_is_stable_scoped_and_secret() -> None:
    identity = Identity(KEY)
    uuid = identity.replacement_uuid(SINGLE)
    assert UUID(uuid).version == 4
    assert Identity(KEY).replacement_uuid(replace(SINGLE, revision=9, nonce=1, raw_txs=(b"other",))) == uuid
    assert identity.replacement_uuid(replace(SINGLE, target_block=BlockNumber(1))) != uuid
    assert identity.replacement_uuid(replace(SINGLE, id="another")) != uuid
    assert identity.replacement_uuid(replace(SINGLE, chain=8453)) != uuid
    assert Identity(b"\x01" * 32).replacement_uuid(SINGLE) != uuid


def test_the_key_is_not_in_the_repr() -> None:
    assert repr(Identity(KEY)) == "Identity(0x96216849c49358b10257cb55b28ea603c874b05e)"
