"""What is asked of the chain about a Maker market, and how the answers become facts.

Laws
- Everything is found from the chainlog. What cannot be read leaves its own fact missing, never more.
- A price behind an OSM is read from its storage: who may ask it is allow-listed. Other price contracts answer anybody.
- A price curve is recognised by what its contract has, and believed only when it gives the price that we compute. An
  auction house of another kind is set aside.
- Every block asks again for what may move without an event: limits, the vow, the dust limit of auctions, and prices
  that are not behind an OSM.
"""

from collections.abc import Iterable, Iterator
from typing import Final

from msgspec.structs import replace

from keeper.core.book import Book
from keeper.core.calls import address, integer, size
from keeper.core.events import Log, Read, word, word_address
from keeper.core.ports import Answers, Ask, Inquiry, InquiryOf, LogsOf, SlotOf
from keeper.core.units import MAX_U128, RAY, ZERO_ADDRESS, Address, owner, pocket
from keeper.protocols.maker_clip import decode, topics
from keeper.protocols.maker_clip import events as e
from keeper.protocols.maker_clip.apply import number, set_lot
from keeper.protocols.maker_clip.auction import Rules, Sale
from keeper.protocols.maker_clip.calls import call
from keeper.protocols.maker_clip.curve import Curve, Shape
from keeper.protocols.maker_clip.decode import ilk_word
from keeper.protocols.maker_clip.facts import ART, INK, Limits, MarketParts, Oracle, Terms, Token, Vow

NAMES: Final = {
    "vat": "MCD_VAT",
    "jug": "MCD_JUG",
    "spotter": "MCD_SPOT",
    "dog": "MCD_DOG",
    "vow": "MCD_VOW",
    "registry": "ILK_REGISTRY",
    "dai_join": "MCD_JOIN_DAI",
}
CURRENT, NEXT = 3, 4  # storage slots of an OSM: the value low, whether there is one high
_SALE: Final = 6  # words of an auction; a house that tells of more is of another kind
_PROBES: Final = (0, 1, 599, 3600, 7201)  # seconds at which a price curve is tried


# --- the whole market ------------------------------------------------------------------------------------------


def survey(book: Book, chainlog: Address) -> Inquiry:
    """Every fact, and whatever history left in doubt."""
    yield from parts(book, chainlog)
    yield from limits(book)
    yield from terms(book, list(book.facts("ilk")))
    yield from tokens(book, list(book.facts("ilk")))
    yield from oracles(book, {Address(found.pip) for found in book.facts("terms").values()})
    yield from rules(book, list(map(Address, book.facts("clip"))))
    yield from doubts(book)
    for subject in list(book.facts("stale")):
        book.learn("stale", subject, None)


def open_market(book: Book, chainlog: Address) -> Inquiry:
    """The contracts, and all that ever held auctions."""
    yield from parts(book, chainlog)
    ask = LogsOf(frozenset({book.fact("market").dog}), frozenset({topics.FILE_CLIP}))
    answers = yield [ask]
    learn_clips(book, answers[ask])


def learn_clips(book: Book, logs: Iterable[Log]) -> None:
    """Contracts that auctions of a collateral were given to."""
    dog = book.fact("market").dog
    for log in logs:
        if log.address == dog and log.topics and log.topics[0] == topics.FILE_CLIP:
            for event in decode.of_dog(log):
                if isinstance(event, e.Clipped):
                    book.learn("clip", event.clip, event.ilk)


def parts(book: Book, chainlog: Address) -> Inquiry:
    """The market's contracts."""
    reads = {part: call(chainlog, "getAddress(bytes32)", ilk_word(name)) for part, name in NAMES.items()}
    answers = yield list(reads.values())
    found = {part: address(answers, read) for part, read in reads.items()}
    dai = call(found["dai_join"], "dai()")
    answers = yield [dai]
    book.learn("market", "", MarketParts(**found, dai=address(answers, dai)))


def limits(book: Book) -> Inquiry:
    """What holds for all collaterals, the system's own balance, and the dust limits of auctions."""
    it = book.fact("market")
    reads = {
        "live": call(it.dog, "live()"), "hole": call(it.dog, "Hole()"), "dirt": call(it.dog, "Dirt()"),
        "par": call(it.spotter, "par()"), "base": call(it.jug, "base()"),
    }  # fmt: skip
    owed = {
        "surplus": call(it.vat, "dai(address)", it.vow), "debt": call(it.vat, "sin(address)", it.vow),
        "queued": call(it.vow, "Sin()"), "auctioned": call(it.vow, "Ash()"),
    }  # fmt: skip
    chosts = {clip: call(Address(clip), "chost()") for clip in book.facts("rules")}
    answers = yield [*reads.values(), *owed.values(), *chosts.values()]
    live, *rest = (integer(answers, read) or 0 for read in reads.values())
    book.learn("limits", "", Limits(bool(live), *rest))
    book.learn("vow", "", Vow(*(integer(answers, read) or 0 for read in owed.values())))
    for clip, read in chosts.items():
        book.learn("rules", clip, replace(book.fact("rules", clip), chost=integer(answers, read) or 0))


