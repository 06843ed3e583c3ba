"""One market of every protocol with a random walk over it, so that a test of the indexer need not know protocols.

Law: a new protocol is one line in ``SCENES``; what holds of one must hold of all.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import pytest

from keeper.chain.pool import Pool
from keeper.core.ports import Adapter
from keeper.core.units import Address
from keeper.devnet.venus import Venus
from keeper.devnet.world import World
from keeper.indexer.indexer import Indexer
from keeper.protocols.aave_v3.adapter import AaveV3
from keeper.protocols.compound_v2.adapter import CompoundV2
from keeper.protocols.maker_clip.adapter import MakerClip
from keeper.protocols.morpho_blue.adapter import MorphoBlue
from keeper.protocols.perp_curie.adapter import PerpCurie
from keeper.registry import PROTOCOLS
from keeper.store.store import Store
from tests.chain.maker_walker import MakerWalk
from tests.chain.morpho_walker import MorphoWalk
from tests.chain.perp_walker import PerpWalk
from tests.chain.player import Player
from tests.chain.venus_walker import VenusWalk
from tests.chain.walker import Walk


@dataclass(frozen=True)
class Scene:
    """A walk on a market, and how the market is told to an indexer."""

    walk: Player
    protocol: str  # the registry's name
    entry: Address
    adapter: Callable[[], Adapter]  # a new one

    def indexer(self, chain: Pool, path: Path, depth: int = 128) -> Indexer:
        """An indexer of its own on a state file."""
        return Indexer(chain, Store(path, 31337, depth), [(self.adapter(), 0)])

    def published(self, chain: Pool, path: Path, depth: int = 128) -> Indexer:
        """One that is told no more than a configuration can say."""
        return Indexer(chain, Store(path, 31337, depth), [(PROTOCOLS[self.protocol](self.entry), 0)])


def aave_v3(world: World, seed: int, people: int) -> Scene:
    provider = world.layout.aave.provider
    return Scene(Walk(world, seed, people), "aave_v3", provider, lambda: AaveV3(provider))


def morpho_blue(world: World, seed: int, people: int) -> Scene:
    walk = MorphoWalk(world, seed, people)
    morpho, factories = walk.morpho.address, [walk.morpho.factory.address]
    return Scene(walk, "morpho_blue", morpho, lambda: MorphoBlue(morpho, factories))


def compound_v2(world: World, seed: int, people: int) -> Scene:
    venus = Venus.deploy(world)
    comptroller = venus.layout.comptroller
    walk = VenusWalk(venus, seed, people, jumps=(1,))
    return Scene(walk, "compound_v2", comptroller, lambda: CompoundV2(comptroller))


def maker_clip(world: World, seed: int, people: int) -> Scene:
    walk = MakerWalk(world, seed, people)
    chainlog = walk.maker.chainlog.address
    return Scene(walk, "maker_clip", chainlog, lambda: MakerClip(chainlog))


def perp_curie(world: World, seed: int, people: int) -> Scene:
    walk = PerpWalk(world, seed, people)
    house = walk.perp.layout.clearing_house
    return Scene(walk, "perp_curie", house, lambda: PerpCurie(house))


MakeScene = Callable[[World, int, int], Scene]
SCENES: Final[dict[str, MakeScene]] = {
    "aave_v3": aave_v3,
    "compound_v2": compound_v2,
    "morpho_blue": morpho_blue,
    "maker_clip": maker_clip,
    "perp_curie": perp_curie,
}
of_every_protocol = pytest.mark.parametrize("make", SCENES.values(), ids=SCENES)
_marked = [
    pytest.param(make, id=name, marks=[] if make is aave_v3 else [pytest.mark.slow]) for name, make in SCENES.items()
]
first_quick = pytest.mark.parametrize("make", _marked)  # one protocol in the quick tier, every other in the slow one
