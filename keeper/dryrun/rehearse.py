"""The rehearsal: every account with debt is brought below 1 and liquidated, one at a time, each on the fork as it was.

Laws
- The shock is the smallest that does it: the account's largest collaterals fall, as few and as far as needed.
- Whoever is not liquidated is in the report with a reason.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import partial
from math import isfinite
from typing import Final

from keeper.books import state_file
from keeper.core.ports import Quarantine
from keeper.core.refusals import Reason, Skip
from keeper.core.units import MAX_U256, Address, Timestamp, Who
from keeper.daemon import Keeper
from keeper.dryrun.play import Result, play, together
from keeper.dryrun.shock import source_of
from keeper.dryrun.stage import Stage, kept_in
from keeper.indexer.audit import live_rows
from keeper.indexer.market import Market

BEYOND: Final = 0.999  # of the price at which health is 1


@dataclass(frozen=True, slots=True)
class Drill:
    """One account, what the price sources have to answer to bring it down, or why that cannot be done."""

    who: Who
    answers: Mapping[Address, int]
    skip: Skip | None = None


async def rehearse(stage: Stage, blocks: int | None) -> Result:
    """All drills, each undone before the next."""
    async with Keeper(stage.settings, stage.signer) as keeper:
        keeper.indexer.rewind(stage.fork.base)
        head = await keeper.indexer.advance()
        drills = [drill for market in keeper.indexer.markets for drill in _drills(market, head.timestamp)]
    results = [await _tried(stage, drill, blocks) for drill in drills]
    return together(results)


async def _tried(stage: Stage, drill: Drill, blocks: int | None) -> Result:
    """One drill on the fork as it was."""
    if drill.skip is not None:
        return _only(drill.skip)
    with stage.fork.undone(), state_file(stage.settings.store.path, copy=True) as path:
        at = replace(stage, settings=kept_in(stage.settings, path))
        result = await play(at, partial(_given, drill.answers), blocks, {drill.who})
    if result.report.liquidations or result.report.skips or result.failures:
        return result
    return _only(_unmoved(drill.who, f"still healthy after moving {', '.join(drill.answers)}"))


def _given(answers: Mapping[Address, int], _: Keeper) -> Mapping[Address, int]:
    return answers


def _unmoved(who: Who, why: str) -> Skip:
    market, account = who
    return Skip(account, Reason.NOT_SENT, why, market)


def _only(skip: Skip) -> Result:
    whole = together(())
    return replace(whole, report=replace(whole.report, skips=(skip,)))


def _drills(market: Market, at: Timestamp) -> Iterator[Drill]:
    for row in live_rows(market.book):
        who, health = market.who(row), market.adapter.health(market.book, row, at)
        if isinstance(health, Quarantine):
            why = f"{health.subject}: {health.reason}"
            yield Drill(who, {}, Skip(who[1], Reason.QUARANTINED, why, who[0]))
        elif health.health_factor != MAX_U256:
            yield _drill(market, row, at)


def _drill(market: Market, row: int, at: Timestamp) -> Drill:
    """The margin is a line: what has to go of it is known at once."""
    who = market.who(row)
    exposures = market.adapter.exposures(market.book, row)
    if exposures is None:
        return Drill(who, {}, _unmoved(who, "its margin is not linear in prices"))
    weights = market.adapter.weights(market.book, at, [column for column, _ in exposures])
    worth: dict[Address, float] = defaultdict(float)
    for (_, amount), factor, asset in zip(exposures, weights.factors, weights.assets, strict=True):
        worth[asset] += amount * factor * weights.prices.get(asset, 1)
    margin = sum(worth.values())
    if not isfinite(margin):
        return Drill(who, {}, _unmoved(who, "its margin has no bound"))
    if margin < 0:
        return Drill(who, {})
    return _fall(market, who, worth, margin)


def _fall(market: Market, who: Who, worth: Mapping[Address, float], margin: float) -> Drill:
    """The largest collaterals, as many as it takes, all by one factor."""
    prices = {asset: valued.price for asset, valued in market.adapter.assets(market.book).items()}
    falling: dict[Address, Address] = {}
    gone = 0.0
    for asset in sorted(worth, key=lambda one: (-worth[one], one)):
        source = source_of(market, asset)
        if source is None or asset not in prices or worth[asset] <= 0:
            continue
        falling[asset] = source
        gone += worth[asset]
        if gone > margin:
            left = (1 - margin / gone) * BEYOND
            return Drill(who, {source: max(1, int(prices[one] * left)) for one, source in falling.items()})
    return Drill(who, {}, _unmoved(who, "no fall of its collaterals' prices makes it liquidatable"))
