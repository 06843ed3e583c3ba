"""Margins as lines: what a protocol tells the screen, so that it need not know protocols.

Law. For every account that owes something an adapter names columns c and integers x[c], and for every time weights
w[c] = factor[c] * price[asset of c], all w >= 0, such that for what ``liquidatable`` says exactly:

    liquidatable  =>  sum of x[c] * w[c]  <  slack * number of columns named.

x[c] > 0 is owned, x[c] < 0 is owed; they depend on nothing but the account itself, so that only its own events change
them. Prices, interest and parameters are in the weights. What is not linear is not written as a line: it is confirmed.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from keeper.core.book import Book
from keeper.core.units import Address, Timestamp

Column = int  # the adapter's own number, below 2**63; one for each difference in weight there can be
Exposures = Sequence[tuple[Column, int]]  # no column twice, no amount zero


class Lines(NamedTuple):
    """Lines of many accounts, one entry a column of an account; amounts within a relative 2**-51."""

    rows: NDArray[np.int64]
    columns: NDArray[np.int64]
    amounts: NDArray[np.float64]
    unclear: Sequence[int]  # rows that are not linear


@dataclass(frozen=True, slots=True)
class Weights:
    """What one unit of each column asked about adds to a margin, relative error at most 2**-50.

    A factor of NaN has no bound: whoever holds the column is flagged. What makes confirming impossible need not be
    flagged: its factor is infinite where it is owned and 0 where it is owed.
    """

    factors: Sequence[float]
    assets: Sequence[Address]  # whose price multiplies the factor
    prices: Mapping[Address, int]  # of every asset above that has one; the others count as 1
    slack: float  # what rounding may cost in one column, positive
    values: Sequence[float] = ()  # for reports: factors without risk weights, in base currency; empty: as the factors


class Margin(Protocol):
    """An adapter's part in screening and confirming."""

    def exposures(self, book: Book, row: int) -> Exposures | None:
        """The account's line; empty when it owes nothing, ``None`` when it is not linear and has to be confirmed."""
        ...

    def lines(self, book: Book) -> Lines:
        """The exposures of all accounts at once, in any order."""
        ...

    def weights(self, book: Book, at: Timestamp, columns: Sequence[Column]) -> Weights:
        """The weights of these columns in a block with that timestamp."""
        ...

    def liquidatable(
        self, book: Book, rows: Sequence[int], at: Timestamp, prices: Mapping[Address, int] | None = None
    ) -> Sequence[int]:
        """Which of these accounts are below 1, exactly, as ``health`` says; the largest debts first.

        ``prices`` of some assets replace what the oracle says, where it says anything: the book is not touched.
        """
        ...


class Foreseen(NamedTuple):
    """A price that the oracle would give."""

    asset: Address
    price: int
    source: Address  # the contract that the oracle asks, whose answer it would be


@runtime_checkable
class Foresight(Protocol):
    """What some adapters can tell beside: which prices follow from a feed's answer."""

    def foreseen(self, book: Book, feed: Address, answer: int) -> Sequence[Foreseen]:
        """The prices if that feed answered so; none when it is no feed of this market, or more goes into the price."""
        ...
