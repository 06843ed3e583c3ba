"""A market at one block, as every report sees it: its book on the screen, its prices, and the pools beside it.

Laws
- No report keeps a model of its own: who owes what is the screen's line, who is liquidatable is what the adapter says.
- Pools that are not known are ``None``, and whoever needs depth says so: missing depth is never infinite.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from keeper.core.book import Book
from keeper.core.ports import Adapter, Quarantine, Valued
from keeper.core.units import Address, BlockNumber, Timestamp
from keeper.core.venues import Liquidity
from keeper.errors import ConfigError
from keeper.screen.columns import Table
from keeper.screen.kernels import Bytes, Floats, Ints, Rows
from keeper.screen.prices import halves
from keeper.screen.screen import Screen

SAMPLE: Final = 8  # accounts of each width
PEG: Final = 0.03  # an asset within so much of one base currency is taken to follow it
Mask = NDArray[np.bool_]


class Lines(NamedTuple):
    """Margins of accounts in two parts, and what rounding may hide in them."""

    rows: Rows
    fixed: Floats
    moved: Floats

    @property
    def roots(self) -> Floats:
        """The factor on the moving prices at which each margin is nothing; NaN where there is none."""
        with np.errstate(invalid="ignore", divide="ignore", over="ignore"):
            found = -self.fixed / self.moved
        return np.where(np.isfinite(found), found, np.nan)


class Held(NamedTuple):
    """Positions of accounts, one entry each, in base currency at the snapshot's prices."""

    of: Ints  # place of the account in ``rows``
    asset: Ints  # number of the asset; 0 for none
    worth: Floats  # owned positive, owed negative
    weighed: Floats  # the same as the margin counts it
    rows: Rows

    def sums(self, which: Mask, *, weighed: bool = False) -> Floats:
        """Per account the sum of some positions."""
        values = self.weighed if weighed else self.worth
        return np.bincount(self.of[which], values[which], len(self.rows)).astype(np.float64)


