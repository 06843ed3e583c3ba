"""The market at one block time: facts turned into the numbers that health and liquidations need.

Laws
- In the block of the book, which is done, there is only the comptroller's view: it accrues nothing. A liquidation in a
  later block first accrues the market borrowed from and the one seized from, and no other (and VAI, where there is a
  Liquidator). The health of an account in such a block is what the best pair of markets makes of it.
- A market that lacks a fact sets aside only the accounts that depend on it.
- A debt that owners have released for liquidation is liquidatable at any health: then the health is 0.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Final, NamedTuple

from keeper.core.book import Book
from keeper.core.ports import Health, Quarantine
from keeper.core.units import MAX_U256, WAD, ZERO_ADDRESS, Address, BaseValue, Timestamp, Wad
from keeper.protocols.compound_v2 import maths
from keeper.protocols.compound_v2.facts import (
    DEBT,
    FORCED,
    VAI,
    Accrual,
    Clock,
    Config,
    Listing,
    Parts,
    Risk,
)

KINDS: Final = ("market", "listing", "config", "risk", "pool", "accrual", "price", "vai", "clock", "forced")
_SOON: Final = 60  # seconds after the book's block that are taken for the next block, whatever the chain's pace
_NOTHING: Final = Risk(0, 0)
VAI_DEBT: Final = -1  # in the place of a market borrowed from


class Terms(NamedTuple):
    """One market at one time."""

    v_token: Address
    listing: Listing
    config: Config
    stored: Accrual
    accrued: Accrual
    rate: int  # exchange rate as stored
    rate_accrued: int
    price: int

    @property
    def asset(self) -> Address:
        """What the price is of: the underlying; of the chain's own coin, the vToken stands for it."""
        return self.v_token if self.listing.underlying == ZERO_ADDRESS else self.listing.underlying

    @property
    def unit(self) -> int:
        return int(10**self.listing.decimals)


class Position(NamedTuple):
    """What one market adds to an account's two sums, as stored and once accrued."""

    number: int
    tokens: int
    collateral: int
    collateral_accrued: int
    owed: int  # units of the underlying, as stored
    borrowed: int  # the same, accrued
    debt: int
    debt_accrued: int


class Sums(NamedTuple):
    """An account's two sums, and the pair of markets whose accrual makes them so."""

    collateral: int
    debt: int
    pair: tuple[int, int] | None = None  # numbers: borrowed, seized

    @property
    def factor(self) -> int:
        """Below 1e18 exactly when there is a shortfall."""
        return self.collateral * WAD // self.debt if self.debt else MAX_U256


