"""All liquidatable accounts of a block: which, in what order, in which transactions.

Laws
- Accounts are priced one after the other on the pools as the accounts before them leave them: nothing is sold twice
  at one price. An account that only pays as part of a transaction sent anyway may join one.
- No transaction exceeds the cap on a transaction's gas. All of them together fit into the policy's share of a block by
  what they are expected to use, in whatever order a builder takes them: room is kept for the largest headroom.
- Who borrows the same asset of the same lender as others of its transaction joins their loan, where that earns more.
- Greedy: the largest promise first. What is promised is the bonus at oracle prices, which needs no quote.
- ``packing`` is a generator that can be left alone after every account, so that a crash of hundreds never holds the
  caller's loop for longer than one account takes.
"""

from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from keeper.core.plans import Plan
from keeper.core.refusals import Reason, Skip
from keeper.core.units import BPS, MAX_U256, Wei, Who
from keeper.core.venues import Pool
from keeper.estimator.decide import Considered, consider, vet_losses
from keeper.estimator.desk import Desk
from keeper.estimator.estimate import Part, estimate
from keeper.estimator.gas import Shape, leg_shape
from keeper.estimator.guards import Refusal
from keeper.estimator.sharing import Open, apart, joinable, together
from keeper.estimator.vet import vet_moment
from keeper.estimator.world import Candidate, World

_FEW: Final = 12  # so few are packed in every order, and the best is taken


class Packed(NamedTuple):
    """The block's transactions in order, and everyone who is in none of them."""

    plans: tuple[Plan, ...]
    skips: tuple[Skip, ...]

    @property
    def net(self) -> Wei:
        """What all plans earn together."""
        return Wei(sum(plan.estimate.net for plan in self.plans))


def pack(world: World, candidates: Sequence[Candidate]) -> Packed:
    """The best plans for all accounts together, in one go."""
    steps = packing(world, candidates)
    while True:
        try:
            next(steps)
        except StopIteration as stop:
            packed: Packed = stop.value
            return packed


def packing(world: World, candidates: Sequence[Candidate]) -> Generator[int, None, Packed]:
    """The same in steps: yields how many accounts are settled."""
    refusal = vet_moment(world)
    if refusal:
        return Packed((), tuple(refusal.skip(candidate.who) for candidate in candidates))
    best: Packed | None = None
    for order in _orders(candidates):
        packed = yield from _Packer(world, Desk.of(world.liquidity, world.policy.routing)).run(order)
        if best is None or packed.net > best.net:
            best = packed
    return best or Packed((), ())


class Promise(NamedTuple):
    """What a pair could bring at most, at oracle prices and before all costs."""

    bonus: int  # wei
    paid: int  # wei

    @property
    def rate(self) -> int:
        """The bonus as a share of what is repaid, in bps."""
        return self.bonus * BPS // self.paid if self.paid else 0


def promises(candidate: Candidate) -> list[Promise]:
    """One for each pair that has a price."""
    prices, found = candidate.prices, [Promise(0, 0)]
    for action in candidate.actions if prices.native in prices else ():
        if isinstance(action, Reason) or action.collateral_asset not in prices or action.debt_asset not in prices:
            continue
        for _, most in action.intervals()[-1:]:
            settlement = action.settle(most)
            paid = prices.wei_up(action.debt_asset, settlement.paid)
            found.append(Promise(prices.wei_down(action.collateral_asset, settlement.received) - paid, paid))
    return found


def _orders(candidates: Sequence[Candidate]) -> Iterator[list[Candidate]]:
    """By size of the bonus; of a few accounts also by its rate, which counts where depth is what is short."""
    known = {id(candidate): promises(candidate) for candidate in candidates}
    yield sorted(candidates, key=lambda one: -max(promise.bonus for promise in known[id(one)]))
    if 1 < len(candidates) <= _FEW:
        yield sorted(candidates, key=lambda one: -max(promise.rate for promise in known[id(one)]))


