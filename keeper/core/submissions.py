"""A signed intention on its way into a block, and what a channel said when it was handed over.

Law: an answer is not an inclusion. ``ACCEPTED`` means that the channel took the bytes, ``UNKNOWN`` that they may have
been taken and may land, and only ``REJECTED`` that this channel will not land them. Every variant ever handed over
must be acceptable if it lands: a cancellation is a wish.
"""

from dataclasses import dataclass, field
from enum import Enum, Flag, auto
from typing import Protocol

from keeper.core.units import Address, Amount, BlockNumber, Bps, Hash, Wei


class Capability(Flag):
    """What a channel can carry and honour. The fan-out hands over nothing a channel cannot keep."""

    NONE = 0
    BUNDLE = auto()  # several transactions, all or nothing, in exactly the target block
    BACKRUN = auto()  # a transaction right after one known only by its hash
    CANCEL = auto()  # a request to forget a submission
    PUBLIC = auto()  # everyone can read what is handed over


@dataclass(frozen=True, slots=True)
class Window:
    """The blocks in which an opportunity may land, both ends included."""

    min: BlockNumber
    max: BlockNumber


@dataclass(frozen=True, slots=True)
class Bid:
    """What the builder is offered."""

    tip: Wei  # priority fee for each unit of gas
    coinbase_bps: Bps  # share of measured profit, paid by the executor contract
    est_delta: Wei  # both together, as simulated: the growth of the fee recipient's balance


@dataclass(frozen=True, slots=True)
class Simulated:
    """The passed simulation without which nothing is sent."""

    state_block: BlockNumber  # the block whose state it ran on
    gas: int
    delta: Wei  # growth of the fee recipient's balance
    profit: Amount  # in the plan's profit token


@dataclass(frozen=True, slots=True)
class Submission:
    """One variant of one opportunity, for one target block. All variants share the nonce, so at most one lands.

    ``id`` names the opportunity and is the same for all variants; ``revision`` grows with every re-signing.
    """

    id: str
    chain: int
    eoa: Address
    nonce: int
    raw_txs: tuple[bytes, ...] = field(repr=False)  # never in a log
    tx_hashes: tuple[Hash, ...]
    target_block: BlockNumber
    window: Window
    deadline_ts: float  # by the monotonic clock, which never jumps: later than this nothing more is handed over
    bid: Bid
    sim: Simulated
    revision: int = 0
    trigger: Hash | None = None  # backrun only: the event this transaction must follow


class AckStatus(Enum):
    """What is known after the hand-over. The value is what logs show."""

    ACCEPTED = "accepted"
    REJECTED = "rejected"
    UNKNOWN = "unknown"  # timed out or the server broke: may have landed


@dataclass(frozen=True, slots=True)
class Ack:
    """One channel's answer to one submission."""

    channel: str
    http: int | None  # None: no answer came
    status: AckStatus
    remote_id: str | None  # the bundle hash as this channel computes it
    latency: float  # seconds
    detail: str  # readable, bounded, without raw transactions


class Withdrawal(Enum):
    """What became of the wish to withdraw. None of them proves that the submission cannot land."""

    ASKED = "asked"
    REFUSED = "refused"
    UNSUPPORTED = "unsupported"


@dataclass(frozen=True, slots=True)
class BestEffort:
    """A channel's answer to a cancellation."""

    channel: str
    withdrawal: Withdrawal
    detail: str


@dataclass(frozen=True, slots=True)
class ChannelStatus:
    """Whether a channel answers at all."""

    channel: str
    alive: bool
    latency: float  # seconds
    detail: str


def refusal(capabilities: Capability, submission: Submission) -> str | None:
    """Why a channel with these capabilities cannot carry this submission as it is meant, or None."""
    if submission.trigger is not None and Capability.BACKRUN not in capabilities:
        return "cannot follow another transaction"
    if submission.trigger is not None and len(submission.raw_txs) > 1:
        return "a backrun is one transaction"
    if len(submission.raw_txs) > 1 and Capability.BUNDLE not in capabilities:
        return "cannot keep several transactions together"
    return None


class Channel(Protocol):
    """A way into blocks. Foreign failures come back as an ``Ack``; nothing is raised."""

    @property
    def name(self) -> str: ...
    @property
    def capabilities(self) -> Capability: ...

    async def submit(self, submission: Submission) -> Ack: ...
    async def cancel(self, submission: Submission) -> BestEffort: ...
    async def health(self) -> ChannelStatus: ...
