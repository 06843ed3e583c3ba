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
from keeper.core.plans import Reason, Skip
from keeper.core.ports import Quarantine
from keeper.core.units import MAX_U256, Address, Timestamp
from keeper.daemon import Keeper
from keeper.dryrun.play import Result, play, together
from keeper.dryrun.shock import source_of
from keeper.dryrun.stage import Stage, kept_in
from keeper.indexer.audit import live_rows
from keeper.indexer.market import Market

BEYOND: Final = 0.999  # of the price at which health is 1
BLOCKS: Final = 4  # of each: one to shock, one to land, and as many again


@dataclass(frozen=True, slots=True)
class Drill:
    """One account, what the price sources have to answer to bring it down, or why that cannot be done."""

    account: Address
    answers: Mapping[Address, int]
    reason: str = ""


async def rehearse(stage: Stage, blocks: int | None) -> Result:
    """All drills, each undone before the next."""
    async with Keeper(stage.settings, stage.signer) as keeper:
        keeper.indexer.rewind(stage.fork.base)
        head = await keeper.indexer.advance()
        drills = [drill for market in keeper.indexer.markets for drill in _drills(market, head.timestamp)]
    results = []
    for drill in drills:
        if drill.reason:
            skip = Skip(drill.account, Reason.QUARANTINED, drill.reason)
            results.append(_only(skip))
            continue
        with stage.fork.undone(), state_file(stage.settings.store.path, copy=True) as path:
            at = replace(stage, settings=kept_in(stage.settings, path))
            results.append(await play(at, partial(_given, drill.answers), blocks or BLOCKS, {drill.account}))
    return together(results)


def _given(answers: Mapping[Address, int], _: Keeper) -> Mapping[Address, int]:
    return answers


def _only(skip: Skip) -> Result:
    whole = together(())
    return replace(whole, report=replace(whole.report, skips=(skip,)))


def _drills(market: Market, at: Timestamp) -> Iterator[Drill]:
    for row in live_rows(market.book):
        health = market.adapter.health(market.book, row, at)
        if isinstance(health, Quarantine):
            yield Drill(market.book.account(row), {}, f"{health.subject}: {health.reason}")
        elif health.health_factor != MAX_U256:
            yield _drill(market, row, at)


def _drill(market: Market, row: int, at: Timestamp) -> Drill:
    """The margin is a line: what has to go of it is known at once."""
    account = market.book.account(row)
    exposures = market.adapter.exposures(market.book, row)
    if exposures is None:
        return Drill(account, {}, "its margin is not linear in prices")
    weights = market.adapter.weights(market.book, at, [column for column, _ in exposures])
    worth: dict[Address, float] = defaultdict(float)
    for (_, amount), factor, asset in zip(exposures, weights.factors, weights.assets, strict=True):
        worth[asset] += amount * factor * weights.prices.get(asset, 1)
    margin = sum(worth.values())
    if not isfinite(margin):
        return Drill(account, {}, "its margin has no bound")
    if margin < 0:
        return Drill(account, {})
    return _fall(market, account, worth, margin)


def _fall(market: Market, account: Address, worth: Mapping[Address, float], margin: float) -> Drill:
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
            return Drill(account, {source: max(1, int(prices[one] * left)) for one, source in falling.items()})
    return Drill(account, {}, "no fall of its collaterals' prices makes it liquidatable")
