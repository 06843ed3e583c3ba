"""What a report says, before anybody prints it.

Laws
- The number that matters is said first; two lines explain the terms; a link leads to the whole explanation.
- Records carry integers as integers: who writes them makes them decimal strings.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from keeper.core.units import Address
from keeper.reports.snapshot import Snapshot

DOCS: Final = "docs/risk.md"
FEW: Final = 1e-2  # less than so much is shown with more decimals
Column = tuple[str, str]  # name, side


@dataclass(frozen=True, slots=True)
class Sheet:
    """One table."""

    title: str
    columns: Sequence[Column]
    rows: Sequence[tuple[str, ...]]


@dataclass(frozen=True, slots=True, eq=False)
class Page:
    """One report about one market, or about a range of blocks."""

    name: str
    title: str  # with the market, the block and the unit
    headline: str
    terms: tuple[str, str]
    sheets: Sequence[Sheet]
    records: Sequence[Mapping[str, object]]
    draw: Callable[[Any], None] | None = None  # on a matplotlib figure

    @property
    def link(self) -> str:
        """Where it is explained."""
        return f"{DOCS}#{self.name}"


def where(snap: Snapshot) -> str:
    """The market and the block, as titles name them."""
    return f"{snap.adapter.name} {snap.adapter.market[:10]}, block {snap.block}"


def about(snap: Snapshot) -> dict[str, object]:
    """What every record of a snapshot begins with."""
    return {"protocol": snap.adapter.name, "market": snap.adapter.market, "block": snap.block, "timestamp": snap.at}


def money(snap: Snapshot, value: float, decimals: int = 2) -> str:
    """A base value for people."""
    return f"{value / snap.base_unit:,.{decimals}f}"


def short(account: str) -> str:
    """An account as far as people compare it; the whole pocket."""
    address, _, pocket = account.partition(":")
    return f"{address[:6]}..{address[-4:]}" + (f":{pocket[:10]}" if pocket else "")


def some(count: float, noun: str) -> str:
    """So many of them, as people say it."""
    return f"{count:,g} {noun}{'' if count == 1 else 's'}"


def number(value: float) -> str:
    """A number for people: small ones with more digits."""
    return f"{value:,.2f}" if abs(value) >= FEW or not value else f"{value:.2e}"


def percent(value: float, decimals: int = 2) -> str:
    """A share for people."""
    return f"{100 * value:,.{decimals}f} %"


def tokens(snap: Snapshot, asset: Address, amount: int) -> str:
    """An amount of a token with its name."""
    return f"{amount / snap.assets[asset].unit:,.4f} {snap.name(asset)}"


def thinned(count: int, most: int) -> list[int]:
    """Places of at most so many of a list, evenly, the first and the last among them."""
    if count <= most:
        return list(range(count))
    return sorted({round(place * (count - 1) / (most - 1)) for place in range(most)})


def right(*names: str) -> list[Column]:
    """Columns of numbers."""
    return [(name, "right") for name in names]


def left(*names: str) -> list[Column]:
    """Columns of words."""
    return [(name, "left") for name in names]


def drawn(pairs: Iterable[tuple[str, float]], most: int) -> list[tuple[str, float]]:
    """The largest of some named amounts, the rest as one."""
    ordered = sorted(pairs, key=lambda pair: -pair[1])
    rest = sum(amount for _, amount in ordered[most:])
    return ordered[:most] + ([("others", rest)] if rest else [])
