"""What a venue offers: pools that price an amount exactly and answer with the state they would be left in.

Law: a pool is a value. A quote never moves the pool it was asked of; it carries the pool as it would be afterwards,
so two liquidations that sell into one pool in one block are priced one after the other. A pool that cannot do the
whole amount, or would give nothing for it, answers ``None``: never a partial fill, never a price of zero.
"""

from collections.abc import Generator, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from operator import attrgetter
from typing import Protocol

import msgspec

from keeper.core.events import Log, Read
from keeper.core.plans import REDEEMED, VenueKind
from keeper.core.ports import Answers, Ask
from keeper.core.units import MAX_U256, Address, Amount

Q96 = 1 << 96
PIPS = 1_000_000  # fees are in hundredths of a bip


@dataclass(frozen=True, slots=True)
class Depth:
    """A pool near its present price, as a constant product without fee: out = e·a/(d + a), while d + a ≤ end.

    All reserves are Q96 and the swap fee is inside those that come in. A guide for splitting, precise to the last few
    units; what is finally sold is always quoted anew by the pools themselves.
    """

    reserve_in: int  # d
    reserve_out: int  # e
    end: int  # d where the liquidity changes
    capacity: int  # the amount in that takes the price there, in whole units; zero when nothing is left


NO_DEPTH = Depth(0, 0, 0, 0)


class Quote(msgspec.Struct, frozen=True, gc=False):
    """An exact swap: what goes in, what comes out, and the pool afterwards."""

    amount_in: Amount
    amount_out: Amount
    after: "Pool"


class Pool(Protocol):
    """One pool of two tokens at one moment."""

    @property
    def kind(self) -> VenueKind: ...
    @property
    def address(self) -> Address: ...
    @property
    def token0(self) -> Address: ...
    @property
    def token1(self) -> Address: ...
    @property
    def fee(self) -> int:
        """Hundredths of a bip."""
        ...

    @property
    def narrow(self) -> bool:
        """The price is close to the end of what was loaded: it is time to load the pool anew."""
        ...

    def quote_exact_in(self, token_in: Address, amount: int) -> Quote | None:
        """Sell exactly ``amount`` of ``token_in``."""
        ...

    def quote_exact_out(self, token_out: Address, amount: int) -> Quote | None:
        """Buy exactly ``amount`` of ``token_out``."""
        ...

    def price(self, token_in: Address) -> tuple[int, int] | None:
        """Marginal ``token_out`` per ``token_in`` after the fee, as numerator and denominator."""
        ...

    def depth(self, token_in: Address) -> Depth:
        """The pool as a constant product, up to its next change of liquidity."""
        ...


@dataclass(frozen=True, slots=True)
class PoolKey:
    """What a venue's factory says of a pool."""

    address: Address
    token0: Address
    token1: Address
    fee: int


Finding = Generator[Sequence[Ask], Answers, Sequence[PoolKey]]
Loading = Generator[Sequence[Ask], Answers, Pool | None]


class Venue(Protocol):
    """One exchange: where its pools are, how one is read from the chain, how events move it."""

    @property
    def factory(self) -> Address: ...

    def find(self, pairs: Sequence[tuple[Address, Address]]) -> Finding:
        """The pools of these pairs; each pair is sorted, token0 first."""
        ...

    def created(self, log: Log) -> PoolKey | None:
        """The pool that a log of the factory announces, if it announces one."""
        ...

    def load(self, key: PoolKey) -> Loading:
        """The pool's state at the pinned block; ``None`` when the contract does not answer like a pool."""
        ...

    def apply(self, pool: Pool, log: Log) -> Pool | None:
        """The pool after a log of its own; ``None`` when the log contradicts the state: it must be loaded anew."""
        ...


def view(to: Address, selector: str, *arguments: Address | int) -> Read:
    """A view call with static arguments."""
    words = (argument & MAX_U256 if isinstance(argument, int) else int(argument, 16) for argument in arguments)
    return Read(to, selector + "".join(f"{value:064x}" for value in words))


def answered(answers: Answers, read: Read, words: int = 1) -> str | None:
    """The answer, when it has at least so many words: a shorter one is a contract without that function."""
    data: str | None = answers[read]
    return data if data is not None and len(data) >= 2 + 64 * words else None


def sorted_pair(a: Address, b: Address) -> tuple[Address, Address]:
    """The pair as pools order it."""
    return (a, b) if a < b else (b, a)


@dataclass(frozen=True, slots=True)
class Liquidity:
    """All pools at one moment: what a plan is priced against."""

    pools: Mapping[Address, Pool] = field(default_factory=dict)
    _pairs: Mapping[tuple[Address, Address], tuple[Address, ...]] = field(default_factory=dict)
    _receipts: Mapping[Address, Address] = field(default_factory=dict)

    @classmethod
    def of(cls, pools: Iterable[Pool]) -> "Liquidity":
        """Index pools by their pair."""
        by_address = {pool.address: pool for pool in sorted(pools, key=attrgetter("address"))}
        pairs: dict[tuple[Address, Address], tuple[Address, ...]] = {}
        for pool in by_address.values():
            pair = (pool.token0, pool.token1)
            pairs[pair] = (*pairs.get(pair, ()), pool.address)
        receipts = {
            address: pool.token1 if pool.token0 == address else pool.token0
            for address, pool in by_address.items()
            if pool.kind in REDEEMED
        }
        return cls(by_address, pairs, receipts)

    def redeemed(self, token: Address) -> Address | None:
        """What a receipt is turned into, if the token is one."""
        return self._receipts.get(token)

    def beside(self, pools: Sequence[Pool]) -> "Liquidity":
        """The same with other pools beside its own."""
        return Liquidity.of([*self.pools.values(), *pools]) if pools else self

    def between(self, a: Address, b: Address) -> tuple[Pool, ...]:
        """The pools of two tokens."""
        return tuple(self.pools[at] for at in self._pairs.get(sorted_pair(a, b), ()))

    def after(self, moved: Iterable[Pool]) -> "Liquidity":
        """The same with some pools as a plan leaves them."""
        return Liquidity({**self.pools, **{pool.address: pool for pool in moved}}, self._pairs, self._receipts)
