"""Units of exact arithmetic.

Law: money is an integer and the direction of every rounding is in the name of the function that rounds.
Nothing here knows a protocol. Floats never enter.

A book's account is an address, or an address and the isolated pocket it is in: ``0x<40 hex>:<pocket>``. Whatever shows
or stores an account keeps the whole key; calldata names its owner. The same key may be an account of several markets:
what is remembered of one is kept under ``Who``.
"""

from typing import Final, NewType

Address = NewType("Address", str)  # lower-case 0x + 40 hex digits, as JSON-RPC sends it
Hash = NewType("Hash", str)  # lower-case 0x + 64 hex digits
Timestamp = NewType("Timestamp", int)  # seconds of block time, never of the wall clock
BlockNumber = NewType("BlockNumber", int)
Wei = NewType("Wei", int)  # native token, 1e-18
Amount = NewType("Amount", int)  # a token amount in the token's own smallest unit
Wad = NewType("Wad", int)  # 1e18 = one
Ray = NewType("Ray", int)  # 1e27 = one
Bps = NewType("Bps", int)  # 1e4 = one
BaseValue = NewType("BaseValue", int)  # a value in a market's own base currency unit
Who = tuple[Address, Address]  # a market, by the address it is configured with, and an account in it

WAD: Final = 10**18
RAY: Final = 10**27
RAD: Final = 10**45
BPS: Final = 10**4
MAX_U64: Final = 2**64 - 1
MAX_U128: Final = 2**128 - 1
MAX_U256: Final = 2**256 - 1
ZERO_ADDRESS: Final = Address("0x" + "0" * 40)
ADDRESS_DIGITS: Final = 42  # characters of an address, with its 0x


def owner(account: Address) -> Address:
    """The address of an account, whatever pocket it is in."""
    return Address(account[:ADDRESS_DIGITS])


def pocket(account: Address) -> str:
    """The isolated pocket of an account; empty where it has only one."""
    return account[ADDRESS_DIGITS + 1 :]


def mul_div_down(a: int, b: int, c: int) -> int:
    """``a*b/c`` rounded toward zero, for non-negative operands."""
    return a * b // c


def mul_div_up(a: int, b: int, c: int) -> int:
    """``a*b/c`` rounded away from zero, for non-negative operands."""
    return -(-a * b // c)


def mul_div_half_up(a: int, b: int, c: int) -> int:
    """``a*b/c`` rounded to nearest, halves up (not banker's)."""
    return (a * b + c // 2) // c


def div_up(a: int, b: int) -> int:
    """``a/b`` rounded up, for non-negative operands."""
    return -(-a // b)
