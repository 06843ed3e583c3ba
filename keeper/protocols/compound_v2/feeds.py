"""Which feeds the comptroller's oracle takes its prices from.

Law: a feed is followed only where the oracle names it and its answer, times a power of ten, is the price at this very
block. Known shapes: Venus's resilient oracle over its Chainlink oracle. Every other price is viewed.
"""

from collections.abc import Mapping, Sequence
from typing import Final

from keeper.core.book import Book
from keeper.core.calls import address, integer
from keeper.core.ports import Inquiry
from keeper.core.units import ZERO_ADDRESS, Address
from keeper.protocols.compound_v2.calls import call
from keeper.protocols.compound_v2.facts import Feed

_COIN: Final = Address("0x" + "bb" * 20)  # how the resilient oracle calls the chain's own coin


def feeds(book: Book, v_tokens: Sequence[Address]) -> Inquiry:
    """The aggregator behind the price of some markets, where it can be told."""
    oracle = book.fact("market").oracle
    underlying = {v_token: book.fact("listing", v_token).underlying for v_token in v_tokens}
    assets = {v_token: _COIN if asset == ZERO_ADDRESS else asset for v_token, asset in underlying.items()}
    configs = {v_token: call(oracle, "getTokenConfig(address)", asset) for v_token, asset in assets.items()}
    first = yield list(configs.values())
    inner = {
        v_token: call(Address(f"0x{main:040x}"), "tokenConfigs(address)", assets[v_token])
        for v_token, read in configs.items()
        if (main := integer(first, read, 1))
    }
    second = yield list(inner.values())
    proxies = {
        v_token: Address(f"0x{feed:040x}") for v_token, read in inner.items() if (feed := integer(second, read, 1))
    }
    third = yield [call(proxy, "aggregator()") for proxy in proxies.values()]
    behind = {v_token: address(third, call(proxy, "aggregator()")) for v_token, proxy in proxies.items()}
    yield from _answers(book, v_tokens, proxies, behind)


def _answers(
    book: Book, v_tokens: Sequence[Address], proxies: Mapping[Address, Address], behind: Mapping[Address, Address]
) -> Inquiry:
    reads = {feed: call(feed, "latestAnswer()") for feed in behind.values() if feed != ZERO_ADDRESS}
    answers = yield list(reads.values())
    for v_token in v_tokens:
        feed = behind.get(v_token, ZERO_ADDRESS)
        answer = integer(answers, reads[feed]) if feed in reads else None
        scale = _scale(book.fact("price", v_token), answer)
        book.learn("feed", v_token, Feed(feed, scale, proxies[v_token]) if scale else None)


def _scale(price: int | None, answer: int | None) -> int:
    """The power of ten between an answer and a price; 0 when there is none."""
    if not price or not answer or price % answer:
        return 0
    scale = price // answer
    return scale if str(scale).strip("0") == "1" else 0
