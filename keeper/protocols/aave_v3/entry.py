"""Whether an address is the entry of an Aave v3 market.

Law: the chain decides, by what the address answers; what it says of itself in words is not asked.
"""

from keeper.core.calls import address, addresses
from keeper.core.ports import CodeOf, InquiryOf
from keeper.core.units import ZERO_ADDRESS, Address
from keeper.protocols.aave_v3.calls import call


def examine(provider: Address) -> InquiryOf[str]:
    """What is wrong with an address that should be a PoolAddressesProvider; empty when nothing is."""
    code = CodeOf(provider)
    pool, oracle, owner = (call(provider, f"{name}()") for name in ("getPool", "getPriceOracle", "ADDRESSES_PROVIDER"))
    answers = yield [code, pool, oracle, owner]
    if answers[code] == "0x":
        return "there is no contract at this address"
    if (whole := address(answers, owner)) != ZERO_ADDRESS:
        return f"this is a part of a market; its PoolAddressesProvider is {whole}"
    found = address(answers, pool)
    if found == ZERO_ADDRESS or address(answers, oracle) == ZERO_ADDRESS:
        return "this contract is not a PoolAddressesProvider: it names no pool and oracle"
    listed = call(found, "getReservesList()")
    answers = yield [listed]
    if addresses(answers, listed) is None:
        return f"its pool {found} is none: it lists no reserves"
    return ""


def pool_of(provider: Address) -> InquiryOf[Address]:
    """The pool of a market."""
    pool = call(provider, "getPool()")
    answers = yield [pool]
    return address(answers, pool)
