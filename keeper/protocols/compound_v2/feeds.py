"""Which feeds the comptroller's oracle takes its prices from.

Laws
- A feed is followed only where the oracle names it and its answer, times a power of ten, is the price at this very
  block. Known shapes: Venus's resilient oracle over its Chainlink oracle. Every other price is viewed.
- What is known of a feed is what the block says, whenever it was looked for. Whatever the oracles on the way log, and a
  price that no feed foretold, has the way walked anew. A proxy does not tell of another aggregator and is asked at
  every block, and so is a feed whose answer was not the price.
"""

from collections.abc import Sequence
from typing import Final

from keeper.core.book import Book
from keeper.core.calls import integer, size
from keeper.core.events import Read, word_address
from keeper.core.ports import Answers, Inquiry
from keeper.core.units import ZERO_ADDRESS, Address
from keeper.protocols.compound_v2.calls import call
from keeper.protocols.compound_v2.facts import Feed, Way

_COIN: Final = Address("0x" + "bb" * 20)  # how the resilient oracle calls the chain's own coin
_NOWHERE: Final = Way(ZERO_ADDRESS, ZERO_ADDRESS, ZERO_ADDRESS)
_NAMED: Final = (1, 1, 0)  # the word of each step's answer that names the next contract


def glance(book: Book, v_token: Address) -> list[Read]:
    """What is asked at a block in which nothing is said of the way."""
    way: Way = book.fact("way", v_token) or _NOWHERE
    found = [call(way.proxy, "aggregator()")] if way.proxy != ZERO_ADDRESS else []
    idle = book.fact("feed", v_token) is None and way.aggregator != ZERO_ADDRESS
    return [*found, call(way.aggregator, "latestAnswer()")] if idle else found


def stands(book: Book, v_token: Address, answers: Answers, *, foretold: bool) -> bool:
    """Whether the way is still known after a glance. ``foretold``: the price is what the book already had."""
    way: Way | None = book.fact("way", v_token)
    asked = glance(book, v_token)
    if way is None or (asked and _named(answers, asked[0], 0) != way.aggregator):
        return False
    if book.fact("feed", v_token) is not None:
        return foretold
    if len(asked) > 1:
        _learn(book, v_token, way, integer(answers, asked[1]))
    return True


def steps(book: Book, v_token: Address) -> list[Read]:
    """What is asked along the way that is known, and at its end."""
    way = book.fact("way", v_token) or _NOWHERE
    asset = book.fact("listing", v_token).underlying
    asset = _COIN if asset == ZERO_ADDRESS else asset
    asked = (
        (book.fact("market").oracle, "getTokenConfig(address)", asset),
        (way.oracle, "tokenConfigs(address)", asset),
        (way.proxy, "aggregator()"),
        (way.aggregator, "latestAnswer()"),
    )
    return [call(*one) for one in asked if one[0] != ZERO_ADDRESS]


def walked(book: Book, v_token: Address, answers: Answers) -> bool:
    """Take the way as the answers say it is, with what follows from it. True: it has not turned, and ends here."""
    asked = steps(book, v_token)
    named = [_named(answers, read, word) for read, word in zip(asked, _NAMED, strict=False)]
    way = Way(*named, *[ZERO_ADDRESS] * (len(_NAMED) - len(named)))
    same: bool = way == book.fact("way", v_token)
    book.learn("way", v_token, way)
    _learn(book, v_token, way, integer(answers, asked[-1]) if same and len(asked) > len(_NAMED) else None)
    return same


def feeds(book: Book, v_tokens: Sequence[Address]) -> Inquiry:
    """The feeds behind the prices of some markets whose way has turned, step by step."""
    left = list(v_tokens)
    while left:
        asked = {v_token: steps(book, v_token) for v_token in left}
        answers = yield list(dict.fromkeys(read for group in asked.values() for read in group))
        left = [v_token for v_token in left if not walked(book, v_token, answers)]


def _learn(book: Book, v_token: Address, way: Way, answer: int | None) -> None:
    """The feed at the end of a way, if its answer is the price."""
    scale = _scale(book.fact("price", v_token), answer)
    book.learn("feed", v_token, Feed(way.aggregator, scale, way.proxy) if scale else None)


def _named(answers: Answers, read: Read, word: int) -> Address:
    answer = answers[read]
    return ZERO_ADDRESS if answer is None or size(answer) <= word else word_address(answer, word)


def _scale(price: int | None, answer: int | None) -> int:
    """The power of ten between an answer and a price; 0 when there is none."""
    if not price or not answer or price % answer:
        return 0
    scale = price // answer
    return scale if str(scale).strip("0") == "1" else 0
