"""What the stand-in relay accepts, and in which words each kind of builder says no.

Law: as strict as the strictest real server. The signature is checked over the bytes that arrived; a field nobody
documents is refused, because a real server would ignore it in silence; what may not be combined is refused.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any, Final
from uuid import UUID

from eth_account import Account
from eth_account.messages import encode_defunct
from eth_keys.exceptions import BadSignature
from eth_utils.crypto import keccak
from eth_utils.exceptions import ValidationError

from keeper.core.units import Address, BlockNumber, Hash, Timestamp
from keeper.devnet.relay_book import Bundle
from keeper.devnet.relay_tx import Tx, Undecodable, decode

MOST_TXS: Final = 100
MOST_BYTES: Final = 300_000
RETIRED: Final = frozenset(
    f"flashbots_get{name}" for name in ("UserStats", "UserStatsV2", "BundleStats", "BundleStatsV2", "SbundleStats")
)
COMMON: Final = frozenset(
    {"txs", "blockNumber", "minTimestamp", "maxTimestamp", "revertingTxHashes", "replacementUuid"}
)
VERSION_2: Final = frozenset({"replacementNonce", "uuid", "refundPercent", "refundRecipient", "refundTxHashes"})


class Problem(Enum):
    """Why a request is refused."""

    NO_SIGNATURE = "no signature provided"
    BAD_SIGNATURE = "invalid signature provided"
    NO_ACCOUNT = "missing authorization"
    BAD_TXS = "unable to decode txs"
    BAD_BUNDLE = "unable to decode bundle"
    NO_METHOD = "method not found"
    NO_JSON = "Parse error"


class Refused(Exception):
    """A request that is not taken; ``text`` is said instead of the problem's own words when there are better ones."""

    def __init__(self, problem: Problem, text: str | None = None) -> None:
        super().__init__(text or problem.value)
        self.problem = problem
        self.text = text


@dataclass(frozen=True, slots=True)
class House:
    """One kind of builder: whom it listens to, which fields it reads, how it says no."""

    signature: bool  # must be there; where it is not asked for but present, it must be right
    account: bool
    fields: frozenset[str]
    cancels_by_empty: bool
    refusals: Mapping[Problem, tuple[int, int | None]]  # HTTP status and error code; no code: the bare text
    any_uuid: bool = True


GO_UTILS: Final[Mapping[Problem, tuple[int, int | None]]] = {
    Problem.NO_SIGNATURE: (200, -32600),
    Problem.BAD_SIGNATURE: (200, -32600),
    Problem.NO_ACCOUNT: (401, -32600),
    Problem.BAD_TXS: (400, None),
    Problem.BAD_BUNDLE: (200, -32000),
    Problem.NO_METHOD: (200, -32601),
    Problem.NO_JSON: (200, -32700),
}
FLOW_PROXY: Final[Mapping[Problem, tuple[int, int | None]]] = {
    **GO_UTILS,
    Problem.NO_SIGNATURE: (400, -32603),
    Problem.BAD_SIGNATURE: (400, -32603),
    Problem.BAD_TXS: (400, -32602),
    Problem.BAD_BUNDLE: (400, -32602),
    Problem.NO_METHOD: (404, -32601),
    Problem.NO_JSON: (400, -32700),
}
HOUSES: Final[Mapping[str, House]] = {
    "flashbots": House(
        signature=True,
        account=False,
        fields=COMMON | {"builders"},
        cancels_by_empty=False,
        refusals=GO_UTILS,
        any_uuid=False,
    ),
    "buildernet": House(
        signature=True,
        account=False,
        fields=COMMON | VERSION_2 | {"version"},
        cancels_by_empty=True,
        refusals=FLOW_PROXY,
    ),
    "titan": House(
        signature=False,
        account=False,
        fields=COMMON | {"refundPercent", "refundRecipient", "refundTxHashes"},
        cancels_by_empty=True,
        refusals=GO_UTILS,
    ),
    "bloxroute": House(signature=False, account=True, fields=COMMON, cancels_by_empty=True, refusals=GO_UTILS),
    "sequencer": House(signature=False, account=False, fields=frozenset(), cancels_by_empty=False, refusals=GO_UTILS),
}


def signer_of(header: str | None, body: bytes, *, required: bool) -> Address | None:
    """Who signed these bytes."""
    if header is None:
        if required:
            raise Refused(Problem.NO_SIGNATURE)
        return None
    address, colon, signature = header.partition(":")
    try:
        if not colon or not signature.startswith("0x"):
            raise Refused(Problem.BAD_SIGNATURE)
        message = encode_defunct(text="0x" + keccak(body).hex())
        signer = str(Account.recover_message(message, signature=signature)).lower()
    except (ValueError, TypeError, BadSignature, ValidationError):
        raise Refused(Problem.BAD_SIGNATURE) from None
    if signer != address.lower():
        raise Refused(Problem.BAD_SIGNATURE)
    return Address(signer)


