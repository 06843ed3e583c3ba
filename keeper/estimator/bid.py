"""What is offered for inclusion, and how that is learned.

Laws
- *Value* is what is left after burnt gas: the bid comes out of it, and ``min_profit`` of it stays ours. A bid below
  the floor is no bid: then the answer is ``None``, never a smaller profit than the minimum.
- The bid is a share of *measured* profit, in whole basis points: if less is earned on chain, less is paid.
- Shares are learned per (protocol, asset, channel), by pure functions, within bounds, in a table of bounded size.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import Enum
from typing import Final, NamedTuple, TypeVar

from keeper.core.units import BPS, Address, Bps, Wei, mul_div_down, mul_div_up

T = TypeVar("T")
K = TypeVar("K")
_STEP: Final = 500  # bps


def share(value: int, beta: Bps) -> Wei:
    """A fixed share of the value."""
    return Wei(mul_div_down(value, beta, BPS))


def first_price(value: int, bidders: int) -> Wei:
    """Best sealed first-price bid against so many bidders, ourselves included, whose values are spread evenly."""
    return Wei(mul_div_down(value, bidders - 1, bidders))


def deterrence(value: int, gamma: Bps) -> Wei:
    """The share below which a builder would rather take the opportunity itself."""
    return Wei(mul_div_up(value, gamma, BPS))


def expected(value: int, bid: int, wins: int, tries: int, miss: int = 0) -> Wei:
    """Expected profit of a bid that wins ``wins`` of ``tries`` times, when a miss costs ``miss``. Rounded down."""
    return Wei((wins * (value - bid) - (tries - wins) * miss) // tries)


@dataclass(frozen=True, slots=True)
class BidPolicy:
    """How the value is split with the block's builder."""

    floor: Wei = Wei(0)  # least bid that is worth a builder's while
    min_profit: Wei = Wei(0)
    gamma: Bps = Bps(0)  # deterrence; 0: none
    bidders: int = 0  # expected in a first-price auction, ourselves included; 0: the learned share decides
    tip: Wei = Wei(1)  # priority fee per gas; some channels never share a transaction without one
    miss: Wei = Wei(0)  # what a bid that does not win costs: nothing, unless failures are included

    def offer(self, value: int, beta: Bps, min_profit: int | None = None) -> Wei | None:
        """The bid: the rule's wish, within floor and ceiling; ``None`` when they leave no room."""
        wish = share(value, beta) if self.bidders == 0 else first_price(value, self.bidders)
        wish = max(wish, deterrence(value, self.gamma))
        ceiling = value - (self.min_profit if min_profit is None else min_profit)
        return Wei(min(max(wish, self.floor), ceiling)) if self.floor <= ceiling else None


def in_bps(bid: int, profit: int, floor: int, ceiling: int) -> Bps | None:
    """The bid in whole basis points of measured profit, such that what is paid stays within floor and ceiling."""
    if profit <= 0:
        return None
    bps = max(mul_div_down(bid, BPS, profit), mul_div_up(floor, BPS, profit))
    return Bps(bps) if bps < BPS and mul_div_down(profit, bps, BPS) <= ceiling else None


