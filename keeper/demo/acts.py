"""Markets that the demonstration can show: each with people in it who fall in the crash.

Law: an act sets its own stage before the first slot, and then only adds public transactions to the slots: it moves
what is its own, as everybody else's feeds and pools are moved by the actors. The last act's clock is the world's.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Protocol

from keeper.core.units import RAY, WAD, Address
from keeper.demo.script import Moment
from keeper.devnet.layout import USD
from keeper.devnet.maker import HOP, IlkSpec, Maker
from keeper.devnet.morpho import Morpho
from keeper.devnet.perp_actions import Perp
from keeper.devnet.rpc import Tx
from keeper.devnet.venus import Venus
from keeper.devnet.world import World

_STEPS: Final = (("cut", 94 * RAY // 100), ("step", 12))  # a price that falls by 6 % a slot, to be seen doing it
_ILK: Final = IlkSpec("ETH-D", "WETH", "stairstep_decrease", _STEPS, 2_000 * WAD)
_FALLEN: Final = 1_800 * WAD  # its next price, known before it counts
_BEFORE: Final = 100  # seconds from the first slot until it does
_BASE: Final = "SOL"
_INTERVALS: Final = ("setTwapInterval", "setMarkPriceMarketTwapInterval", "setMarkPricePremiumInterval")
_SECONDS: Final = 24  # that prices are averaged over, so that a crash of a minute is felt
_DEPTH: Final = 4_000_000 * WAD
_REACH: Final = 9_000  # ticks to either side


@dataclass(frozen=True, slots=True)
class Scenery:
    """Where acts are set: the world, and how many come, drawn from which seed."""

    world: World
    accounts: int
    seed: int


class Act(Protocol):
    """One market of the demonstration."""

    address: Address

    def moves(self, moment: Moment) -> Sequence[Tx]:
        """What happens there in a slot, beside what the keeper does."""
        ...


class Crowd:
    """Aave: everybody who came for the demonstration."""

    def __init__(self, scenery: Scenery) -> None:
        scenery.world.borrowers(scenery.accounts, scenery.seed)
        self.address = scenery.world.layout.aave.provider

    def moves(self, moment: Moment) -> Sequence[Tx]:
        """The feeds do it."""
        del moment
        return ()


class Borrowers:
    """Morpho Blue: one market of WETH against USDC, at the feeds' prices."""

    def __init__(self, scenery: Scenery) -> None:
        world, morpho = scenery.world, Morpho.deploy(scenery.world)
        self.address = morpho.address
        market = morpho.add_market("WETH", "USDC", lent=10**13)
        price = world.price("WETH")
        for place, health in enumerate((1.02, 1.06, 1.11, 1.16)):
            debt = int(10 * price * 10**6 // USD * 0.86 / health)
            morpho.borrower(_person(0x30, place), market, 10 * WAD, debt)

    def moves(self, moment: Moment) -> Sequence[Tx]:
        """The feeds do it."""
        del moment
        return ()


class Pooled:
    """Venus: a core pool, at the feeds' prices."""

    def __init__(self, scenery: Scenery) -> None:
        world, venus = scenery.world, Venus.deploy(scenery.world)
        self.address = venus.layout.comptroller
        price = world.price("WETH")
        for place, health in enumerate((1.05, 1.08, 1.12, 1.16)):
            debt = int(10 * price * 10**6 // USD * 0.81 / health)
            venus.borrow(_person(0x60, place), "WETH", 10 * WAD, "USDC", debt)

    def moves(self, moment: Moment) -> Sequence[Tx]:
        """The feeds do it."""
        del moment
        return ()


class Urns:
    """Maker: urns that a price makes unsafe which is known before it counts; auctions follow."""

    def __init__(self, scenery: Scenery) -> None:
        world, maker = scenery.world, Maker(scenery.world)
        self.address = maker.chainlog.address
        it = maker.add(_ILK)
        for place, ratio in enumerate((1.48, 1.55)):
            maker.open("ETH-D", _person(0x40, place), 10 * WAD, int(20_000 * WAD / ratio))
        world.rpc.send_all([maker.price_tx("ETH-D", _FALLEN)])
        maker.hop("ETH-D")  # from now on it is the next one
        world.advance(int(it.osm.call("zzz")) + HOP - world.timestamp() - _BEFORE)

    def moves(self, moment: Moment) -> Sequence[Tx]:
        """Whoever keeps the oracle going is waited for, and late."""
        del moment
        return ()


class Traders:
    """Perpetual v2: a market of its own; its price falls in the crash, and somebody is long."""

    def __init__(self, scenery: Scenery) -> None:
        self._world = world = scenery.world
        self._price = 100 * USD
        world.add_feed(_BASE, self._price)
        self._perp = perp = Perp(world, world.add_perp(_BASE))
        self.address = perp.layout.clearing_house
        maker, self._whale, long = (_person(0x50, place) for place in range(3))
        world.fund(maker, self._whale, long)
        tick = int(perp.pool(_BASE).call("slot0")[1]) // 60 * 60
        amounts = _DEPTH * USD // self._price, _DEPTH
        self._reserve = int(_DEPTH / (1 - 1.0001 ** (-_REACH / 2)))  # what the pool is as deep as, in dollars
        world.rpc.send_all([perp.govern("ClearingHouseConfig", name, _SECONDS) for name in _INTERVALS])
        world.rpc.send_all(
            [
                *perp.deposit(maker, 50_000_000 * 10**6),
                perp.add_liquidity(maker, _BASE, amounts, (tick - _REACH, tick + _REACH)),
                *perp.deposit(self._whale, 20_000_000 * 10**6),
                *perp.deposit(long, 5_000 * 10**6),
                perp.open(long, _BASE, 40_000 * WAD, long=True, exact_in=True),
            ]
        )

    def moves(self, moment: Moment) -> Sequence[Tx]:
        """The index, and a trade that takes the pool there."""
        if moment.factor == 1.0:
            return ()
        self._price = int(self._price * moment.factor)
        now = int(self._perp.pool(_BASE).call("slot0")[0]) ** 2 * USD >> 192
        moved = [self._world.set_price_tx(_BASE, self._price)]
        if now * 99 > self._price * 100:
            sold = int(self._reserve * USD / now * ((now / self._price) ** 0.5 - 1))
            moved.append(self._perp.open(self._whale, _BASE, sold, long=False, exact_in=True))
        return moved


def _person(group: int, place: int) -> Address:
    return Address(f"0x{group << 152 | place + 1:040x}")


ACTS: Final[Mapping[str, Callable[[Scenery], Act]]] = {
    "aave_v3": Crowd,
    "perp_curie": Traders,
    "morpho_blue": Borrowers,
    "compound_v2": Pooled,
    "maker_clip": Urns,  # the last one: its clock is what counts
}