# --- one collateral, one price, one auction house --------------------------------------------------------------


def terms(book: Book, ilks: Iterable[str]) -> Inquiry:
    """Rate, price, fee and limits of some collaterals."""
    it = book.fact("market")
    reads = {
        ilk: [call(part, "ilks(bytes32)", ilk_word(ilk)) for part in (it.vat, it.jug, it.spotter, it.dog)]
        for ilk in ilks
    }
    answers = yield [read for group in reads.values() for read in group]
    for ilk, group in reads.items():
        book.learn("terms", ilk, _terms(*(answers[read] for read in group)))


def _terms(vat: str | None, jug: str | None, spotter: str | None, dog: str | None) -> Terms | None:
    """``None`` where a part of the market does not know the collateral (yet)."""
    if not (vat and jug and spotter and dog and size(vat) > 4 and word(vat, 1) and word(spotter, 1)):  # noqa: PLR2004
        return None
    return Terms(
        rate=word(vat, 1), spot=word(vat, 2), dust=word(vat, 4), duty=word(jug, 0), dripped=word(jug, 1),
        pip=word_address(spotter, 0), ratio=word(spotter, 1), clip=word_address(dog, 0), chop=word(dog, 1),
        hole=word(dog, 2), dirt=word(dog, 3),
    )  # fmt: skip


def tokens(book: Book, ilks: Iterable[str]) -> Inquiry:
    """What collaterals are outside the vat."""
    registry = book.fact("market").registry
    reads = {ilk: call(registry, "join(bytes32)", ilk_word(ilk)) for ilk in ilks}
    answers = yield list(reads.values())
    joins = {ilk: found for ilk, read in reads.items() if (found := address(answers, read)) != ZERO_ADDRESS}
    gems = {ilk: (call(join, "gem()"), call(join, "dec()")) for ilk, join in joins.items()}
    answers = yield [read for group in gems.values() for read in group]
    for ilk in reads:
        book.learn("token", ilk, _token(joins[ilk], *gems[ilk], answers) if ilk in gems else None)


def _token(join: Address, gem: Read, decimals: Read, answers: Answers) -> Token | None:
    found = integer(answers, decimals)
    return None if found is None else Token(join, address(answers, gem), found)


def oracles(book: Book, pips: Iterable[Address]) -> Inquiry:
    """Prices. One that no collateral asks for any more is forgotten."""
    used = {found.pip for found in book.facts("terms").values()}
    for pip in set(book.facts("oracle")) - used:
        book.learn("oracle", pip, None)
    pips = [pip for pip in pips if pip in used]
    reads = {pip: [call(pip, f"{name}()") for name in ("hop", "zzz", "stopped", "peek")] for pip in pips}
    asks: list[Ask] = [read for group in reads.values() for read in group]
    answers = yield asks
    late = [pip for pip, group in reads.items() if all(size(answers[read]) for read in group[:2])]
    slots = yield [SlotOf(pip, slot) for pip in late for slot in (CURRENT, NEXT)]
    for pip, group in reads.items():
        book.learn("oracle", pip, _late(pip, group, answers, slots) if pip in late else _prompt(group[3], answers))


def _late(pip: Address, reads: list[Read], answers: Answers, slots: Answers) -> Oracle:
    hop, updated, stopped = (integer(answers, read) or 0 for read in reads[:3])
    value, coming = (packed(slots[SlotOf(pip, slot)]) for slot in (CURRENT, NEXT))
    return Oracle(value, late=True, coming=coming, due=updated + hop, stopped=bool(stopped))


def packed(slot: str) -> int:
    """A value with a flag above it; 0 without the flag."""
    content = int(slot, 16)
    return content & MAX_U128 if content >> 128 == 1 else 0


def _prompt(read: Read, answers: Answers) -> Oracle:
    return Oracle(value=(integer(answers, read) or 0) if integer(answers, read, 1) else 0)


