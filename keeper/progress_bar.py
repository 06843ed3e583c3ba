"""A progress bar for people, log lines for everybody else.

Law: the bar is on stderr and only when that is a terminal; stdout belongs to what was asked for.
"""

import contextlib
import sys
from collections.abc import Iterator

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeRemainingColumn

from keeper.core.units import Address
from keeper.indexer.progress import LogReport, Report, Stretch


@contextlib.contextmanager
def reporter() -> Iterator[Report]:
    """Where a backfill tells how far it is."""
    if not sys.stderr.isatty():
        yield LogReport()
        return
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.percentage:.1f} %"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        tasks: dict[Address, TaskID] = {}

        def report(stretch: Stretch) -> None:
            if stretch.market not in tasks:
                tasks[stretch.market] = bar.add_task(f"history of {stretch.market[:10]}", total=1.0)
            bar.update(tasks[stretch.market], completed=stretch.done)

        yield report
