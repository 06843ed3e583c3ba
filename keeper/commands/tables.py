"""What people see: tables on stdout, wide enough for what is in them.

Law: an address or an amount is never cut: where the terminal is too narrow, lines wrap and can still be copied.
"""

import sys
from collections.abc import Iterable

from rich.console import Console
from rich.table import Table

ANY_WIDTH = 10_000


def show(title: str, columns: Iterable[tuple[str, str]], rows: Iterable[tuple[str, ...]]) -> None:
    """Print a table. ``columns``: (name, "left" or "right")."""
    table = Table(title=title, title_justify="left", box=None, pad_edge=False)
    for name, side in columns:
        table.add_column(name, justify="right" if side == "right" else "left", no_wrap=True)
    for row in rows:
        table.add_row(*row)
    console = Console()
    needed = console.measure(table, options=console.options.update(max_width=ANY_WIDTH)).maximum
    console.width = max(console.width, needed)
    console.print(table)


def say(line: str) -> None:
    """Print a line as it is."""
    sys.stdout.write(line + "\n")


def fixed(value: int, decimals: int, shown: int) -> str:
    """An integer with so many decimals, cut (never rounded up) to those shown."""
    whole, part = divmod(value, 10**decimals)
    return f"{whole:,}.{part // 10 ** (decimals - shown):0{shown}d}"
