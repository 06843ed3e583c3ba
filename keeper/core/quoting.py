"""A price from outside: what an external quoter is asked and what it answers.

Law: a quote is an offer to be simulated, never a fact. It sells exactly one amount through one allow-listed router,
and no plan that contains one is sent unless its simulation earned what the quote promised.
"""

from dataclasses import dataclass
from typing import Protocol

from keeper.core.units import Address, Amount


@dataclass(frozen=True, slots=True)
class QuoteRequest:
    """Sell exactly ``amount``; ``taker`` is the executor, to whom the proceeds go."""

    sold: Address
    bought: Address
    amount: Amount
    taker: Address


@dataclass(frozen=True, slots=True)
class ExternalQuote:
    """Calldata for a router, and what it should bring."""

    source: str
    request: QuoteRequest
    amount_out: Amount
    router: Address
    data: str  # 0x-prefixed calldata


@dataclass(frozen=True, slots=True)
class NoQuote:
    """The quoter has no answer that can be used, and why."""

    source: str
    reason: str


class Quoter(Protocol):
    """Somebody who knows more pools than we do. Failures come back as ``NoQuote``; nothing is raised."""

    @property
    def name(self) -> str: ...

    async def quote(self, request: QuoteRequest) -> ExternalQuote | NoQuote: ...