def per_gas(bid: int, gas: int) -> Wei:
    """The bid as a priority fee."""
    return Wei(bid // gas)


class Offer(NamedTuple):
    """A bid as a plan carries it."""

    bps: Bps  # of measured profit
    tip: Wei  # per gas
    total: Wei

    def least_profit(self, needed: int) -> int:
        """The smallest measured profit that leaves ``needed`` when the share is paid."""
        return (needed - 1) * BPS // (BPS - self.bps) + 1 if needed > 0 else 0


def settle_bid(
    policy: BidPolicy, beta: Bps, profit: int, value: int, gas: int, keep: int, *, shared: bool
) -> Offer | None:
    """The bid out of ``value``, of which ``keep`` stays ours; ``None`` when there is no room for one.

    ``shared``: the executor pays a share of profit itself, and the priority fee is only the policy's. Else the bid is
    a priority fee altogether.
    """
    tip = policy.tip * gas
    wish = policy.offer(value, beta, keep)
    if wish is None or tip > value - keep:
        return None
    offer = max(wish, tip)
    if not shared:
        per = per_gas(offer, gas)
        return Offer(Bps(0), per, Wei(per * gas)) if per * gas >= policy.floor else None
    bps = in_bps(offer - tip, profit, max(policy.floor - tip, 0), value - keep - tip)
    return None if bps is None else Offer(bps, policy.tip, Wei(tip + mul_div_down(profit, bps, BPS)))


# --- learning ---------------------------------------------------------------------------------------------------


class Ended(Enum):
    """How an auction ended for us, as far as it teaches anything about the share."""

    WON = "won"
    OUTBID = "outbid"
    MISSED = "missed"  # nobody took it, or the channel failed: says nothing about the share


class Key(NamedTuple):
    """Where a share applies."""

    protocol: str
    asset: Address  # the collateral sold
    channel: str


class Tried(NamedTuple):
    """What a share has brought so far."""

    share: Bps
    wins: int
    tries: int


def best_share(value: int, curve: Sequence[Tried], miss: int = 0) -> tuple[Bps, Wei]:
    """The tried share with the highest expected profit, and that profit; the lower share among equals."""
    ranked = [(expected(value, share(value, t.share), t.wins, t.tries, miss), -t.share) for t in curve if t.tries > 0]
    if not ranked:
        return Bps(0), Wei(0)
    profit, minus_share = max(ranked)
    return Bps(-minus_share), profit


@dataclass(frozen=True, slots=True)
class BidBook:
    """The learned shares."""

    betas: Mapping[Key, Bps] = field(default_factory=dict)
    start: Bps = Bps(5000)
    starts: Mapping[Address, Bps] = field(default_factory=dict)  # contested assets start higher
    low: Bps = Bps(1000)
    high: Bps = Bps(9500)
    lead: Bps = Bps(100)  # how far to go above a rival's observed share
    up: Bps = Bps(2500)  # of the way to ``high`` after a loss to an unseen bid
    down: Bps = Bps(200)  # of the way to ``low`` after a win
    size: int = 4096
    tried: Mapping[Key, tuple[Tried, ...]] = field(default_factory=dict)
    enough: int = 40  # outcomes from which on the tried shares decide instead of beta

    def share(self, key: Key, value: int, miss: int = 0) -> Bps:
        """The share to offer of a value: what has paid best so far, once that is known; until then beta."""
        tried = self.tried.get(key, ())
        if sum(one.tries for one in tried) < self.enough:
            return self.beta(key)
        return self._clamp(best_share(value, tried, miss)[0])

    def beta(self, key: Key) -> Bps:
        """The share as wins and losses have moved it."""
        return self.betas.get(key, self._clamp(self.starts.get(key.asset, self.start)))

    def learn(self, key: Key, ended: Ended, rival: Bps | None = None) -> "BidBook":
        """The book after one outcome; ``rival`` is the winner's share of what the opportunity was worth to us."""
        if ended is Ended.MISSED:
            return self
        before = self.beta(key)
        if ended is Ended.WON:
            after = before - mul_div_up(before - self.low, self.down, BPS)
        elif rival is None:
            after = before + mul_div_up(self.high - before, self.up, BPS)
        else:
            after = max(before, rival + self.lead)
        betas = kept(self.betas, key, self._clamp(after), self.size)
        counted = _counted(self.tried.get(key, ()), before, won=ended is Ended.WON)
        return replace(self, betas=betas, tried=kept(self.tried, key, counted, self.size))

    def _clamp(self, beta: int) -> Bps:
        return Bps(min(max(beta, self.low), self.high))


def kept(table: Mapping[K, T], key: K, value: T, size: int) -> dict[K, T]:
    """The table with one entry renewed, without the least recently renewed ones that are too many."""
    found = {known: one for known, one in table.items() if known != key}
    found[key] = value
    while len(found) > size:
        del found[next(iter(found))]
    return found


def _counted(tried: Sequence[Tried], offered: Bps, *, won: bool) -> tuple[Tried, ...]:
    """One more outcome at a share, counted in steps of ``_STEP``."""
    step = Bps((offered + _STEP // 2) // _STEP * _STEP)
    found = {one.share: one for one in tried}
    known = found.get(step, Tried(step, 0, 0))
    found[step] = Tried(step, known.wins + won, known.tries + 1)
    return tuple(found[one] for one in sorted(found))
