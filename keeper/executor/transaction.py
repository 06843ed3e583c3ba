"""EIP-1559 transactions as bytes: encode, sign, decode, recover.

Law: the bytes equal eth-account's for every transaction keeper can build (a property test holds it); RLP is written
out because the library way costs ten times the signature. Decoding is strict: what ``decode`` accepts, ``assemble``
reproduces to the byte, so a remote signer cannot hand back a second spelling of the same fields.
"""

from dataclasses import dataclass, field
from typing import Final

from coincurve import PrivateKey, PublicKey
from eth_hash.auto import keccak

from keeper.core.units import Address, Hash, Wei
from keeper.errors import DecodeError
from keeper.executor import rlp

TYPE: Final = b"\x02"
ADDRESS_SIZE: Final = 20
WORD: Final = 32
HALF_ORDER: Final = 0x7FFFFFFFFFFFFFFFFFFFFFFFFFFFFFFF5D576E7357A4501DDFE92F46681B20A0  # EIP-2: s is at most this

AccessList = tuple[tuple[Address, tuple[Hash, ...]], ...]


@dataclass(frozen=True, slots=True)
class Transaction:
    """A call of a contract, type 2. Creation is not something the keeper does: it deploys through a factory."""

    chain_id: int
    nonce: int
    tip: Wei
    max_fee: Wei
    gas: int
    to: Address
    data: bytes
    value: Wei = Wei(0)
    access_list: AccessList = ()


@dataclass(frozen=True, slots=True)
class Signature:
    """ECDSA over secp256k1 with the parity of the curve point."""

    y: int
    r: int
    s: int


@dataclass(frozen=True, slots=True)
class SignedTransaction:
    """A transaction that can be sent, and what it will be known by."""

    raw: bytes = field(repr=False)  # never in a log
    hash: Hash
    sender: Address
    nonce: int


def unsigned(tx: Transaction) -> bytes:
    """What is signed, and what a rollup measures a transaction by."""
    return TYPE + rlp.listed(_body(tx))


def sign(tx: Transaction, key: PrivateKey, sender: Address) -> SignedTransaction:
    """Sign with a key whose address the caller has already derived."""
    body = _body(tx)
    compact = key.sign_recoverable(keccak(TYPE + rlp.listed(body)), hasher=None)
    r, s = int.from_bytes(compact[:32], "big"), int.from_bytes(compact[32:64], "big")
    raw = _joined(body, Signature(compact[64], r, s))
    return SignedTransaction(raw, transaction_hash(raw), sender, tx.nonce)


def assemble(tx: Transaction, signature: Signature) -> bytes:
    """The raw transaction."""
    return _joined(_body(tx), signature)


def signing_digest(tx: Transaction) -> bytes:
    """What the signature signs."""
    return keccak(unsigned(tx))


def transaction_hash(raw: bytes) -> Hash:
    """The name a node will know it by."""
    return Hash("0x" + keccak(raw).hex())


def address_of(key: PublicKey) -> Address:
    """The account a public key controls."""
    return Address("0x" + keccak(key.format(compressed=False)[1:])[12:].hex())


def decode(raw: bytes) -> tuple[Transaction, Signature]:
    """The fields of a raw type-2 call, or ``DecodeError`` for anything else."""
    if raw[:1] != TYPE:
        raise DecodeError("not an EIP-1559 transaction")
    match rlp.decode(raw[1:]):
        case (bytes(c), bytes(n), bytes(t), bytes(m), bytes(g), bytes(to), bytes(v), bytes(data), tuple(access), *sig):
            chain, nonce, tip, fee, gas, value = map(_integer, (c, n, t, m, g, v))
        case _:
            raise DecodeError("not the fields of an EIP-1559 transaction")
    tx = Transaction(chain, nonce, Wei(tip), Wei(fee), gas, _address(to), data, Wei(value), _access_list(access))
    match sig:
        case [bytes(y), bytes(r), bytes(s)]:
            return tx, Signature(_integer(y), _integer(r), _integer(s))
    raise DecodeError("not a signed transaction")


def recover(tx: Transaction, signature: Signature) -> Address:
    """Who signed."""
    if signature.y > 1 or not 0 < signature.s <= HALF_ORDER or not 0 < signature.r < 2**256:
        raise DecodeError("signature out of range")
    compact = signature.r.to_bytes(32, "big") + signature.s.to_bytes(32, "big") + bytes((signature.y,))
    try:
        return address_of(PublicKey.from_signature_and_message(compact, signing_digest(tx), hasher=None))
    except ValueError as error:
        raise DecodeError("a signature of nobody") from error


def _body(tx: Transaction) -> bytes:
    """The encoded fields without the list's head: shared by what is signed and what is sent."""
    encode, integer = rlp.encode, rlp.integer
    return b"".join(
        (
            encode(integer(tx.chain_id)),
            encode(integer(tx.nonce)),
            encode(integer(tx.tip)),
            encode(integer(tx.max_fee)),
            encode(integer(tx.gas)),
            b"\x94" + bytes.fromhex(tx.to[2:]),
            encode(integer(tx.value)),
            encode(tx.data),
            encode([[bytes.fromhex(a[2:]), [bytes.fromhex(k[2:]) for k in keys]] for a, keys in tx.access_list]),
        )
    )


def _joined(body: bytes, signature: Signature) -> bytes:
    encode, integer = rlp.encode, rlp.integer
    tail = encode(integer(signature.y)) + encode(integer(signature.r)) + encode(integer(signature.s))
    return TYPE + rlp.listed(body + tail)


def _integer(data: bytes) -> int:
    if data[:1] == b"\0" or len(data) > WORD:
        raise DecodeError("an integer with leading zeros or beyond 256 bits")
    return int.from_bytes(data, "big")


def _address(data: bytes) -> Address:
    if len(data) != ADDRESS_SIZE:
        raise DecodeError("not an address: keeper signs calls, never creations")
    return Address("0x" + data.hex())


def _access_list(items: tuple[rlp.Item, ...]) -> AccessList:
    entries: list[tuple[Address, tuple[Hash, ...]]] = []
    for item in items:
        match item:
            case (bytes(address), tuple(keys)):
                entries.append((_address(address), tuple(map(_slot, keys))))
            case _:
                raise DecodeError("not an access list")
    return tuple(entries)


def _slot(item: rlp.Item) -> Hash:
    if not isinstance(item, bytes) or len(item) != WORD:
        raise DecodeError("not a storage slot")
    return Hash("0x" + item.hex())
