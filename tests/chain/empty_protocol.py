# ruff: noqa: ARG002 - the port's arguments, of which none is needed
"""The folder of a protocol in which nothing happens: all that the port asks for, and no more."""

from collections.abc import Mapping, Sequence

import numpy as np

from keeper.core.actions import Action
from keeper.core.book import Book
from keeper.core.events import Block, Log
from keeper.core.margin import Column, Exposures, Lines, Weights
from keeper.core.outlook import Backing, Liquidated, Receipt, Trigger
from keeper.core.plans import Role
from keeper.core.ports import CodeOf, Health, Inquiry, InquiryOf, Loan, Quarantine, Valued
from keeper.core.refusals import Reason
from keeper.core.units import MAX_U256, Address, BaseValue, Timestamp, Wad


class Nothing:
    """Any contract is such a market, and nobody is in it."""

    name = "nothing"
    fact_types: Mapping[str, type] = {}

    def __init__(self, address: Address) -> None:
        self.market = address

    def examine(self) -> InquiryOf[str]:
        code = CodeOf(self.market)
        answers = yield [code]
        return "there is no contract at this address" if answers[code] == "0x" else ""

    def callees(self) -> InquiryOf[Mapping[Address, Role]]:
        yield []
        return {self.market: Role.CALLED}

    def sources(self, book: Book) -> frozenset[Address]:
        return frozenset({self.market})

    def open(self, book: Book) -> Inquiry:
        yield []

    def prepare(self, book: Book, logs: Sequence[Log]) -> Inquiry:
        yield []

    def apply(self, book: Book, logs: Sequence[Log], block: Block | None) -> None:
        pass

    def survey(self, book: Book) -> Inquiry:
        yield []

    def refresh(self, book: Book) -> Inquiry:
        yield []

    def health(self, book: Book, row: int, at: Timestamp) -> Health | Quarantine:
        return Health(Wad(MAX_U256), BaseValue(0), BaseValue(0))

    def actions(self, book: Book, row: int, at: Timestamp) -> Sequence[Action | Reason]:
        return ()

    def triggers(self, book: Book, row: int, at: Timestamp) -> Sequence[Trigger]:
        return ()

    def assets(self, book: Book) -> Mapping[Address, Valued]:
        return {}

    def receipts(self, book: Book, at: Timestamp) -> Sequence[Receipt]:
        return ()

    def backing(self, book: Book) -> Sequence[Backing]:
        return ()

    def outcomes(self, book: Book, logs: Sequence[Log]) -> Sequence[Liquidated]:
        return ()

    def feeds(self, book: Book) -> Mapping[Address, Address]:
        return {}

    def lenders(self, book: Book) -> Sequence[Loan]:
        return ()

    def describe(self, book: Book) -> Mapping[str, object]:
        return {"version": "1", "base_unit": 1}

    def audit(self, book: Book, rows: Sequence[int]) -> InquiryOf[Mapping[int, Health | Quarantine]]:
        yield []
        return {}

    def reread(self, book: Book, rows: Sequence[int]) -> Inquiry:
        yield []

    def quarantined(self, book: Book) -> Sequence[Quarantine]:
        return ()

    def exposures(self, book: Book, row: int) -> Exposures | None:
        return ()

    def lines(self, book: Book) -> Lines:
        none = np.zeros(0, np.int64)
        return Lines(none, none, np.zeros(0, np.float64), [])

    def weights(self, book: Book, at: Timestamp, columns: Sequence[Column]) -> Weights:
        return Weights([], [], {}, 1.0)

    def liquidatable(
        self, book: Book, rows: Sequence[int], at: Timestamp, prices: Mapping[Address, int] | None = None
    ) -> Sequence[int]:
        return ()
