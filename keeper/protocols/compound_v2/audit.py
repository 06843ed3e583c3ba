"""The chain's own word on accounts: the comptroller's view, and what it is made of.

Law: an account's two sums are added up from what the chain answers, position by position, and must differ by just what
``getAccountLiquidity`` says. Nothing of the book's is used but which accounts are asked about.
"""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from keeper.core.book import Book
from keeper.core.calls import addresses, integer
from keeper.core.events import Read
from keeper.core.ports import Answers, Ask, Health, Inquiry, InquiryOf, Quarantine
from keeper.core.units import WAD, ZERO_ADDRESS, Address, BaseValue, Wad
from keeper.protocols.compound_v2 import maths
from keeper.protocols.compound_v2.amounts import amount_reads, learn_amounts
from keeper.protocols.compound_v2.apply import VAI_DOUBT
from keeper.protocols.compound_v2.calls import call
from keeper.protocols.compound_v2.facts import FORCED, Parts
from keeper.protocols.compound_v2.governance import listed
from keeper.protocols.compound_v2.view import Sums

_THRESHOLD = 1  # the weighting that liquidations ask for


class _Asked(NamedTuple):
    """One market of one account."""

    v_token: Address
    snapshot: Read  # error, vTokens, debt, exchange rate
    price: Read
    factor: Read
    core: Read  # error | listed, factor: where there are no pools
    forced: Read
    forced_own: Read


def audit(book: Book, comptroller: Address, rows: Sequence[int]) -> InquiryOf[Mapping[int, Health | Quarantine]]:
    """What the chain says of these accounts now."""
    parts: Parts = book.fact("market")
    views = {row: call(comptroller, "getAccountLiquidity(address)", book.account(row)) for row in rows}
    inside = {row: call(comptroller, "getAssetsIn(address)", book.account(row)) for row in rows}
    vai = {row: call(parts.vai_controller, "getVAIRepayAmount(address)", book.account(row)) for row in rows}
    first = yield [*views.values(), *inside.values(), *vai.values()]
    asked = {
        row: [_ask(parts, comptroller, book.account(row), v_token) for v_token in addresses(first, read) or []]
        for row, read in inside.items()
    }
    second = yield [read for markets in asked.values() for market in markets for read in market[1:]]
    return {row: _health(first, views[row], second, asked[row], integer(first, vai[row]) or 0) for row in rows}


def _ask(parts: Parts, comptroller: Address, account: Address, v_token: Address) -> _Asked:
    return _Asked(
        v_token,
        call(v_token, "getAccountSnapshot(address)", account),
        call(parts.oracle, "getUnderlyingPrice(address)", v_token),
        call(comptroller, "getEffectiveLtvFactor(address,address,uint8)", account, v_token, _THRESHOLD),
        call(comptroller, "markets(address)", v_token),
        call(comptroller, "isForcedLiquidationEnabled(address)", v_token),
        call(comptroller, "isForcedLiquidationEnabledForUser(address,address)", account, v_token),
    )


def _health(first: Answers, view: Read, second: Answers, markets: Sequence[_Asked], vai: int) -> Health | Quarantine:
    error, liquidity, shortfall = (integer(first, view, at) for at in range(3))
    if error != 0 or liquidity is None or shortfall is None:
        return Quarantine("account", "the chain's own view reverts or answers an error number")
    collateral, debt, forced = 0, vai, False
    for market in markets:
        tokens, owed, rate = (integer(second, market.snapshot, at) or 0 for at in (1, 2, 3))
        price = integer(second, market.price) or 0
        factor = integer(second, market.factor)
        factor = integer(second, market.core, 1) if factor is None else factor
        collateral += maths.unit_value(factor or 0, rate, price) * tokens // WAD
        debt += price * owed // WAD
        forced = forced or bool(owed and (integer(second, market.forced) or integer(second, market.forced_own)))
    if collateral - debt != liquidity - shortfall:
        return Quarantine("account", f"the view says {liquidity - shortfall}, its parts make {collateral - debt}")
    return Health(Wad(0 if forced else Sums(collateral, debt).factor), BaseValue(collateral), BaseValue(debt))


def reread(book: Book, comptroller: Address, rows: Sequence[int]) -> Inquiry:
    """Take amounts, membership and pool of some accounts from the chain."""
    parts: Parts = book.fact("market")
    subjects = [*listed(book), *([VAI_DOUBT] if parts.vai_controller != ZERO_ADDRESS else [])]
    amounts = {
        (subject, row): amount_reads(book, comptroller, subject, book.account(row))
        for subject in subjects
        for row in rows
    }
    pools = {row: call(comptroller, "userPoolId(address)", book.account(row)) for row in rows}
    members = {
        (row, entry.number): call(comptroller, "checkMembership(address,address)", book.account(row), Address(v_token))
        for row in rows
        for v_token, entry in book.facts("listing").items()
    }
    asks: list[Ask] = [read for group in amounts.values() for read in group]
    answers = yield [*asks, *pools.values(), *members.values()]
    for (subject, row), reads in amounts.items():
        learn_amounts(book, subject, book.account(row), reads, answers)
    for row in rows:
        flags = sum(1 << number for (owner, number), read in members.items() if owner == row and integer(answers, read))
        book.mark(row, flags | book.flags(row) & FORCED, integer(answers, pools[row]) or 0)
