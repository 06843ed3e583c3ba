"""Signers: keys from text, from keystores eth-account wrote, from a remote signer that may lie."""

import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from eth_account import Account
from eth_utils.address import to_checksum_address

from keeper.core.units import Address, Hash, Wei
from keeper.errors import SignerError
from keeper.executor.keys import exposed, key_file, keystore_key, secret_key, secret_keys
from keeper.executor.relays.transport import Transport
from keeper.executor.signer import LocalSigner, RemoteSigner
from keeper.executor.transaction import Transaction, assemble, decode
from keeper.redact import redact_text

KEY = bytes.fromhex("59c6995e998f97a5a0044966f0945389dc9e86dae88c7a8412f4603b6b78690d")  # anvil's second
EOA = Address("0x70997970c51812dc3a010c7d01b50e0d17dc79c8")
OTHER = b"\x07" * 32
ORDER = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141
TX = Transaction(
    1,
    7,
    Wei(10**9),
    Wei(50 * 10**9),
    700_000,
    Address("0x" + "ab" * 20),
    b"\x12\x34" * 40,
    Wei(3),
    ((Address("0x" + "cd" * 20), (Hash("0x" + "01" * 32),)),),
)


def eth_account_signs(fields: dict[str, Any], key: bytes = KEY) -> str:
    """An independent signer: eth-account, from the fields as they came over the wire."""
    wanted = {name: value for name, value in fields.items() if name != "from"}
    wanted["to"] = to_checksum_address(wanted["to"])
    return "0x" + bytes(Account.from_key(key).sign_transaction({**wanted, "type": 2}).raw_transaction).hex()


@asynccontextmanager
async def web3signer(answer: Callable[[dict[str, Any]], web.Response]) -> AsyncIterator[RemoteSigner]:
    async def handle(request: web.Request) -> web.Response:
        body = await request.json()
        assert (body["method"], body["jsonrpc"]) == ("eth_signTransaction", "2.0")
        return answer(body["params"][0])

    app = web.Application()
    app.router.add_post("/", handle)
    server = TestServer(app, host="127.0.0.1")
    await server.start_server(shutdown_timeout=0.1)
    try:
        async with Transport() as transport:
            yield RemoteSigner(str(server.make_url("/")), (EOA,), transport)
    finally:
        await server.close()


def result(value: object) -> web.Response:
    return web.json_response({"jsonrpc": "2.0", "id": 1, "result": value})


async def test_local_signer_equals_eth_account() -> None:
    signer = LocalSigner([OTHER, KEY])
    assert signer.addresses == (Address(Account.from_key(OTHER).address.lower()), EOA)
    signed = await signer.sign(EOA, TX)
    theirs = Account.from_key(KEY).sign_transaction(
        {
            "type": 2,
            "chainId": 1,
            "nonce": 7,
            "maxPriorityFeePerGas": 10**9,
            "maxFeePerGas": 50 * 10**9,
            "gas": 700_000,
            "to": to_checksum_address(TX.to),
            "data": TX.data,
            "value": 3,
            "accessList": [{"address": "0x" + "cd" * 20, "storageKeys": ["0x" + "01" * 32]}],
        }
    )
    assert signed.raw == bytes(theirs.raw_transaction)
    assert signed.sender == EOA
    with pytest.raises(SignerError, match="no key for"):
        await signer.sign(Address("0x" + "99" * 20), TX)


@pytest.mark.parametrize("shape", ["web3signer", "clef"])
async def test_remote_signature_is_the_local_one(shape: str) -> None:
    def answer(fields: dict[str, Any]) -> web.Response:
        assert fields["from"] == EOA
        raw = eth_account_signs(fields)
        return result(raw if shape == "web3signer" else {"raw": raw, "tx": {}})

    async with web3signer(answer) as signer:
        assert await signer.sign(EOA, TX) == await LocalSigner([KEY]).sign(EOA, TX)
        empty = replace(TX, data=b"", value=Wei(0), access_list=(), nonce=0, tip=Wei(0))
        assert await signer.sign(EOA, empty) == await LocalSigner([KEY]).sign(EOA, empty)
        with pytest.raises(SignerError, match="no key for"):
            await signer.sign(Address("0x" + "99" * 20), TX)


@pytest.mark.parametrize(
    "change",
    [
        {"to": "0x" + "66" * 20},
        {"value": "0xde0b6b3a7640000"},
        {"nonce": "0x8"},
        {"gas": "0x1"},
        {"maxFeePerGas": "0xffffffffff"},
        {"maxPriorityFeePerGas": "0x0"},
        {"data": "0x"},
        {"chainId": "0x2"},
        {"accessList": []},
    ],
)
async def test_a_remote_signer_that_changes_a_field_is_not_believed(change: dict[str, object]) -> None:
    async with web3signer(lambda fields: result(eth_account_signs({**fields, **change}))) as signer:
        with pytest.raises(SignerError, match="another transaction"):
            await signer.sign(EOA, TX)


async def test_a_remote_signer_with_another_key_is_not_believed() -> None:
    async with web3signer(lambda fields: result(eth_account_signs(fields, OTHER))) as signer:
        with pytest.raises(SignerError, match="signed for 0x"):
            await signer.sign(EOA, TX)


async def test_a_malleable_signature_is_not_believed() -> None:
    def answer(fields: dict[str, Any]) -> web.Response:
        tx, good = decode(bytes.fromhex(eth_account_signs(fields)[2:]))
        return result("0x" + assemble(tx, replace(good, y=1 - good.y, s=ORDER - good.s)).hex())

    async with web3signer(answer) as signer:
        with pytest.raises(SignerError, match="cannot be read"):
            await signer.sign(EOA, TX)


