"""A liquidation played through in the book, for reports that ask what comes after it.

Law: balances afterwards are the pool's to the last scaled unit, of variable debt; of stable debt they are a share.
"""

from keeper.core.actions import Action
from keeper.core.book import Book
from keeper.core.units import mul_div_up
from keeper.protocols.aave_v3.facts import COLLATERAL, DEBT, STABLE
from keeper.protocols.aave_v3.pair import LiquidationPair
from keeper.protocols.aave_v3.seizure import variable_balance


def fold(book: Book, row: int, action: Action, repay: int) -> None:
    """Take what a call takes out of an account: collateral, debt, and what is written off."""
    if not isinstance(action, LiquidationPair):
        raise TypeError(f"{action.protocol} is another protocol")
    done, terms, profile = action.settle(repay), action.terms, action.profile
    listings = book.facts("listing")
    seized = profile.collateral_scaled(done.received, terms.collateral_index)
    seized += profile.collateral_scaled(done.protocol_fee, terms.collateral_index) if done.protocol_fee else 0
    _take(book, row, listings[action.collateral_asset].id << 2 | COLLATERAL, seized)
    debt = listings[action.debt_asset].id << 2
    variable = variable_balance(profile, terms)
    paid = min(done.paid, variable)
    gone = terms.debt_scaled if paid == variable else profile.debt_scaled(paid, terms.debt_index)
    _take(book, row, debt | DEBT, gone)
    if done.paid > paid:
        principal = book.amount(row, debt | STABLE)
        _take(book, row, debt | STABLE, mul_div_up(principal, done.paid - paid, terms.stable_debt))
    if done.bad_debt:
        for column, amount in list(book.positions(row)):
            if column & 3 == DEBT:
                _take(book, row, column, amount)


def _take(book: Book, row: int, column: int, amount: int) -> None:
    held = book.amount(row, column)
    book.set_amount(row, column, max(held - amount, 0), book.annex(row, column))
