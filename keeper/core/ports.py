"""The seams of the keeper: what a protocol offers, what an indexer needs.

Law: the pipeline and the indexer know these protocols and never their implementations. An adapter is pure: it never
asks the chain, it returns the reads it wants answered at a pinned block and folds the answers in.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from keeper.core.book import Book
from keeper.core.events import Block, Log, Read
from keeper.core.plans import Action, Reason
from keeper.core.units import Address, BaseValue, Timestamp, Wad

Answers = Mapping[Read, str | None]  # the return data, or None when the call reverted


@dataclass(frozen=True, slots=True)
class Health:
    """An account's state as the protocol itself computes it."""

    health_factor: Wad  # max uint256 without debt
    collateral: BaseValue
    debt: BaseValue


@dataclass(frozen=True, slots=True)
class Quarantine:
    """A part of a market that cannot be trusted now; the rest goes on."""

    subject: str
    reason: str


class Adapter(Protocol):
    """One protocol's knowledge: what to listen to, how to apply it, what it means."""

    @property
    def name(self) -> str: ...
    @property
    def market(self) -> Address: ...

    def sources(self, book: Book) -> frozenset[Address]:
        """The contracts whose logs move this market, as far as known."""
        ...

    def discover(self, book: Book, answers: Answers) -> Sequence[Read]:
        """Reads that describe the market at a pinned block; call again with the answers until none is returned."""
        ...

    def apply(self, book: Book, block: Block, logs: Sequence[Log]) -> None:
        """Fold one block's logs into the book, in order."""
        ...

    def wants(self, book: Book) -> Sequence[Read]:
        """Reads needed at the block just applied (new tokens, moved oracles, unmodelled prices)."""
        ...

    def answer(self, book: Book, answers: Answers) -> None:
        """Fold the answers of ``wants`` in."""
        ...

    def health(self, book: Book, row: int, at: Timestamp) -> Health:
        """Exactly what the contract would answer in a block with that timestamp."""
        ...

    def actions(self, book: Book, row: int, at: Timestamp) -> Sequence[Action | Reason]:
        """Every liquidation the contract would accept, or why a pair is blocked."""
        ...

    def quarantined(self, book: Book) -> Sequence[Quarantine]:
        """What is set aside, and why."""
        ...
