"""Markets: is each what it is said to be, of a release that is known, and readable as a whole.

Law: judged by the same reads that a start makes, at one block, on a book that is thrown away.
"""

from typing import Any, cast

from keeper.books import market_problem, markets
from keeper.checks.finding import Finding, attempted
from keeper.core.book import Book
from keeper.core.events import Block
from keeper.core.ports import Adapter, Chain
from keeper.errors import Exit
from keeper.indexer.inquire import inquire
from keeper.settings import Settings

SHOWN = 3  # of a list, in a sentence


async def all_markets(settings: Settings, chain: Chain) -> list[Finding]:
    """Findings about every configured market."""
    adapters = markets(settings)
    head = await chain.head()
    found: list[Finding] = []
    for i, (adapter, _) in enumerate(adapters):
        subject = f"market {adapter.name} {adapter.market}"
        found += await attempted(subject, _market(settings, chain, i, adapter, head))
    return found


async def _market(settings: Settings, chain: Chain, i: int, adapter: Adapter, head: Block) -> list[Finding]:
    subject = f"market {adapter.name} {adapter.market}"
    if problem := await market_problem(chain, settings, i, adapter, head):
        return [Finding(subject, problem, "correct the key", Exit.USAGE)]
    book = Book()
    await inquire(chain, adapter.survey(book), head, settings.markets[i].from_block)
    return [*_described(subject, adapter, book), *_quarantined(subject, adapter, book)]


def _described(subject: str, adapter: Adapter, book: Book) -> list[Finding]:
    about = cast("dict[str, Any]", adapter.describe(book))
    viewed = about["viewed_sources"]
    if about["version"] == "unknown":
        says, remedy = "is of a release that keeper does not know: no health can be told", "update keeper"
        return [Finding(subject, says, remedy, Exit.USAGE)]
    facts = Finding(subject, f"release {about['version']}, {about['reserves']} reserves")
    if not viewed:
        return [facts]
    shown = ", ".join(viewed[:SHOWN]) + (", …" if len(viewed) > SHOWN else "")
    says = f"{len(viewed)} prices have no feed that can be followed: {shown}"
    return [facts, Finding(subject, says, "nothing: they are read once a block, in one batch")]


def _quarantined(subject: str, adapter: Adapter, book: Book) -> list[Finding]:
    remedy = "look at it: accounts that depend on it have no known health, the others go on"
    return [Finding(subject, f"{part.subject}: {part.reason}", remedy) for part in adapter.quarantined(book)]