def legacy(fields: dict[str, Any]) -> str:
    names = ("to", "gas", "value", "nonce", "data", "chainId")
    wanted = {name: fields[name] for name in names} | {"gasPrice": fields["maxFeePerGas"]}
    wanted["to"] = to_checksum_address(wanted["to"])
    return "0x" + bytes(Account.from_key(KEY).sign_transaction(wanted).raw_transaction).hex()


@pytest.mark.parametrize(
    "answer",
    [
        lambda fields: result(legacy(fields)),
        lambda fields: result(eth_account_signs(fields)[:-2]),
        lambda fields: result(eth_account_signs(fields) + "00"),
        lambda _: result("0xzz"),
        lambda _: result("0x"),
        lambda _: result(None),
        lambda _: result(["0x02"]),
        lambda _: web.Response(text="<html>", status=502),
        lambda _: web.json_response([1]),
        lambda _: web.json_response({"error": {"code": -32000, "message": "0x" + KEY.hex()}}, status=403),
        lambda _: web.json_response({"error": "locked"}),
    ],
    ids=["legacy", "cut", "trailing", "no hex", "empty", "null", "list", "html", "array", "error", "text error"],
)
async def test_a_broken_answer_is_a_signer_error(answer: Callable[[dict[str, Any]], web.Response]) -> None:
    async with web3signer(answer) as signer:
        with pytest.raises(SignerError) as caught:
            await signer.sign(EOA, TX)
    assert KEY.hex() not in str(caught.value)


async def test_a_silent_remote_signer_is_a_signer_error() -> None:
    async with Transport(connect=0.2) as transport:
        with pytest.raises(SignerError, match="does not answer"):
            await RemoteSigner("http://127.0.0.1:9/", (EOA,), transport).sign(EOA, TX)


# --- where keys come from ------------------------------------------------------------------------------------------


@pytest.fixture
def keystore(tmp_path: Path) -> tuple[Path, Path]:
    store, password = tmp_path / "key.json", tmp_path / "password"
    store.write_text(json.dumps(Account.encrypt(KEY, "correct horse", kdf="pbkdf2", iterations=16)))
    password.write_text("correct horse\n")
    store.chmod(0o600)
    password.chmod(0o400)
    return store, password


def test_a_keystore_opens_with_its_password_file(keystore: tuple[Path, Path]) -> None:
    assert keystore_key(*keystore) == KEY


def test_a_wrong_password_a_torn_file_and_a_missing_one_say_so_without_secrets(keystore: tuple[Path, Path]) -> None:
    store, password = keystore
    password.chmod(0o600)
    password.write_text("wrong horse")
    with pytest.raises(SignerError, match="cannot be decrypted") as caught:
        keystore_key(store, password)
    assert "horse" not in str(caught.value)
    for torn in ("", "{}", '{"version": 9}', "[]", '{"crypto": {}, "version": 3}'):
        store.write_text(torn)
        with pytest.raises(SignerError, match="cannot be decrypted"):
            keystore_key(store, password)
    store.unlink()
    with pytest.raises(SignerError, match="No such file"):
        keystore_key(store, password)


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620, 0o610, 0o644, 0o777])
def test_a_secret_that_others_may_touch_is_refused(keystore: tuple[Path, Path], mode: int) -> None:
    store, password = keystore
    assert exposed(store) is None
    assert exposed(password) is None
    password.chmod(mode)
    assert "chmod 600" in (exposed(password) or "")
    with pytest.raises(SignerError, match="others may read it"):
        keystore_key(store, password)


def test_what_is_no_file_is_refused(tmp_path: Path) -> None:
    assert "not a file" in (exposed(tmp_path) or "")
    assert "No such file" in (exposed(tmp_path / "nothing") or "")


@pytest.mark.parametrize("text", [KEY.hex(), "0x" + KEY.hex(), f"  0x{KEY.hex().upper()}\n"])
def test_keys_as_people_write_them(text: str) -> None:
    assert secret_key(text) == KEY
    assert KEY.hex() not in redact_text(f"oops {KEY.hex()}")


@pytest.mark.parametrize("text", ["", "0x", "0x12", "zz" * 32, "00" * 32, "ff" * 32, KEY.hex() + "00", KEY.hex()[2:]])
def test_what_is_no_key_is_refused_without_being_quoted(text: str) -> None:
    with pytest.raises(SignerError) as caught:
        secret_key(text)
    assert len(text) < 4 or text not in str(caught.value)


@pytest.mark.parametrize(
    "text", [f"{KEY.hex()},{OTHER.hex()}", f" 0x{KEY.hex()}\n{OTHER.hex()}\n", f"{KEY.hex()} , {OTHER.hex()}"]
)
def test_a_pool_of_keys(text: str) -> None:
    assert secret_keys(text) == (KEY, OTHER)
    with pytest.raises(SignerError):
        secret_keys(text + ",12")


def test_a_key_in_a_file_of_its_own(tmp_path: Path) -> None:
    path = tmp_path / "identity"
    path.write_text("0x" + KEY.hex() + "\n")
    path.chmod(0o600)
    assert key_file(path) == KEY
    path.chmod(0o644)
    with pytest.raises(SignerError, match="others may read it"):
        key_file(path)
    path.chmod(0o600)
    for broken in (b"\xff\xfe", b"", KEY):
        path.write_bytes(broken)
        with pytest.raises(SignerError):
            key_file(path)


def test_no_key_in_any_repr() -> None:
    shown = repr(LocalSigner([KEY])) + repr(RemoteSigner("http://user:pass@127.0.0.1/", (EOA,), Transport()))
    assert shown == f"LocalSigner({EOA})RemoteSigner({EOA})"
