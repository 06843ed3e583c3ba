"""What a transaction's execution costs: the next base fees, and the gas of a plan's own steps.

Laws
- The base fee follows EIP-1559 to the wei, for any elasticity and denominator (``FeeRule``).
- A fee cap covers full blocks up to the last one of the window: what is not used is not charged.
- Gas is learned per *shape* of plan from simulations: a higher observation counts at once, a lower one slowly.
  What was never seen is priced by a prior that errs upward. The book is a value of bounded size.
- A leg costs less after others of its shape, because they have warmed what it touches: how much less is learned too.
  One that joins a loan is such a one after the leg that takes it, and never dearer than with a loan of its own.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Final, NamedTuple, TypeVar

from keeper.core.actions import Style
from keeper.core.plans import FundingKind, Leg, SwapLeg, VenueKind
from keeper.core.units import BPS, Wei, div_up, mul_div_up

T = TypeVar("T")

TX_GAS_CAP: Final = 2**24  # EIP-7825: no transaction may ask for more

_REPEAT: Final = (3, 5)  # what a repeated leg takes of a first one, before it was learned; about 0.4 was measured
_LEAST_REPEAT: Final = 8  # a repeated leg is never taken for cheaper than this part of a first one
_BASE: Final = 60_000  # intrinsic gas, calldata, the executor's own guards
_CALLS: Final[Mapping[Style, int]] = {  # what the market does
    Style.AAVE: 380_000,
    Style.PREFUND: 1_000_000,  # Venus through its Liquidator takes 900,000
    Style.CALLBACK: 350_000,
    Style.CLIP: 600_000,
    Style.BOUNTY: 1_000_000,
    Style.TAKEOVER: 2_200_000,
}
_BAD_DEBT: Final = 90_000  # clearing each further debt of an emptied account
_WRAPPED: Final = 180_000  # turning receipts into the asset
_FUNDING: Final[Mapping[FundingKind, int]] = {
    FundingKind.OWN: 60_000,
    FundingKind.UNISWAP_V3_FLASH_SWAP: 150_000,
    FundingKind.AAVE_FLASH_LOAN: 180_000,
    FundingKind.BALANCER_FLASH_LOAN: 100_000,
    FundingKind.MORPHO_FLASH_LOAN: 90_000,
    FundingKind.PROTOCOL_CALLBACK: 30_000,
}
_HOP: Final[Mapping[VenueKind, int]] = {
    VenueKind.UNISWAP_V2: 100_000,
    VenueKind.UNISWAP_V3: 150_000,
    VenueKind.ROUTER: 350_000,
    VenueKind.ERC4626: 150_000,
    VenueKind.CTOKEN: 250_000,
}


@dataclass(frozen=True, slots=True)
class FeeRule:
    """How a chain moves its base fee. Ethereum's is the default."""

    elasticity: int = 2
    denominator: int = 8
    minimum: Wei = Wei(0)
    in_header: bool = False  # OP stack since Holocene: each header's extra data says it

    def at(self, extra: str) -> "FeeRule":
        """The rule after a header with this extra data (hex): version, denominator, elasticity; since Jovian a minimum.

        Where headers do not say it anybody can write anything there, and nobody is believed.
        """
        size, said = len(extra) // 2 - 1, extra[2:]
        if not self.in_header or size not in _HEADER_SIZES or int(said[:2], 16) != _HEADER_SIZES[size]:
            return self
        denominator, elasticity = int(said[2:10], 16), int(said[10:18], 16)
        least = Wei(int(said[18:34] or "0", 16))
        return replace(self, denominator=denominator, elasticity=elasticity, minimum=least) if denominator else self


_HEADER_SIZES: Final = {9: 0, 17: 1}  # bytes of extra data, and the version that has so many
ETHEREUM: Final = FeeRule()


