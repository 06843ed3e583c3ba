"""Cascade: a shock, the liquidations it makes possible, their sales, the prices those leave, and again.

Laws
- A round is one screen and its confirmations. Whoever is liquidatable at the round's prices is liquidated once, the
  largest debt first, by the largest amount the market accepts; what is received is sold where it brings most.
- The market falls first: pools take the shock before anybody is liquidated. After a round the oracle says what the
  deepest pools say.
- An adapter that can play liquidations through is exact to the unit, round after round. Of one that cannot, an account
  is closed whole, once.
- What no pool takes is not liquidated: it is counted as stuck, never sold at a guess.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction

import numpy as np

from keeper.core.ports import Supposing
from keeper.core.refusals import Reason
from keeper.core.units import Address
from keeper.core.venues import Liquidity
from keeper.reports.depth import aligned, reference, worth
from keeper.reports.snapshot import Snapshot
from keeper.venues.route.best import Route, best_sale
from keeper.venues.route.path import Path
from keeper.venues.route.search import Routing

MOST_ROUNDS = 64


@dataclass(frozen=True, slots=True)
class Sale:
    """One account liquidated and its collateral sold. Amounts in the tokens' smallest units."""

    row: int
    account: Address
    collateral_asset: Address
    debt_asset: Address
    repaid: int
    seized: int  # what the liquidator gets
    route: Route
    bad_debt: int = 0  # written off by the market, in the debt asset


@dataclass(frozen=True, slots=True)
class Round:
    """What happens at one set of prices."""

    prices: Mapping[Address, int]
    sales: tuple[Sale, ...]
    stuck: tuple[int, ...]  # rows that nobody can liquidate and sell


@dataclass(frozen=True, slots=True)
class Cascade:
    """From the shock to the end."""

    shock: Mapping[Address, float]
    rounds: tuple[Round, ...]
    before: Mapping[Address, int]
    shortfall: int  # debt beyond collateral of who is left below 1, in base units
    exact: bool

    @property
    def sales(self) -> list[Sale]:
        """All of them, in order."""
        return [sale for one in self.rounds for sale in one.sales]

    def path(self, asset: Address) -> list[int]:
        """The asset's price: before, shocked, and at each further round; in the last one nobody is liquidated."""
        return [self.before[asset], *(one.prices[asset] for one in self.rounds)]

    def amplification(self, asset: Address) -> float:
        """The whole fall as a multiple of the shock."""
        before, shocked = self.before[asset], self.rounds[0].prices[asset]
        return (before - self.rounds[-1].prices[asset]) / (before - shocked) if before != shocked else 0.0

    def sold(self, asset: Address) -> int:
        """How much of an asset was sold."""
        return sum(sale.seized for sale in self.sales if sale.collateral_asset == asset)


def cascade(snap: Snapshot, shock: Mapping[Address, float], *, whole: bool = False) -> Cascade:
    """Play it to the end. ``whole``: whoever falls is closed whole, even where the market would take less."""
    snap.require_accounts()
    if not shock or any(factor <= 0 for factor in shock.values()):
        raise ValueError("a shock is a positive factor on the price of some assets")
    return _Play(snap, shock, whole=whole).run()


