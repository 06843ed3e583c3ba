"""What a node's error object means. Pure, and the only place that reads providers' texts.

Law: a fault becomes exactly one of: the call reverted (an answer), the block is not there, the question is too large,
busy (transient), refused (permanent). What is not recognised is an error, never an answer.
"""

import re
from typing import Final

import msgspec
from msgspec import Raw

from keeper.chain.ranges import refusal
from keeper.errors import BlockUnknown, Reverted, RpcError, TooMuch

REVERT_CODES: Final = {3, -32015}  # geth's, OpenEthereum's
NOT_FOUND_CODE: Final = -32001
_QUOTED: Final = 160
_NEVER: Final = {-32700, -32600, -32601, -32602, -32003, -32004, -32006, -32016}  # asked wrongly, or not offered
_INVALID: Final = range(-38026, -38009)  # eth_simulateV1: the block or the transaction cannot be


class Fault(msgspec.Struct, frozen=True):
    """A JSON-RPC error object, as loosely as providers write it."""

    code: int | str | None = None
    message: str | None = None
    data: Raw = Raw(b"")


_REVERTED: Final = re.compile(
    r"revert|invalid opcode|opcode 0x|opcodenotfound|invalidfeopcode|invalid jump|invalidjump|stack ?underflow"
    r"|stack ?overflow|stack limit reached|out of gas|outofgas|write protection|outofoffset|return data out of bounds"
    r"|callnotallowedinsidestatic|statechangeduringstaticcall|precompileerror|notactivated"
)
_UNKNOWN_BLOCK: Final = re.compile(
    r"unknown block|block not found|header not found|header for hash not found|block with hash .* not found"
    r"|resource not found|not (?:currently )?canonical|blockoutofrange|missing trie node"
    r"|state (?:is |was |has been )?(?:not available|unavailable|pruned|histor)|historical state|pruned"
    r"|no state (?:available|found)"
    r"|block range extends beyond|beyond (?:the )?(?:current )?head|future block|after last accepted block"
)
_UNSENDABLE: Final = re.compile(  # a transaction that no block can hold: repeating the question cannot help
    r"intrinsic gas|insufficient funds|nonce too (?:low|high)|max (?:priority )?fee per gas|exceeds block gas limit"
)
_BUSY: Final = re.compile(
    r"rate limit|request rate|rate exceeded|too many requests|throughput|per second|request count|capacity|credits"
    r"|quota|overloaded|busy|try again|temporar|timeout|timed out|aborted|internal error|upstream|unavailable"
    r"|connection"
)


def read_fault(fault: Fault | str) -> RpcError:
    """Map what a node calls an error to what it means. The only place that reads providers' texts."""
    if isinstance(fault, str):
        fault = Fault(message=fault)
    code = _integer(fault.code)
    data = _revert_data(fault.data)
    detail = bytes(fault.data).decode(errors="replace") if data is None and len(fault.data) else ""
    message = (fault.message or "unnamed error") + (f" ({detail[:_QUOTED]})" if detail else "")
    text = message.lower()
    if code in REVERT_CODES or _REVERTED.search(text):
        return Reverted(message, code=code, data=data or "0x")
    if code == NOT_FOUND_CODE or _UNKNOWN_BLOCK.search(text):
        return BlockUnknown(message, code=code, transient=True)
    if said := refusal(text):
        return TooMuch(message, code=code, blocks=said.blocks, cap=said.cap)
    if code in _INVALID or _UNSENDABLE.search(text):
        return RpcError(message, code=code)
    return RpcError(message, code=code, transient=code not in _NEVER or bool(_BUSY.search(text)))


def _integer(code: int | str | None) -> int | None:
    if isinstance(code, str):
        return int(code) if code.lstrip("-").isdigit() else None
    return code


def _revert_data(data: Raw) -> str | None:
    """Revert data as hex, from a bare string (geth) or "Reverted 0x…" (OpenEthereum's family)."""
    if not bytes(data).startswith(b'"'):
        return None
    text = msgspec.json.decode(data, type=str).removeprefix("Reverted ")
    return text if text.startswith("0x") else None