def next_base_fee(base_fee: int, gas_used: int, gas_limit: int, rule: FeeRule = ETHEREUM) -> Wei:
    """The base fee of the block after one with this base fee and this use, exactly."""
    target = gas_limit // rule.elasticity
    if gas_used > target:
        rise = max(base_fee * (gas_used - target) // target // rule.denominator, 1)
        return Wei(max(base_fee + rise, rule.minimum))
    fall = base_fee * (target - gas_used) // target // rule.denominator
    return Wei(max(base_fee - fall, rule.minimum))


def worst_base_fee(base_fee: int, blocks: int, gas_limit: int, rule: FeeRule = ETHEREUM) -> Wei:
    """The base fee after so many blocks, all of them full."""
    for _ in range(blocks):
        base_fee = next_base_fee(base_fee, gas_limit, gas_limit, rule)
    return Wei(base_fee)


def max_fee(base_fee: int, tip: int, blocks: int, gas_limit: int, rule: FeeRule = ETHEREUM) -> Wei:
    """A fee cap that still leaves the whole tip in the last block of a window starting at ``base_fee``."""
    return Wei(worst_base_fee(base_fee, blocks, gas_limit, rule) + tip)


class LegShape(NamedTuple):
    """What decides a leg's gas: which steps it takes, not their amounts."""

    protocol: str
    funding: FundingKind
    wrapped: bool
    bad_debt: bool
    swaps: tuple[tuple[VenueKind, ...], ...]
    style: Style = Style.AAVE
    joins: bool = False

    @property
    def apart(self) -> "LegShape":
        """The same with a loan of its own."""
        return self._replace(joins=False)


class Shape(NamedTuple):
    """The same of a whole plan. The order of its legs does not matter."""

    legs: tuple[LegShape, ...]
    conversions: tuple[tuple[VenueKind, ...], ...] = ()

    @classmethod
    def of(cls, legs: Iterable[Leg], conversions: Iterable[SwapLeg] = ()) -> "Shape":
        """The shape of a plan made of these."""
        return cls(tuple(sorted(leg_shape(leg) for leg in legs)), _kinds(conversions))


def leg_shape(leg: Leg) -> LegShape:
    """The shape of a leg."""
    bad_debt = leg.settlement.bad_debt > 0
    funding, swaps = leg.funding, _kinds(leg.swaps)
    return LegShape(leg.protocol, funding.kind, leg.receive_wrapped, bad_debt, swaps, leg.style, funding.joins)


def _kinds(swaps: Iterable[SwapLeg]) -> tuple[tuple[VenueKind, ...], ...]:
    return tuple(tuple(hop.venue for hop in swap.hops) for swap in swaps)


def prior(shape: LegShape) -> int:
    """A leg's gas before anything was learned, erring upward."""
    gas = _CALLS[shape.style] + funding_prior(shape.funding, joins=shape.joins)
    gas += (_BAD_DEBT if shape.bad_debt else 0) + (_WRAPPED if shape.wrapped else 0)
    return gas + hops_prior(shape.swaps)


def hops_prior(swaps: Iterable[Iterable[VenueKind]]) -> int:
    """The same for some swaps."""
    return sum(_HOP[kind] for swap in swaps for kind in swap)


def funding_prior(kind: FundingKind, *, joins: bool = False) -> int:
    """The same for a kind of funding; who joins a loan is paid as from own balance."""
    return _FUNDING[FundingKind.OWN if joins else kind]


def _counted(legs: Iterable[LegShape]) -> Iterator[tuple[LegShape, int, int]]:
    """Each shape, how many are the first of it, which is one or none, and how many repeat it."""
    counts = Counter(legs)
    for leg, n in counts.items():
        first = 0 if leg.joins and leg.apart in counts else 1
        yield leg, first, n - first


@dataclass(frozen=True, slots=True)
class GasBook:
    """Gas learned per shape of plan."""

    learned: Mapping[Shape, int] = field(default_factory=dict)
    repeats: Mapping[LegShape, int] = field(default_factory=dict)  # a leg after others of its shape
    size: int = 1024  # shapes remembered; the least recently learned one goes first
    decay: int = 8  # a lower observation moves the estimate by 1/decay of the way
    margin: int = 3000  # bps of headroom in a gas limit: refunds, a fifth at most, are not there to be spent

    def gas(self, shape: Shape) -> int:
        """Gas of a plan of this shape: learned as a whole, else leg by leg, else the prior."""
        known = self.learned.get(shape)
        if known is not None:
            return known
        # A transaction's fixed part is counted once: a batch costs less than its legs alone.
        legs = sum(first * self.leg(leg) + more * self.repeat(leg) for leg, first, more in _counted(shape.legs))
        return _BASE + legs + hops_prior(shape.conversions)

    def leg(self, shape: LegShape) -> int:
        """Gas of one leg among others."""
        alone = self.learned.get(Shape((shape,)))
        gas = prior(shape) if alone is None else max(alone - _BASE, div_up(alone, 2))
        return min(gas, self.leg(shape.apart)) if shape.joins else gas

    def repeat(self, shape: LegShape) -> int:
        """Gas of one leg after others of its shape in one transaction."""
        first = self.leg(shape)
        known = self.repeats.get(shape)
        if known is not None:
            return min(known, first)
        assumed = mul_div_up(first, *_REPEAT)
        return min(assumed, self.repeat(shape.apart)) if shape.joins else assumed

    def spared(self, shape: LegShape, before: Iterable[LegShape]) -> int:
        """What one leg takes less among these than it takes first."""
        known = set(before)
        return self.leg(shape) - self.repeat(shape) if {shape, shape.apart} & known else 0

    def learn(self, shape: Shape, observed: int) -> "GasBook":
        """The book after one simulation."""
        repeats = self.repeats
        for leg, gas in self._repeated(shape, observed):
            repeats = self._moved(repeats, leg, gas)
        return replace(self, learned=self._moved(self.learned, shape, observed), repeats=repeats)

    def forget(self, shape: Shape) -> "GasBook":
        """The book after a simulation that may have run out of gas: what was learned or assumed was too little."""
        learned = {known: gas for known, gas in self.learned.items() if known != shape}
        fresh = replace(self, learned=learned)
        return replace(fresh, repeats={**self.repeats, **{leg: fresh.leg(leg) for leg in set(shape.legs)}})

    def _repeated(self, shape: Shape, observed: int) -> Iterator[tuple[LegShape, int]]:
        """What each repeated leg took: its share of what the first ones of each shape leave over."""
        counts = list(_counted(shape.legs))
        firsts = _BASE + hops_prior(shape.conversions) + sum(first * self.leg(leg) for leg, first, _ in counts)
        rest = sum(more * self.leg(leg) for leg, _, more in counts)
        for leg, _, more in counts:
            if more:
                share = div_up(max(observed - firsts, 0) * self.leg(leg), rest)
                yield leg, max(share, self.leg(leg) // _LEAST_REPEAT)

    def _moved(self, table: Mapping[T, int], key: T, observed: int) -> dict[T, int]:
        """The table after one observation, without the least recently learned entries that are too many."""
        before = table.get(key, observed)
        kept = {known: gas for known, gas in table.items() if known != key}
        kept[key] = max(observed, before - (before - observed) // self.decay)
        while len(kept) > self.size:
            del kept[next(iter(kept))]
        return kept

    def limit(self, gas: int, cap: int = TX_GAS_CAP) -> int:
        """A gas limit with headroom, within the chain's cap on a transaction."""
        return min(mul_div_up(gas, BPS + self.margin, BPS), cap)
