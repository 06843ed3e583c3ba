"""One market as the indexer holds it: an adapter, its book, and where both stand."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from keeper.core.book import Book
from keeper.core.events import Log
from keeper.core.ports import Adapter
from keeper.core.units import Who
from keeper.store.store import Store


@dataclass(slots=True)
class Market:
    """A market under watch. The book is at ``block``.

    ``surveyed`` is the block at which all facts were last read; ``None``: they are not to be trusted yet.
    """

    adapter: Adapter
    from_block: int
    id: int
    book: Book
    block: int
    surveyed: int | None
    opened: bool

    @classmethod
    def load(cls, store: Store, adapter: Adapter, from_block: int) -> "Market":
        """The market as the store left it."""
        number = store.market(adapter.name, adapter.market)
        cursor = store.cursor(number)
        return cls(
            adapter=adapter,
            from_block=from_block,
            id=number,
            book=store.load(number, adapter.fact_types),
            block=from_block - 1 if cursor is None else cursor.block,
            surveyed=None if cursor is None else cursor.surveyed,
            opened=cursor is not None,
        )

    def who(self, row: int) -> Who:
        """Whom a row is about."""
        return self.adapter.market, self.book.account(row)

    def logs_of(self, logs: Sequence[Log]) -> list[Log]:
        """The logs that concern this market."""
        sources = self.adapter.sources(self.book)
        return [log for log in logs if log.address in sources]


def fact_types(markets: list[Market]) -> Mapping[int, Mapping[str, type]]:
    """Per market number, the types of its facts."""
    return {market.id: market.adapter.fact_types for market in markets}
