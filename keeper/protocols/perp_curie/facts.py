"""The facts a Perpetual v2 exchange's book keeps, by kind, and the columns of its amounts.

Law: a fact says what the chain says, never what we were doing: two books that watched the same chain hold the same.
Amounts in the book are unsigned, so a signed quantity takes two columns, of which one at most is not empty.

| kind       | key              | value                                                                              |
|------------|------------------|------------------------------------------------------------------------------------|
| parts      | ""               | ``Parts``: the exchange's contracts and constants                                  |
| risk       | ""               | ``Risk``: margin ratios and intervals                                              |
| listing    | base             | ``Listing``: a market's number and pool                                            |
| fees       | base             | ``Fees``: of its exchange                                                          |
| status     | base             | ``Status``: open, paused or closed, and the price it was paused or closed at       |
| feed       | base             | ``Feed``: where its index comes from                                               |
| index      | base             | ``Index``: the price feed's observations                                           |
| seen       | base             | ``Seen``: prices of a feed whose averages we do not compute                        |
| track      | base             | ``Track``: the pool's observations of its tick                                     |
| pool       | base             | ``Place``: price, tick and liquidity of the pool                                   |
| ticks      | base             | ``PoolTicks``: all its initialised ticks                                           |
| growth     | base             | ``Growth``: accumulators of funding and fees, at their last settlement             |
| outside    | base:tick        | ``Outside``: the same accumulators outside of a tick                               |
| since      | account:base     | the funding accumulator when the account last settled; there while it has anything |
| orders     | account:base     | ``Orders``: sorted by their ticks                                                  |
| collateral | token            | ``Collateral``: a token beside the settlement token that counts as margin          |
| fund       | ""               | settlement tokens in the insurance fund's own hands                                |
| held       | ""               | settlement tokens in the vault                                                     |
| paused     | ""               | nothing can be done at the clearing house; missing: it can                         |
| doubt      | account:base     | an event moved this account's settlement: it is read again                         |
| stale      | subject          | an event said that this must be read again; gone once it was                       |
"""

from collections.abc import Iterator, Mapping
from typing import Final

import msgspec

from keeper.core.book import Book
from keeper.core.units import Address
from keeper.venues.uniswap_v3.walk import Place

BALANCE, OWED = 0, 2  # columns of the cash, in number 0: the settlement token in the vault; realised and not yet there
SIZE, NOTIONAL = 0, 2  # columns of a market: base, and quote at which it was opened; the odd one after each is negative
COLLATERALS: Final = 0x2000  # numbers from here on are tokens
OPEN, PAUSED, CLOSED = 0, 1, 2


class Parts(msgspec.Struct, frozen=True):
    """The contracts, and what does not change."""

    config: Address
    vault: Address
    exchange: Address
    order_book: Address
    account_balance: Address
    insurance_fund: Address
    collateral_manager: Address
    registry: Address
    factory: Address
    quote: Address
    settlement: Address  # the token that profits are paid in
    decimals: int  # of it
    understood: bool  # the accumulators are where this release keeps them

    @property
    def unit(self) -> int:
        """Wei of a dollar in one unit of the settlement token."""
        return int(10 ** (18 - self.decimals))


class Risk(msgspec.Struct, frozen=True):
    """Ratios in millionths, intervals in seconds."""

    initial: int
    maintenance: int
    penalty: int
    max_funding: int  # the most that the market may differ from the index, for funding
    funding_interval: int
    market_interval: int  # of the mark price's long average
    premium_interval: int
    balance_cap: int  # settlement tokens that the vault takes at most


class Listing(msgspec.Struct, frozen=True):
    """A market. Numbers are given in the order of listing, from 1."""

    number: int
    pool: Address
    pool_fee: int


class Fees(msgspec.Struct, frozen=True):
    """In millionths."""

    exchange: int
    fund_share: int  # of the exchange's fee
    spread: int  # the most that a swap may take the price away from the index
    tick_cap: int  # the most ticks that a block may move the price


class Status(msgspec.Struct, frozen=True):
    """Whether a market is open; if not, since when, and the price that everything is settled at."""

    state: int
    since: int
    index: int
    closed_at: int


class Feed(msgspec.Struct, frozen=True):
    """``source``: the feed whose averages we compute; zero: its prices are viewed once a block."""

    dispatcher: Address
    source: Address
    aggregator: Address  # that it follows
    decimals: int
    interval: int  # of the average that it caches


