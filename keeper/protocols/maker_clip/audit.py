"""The chain's own view of urns and auctions, for comparison with the book.

Law: nothing of the book is believed but which contracts to ask. Amounts, prices and rates are the contracts' own at the
block: the rate is what the jug's drip would answer, an OSM's next price counts when its poke would not revert, and an
auction's price is its house's own word.
"""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from keeper.core.book import Book
from keeper.core.calls import address, integer, size
from keeper.core.events import Read, word
from keeper.core.ports import Answers, Ask, Health, InquiryOf, Quarantine, SlotOf
from keeper.core.units import MAX_U256, RAY, Address, BaseValue, Wad, owner, pocket
from keeper.protocols.maker_clip.calls import call
from keeper.protocols.maker_clip.decode import ilk_word
from keeper.protocols.maker_clip.facts import ART, INK
from keeper.protocols.maker_clip.maths import spot_price
from keeper.protocols.maker_clip.survey import CURRENT, NEXT, amount_read, packed
from keeper.protocols.maker_clip.view import urn_health


class _Asked(NamedTuple):
    """What is asked about a collateral."""

    stored: Read
    dripped: Read
    ratio: Read
    pip: Address

    @property
    def reads(self) -> list[Ask]:
        """All of it."""
        oracle: list[Ask] = [call(self.pip, f"{name}()") for name in ("hop", "poke", "peek")]
        return [self.stored, self.dripped, self.ratio, *oracle, SlotOf(self.pip, CURRENT), SlotOf(self.pip, NEXT)]


def audit(book: Book, rows: Sequence[int]) -> InquiryOf[Mapping[int, Health | Quarantine]]:
    """What the contracts say of these accounts."""
    it = book.fact("market")
    accounts = {row: book.account(row) for row in rows}
    sales = {row: account for row, account in accounts.items() if account in book.facts("sale")}
    statuses = {row: call(owner(account), "getStatus(uint256)", int(pocket(account))) for row, account in sales.items()}
    urns = {row: amount_read(book, account) for row, account in accounts.items() if row not in sales}
    ilks = {ilk: _asked(book, ilk) for ilk in {pocket(accounts[row]) for row in urns} if book.fact("terms", ilk)}
    par = call(it.spotter, "par()")
    answers = yield [par, *statuses.values(), *urns.values(), *(ask for asked in ilks.values() for ask in asked.reads)]
    worst = {ilk: _worst(asked, answers, integer(answers, par) or RAY) for ilk, asked in ilks.items()}
    found: dict[int, Health | Quarantine] = {
        row: _urn(answers, read, worst.get(pocket(accounts[row]))) for row, read in urns.items()
    }
    return found | {row: _sale(book, owner(sales[row]), answers[read]) for row, read in statuses.items()}


def _asked(book: Book, ilk: str) -> _Asked:
    it, name = book.fact("market"), ilk_word(ilk)
    return _Asked(
        call(it.vat, "ilks(bytes32)", name), call(it.jug, "drip(bytes32)", name),
        call(it.spotter, "ilks(bytes32)", name), book.fact("terms", ilk).pip,
    )  # fmt: skip


def _worst(asked: _Asked, answers: Answers, par: int) -> tuple[int, int] | None:
    """The lowest price and the highest rate that can be had in the block; ``None`` without a price."""
    stored, ratio = answers[asked.stored], integer(answers, asked.ratio, 1)
    if stored is None or not ratio or address(answers, asked.ratio) != asked.pip:
        return None
    peek = call(asked.pip, "peek()")
    values = [integer(answers, peek) or 0] if integer(answers, peek, 1) else []
    if integer(answers, call(asked.pip, "hop()")) is not None:
        slots = [CURRENT] if answers[call(asked.pip, "poke()")] is None else [CURRENT, NEXT]
        values = [packed(answers[SlotOf(asked.pip, slot)]) for slot in slots]
    spots = [spot for spot in (word(stored, 2), *(spot_price(value, par, ratio) for value in values)) if spot]
    rate = max(word(stored, 1), integer(answers, asked.dripped) or 0)
    return (min(spots), rate) if spots else None


def _urn(answers: Answers, read: Read, worst: tuple[int, int] | None) -> Health | Quarantine:
    ink, art = (integer(answers, read, side) or 0 for side in (INK, ART))
    if not art:
        return Health(Wad(MAX_U256), BaseValue(0), BaseValue(0))
    return Quarantine("urn", "no price") if worst is None else urn_health(ink, art, *worst)


def _sale(book: Book, clip: Address, answer: str | None) -> Health | Quarantine:
    if answer is None or size(answer) < 4 or book.fact("rules", clip) is None:  # noqa: PLR2004 - words answered
        return Quarantine(clip, "the auction house does not answer")
    price, lot, tab = (word(answer, at) for at in (1, 2, 3))
    return Health(Wad(0), BaseValue(lot * price // RAY), BaseValue(tab // RAY))