def rules(book: Book, clips: Iterable[Address]) -> Inquiry:
    """What auction houses let be done, and how their prices fall."""
    names = ("calc", "buf", "tail", "cusp", "chip", "tip", "chost", "stopped")
    reads = {clip: [call(clip, f"{name}()") for name in names] for clip in clips}
    shapes = {clip: call(clip, "sales(uint256)", 0) for clip in reads}
    answers = yield [*shapes.values(), *(read for group in reads.values() for read in group)]
    for clip, (calc, *numbers) in reads.items():
        found = address(answers, calc)
        curve = yield from _curve(found)
        usual = size(answers[shapes[clip]]) == _SALE and all(size(answers[read]) for read in numbers)
        if curve is None or not usual:
            book.learn("rules", clip, None)
        else:
            book.learn("rules", clip, Rules(found, curve, *(integer(answers, read) or 0 for read in numbers)))


def _curve(calc: Address) -> InquiryOf[Curve | None]:
    """The curve of a calculator, if it is one of those that are understood."""
    reads = [call(calc, f"{name}()") for name in ("tau", "cut", "step")]
    prices = {seconds: call(calc, "price(uint256,uint256)", RAY, seconds) for seconds in _PROBES}
    answers = yield [*reads, *prices.values()]
    for curve in _candidates(*(integer(answers, read) for read in reads)):
        if all(integer(answers, read) == curve.price(RAY, seconds) for seconds, read in prices.items()):
            return curve
    return None


def _candidates(tau: int | None, cut: int | None, step: int | None) -> Iterator[Curve]:
    if tau:
        yield Curve(Shape.LINEAR, tau=tau)
    if cut is not None and step:
        yield Curve(Shape.STAIRSTEP, cut=cut, step=step)
    if cut is not None and step is None:
        yield Curve(Shape.EXPONENTIAL, cut=cut)


# --- amounts ---------------------------------------------------------------------------------------------------


def doubts(book: Book) -> Inquiry:
    """Urns and auctions that events could not tell."""
    accounts = [Address(account) for account in book.facts("doubt")]
    yield from amounts(book, accounts)
    for account in accounts:
        book.learn("doubt", account, None)


def amounts(book: Book, accounts: Iterable[Address]) -> Inquiry:
    """Take some urns and auctions from the chain."""
    reads = {account: amount_read(book, account) for account in accounts}
    answers = yield list(reads.values())
    for account, read in reads.items():
        data = answers[read]
        if owner(account) in book.facts("clip"):
            _learn_sale(book, account, data)
        else:
            row, column = book.open(account), number(book, pocket(account)) << 2
            for side in (INK, ART):
                book.set_amount(row, column | side, integer(answers, read, side) or 0)


def amount_read(book: Book, account: Address) -> Read:
    """What to ask about an account."""
    if owner(account) in book.facts("clip"):
        return call(owner(account), "sales(uint256)", int(pocket(account)))
    return call(book.fact("market").vat, "urns(bytes32,address)", ilk_word(pocket(account)), owner(account))


def sale_of(data: str | None) -> tuple[Sale, int] | None:
    """An auction and its lot, from what its house answers; ``None``: it is over."""
    if data is None or size(data) != _SALE or not word(data, 4):
        return None
    return Sale(word(data, 1), word_address(data, 3), word(data, 4), word(data, 5)), word(data, 2)


def _learn_sale(book: Book, account: Address, data: str | None) -> None:
    sale, lot = sale_of(data) or (None, 0)
    set_lot(book, account, lot)
    book.learn("sale", account, sale)


# --- what logs ask for -----------------------------------------------------------------------------------------


def refresh(book: Book, chainlog: Address) -> Inquiry:
    """After a live block: read again what its events touched, and what moves without any."""
    stale = set(book.facts("stale"))
    if "market" in stale:
        yield from survey(book, chainlog)
        return
    by_kind: dict[str, list[str]] = {"ilk": [], "oracle": [], "clip": []}
    for subject in stale:
        kind, _, key = subject.partition(":")
        by_kind[kind].append(key)
    yield from limits(book)
    ilks = [ilk for ilk in by_kind["ilk"] if ilk in book.facts("ilk")]
    if ilks:
        yield from terms(book, ilks)
        yield from tokens(book, [ilk for ilk in ilks if book.fact("token", ilk) is None])
    pips = {book.fact("terms", ilk).pip for ilk in ilks if book.fact("terms", ilk) is not None}
    prompt = {pip for pip, oracle in book.facts("oracle").items() if not oracle.late}
    unread = {pip for pip in pips if book.fact("oracle", pip) is None}
    yield from oracles(book, map(Address, {*prompt, *unread, *by_kind["oracle"]}))
    yield from rules(book, {Address(clip) for clip in [*by_kind["clip"], *_unruled(book)]})
    yield from doubts(book)
    for subject in list(book.facts("stale")):
        book.learn("stale", subject, None)


def _unruled(book: Book) -> Iterator[str]:
    """Auction houses that were never read."""
    yield from (clip for clip in book.facts("clip") if book.fact("rules", clip) is None)
