"""Who the keeper is to relays: a key with a reputation and no money.

Law: the signature is over the body's bytes as posted, in the spelling relays expect: the ASCII text ``0x`` plus the hex
of the body's Keccak digest, signed as a personal message. The funds' keys never sign here.
"""

from collections import OrderedDict
from typing import Final
from uuid import UUID

from coincurve import PrivateKey
from eth_hash.auto import keccak

from keeper.core.submissions import Submission
from keeper.core.units import Address
from keeper.executor.transaction import address_of

HEADER: Final = "X-Flashbots-Signature"
CACHED: Final = 256  # bodies; a burst of one block sends fewer distinct ones per channel
PREFIX: Final = b"\x19Ethereum Signed Message:\n66"


class Identity:
    """Signs request bodies; equal bodies to several builders are signed once."""

    __slots__ = ("_headers", "_key", "_secret", "address")

    def __init__(self, secret: bytes) -> None:
        self._key = PrivateKey(secret)
        self.address: Address = address_of(self._key.public_key)
        self._secret = keccak(b"keeper replacement uuid" + secret)
        self._headers: OrderedDict[bytes, str] = OrderedDict()

    def __repr__(self) -> str:
        return f"Identity({self.address})"

    def header(self, body: bytes) -> str:
        """The header value that goes with these very bytes."""
        digest = keccak(body)
        known = self._headers.get(digest)
        if known is not None:
            self._headers.move_to_end(digest)
            return known
        header = self._headers[digest] = f"{self.address}:0x{self._sign(digest).hex()}"
        if len(self._headers) > CACHED:
            self._headers.popitem(last=False)
        return header

    def replacement_uuid(self, submission: Submission) -> str:
        """The name of an opportunity at a block: the same after a restart, and not to be guessed by others.

        Some builders let anyone cancel who knows the uuid.
        """
        seed = f"{submission.chain}/{submission.id}/{submission.target_block}".encode()
        return str(UUID(bytes=keccak(self._secret + seed)[:16], version=4))

    def _sign(self, digest: bytes) -> bytes:
        text = b"0x" + digest.hex().encode()
        compact = self._key.sign_recoverable(keccak(PREFIX + text), hasher=None)
        return compact[:64] + bytes((27 + compact[64],))
