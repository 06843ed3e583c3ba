"""``keeper report``: what the book implies.

Law: a report is a function of what is seen at one block; nothing is written but the files that were asked for.
"""

from argparse import Namespace
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Final

from keeper.commands import operating
from keeper.commands.ranges import missed, replay
from keeper.commands.recordings import recorded_scene
from keeper.commands.report_flags import settled
from keeper.commands.scenes import Scene, scene
from keeper.commands.shocks import shocked
from keeper.commands.stressing import stressed
from keeper.commands.tables import say, show
from keeper.errors import ConfigError, Exit
from keeper.indexer.progress import Report
from keeper.output import emit
from keeper.progress_bar import reporter
from keeper.reports import cascade as cascades
from keeper.reports import eta, sales, sides
from keeper.reports import ladder as ladders
from keeper.reports.pages import cascade as cascade_page
from keeper.reports.pages import eta as eta_page
from keeper.reports.pages import ladder as ladder_page
from keeper.reports.pages import sides as sides_page
from keeper.reports.pages.html import html
from keeper.reports.pages.page import Page
from keeper.reports.pages.paint import painted
from keeper.reports.snapshot import Snapshot
from keeper.settings import Settings

Maker = Callable[[Snapshot, Namespace], Page]
SELLING: Final = frozenset({"cascade", "stress", "costs", "toxicity", "exploits"})


async def report(settings: Settings, args: Namespace) -> int:
    """Look, compute, tell."""
    args = settled(args)
    args.block_time = settings.chain.block_time
    if args.name == "replay":
        tell(await replay(settings, args), args)
    elif args.name == "greeks" and args.book is not None:
        tell([operating.supposed(args.book)], args)
    else:
        tell(await _pages(settings, args), args)
    return Exit.DONE


async def _pages(settings: Settings, args: Namespace) -> list[Page]:
    with reporter() as progress:
        async with _scene(settings, args, progress) as seen:
            if args.name in ASKING:
                return await ASKING[args.name](seen, args)
            return [PAGES[args.name](snap, args) for snap in seen.snapshots()]


def _scene(settings: Settings, args: Namespace, progress: Report) -> AbstractAsyncContextManager[Scene]:
    if args.recording is not None:
        return recorded_scene(settings, args.recording, args.block, args.market)
    return scene(settings, args.block, args.market, progress, pools=args.name in SELLING)


def tell(pages: Sequence[Page], args: Namespace) -> None:
    """Tables or records, and the files that were asked for."""
    if args.plot is not None:
        args.plot.write_bytes(picture(pages, args.plot.suffix[1:]))
    if args.html is not None:
        args.html.write_text(html(pages), encoding="utf-8")
    for page in pages:
        if args.json:
            for record in page.records:
                emit({"report": page.name} | dict(record))
            continue
        say(page.headline)
        for sheet in page.sheets:
            show(f"{page.title}: {sheet.title}", sheet.columns, sheet.rows)
        for line in (*page.terms, f"More: {page.link}"):
            say(line)


def picture(pages: Sequence[Page], kind: str) -> bytes:
    """The picture of the only page that has one."""
    drawn = [page for page in pages if page.draw is not None]
    if len(drawn) != 1:
        why = "this report has no picture" if not drawn else f"there are {len(drawn)} pictures: choose one by --market"
        raise ConfigError(f"--plot: {why}")
    draw = drawn[0].draw
    return painted(draw, kind) if draw else b""


# the reports -------------------------------------------------------------------------------------------------------


def _ladder(snap: Snapshot, args: Namespace) -> Page:
    moving = {snap.find(name) for name in args.asset} or snap.loose
    if not moving:
        raise ConfigError("every asset is pegged to the base currency: name the one that moves with --asset")
    factors = ladders.falls(args.steps, args.depth)
    single = {asset: ladders.ladder(snap, [asset], factors) for asset in sorted(snap.loose)} if not args.asset else {}
    return ladder_page.page(snap, ladders.ladder(snap, moving, factors), single)


def _cascade(snap: Snapshot, args: Namespace) -> Page:
    return cascade_page.page(snap, cascades.cascade(snap, shocked(snap, args.shock)))


def _eta(snap: Snapshot, args: Namespace) -> Page:
    return eta_page.page(snap, eta.etas(snap, _sigma(args)), args.sigma, args.limit)


def _exposure(snap: Snapshot, args: Namespace) -> Page:
    return sides_page.exposure(snap, sides.exposures(snap), args.limit)


def _toxicity(snap: Snapshot, args: Namespace) -> Page:
    return sides_page.toxicity(snap, sides.toxicities(snap, args.bonus, args.below), args.below, args.limit)


def _costs(snap: Snapshot, args: Namespace) -> Page:
    return sides_page.costs(snap, *sales.costs(snap, args.sell, args.into, args.bonus, (args.gas, args.gas_price)))


def _sigma(args: Namespace) -> float:
    if args.sigma <= 0:
        raise ConfigError(f"--sigma {100 * args.sigma:g}%: a volatility is more than nothing")
    return float(args.sigma)


ASKING: Final[Mapping[str, Callable[[Scene, Namespace], Awaitable[list[Page]]]]] = {
    "missed": missed, "hedge": operating.hedge, "exploits": operating.exploits,
}  # fmt: skip
PAGES: Final[Mapping[str, Maker]] = {
    "ladder": _ladder, "cascade": _cascade, "eta": _eta, "stress": stressed, "exposure": _exposure,
    "toxicity": _toxicity, "costs": _costs, "capacity": operating.capacity,
    "greeks": operating.greek,
}  # fmt: skip
