"""Amounts that events could not tell, asked of the contracts.

Law: what an account owes in VAI is told whole. Of a vToken's debt only today's amount is told, not the index at which
it was counted: it is counted anew at the market's own, which may differ by one unit later on.
"""

from collections.abc import Sequence

from keeper.core.book import Book
from keeper.core.calls import integer
from keeper.core.events import Read
from keeper.core.ports import Answers, Inquiry
from keeper.core.units import Address
from keeper.protocols.compound_v2.apply import VAI_DOUBT
from keeper.protocols.compound_v2.calls import call
from keeper.protocols.compound_v2.facts import COLLATERAL, DEBT, VAI


def doubts(book: Book, comptroller: Address) -> Inquiry:
    """Amounts that events could not tell."""
    unsure = [tuple(key.split(":")) for key in book.facts("doubt")]
    reads = {
        (subject, account): amount_reads(book, comptroller, subject, Address(account)) for subject, account in unsure
    }
    answers = yield [read for group in reads.values() for read in group]
    for (subject, account), group in reads.items():
        learn_amounts(book, subject, Address(account), group, answers)
        book.learn("doubt", f"{subject}:{account}", None)


def amount_reads(book: Book, comptroller: Address, subject: str, account: Address) -> list[Read]:
    """What to ask about one account: of VAI, or of a vToken."""
    if subject != VAI_DOUBT:
        v_token = Address(subject)
        balances = [call(v_token, f"{name}(address)", account) for name in ("balanceOf", "borrowBalanceStored")]
        return [*balances, call(v_token, "borrowIndex()")]
    controller = book.fact("market").vai_controller
    names = ("pastVAIInterest", "getVAIMinterInterestIndex")
    own = [call(controller, f"{name}(address)", account) for name in names]
    return [call(comptroller, "mintedVAIs(address)", account), *own]


def learn_amounts(book: Book, subject: str, account: Address, reads: Sequence[Read], answers: Answers) -> None:
    """Put what was answered into the book."""
    row = book.open(account)
    amount, *rest = (integer(answers, read) or 0 for read in reads)
    if subject == VAI_DOUBT:
        book.set_amount(row, VAI, amount, (rest[0], rest[1]) if amount else ())
        return
    number = book.fact("listing", subject).number
    book.set_amount(row, number << 2 | COLLATERAL, amount)
    book.set_amount(row, number << 2 | DEBT, rest[0], (rest[1],) if rest[0] else ())
