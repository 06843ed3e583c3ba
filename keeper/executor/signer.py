"""Who signs for the funds: keys in this process, or a signer somewhere else.

Law: a key is never shown: not in a repr, not in an error, not in a log. What a remote signer hands back is believed
only after it was taken apart: the same fields, the right sender, one spelling.
"""

from collections.abc import Iterable, Mapping
from typing import Final, Protocol

import msgspec
from coincurve import PrivateKey

from keeper.core.units import Address
from keeper.errors import DecodeError, SignerError
from keeper.executor.relays.call import hexed, rpc
from keeper.executor.relays.transport import Silence, Transport
from keeper.executor.transaction import (
    SignedTransaction,
    Transaction,
    address_of,
    assemble,
    decode,
    recover,
    sign,
    transaction_hash,
)

WITHIN: Final = 2.0  # seconds a remote signer may take


class Signer(Protocol):
    """Signs for one or more accounts."""

    @property
    def addresses(self) -> tuple[Address, ...]: ...

    async def sign(self, eoa: Address, tx: Transaction) -> SignedTransaction:
        """The signed transaction, or ``SignerError``."""
        ...


class LocalSigner:
    """Keys in this process."""

    __slots__ = ("_keys",)

    def __init__(self, secrets: Iterable[bytes]) -> None:
        keys = (PrivateKey(secret) for secret in secrets)
        self._keys: Mapping[Address, PrivateKey] = {address_of(key.public_key): key for key in keys}

    def __repr__(self) -> str:
        return f"LocalSigner({', '.join(self._keys)})"

    @property
    def addresses(self) -> tuple[Address, ...]:
        return tuple(self._keys)

    async def sign(self, eoa: Address, tx: Transaction) -> SignedTransaction:
        """Sign at once: there is nothing to wait for."""
        key = self._keys.get(eoa)
        if key is None:
            raise SignerError(f"no key for {eoa}")
        return sign(tx, key, eoa)


class RemoteSigner:
    """A server that speaks ``eth_signTransaction`` (web3signer, or clef)."""

    def __init__(self, url: str, addresses: Iterable[Address], transport: Transport) -> None:
        self._url = url
        self._transport = transport
        self._addresses = tuple(addresses)

    def __repr__(self) -> str:
        return f"RemoteSigner({', '.join(self._addresses)})"

    @property
    def addresses(self) -> tuple[Address, ...]:
        return self._addresses

    async def sign(self, eoa: Address, tx: Transaction) -> SignedTransaction:
        """Ask for a signature and check everything about the answer."""
        if eoa not in self._addresses:
            raise SignerError(f"no key for {eoa}")
        reply = await self._transport.post(self._url, rpc("eth_signTransaction", _fields(eoa, tx)), {}, WITHIN)
        if isinstance(reply, Silence):
            raise SignerError(f"the remote signer does not answer: {reply.detail}")
        return _believed(_raw(reply.body, reply.http), eoa, tx)


def _fields(eoa: Address, tx: Transaction) -> dict[str, object]:
    return {
        "from": eoa,
        "to": tx.to,
        "gas": hex(tx.gas),
        "maxFeePerGas": hex(tx.max_fee),
        "maxPriorityFeePerGas": hex(tx.tip),
        "value": hex(tx.value),
        "nonce": hex(tx.nonce),
        "data": hexed(tx.data),
        "chainId": hex(tx.chain_id),
        "accessList": [{"address": address, "storageKeys": list(keys)} for address, keys in tx.access_list],
    }


def _raw(body: bytes, http: int) -> bytes:
    """The raw transaction in an answer: bare (web3signer) or beside its fields (clef)."""
    try:
        answer = msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError):
        raise SignerError(f"the remote signer answers HTTP {http} without JSON") from None
    result = answer.get("result") if isinstance(answer, dict) else None
    if isinstance(result, dict):
        result = result.get("raw")
    if not isinstance(result, str):
        raise SignerError(f"the remote signer refuses (HTTP {http}{_code(answer)})")
    try:
        return bytes.fromhex(result.removeprefix("0x"))
    except ValueError:
        raise SignerError("the remote signer's transaction is not hex") from None


def _code(answer: object) -> str:
    """The error's number; its text may quote what was sent."""
    error = answer.get("error") if isinstance(answer, dict) else None
    return f", code {error.get('code')}" if isinstance(error, dict) else ""


def _believed(raw: bytes, eoa: Address, tx: Transaction) -> SignedTransaction:
    try:
        fields, signature = decode(raw)
        sender = recover(fields, signature)
    except DecodeError as error:
        raise SignerError(f"the remote signer's transaction cannot be read: {error}") from None
    if fields != tx or assemble(fields, signature) != raw:
        raise SignerError("the remote signer signed another transaction than was asked for")
    if sender != eoa:
        raise SignerError(f"the remote signer signed for {sender}, not for {eoa}")
    return SignedTransaction(raw, transaction_hash(raw), eoa, tx.nonce)