def bundle_of(house: House, fields: object, signer: Address | None, chain: int, head: BlockNumber) -> Bundle:
    """A bundle from the object of ``eth_sendBundle``. One without transactions is a cancellation."""
    if not isinstance(fields, dict) or not fields.keys() <= house.fields:
        raise Refused(Problem.BAD_BUNDLE)
    if fields.get("version", "v2") == "v1" and fields.keys() & VERSION_2 - {"uuid"}:
        raise Refused(Problem.BAD_BUNDLE)
    txs = signed_txs(fields.get("txs"), chain)
    uuid = _uuid(house, fields.get("replacementUuid", fields.get("uuid")))
    if not txs and not (house.cancels_by_empty and uuid):
        raise Refused(Problem.BAD_BUNDLE)
    block = block_number(fields.get("blockNumber"), head)
    return Bundle(
        hash=bundle_hash(txs),
        signer=signer,
        txs=txs,
        first=block,
        last=block,
        min_timestamp=Timestamp(_integer(fields.get("minTimestamp"))),
        max_timestamp=Timestamp(_integer(fields.get("maxTimestamp"))),
        reverting=frozenset(Hash(one.lower()) for one in _strings(fields.get("revertingTxHashes"))),
        uuid=uuid,
        sequence=_integer(fields["replacementNonce"]) if "replacementNonce" in fields else None,
    )


def from_bloxroute(fields: object) -> dict[str, Any]:
    """The same bundle in common words."""
    names = {"transaction": "txs", "block_number": "blockNumber", "min_timestamp": "minTimestamp"}
    names |= {"max_timestamp": "maxTimestamp", "reverting_hashes": "revertingTxHashes", "uuid": "replacementUuid"}
    if not isinstance(fields, dict) or not fields.keys() <= names.keys() | {"mev_builders"}:
        raise Refused(Problem.BAD_BUNDLE)
    if not isinstance(fields.get("mev_builders", {}), dict):
        raise Refused(Problem.BAD_BUNDLE)
    raws = _strings(fields.get("transaction"))
    if any(raw.startswith("0x") for raw in raws):
        raise Refused(Problem.BAD_TXS, "transactions must come without 0x")
    common = {names[name]: value for name, value in fields.items() if name in names}
    return common | {"txs": ["0x" + raw for raw in raws]}


def signed_txs(raws: object, chain: int) -> tuple[Tx, ...]:
    """Raw transactions of this chain, within the sizes a relay takes."""
    texts = _strings(raws)
    if len(texts) > MOST_TXS or sum(map(len, texts)) > 2 * MOST_BYTES:
        raise Refused(Problem.BAD_BUNDLE, "bundle too large")
    try:
        if not all(text.startswith("0x") for text in texts):
            raise Refused(Problem.BAD_TXS)
        txs = tuple(decode(text) for text in texts)
    except Undecodable:
        raise Refused(Problem.BAD_TXS) from None
    if any(tx.chain_id != chain for tx in txs):
        raise Refused(Problem.BAD_TXS)
    return txs


def block_number(value: object, head: BlockNumber) -> BlockNumber:
    """A block in hex; nothing means the next one."""
    if value is None or value == "0x":
        return BlockNumber(head + 1)
    if not isinstance(value, str) or not value.startswith("0x"):
        raise Refused(Problem.BAD_BUNDLE)
    try:
        return BlockNumber(int(value, 16))
    except ValueError:
        raise Refused(Problem.BAD_BUNDLE) from None


def bundle_hash(txs: Sequence[Tx]) -> Hash:
    """As Flashbots computes it: the digest of the transactions' digests."""
    return Hash("0x" + keccak(b"".join(bytes.fromhex(tx.hash[2:]) for tx in txs)).hex())


def _uuid(house: House, value: object) -> str | None:
    if value is None:
        return None
    try:
        if not isinstance(value, str) or (not house.any_uuid and UUID(value).version != 4):  # noqa: PLR2004 - UUIDv4
            raise Refused(Problem.BAD_BUNDLE)
    except ValueError:
        raise Refused(Problem.BAD_BUNDLE) from None
    return value


def _integer(value: object) -> int:
    if value is None:
        return 0
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        raise Refused(Problem.BAD_BUNDLE)
    return value


def _strings(value: object) -> list[str]:
    if value is None:
        return []
    if not isinstance(value, list) or not all(isinstance(one, str) for one in value):
        raise Refused(Problem.BAD_BUNDLE)
    return value
