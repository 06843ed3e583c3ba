"""The market at one block time: facts turned into the numbers that health and liquidation need.

Law: all reserves are evaluated at the same time, the timestamp of the block that is aimed for. A reserve that lacks a
fact has no terms, and an account that depends on it gets a reason instead of a number.
"""

from typing import NamedTuple

from keeper.core.book import Book
from keeper.core.ports import Health, Quarantine
from keeper.core.units import MAX_U256, ZERO_ADDRESS, BaseValue, Timestamp, Wad
from keeper.protocols.aave_v3 import facts, health, maths
from keeper.protocols.aave_v3.facts import COLLATERAL, DEBT
from keeper.protocols.aave_v3.health import Account
from keeper.protocols.aave_v3.profiles import PROFILES, Profile

KINDS = ("market", "listing", "config", "rates", "emode", "price", "impl", "code")


class Terms(NamedTuple):
    """One reserve at one time."""

    asset: str
    liquidity_index: int
    borrow_index: int
    price: int  # zero: the oracle gives none, and only the category's is there
    unit: int
    config: facts.Config


class View:
    """A market's facts at a block time. Made anew when a fact or the time moves."""

    def __init__(self, book: Book, at: Timestamp) -> None:
        self.at = at
        self.versions = versions(book)
        self.missing: dict[int, Quarantine] = {}
        self.terms: dict[int, Terms] = {}
        self.emodes = {int(key): value for key, value in book.facts("emode").items()}
        self.emode_prices = {key: book.fact("price", value.price_source) for key, value in self.emodes.items()}
        self.profile = profile_of(book)
        if self.profile is not None:
            for asset, listing in book.facts("listing").items():
                self._add(book, self.profile, asset, listing)

    def _add(self, book: Book, profile: Profile, asset: str, listing: facts.Listing) -> None:
        rates, price, word = (book.fact(kind, asset) for kind in ("rates", "price", "config"))
        if rates is None or word is None:
            self.missing[listing.id] = Quarantine(asset, "the reserve cannot be read")
            return
        config = facts.config(word)
        if price is None:
            self.missing[listing.id] = Quarantine(asset, "the oracle gives no price")
            if profile.bitmap_emodes or not self.emode_prices.get(config.category):
                return  # else members of the category need no other price than the category's
        indexes = health.indexes(profile, rates, self.at)
        self.terms[listing.id] = Terms(asset, *indexes, price or 0, 10**config.decimals, config)

    def lacks(self, mode: int, number: int) -> bool:
        """Whether what an account in this e-mode would need of a reserve is set aside."""
        terms = self.terms.get(number)
        return number in self.missing and (terms is None or not mode or terms.config.category != mode)

    def threshold(self, mode: int, number: int) -> int:
        """The liquidation threshold of a reserve for an account in an e-mode."""
        own = self.terms[number].config.threshold
        emode = self.emodes.get(mode)
        return emode.threshold if emode is not None and self.in_emode(mode, number) else own

    def bonus(self, mode: int, number: int) -> int:
        """The liquidation bonus of a reserve for an account in an e-mode."""
        own = self.terms[number].config.bonus
        emode = self.emodes.get(mode)
        return emode.bonus if emode is not None and self.in_emode(mode, number) else own

    def in_emode(self, mode: int, number: int) -> bool:
        """Whether a reserve is collateral of the account's e-mode category."""
        if not mode or self.profile is None:
            return False
        if self.profile.bitmap_emodes:
            emode = self.emodes.get(mode)
            return emode is not None and bool(emode.collateral_bitmap >> number & 1)
        return self.terms[number].config.category == mode

    def price(self, mode: int, number: int) -> int:
        """The price of a reserve for an account: up to 3.1 its e-mode category may have one of its own."""
        terms = self.terms[number]
        if mode and self.profile is not None and not self.profile.bitmap_emodes and terms.config.category == mode:
            return self.emode_prices.get(mode) or terms.price
        return terms.price

    def seizure_price(self, mode: int, number: int) -> int:
        """What a liquidation takes as the price of seized collateral."""
        own = self._category_price(mode) if self.in_emode(mode, number) else None
        return self.terms[number].price if own is None else own

    def repay_price(self, mode: int, number: int) -> int:
        """What a liquidation takes as the price of repaid debt: any debt counts as one of the e-mode category."""
        own = self._category_price(mode)
        return self.terms[number].price if own is None else own

    def _category_price(self, mode: int) -> int | None:
        emode = self.emodes.get(mode)
        return None if emode is None or emode.price_source == ZERO_ADDRESS else self.emode_prices[mode]

    def balances(self, book: Book, row: int) -> dict[int, tuple[int, int]]:
        """Per reserve id the aToken balance and the whole debt of an account, without reserves that are set aside."""
        held: dict[int, tuple[int, int]] = {}
        profile = self.profile
        if profile is None:
            return held
        for column, amount in book.positions(row):
            number, side = column >> 2, column & 3
            if number not in self.terms:
                continue
            terms, (collateral, debt) = self.terms[number], held.get(number, (0, 0))
            if side == COLLATERAL:
                collateral = profile.collateral_balance(amount, terms.liquidity_index)
            elif side == DEBT:
                debt += profile.debt_balance(amount, terms.borrow_index)
            elif profile.stable_debt:
                rate, updated = book.annex(row, column)
                debt += maths.stable_debt(amount, rate, self.at - updated)
            held[number] = collateral, debt
        return held

    def health(self, book: Book, row: int) -> Health | Quarantine:
        """What ``getUserAccountData`` answers at this time."""
        if self.profile is None:
            return Quarantine("pool", "the pool's implementation is not a known release")
        flags, mode = book.flags(row), book.mode(row)
        if not flags and not any(column & 3 for column, _ in book.positions(row)):
            return Health(Wad(MAX_U256), BaseValue(0), BaseValue(0))  # the pool answers before it looks at any price
        blocked = self._blocked(book, row, flags, mode)
        if blocked is not None:
            return blocked
        account = self.account(book, row)
        return Health(Wad(account.health_factor), BaseValue(account.collateral), BaseValue(account.debt))

    def account(self, book: Book, row: int) -> Account:
        """The account's totals; only for one that depends on nothing that is set aside."""
        if self.profile is None:
            raise ValueError("the pool's release is not known")
        flags, mode = book.flags(row), book.mode(row)
        return health.account_data(
            self.profile,
            [
                health.Position(
                    collateral if flags >> number & 1 else 0,
                    debt,
                    self.price(mode, number),
                    self.terms[number].unit,
                    self.threshold(mode, number),
                    self.terms[number].config.threshold,
                )
                for number, (collateral, debt) in self.balances(book, row).items()
                if debt or flags >> number & 1
            ],
        )

    def _blocked(self, book: Book, row: int, flags: int, mode: int) -> Quarantine | None:
        """Why the account's own health cannot be known, if so: something that it depends on is set aside."""
        emode = self.emodes.get(mode)
        if emode is not None and emode.price_source != ZERO_ADDRESS and self.emode_prices[mode] is None:
            return Quarantine(emode.price_source, "the oracle gives no price for this e-mode")
        if not self.missing:
            return None
        used = {column >> 2 for column, _ in book.positions(row) if column & 3 or flags >> (column >> 2) & 1}
        used |= {number for number in self.missing if flags >> number & 1}
        return next((self.missing[number] for number in used if self.lacks(mode, number)), None)


def profile_of(book: Book) -> Profile | None:
    """The release the pool runs, if it was recognised."""
    parts = book.fact("market")
    return None if parts is None else PROFILES.get(book.fact("code", book.fact("impl", parts.pool) or "") or "")


def versions(book: Book) -> tuple[int, ...]:
    """What a view depends on besides time."""
    return tuple(book.version(kind) for kind in KINDS)