class Index(msgspec.Struct, frozen=True):
    """What a price feed knows, in its own decimals; observations are ascending and cover the longest average."""

    price: int
    updated: int
    at: tuple[int, ...]
    cumulative: tuple[int, ...]
    prices: tuple[int, ...]
    cached: int  # an average, and the only block time at which it is the answer
    cached_at: int


class Seen(msgspec.Struct, frozen=True):
    """Index prices as the chain gave them for a block, in wei. They are taken to hold until the next one."""

    spot: int | None
    premium: int | None
    funding: int | None


class Track(msgspec.Struct, frozen=True):
    """Observations of a pool's tick, ascending; since the last one the tick is the pool's. ``oldest``: what it has."""

    at: tuple[int, ...]
    cumulative: tuple[int, ...]
    oldest: int


class PoolTicks(msgspec.Struct, frozen=True):
    """All initialised ticks of a pool."""

    spacing: int
    index: tuple[int, ...]
    gross: tuple[int, ...]
    net: tuple[int, ...]


class Growth(msgspec.Struct, frozen=True):
    """Per unit of base (funding, Q96 and seconds) or of liquidity (fees, Q128, modulo 2**256)."""

    premium: int
    premium_by_sqrt: int
    settled: int  # block time of the funding; 0: never
    fee: int
    first_trade: int  # block time; 0: never
    tick: int  # from which the cap of a block counts, and when it was noted
    tick_at: int


class Outside(msgspec.Struct, frozen=True):
    """Of a tick: all zero unless the price once was above it."""

    fee: int
    premium: int
    premium_by_sqrt: int


class Order(msgspec.Struct, frozen=True):
    """Liquidity of a maker between two ticks, with the accumulators at its last settlement."""

    lower: int
    upper: int
    liquidity: int
    base_debt: int
    quote_debt: int
    fee: int = 0
    premium_inside: int = 0
    premium_below: int = 0
    premium_by_sqrt: int = 0


class Orders(msgspec.Struct, frozen=True):
    """What a maker has open in one market."""

    open: tuple[Order, ...]


class Collateral(msgspec.Struct, frozen=True):
    """A token that counts as margin; ``price`` is an average, as it was viewed; missing: it reverts."""

    number: int
    ratio: int
    decimals: int
    price_decimals: int
    price: int | None


TYPES: Final[Mapping[str, type]] = {
    "parts": Parts,
    "risk": Risk,
    "listing": Listing,
    "fees": Fees,
    "status": Status,
    "feed": Feed,
    "index": Index,
    "seen": Seen,
    "track": Track,
    "pool": Place,
    "ticks": PoolTicks,
    "growth": Growth,
    "outside": Outside,
    "since": int,
    "orders": Orders,
    "collateral": Collateral,
    "fund": int,
    "held": int,
    "paused": bool,
    "doubt": bool,
    "stale": bool,
}


def floor(book: Book, base: str, newest: int) -> int:
    """The time that observations are kept back to: twice the longest average before the newest one counts."""
    risk: Risk = book.fact("risk")
    status: Status = book.fact("status", base)
    if status.state != OPEN:
        newest = min(newest, status.since)
    return newest - 2 * max(risk.market_interval, risk.premium_interval, risk.funding_interval)


def column(number: int, quantity: int) -> int:
    """The column of a quantity's positive amounts."""
    return number << 2 | quantity


def signed(book: Book, row: int, number: int, quantity: int) -> int:
    """A signed quantity of an account."""
    at = column(number, quantity)
    return book.amount(row, at) - book.amount(row, at + 1)


def write(book: Book, row: int, number: int, quantity: int, value: int) -> None:
    """Replace it."""
    at = column(number, quantity)
    for place, amount in ((at, max(value, 0)), (at + 1, max(-value, 0))):
        if book.amount(row, place) != amount:
            book.set_amount(row, place, amount)


def pair_key(account: str, base: str) -> str:
    """The key of what an account has in a market."""
    return f"{account}:{base}"


def bits(flags: int) -> Iterator[int]:
    """The numbers of the markets in which an account has orders."""
    while flags:
        low = flags & -flags
        yield low.bit_length() - 1
        flags ^= low
