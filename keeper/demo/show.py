"""The demonstration on a terminal: a live table of block, prices, accounts by health, submissions and profit.

Law: it only looks. Where there is no terminal the log lines are the show.
"""

import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Self

from rich.console import Console, Group
from rich.live import Live
from rich.panel import Panel
from rich.table import Table

from keeper.core.units import MAX_U256, WAD

BANDS = ((1.0, "below 1"), (1.05, "1.00 - 1.05"), (1.25, "1.05 - 1.25"), (2.0, "1.25 - 2"), (float("inf"), "above 2"))
SHOWN = 8  # last events


@dataclass(slots=True)
class Scene:
    """What the view shows. The demonstration fills it once a slot."""

    block: int = 0
    words: str = ""
    prices: Mapping[str, int] = field(default_factory=dict)
    factors: list[int] = field(default_factory=list)
    outcomes: Mapping[str, int] = field(default_factory=dict)
    realised: int = 0
    happenings: list[str] = field(default_factory=list)

    def happened(self, what: str) -> None:
        """One more line of what happened, the newest last."""
        self.happenings = [*self.happenings, f"{self.block}  {what}"][-SHOWN:]


class Show:
    """A live view on a terminal; silent anywhere else."""

    def __init__(self, scene: Scene) -> None:
        self._scene = scene
        self._live = Live(console=Console(stderr=True), auto_refresh=False) if sys.stderr.isatty() else None

    @property
    def live(self) -> bool:
        """Whether somebody watches."""
        return self._live is not None

    def __enter__(self) -> Self:
        if self._live is not None:
            self._live.__enter__()
        return self

    def __exit__(self, *error: object) -> None:
        if self._live is not None:
            self._live.__exit__(None, None, None)

    def draw(self) -> None:
        """Show the scene as it is now."""
        if self._live is not None:
            self._live.update(picture(self._scene), refresh=True)


def picture(scene: Scene) -> Panel:
    """The scene as one panel."""
    top = Table.grid(padding=(0, 4))
    for _ in range(3):
        top.add_column(vertical="top")
    top.add_row(_prices(scene), _health(scene), _results(scene))
    events = "\n".join(scene.happenings) or "nothing yet"
    return Panel(Group(top, "", events), title=f"keeper demo: block {scene.block}, {scene.words}", title_align="left")


def _prices(scene: Scene) -> Table:
    table = Table("price", "USD", box=None, title="oracle", title_justify="left")
    table.columns[1].justify = "right"
    for symbol, price in scene.prices.items():
        table.add_row(symbol, f"{price // 10**8:,}.{price // 10**6 % 100:02d}")
    return table


def _health(scene: Scene) -> Table:
    table = Table("health", "accounts", box=None, title="borrowers", title_justify="left")
    table.columns[1].justify = "right"
    counts = dict.fromkeys((name for _, name in BANDS), 0)
    for factor in scene.factors:
        if factor != MAX_U256:
            counts[next(name for bound, name in BANDS if factor / WAD < bound)] += 1
    for name, count in counts.items():
        table.add_row(name, f"{count}  {'#' * min(count, 30)}")
    return table


def _results(scene: Scene) -> Table:
    table = Table("outcome", "count", box=None, title="opportunities", title_justify="left")
    table.columns[1].justify = "right"
    for outcome, count in scene.outcomes.items():
        table.add_row(outcome, str(count))
    table.add_row("profit", f"{scene.realised / WAD:.6f} ETH")
    return table
