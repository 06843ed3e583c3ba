"""Transactions as the stand-in relay reads them: with eth-account, which shares nothing with keeper's own signer.

Law: a transaction is believed only after its sender was recovered. What an unlocked account of the local node sends has
no signature; it is marked as such and can only come from the node itself.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, Final

import rlp  # type: ignore[import-untyped]
from eth_account import Account
from eth_account.typed_transactions.typed_transaction import TypedTransaction
from eth_keys.exceptions import BadSignature
from eth_utils.crypto import keccak
from eth_utils.exceptions import ValidationError
from hexbytes import HexBytes

from keeper.core.units import Address, Hash, Wei

LEGACY: Final = 0xC0  # from here on the first byte is the head of a list
LEGACY_FIELDS: Final = ("nonce", "gasPrice", "gas", "to", "value", "data", "v", "r", "s")
_BROKEN: Final = (
    ValueError,
    TypeError,
    KeyError,
    IndexError,
    rlp.exceptions.RLPException,
    BadSignature,
    ValidationError,
)


class Undecodable(Exception):
    """Bytes that are no signed transaction."""


@dataclass(frozen=True, slots=True)
class Tx:
    """A transaction and who signed it."""

    hash: Hash
    sender: Address
    nonce: int
    to: Address | None
    data: str = field(repr=False)
    value: Wei
    gas: int
    max_fee: Wei
    tip: Wei
    chain_id: int | None
    access_list: tuple[Any, ...] = ()
    raw: str | None = field(default=None, repr=False)  # None: from an unlocked account of the node

    def as_call(self) -> dict[str, Any]:
        """As ``eth_simulateV1`` and, for an unlocked account, ``eth_sendTransaction`` want it."""
        fields: dict[str, Any] = {
            "from": self.sender,
            "nonce": hex(self.nonce),
            "gas": hex(self.gas),
            "value": hex(self.value),
            "input": self.data,
            "maxFeePerGas": hex(self.max_fee),
            "maxPriorityFeePerGas": hex(self.tip),
        }
        if self.to is not None:
            fields["to"] = self.to
        if self.access_list:
            fields["accessList"] = list(self.access_list)
        return fields


@lru_cache(maxsize=4096)
def decode(raw: str) -> Tx:
    """A raw transaction in hex, taken apart."""
    try:
        data = bytes.fromhex(raw.removeprefix("0x"))
        fields = _legacy(data) if data[0] >= LEGACY else _typed(data)
        sender = Account.recover_transaction(data)
    except _BROKEN as error:
        raise Undecodable(type(error).__name__) from None
    price = fields.get("gasPrice", 0)
    return Tx(
        hash=Hash("0x" + keccak(data).hex()),
        sender=Address(str(sender).lower()),
        nonce=fields["nonce"],
        to=Address("0x" + bytes(fields["to"]).hex()) if fields["to"] else None,
        data="0x" + bytes(fields["data"]).hex(),
        value=Wei(fields["value"]),
        gas=fields["gas"],
        max_fee=Wei(fields.get("maxFeePerGas", price)),
        tip=Wei(fields.get("maxPriorityFeePerGas", price)),
        chain_id=fields["chainId"],
        access_list=_listed(fields.get("accessList", ())),
        raw="0x" + data.hex(),
    )


def from_node(fields: Mapping[str, Any], raw: str) -> Tx:
    """A transaction out of the node's own pool or blocks."""
    price = fields.get("gasPrice") or "0x0"
    signed = int(fields.get("r") or "0x0", 16) != 0
    return Tx(
        hash=Hash(fields["hash"]),
        sender=Address(fields["from"].lower()),
        nonce=int(fields["nonce"], 16),
        to=Address(fields["to"].lower()) if fields.get("to") else None,
        data=fields["input"],
        value=Wei(int(fields["value"], 16)),
        gas=int(fields["gas"], 16),
        max_fee=Wei(int(fields.get("maxFeePerGas") or price, 16)),
        tip=Wei(int(fields.get("maxPriorityFeePerGas") or price, 16)),
        chain_id=int(fields["chainId"], 16) if fields.get("chainId") else None,
        access_list=tuple(fields.get("accessList") or ()),
        raw=raw if signed else None,
    )


def _typed(data: bytes) -> dict[str, Any]:
    return dict(TypedTransaction.from_bytes(HexBytes(data)).as_dict())


def _legacy(data: bytes) -> dict[str, Any]:
    fields: dict[str, Any] = dict(zip(LEGACY_FIELDS, rlp.decode(data), strict=True))
    for name in set(LEGACY_FIELDS) - {"to", "data"}:
        fields[name] = int.from_bytes(fields[name], "big")
    fields["chainId"] = (fields["v"] - 35) // 2 if fields["v"] >= 35 else None  # noqa: PLR2004 - EIP-155
    return fields


def _listed(entries: Any) -> tuple[dict[str, Any], ...]:  # noqa: ANN401 - eth-account's own shape
    return tuple(
        {
            "address": "0x" + bytes(HexBytes(entry["address"])).hex(),
            "storageKeys": ["0x" + bytes(HexBytes(key)).hex() for key in entry["storageKeys"]],
        }
        for entry in entries
    )
