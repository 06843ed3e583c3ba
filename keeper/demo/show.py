"""The demonstration on a terminal: a live table of block, prices, accounts by health, submissions and profit.

Law: it only looks. Where there is no terminal the log lines are the show.
"""

import io
import re
import sys
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Self

from rich._export_format import CONSOLE_SVG_FORMAT
from rich.console import Console, Group
from rich.live import Live
from rich.panel import Panel
from rich.table import Table

from keeper.core.units import MAX_U256, WAD

BANDS = (  # of a health factor: where it ends, what it is called, how it is shown
    (1.0, "below 1", "bold red"),
    (1.05, "1.00 - 1.05", "yellow"),
    (1.25, "1.05 - 1.25", "green"),
    (2.0, "1.25 - 2", "green"),
    (float("inf"), "above 2", "dim"),
)
SHOWN = 8  # last events
WIDTH = 100  # columns of a saved picture


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


def svg(scene: Scene) -> str:
    """The picture as an SVG. No font is fetched from anywhere."""
    console = Console(record=True, width=WIDTH, file=io.StringIO(), force_terminal=True)
    console.print(picture(scene))
    plain = re.sub(r"@font-face \{\{.*?\}\}\s*", "", CONSOLE_SVG_FORMAT, flags=re.DOTALL)
    return console.export_svg(title="keeper demo", code_format=plain)


def picture(scene: Scene) -> Panel:
    """The scene as one panel."""
    top = Table.grid(padding=(0, 4))
    for _ in range(3):
        top.add_column(vertical="top")
    top.add_row(_prices(scene), _health(scene), _results(scene))
    events = "\n".join(scene.happenings) or "nothing yet"
    title = f"keeper demo: block {scene.block}, {scene.words}"
    return Panel(Group(top, "", events), title=title, title_align="left", border_style="cyan")


def _prices(scene: Scene) -> Table:
    table = Table("price", "USD", box=None, title="oracle", title_justify="left")
    table.columns[1].justify = "right"
    for symbol, price in scene.prices.items():
        table.add_row(symbol, f"{price // 10**8:,}.{price // 10**6 % 100:02d}")
    return table


def _health(scene: Scene) -> Table:
    table = Table("health", "accounts", box=None, title="borrowers", title_justify="left")
    counts = Counter(
        next(name for bound, name, _ in BANDS if factor / WAD < bound) for factor in scene.factors if factor != MAX_U256
    )
    for _, name, style in BANDS:
        table.add_row(name, f"{counts[name]}  {'■' * min(counts[name], 24):<12}", style=style)
    return table


def _results(scene: Scene) -> Table:
    table = Table("outcome", "count", box=None, title="opportunities", title_justify="left")
    table.columns[1].justify = "right"
    for outcome, count in scene.outcomes.items():
        table.add_row(outcome, str(count))
    table.add_row("profit", f"{scene.realised / WAD:.6f} ETH", style="bold green")
    return table
