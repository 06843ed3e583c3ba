"""Pre-liquidation contracts: who makes them, which there are, and who consented to them.

Law: only contracts of a factory that acts on this very Morpho count. An offer's address can be foreseen, so consent may
be older than the contract: it is looked for when the contract is made.
"""

from collections.abc import Collection, Sequence

from keeper.core.book import Book
from keeper.core.calls import address
from keeper.core.events import Log
from keeper.core.ports import Inquiry, LogsOf
from keeper.core.units import Address
from keeper.protocols.morpho_blue.apply import Applier
from keeper.protocols.morpho_blue.calls import call
from keeper.protocols.morpho_blue.decode import decode
from keeper.protocols.morpho_blue.events import CreatePreLiquidation, SetAuthorization
from keeper.protocols.morpho_blue.topics import CREATE_PRE_LIQUIDATION, SET_AUTHORIZATION


def factories(book: Book, candidates: Collection[Address], morpho: Address, applier: Applier) -> Inquiry:
    """Whose pre-liquidations act on this Morpho, and which there are: consent may be older than their creation."""
    reads = {factory: call(factory, "MORPHO()") for factory in candidates}
    answers = yield list(reads.values())
    found = frozenset(factory for factory, read in reads.items() if address(answers, read) == morpho)
    for factory in found:
        book.learn("factory", factory, value=True)
    if found:
        ask = LogsOf(found, frozenset({CREATE_PRE_LIQUIDATION}))
        created = yield [ask]
        for log in created[ask]:
            event = decode(log)
            if isinstance(event, CreatePreLiquidation):
                applier.offer(book, event)


def prepare(book: Book, logs: Sequence[Log], morpho: Address, applier: Applier) -> Inquiry:
    """Who consented to a new offer before there was one: its address could be foreseen."""
    created = [
        event.contract
        for log in logs
        if book.fact("factory", log.address) and isinstance(event := decode(log), CreatePreLiquidation)
        and book.fact("offer", event.contract) is None
    ]  # fmt: skip
    if not created:
        return
    for log in logs:
        event = decode(log)
        if isinstance(event, CreatePreLiquidation) and event.contract in created:
            applier.offer(book, event)
    ask = LogsOf(frozenset({morpho}), frozenset({SET_AUTHORIZATION}))
    answers = yield [ask]
    for log in answers[ask]:
        event = decode(log)
        if isinstance(event, SetAuthorization) and event.authorized in created:
            applier.authorise(book, event.owner, event.authorized, given=event.given)
