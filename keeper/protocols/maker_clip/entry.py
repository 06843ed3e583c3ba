"""Whether an address is the entry of a Maker market.

Law: the chain decides, by what the address answers; what it says of itself in words is not asked.
"""

from collections.abc import Mapping

from keeper.core.book import Book
from keeper.core.calls import address, size
from keeper.core.plans import Role
from keeper.core.ports import CodeOf, InquiryOf
from keeper.core.units import ZERO_ADDRESS, Address
from keeper.protocols.maker_clip.calls import call
from keeper.protocols.maker_clip.decode import ilk_word
from keeper.protocols.maker_clip.survey import NAMES, open_market, terms, tokens


def examine(chainlog: Address) -> InquiryOf[str]:
    """What is wrong with an address that should be a ChainLog; empty when nothing is."""
    code = CodeOf(chainlog)
    reads = {name: call(chainlog, "getAddress(bytes32)", ilk_word(name)) for name in NAMES.values()}
    answers = yield [code, *reads.values()]
    if answers[code] == "0x":
        return "there is no contract at this address"
    missing = [name for name, read in reads.items() if address(answers, read) == ZERO_ADDRESS]
    if len(missing) == len(reads):
        return "this contract is not a ChainLog: it names none of the market's contracts"
    if missing:
        return f"this ChainLog does not name {', '.join(missing)}"
    hole = call(address(answers, reads["MCD_DOG"]), "Hole()")
    answers = yield [hole]
    return "" if size(answers[hole]) else "its dog is none: it knows no limit of auctions"


def callees(chainlog: Address) -> InquiryOf[Mapping[Address, Role]]:
    """Whoever is called on the way from a price to a purchase: oracles, vat, auction houses, joins."""
    book = Book()
    yield from open_market(book, chainlog)
    ilks = sorted(set(book.facts("clip").values()))
    yield from terms(book, ilks)
    yield from tokens(book, ilks)
    parts = book.fact("market")
    found = {parts.vat, parts.dog, parts.jug, parts.spotter, parts.dai_join, *map(Address, book.facts("clip"))}
    found |= {known.pip for known in book.facts("terms").values()}
    found |= {known.join for known in book.facts("token").values()}
    return dict.fromkeys(sorted(found - {ZERO_ADDRESS}), Role.CALLED)
