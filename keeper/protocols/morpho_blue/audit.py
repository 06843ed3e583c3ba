"""The chain's own view of positions.

Law: nothing of the book is used but who is in which market, and at last the list of prices that gives amounts one unit.
Position, totals, rate and price are the chain's at the
block; interest to its timestamp is added by the contract's formula, written again as one sum of exact fractions.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from math import ceil, floor
from typing import Final

from keeper.core.book import Book
from keeper.core.calls import integer, size
from keeper.core.events import Read, word
from keeper.core.ports import Answers, Ask, HeaderOf, Health, InquiryOf, Quarantine, Valued
from keeper.core.units import MAX_U128, MAX_U256, WAD, ZERO_ADDRESS, Address, BaseValue, Timestamp, Wad, owner, pocket
from keeper.protocols.morpho_blue.calls import call, of_market, rate_view
from keeper.protocols.morpho_blue.facts import Listing, State
from keeper.protocols.morpho_blue.survey import state_of
from keeper.protocols.morpho_blue.worth import in_list

_POSITION_WORDS: Final = 3


@dataclass(frozen=True, slots=True)
class _Asked:
    """What is read for one row."""

    market: str
    listing: Listing
    lltv: int
    position: Read
    price: Read
    consent: Read | None


def audit(
    book: Book, morpho: Address, rows: Sequence[int], worth: Callable[[Timestamp], Mapping[Address, Valued]]
) -> InquiryOf[Mapping[int, Health | Quarantine]]:
    """Healths by the chain's numbers at the block that is asked."""
    asked = {row: _ask(book, morpho, book.account(row)) for row in rows}
    states = {entry.market: of_market(morpho, "market(bytes32)", entry.market) for entry in asked.values()}
    asks: list[Ask] = [HeaderOf(), *states.values()]
    for entry in asked.values():
        asks += [entry.position, entry.price, *([entry.consent] if entry.consent else [])]
    answers = yield asks
    found = {market: state_of(answers[read]) for market, read in states.items()}
    listings = {entry.market: entry.listing for entry in asked.values() if entry.listing.irm != ZERO_ADDRESS}
    rates = {market: rate_view(entry, state) for market, entry in listings.items() if (state := found[market])}
    told = yield list(rates.values())
    debts: dict[str, tuple[int, int] | None] = {}
    for market, state in found.items():
        rate = integer(told, rates[market]) if market in rates else 0
        seconds = 0 if state is None else answers[HeaderOf()].timestamp - state.updated
        debts[market] = None if state is None or rate is None else _grown(state, rate * seconds)
    known = worth(answers[HeaderOf()].timestamp)
    return {
        row: in_list(_health(answers, entry, debts[entry.market]), known.get(entry.listing.loan))
        for row, entry in asked.items()
    }


def _ask(book: Book, morpho: Address, account: Address) -> _Asked:
    where, who = pocket(account), owner(account)
    offer = book.fact("offer", where)
    market = where if offer is None else offer.market
    listing: Listing = book.fact("listing", market)
    return _Asked(
        market,
        listing,
        listing.lltv if offer is None else offer.lltv,
        of_market(morpho, "position(bytes32,address)", market, who),
        call(listing.oracle if offer is None else offer.oracle, "price()"),
        None if offer is None else call(morpho, "isAuthorized(address,address)", who, Address(where)),
    )


def _grown(state: State, power: int) -> tuple[int, int] | None:
    """Debt and shares after interest, each term of the series rounded down as it is added."""
    second = floor(Fraction(power**2, 2 * WAD))
    third = floor(Fraction(second * power, 3 * WAD))
    after = state.borrow_assets + floor(Fraction(state.borrow_assets * (power + second + third), WAD))
    return (after, state.borrow_shares) if after <= MAX_U128 else None


def _health(answers: Answers, asked: _Asked, debt: tuple[int, int] | None) -> Health | Quarantine:
    data = answers[asked.position]
    if data is None or size(data) < _POSITION_WORDS:
        return Quarantine("account", "the chain's own view reverts")
    held = asked.consent is None or bool(integer(answers, asked.consent))
    shares, collateral = word(data, 1) * held, word(data, 2) * held
    if not shares:
        return Health(Wad(MAX_U256), BaseValue(0), BaseValue(0))
    price = integer(answers, asked.price)
    value = None if price is None or collateral * price > MAX_U256 else floor(Fraction(collateral * price, 10**36))
    if value is None or debt is None:
        return Quarantine("account", "its market cannot be judged on the chain either")
    owed = ceil(Fraction(shares * (debt[0] + 1), debt[1] + 10**6))
    limit = floor(Fraction(value * asked.lltv, WAD))
    return Health(Wad(floor(Fraction(limit * WAD, owed))), BaseValue(value), BaseValue(owed))
