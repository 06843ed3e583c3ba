"""The seams of the keeper: what a protocol offers and what the shell must answer.

Law: the pipeline and the indexer know these protocols and never their implementations. An adapter is pure: it never
asks the chain. Where it needs to know something it *yields* asks and receives the answers, all pinned to one block.
"""

from collections.abc import Collection, Generator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar, runtime_checkable

from keeper.core.actions import Action
from keeper.core.book import Book
from keeper.core.events import Block, Log, Read
from keeper.core.margin import Margin
from keeper.core.outlook import Backing, Liquidated, Receipt, Trigger
from keeper.core.plans import FundingKind, Role
from keeper.core.refusals import Reason
from keeper.core.units import Address, BaseValue, Bps, Hash, Timestamp, Wad


@dataclass(frozen=True, slots=True)
class CodeOf:
    """Ask for the runtime bytecode at an address."""

    address: Address


@dataclass(frozen=True, slots=True)
class LogsOf:
    """Ask for all logs of some contracts with one of these first topics, from the market's first block on."""

    addresses: frozenset[Address]
    topics: frozenset[str]


@dataclass(frozen=True, slots=True)
class SlotOf:
    """Ask for a storage word (as 0x-prefixed hex)."""

    address: Address
    slot: int


@dataclass(frozen=True, slots=True)
class HeaderOf:
    """Ask for the header of the very block that everything else is asked about."""


Ask = Read | CodeOf | SlotOf | LogsOf | HeaderOf
# Read → return data or None when it reverted; CodeOf, SlotOf → hex; LogsOf → list of Log; HeaderOf → Block
Answers = Mapping[Ask, Any]
Result = TypeVar("Result")
Topics = Sequence[str | Sequence[str] | None]
InquiryOf = Generator[Sequence[Ask], Answers, Result]
Inquiry = InquiryOf[None]


class Chain(Protocol):
    """What the indexer needs of the chain. Every answer is pinned: it is of the block asked for or it is an error."""

    async def head(self) -> Block: ...

    async def finalized(self) -> Block | None:
        """The last finalised block; ``None`` where the chain has no such notion."""
        ...

    async def block(self, at: int | str, /) -> Block | None:
        """A header by number, hash or tag; ``None`` when there is no such block on the canonical chain."""
        ...

    async def logs(
        self, addresses: Collection[Address], first: int, last: int, topics: Topics | None = None
    ) -> list[Log]:
        """All logs of a range, in order, each once."""
        ...

    async def logs_at(self, block: Hash, addresses: Collection[Address], /) -> list[Log]:
        """All logs of one block, in order, each once."""
        ...

    async def call_many(self, asked: Sequence[Read], block: Block) -> list[str | None]:
        """Return data of each read at the block; ``None`` where the call reverted."""
        ...

    async def code(self, address: Address, block: Block) -> str:
        """Runtime bytecode at the block."""
        ...

    async def storage(self, address: Address, slot: int, block: Block) -> str:
        """A storage word at the block."""
        ...


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


@dataclass(frozen=True, slots=True)
class Valued:
    """An asset as a market's oracle sees it."""

    price: int  # of one whole token, in the market's base currency
    unit: int  # 10 ** decimals


@dataclass(frozen=True, slots=True)
class Loan:
    """A source of flash loans of one token."""

    kind: FundingKind
    source: Address
    token: Address
    available: int
    fee: Bps = Bps(0)
    fee_up: bool = False  # rounded up instead of half up
    beside: int = 0  # lent in one loan with this to legs that join it: its fee is charged here too
    joins: bool = False  # part of a loan that is taken anyway


