"""The protocols keeper knows, by the name used in configuration.

Law: the only place that names a protocol outside its own folder. A new protocol is one line here.
"""

from collections.abc import Callable
from typing import Final

from keeper.core.ports import Adapter
from keeper.core.units import Address
from keeper.protocols.aave_v3.adapter import AaveV3
from keeper.protocols.compound_v2.adapter import CompoundV2
from keeper.protocols.maker_clip.adapter import MakerClip
from keeper.protocols.morpho_blue.adapter import MorphoBlue
from keeper.protocols.perp_curie.adapter import PerpCurie

PROTOCOLS: Final[dict[str, Callable[[Address], Adapter]]] = {
    "aave_v3": AaveV3,
    "compound_v2": CompoundV2,
    "maker_clip": MakerClip,
    "morpho_blue": MorphoBlue,
    "perp_curie": PerpCurie,
}
