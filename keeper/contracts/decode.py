"""What the executor answers: the result of a simulation, the reason of a revert, the traces of a landed transaction.

Law: a revert is a value with a name: the executor's own errors theirs, ``Error(string)`` its text, all others the
selector they came with. An account that is healthy again is named so whoever has noticed it.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from eth_hash.auto import keccak

from keeper.core.events import Log, word
from keeper.core.units import Address, Amount, Wei
from keeper.errors import DecodeError

_WORD_DIGITS: Final = 64


def _id(signature: str) -> str:
    return "0x" + keccak(signature.encode()).hex()


SKIPPED: Final = _id("Skipped(uint256,bytes)")
_TRANSFER: Final = _id("Transfer(address,address,uint256)")
_WITHDRAWAL: Final = _id("Withdrawal(address,uint256)")

_NAMES: Final = {
    _id(signature)[:10]: signature.partition("(")[0]
    for signature in (
        "Gone(address)",  # a rival was first, or the borrower repaid
        "Healthy(address)",
        "Expired()",
        "Unprofitable(uint256,uint256,uint256)",  # balance before, after, and the least growth asked for
        "Short(uint256,uint256)",  # what a leg has to give back with, and what it owes
        "NothingDone()",
        "Unpaid(address,uint256)",  # a token that refused a transfer, and how much of it
        "Refused(address,bytes)",  # who answered a call with an error number, and with which
        "NotLent()",
        "NoCallback()",
        "Foreign()",
        "Forbidden()",
        "Busy()",
    )
}
_HEALTHY: Final = {"45", _id("HealthFactorNotBelowThreshold()")[:10]}  # Aave's own word for it, up to 3.3 and since
_ERROR: Final = _id("Error(string)")[:10]


@dataclass(frozen=True, slots=True)
class Result:
    """What ``execute`` returns."""

    profit: Amount
    bid: Wei
    skipped: tuple[int, ...]  # places of the legs that were undone


@dataclass(frozen=True, slots=True)
class Revert:
    """Why a transaction, or a leg of it, was undone."""

    name: str
    data: str  # as the EVM gave it; a skipped leg's may be cut off

    @property
    def lost(self) -> bool:
        """Somebody was first, or the account recovered: no fault of the plan."""
        return self.name in ("Gone", "Healthy")


@dataclass(frozen=True, slots=True)
class Realised:
    """What a landed transaction did to the executor's balance of the profit token."""

    profit: Amount  # before the bid
    bid: Wei


def decode_result(data: str) -> Result:
    """The answer of a simulated ``execute``."""
    if len(data) != 2 + 3 * _WORD_DIGITS:
        raise DecodeError(f"execute answers three words, not {len(data) // 2 - 1} bytes")
    bits = word(data, 2)
    skipped = tuple(place for place in range(bits.bit_length()) if bits >> place & 1)
    return Result(Amount(word(data, 0)), Wei(word(data, 1)), skipped)


def decode_revert(data: str) -> Revert:
    """The reason in revert data, which may be empty or cut off."""
    name = data[:10]
    if name == _ERROR and len(data) >= 10 + 2 * _WORD_DIGITS:
        at = 10 + 2 * _WORD_DIGITS
        size = int(data[at - _WORD_DIGITS : at], 16)
        name = bytes.fromhex(data[at : at + 2 * size]).decode(errors="replace")
    return Revert("Healthy" if name in _HEALTHY else _NAMES.get(name, name), data)


def skipped_legs(logs: Iterable[Log], executor: Address) -> Sequence[tuple[int, Revert]]:
    """The legs that were undone while their siblings went on, and why."""
    return [
        (word(log.data, 0), decode_revert("0x" + _bytes(log.data, 1)))
        for log in logs
        if log.address == executor and log.topics[0] == SKIPPED
    ]


def realised(logs: Iterable[Log], executor: Address, weth: Address) -> Realised:
    """Profit and bid, from the profit token's own logs: the executor's balance grew by their difference.

    Unwrapping is a ``Withdrawal`` or, where the token is a burning one, a transfer to nobody; never both.
    """
    grown = bid = 0
    own, nobody = f"0x{executor[2:]:0>64}", "0x" + "0" * _WORD_DIGITS
    for log in logs:
        if log.address != weth:
            continue
        amount = word(log.data, 0)
        match log.topics:
            case (topic, sender, receiver, *_) if topic == _TRANSFER:
                if sender == own and receiver == nobody:
                    bid += amount
                else:
                    grown += amount * ((receiver == own) - (sender == own))
            case (topic, owner, *_) if topic == _WITHDRAWAL and owner == own:
                bid += amount
    return Realised(Amount(grown), Wei(bid))


def _bytes(data: str, place: int) -> str:
    """A dynamic ``bytes`` argument as hex."""
    at = 2 + 2 * word(data, place)
    size = int(data[at : at + _WORD_DIGITS], 16)
    return data[at + _WORD_DIGITS : at + _WORD_DIGITS + 2 * size]