class Adapter(Margin, Protocol):
    """One protocol's knowledge of one market: what to listen to, how to apply it, what it means."""

    @property
    def name(self) -> str: ...
    @property
    def market(self) -> Address: ...
    @property
    def fact_types(self) -> Mapping[str, type]:
        """The type of each kind of fact, so that a store can restore them."""
        ...

    def examine(self) -> InquiryOf[str]:
        """What is wrong with the address as an entry of such a market; empty when nothing is. Asked before a start."""
        ...

    def callees(self) -> InquiryOf[Mapping[Address, Role]]:
        """The contracts that liquidations are addressed to, and what an executor's owner must allow each to be."""
        ...

    def sources(self, book: Book) -> frozenset[Address]:
        """The contracts whose logs move this market, as far as known."""
        ...

    def open(self, book: Book) -> Inquiry:
        """What must be known before the first historical log can be applied. Answered at the head."""
        ...

    def prepare(self, book: Book, logs: Sequence[Log]) -> Inquiry:
        """What must be known before these logs can be applied: new tokens, new implementations."""
        ...

    def apply(self, book: Book, logs: Sequence[Log], block: Block | None) -> None:
        """Fold logs into the book, in order. ``block`` is ``None`` while history is read in bulk."""
        ...

    def survey(self, book: Book) -> Inquiry:
        """Read every fact of the market anew, and amounts that history left in doubt. Pinned to one block."""
        ...

    def refresh(self, book: Book) -> Inquiry:
        """After a live block: what its events left open (a moved oracle, prices that cannot be modelled)."""
        ...

    def health(self, book: Book, row: int, at: Timestamp) -> Health | Quarantine:
        """Exactly what the contract answers in a block with that timestamp.

        1e18 is the edge, below it something can be done. What collateral and debt stand for where a protocol has no
        such thing, its adapter says. A live auction is an account of health 0 while something can be taken.
        """
        ...

    def actions(self, book: Book, row: int, at: Timestamp) -> Sequence[Action | Reason]:
        """Every liquidation the contract would accept, or why a pair is blocked."""
        ...

    def triggers(self, book: Book, row: int, at: Timestamp) -> Sequence[Trigger]:
        """When next to look at the account, and why; nothing for one that nothing can happen to."""
        ...

    def assets(self, book: Book) -> Mapping[Address, Valued]:
        """What the market's oracle says of every asset that has a price; receipts have theirs too."""
        ...

    def receipts(self, book: Book, at: Timestamp) -> Sequence[Receipt]:
        """Tokens that liquidations are paid in and that the market itself turns into an asset."""
        ...

    def backing(self, book: Book) -> Sequence[Backing]:
        """What stands behind the market, asset by asset."""
        ...

    def outcomes(self, book: Book, logs: Sequence[Log]) -> Sequence[Liquidated]:
        """The liquidations that these logs tell of, in order."""
        ...

    def feeds(self, book: Book) -> Mapping[Address, Address]:
        """The contract that gives each asset's price; those that tell ``latestRoundData`` are asked how old it is."""
        ...

    def lenders(self, book: Book) -> Sequence[Loan]:
        """Flash loans that the market itself gives."""
        ...

    def describe(self, book: Book) -> Mapping[str, object]:
        """What an operator should know of the market as a whole: at least ``version`` and ``base_unit``."""
        ...

    def audit(self, book: Book, rows: Sequence[int]) -> InquiryOf[Mapping[int, Health | Quarantine]]:
        """The chain's own view of these accounts, for comparison."""
        ...

    def reread(self, book: Book, rows: Sequence[int]) -> Inquiry:
        """Replace what the book holds of these accounts by what the chain says."""
        ...

    def quarantined(self, book: Book) -> Sequence[Quarantine]:
        """What is set aside, and why."""
        ...


@runtime_checkable
class Supposing(Protocol):
    """An adapter that can also play a liquidation through in the book: asked by reports, where it is there."""

    def supposed(self, book: Book, row: int, at: Timestamp, prices: Mapping[Address, int]) -> Sequence[Action | Reason]:
        """``actions``, if the oracle said these prices of some assets. The book is not touched."""
        ...

    def fold(self, book: Book, row: int, action: Action, repay: int) -> None:
        """Change the account as the call would: the caller undoes it by the book's own record."""
        ...
