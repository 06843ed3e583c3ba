"""Whether an address is the comptroller of a Compound v2 market, and whom liquidations are addressed to.

Law: the chain decides, by what the address answers; what it says of itself in words is not asked.
"""

from collections.abc import Mapping

from keeper.core.calls import address, addresses, integer
from keeper.core.plans import Role
from keeper.core.ports import CodeOf, InquiryOf
from keeper.core.units import ZERO_ADDRESS, Address
from keeper.protocols.compound_v2.calls import call


def examine(comptroller: Address) -> InquiryOf[str]:
    """What is wrong with an address that should be a comptroller; empty when nothing is."""
    code = CodeOf(comptroller)
    names = ("isComptroller", "oracle", "getAllMarkets", "comptroller")
    reads = [call(comptroller, f"{name}()") for name in names]
    answers = yield [code, *reads]
    itself, oracle, markets, whole = reads
    if answers[code] == "0x":
        return "there is no contract at this address"
    if address(answers, whole) != ZERO_ADDRESS:
        return f"this is one market of a pool; its comptroller is {address(answers, whole)}"
    if not integer(answers, itself) or address(answers, oracle) == ZERO_ADDRESS:
        return "this contract is not a comptroller: it does not say so, or names no oracle"
    if not addresses(answers, markets):
        return "this comptroller lists no markets"
    return ""


def callees(comptroller: Address) -> InquiryOf[Mapping[Address, Role]]:
    """Venus's Liquidator, or every vToken and VAI's controller; vTokens are redeemed in either case."""
    names = ("liquidatorContract", "vaiController", "getAllMarkets")
    front, controller, markets = (call(comptroller, f"{name}()") for name in names)
    answers = yield [front, controller, markets]
    found = address(answers, front)
    called = Role.POOL if found != ZERO_ADDRESS else Role.POOL | Role.CALLED
    roles = dict.fromkeys(addresses(answers, markets) or [], called)
    roles[address(answers, controller) if found == ZERO_ADDRESS else found] = Role.CALLED
    return {target: role for target, role in roles.items() if target != ZERO_ADDRESS}