@dataclass(slots=True)
class _Play:
    snap: Snapshot
    shock: Mapping[Address, float]
    whole: bool
    prices: dict[Address, int] = field(init=False)
    liquidity: Liquidity = field(init=False)
    ways: dict[Address, Path] = field(default_factory=dict)
    touched: set[int] = field(default_factory=set)  # rows the book shows changed: the screen knows them as they were
    closed: set[int] = field(default_factory=set)
    below: Sequence[int] = ()  # who was found in the last round

    def run(self) -> Cascade:
        snap = self.snap
        self.liquidity = aligned(snap.pools(), self.shock)
        self.prices = {asset: max(1, round(snap.price(asset) * factor)) for asset, factor in self.shock.items()}
        for asset in self.shock:
            self._follow(asset)
        before = {asset: snap.price(asset) for asset in (*snap.now.prices, *self.shock)}
        try:
            rounds = list(self._rounds())
            shortfall = self._shortfall()
        finally:
            snap.book.undo(snap.book.take_changes())
        return Cascade(self.shock, tuple(rounds), before, shortfall, self._exact)

    @property
    def _exact(self) -> bool:
        return isinstance(self.snap.adapter, Supposing) and not self.whole

    def _rounds(self) -> Iterator[Round]:
        for _ in range(MOST_ROUNDS):
            prices = {**self.snap.now.prices, **self.prices}
            start = self.liquidity
            self.below = self._below()
            outcomes = [(row, self._liquidate(row)) for row in self.below]
            sales = tuple(sale for _, sale in outcomes if sale)
            yield Round(prices, sales, tuple(row for row, sale in outcomes if sale is None))
            if not sales:
                return
            self._reprice(start)
        self.below = self._below()
        yield Round({**self.snap.now.prices, **self.prices}, (), tuple(self.below))  # it would go on

    def _below(self) -> Sequence[int]:
        """Everybody below 1 at these prices: one screen, and those it does not know any more."""
        snap = self.snap
        flagged = snap.screen.flagged(snap.now.repriced(self._known())).tolist()
        rows = [row for row in {*flagged, *self.touched} if row not in self.closed]
        return snap.adapter.liquidatable(snap.book, rows, snap.at, self.prices)

    def _known(self) -> Mapping[Address, int]:
        return {asset: price for asset, price in self.prices.items() if asset in self.snap.now.prices}

    # one account ---------------------------------------------------------------------------------------------------

    def _liquidate(self, row: int) -> Sale | None:
        adapter = self.snap.adapter
        if not isinstance(adapter, Supposing) or self.whole:
            return self._close(row)
        found = adapter.supposed(self.snap.book, row, self.snap.at, self.prices)
        pairs = [
            (action, ends[-1][1]) for action in found if not isinstance(action, Reason) and (ends := action.intervals())
        ]
        for action, repay in sorted(pairs, key=lambda pair: -self._base(pair[0].debt_asset, pair[1])):
            done = action.settle(repay)
            route = self._sell(action.collateral_asset, action.debt_asset, done.received)
            if route is not None:
                adapter.fold(self.snap.book, row, action, repay)
                self.touched.add(row)
                who = action.account, action.collateral_asset, action.debt_asset
                return Sale(row, *who, done.paid, done.received, route, done.bad_debt)
        return None

    def _close(self, row: int) -> Sale | None:
        """All of the largest collateral against the largest debt; the account is gone afterwards."""
        snap, numbers = self.snap, {number: asset for asset, number in self.snap.numbers.items()}
        found = snap.screen.groups.read(row)
        if found is None:
            return None
        kind = snap.now.assets.of[found[0]]
        worth = found[1] * snap.values[found[0]] * snap.now.levels[kind]
        sides = [np.bincount(kind, np.maximum(sign * worth, 0)) for sign in (1, -1)]
        largest = [int(side.argmax()) for side in sides]
        if not all(side.any() for side in sides) or not set(largest) <= numbers.keys():
            return None
        owned, owed = (numbers[number] for number in largest)
        held, due = (self._units(asset, float(side.max())) for asset, side in zip((owned, owed), sides, strict=True))
        route = self._sell(owned, owed, held)
        if route is None:
            return None
        self.closed.add(row)
        lost = max(due - route.amount_out, 0)
        return Sale(row, snap.book.account(row), owned, owed, due - lost, held, route, lost)

    def _units(self, asset: Address, worth: float) -> int:
        """Of so much base value, at the snapshot's prices."""
        return round(worth * self.snap.assets[asset].unit / self.snap.price(asset))

    def _sell(self, sold: Address, bought: Address, amount: int) -> Route | None:
        hubs = tuple(filter(None, (self.snap.native, *sorted(self.snap.pegged))))
        route = best_sale(self.liquidity, sold, bought, amount, Routing(hubs=hubs)) if amount > 0 else None
        if route is not None:
            self.liquidity = self.liquidity.after(route.after)
        return route

    def _base(self, asset: Address, amount: int) -> int:
        return amount * self.prices.get(asset, self.snap.assets[asset].price) // self.snap.assets[asset].unit

    # prices --------------------------------------------------------------------------------------------------------

    def _follow(self, asset: Address) -> None:
        """From now on the asset's price is what pools say."""
        if asset in self.ways or asset in self.snap.pegged:
            return
        way = reference(self.liquidity, asset, self.snap.pegged - set(self.shock))
        if way is not None:
            self.ways[asset] = way

    def _reprice(self, start: Liquidity) -> None:
        """Each price moves as its reference pools have moved in the round."""
        moved = {address for address, pool in self.liquidity.pools.items() if pool is not start.pools[address]}
        for asset in sorted(self.snap.assets):
            self._follow(asset)
            way = self.ways.get(asset)
            if way is None or not any(pool.address in moved for pool in way.pools):
                continue
            before, after = worth(start, way), worth(self.liquidity, way)
            if before and after:
                price = self.prices.get(asset, self.snap.assets[asset].price)
                self.prices[asset] = max(1, round(price * Fraction(after, before)))

    def _shortfall(self) -> int:
        """What those who are below 1 at the end owe beyond what they have."""
        return round(sum(max(-self._equity(row), 0.0) for row in self.below))

    def _equity(self, row: int) -> float:
        snap = self.snap
        line = snap.adapter.exposures(snap.book, row) or ()
        codes = [snap.screen.columns.known(column) for column, _ in line]
        assets = [snap.now.assets.by_code[code - 1] for code in codes]
        ratio = [self.prices.get(asset, snap.now.prices.get(asset, 1)) for asset in assets]
        return float(sum(amount * snap.values[code] * price
                         for (_, amount), code, price in zip(line, codes, ratio, strict=True)))  # fmt: skip
