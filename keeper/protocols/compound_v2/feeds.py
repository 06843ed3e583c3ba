"""Which feeds the comptroller's oracle takes its prices from.

Laws
- A feed is followed only where the oracle names it and its answer, times a power of ten, is the price at this very
  block. Known shapes: Venus's resilient oracle over its Chainlink oracle. Every other price is viewed.
- What is known of a feed is what the block says, whenever it was looked for: the way to it is walked at every block,
  all of it at once where it is as it was, and step by step only where it has turned.
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
    answer = integer(answers, asked[-1]) if len(asked) > len(_NAMED) else None
    scale = _scale(book.fact("price", v_token), answer)
    book.learn("feed", v_token, Feed(way.aggregator, scale, way.proxy) if same and scale else None)
    return same


def feeds(book: Book, v_tokens: Sequence[Address]) -> Inquiry:
    """The feeds behind the prices of some markets whose way has turned, step by step."""
    left = list(v_tokens)
    while left:
        asked = {v_token: steps(book, v_token) for v_token in left}
        answers = yield list(dict.fromkeys(read for group in asked.values() for read in group))
        left = [v_token for v_token in left if not walked(book, v_token, answers)]


def _named(answers: Answers, read: Read, word: int) -> Address:
    answer = answers[read]
    return ZERO_ADDRESS if answer is None or size(answer) <= word else word_address(answer, word)


def _scale(price: int | None, answer: int | None) -> int:
    """The power of ten between an answer and a price; 0 when there is none."""
    if not price or not answer or price % answer:
        return 0
    scale = price // answer
    return scale if str(scale).strip("0") == "1" else 0