@dataclass(slots=True)
class _Packer:
    """One pass over the accounts."""

    world: World
    desk: Desk
    plans: list[Plan] = field(default_factory=list)
    skips: list[Skip] = field(default_factory=list)
    open: list[Open] = field(default_factory=list)  # the transaction being filled
    before: Desk | None = None  # the desk before that transaction
    used: int = 0  # gas that the plans so far are expected to use
    headroom: int = 0  # the most that one of them asks for beyond that
    full: bool = False

    def run(self, order: Sequence[Candidate]) -> Generator[int, None, Packed]:
        for number, candidate in enumerate(order):
            found = self._consider(candidate)
            if isinstance(found, Considered) and self.open and not self._fits(found.part):
                self._close()  # whose conversions may move pools
                yield number
                found = self._consider(candidate)
            refusal = found if isinstance(found, Refusal) else self._take(candidate.who, found)
            if refusal:
                self.skips.append(refusal.skip(candidate.who))
            yield number + 1
        self._close()
        return Packed(tuple(self.plans), tuple(self.skips))

    def _consider(self, candidate: Candidate) -> Considered | Refusal:
        if self.full:
            return self._no_room()
        return consider(joinable(self.world, self.open), self.desk, candidate, finalists=1)

    def _take(self, who: Who, found: Considered) -> Refusal | None:
        """Put an account into the open transaction, or into a new one."""
        if isinstance(found.alone, Refusal) and (not self.open or self._margin(found) <= 0):
            return found.alone
        if self._room(self._gas(found.part)) < 0:
            self.full = True
            return self._no_room()
        self.before = self.before if self.open else self.desk
        self.open.append(Open(who, found.part, found.deal))
        self.desk = self.desk.after(found.part.done.moved)
        return None

    def _margin(self, found: Considered) -> int:
        """What one more adds to the open transaction; a leg like others costs less than the first of its kind."""
        shapes = (leg_shape(one.part.done.leg) for one in self.open)
        return found.margin + self.world.gas.spared(found.deal.shape, shapes) * self.world.base_fee

    def _priced(self, before: Desk) -> tuple[Plan, tuple[Pool, ...]] | Refusal:
        """A plan of what is open, with its loans shared or not."""
        priced, shared = estimate(self.world, apart(self.open)), together(self.world, before.liquidity, self.open)
        better = estimate(self.world, shared) if shared else priced
        if isinstance(better, Refusal):
            return priced
        return better if isinstance(priced, Refusal) or better[0].estimate.net > priced[0].estimate.net else priced

    def _fits(self, part: Part) -> bool:
        policy = self.world.policy
        return self.world.gas.limit(self._gas(part), cap=MAX_U256) <= policy.tx_gas and len(self.open) < policy.max_legs

    def _gas(self, part: Part) -> int:
        """The gas of the open transaction with one more (conversions are few, and within its headroom)."""
        legs = [*(one.part.done.leg for one in self.open), part.done.leg]
        return self.world.gas.gas(Shape.of(legs))

    def _room(self, gas: int) -> int:
        """What would be left of the block with one more transaction of so much gas."""
        share = self.world.gas_limit * self.world.policy.block_gas // BPS
        return share - self.used - gas - max(self.headroom, self._headroom(gas))

    def _headroom(self, gas: int) -> int:
        return self.world.gas.limit(gas, cap=MAX_U256) - gas

    def _no_room(self) -> Refusal:
        return Refusal(Reason.BLOCK_FULL, f"gas left in the block: {self._room(0)}")

    def _close(self) -> None:
        """Make a plan of what is open; its conversions are sold last, and move pools too."""
        if not self.open or self.before is None:
            return
        priced = self._priced(self.before)
        refusal = priced if isinstance(priced, Refusal) else vet_losses(self.world, priced[0])
        if isinstance(priced, Refusal) or refusal is not None:
            self.skips += [refusal.skip(one.who) for one in self.open if refusal]
            self.desk = self.before
        else:
            plan, moved = priced
            self.plans.append(plan)
            gas = self.world.gas.gas(Shape.of(plan.legs, plan.conversions))
            self.used, self.headroom = self.used + gas, max(self.headroom, self._headroom(gas))
            self.desk = self.desk.after(moved)
        self.open = []
