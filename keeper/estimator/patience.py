"""Whether an auction that pays already is better bought from later.

Laws
- Nothing is waited for on a guess: of so many earlier ones it must be known how they ended (``Policy.patience``).
- What a later moment brings is the exact estimate's answer for it, should nothing else move; it counts only as far as
  rivals leave it to us, by what they did before (``timing``). Every block decides anew, and asks about the latest
  moments first: one that is worth more than now is enough.
- Weighing is a generator that can be left alone after every estimate, as packing is.
"""

from collections.abc import Callable, Generator, Sequence
from dataclasses import replace
from typing import Final

from keeper.core.actions import Action, Style
from keeper.core.plans import Plan
from keeper.core.refusals import Reason
from keeper.core.units import Timestamp, Wei
from keeper.estimator.decide import Considered, consider
from keeper.estimator.desk import Desk
from keeper.estimator.guards import Refusal
from keeper.estimator.pack import promises
from keeper.estimator.rivals import Offered
from keeper.estimator.timing import Moment, best_moment, expected, first_worth
from keeper.estimator.vet import vet_moment
from keeper.estimator.world import Candidate, World
from keeper.estimator.worth import readable

LOOKED_AT: Final = 8  # later moments of one auction

Later = Callable[[Timestamp], Sequence[Action | Reason]]  # what can be done about the account then


def offered(candidate: Candidate) -> Offered | None:
    """What an auction sells; ``None``: it is no auction, or there is nothing to be bought now."""
    sold = [one for one in candidate.actions if not isinstance(one, Reason) and one.style is Style.CLIP]
    return Offered(candidate.market, sold[0].collateral_asset) if sold else None


def margin(candidate: Candidate) -> int:
    """What the offer gives away at the market's own price, in basis points of what is paid."""
    return max(promises(candidate), key=lambda promise: promise.bonus).rate


def weigh(world: World, candidate: Candidate, later: Later, blocks: range) -> Generator[None, None, Refusal | None]:
    """Why to wait for one of these blocks; ``None``: take it now, as far as rivals count."""
    what = offered(candidate)
    rivals = None if what is None else world.rivals.of(what)
    few = rivals is None or not world.policy.patience or rivals.taken < world.policy.patience
    if rivals is None or few or vet_moment(world) is not None:
        return None
    desk = Desk.of(world.liquidity, world.policy.routing)
    now = _moment(world, desk, candidate)
    if now.value <= 0:
        return None
    for at in _open(candidate, later, blocks, max(rivals.margins)):
        yield
        then = _moment(replace(world, timestamp=at), desk, replace(candidate, actions=later(at)))
        if best_moment((now, then), rivals) is then:
            worth = expected(now, then, rivals)
            return Refusal(Reason.WAITING, f"net {readable(now.value)} now, {readable(worth)} expected at {then.at}")
    return None


def _open(candidate: Candidate, later: Later, blocks: range, most: int) -> Sequence[Timestamp]:
    """Some of the blocks, evenly, the last first, in which it is there and has not always been taken by then."""

    def over(at: Timestamp) -> bool | None:
        then = replace(candidate, actions=later(at))
        return True if offered(then) is None or margin(then) >= most else None

    moments = [Timestamp(block) for block in blocks]
    end = first_worth(moments, over)
    left = moments if end is None else moments[: moments.index(end[0])]
    some = min(LOOKED_AT, len(left))
    return [left[place * len(left) // some - 1] for place in range(some, 0, -1)]


def _moment(world: World, desk: Desk, candidate: Candidate) -> Moment:
    found = consider(world, desk, candidate, finalists=1)
    plan = found.alone if isinstance(found, Considered) else found
    return Moment(world.timestamp, plan.estimate.net if isinstance(plan, Plan) else Wei(0), margin(candidate))
