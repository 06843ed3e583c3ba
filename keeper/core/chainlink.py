"""Logs of Chainlink's aggregators, which many protocols' prices come from.

Law: a topic is the keccak-256 of the signature in the comment above it. Answers are emitted by the aggregator, never by
the proxy that readers call; a proxy of the older kind changes its aggregator without a word.
"""

from typing import Final

from keeper.core.events import Log

# event AnswerUpdated(int256,uint256,uint256)
ANSWER_UPDATED: Final = "0x0559884fd3a460db3073b7fc896cc77986f16e378210ded43186175bf646fc5f"
# event NewTransmission(uint32,int192,address,int192[],bytes,bytes32)
NEW_TRANSMISSION_OCR1: Final = "0xf6a97944f31ea060dfde0566e4167c1a1082551e64b60ecb14d599a9d023d451"
# event NewTransmission(uint32,int192,address,uint32,int192[],bytes,int192,bytes32,uint40)
NEW_TRANSMISSION_OCR2: Final = "0xc797025feeeaf2cd924c99e9205acb8ec04d5cad21c41ce637a38fb6dee6016a"
# event SecondaryRoundIdUpdated(uint32)
SECONDARY_ROUND_ID_UPDATED: Final = "0x8d530b9ddc4b318d28fdd4c3a21fcfecece54c1a72a824f262985b99afef009b"
# event PrimaryFeedUnlocked(uint32)
PRIMARY_FEED_UNLOCKED: Final = "0xda2435684a37fba6f7841e49b59e6ad975e462bbebd28ec9da4ed9746a6992be"
# event CutoffTimeSet(uint32)
CUTOFF_TIME_SET: Final = "0xb24a681ce3399a408a89fd0c2b59dfc24bdad592b1c7ec7671cf060596c1c4d1"

TOUCHED: Final = frozenset({SECONDARY_ROUND_ID_UPDATED, PRIMARY_FEED_UNLOCKED, CUTOFF_TIME_SET})  # of dual aggregators


def answered(log: Log) -> tuple[int, int] | None:
    """The aggregator's round and answer, if the log tells one."""
    topics = log.topics
    topic = topics[0] if topics else ""
    if topic == ANSWER_UPDATED:
        return int(topics[2], 16), signed(topics[1][2:])
    if topic in (NEW_TRANSMISSION_OCR1, NEW_TRANSMISSION_OCR2):
        return int(topics[1], 16), signed(log.data[2:66])
    return None


def signed(digits: str) -> int:
    """Hex digits of a word as int256."""
    value = int(digits, 16)
    return value - (1 << 256) if value >> 255 else value
