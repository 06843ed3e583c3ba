"""Whether an address is an exchange, whom an executor must be allowed to call, and the chain's own view of accounts.

Law: the chain decides, by what the address answers.
"""

from collections.abc import Mapping, Sequence

from keeper.core.book import Book
from keeper.core.calls import address, size
from keeper.core.events import signed_word
from keeper.core.plans import Role
from keeper.core.ports import CodeOf, Health, InquiryOf, Quarantine
from keeper.core.units import ZERO_ADDRESS, Address
from keeper.protocols.perp_curie.account import health_of
from keeper.protocols.perp_curie.calls import call


def examine(house: Address) -> InquiryOf[str]:
    """What is wrong with an address that should be a ClearingHouse; empty when nothing is."""
    code = CodeOf(house)
    reads = [call(house, name) for name in ("getExchange()", "getVault()", "getInsuranceFund()", "getQuoteToken()")]
    answers = yield [code, *reads]
    if answers[code] == "0x":
        return "there is no contract at this address"
    if any(address(answers, read) == ZERO_ADDRESS for read in reads):
        return "this contract is not a ClearingHouse: it names no exchange, vault, insurance fund and quote token"
    return ""


def callees(house: Address) -> InquiryOf[Mapping[Address, Role]]:
    """The clearing house, and the vault that margin goes through."""
    vault = call(house, "getVault()")
    answers = yield [vault]
    return dict.fromkeys((house, address(answers, vault)), Role.CALLED)


def audit(book: Book, house: Address, rows: Sequence[int]) -> InquiryOf[Mapping[int, Health | Quarantine]]:
    """``getAccountValue`` and ``getMarginRequirementForLiquidation`` of some accounts."""
    balance = book.fact("parts").account_balance
    values = {row: call(house, "getAccountValue(address)", book.account(row)) for row in rows}
    required = {
        row: call(balance, "getMarginRequirementForLiquidation(address)", book.account(row)) for row in rows
    }  # fmt: skip
    answers = yield [*values.values(), *required.values()]
    found: dict[int, Health | Quarantine] = {}
    for row in rows:
        value, requirement = answers[values[row]], answers[required[row]]
        if size(value) and size(requirement):
            found[row] = health_of(signed_word(value, 0), signed_word(requirement, 0))
        else:
            found[row] = Quarantine("account", "the chain's own view reverts")
    return found
