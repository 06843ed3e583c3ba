"""Where the exchange keeps what no view tells: its accumulators.

Law: the numbers are those of the released contracts, whose sources forbid to reorder storage; ``PROOF`` are two words
that must hold what a view says before any other is believed.
"""

from typing import Final

from eth_utils.crypto import keccak

from keeper.core.ports import SlotOf
from keeper.core.units import Address
from keeper.protocols.perp_curie.facts import Growth, Outside

NOTHING: Final = Outside(0, 0, 0)
PROOF: Final = 205  # the exchange's order book; the order book's exchange
_LAST_TICK, _FIRST_TRADE, _SETTLED, _GROWTH, _TICK_AT = 208, 209, 210, 211, 214  # of the exchange
_OUTSIDE, _FEE = 208, 209  # of the order book
_CACHED, _CACHED_AT = 5401, 5402  # of a price feed, behind its 1800 observations
_TIME_BITS: Final = 160


def growth_slots(exchange: Address, order_book: Address, base: str) -> tuple[SlotOf, ...]:
    """What ``growth_of`` wants."""
    premium = _entry(base, _GROWTH)
    places = (premium, premium + 1, _entry(base, _SETTLED), _entry(base, _FIRST_TRADE))
    return (
        *(SlotOf(exchange, place) for place in places),
        SlotOf(order_book, _entry(base, _FEE)),
        *(SlotOf(exchange, _entry(base, number)) for number in (_LAST_TICK, _TICK_AT)),
    )


def settled_slot(exchange: Address, base: str) -> SlotOf:
    """When a market's funding was settled last."""
    return SlotOf(exchange, _entry(base, _SETTLED))


def growth_of(words: list[int]) -> Growth:
    """A market's accumulators."""
    premium, by_sqrt, settled, first_trade, fee, tick, tick_at = words
    return Growth(signed(premium), signed(by_sqrt), settled, fee, first_trade, signed(tick, 24), tick_at)


def outside_slots(order_book: Address, base: str, tick: int) -> tuple[SlotOf, ...]:
    """What ``outside_of`` wants."""
    inner = _entry(base, _OUTSIDE)
    first = int.from_bytes(keccak(tick.to_bytes(32, "big", signed=True) + inner.to_bytes(32, "big")), "big")
    return tuple(SlotOf(order_book, first + i) for i in range(3))


def outside_of(words: list[int]) -> Outside:
    """A tick's accumulators."""
    fee, premium, by_sqrt = words
    return Outside(fee, signed(premium), signed(by_sqrt))


def cache_slots(feed: Address) -> tuple[SlotOf, SlotOf]:
    """What a price feed cached, and when and for which interval."""
    return SlotOf(feed, _CACHED), SlotOf(feed, _CACHED_AT)


def cached_at(word: int) -> tuple[int, int]:
    """Block time of the cache, and the interval it is of."""
    return word & (1 << _TIME_BITS) - 1, word >> _TIME_BITS


def signed(value: int, bits: int = 256) -> int:
    """The low bits of a word in two's complement."""
    value &= (1 << bits) - 1
    return value - (1 << bits) if value >> bits - 1 else value


def _entry(key: str, slot: int) -> int:
    """The place of an address's value in a mapping."""
    return int.from_bytes(keccak(bytes(12) + bytes.fromhex(key[2:]) + slot.to_bytes(32, "big")), "big")