@dataclass(frozen=True, slots=True, eq=False)
class Snapshot:
    """One market at one block."""

    chain_id: int
    block: BlockNumber
    at: Timestamp
    adapter: Adapter
    book: Book
    screen: Screen
    now: Table
    values: Floats  # by code: base currency for a unit at a price of one, without risk weight
    assets: Mapping[Address, Valued]
    base_unit: int
    names: Mapping[Address, str]
    liquidity: Liquidity | None = None
    native: Address | None = None

    @classmethod
    def of(cls, adapter: Adapter, book: Book, block: BlockNumber, at: Timestamp, chain_id: int = 0) -> "Snapshot":
        """A market's book, on a screen of its own."""
        screen = Screen(adapter)
        screen.load(book)
        now = screen.weigh(book, at)
        found = adapter.weights(book, at, screen.columns.keys)
        values = np.zeros(screen.columns.capacity)
        known = np.nan_to_num(found.values or found.factors, posinf=0.0)
        values[1 : len(known) + 1] = known if found.values else known * _scale(adapter, book, screen, now, at)
        base = int(str(adapter.describe(book)["base_unit"]))
        return cls(chain_id, block, at, adapter, book, screen, now, values, adapter.assets(book), base, {})

    def beside(self, liquidity: Liquidity | None, names: Mapping[Address, str], native: Address | None) -> "Snapshot":
        """The same with pools and names."""
        return replace(self, liquidity=liquidity, names=names, native=native)

    # assets --------------------------------------------------------------------------------------------------------

    @property
    def numbers(self) -> Mapping[Address, int]:
        """The screen's number of each asset that somebody holds or owes, from 1 on."""
        return self.now.assets.numbers

    def price(self, asset: Address) -> int:
        """Of one whole token, in base units."""
        found = self.now.prices.get(asset)
        return found if found is not None else self.assets[asset].price

    def name(self, asset: Address) -> str:
        """What people call it."""
        return self.names.get(asset) or f"{asset[:8]}…{asset[-4:]}"

    def find(self, called: str) -> Address:
        """The asset with this symbol or address."""
        known = {*self.assets, *self.now.prices}
        hits = [asset for asset in known if called.lower() == asset or called == self.names.get(asset)]
        if len(hits) == 1:
            return hits[0]
        there = ", ".join(sorted(self.name(asset) for asset in known))
        how = f"{len(hits)} assets of market {self.adapter.market} have this symbol, give the address" if hits else (
            f"market {self.adapter.market} has no such asset; there are {there}"
        )  # fmt: skip
        raise ConfigError(f"{called}: {how}")

    @property
    def pegged(self) -> frozenset[Address]:
        """Assets whose price is that of the base currency: they stay where they are in a crash."""
        low, high = (1 - PEG) * self.base_unit, (1 + PEG) * self.base_unit
        return frozenset(asset for asset, price in self.now.prices.items() if low <= price <= high)

    @property
    def loose(self) -> frozenset[Address]:
        """Assets that somebody holds or owes and that a crash moves together."""
        return frozenset(asset for asset in self.now.prices if asset in self.numbers) - self.pegged

    def supposed(self, assets: Iterable[Address], factor: float) -> dict[Address, int]:
        """Prices of some assets after a fall or rise."""
        return {asset: max(1, round(self.price(asset) * factor)) for asset in assets}

    def pools(self) -> Liquidity:
        """The pools, which whoever sells needs."""
        if self.liquidity is None or not self.liquidity.pools:
            raise ConfigError(
                f"no depth is known at block {self.block}: configure [[venues]] and ask a chain or a recording that "
                "has their pools; missing depth is not taken as infinite"
            )
        return self.liquidity

    # accounts ------------------------------------------------------------------------------------------------------

    def require_accounts(self) -> None:
        """There must be somebody who owes something."""
        if not len(self.screen):
            raise ConfigError(f"market {self.adapter.market} has no borrower at block {self.block}: nothing to report")

    def mask(self, assets: Collection[Address]) -> Bytes:
        """Codes whose weight moves with the price of one of these assets."""
        moving = np.zeros(len(self.now.weights), np.uint8)
        for asset in assets:
            moving[self.now.assets.members.get(asset, np.zeros(0, np.intp))] = 1
        return moving

    def lines(self, assets: Collection[Address]) -> Lines:
        """Everybody's margin: what moves with these assets, and the rest."""
        moving = self.mask(assets)
        parts = [halves(group, self.now, moving) for group in self.screen.groups]
        rows, fixed, moved = (np.concatenate([part[i] for part in parts] or [np.zeros(0)]) for i in range(3))
        return Lines(rows.astype(np.uint32), fixed, moved)

    def held(self, rows: Rows | Ints | None = None, at: Table | None = None) -> Held:
        """Positions of all accounts on the screen, or of some; weighed by another table than the snapshot's."""
        chosen = None if rows is None else np.zeros(max(len(self.book), 1), bool)
        if chosen is not None and rows is not None:
            chosen[rows] = True
        parts = list(self._positions(chosen, at or self.now))
        starts = np.cumsum([0, *(len(part[0]) for part in parts)])
        of = [part[1] + start for part, start in zip(parts, starts, strict=False)]
        flat = [np.concatenate([part[i] for part in parts] or [np.zeros(0)]) for i in (0, 2, 3, 4)]
        places = np.concatenate(of or [np.zeros(0)]).astype(np.int64)
        return Held(places, flat[1].astype(np.int64), flat[2], flat[3], flat[0].astype(np.uint32))

    def _positions(self, chosen: Mask | None, at: Table) -> Iterator[tuple[Rows, Ints, Ints, Floats, Floats]]:
        levels = self.now.levels[self.now.assets.of]
        for group in self.screen.groups:
            members = group.rows[: group.count]
            keep = np.arange(group.count) if chosen is None else np.flatnonzero(chosen[members])
            codes, amounts = group.codes[:, keep], group.amounts[:, keep].astype(np.float64)
            of = np.broadcast_to(np.arange(len(keep)), codes.shape)
            worth = amounts * (self.values * levels)[codes]
            weighed = amounts * at.weights[codes]
            yield members[keep], of.ravel(), self.now.assets.of[codes].ravel(), worth.ravel(), weighed.ravel()


def _scale(adapter: Adapter, book: Book, screen: Screen, now: Table, at: Timestamp) -> float:
    """Of an adapter that does not say what columns are worth: base units for a unit of its margin, by what is owed."""
    found = []
    for group in screen.groups:
        for slot in range(min(group.count, SAMPLE)):
            owed = float(np.minimum(group.amounts[:, slot] * now.weights[group.codes[:, slot]], 0).sum())
            health = adapter.health(book, int(group.rows[slot]), at)
            if owed < 0 and np.isfinite(owed) and not isinstance(health, Quarantine) and health.debt:
                found.append(health.debt / -owed)
    return float(np.median(found)) if found else 1.0