class View:
    """A market's facts at a block time. Made anew when a fact or the time moves."""

    def __init__(self, book: Book, at: Timestamp) -> None:
        self.at = at
        self.versions = versions(book)
        self.missing: dict[int, Quarantine] = {}
        self.terms: dict[int, Terms] = {}
        self.parts: Parts | None = book.fact("market")
        self.pools = {int(key): value for key, value in book.facts("pool").items()}
        self._risks: Mapping[str, Risk] = book.facts("risk")
        clock: Clock | None = book.fact("clock")
        self.done = clock is None or at <= clock.time
        self._number = 0 if clock is None or self.parts is None else _number(clock, at, self.parts.pace)
        self.vai = book.fact("vai")
        self.vai_index = 0 if self.vai is None else self.vai.index
        self.vai_accrued = 0 if self.vai is None else maths.vai_index(self.vai, self._number)
        for v_token, listing in book.facts("listing").items():
            self._add(book, Address(v_token), listing)

    def _add(self, book: Book, v_token: Address, listing: Listing) -> None:
        stored, price, config = (book.fact(kind, v_token) for kind in ("accrual", "price", "config"))
        if config is not None and not config.listed:
            return  # the comptroller's view passes over it
        if stored is None or config is None or self.parts is None:
            self.missing[listing.number] = Quarantine(v_token, "the market cannot be read")
        elif price is None:
            self.missing[listing.number] = Quarantine(v_token, "the oracle gives no price")
        else:
            accrued = stored if self.done else maths.accrue(stored, self.at if self.parts.seconds else self._number)
            rates = maths.exchange_rate(stored), maths.exchange_rate(accrued)
            self.terms[listing.number] = Terms(v_token, listing, config, stored, accrued, *rates, price)

    # one account ---------------------------------------------------------------------------------------------------

    def risk(self, pool: int, v_token: Address) -> Risk:
        """How a market counts for an account in a pool."""
        own = self.pools.get(pool)
        if own is None or not own.active:
            return self._risks.get(f"0:{v_token}", _NOTHING)
        found = self._risks.get(f"{pool}:{v_token}")
        if found is None and own.fallback:
            found = self._risks.get(f"0:{v_token}")
        return found or _NOTHING

    def positions(self, book: Book, row: int, prices: Mapping[Address, int] | None = None) -> list[Position]:
        """What the account has in the markets it entered; without those that are set aside."""
        flags, pool = book.flags(row), book.mode(row)
        held: dict[int, list[int]] = {}
        for column, amount in book.positions(row):
            number, side = column >> 2, column & 3
            if side != VAI and flags >> number & 1 and number in self.terms:
                held.setdefault(number, [0, 0])[side] = amount
        return [
            self._position(book, row, number, *amounts, pool=pool, prices=prices) for number, amounts in held.items()
        ]

    def _position(
        self, book: Book, row: int, number: int, tokens: int, principal: int, *, pool: int,
        prices: Mapping[Address, int] | None,
    ) -> Position:  # fmt: skip
        terms = self.terms[number]
        price = terms.price if prices is None else supposed(terms, prices)
        threshold = self.risk(pool, terms.v_token).threshold
        own = book.annex(row, number << 2 | DEBT)[0] if principal else WAD
        owed = maths.borrow_balance(principal, terms.stored.index, own)
        later = maths.borrow_balance(principal, terms.accrued.index, own)
        return Position(
            number,
            tokens,
            maths.unit_value(threshold, terms.rate, price) * tokens // WAD,
            maths.unit_value(threshold, terms.rate_accrued, price) * tokens // WAD,
            owed,
            later,
            price * owed // WAD,
            price * later // WAD,
        )

    def vai_debt(self, book: Book, row: int, *, accrued: bool) -> int:
        """What the account owes in VAI."""
        minted = book.amount(row, VAI)
        if not minted or self.vai is None:
            return 0
        past, index = book.annex(row, VAI)
        return maths.vai_debt(minted, past, self.vai_accrued if accrued else self.vai_index, index)

    def health(self, book: Book, row: int, prices: Mapping[Address, int] | None = None) -> Health | Quarantine:
        """The two sums and their quotient."""
        blocked = self.blocked(book, row)
        if blocked is not None:
            return blocked
        positions = self.positions(book, row, prices)
        sums = self.worst(book, row, positions)
        factor = 0 if self.released(book, row, positions) else sums.factor
        return Health(Wad(factor), BaseValue(sums.collateral), BaseValue(sums.debt))

    def worst(self, book: Book, row: int, positions: list[Position]) -> Sums:
        """The view's sums in a block that is done; else those of the pair that is best for a liquidator."""
        stored = self.stored(book, row, positions)
        if self.done:
            return stored
        return min(self.pairs(book, row, positions, stored), key=lambda sums: (sums.factor, sums.pair), default=stored)

    def stored(self, book: Book, row: int, positions: list[Position]) -> Sums:
        """What the comptroller's view adds up."""
        return Sums(
            sum(position.collateral for position in positions),
            sum(position.debt for position in positions) + self.vai_debt(book, row, accrued=False),
        )

    def pairs(self, book: Book, row: int, positions: list[Position], stored: Sums | None = None) -> Iterator[Sums]:
        """What a liquidation would see, for every market borrowed from and every one that can be seized from."""
        base = stored or self.stored(book, row, positions)
        through = self.parts is not None and self.parts.liquidator != ZERO_ADDRESS
        owed = self.vai_debt(book, row, accrued=True)
        interest = owed - self.vai_debt(book, row, accrued=False)
        for seized in (position for position in positions if position.tokens):
            if owed:
                yield _accrued(base, VAI_DEBT, seized, (seized,), interest)
            for borrowed in (position for position in positions if position.borrowed):
                both = (borrowed,) if borrowed is seized else (borrowed, seized)
                yield _accrued(base, borrowed.number, seized, both, interest if through else 0)

    def released(self, book: Book, row: int, positions: Iterable[Position]) -> bool:
        """Whether some debt can be liquidated at any health."""
        return any(position.borrowed and self.forced(book, row, position.number) for position in positions)

    def forced(self, book: Book, row: int, number: int) -> bool:
        """Whether the account's debt in a market can be."""
        terms = self.terms[number]
        if terms.config.forced:
            return True
        return bool(book.flags(row) & FORCED) and bool(book.fact("forced", f"{book.account(row)}:{terms.v_token}"))

    def blocked(self, book: Book, row: int) -> Quarantine | None:
        """Why the account's own health cannot be known, if so: something that it depends on is set aside."""
        if self.parts is None:
            return Quarantine("comptroller", "the market cannot be read")
        if not self.missing:
            return None
        flags = book.flags(row)
        used = {column >> 2 for column, _ in book.positions(row) if column & 3 != VAI and flags >> (column >> 2) & 1}
        if not self.parts.skips_empty:
            used |= {number for number in self.missing if flags >> number & 1}
        return next((self.missing[number] for number in sorted(used) if number in self.missing), None)


def _accrued(base: Sums, borrowed: int, seized: Position, markets: Iterable[Position], interest: int) -> Sums:
    """The sums once some markets are accrued; ``interest`` is VAI's."""
    return Sums(
        base.collateral + sum(one.collateral_accrued - one.collateral for one in markets),
        base.debt + sum(one.debt_accrued - one.debt for one in markets) + interest,
        (borrowed, seized.number),
    )


def supposed(terms: Terms, prices: Mapping[Address, int]) -> int:
    """The oracle's price of a market when a whole token of its asset were worth something else."""
    asked = prices.get(terms.asset)
    whole = whole_price(terms)
    return terms.price if asked is None or not whole else terms.price * asked // whole


def whole_price(terms: Terms) -> int:
    """What a whole token is worth, in 1e-18 dollars."""
    return terms.price * terms.unit // WAD


def _number(clock: Clock, at: int, pace: int) -> int:
    """The block at a time: the book's own, the next one, or as many further on as the models' pace makes."""
    ahead = at - clock.time
    if ahead <= 0:
        return clock.number
    return clock.number + (1 if ahead <= _SOON else max(ahead * 1000 // pace, 1))


def versions(book: Book) -> tuple[int, ...]:
    """What a view depends on besides time."""
    return tuple(book.version(kind) for kind in KINDS)
